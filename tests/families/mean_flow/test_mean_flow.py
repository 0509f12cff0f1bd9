"""Mean flows where the answer is known; their costs; what they refuse."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.costs.walk.count import count
from jaxgen.data import ImageSpec
from jaxgen.errors import UserError
from jaxgen.families.mean_flow.config import MeanFlowSampling
from jaxgen.families.mean_flow.family import MeanFlow
from jaxgen.families.mean_flow.module import MeanVelocityNetwork
from jaxgen.families.mean_flow.objective import SPAN, draw_times, make_mean_flow_loss, told
from jaxgen.families.mean_flow.sampling import make_sampler
from jaxgen.models.dit.config import DiTConfig
from jaxgen.models.mlp_denoiser.config import MLPDenoiserConfig
from jaxgen.models.unet.config import UNetConfig
from jaxgen.training.config import OptimizerConfig
from jaxgen.training.state import num_params

SPEC = ImageSpec(4, 12, 3, 7)
D, X = 0.5, 3  # the deviation of Gaussian data, its numbers


def size(t):
    """The deviation of z_t = (1 − t) x + t ε, x ~ N(0, D²)."""
    return jnp.sqrt((1 - t) ** 2 * D**2 + t**2)


@dataclass(frozen=True)
class Exact:
    """U of Gaussian data, no class of flax's: the flow multiplies z by size(r) / size(t)."""

    def apply(self, variables, z, times, label=None):
        t, length = times[:, 0] / SPAN, times[:, 1] / SPAN
        # (1 − size(r) / size(t)) / (t − r), free of the difference where r is near t
        r = t - length
        slope = (2 * (1 + D**2) * (t + r) / 2 - 2 * D**2) / (size(t) + size(r)) / size(t)
        return variables["params"]["scale"] * slope[:, None] * z


@pytest.mark.parametrize("num_steps", [1, 3])
def test_of_the_exact_flow_any_number_of_steps_draws_the_data(num_steps):
    """z_0 = D z_1: the map keeps the noise's own numbers, so that no sample is left to chance."""
    assert isinstance(Exact(), MeanVelocityNetwork)
    draw = make_sampler(Exact(), X, num_steps)
    keys = jax.random.split(jax.random.key(0), 9)
    noise = jax.vmap(lambda key: jax.random.normal(key, (X,)))(keys)
    found = draw({"scale": jnp.ones(())}, keys, None)
    np.testing.assert_allclose(found, D * noise, rtol=1e-5)
    alone = draw({"scale": jnp.ones(())}, keys[4:5], None)
    np.testing.assert_allclose(found[4:5], alone, rtol=1e-6)  # whatever else is drawn beside it


def test_the_exact_flow_is_where_the_loss_stops():
    """Its gradient is zero, but for the draw; of a U that is too large it points back."""
    settings = MeanFlow(mean_share=0.8, power=0.0)
    loss = make_mean_flow_loss(settings, Exact(), "point")
    x = D * jax.random.normal(jax.random.key(1), (40_000, X))
    keys = jax.random.split(jax.random.key(2), len(x))

    @jax.jit
    def each(scale):
        def of_one(x, key):
            alone = {"point": x[None]}
            return jax.grad(lambda s: loss({"scale": s}, None, alone, key[None])[0])(scale)

        return jax.vmap(of_one)(x, keys)

    for scale, lowest in ((1.0, -3.0), (1.2, 10.0)):
        slopes = np.asarray(each(jnp.asarray(scale)), np.float64)
        errors = slopes.mean() / (slopes.std() / np.sqrt(len(slopes)))  # in standard errors
        assert errors > lowest and (scale > 1 or errors < 3)


def test_times_are_ordered_and_some_of_them_are_one():
    settings = MeanFlow(mean_share=0.75)
    r, t = draw_times(settings, jax.random.split(jax.random.key(0), 20_000))
    assert np.all(r <= t) and np.all(t < 1) and np.all(r > 0)
    assert np.mean(np.asarray(r) < t) == pytest.approx(0.75, abs=0.01)
    # Of either of two draws the logit is N(−0.4, 1); the larger one's mean is 1/sqrt(pi) above.
    logit = np.log(np.asarray(t) / (1 - np.asarray(t)))
    assert logit.mean() == pytest.approx(-0.4 + 1 / np.sqrt(np.pi), abs=0.03)
    np.testing.assert_allclose(told(r, t)[:, 0] / SPAN, t, rtol=1e-6)


MODELS = {
    "mlp": MLPDenoiserConfig(num_layers=2, model_size=11, hidden_size=13, waves=2),
    "dit": DiTConfig(2, 3, 12, 29, 2, "literal"),
    "unet": UNetConfig(6, (1, 2), 1, (1,), 2, 2, convolution="native"),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_step_is_its_table(name):
    experiment = MeanFlow(
        batch_size=6, optimizer=OptimizerConfig(), model=MODELS[name], classes=True
    )
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


def test_what_cannot_be_is_refused():
    with pytest.raises(UserError, match=r"--mean-share is 1.5"):
        MeanFlow(mean_share=1.5)
    with pytest.raises(UserError, match=r"--model.dropout would give each derivative a mask"):
        MeanFlow(model=MLPDenoiserConfig(dropout=0.1))
    with pytest.raises(UserError, match=r"asks for a class, but the model is told none"):
        MeanFlow(sampling=MeanFlowSampling(label=3)).build(SPEC)
    with pytest.raises(UserError, match=r"--sampling.label 9 does not exist: give 0 to 6"):
        MeanFlow(classes=True, sampling=MeanFlowSampling(label=9)).build(SPEC)
    with pytest.raises(UserError, match=r"has no labels: leave --classes out"):
        MeanFlow(classes=True).build(ImageSpec(4, 12, 3, None))


def test_classes_are_drawn_and_judged(tmp_path):
    """Of images, on the digits: the class asked for, samples as a grid, metrics that are finite."""
    model = MLPDenoiserConfig(1, 8, 8)
    experiment = MeanFlow(
        classes=True, model=model, judge_samples=70, judge_examples=9,
        sampling=MeanFlowSampling(count=4, label=2, num_steps=2),
    )  # fmt: skip
    data = experiment.load()
    task = experiment.build(data.spec)
    weights = jax.jit(task.init)(jax.random.key(0))
    assert task.sample(weights, jax.random.key(1), tmp_path / "grid").stat().st_size > 0
    found = task.evaluate(weights, data.test)
    assert set(found) == {"loss", "pixel_frechet", "evaluations"}
    assert found["evaluations"] == 2 and all(map(np.isfinite, found.values()))
