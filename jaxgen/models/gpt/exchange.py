"""GPT-2's weights under the names that Hugging Face's files give them, and back.

    wte.weight (V, D), wpe.weight (M, D)                         embedding, positions
    h.l.ln_1, h.l.ln_2, ln_f: weight, bias (D,)                  norms
    h.l.attn.c_attn.weight (D, 3D), .bias                        query, key, value side by side
    h.l.attn.c_proj.weight (D, D), .bias                         attention's output
    h.l.mlp.c_fc.weight (D, F), .c_proj.weight (F, D), .bias     feed-forward

each kernel from inputs to outputs, heads side by side. The head is the embedding, and has no name. A
prefix `transformer.` is written, and may be there or not when read; `attn.bias`, which is a mask in old
files, and a `lm_head.weight` beside the embedding are left out.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxgen.errors import UserError
from jaxgen.models.gpt.config import GPTConfig

PREFIX = "transformer."
_IGNORED = re.compile(r"h\.\d+\.attn\.(bias|masked_bias)|lm_head\.weight")


def refuse_other_forms(config: GPTConfig) -> None:
    """Raise a UserError where a model is not of the form that these names are for."""
    wanted = {
        "positions": "learned", "norm": "layer", "activation": "gelu", "query_key_norm": False,
        "use_bias": True, "tied_head": True,
    }  # fmt: skip
    for field, value in wanted.items():
        if getattr(config, field) != value:
            raise UserError(
                f"--model.{field.replace('_', '-')} is {getattr(config, field)}, and GPT-2's names are "
                f"for {value}: only models of the GPT-2 form have them."
            )


def tensor_shapes(config: GPTConfig, vocab_size: int) -> dict[str, tuple[int, ...]]:
    """The name and shape of every tensor of a model."""
    D, F = config.model_size, config.hidden_size
    shapes: dict[str, tuple[int, ...]] = {
        "wte.weight": (vocab_size, D), "wpe.weight": (config.max_seq_len, D),
    }  # fmt: skip
    for layer in range(config.num_layers):
        parts: dict[str, tuple[int, ...]] = {
            "ln_1.weight": (D,), "ln_1.bias": (D,),
            "attn.c_attn.weight": (D, 3 * D), "attn.c_attn.bias": (3 * D,),
            "attn.c_proj.weight": (D, D), "attn.c_proj.bias": (D,),
            "ln_2.weight": (D,), "ln_2.bias": (D,),
            "mlp.c_fc.weight": (D, F), "mlp.c_fc.bias": (F,),
            "mlp.c_proj.weight": (F, D), "mlp.c_proj.bias": (D,),
        }  # fmt: skip
        shapes |= {f"h.{layer}.{name}": shape for name, shape in parts.items()}
    return shapes | {"ln_f.weight": (D,), "ln_f.bias": (D,)}


def to_tensors(params: Mapping[str, Any], config: GPTConfig) -> dict[str, np.ndarray]:
    """The parameters as tensors with these names.

    Raises UserError where the model is of another form.
    """
    refuse_other_forms(config)
    D = config.model_size
    found = {"wte.weight": params["embedding"], "wpe.weight": params["positions"]}

    def norm(name, part):
        return {f"{name}.weight": part["scale"], f"{name}.bias": part["bias"]}

    for layer in range(config.num_layers):
        block, h = params[f"block{layer}"], f"h.{layer}."
        attention, mlp = block["attention"], block["mlp"]
        heads = [attention[name] for name in ("query", "key", "value")]
        found |= norm(f"{h}ln_1", block["norm1"]) | norm(f"{h}ln_2", block["norm2"])
        found |= {
            f"{h}attn.c_attn.weight": np.hstack([np.reshape(x["kernel"], (D, D)) for x in heads]),
            f"{h}attn.c_attn.bias": np.hstack([np.reshape(x["bias"], D) for x in heads]),
            f"{h}attn.c_proj.weight": np.reshape(attention["out"]["kernel"], (D, D)),
            f"{h}attn.c_proj.bias": attention["out"]["bias"],
            f"{h}mlp.c_fc.weight": mlp["in"]["kernel"], f"{h}mlp.c_fc.bias": mlp["in"]["bias"],
            f"{h}mlp.c_proj.weight": mlp["out"]["kernel"], f"{h}mlp.c_proj.bias": mlp["out"]["bias"],
        }  # fmt: skip
    found |= norm("ln_f", params["norm"])
    return {f"{PREFIX}{name}": np.ascontiguousarray(array) for name, array in found.items()}


def from_tensors(
    tensors: Mapping[str, np.ndarray], config: GPTConfig, vocab_size: int, source: object
) -> dict[str, Any]:
    """The parameters of tensors with these names, in float32.

    Raises UserError where the model is of another form, and where a tensor is missing, too many or of
    another shape: it names the first, and the `source`.
    """
    refuse_other_forms(config)
    given = {name.removeprefix(PREFIX): array for name, array in tensors.items()}
    shapes = tensor_shapes(config, vocab_size)
    for name, shape in shapes.items():
        if name not in given:
            raise UserError(f"{source} has no {name}: give weights of GPT-2's form and this size.")
        if given[name].shape != shape:
            raise UserError(
                f"{source} has {name} of shape {given[name].shape}, and this model {shape}: choose its "
                "sizes by the flags of the model."
            )
    for name in given:
        if name not in shapes and not _IGNORED.fullmatch(name):
            raise UserError(
                f"{source} has {name}, which this model does not: choose its sizes by the flags."
            )
    D, N, H = config.model_size, config.num_heads, config.head_size

    def get(name):
        return np.asarray(given[name], np.float32)

    def norm(name):
        return {"scale": get(f"{name}.weight"), "bias": get(f"{name}.bias")}

    def linear(name):
        return {"kernel": get(f"{name}.weight"), "bias": get(f"{name}.bias")}

    params: dict[str, Any] = {"embedding": get("wte.weight"), "positions": get("wpe.weight")}
    for layer in range(config.num_layers):
        h = f"h.{layer}."
        kernels = np.split(get(f"{h}attn.c_attn.weight"), 3, axis=1)
        biases = np.split(get(f"{h}attn.c_attn.bias"), 3)
        attention = {
            name: {"kernel": kernel.reshape(D, N, H), "bias": bias.reshape(N, 1, H)}
            for name, kernel, bias in zip(("query", "key", "value"), kernels, biases, strict=True)
        }
        out = linear(f"{h}attn.c_proj")
        attention["out"] = out | {"kernel": out["kernel"].reshape(N, H, D)}
        params[f"block{layer}"] = {
            "norm1": norm(f"{h}ln_1"), "attention": attention, "norm2": norm(f"{h}ln_2"),
            "mlp": {"in": linear(f"{h}mlp.c_fc"), "out": linear(f"{h}mlp.c_proj")},
        }  # fmt: skip
    return params | {"norm": norm("ln_f")}
