"""Denoisers and losses of diffusion on Gaussians, for which every prediction is known."""

import math
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.data import ImageSpec, load
from jaxgen.equations import diffusion, diffusion_gaussian
from jaxgen.equations.diffusion_schedules import SCHEDULES, Level, log_snr, variance_preserving
from jaxgen.errors import UserError
from jaxgen.families.classes import labels_for
from jaxgen.families.diffusion.config import DiffusionSampling
from jaxgen.families.diffusion.denoiser import Denoiser, lattice_levels
from jaxgen.families.diffusion.evaluation import judged, make_bound, make_image_evaluation
from jaxgen.families.diffusion.family import Diffusion, PointDiffusion
from jaxgen.families.diffusion.objective import draw_times, drop_labels, make_diffusion_loss
from jaxgen.families.diffusion.sampling import make_sampler
from jaxgen.models.mlp_denoiser.config import MLPDenoiserConfig
from jaxgen.runs.fields import to_json
from jaxgen.training.state import Weights

MEAN, VARIANCE = jnp.array([0.3, -0.6, 0.0]), jnp.array([0.25, 2.0, 0.5])
D = 0.7


class Known:
    """In a module's place: what a perfect network would say of the Gaussian, for one prediction."""

    def __init__(self, prediction):
        self.prediction = prediction

    def apply(self, variables, scaled, log_snr, label):
        level = variance_preserving(log_snr)
        if self.prediction == "velocity":
            size = level.alpha + level.sigma
            level = Level(level.alpha / size, level.sigma / size)
        skip, out, into = diffusion.preconditioning(*level, D)
        z = scaled / into[:, None]
        x = diffusion_gaussian.gaussian_denoiser(z, MEAN, VARIANCE, *level)
        if self.prediction == "edm":
            return (x - skip[:, None] * z) / out[:, None]
        noise = diffusion.noise_of(x, z, *level)
        rate = Level(-jnp.ones_like(log_snr), jnp.ones_like(log_snr))
        return diffusion.target_of(self.prediction, x, noise, level, rate)


def exact(z, level):
    return diffusion_gaussian.gaussian_denoiser(z, MEAN, VARIANCE, *level)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("prediction", ["x", "noise", "v", "velocity", "score", "edm"])
def test_whatever_it_predicts_x_is_the_same_at_the_levels_of_any_schedule(prediction, schedule):
    denoiser = Denoiser(Known(prediction), prediction, D, 0, None)
    level = SCHEDULES[schedule](jnp.array([0.1, 0.5, 0.9]))
    z = jax.random.normal(jax.random.key(0), (3, 3))
    found = denoiser({}, z, level, None)
    np.testing.assert_allclose(found, exact(z, level), rtol=2e-3, atol=2e-3)


def test_guidance_mixes_the_two_answers_within_its_interval():
    class ByClass:
        def apply(self, variables, scaled, log_snr, label):
            return jnp.broadcast_to(label.astype(jnp.float32)[:, None], scaled.shape)

    denoiser = Denoiser(ByClass(), "x", D, 0, 10)  # 10 is no class
    level = variance_preserving(jnp.array([-4.0, 0.0]))
    z, label = jnp.zeros((2, 3)), jnp.array([4, 7])
    one = denoiser.guided({}, label)(z, level)
    np.testing.assert_allclose(one, [[4.0] * 3, [7.0] * 3])
    found = denoiser.guided({}, label, 2.0, (-1.0, 1.0))(z, level)
    np.testing.assert_allclose(found, [[4.0] * 3, [10 + 2 * (7 - 10.0)] * 3])


SETTINGS = PointDiffusion(
    log_snr_min=-8.0, log_snr_max=8.0, log_snr_mean=0.5, log_snr_deviation=2.0,
    weighting="bound", data_deviation=D, judge_examples=100, judge_draws=2, judge_samples=100,
)  # fmt: skip


@pytest.mark.parametrize("schedule", ["cosine", "flow"])
@pytest.mark.parametrize("times", ["uniform", "normal", "log-snr"])
def test_an_integral_over_lambda_is_the_mean_by_the_density_of_the_draw(times, schedule):
    """The integral of exp(−λ²) is √π, however λ is drawn."""
    uniform = (jnp.arange(20_000) + 0.5) / 20_000
    settings = replace(SETTINGS, times=times)
    t, inverse = draw_times(settings, SCHEDULES[schedule], uniform)
    found = log_snr(*SCHEDULES[schedule](t))
    assert found.min() > -8.01 and found.max() < 8.01
    assert float(jnp.mean(jnp.exp(-(found**2)) * inverse)) == pytest.approx(
        math.sqrt(math.pi), rel=2e-3
    )
    if times == "normal":
        assert float(jnp.median(found)) == pytest.approx(0.5, abs=0.01)


def test_the_loss_of_the_exact_denoiser_has_no_regret_and_is_the_bound_s_integral():
    settings = replace(SETTINGS, times="log-snr")
    denoiser = Denoiser(Known("edm"), "edm", D, 0, None)
    n = 20_000
    x = MEAN[None] + jnp.sqrt(VARIANCE)[None] * jax.random.normal(jax.random.key(1), (n, 3))
    keys = jax.random.split(jax.random.key(0), n)
    loss = jax.jit(make_diffusion_loss(settings, denoiser, SCHEDULES["cosine"], "point", exact))
    value, (metrics, *_) = loss({}, None, {"point": x}, keys)
    assert float(metrics["regret"].total / n) == pytest.approx(0, abs=1e-3)
    # ½ ∫ snr E|x − x̂|² dλ = ½ Σ log((1 + e^max v)/(1 + e^min v))
    ends = [np.log1p(math.exp(end) * np.asarray(VARIANCE)).sum() for end in (-8.0, 8.0)]
    assert float(value) == pytest.approx((ends[1] - ends[0]) / 2, rel=0.03)
    wrong = make_diffusion_loss(
        settings, Denoiser(Known("v"), "noise", D, 0, None), SCHEDULES["cosine"], "point", exact
    )
    assert wrong({}, None, {"point": x}, keys)[1].metrics["regret"].total > 0


def test_labels_are_dropped_at_the_rate_and_by_each_one_s_key():
    batch = {"label": jnp.arange(4000) % 10}
    keys = jax.random.split(jax.random.key(0), 4000)
    dropped = drop_labels(batch, keys, 10, 0.25)
    assert abs(float((dropped == 10).mean()) - 0.25) < 4 * math.sqrt(0.25 * 0.75 / 4000)
    kept = dropped != 10
    np.testing.assert_array_equal(dropped[kept], batch["label"][kept])
    np.testing.assert_array_equal(
        drop_labels(batch, keys[::-1], 10, 0.25)[::-1] == 10, dropped == 10
    )
    assert drop_labels(batch, keys, None, 0.25) is None
    assert labels_for(5, None, -1) is None
    assert labels_for(5, 3, -1).tolist() == [0, 1, 2, 0, 1] and labels_for(2, 3, 2).tolist() == [
        2,
        2,
    ]


# ------------------------------------------------------------------------------------- judgement


@pytest.mark.first
def test_the_bound_of_the_exact_denoiser_is_the_gaussian_s():
    denoiser = Denoiser(Known("edm"), "edm", D, 0, None)
    n = 20_000
    x = MEAN[None] + jnp.sqrt(VARIANCE)[None] * jax.random.normal(jax.random.key(1), (n, 3))
    bound = make_bound(SETTINGS, denoiser, SCHEDULES["cosine"], 0, 64)
    found = bound({}, x, None, jax.random.key(0)).mean()
    last = variance_preserving(jnp.asarray(-8.0))
    known = diffusion_gaussian.gaussian_bound(MEAN, VARIANCE, *last, jnp.asarray(math.exp(8.0)))
    assert found == pytest.approx(float(known), abs=0.05)  # three standard errors


@pytest.mark.first
def test_the_bound_on_independent_pixels_is_their_entropy():
    """Logits that are the log of the levels' own shares: the lattice is then exact."""
    prior = np.array([0.5, 0.2, 0.3])

    class Shares:
        def apply(self, variables, scaled, log_snr, label):
            return jnp.broadcast_to(jnp.log(jnp.asarray(prior)), (*scaled.shape, 3))

    rng = np.random.default_rng(0)
    index = rng.choice(3, p=prior, size=(4000, 20))
    x = jnp.asarray(np.asarray(lattice_levels(3))[index], jnp.float32)
    denoiser = Denoiser(Shares(), "lattice", D, 3, None)
    bound = make_bound(SETTINGS, denoiser, SCHEDULES["cosine"], 3, 64)
    found = bound({}, x, None, jax.random.key(0)).mean()
    own = -np.log(prior[index]).sum(1).mean()  # of the pixels that were drawn
    assert found == pytest.approx(own, rel=0.01)


def test_a_judge_counts_what_it_reads():
    images = np.zeros((4, 2, 2, 1))
    logits = np.eye(3)[[0, 1, 1, 1]]
    features = np.random.default_rng(0).normal(size=(4, 2))
    found = judged(lambda x: (features, logits), images, images, np.array([0, 1, 2, 0]))
    assert found["as_asked"] == 0.5 and found["worst_class"] == 0
    assert found["frechet"] == pytest.approx(0, abs=1e-6)


def test_samples_do_not_depend_on_the_chunk(monkeypatch):
    from jaxgen.families.diffusion import sampling

    settings = replace(SETTINGS, sampling=DiffusionSampling(count=7, num_steps=3))
    denoiser = Denoiser(Known("edm"), "edm", D, 0, None)
    keys = jax.random.split(jax.random.key(0), 7)

    def draw():
        return make_sampler(settings, denoiser, SCHEDULES["cosine"], 3)({}, keys, None)

    whole = draw()
    monkeypatch.setattr(sampling, "CHUNK", 3)
    np.testing.assert_allclose(draw(), whole, rtol=1e-4, atol=1e-4)


def test_the_evaluation_finds_the_class_by_its_bound():
    """Two classes, each one constant image, and a network that knows them."""

    class ByClass:
        def apply(self, variables, scaled, log_snr, label):
            values = jnp.asarray([-1.0, 1.0, 0.0])[label]
            return jnp.broadcast_to(values[:, None], scaled.shape)

    image = np.zeros((6, 2, 2, 1), np.float32)
    image[3:] = 1
    data = load("digits", kind="images").test
    dataset = replace(data, arrays={"image": image, "label": np.repeat([0, 1], 3).astype(np.int32)})
    dataset = replace(dataset, levels=1)
    settings = Diffusion(
        label_dropout=0.1, prediction="x", judge_samples=8, judge_draws=4,
        sampling=DiffusionSampling(num_steps=2),
    )  # fmt: skip
    denoiser = Denoiser(ByClass(), "x", 0.5, 0, 2)
    draw = make_sampler(settings, denoiser, SCHEDULES["cosine"], 4)

    found = make_image_evaluation(settings, denoiser, SCHEDULES["cosine"], draw, None)(
        Weights({}), dataset
    )
    assert found["generative_accuracy"] == 1
    # Half of the samples white, half black, as are the images: means, and traces 4/4 up to n − 1.
    assert found["pixel_frechet"] == pytest.approx(0, abs=0.05)


# ------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"levels": 17},
            "--levels is 17 beside --prediction edm: give 2 or more with lattice, and 0",
        ),
        (
            {"prediction": "lattice"},
            "--levels is 0 beside --prediction lattice: give 2 or more with",
        ),
        (
            {"sampling": {"guidance": 1.5}},
            "--sampling.guidance 1.5 needs a model that was trained with",
        ),
        ({"label_dropout": 1.5}, "--label-dropout is 1.5: give 0 to 1, or None."),
        ({"log_snr_min": 14.0}, "--log-snr-min is 14.0: give -30 or more, below the max."),
        ({"shift": 0.0}, "--shift is 0.0: give a finite number above 0."),
        ({"judge_draws": 0}, "--judge-draws is 0: give 1 to 1,000,000."),
    ],
)
def test_what_cannot_be_is_one_sentence(fields, message):
    if "sampling" in fields:
        fields = {"sampling": DiffusionSampling(**fields["sampling"])}
    with pytest.raises(UserError) as error:
        Diffusion(**fields)
    assert str(error.value).startswith(message) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"num_steps": 0}, "--sampling.num-steps is 0: give 1 to 10,000."),
        ({"eta": 1.5}, "--sampling.eta is 1.5: give 0 to 1."),
        ({"guidance": -1.0}, "--sampling.guidance is -1.0: give 0 or more, below 1000."),
        ({"label": -2}, "--sampling.label is -2: give a class, or -1 for all."),
    ],
)
def test_a_sampling_that_cannot_be_is_one_sentence(fields, message):
    with pytest.raises(UserError) as error:
        DiffusionSampling(**fields)
    assert str(error.value) == message


def test_what_does_not_fit_the_data_is_one_sentence():
    with pytest.raises(
        UserError, match=r"--levels 18 does not fit --data digits, whose pixels have 17"
    ):
        Diffusion(prediction="lattice", levels=18).load()
    spec, unlabelled = ImageSpec(8, 8, 1, 10), ImageSpec(8, 8, 1, None)
    asked = DiffusionSampling(label=10)
    with pytest.raises(UserError, match=r"--sampling.label 10 does not exist: give 0 to 9"):
        Diffusion(label_dropout=0.1, sampling=asked).build(spec)
    with pytest.raises(UserError, match="asks for a class, but the model is told none"):
        Diffusion(sampling=asked).build(spec)
    with pytest.raises(UserError, match="has no labels, which --label-dropout drops"):
        Diffusion(label_dropout=0.1).build(unlabelled)


def test_no_judge_is_no_run_to_stand_on():
    experiment = Diffusion(model=MLPDenoiserConfig(1, 8, 8))
    assert experiment.stands_on == {} and to_json(experiment)["judge"]["run"] == ""
