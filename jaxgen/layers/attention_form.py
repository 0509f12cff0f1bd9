"""Which form of attention computes where; the three forms are those of `equations.attention_forms`."""

import functools
import math
from collections.abc import Callable

import jax
from jax import lax
from jax.sharding import AxisType, PartitionSpec
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float

from jaxgen.equations.attention_forms import FORMS
from jaxgen.equations.attention_kernels import has_cudnn, kernel_fits

MODEL = "model"
"""The axis of a mesh that heads are split over; the batch is split over all others."""

# From where blockwise wins on a CPU: its speed over literal's, forward and backward, on 2 cores, medians
# of interleaved runs in one process, for (B, N, H) of (8, 4, 32), (2, 12, 64), (1, 4, 64) in float32:
#   causal   T 400: 2.0, 1.2, 0.7   512: 2.0, 1.5, 1.3   700: 2.5, 1.3, 2.7   1024: 2.4, 1.7, 4.9
#   not      T 400: 1.1, 1.3, 0.6   512: 1.1, 1.0, 0.8   700: 1.0, 1.4, 1.1   1024: 2.1, 1.9, 2.8
# In bfloat16 (8, 4, 32) causal 1.6, 1.5, 1.7, 1.6. Causal blocks that nobody sees are not computed.
CAUSAL_LENGTH, LENGTH = 512, 1024

# On a GPU it never wins: of 4 x 12 heads of 64 in float32 on an H200 (jax 0.11) literal is 1.3 times as
# fast at every T of 1,024 to 8,192 where causal, 2.1 to 2.9 times where not. Its memory decides alone:
# from here on the scores of those heads take 13 GB.
GPU_LENGTH = 8192


def choose_form(
    query_len: int,
    key_len: int,
    head_size: int,
    dtype: DTypeLike,
    platform: str,
    *,
    masked: bool = False,
    causal: bool = False,
) -> str:
    """The name of the form that `auto` takes: all compute the same, so speed and memory decide.

    The platform's kernel where it has one for such sizes; else blockwise from the length where it wins
    on a CPU, or where a GPU's memory asks for it; else literal. A TPU without a kernel for the sizes
    takes the CPU's rule, whose memory is linear in the length.

    Args:
      platform: 'tpu', 'cuda' (with cuDNN) or any other. masked: there is a mask beside the causal rule.
    """
    if kernel_fits(platform, query_len, key_len, head_size, dtype, masked=masked, causal=causal):
        return "fused"
    enough = GPU_LENGTH if platform == "cuda" else CAUSAL_LENGTH if causal else LENGTH
    return "blockwise" if min(query_len, key_len) >= enough else "literal"


def attend(
    query: Float[Array, "B N T H"],
    key: Float[Array, "B N S H"],
    value: Float[Array, "B N S H"],
    mask: Bool[Array, "#B #N #T #S"] | None = None,
    *,
    causal: bool = False,
    form: str = "auto",
) -> Float[Array, "B N T H"]:
    """Attention in a form of FORMS, or in the one that `choose_form` names.

    The choice falls when the program is lowered, for the platform that it is compiled for, which need
    not be this machine's. `auto` has, as the blockwise form, a reverse derivative only.
    """
    T, S, H = query.shape[-2], key.shape[-2], query.shape[-1]
    sizes = (T, S, H, query.dtype)
    rule = {"masked": mask is not None, "causal": causal}

    def on(platform):
        name = choose_form(*sizes, platform, **rule) if form == "auto" else form
        if name == "fused" and kernel_fits(platform, *sizes, **rule):
            # Its own kernel alone: a choice within a choice would be one more in the gradient.
            return functools.partial(FORMS["fused"], causal=causal, platform=platform)
        return forms[name]

    forms = {name: functools.partial(each, causal=causal) for name, each in FORMS.items()}
    tpu, cuda, other = on("tpu"), on("cuda" if has_cudnn() else "other"), on("other")
    if kernel_fits("tpu", *sizes, **rule) and tpu.func is FORMS["fused"]:
        tpu = over_mesh(tpu, *query.shape[:2])
    if tpu is cuda is other:  # no choice, and no trace of one in the program
        return other(query, key, value, mask)
    return lax.platform_dependent(query, key, value, mask, tpu=tpu, cuda=cuda, default=other)


def over_mesh(attend: Callable, batch_size: int, num_heads: int) -> Callable:
    """The function of (query, key, value) on each device's own examples and heads.

    A compiler splits einsums over devices by itself, but not a kernel written by hand. The mesh is that
    in whose context a step is traced; without one, or within pmap, the function stays as it is. An axis
    that the batch or the heads do not divide by is not split: each device then computes all of it.
    """
    mesh = jax.sharding.get_abstract_mesh()
    if mesh.empty or AxisType.Manual in mesh.axis_types:
        return attend
    batch_axes = tuple(name for name in mesh.axis_names if name != MODEL)
    shards = math.prod(mesh.shape[name] for name in batch_axes)
    spec = PartitionSpec(
        batch_axes if batch_size % shards == 0 else None,
        MODEL if num_heads % mesh.shape.get(MODEL, 1) == 0 and MODEL in mesh.shape else None,
    )
    # Not checked for what varies over which axis: kernels do not say so of their results.
    return jax.shard_map(
        lambda *arrays: attend(*arrays), in_specs=spec, out_specs=spec, check_vma=False
    )
