"""Steps compiled by the TPU compiler for chips that are not there."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import SingleDeviceSharding

from benchmarks import aot, presets, scaling, topology
from benchmarks.hlo import Schedule, read_schedule
from benchmarks.measure import compiling_anew
from benchmarks.shard import Shapes
from jaxgen.costs.conventions import find_convention
from jaxgen.costs.hardware import find_accelerator
from jaxgen.equations.attention_forms import fused
from jaxgen.experiments.registry import experiment_names
from jaxgen.training.metrics import Mean
from jaxgen.training.state import State
from jaxgen.training.task import Task

pytest.importorskip("libtpu", reason="the TPU compiler is not installed: jaxgen[tpu-aot]")


@pytest.fixture(scope="module")
def four_chips():
    return topology.find_topology("v5e:2x2")


def smallest(name):
    """An experiment with its data; a deep model as one layer, since each compiles alike."""
    experiment, data = presets.find(name)
    if hasattr(experiment.model, "num_layers"):
        experiment = replace(experiment, model=replace(experiment.model, num_layers=1))
    return experiment, data


@pytest.mark.parametrize("name", experiment_names())
def test_every_experiment_compiles_for_a_tpu(four_chips, name):
    experiment, data = smallest(name)
    result = aot.compile_step(name, experiment, data, four_chips)
    table = experiment.costs(data.spec)
    assert result.fits and result.chips == 4 and result.device_kind == "TPU v5 lite"
    # The state, three times the parameters, lies on every chip.
    assert 12 * table.parameters < result.bytes_per_chip < result.memory_bytes
    assert result.mathematics_flops == table.matmul_flops / 4
    # A chip computes its quarter, and elementwise work beside it.
    assert 0.95 * result.mathematics_flops < result.compiler_flops < 2 * result.mathematics_flops
    # Gradients are summed over four chips: each sends 2·3/4 of them, and a little for the metrics.
    gradients = 1.5 * 4 * table.parameters
    assert result.collectives["all-reduce"] >= 1
    assert 0.95 * gradients < result.sent_bytes < 1.3 * gradients
    assert result.loops_of_unknown_length == 0
    assert 0 < result.mfu < 1 and result.cycles_seconds > 0
    assert result.estimated_seconds > result.bound_seconds
    text = aot.describe(result)
    assert "compiled, not run" in text and "(jaxgen FLOPs)" in text
    assert result.to_json()["kind"] == "compiled, not run"


def test_pmap_compiles_the_same_step(four_chips):
    experiment, data = smallest("vae-digits")
    over_mesh, mapped = (
        aot.compile_step("vae-digits", experiment, data, four_chips, parallel=parallel)
        for parallel in ("mesh", "pmap")
    )
    assert mapped.fits and mapped.collectives["all-reduce"] >= 1
    assert mapped.mathematics_flops == over_mesh.mathematics_flops
    assert mapped.compiler_flops == pytest.approx(over_mesh.compiler_flops, rel=0.05)
    assert mapped.sent_bytes == pytest.approx(over_mesh.sent_bytes, rel=0.05)


def test_pieces_of_a_batch_take_the_time_of_the_whole(four_chips):
    """The loop over pieces is counted as often as it runs, which the compiler's FLOPs are not."""
    experiment, data = smallest("vae-digits")
    experiment = replace(experiment, batch_size=4096)
    whole = aot.compile_step("vae-digits", experiment, data, four_chips)
    pieces = aot.compile_step("vae-digits", replace(experiment, accumulate=4), data, four_chips)
    assert (pieces.accumulate, pieces.loops_of_unknown_length) == (4, 1)
    assert pieces.compiler_flops < 0.4 * whole.compiler_flops
    # Four small pieces take longer than one: the update's share, and matrices not so well filled.
    assert 0.9 < pieces.cycles_seconds / whole.cycles_seconds < 3
    assert "are taken --accumulate times: 4" in aot.describe(pieces)


def test_a_split_state_is_a_part_on_each_chip(four_chips):
    experiment, data = smallest("vae-digits")
    result = aot.compile_step("vae-digits", experiment, data, four_chips, mesh="fsdp=4")
    table = experiment.costs(data.spec)
    # Parameters lie in parts and are gathered to compute with, which replicated ones need not be.
    assert result.collectives["all-gather"] > 0
    assert result.mathematics_flops == table.matmul_flops / 4


@pytest.mark.parametrize("generation", ["v4:2x2x1", "v5e:1x1", "v5p:2x2x1", "v6e:2x2"])
def test_clock_and_cycles_agree_with_the_published_peak(generation):
    """The compiler's estimate of a large matmul, at our clock, is nearly the published rate."""
    found = topology.find_topology(generation)
    assert len(found.devices) == topology.num_chips(generation)
    peak = find_accelerator(found.devices[0].device_kind).bfloat16_flops_per_second
    size = 4096
    square = jax.ShapeDtypeStruct(
        (size, size), jnp.bfloat16, sharding=SingleDeviceSharding(found.devices[0])
    )
    with compiling_anew():
        compiled = jax.jit(jnp.matmul).lower(square, square).compile()
    seconds = read_schedule(compiled.as_text()).cycles / found.cycles_per_second
    assert 0.85 < 2 * size**3 / seconds / peak < 1


def test_fused_attention_is_the_flash_kernel_on_a_tpu(four_chips):
    sharding = SingleDeviceSharding(four_chips.devices[0])

    def text(length):
        shape = jax.ShapeDtypeStruct((1, 2, length, 64), jnp.bfloat16, sharding=sharding)
        program = jax.jit(lambda *x: fused(*x, causal=True)).lower(shape, shape, shape)
        return program.as_text()

    assert "tpu_custom_call" in text(256)
    assert "tpu_custom_call" not in text(200)  # not whole blocks of 128: the einsums


def test_recomputation_is_bounded_but_is_no_part_of_the_mfu():
    experiment, data = presets.find("gpt-python")
    again, _ = presets.find("gpt-python", remat=True)
    plain, recomputed = experiment.costs(data.spec), again.costs(data.spec)
    assert recomputed.matmul_flops > plain.matmul_flops
    assert aot._model_flops(recomputed, "jaxgen") == plain.matmul_flops


@pytest.mark.parametrize(
    ("loops", "kernels", "accumulate", "why"),
    [
        (0, 0, 1, None),
        (2, 0, 4, None),  # a game's two players
        (1, 0, 1, "1 loops are of unknown length"),
        (145, 0, 16, "145 loops are of unknown length"),
        (0, 3, 1, "3 hand-written kernels have no estimate"),
    ],
)
def test_a_schedule_that_is_not_known_gives_no_estimate(loops, kernels, accumulate, why):
    schedule = Schedule(1000, 10, 0, loops, kernels, ())
    assert aot._not_estimable(schedule, accumulate) == why


def test_what_does_not_fit_is_said_rather_than_raised(four_chips, monkeypatch):
    """A step whose state alone is 24 GB on a chip of 16."""
    experiment, data = smallest("vae-digits")

    def huge(experiment, data):
        def step(state, batch):
            return state._replace(params=state.params + 1), {"loss": Mean.of(batch["x"])}

        count = jax.ShapeDtypeStruct((), jnp.int32)
        params = jax.ShapeDtypeStruct((3, 2**31), jnp.float32)
        state = State(count, params, (), count, count)
        batch = {"x": jax.ShapeDtypeStruct((8, 4), jnp.float32)}
        return Shapes(Task(init=list, step=step, evaluate=dict, sample=list), state, batch, 1)

    monkeypatch.setattr(aot, "step_shapes", huge)
    result = aot.compile_step("huge", experiment, data, four_chips)
    assert not result.fits and result.bytes_per_chip > 24 * 10**9
    assert result.estimated_seconds is None and result.mfu is None
    assert "fits                       NO" in aot.describe(result)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("RESOURCE_EXHAUSTED: Ran out of memory in memory space hbm. Used 20.50G of 15.75G hbm. "
         "Exceeded hbm capacity by 4.75G.", 20.5 * 2**30),
        ("RESOURCE_EXHAUSTED: Ran out of memory on HBM, the total memory required for HLO temporaries "
         "(64.00G) exceeds available HBM (15.75G).", 64 * 2**30),
        ("RESOURCE_EXHAUSTED: out of something else", None),
        ("INTERNAL: Used 20.50G of 15.75G hbm", None),
    ],
)  # fmt: skip
def test_the_compilers_message_about_memory(message, expected):
    assert aot._bytes_that_do_not_fit(message) == expected


@pytest.mark.parametrize(
    ("name", "parameters", "layers"),
    # 124,439,808: GPT-2's smallest checkpoint. 1.3 billion: Brown et al. 2020, table 2.1.
    [("gpt2-124m", 124_439_808, 12), ("gpt3-1.3b", 1.3e9, 24)],
)
def test_the_presets_are_the_published_sizes(name, parameters, layers):
    experiment, data = presets.find(name, batch_size=8)
    table = experiment.costs(data.spec)
    assert table.parameters == pytest.approx(parameters, rel=0 if layers == 12 else 0.02)
    assert (table.sizes["L"], table.sizes["V"], table.sizes["B"]) == (layers, 50257, 8)
    state = jax.eval_shape(experiment.build(data.spec).init, jax.random.key(0))
    assert sum(leaf.size for leaf in jax.tree.leaves(state.params)) == table.parameters


def test_mfu_by_another_convention(four_chips):
    experiment, data = smallest("gpt-python")
    table = experiment.costs(data.spec)
    sizes = table.sizes
    expected = find_convention("PaLM").flops_per_token(table) * sizes["B"] * sizes["T"]
    assert aot._model_flops(table, "PaLM") == expected
    assert aot._model_flops(table, "jaxgen") == table.matmul_flops


def test_the_scaling_table_has_a_row_for_each_case():
    row = {
        "experiment": "x", "growth": "fixed", "chips": 4, "batch_size": 8, "fits": True,
        "parallel": "mesh data=4", "accumulate": 2,
        "bytes_per_chip": 2e9, "estimated_seconds": 0.5, "collective_seconds": 0.1,
        "bound_seconds": 0.25, "mfu": 0.5, "compile_seconds": 3.0,
    }  # fmt: skip
    text = scaling.markdown([row, row | {"fits": False, "mfu": None, "estimated_seconds": None}])
    assert (
        "| x | fixed | 4 | data=4 | 8 | 2 | yes | 2.00 | 500.0 | 100.0 | 250.0 | 50.0% | 3 |"
        in text
    )
    assert "| x | fixed | 4 | data=4 | 8 | 2 | no | 2.00 | - | - | 250.0 | - | 3 |" in text
    assert "not run" in text.splitlines()[0]
