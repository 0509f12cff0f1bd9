"""The recurrent language model against loops in NumPy, PyTorch's GRU, and its own cost table."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.costs.table import CONTRACTIONS
from jaxgen.costs.walk.count import count
from jaxgen.errors import UserError
from jaxgen.experiments.registry import find_preset
from jaxgen.families.language.costs import language_step
from jaxgen.families.language.decoding import Settings, draw_tokens, text_log_probs
from jaxgen.models.gru.config import GRUConfig
from jaxgen.training.config import OptimizerConfig

B, T, D, H, V = 2, 5, 3, 7, 11
MODEL = GRUConfig(D, H).make(V)
TOKENS = jnp.asarray(np.random.default_rng(1).integers(0, V, (B, T)), jnp.int32)
GATES = ("reset", "update", "candidate")


@pytest.fixture(scope="module")
def params(random_params):
    return random_params(MODEL, TOKENS)


def numpy_model(params, tokens, state):
    """(logits [B, T, V], state) in float64, one example, time and gate after the other."""
    p = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
    logits, last = np.zeros((*tokens.shape, V)), np.array(state, np.float64)
    for b, sequence in enumerate(tokens):
        h = last[b]
        for t, token in enumerate(sequence):
            x = p["embedding"][token]
            inputs = [x @ p[f"input_{g}"] + p[f"input_{g}_bias"] for g in GATES]
            states = [h @ p[f"state_{g}"] for g in GATES]
            r, z = (1 / (1 + np.exp(-(a + c))) for a, c in zip(inputs[:2], states[:2], strict=True))
            n = np.tanh(inputs[2] + r * (states[2] + p["state_candidate_bias"]))
            h = (1 - z) * n + z * h
            logits[b, t] = h @ p["head"]["kernel"] + p["head"]["bias"]
        last[b] = h
    return logits, last


def test_logits_and_state_are_those_of_the_loops_in_numpy(params):
    """From nothing, from a state, and behind the first tokens of each row only."""
    apply = jax.jit(MODEL.apply)
    expected, _ = numpy_model(params, np.asarray(TOKENS), np.zeros((B, H)))
    np.testing.assert_allclose(apply({"params": params}, TOKENS), expected, atol=1e-5)
    state = jax.random.normal(jax.random.key(0), (B, H))
    logits, after = apply({"params": params}, TOKENS, cache=state)
    expected, last = numpy_model(params, np.asarray(TOKENS), state)
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    np.testing.assert_allclose(after, last, atol=1e-5)
    lengths = [3, 5]
    _, after = apply({"params": params}, TOKENS, cache=state, lengths=jnp.asarray(lengths))
    for b, length in enumerate(lengths):
        _, last = numpy_model(params, np.asarray(TOKENS[b : b + 1, :length]), state[b : b + 1])
        np.testing.assert_allclose(after[b], last[0], atol=1e-5)


def test_pytorch_s_gru_is_this_one(params):
    """States and gradients of torch.nn.GRU with the same weights, within 1e-5."""
    torch = pytest.importorskip("torch")
    theirs = torch.nn.GRU(D, H, batch_first=True)

    def side(what):
        return np.concatenate([np.asarray(params[f"{what}_{g}"]).T for g in GATES])

    biases = np.concatenate([params[f"input_{g}_bias"] for g in GATES])
    own_bias = np.concatenate([np.zeros(2 * H), params["state_candidate_bias"]])
    values = {
        "weight_ih_l0": side("input"), "weight_hh_l0": side("state"),
        "bias_ih_l0": biases, "bias_hh_l0": own_bias,
    }  # fmt: skip
    theirs.load_state_dict({k: torch.tensor(v, dtype=torch.float32) for k, v in values.items()})
    x = torch.tensor(np.asarray(params["embedding"][TOKENS]))
    head = params["head"]
    kernel, bias = torch.tensor(np.asarray(head["kernel"])), torch.tensor(np.asarray(head["bias"]))
    out, _ = theirs(x)
    logits = out @ kernel + bias
    logits.square().mean().backward()

    def loss(params):
        logits = MODEL.apply({"params": params}, TOKENS)
        return jnp.mean(logits**2), logits

    (_, ours), grads = jax.jit(jax.value_and_grad(loss, has_aux=True))(params)
    np.testing.assert_allclose(ours, logits.detach().numpy(), atol=1e-5)
    for number, gate in enumerate(GATES):
        for what, name in (("input", "weight_ih_l0"), ("state", "weight_hh_l0")):
            rows = getattr(theirs, name).grad.numpy()[number * H : (number + 1) * H]
            np.testing.assert_allclose(grads[f"{what}_{gate}"].T, rows, atol=1e-5)


def test_drawn_text_is_what_the_model_says_token_by_token(params):
    """Greedy by the loops in NumPy, prompts of two lengths; and the log-probabilities of one pass."""
    prompts = [np.asarray([3, 7, 1, 9], np.int32), np.asarray([5], np.int32)]
    keys = jax.random.split(jax.random.key(0), 2)
    found = draw_tokens(MODEL, params, keys, prompts, 9, Settings(0.0))
    for row, prompt in enumerate(prompts):
        text = prompt.tolist()
        for token in found.tokens[row].tolist():
            logits, _ = numpy_model(params, np.asarray([text]), np.zeros((1, H)))
            assert token == np.argmax(logits[0, -1])
            text.append(token)
    settings = Settings(0.7, top_p=0.9)
    found = draw_tokens(MODEL, params, keys, prompts, 9, settings)
    for row, prompt in enumerate(prompts):
        text = jnp.concatenate([jnp.asarray(prompt), found.tokens[row]])[None]
        scored = jax.jit(lambda text: text_log_probs(MODEL, params, text, settings))
        whole = scored(text)[0, len(prompt) - 1 :]
        np.testing.assert_allclose(found.log_probs[row], whole, atol=1e-4)


def test_its_forward_pass_is_the_table_s():
    config = GRUConfig(13, 17)
    table = language_step(config, OptimizerConfig(), batch_size=5, seq_len=7, vocab_size=23)
    model, tokens = config.make(23), jax.ShapeDtypeStruct((5, 7), jnp.int32)
    params = jax.eval_shape(model.init, jax.random.key(0), tokens)
    assert count(model.apply, params, tokens).matmul_flops == table.flops("forward", CONTRACTIONS)


def test_sizes_and_parameters_of_the_document_s_model():
    config = find_preset("gru-words").experiment.model
    assert (config.embedding_size, config.hidden_size) == (256, 512)
    shapes = jax.eval_shape(config.make(10_000).init, jax.random.key(0), TOKENS)["params"]
    gru = 3 * (256 * 512 + 512 * 512 + 512) + 512
    total = sum(leaf.size for leaf in jax.tree.leaves(shapes))
    assert total == 10_000 * 256 + gru + 512 * 10_000 + 10_000


def test_what_it_cannot_be_is_refused():
    with pytest.raises(UserError, match=r"^--model\.hidden-size is 0: give 1 or more\.$"):
        GRUConfig(hidden_size=0)
    with pytest.raises(UserError, match="--stateful needs a model with a state"):
        replace(find_preset("gpt-shakespeare").experiment, stateful=True)
