"""A recurrent language model, p(x_1, ..., x_T) = prod_t p(x_t | x_<t).

(1) h_t = GRU(E x_t, h_{t-1})                       E a table of vectors
(2) logits_t = h_t W + b,    p(x_{t+1} | x_<=t) = softmax(logits_t)

Document 003, section 5.2 (which calls it a GPT); Cho et al. 2014, https://arxiv.org/abs/1406.1078.

In the catalogue: `lm.gru`.
"""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxgen.equations import recurrent
from jaxgen.models.gru.config import GRUConfig

GATES = ("reset", "update", "candidate")


class GRULanguageModel(nn.Module):
    """Token ids to the logits of each next token, Eqs. (1) and (2)."""

    config: GRUConfig
    vocab_size: int

    @nn.compact
    def __call__(
        self,
        tokens: Int[Array, "B T"],
        dropout_keys=None,
        cache: Float[Array, "B H"] | None = None,
        lengths: Int[Array, " B"] | None = None,
    ) -> Float[Array, "B T V"] | tuple[Float[Array, "B T V"], Float[Array, "B H"]]:
        """Float32 logits; position t sees tokens 0..t only. There is no dropout, whatever the keys.

        With a cache, the state that earlier tokens have left, the logits come with the state behind the
        last token; behind the first `lengths` of each row, where that is given, for the rest is padding.
        """
        D, H, V = self.config.embedding_size, self.config.hidden_size, self.vocab_size
        embedding = self.param("embedding", nn.initializers.normal(D**-0.5), (V, D))
        kernels, biases = _projections("input", D, H, self), _biases("input", H, self)
        inputs = jnp.einsum("BTD,DG->TBG", embedding[tokens], kernels) + biases
        before = self.empty_cache(len(tokens), 0) if cache is None else cache
        kernels = _projections("state", H, H, self)
        bias = self.param("state_candidate_bias", nn.initializers.zeros, (H,))
        states = recurrent.gru(inputs, before, kernels, bias)  # Eq. (1), (T, B, H)
        head = nn.Dense(V, name="head", kernel_init=nn.initializers.zeros)
        logits = head(states.swapaxes(0, 1))  # Eq. (2)
        if cache is None:
            return logits
        if lengths is None:
            return logits, states[-1]
        return logits, jnp.take_along_axis(states, (lengths - 1)[None, :, None], axis=0)[0]

    def empty_cache(self, batch_size: int, length: int) -> Float[Array, "B H"]:
        """The state before the first token; it is as large whatever the text's length."""
        return jnp.zeros((batch_size, self.config.hidden_size))


def _projections(what: str, inputs: int, outputs: int, module: nn.Module) -> Float[Array, "D G"]:
    """W or U of the three gates side by side; each is a parameter of its own, for each is a matrix."""
    init = nn.initializers.normal(inputs**-0.5)
    names = [f"{what}_{gate}" for gate in GATES]
    return jnp.concatenate([module.param(n, init, (inputs, outputs)) for n in names], axis=1)


def _biases(what: str, size: int, module: nn.Module) -> Float[Array, "1 1 G"]:
    names = [f"{what}_{gate}_bias" for gate in GATES]
    rows = [module.param(name, nn.initializers.zeros, (size,)) for name in names]
    return jnp.concatenate(rows)[None, None]
