"""Between the halves of a discrete autoencoder: a grid of features becomes a grid of codes.

Both ways have one surface: `init`, `train`, `codes`, `indices`. What a step changes without a gradient
lies in `extra`: the number of steps, and with vectors the codebook's averages. It is the same on every
device, since counts, sums and candidates are of the whole batch.

In the catalogue: `tokens.commitment`, `tokens.gumbel-softmax`, `tokens.uniform-kl`.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxgen.equations import gumbel
from jaxgen.equations import vector_quantisation as vq
from jaxgen.training.batch import all_examples, sum_over_batch

Grid = Float[Array, "B I J D"]


class Quantised(NamedTuple):
    """What the decoder is to see, and what that costs.

    Attributes:
      grid: in the place of features; gradients pass through it to them. price: of each example, what
        the loss adds. counts: how often the batch has each code. extra: after the step. others: metrics.
    """

    grid: Grid
    price: Float[Array, " B"]
    counts: Float[Array, " V"]
    extra: Any
    others: dict[str, Float[Array, ""]]


@dataclass(frozen=True)
class VectorQuantiser:
    """Eqs. (1) to (4) and (7) of `equations/vector_quantisation.py`.

    Attributes:
      num_codes: V. code_size: D. decay: γ. commitment: β. kmeans_steps: so many first steps have γ = 0,
        with which (4) is (6), a step of k-means; it begins at vectors of the first batch.
      revive_below: a code is put elsewhere when its count falls below this share of an even one.
    """

    num_codes: int
    code_size: int
    decay: float
    commitment: float
    kmeans_steps: int
    revive_below: float

    @property
    def outputs(self) -> int:
        """Numbers that the encoder gives for each place."""
        return self.code_size

    def init(self, key: Any) -> tuple[Any, Any]:
        """(parameters of its own, extra)."""
        counts = jnp.zeros(self.num_codes)
        book = {"counts": counts, "sums": jnp.zeros((self.num_codes, self.code_size))}
        return {}, book | {"steps": jnp.zeros((), jnp.int32)}

    def codes(self, params: Any, extra: Any) -> Float[Array, "V D"]:
        """The vectors that stand for codes."""
        return vq.codes_of(vq.Codebook(extra["counts"], extra["sums"]))

    def indices(self, params: Any, extra: Any, features: Grid) -> Int[Array, "B I J"]:
        """The code of each place."""
        return vq.nearest_code(features, self.codes(params, extra))

    def train(self, params: Any, extra: Any, features: Grid, keys: Any) -> Quantised:
        """A training step's codes and codebook, of a batch that may lie in pieces."""
        size, places = features.shape[0], features.shape[1] * features.shape[2]
        own = jax.lax.stop_gradient(features).reshape(size, places, -1)
        order = jax.vmap(lambda key: jax.random.uniform(key, (places,)))(keys)
        whole = all_examples({"vectors": own, "order": order})
        vectors = whole["vectors"].reshape(-1, self.code_size)
        candidates = vectors[jnp.argsort(whole["order"].reshape(-1))]
        even = candidates.shape[0] / self.num_codes
        rows = candidates[jnp.arange(self.num_codes) % candidates.shape[0]]
        first = extra["steps"] == 0
        book = vq.Codebook(
            jnp.where(first, even, extra["counts"]),
            jnp.where(first, even * rows, extra["sums"]),
        )
        codes = vq.codes_of(book)
        indices = vq.nearest_code(own, codes)
        quantised = codes[indices].reshape(features.shape)
        counts, sums = vq.usage(
            own.reshape(-1, self.code_size), indices.reshape(-1), self.num_codes
        )
        counts, sums = sum_over_batch(counts[None]), sum_over_batch(sums[None])
        decay = jnp.where(extra["steps"] < self.kmeans_steps, 0.0, self.decay)
        book, dead = vq.revived(
            vq.moved(book, counts, sums, decay), candidates, self.revive_below * even
        )
        price = self.commitment * vq.commitment(features, quantised).sum((1, 2))
        after = {"counts": book.counts, "sums": book.sums, "steps": extra["steps"] + 1}
        grid = vq.straight_through(features, quantised)
        return Quantised(grid, price, counts, after, {"revived": dead})


@dataclass(frozen=True)
class GumbelQuantiser:
    """A draw of each code from softmax(logits), Eqs. (2) to (4) of `equations/gumbel.py`.

    Attributes:
      num_codes: V. code_size: D. start, end, steps: the temperature falls by equal factors from one to
        the other in so many steps. hard: train on draws, by Eq. (3), and not on shares.
      kl_weight: of Eq. (4) in the loss.
    """

    num_codes: int
    code_size: int
    start: float
    end: float
    steps: int
    hard: bool
    kl_weight: float

    @property
    def outputs(self) -> int:
        """Numbers that the encoder gives for each place: a logit a code."""
        return self.num_codes

    def init(self, key: Any) -> tuple[Any, Any]:
        """(parameters of its own, extra)."""
        codes = jax.random.normal(key, (self.num_codes, self.code_size))
        return {"codes": codes}, {"steps": jnp.zeros((), jnp.int32)}

    def codes(self, params: Any, extra: Any) -> Float[Array, "V D"]:
        """The vectors that stand for codes."""
        return params["codes"]

    def indices(self, params: Any, extra: Any, features: Grid) -> Int[Array, "B I J"]:
        """The likeliest code of each place."""
        return jnp.argmax(features, axis=-1)

    def train(self, params: Any, extra: Any, features: Grid, keys: Any) -> Quantised:
        """A training step's draws."""
        done = jnp.minimum(extra["steps"] / self.steps, 1.0)
        temperature = self.start * (self.end / self.start) ** done
        noise = jax.vmap(lambda key: jax.random.gumbel(key, features.shape[1:]))(keys)
        shares = gumbel.gumbel_softmax(features, noise, temperature)
        weights = gumbel.straight_through_draw(shares) if self.hard else shares
        grid = jnp.einsum("BIJV,VD->BIJD", weights, params["codes"])
        drawn = jax.nn.one_hot(jnp.argmax(shares, axis=-1), self.num_codes)
        counts = sum_over_batch(jax.lax.stop_gradient(drawn).sum((1, 2)))
        kl = gumbel.uniform_kl(features).sum((1, 2))
        others = {"temperature": temperature}
        return Quantised(grid, self.kl_weight * kl, counts, {"steps": extra["steps"] + 1}, others)
