"""Steps compiled for GPUs that are not there."""

import pytest

from benchmarks import select
from benchmarks.aot import compile as aot
from benchmarks.aot import topology
from jaxgen.experiments.registry import experiment_names

pytest.importorskip(
    "jax_cuda12_plugin", reason="jax's CUDA plugin is not installed: jaxgen[cuda-aot]"
)


@pytest.fixture(scope="module")
def eight_gpus():
    return topology.find_topology("h100:8")


@pytest.mark.parametrize("parallel", ["mesh", "pmap"])
@pytest.mark.parametrize("name", experiment_names())
def test_every_experiment_compiles_for_gpus(eight_gpus, name, parallel):
    experiment, data = select.find(name)
    result = aot.compile_step(name, experiment, data, eight_gpus, parallel=parallel)
    table = experiment.costs(data.spec)
    assert result.fits and result.chips == 8 and result.device_kind == "NVIDIA H100 80GB HBM3"
    # The state, three times the parameters, lies on every GPU.
    assert 12 * table.parameters < result.bytes_per_chip < result.memory_bytes
    # Gradients are summed over eight: each sends 2·7/8 of them, and a little for the metrics.
    gradients = 2 * 7 / 8 * 4 * table.parameters
    assert 0.95 * gradients < result.sent_bytes < 1.3 * gradients
    # The compiler gives no costs, so there is no time but the bound.
    assert result.estimated_seconds is None and result.mfu is None and result.bound_seconds > 0
    text = aot.describe(result)
    assert "no estimate of the step    this compiler gives no costs" in text
    assert "compiled, not run" in text and "H100 SXM, bfloat16 dense" in text


def test_what_one_gpu_cannot_hold_does_not_fit():
    """GPT-3 XL's 1.3 billion parameters take 16 GB, a batch of 64 without recomputation far more."""
    experiment, data = select.find("gpt3-1.3b", batch_size=64)
    result = aot.compile_step("gpt3-1.3b", experiment, data, topology.find_topology("h100:1"))
    assert not result.fits and result.bytes_per_chip > result.memory_bytes == 80 * 10**9
    assert "fits                       NO" in aot.describe(result)
