"""GPT: a decoder-only transformer, p(x_1, ..., x_T) = prod_t p(x_t | x_<t).

(1) x <- x + Attention(Norm(x)),  x <- x + W2 act(W1 Norm(x))      for each of L blocks
(2) logits = Norm(x) W_head,       p(x_{t+1} | x_<=t) = softmax(logits_t)

Radford et al. 2019 (GPT-2: norm before each part, section 2.3); Vaswani et al. 2017, Eqs. 1 and 2,
https://arxiv.org/abs/1706.03762. One module in two flavours: see `GPTConfig` and `modern_gpt`.

In the catalogue: `transformer.gelu`, `transformer.squared-relu`.
"""

from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxgen.equations import transformer
from jaxgen.layers.attention import Attention, KeyValues, empty_cache
from jaxgen.layers.basic import Einsum
from jaxgen.layers.dropout import Dropout
from jaxgen.layers.norm import Norm
from jaxgen.models.gpt.config import GPTConfig


class FeedForward(nn.Module):
    """W2 act(W1 x), at each position alone."""

    config: GPTConfig

    @nn.compact
    def __call__(self, x: Float[Array, "B T D"]) -> Float[Array, "B T D"]:
        """From D to F and back."""
        config = self.config
        D, F = config.model_size, config.hidden_size
        bias_in, bias_out = ((F,), (D,)) if config.use_bias else (None, None)
        activation = (
            transformer.gelu_tanh if config.activation == "gelu" else transformer.squared_relu
        )
        init = input_init(config, fan_in=D)
        x = activation(Einsum("BTD,DF->BTF", (D, F), bias_in, init, name="in")(x))
        return Einsum("BTF,FD->BTD", (F, D), bias_out, output_init(config), name="out")(x)


class Block(nn.Module):
    """Eq. (1): attention and feed-forward, each normalised before and added to the stream."""

    config: GPTConfig

    @nn.compact
    def __call__(
        self, x: Float[Array, "B T D"], dropout_keys=None, cache: KeyValues | None = None
    ) -> tuple[Float[Array, "B T D"], KeyValues | None]:
        """One block, and its cache with x added; dropout_keys (B,) switch dropout on."""
        config = self.config
        mix = Attention(
            config.num_heads, config.head_size,
            input_init(config, fan_in=config.model_size), output_init(config),
            use_bias=config.use_bias, query_key_norm=config.query_key_norm,
            rotary=config.positions == "rotary", form=config.attention,
            dropout=config.weights_dropout, name="attention",
        )  # fmt: skip
        normal = Norm(config.norm, name="norm1")(x)
        mixed = mix(normal, cache=cache, causal=True, dropout_keys=dropout_keys)
        mixed, cache = (mixed, None) if cache is None else mixed
        x = x + Dropout(config.dropout, name="dropout1")(mixed, dropout_keys)
        changed = FeedForward(config, name="mlp")(Norm(config.norm, name="norm2")(x))
        return x + Dropout(config.dropout, name="dropout2")(changed, dropout_keys), cache


class GPT(nn.Module):
    """Token ids to the logits of each next token, Eq. (2)."""

    config: GPTConfig
    vocab_size: int

    @nn.compact
    def __call__(
        self,
        tokens: Int[Array, "B T"],
        dropout_keys=None,
        cache: tuple[KeyValues, ...] | None = None,
        lengths: Int[Array, " B"] | None = None,
        *,
        features: bool = False,
    ) -> Float[Array, "B T V"] | tuple[Float[Array, "B T V"], tuple[KeyValues, ...]]:
        """Float32 logits; position t sees tokens 0..t only; dropout_keys (B,) switch dropout on.

        With a cache, of `empty_cache` or of an earlier call, the tokens continue what is cached, and the
        logits come with the cache that they were added to; of each row only its first `lengths` tokens,
        where that is given, the others being padding.

        Without a cache, `features` gives what the head would read, (B, T, D), in the place of logits.

        Raises ValueError where T exceeds config.max_seq_len.
        """
        config, T = self.config, tokens.shape[1]
        if config.max_seq_len < T:
            raise ValueError(f"{T} tokens, but the model takes at most {config.max_seq_len}")
        D, V = config.model_size, self.vocab_size
        embedding = self.param("embedding", input_init(config, fan_in=D), (V, D))
        x = embedding[tokens]  # (B, T, D)
        if config.positions == "learned":
            table = self.param("positions", nn.initializers.normal(0.02), (config.max_seq_len, D))
            x = x + (table[None, :T] if cache is None else table[_places(cache, T)])
        x = Dropout(config.dropout)(x, dropout_keys).astype(config.compute_dtype)
        block = nn.remat(Block) if config.remat else Block
        caches = []
        for layer in range(config.num_layers):
            before = None if cache is None else cache[layer]
            x, after = block(config, name=f"block{layer}")(x, dropout_keys, before)
            if before is not None and lengths is not None:
                after = after._replace(filled=before.filled + lengths)
            caches.append(after)
        x = Norm(config.norm, name="norm")(x)
        if features:
            return x
        if config.tied_head:
            kernel = embedding.astype(x.dtype)
            logits = jnp.einsum("BTD,VD->BTV", x, kernel, preferred_element_type=jnp.float32)
        else:
            init = head_init(config)
            logits = Einsum("BTD,DV->BTV", (D, V), None, init, jnp.float32, name="head")(x)
        return logits if cache is None else (logits, tuple(caches))

    def head_kernel(self, params) -> Float[Array, "D V"]:
        """What makes logits of features."""
        return params["embedding"].T if self.config.tied_head else params["head"]["kernel"]

    def empty_cache(self, batch_size: int, length: int) -> tuple[KeyValues, ...]:
        """For each block the keys and values of no token yet, with room for `length` of them."""
        config = self.config
        sizes = (batch_size, config.num_heads, length, config.head_size)
        return tuple(empty_cache(*sizes, config.compute_dtype) for _ in range(config.num_layers))


def _places(cache: tuple[KeyValues, ...], length: int) -> Int[Array, "B T"]:
    """Where each of so many more tokens stands."""
    return cache[0].filled[:, None] + jnp.arange(length)[None]


def input_init(config: GPTConfig, fan_in: int) -> Callable:
    """The initialiser of a projection that reads the residual stream."""
    return nn.initializers.normal(0.02 if config.init == "gpt2" else fan_in**-0.5)


def output_init(config: GPTConfig) -> Callable:
    """The initialiser of a projection that writes to the residual stream.

    GPT-2 divides by the square root of the 2L writes, so that their sum keeps its scale
    (Radford et al. 2019, section 2.3).
    """
    if config.init == "gpt2":
        return nn.initializers.normal(0.02 / (2 * config.num_layers) ** 0.5)
    return nn.initializers.zeros


def head_init(config: GPTConfig) -> Callable:
    """The initialiser of an untied output projection, which reads the stream and writes logits."""
    if config.init == "gpt2":
        return nn.initializers.normal(0.02)
    return nn.initializers.zeros
