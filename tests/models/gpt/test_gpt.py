"""The GPT against a forward pass in NumPy float64 that shares no code, and what follows from it.

Sizes differ, so that a swapped axis fails: B 2, T 7, N 3, H 4, D 12, F 13, V 11.
"""

import functools
import math
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.equations import language
from jaxgen.errors import UserError
from jaxgen.layers.attention import Attention
from jaxgen.models.gpt.config import GPTConfig, modern_gpt
from jaxgen.models.gpt.model import GPT, Block, input_init, output_init
from jaxgen.training.state import num_params

SIZES = {"num_layers": 2, "num_heads": 3, "model_size": 12, "hidden_size": 13, "max_seq_len": 17}
B, T, V = 2, 7, 11
CLASSIC, MODERN = GPTConfig(**SIZES), modern_gpt(**SIZES)
FLAVOURS = {
    "classic": CLASSIC,
    "modern": MODERN,
    # what distinguishes the two, mixed; one block is enough, two have been seen
    "classic-rotary-relu2": replace(
        CLASSIC, num_layers=1, positions="rotary", activation="squared-relu", query_key_norm=True
    ),
    "modern-tied-gelu": replace(
        MODERN, num_layers=1, tied_head=True, activation="gelu", query_key_norm=False
    ),
}
TOKENS = jnp.asarray(np.random.default_rng(1).integers(0, V, (B, T)), jnp.int32)


def normalise(x, kind, params=None):
    """One vector."""
    if kind == "rms":
        return x / math.sqrt(np.mean(x * x) + 1e-6)
    variance = np.mean((x - np.mean(x)) ** 2)
    return (x - np.mean(x)) / math.sqrt(variance + 1e-5) * params["scale"] + params["bias"]


def turn(vector, position):
    """Rotary as a product of complex numbers: first half real, second half imaginary."""
    half = len(vector) // 2
    angles = position / 10000.0 ** (np.arange(half) / half)
    turned = (vector[:half] + 1j * vector[half:]) * np.exp(1j * angles)
    return np.concatenate([turned.real, turned.imag])


def linear(x, params):
    return x @ params["kernel"] + params.get("bias", 0.0)


def attend(x, params, config):
    """One sequence [T, D]: every head, every query, over the keys up to the query and no mask."""
    out = np.zeros_like(x)
    for n in range(config.num_heads):
        q, k, v = (
            np.stack([row @ params[name]["kernel"][:, n] for row in x])
            + (params[name]["bias"][n, 0] if config.use_bias else 0.0)
            for name in ("query", "key", "value")
        )
        if config.query_key_norm:
            q, k = (np.stack([normalise(row, "rms") for row in part]) for part in (q, k))
        if config.positions == "rotary":
            q, k = (np.stack([turn(row, t) for t, row in enumerate(part)]) for part in (q, k))
        for t in range(len(x)):
            e = np.exp([q[t] @ k[s] / math.sqrt(config.head_size) for s in range(t + 1)])
            mixed = sum(e[s] * v[s] for s in range(t + 1)) / e.sum()
            out[t] += mixed @ params["out"]["kernel"][n]
    return out + (params["out"]["bias"] if config.use_bias else 0.0)


def activate(x, kind):
    if kind == "gelu":
        return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return np.where(x > 0, x * x, 0.0)


def numpy_gpt(params, tokens, config):
    """Logits [B, T, V] in float64."""
    params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
    logits = []
    for sequence in tokens:
        x = params["embedding"][sequence]
        if config.positions == "learned":
            x = x + params["positions"][: len(sequence)]
        for layer in range(config.num_layers):
            block = params[f"block{layer}"]
            normal = [normalise(row, config.norm, block.get("norm1")) for row in x]
            x = x + attend(np.stack(normal), block["attention"], config)
            normal = [normalise(row, config.norm, block.get("norm2")) for row in x]
            hidden = activate(linear(np.stack(normal), block["mlp"]["in"]), config.activation)
            x = x + linear(hidden, block["mlp"]["out"])
        x = np.stack([normalise(row, config.norm, params.get("norm")) for row in x])
        head = params["embedding"].T if config.tied_head else params["head"]["kernel"]
        logits.append(x @ head)
    return np.stack(logits)


@pytest.fixture(scope="module")
def models(random_params):
    """name -> (model, random parameters, compiled apply)."""

    def make(config):
        model = GPT(config, V)
        params = random_params(model, TOKENS)
        return (
            model,
            params,
            jax.jit(lambda params, tokens: model.apply({"params": params}, tokens)),
        )

    return {name: make(config) for name, config in FLAVOURS.items()}


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_logits_are_those_of_the_loops_in_numpy(models, flavour):
    model, params, apply = models[flavour]
    expected = numpy_gpt(params, np.asarray(TOKENS), model.config)
    assert np.std(expected) > 0.3  # the case is not degenerate
    # float32 rounding through two blocks, on logits up to about 10
    np.testing.assert_allclose(apply(params, TOKENS), expected, rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("use_bias", [True, False])
def test_self_attention_is_that_of_the_loops_in_numpy(random_params, use_bias):
    """Causal by the flag, and by the mask of the same rule."""
    config = replace(MODERN, use_bias=use_bias)
    x = np.random.default_rng(3).standard_normal((B, T, 12)).astype(np.float32)
    layer = attention_of(config)
    params = random_params(layer, jnp.asarray(x))
    wide = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
    expected = [attend(sequence.astype(np.float64), wide, config) for sequence in x]
    mask = jnp.asarray(np.tri(T, dtype=bool))[None, None]
    for how in {"causal": True}, {"mask": mask}, {"mask": jnp.ones_like(mask), "causal": True}:
        found = jax.jit(functools.partial(layer.apply, **how))({"params": params}, x)
        np.testing.assert_allclose(found, np.stack(expected), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("flavour", ["classic", "modern"])
def test_gradient_is_the_slope_of_the_loops_in_numpy(models, flavour):
    """Along random directions, by central differences in float64."""
    model, params, _ = models[flavour]
    targets = np.roll(np.asarray(TOKENS), -1, axis=1)

    @jax.jit
    def gradient(params):
        def loss(params):
            logits = model.apply({"params": params}, TOKENS)
            return language.cross_entropy(logits, jnp.asarray(targets)).mean()

        return jax.grad(loss)(params)

    def numpy_loss(params):
        logits = numpy_gpt(params, np.asarray(TOKENS), model.config)
        p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
        return -np.mean(np.log(np.take_along_axis(p, targets[..., None], -1)))

    found = gradient(params)
    rng = np.random.default_rng(5)
    for _ in range(3):
        way = jax.tree.map(lambda leaf: rng.standard_normal(leaf.shape), params)
        ahead, behind = (
            jax.tree.map(lambda leaf, d, h=h: np.asarray(leaf, np.float64) + h * d, params, way)
            for h in (1e-5, -1e-5)
        )
        slope = (numpy_loss(ahead) - numpy_loss(behind)) / 2e-5
        products = jax.tree.map(lambda g, d: np.sum(np.asarray(g, np.float64) * d), found, way)
        # the slope sums about a thousand float32 derivatives, of both signs
        np.testing.assert_allclose(sum(jax.tree.leaves(products)), slope, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("flavour", ["classic", "modern"])
def test_a_token_changes_no_earlier_logit_and_every_later_one(models, flavour):
    _, params, apply = models[flavour]
    before = np.asarray(apply(params, TOKENS))
    for t in range(T):
        after = np.asarray(apply(params, TOKENS.at[:, t].set((TOKENS[:, t] + 1) % V)))
        np.testing.assert_array_equal(after[:, :t], before[:, :t])
        assert np.abs(after - before)[:, t:].max(-1).min() > 1e-4  # every sequence and position


def attention_of(config):
    """The layer as a block of the GPT has it."""
    return Attention(
        config.num_heads, config.head_size, input_init(config, 12), output_init(config),
        use_bias=config.use_bias, query_key_norm=config.query_key_norm,
        rotary=config.positions == "rotary", form=config.attention,
    )  # fmt: skip


def attention_output(random_params, config, x, mask=None):
    layer = attention_of(config)
    return np.asarray(jax.jit(layer.apply)({"params": random_params(layer, x)}, x, mask=mask))


def test_rotary_attention_depends_on_relative_positions_only(random_params):
    """The same sequence twice, each copy blind to the other: the later copy gets the same answer."""
    x = jax.random.normal(jax.random.key(0), (1, T, 12))
    twice = jnp.concatenate([x, x], axis=1)
    mask = jnp.asarray(np.kron(np.eye(2), np.tri(T)) > 0)[None, None]
    out = attention_output(random_params, MODERN, twice, mask)
    np.testing.assert_allclose(out[:, :T], out[:, T:], atol=1e-5)  # angles up to 14 in float32


@pytest.mark.parametrize("positions", ["learned", "rotary"])
def test_only_rotary_attention_sees_the_order_of_the_keys(random_params, positions):
    """Without a mask, permuting the inputs permutes the outputs, unless positions are turned in."""
    config = replace(CLASSIC, positions=positions)
    x = jax.random.normal(jax.random.key(0), (1, T, 12))
    order = np.asarray([3, 0, 6, 1, 5, 2, 4])
    out = attention_output(random_params, config, x)
    permuted = attention_output(random_params, config, x[:, order])
    everything = jnp.ones((1, 1, T, T), bool)
    np.testing.assert_array_equal(attention_output(random_params, config, x, everything), out)
    difference = np.abs(permuted - out[:, order]).max()
    assert difference < 1e-5 if positions == "learned" else difference > 0.1


def count(config, vocab_size):
    tokens = jax.ShapeDtypeStruct((1, 3), jnp.int32)
    init = GPT(config, vocab_size).init
    return num_params(jax.eval_shape(init, jax.random.key(0), tokens)["params"])


def test_parameter_count_of_the_classic_form():
    L, D, F, P = 2, 12, 13, 17
    attention, feed_forward, norm = 4 * (D * D + D), D * F + F + F * D + D, 2 * D
    expected = V * D + P * D + L * (attention + feed_forward + 2 * norm) + norm
    assert count(CLASSIC, V) == expected


def test_parameter_count_of_the_modern_form():
    L, D, F = 2, 12, 13
    assert count(MODERN, V) == 2 * V * D + L * (4 * D * D + 2 * D * F)


def test_parameter_count_of_the_smallest_gpt2():
    config = GPTConfig(
        num_layers=12, num_heads=12, model_size=768, hidden_size=3072, max_seq_len=1024
    )
    assert count(config, 50257) == 124_439_808


@functools.cache
def initial(config, vocab_size):
    """XLA's own generator: many Threefry draws in one program take seconds to compile."""
    model = GPT(config, vocab_size)
    key = jax.random.key(7, impl="unsafe_rbg")
    return model, jax.jit(model.init)(key, TOKENS)["params"]


UNTIED = GPTConfig(
    num_layers=2, num_heads=2, model_size=46, hidden_size=59, max_seq_len=7, tied_head=False
)


def test_zero_outputs_start_at_log_vocabulary_exactly():
    model, params = initial(replace(UNTIED, init="zero-outputs"), 53)
    logits = jax.jit(model.apply)({"params": params}, TOKENS)
    np.testing.assert_array_equal(logits, 0.0)
    nats = language.cross_entropy(logits, TOKENS)
    np.testing.assert_array_equal(nats, np.float32(math.log(53)))


@pytest.mark.parametrize("init", ["gpt2", "zero-outputs"])
def test_initial_scales(init):
    """A sample of n normals has a standard deviation within 5 sigma / sqrt(2n) of theirs."""
    _, params = initial(replace(UNTIED, init=init), 53)
    read, write, head = (
        (0.02, 0.02 / math.sqrt(2 * 2), 0.02) if init == "gpt2" else (46**-0.5, 0.0, 0.0)
    )
    expected = {"embedding": read, "positions": 0.02, "head": head}
    for layer in range(2):
        block = params[f"block{layer}"]
        for name in ("query", "key", "value"):
            expected[f"block{layer}/attention/{name}"] = read
        expected[f"block{layer}/attention/out"] = write
        expected[f"block{layer}/mlp/in"] = read
        expected[f"block{layer}/mlp/out"] = write
        np.testing.assert_array_equal(block["norm1"]["scale"], 1.0)
        for part in ("query", "key", "value", "out"):
            np.testing.assert_array_equal(block["attention"][part]["bias"], 0.0)
    for path, sigma in expected.items():
        leaf = params
        for key in path.split("/"):
            leaf = leaf[key]
        leaf = np.asarray(leaf["kernel"] if isinstance(leaf, dict) else leaf, np.float64)
        assert abs(leaf.std() - sigma) <= 5 * sigma / math.sqrt(2 * leaf.size), path
        assert abs(leaf.mean()) <= 5 * sigma / math.sqrt(leaf.size), path


def test_bfloat16_computes_narrow_and_keeps_parameters_and_logits_wide(models):
    model, params, apply = models["classic-rotary-relu2"]
    narrow = GPT(replace(model.config, compute_dtype="bfloat16"), V)
    initial = jax.eval_shape(narrow.init, jax.random.key(0), TOKENS)
    assert {leaf.dtype for leaf in jax.tree.leaves(initial)} == {jnp.dtype(jnp.float32)}
    wide = np.asarray(apply(params, TOKENS))
    logits = jax.jit(narrow.apply)({"params": params}, TOKENS)
    assert logits.dtype == jnp.float32
    # 8 bits of mantissa round by up to 2^-9 of the value at each of some 10 products and sums
    error = np.linalg.norm(logits - wide) / np.linalg.norm(wide)
    assert 2.0**-11 < error < 10 * 2.0**-9


def test_dropout_is_off_unless_training():
    """The very same program then, down to its last operation; in training another."""
    dropping = replace(CLASSIC, dropout=0.4)
    params = jax.eval_shape(GPT(CLASSIC, V).init, jax.random.key(0), TOKENS)

    def program(config, train):
        def apply(params, tokens, keys):
            return GPT(config, V).apply(params, tokens, keys if train else None)

        return str(jax.make_jaxpr(apply)(params, TOKENS, jax.random.split(jax.random.key(0), B)))

    assert program(dropping, train=False) == program(CLASSIC, train=True)
    # the embedding and what each of two parts in two blocks adds, and the weights of each
    # block's attention, which the modern form keeps
    for config, draws in [(dropping, 7), (replace(dropping, drop_weights=False), 5)]:
        assert program(config, train=True).count("name=_bernoulli") == draws


def test_dropout_keeps_what_a_part_adds_on_average(random_params):
    """An added feature is gone, or is worth 1 / (1 - p): with p gone its mean is unchanged."""
    p = 0.3
    x = jax.random.normal(jax.random.key(0), (23, T, 12))
    quiet, dropping = Block(CLASSIC), Block(replace(CLASSIC, dropout=p, drop_weights=False))
    params = random_params(quiet, x)
    params["mlp"]["out"] = jax.tree.map(jnp.zeros_like, params["mlp"]["out"])  # attention alone

    @jax.jit
    def both(keys):
        noisy, _ = dropping.apply({"params": params}, x, keys)
        return quiet.apply({"params": params}, x)[0] - x, noisy - x

    added, kept = (np.asarray(part) for part in both(jax.random.split(jax.random.key(1), len(x))))
    gone = kept == 0
    np.testing.assert_allclose(kept[~gone], added[~gone] / (1 - p), rtol=1e-4, atol=1e-5)
    assert abs(gone.mean() - p) < 5 * math.sqrt(p * (1 - p) / gone.size)


def test_too_long_a_sequence_is_refused():
    model = GPT(CLASSIC, V)
    with pytest.raises(ValueError, match="18 tokens, but the model takes at most 17"):
        jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 18), jnp.int32))


@pytest.mark.parametrize("attention", ["blockwise", "fused"])
def test_a_form_that_holds_no_weights_cannot_drop_them(attention):
    sizes = {**SIZES, "attention": attention, "dropout": 0.1}
    with pytest.raises(UserError, match=f"--model.attention {attention} holds no weights for "):
        GPTConfig(**sizes)
    for config in (GPTConfig(**sizes, drop_weights=False), modern_gpt(**sizes)):
        assert config.weights_dropout == 0.0
    for attention in ("auto", "literal"):
        assert replace(CLASSIC, attention=attention, dropout=0.1).weights_dropout == 0.1
