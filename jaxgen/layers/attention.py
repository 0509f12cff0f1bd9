"""Multi-head attention, from its equation up.

(1) head_n = Attention(X Wq_n, M Wk_n, M Wv_n)
(2) MultiHead(X, M) = Concat(head_1, ..., head_N) Wo = sum_n head_n Wo_n

M is the memory that is read: X itself (self-attention), or what another stack made (cross-attention).
Vaswani et al. 2017, section 3.2.2, https://arxiv.org/abs/1706.03762. Activations are head-major
(B, N, T, H), in which a head's scores are one contiguous matmul: twice as fast on CPU from T = 1,024.

In the catalogue: `attention.output`, `attention.scores`, `attention.weights`,
`transformer.rms-norm`, `transformer.rotary`.
"""

from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float, Int

from jaxgen.equations import attention, transformer
from jaxgen.equations.attention_forms import visible
from jaxgen.layers.attention_form import attend
from jaxgen.layers.basic import Einsum
from jaxgen.layers.dropout import Dropout


class KeyValues(NamedTuple):
    """The keys and values of the positions so far; of S places the first `filled` hold one.

    What lies behind them is not read, and is overwritten by what comes next; so a sequence is shortened
    by lowering its `filled`.
    """

    key: Float[Array, "B N S H"]
    value: Float[Array, "B N S H"]
    filled: Int[Array, " B"]


def empty_cache(
    batch_size: int, num_heads: int, length: int, head_size: int, dtype: DTypeLike = jnp.float32
) -> KeyValues:
    """A cache of `length` places for each of so many sequences, none of them filled."""
    zeros = jnp.zeros((batch_size, num_heads, length, head_size), dtype)
    return KeyValues(zeros, zeros, jnp.zeros(batch_size, jnp.int32))


class Attention(nn.Module):
    """Multi-head attention, Eqs. (1) and (2).

    Attributes:
      num_heads: N; head_size: H. input_init, output_init: of the kernels that read x and that write.
      use_bias: in all four projections. query_key_norm: RMS-normalise queries and keys.
      rotary: turn queries and keys by their positions.
      form: which of `attention_forms.FORMS`, or 'auto' for the one that `choose_form` names.
      dropout: of the attention weights, where keys are given; it needs them whole, hence the literal
        form, which 'auto' then takes (the GPT-2 code drops them, Vaswani et al. 2017 does not).
    """

    num_heads: int
    head_size: int
    input_init: Callable
    output_init: Callable
    use_bias: bool = True
    query_key_norm: bool = False
    rotary: bool = False
    form: str = "auto"
    dropout: float = 0.0

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "B T D"],
        memory: Float[Array, "B S E"] | None = None,
        mask: Bool[Array, "#B 1 #T S"] | None = None,
        bias: Float[Array, "#B #N T S"] | None = None,
        cache: KeyValues | None = None,
        *,
        causal: bool = False,
        dropout_keys=None,
    ) -> Float[Array, "B T D"] | tuple[Float[Array, "B T D"], KeyValues]:
        """Mix what the memory holds; query t reads each key s that mask[..., t, s] and causal let it.

        Without a mask and not causal that is every key.

        Args:
          memory: what is read; None: x itself. mask: True where a query may read a key.
          bias: added to the scaled scores; it needs them whole, hence the literal form.
          cache: x continues what is cached: queries read the cached keys too, and the result comes with
            the cache that x's keys were added to. There must be room for T. S is the cache's length.
          causal: a query reads no key behind its own position. dropout_keys (B,) switch dropout on.

        Raises:
          ValueError: whole weights are needed in a form that never holds them, or a cache is given
            beside a memory, which does not grow.
        """
        D, N, H = x.shape[-1], self.num_heads, self.head_size
        head_bias, out_bias = ((N, 1, H), (D,)) if self.use_bias else (None, None)
        if memory is not None and cache is not None:
            raise ValueError("a cache continues x; it has no place for a memory")
        read = x if memory is None else memory

        def project(name, x):
            shape = (x.shape[-1], N, H)
            return Einsum("BTD,DNH->BNTH", shape, head_bias, self.input_init, name=name)(x)

        query, key, value = project("query", x), project("key", read), project("value", read)
        if self.query_key_norm:
            query, key = transformer.rms_norm(query), transformer.rms_norm(key)
        if self.rotary:
            query = transformer.rotary(query, _positions(query, cache))
            key = transformer.rotary(key, _positions(key, cache))
        if cache is not None:
            cached = _cached(x.shape[1], cache, causal)
            mask, causal = cached if mask is None else cached & mask, False
            cache = _append(cache, key, value)
            key, value = cache.key, cache.value
        dropping = self.dropout > 0 and dropout_keys is not None
        if dropping or bias is not None:
            keys = dropout_keys if dropping else None
            heads = self._whole(query, key, value, mask, bias, causal, keys)
        else:
            heads = attend(query, key, value, mask, causal=causal, form=self.form)  # Eq. (1)
        out = Einsum("BNTH,NHD->BTD", (N, H, D), out_bias, self.output_init, name="out")
        mixed = out(heads)  # Eq. (2)
        return mixed if cache is None else (mixed, cache)

    def _whole(self, query, key, value, mask, bias, causal, keys):
        """Eq. (1) with its weights whole, each dropped where there are keys, the others scaled up.

        A row's sum is then 1 on average only.
        """
        if self.form not in ("auto", "literal"):
            raise ValueError(f"{self.form} attention holds no weights to drop: choose literal")
        allowed = visible(query, key, mask, causal=causal)
        weights = attention.weights(attention.scores(query, key), self.head_size, allowed, bias)
        return attention.output(Dropout(self.dropout, name="dropout")(weights, keys), value)


def _positions(x: Float[Array, "B N T H"], cache: KeyValues | None) -> Int[Array, "#B 1 T"]:
    """Where queries and keys stand: behind those that are cached."""
    places = jnp.arange(x.shape[2])[None, None]
    return places if cache is None else cache.filled[:, None, None] + places


def _cached(query_len: int, cache: KeyValues, causal: bool) -> Bool[Array, "B 1 T S"]:
    """Which places queries read that are about to be added: up to their own, or all that is filled."""
    places = jnp.arange(cache.key.shape[2])[None, None, None]
    last = jnp.arange(query_len) if causal else jnp.full(query_len, query_len - 1)
    return places <= cache.filled[:, None, None, None] + last[None, None, :, None]


def _append(cache: KeyValues, key, value) -> KeyValues:
    """With T more keys and values, each sequence's behind its own."""

    def put(old, new):
        def one(old, new, at):
            return lax.dynamic_update_slice_in_dim(old, new.astype(old.dtype), at, axis=1)

        return jax.vmap(one)(old, new, cache.filled)

    filled = cache.filled + key.shape[2]
    return KeyValues(put(cache.key, key), put(cache.value, value), filled)
