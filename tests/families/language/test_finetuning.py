"""Weights go out and come in exactly; a run begins with another's, whole or by low-rank adapters."""

import json
import struct
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgen
from jaxgen.cli.adopt import adopt
from jaxgen.cli.export import export
from jaxgen.cli.train import train
from jaxgen.errors import UserError
from jaxgen.families.language.config import LoRAConfig
from jaxgen.families.language.lora import init_adapters, merged
from jaxgen.models.gpt.config import GPTConfig, modern_gpt
from jaxgen.models.gpt.exchange import from_tensors, tensor_shapes, to_tensors
from jaxgen.models.gpt.model import GPT
from jaxgen.runs.log import read_metrics
from jaxgen.runs.tensors import read_tensors, write_tensors

safetensors = pytest.importorskip("safetensors")

CONFIG = GPTConfig(num_layers=2, num_heads=3, model_size=12, hidden_size=13, max_seq_len=7)
V = 11
MODEL = GPT(CONFIG, V)
TOKENS = jnp.asarray(np.random.default_rng(1).integers(0, V, (2, 7)), jnp.int32)
SIZES = [
    "--model.num-layers", "1", "--model.num-heads", "2", "--model.model-size", "8",
    "--model.hidden-size", "12", "--model.max-seq-len", "16", "--seq-len", "16", "--model.use-bias",
    "--tokenizer", "bytes", "--batch-size", "4", "--sampling.max-tokens", "4",
]  # fmt: skip


@pytest.fixture(scope="module")
def params(random_params):
    return random_params(MODEL, TOKENS)


def same(one, other):
    assert jax.tree.structure(one) == jax.tree.structure(other)
    jax.tree.map(np.testing.assert_array_equal, one, other)


def test_names_and_shapes_of_gpt_2(params):
    """The smallest has 124,439,808 numbers in 148 tensors; ours go out and come in to the bit."""
    smallest = GPTConfig(12, 12, 768, 3072, 1024)
    shapes = tensor_shapes(smallest, 50257)
    assert len(shapes) == 148
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == 124_439_808
    tensors = to_tensors(params, CONFIG)
    bare = {name.removeprefix("transformer."): array.shape for name, array in tensors.items()}
    assert bare == tensor_shapes(CONFIG, V)
    same(from_tensors(tensors, CONFIG, V, "x"), params)
    unprefixed = {name.removeprefix("transformer."): array for name, array in tensors.items()}
    extra = unprefixed | {"h.0.attn.bias": np.ones((1, 1, 7, 7)), "lm_head.weight": np.ones(3)}
    same(from_tensors(extra, CONFIG, V, "x"), params)


def test_weights_that_do_not_fit_are_named(params):
    tensors = to_tensors(params, CONFIG)
    first = "transformer.h.0.ln_1.bias"
    for change, message in (
        ({first: None}, r"^x has no h\.0\.ln_1\.bias: "),
        ({first: np.ones(5)}, r"^x has h\.0\.ln_1\.bias of shape \(5,\), and this model \(12,\): "),
        ({"transformer.h.7.ln_1.bias": np.ones(12)}, r"^x has h\.7\.ln_1\.bias, which"),
    ):
        wrong = {name: a for name, a in (tensors | change).items() if a is not None}
        with pytest.raises(UserError, match=message):
            from_tensors(wrong, CONFIG, V, "x")
    with pytest.raises(UserError, match=r"--model.positions is rotary, and GPT-2's names are for"):
        to_tensors(params, modern_gpt(num_heads=4))


@pytest.mark.parametrize("damage", ["cut", "header", "long", "text", "none", "folder"])
def test_a_file_that_is_no_sound_one_is_one_sentence(tmp_path, damage):
    path = tmp_path / "w.safetensors"
    write_tensors(path, {"a": np.arange(6, dtype=np.float32).reshape(2, 3)})
    assert read_tensors(path)["a"].tolist() == [[0, 1, 2], [3, 4, 5]]
    with pytest.raises(UserError, match="exists: give another name"):
        write_tensors(path, {})
    whole = path.read_bytes()
    header = {"a": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}}
    packed = json.dumps(header).encode()
    path.write_bytes(
        {
            "cut": whole[:-4],
            "header": struct.pack("<Q", len(packed)) + packed,
            "long": struct.pack("<Q", 1 << 60) + whole[8:],
            "text": b"not a tensor in sight",
        }.get(damage, b"")
    )
    if damage in ("none", "folder"):
        path.unlink()
        if damage == "folder":
            path.mkdir()
    with pytest.raises(UserError, match=r"is no sound safetensors file|is not a file"):
        read_tensors(path)


def test_hugging_face_s_gpt2_is_this_model(random_params):
    """Logits, gradients and greedy text of their model with random weights, within 1e-4."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    theirs = transformers.GPT2LMHeadModel(
        transformers.GPT2Config(
            vocab_size=V, n_positions=7, n_embd=12, n_layer=2, n_head=3, n_inner=13,
            resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, initializer_range=0.3,
            bos_token_id=0, eos_token_id=None, attn_implementation="eager",
        )
    ).eval()  # fmt: skip
    tensors = {name: leaf.detach().numpy() for name, leaf in theirs.state_dict().items()}
    params = from_tensors(tensors, CONFIG, V, "theirs")
    ids = torch.tensor(np.asarray(TOKENS), dtype=torch.long)
    output = theirs(ids, labels=ids)
    output.loss.backward()

    def loss(params):
        logits = MODEL.apply({"params": params}, TOKENS)
        log_probs = jax.nn.log_softmax(logits[:, :-1])
        return -jnp.take_along_axis(log_probs, TOKENS[:, 1:, None], -1).mean(), logits

    (value, logits), grads = jax.jit(jax.value_and_grad(loss, has_aux=True))(params)
    np.testing.assert_allclose(logits, output.logits.detach().numpy(), atol=1e-4)
    np.testing.assert_allclose(value, output.loss.item(), atol=1e-5)
    ours = to_tensors(grads, CONFIG)
    for name, leaf in theirs.named_parameters():
        np.testing.assert_allclose(ours[name], leaf.grad.numpy(), atol=1e-4, err_msg=name)
    from jaxgen.families.language.decoding import Settings, draw_tokens

    prompt = np.asarray(TOKENS[0, :2])
    key = jax.random.split(jax.random.key(0), 1)
    drawn = draw_tokens(MODEL, params, key, [prompt], 5, Settings(0.0), 7)
    said = theirs.generate(ids[:1, :2], max_new_tokens=5, do_sample=False, pad_token_id=0)
    assert drawn.tokens[0].tolist() == said[0, 2:].tolist()


def test_an_adapted_matrix_is_the_matrix_and_its_correction(params):
    """x (W + α/r A B) by hand at one matrix; B = 0 changes nothing; all else stays."""
    config = LoRAConfig(rank=2, alpha=3.0, on=("query", "out"))
    adapters = init_adapters(jax.random.key(0), params, config)
    same(merged(params, adapters, config), params)
    assert set(adapters) == {"block0", "block1"}
    assert set(adapters["block0"]["attention"]) == {"query", "out"}
    part = adapters["block1"]["attention"]["out"]
    assert part["A"].shape == (12, 2) and part["B"].shape == (2, 12)
    part["B"] = jnp.asarray(np.random.default_rng(0).standard_normal((2, 12)), jnp.float32)
    changed = merged(params, adapters, config)
    x = np.random.default_rng(1).standard_normal((5, 12))
    W = np.asarray(params["block1"]["attention"]["out"]["kernel"], np.float64).reshape(12, 12)
    expected = x @ W + 3.0 / 2 * (x @ np.asarray(part["A"])) @ np.asarray(part["B"])
    found = x @ np.asarray(changed["block1"]["attention"]["out"]["kernel"]).reshape(12, 12)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    same(changed["block0"], params["block0"])
    with pytest.raises(UserError, match=r"--lora\.on quary names no matrix"):
        init_adapters(jax.random.key(0), params, LoRAConfig(rank=2, on=("quary", "value")))


def last_loss(folder):
    return read_metrics(folder / "metrics.jsonl")[-1]["eval/loss"]


@pytest.mark.first
@pytest.mark.timeout(900)  # five runs, each with the programs of its own
def test_from_pretraining_to_a_file_to_fine_tuning(tmp_path, capsys):
    """A run goes out, comes in as another run, and is trained on, whole and by its adapters."""
    text = tmp_path / "text.txt"
    text.write_text("床前明月光 the moon is bright. " * 60, encoding="utf-8")
    own = ["--data", f"text:{text}", *SIZES, "--runs", str(tmp_path)]
    name, file = "gpt-shakespeare-classic", tmp_path / "first.safetensors"
    train([name, "--steps", "3", "--name", "first", *own])
    first = jaxgen.load(tmp_path / "first")
    export([str(tmp_path / "first"), str(file)])
    adopt([name, str(file), "--steps", "3", "--name", "second", *own])
    same(jaxgen.load(tmp_path / "second").params, first.params)

    begins = ["--optimizer.warmup-steps", "0", "--start.run", "second"]
    still = ["--optimizer.learning-rate", "1e-12", "--steps", "1", "--name", "whole"]
    train([name, *own, *begins, *still])
    before = last_loss(tmp_path / "first")
    assert last_loss(tmp_path / "whole") == pytest.approx(before, abs=1e-6)

    adapted = ["--optimizer.learning-rate", "3e-2", "--lora.rank", "2", "--name", "low"]
    train([name, *own, *begins, *adapted, "--steps", "9"])
    assert last_loss(tmp_path / "low") < before - 0.01
    low = jaxgen.load(tmp_path / "low")
    same(low.state.extra, first.params)
    assert sum(leaf.size for leaf in jax.tree.leaves(low.params)) == 2 * 2 * (8 * 2)
    export([str(tmp_path / "low"), str(tmp_path / "low.safetensors")])
    merged_params = read_tensors(tmp_path / "low.safetensors")
    c_attn = "transformer.h.0.attn.c_attn.weight"
    changed = merged_params[c_attn] != read_tensors(file)[c_attn]
    assert changed[:, :8].any() and not changed[:, 8:16].any() and changed[:, 16:].any()
    capsys.readouterr()

    for wrong, message in (
        (["--start.run", "nobody"], "there is no run"),
        (["--lora.rank", "2"], r"name it by --start\.run"),
        (["--start.run", "low"], "is of another model"),
        (["--start.run", "first", "--tokenizer", "characters"], "has another vocabulary"),
        (["--init-from", "first", "--tokenizer", "characters"], "stand for other tokens: leave"),
    ):
        with pytest.raises(UserError, match=message):
            train([name, "--steps", "2", "--name", "wrong", *own, *wrong])
        assert not Path(tmp_path / "wrong").exists()
