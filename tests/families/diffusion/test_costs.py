"""The cost table of diffusion's step against a walk over the real one, and DiT's published counts."""

import jax
import jax.numpy as jnp
import pytest

from jaxgen.costs.table import CONTRACTIONS
from jaxgen.costs.walk.count import count
from jaxgen.data import ImageSpec
from jaxgen.families.diffusion.family import Diffusion
from jaxgen.models.dit.config import DiTConfig, dit_xl_2
from jaxgen.models.mlp_denoiser.config import MLPDenoiserConfig
from jaxgen.models.unet.config import UNetConfig, ddpm_cifar10
from jaxgen.training.config import OptimizerConfig
from jaxgen.training.state import num_params

SPEC = ImageSpec(4, 12, 3, 7)
MLP = MLPDenoiserConfig(num_layers=2, model_size=11, hidden_size=13)
LATTICE = {"prediction": "lattice", "levels": 5, "weighting": "bound", "times": "log-snr"}
CASES = {
    "mlp": {"model": MLP},
    "mlp with waves and classes": {
        "model": MLPDenoiserConfig(3, 11, 17, waves=2, dropout=0.2), "label_dropout": 0.1,
    },
    "mlp on a lattice, averaged": {"model": MLP, "ema_decay": 0.9, **LATTICE},
    "dit": {"model": DiTConfig(2, 3, 12, 29, 2), "label_dropout": 0.1},
    "unet": {"model": UNetConfig(6, (1, 2), 1, (1,), 2, 2, dropout=0.2), "label_dropout": 0.1},
    "unet, native": {"model": UNetConfig(4, (2, 1, 3), 1, (0,), 1, 4, convolution="native")},
    "dit on a lattice": {"model": DiTConfig(1, 2, 14, 31, 2), **LATTICE},
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_step_is_its_table(case):
    experiment = Diffusion(batch_size=6, optimizer=OptimizerConfig(), **CASES[case])
    task, table = experiment.build(SPEC), experiment.costs(SPEC)
    batch = {
        "image": jax.ShapeDtypeStruct((6, *SPEC.shape), jnp.float32),
        "label": jax.ShapeDtypeStruct((6,), jnp.int32),
    }
    state = jax.eval_shape(task.init, jax.random.key(0))
    walked = count(task.step, state, batch)
    assert walked.matmul_flops == table.matmul_flops
    assert walked.uncounted == frozenset()
    assert table.sizes["B"] == 6  # and no letter has two
    assert table.parameters == num_params(state.params)


@pytest.mark.parametrize(
    ("side", "printed", "gigaflops"), [(32, 118.64, 237.2), (64, 524.6, 1049.0)]
)
def test_the_gflops_that_dit_publishes_are_multiply_adds(side, printed, gigaflops):
    """XL/2 at 256 and at 512 pixels, latents of 32 and 64: Peebles & Xie 2023, tables 1, 2 and 9."""
    rows = dit_xl_2().costs(batch_size=1, shape=(side, side, 4), num_classes=1000, outputs=2)
    T, L, D = (side // 2) ** 2, 28, 1152
    blocks = L * (24 * T * D**2 + 4 * T**2 * D + 12 * D**2)
    found = sum(row.flops("forward") for row in rows if row.kind in CONTRACTIONS)
    ends = 2 * T * 16 * D + 2 * T * D * 32 + 2 * D * 2 * D + 2 * 32 * D + 2 * D * D
    assert found == blocks + ends
    assert found / 1e9 == pytest.approx(gigaflops, rel=2e-3)
    assert found / 2e9 == pytest.approx(printed, rel=2e-3)
    parameters = sum(row.value(row.parameters) for row in rows)
    assert parameters / 1e6 == pytest.approx(675, rel=0.01)


def test_ddpm_s_network_for_cifar_10_has_the_published_size():
    """35.7 million (Ho et al. 2020, appendix B)."""
    rows = ddpm_cifar10().costs(batch_size=1, shape=(32, 32, 3), num_classes=0, outputs=1)
    parameters = sum(row.value(row.parameters) for row in rows)
    assert parameters / 1e6 == pytest.approx(35.7, abs=0.05)
