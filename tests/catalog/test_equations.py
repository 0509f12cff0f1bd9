import dataclasses
import inspect
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxgen import catalog
from jaxgen.errors import UserError

# Every formula that the documents print or imply, with its verdict.
EXPECTED = {
    "attention.scaled-dot-product": "scale",
    "attention.scores": "right",
    "attention.weights": "scale",
    "attention.output": "right",
    "attention.worked-example": "arithmetic",
    "gan.generator": "right",
    "gan.discriminator": "range",
    "gan.minimax": "sign",
    "gan.saturating-generator": "variable",
    "gan.non-saturating-generator": "right",
    "gan.discriminator-loss": "right",
    "gan.wasserstein-value": "missing constraint",
    "gan.wasserstein-critic-loss": "sign",
    "gan.wasserstein-generator-loss": "right",
    "gan.label-smoothing": "advice",
    "gan.hinge-critic-loss": "not printed",
    "gan.least-squares-discriminator-loss": "not printed",
    "gan.least-squares-generator-loss": "not printed",
    "gan.optimal-logit": "not printed",
    "gan.gradient-penalty": "not printed",
    "gan.r1": "not printed",
    "gan.spectral-norm": "not printed",
    "gan.projection": "not printed",
    "gan.interpolation": "not printed",
    "gan.truncation": "not printed",
    "vae.encoder": "notation",
    "vae.decoder": "notation",
    "vae.elbo": "sign",
    "vae.objective": "variable",
    "vae.reparameterisation": "not printed",
    "vae.gaussian-kl": "not printed",
    "vae.log-weight": "not printed",
    "vae.sampled-kl": "not printed",
    "vae.importance-weighted": "sign",
    "vae.batch-weighted": "scale",
    "vae.dreg": "not printed",
    "vae.free-bits": "not printed",
    "vae.hierarchical": "not printed",
    "vae.discretised-logistic": "not printed",
    "lm.cross-entropy": "right",
    "lm.sampling": "not printed",
    "lm.gru": "not printed",
    "transformer.layer-norm": "not printed",
    "transformer.rms-norm": "not printed",
    "transformer.rotary": "not printed",
    "transformer.gelu": "not printed",
    "transformer.squared-relu": "not printed",
    "diffusion.process": "not printed",
    "diffusion.v": "not printed",
    "diffusion.score": "not printed",
    "diffusion.posterior": "not printed",
    "diffusion.ddim": "not printed",
    "diffusion.probability-flow": "not printed",
    "diffusion.reverse-sde": "not printed",
    "diffusion.bound": "not printed",
    "diffusion.min-snr": "not printed",
    "diffusion.preconditioning": "not printed",
    "diffusion.guidance": "not printed",
    "diffusion.guided-variance": "not printed",
    "diffusion.lattice": "not printed",
    "diffusion.mixture-denoiser": "not printed",
    "diffusion.mean-flow": "not printed",
    "diffusion.group-norm": "not printed",
    "sound.companding": "not printed",
    "sound.expanding": "not printed",
    "sound.causal-convolution": "not printed",
    "sound.gated-unit": "not printed",
    "sound.logistic-mixture": "not printed",
    "tokens.distances": "not printed",
    "tokens.commitment": "not printed",
    "tokens.perplexity": "not printed",
    "tokens.gumbel-softmax": "not printed",
    "tokens.uniform-kl": "not printed",
    "tokens.joint-loss": "not printed",
    "tokens.guided-logits": "not printed",
}
ALL = list(catalog.EQUATIONS.values())
WRONG = [e for e in ALL if e.verdict not in ("right", "not printed")]


def by_id(equations):
    return pytest.mark.parametrize("equation", equations, ids=lambda e: e.id)


def test_the_catalogue_is_complete_and_in_order():
    assert {e.id: e.verdict for e in ALL} == EXPECTED
    assert list(catalog.EQUATIONS) == list(EXPECTED)
    assert set(EXPECTED.values()) == set(catalog.VERDICTS)


def test_an_entry_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        ALL[0].verdict = "right"
    with pytest.raises(TypeError):
        catalog.EQUATIONS["mine"] = ALL[0]


@by_id(ALL)
def test_an_entry_is_filled_in(equation):
    for text in (equation.title, equation.corrected, equation.explanation, equation.paper):
        assert text.strip()
    assert re.fullmatch(r"(implied by )?00\d, .*|not in the documents", equation.document)
    assert re.search(r"\b(19|20)\d\d\b", equation.paper)
    assert equation.link.startswith("https://")
    assert bool(equation.printed) == (equation.verdict != "not printed")
    for latex in (equation.printed, equation.corrected):
        for left, right in ("{}", "()", "[]"):
            assert latex.count(left) == latex.count(right)
    assert set(equation.example.arguments) <= set(equation.shapes)
    if equation.printed_example is not None:
        parameters = inspect.signature(equation.printed_function).parameters
        assert set(equation.printed_example.arguments) <= set(parameters)


@by_id(ALL)
def test_its_documented_source_stands_in_the_module_too(equation):
    module = inspect.getmodule(equation.function)
    assert equation.link in module.__doc__
    assert "Eq" in equation.function.__doc__.split("\n")[0]


@by_id(WRONG)
def test_a_wrong_printed_form_gives_another_value_and_is_written_differently(equation):
    assert equation.printed != equation.corrected
    right, printed = equation.run().value, equation.run_printed().value
    pairs = zip(jax.tree.leaves(right), jax.tree.leaves(printed), strict=True)
    assert any(a.shape != b.shape or np.max(np.abs(a - b)) > 1e-2 for a, b in pairs)


def test_only_wrong_forms_have_a_printed_function():
    assert [e.id for e in ALL if e.printed_function is not None] == [e.id for e in WRONG]
    assert all(e.run_printed() is None for e in ALL if e not in WRONG)


@by_id(ALL)
def test_gradients_of_both_forms_hold(equation):
    forms = [(equation.function, equation.example)]
    if equation.printed_function is not None:
        forms.append((equation.printed_function, equation.printed_example or equation.example))
    for function, example in forms:
        check_gradient(function, example)


def check_gradient(function, example):
    with jax.enable_x64(True):
        arrays = {
            name: jnp.asarray(value) if isinstance(value, tuple | float) else value
            for name, value in example.arguments.items()
        }

        def last_output(chosen):
            return jax.tree.leaves(function(**{**arrays, **chosen}))[-1]

        chosen = {name: np.asarray(arrays[name]) for name in example.differentiate}
        check_grads(jax.jit(last_output), (chosen,), 1, modes=["rev"], atol=1e-6, rtol=1e-6)


def test_the_live_examples_by_hand():
    def run(equation_id):
        equation = catalog.find(equation_id)
        return equation.run(), equation.run_printed()

    right, printed = run("vae.elbo")
    assert right.value.tolist() == [100.0, 120.0]
    assert printed.value.tolist() == [60.0, 70.0]
    assert list(right.gradient) == ["reconstruction_nats", "kl_nats"]
    assert right.gradient["kl_nats"].tolist() == [1.0, 1.0]
    assert printed.gradient["kl_nats"].tolist() == [-1.0, -1.0]

    right, printed = run("gan.wasserstein-value")  # the critic 3x, at distances 1 and 4
    assert right.value.tolist() == [1.0, 4.0]
    assert printed.value.tolist() == [3.0, 12.0]

    right, printed = run("attention.worked-example")
    # The gradient is of the last part, the output: d/dq of Σ_s softmax(q k)_s v_s is the
    # covariance of k and v under the weights, and v = k + 3, so the variance of k.
    w = np.exp(np.outer([1, 2, 3], [4, 5, 6]))
    w /= w.sum(axis=1, keepdims=True)
    variance = w @ [16, 25, 36] - (w @ [4, 5, 6]) ** 2
    np.testing.assert_allclose(right.gradient["query"][:, 0], variance, rtol=1e-4)
    assert printed.gradient["query"].tolist() == [[0.0]] * 3

    right, _ = run("attention.weights")
    # The gradient is of the first entry, w₀: w₀ (1 − w₀, −w₁, −w₂) / √d_k, for d_k = 4.
    row = np.exp([1.0, 1.0, 2.25]) / np.exp([1.0, 1.0, 2.25]).sum()
    expected = row[0] * (np.array([1, 0, 0]) - row) / 2
    np.testing.assert_allclose(right.gradient["scores"], [expected, [0, 0, 0]], atol=1e-6)


def test_explanations_say_where_a_maximum_is_infinite_and_what_the_code_labels():
    """The facts themselves are tested with the functions, in `tests/equations/test_gan.py`."""
    value, critic = (catalog.EQUATIONS[f"gan.wasserstein-{x}"] for x in ("value", "critic-loss"))
    assert "unbounded" in value.explanation and "total variation" in value.explanation
    assert "unbounded" in critic.explanation and "least value is −2" in critic.explanation
    smoothing = catalog.EQUATIONS["gan.label-smoothing"].explanation
    assert "the code trains the generator" in smoothing and "Gaussian noise" in smoothing
    assert "trains D" not in smoothing
    assert "8, 8, 8" in catalog.EQUATIONS["attention.worked-example"].explanation


def test_find_returns_the_entry_or_names_the_nearest():
    assert catalog.find("vae.elbo") is catalog.EQUATIONS["vae.elbo"]
    with pytest.raises(UserError) as error:
        catalog.find("gan.wasserstien-critic-los")
    assert str(error.value).startswith(
        "There is no equation 'gan.wasserstien-critic-los';"
        " the nearest id is 'gan.wasserstein-critic-loss' (or "
    )
    with pytest.raises(UserError, match="the nearest id is"):
        catalog.find("")


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("softmax", "attention.weights"),  # by its title, as all below
        ("KL", "vae.gaussian-kl"),
        ("wgan", "gan.wasserstein-critic-loss"),
        ("rope", "transformer.rotary"),
        ("cross-entropy", "lm.cross-entropy"),
        ("best discriminator", "gan.optimal-logit"),
    ],
)
def test_an_equation_is_found_by_its_meaning(asked, meant):
    with pytest.raises(UserError, match=rf"'{meant}'|{meant}[,;]") as error:
        catalog.find(asked)
    assert len(str(error.value)) < 250
