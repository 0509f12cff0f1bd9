"""Autoencoders whose latents are codes, of images with captions or without."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from jaxgen.errors import check
from jaxgen.families.base import Experiment, OfImages, Trained
from jaxgen.families.discrete_vae.costs import discrete_step
from jaxgen.families.sampling import ImageSampling
from jaxgen.models.base import ModelConfig
from jaxgen.models.grid_autoencoder.config import GridAutoencoderConfig
from jaxgen.training.config import OptimizerConfig

if TYPE_CHECKING:
    from jaxgen.costs.table import Table
    from jaxgen.data import Data
    from jaxgen.training.task import Task


@dataclass(frozen=True)
class DiscreteVAE(OfImages):
    """An autoencoder that tells an image by a grid of codes out of a codebook."""

    quantiser: Literal["vector", "gumbel"] = "vector"
    """The nearest code (VQ-VAE), or one drawn from logits through a Gumbel-softmax (discrete VAE)."""
    deviation: float = 0.1
    """Of each pixel around the decoder's mean, as the likelihood has it."""
    commitment: float = 0.25
    """β, what it costs features to be far from their codes; gumbel does not read it."""
    codebook_decay: float = 0.99
    """γ, of the averages that codes follow; gumbel, whose codes have gradients, does not read it."""
    kmeans_steps: int = 20
    """First steps in which the codes are the means of their batch's features; gumbel has none."""
    revive_below: float = 0.1
    """A code used less than this share of an even use is put on a feature; gumbel's stay."""
    kl_weight: float = 1.0
    """Of the codes' divergence from the uniform prior; a vector's is constant."""
    temperature_start: float = 1.0
    """Of the Gumbel-softmax, in the first step; vector does not read what follows."""
    temperature_end: float = 0.1
    """To which it falls by equal factors."""
    temperature_steps: int = 1000
    """Steps until it is there."""
    hard: bool = False
    """Decode one drawn code, with the gradient of the shares (straight-through), not the shares."""
    model: ModelConfig = field(default_factory=GridAutoencoderConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    sampling: ImageSampling = field(default_factory=ImageSampling)

    def __post_init__(self):
        super().__post_init__()
        for name in ("deviation", "temperature_start", "temperature_end"):
            check(self, name, lambda x: 0 < x < math.inf, "a finite number above 0")
        for name in ("commitment", "kl_weight"):
            check(self, name, lambda x: 0 <= x < math.inf, "a finite number of 0 or more")
        check(self, "codebook_decay", lambda x: 0 <= x < 1, "0 or more, below 1")
        check(self, "kmeans_steps", lambda x: x >= 0, "0 or more")
        check(self, "temperature_steps", lambda x: x >= 1, "1 or more")
        check(self, "revive_below", lambda x: 0 <= x < 1, "0 or more, below 1")

    def build(self, spec: Any, trained: Mapping[str, Trained] | None = None) -> Task:
        """An autoencoder; it applies to images, which come back as their codes tell them.

        With method="encode" images become codes (B, I, J), with "decode" codes become images, and with
        "codes" it gives the codebook (V, D), whatever the inputs.
        """
        import jax
        import jax.numpy as jnp

        from jaxgen.families.discrete_vae.evaluation import make_discrete_evaluation
        from jaxgen.families.discrete_vae.objective import make_discrete_loss
        from jaxgen.training.optimizer import make_optimizer
        from jaxgen.training.state import Weights
        from jaxgen.training.task import one_player

        quantiser = self._quantiser()
        model = self.model.make(spec.shape, quantiser.outputs)
        log_variance = 2 * math.log(self.deviation)

        def init(key) -> Weights:
            model_key, code_key = jax.random.split(key)
            params = model.init(model_key, jnp.zeros((1, *spec.shape)))["params"]
            own, extra = quantiser.init(code_key)
            return Weights({"model": params, "quantiser": own}, extra)

        @partial(jax.jit, static_argnames="method")
        def apply(weights, inputs, method=None):
            own, params = weights.params["quantiser"], {"params": weights.params["model"]}
            codes = quantiser.codes(own, weights.extra)
            if method == "codes":
                return codes
            indices = inputs
            if method != "decode":
                features = model.apply(params, inputs, method="encode")
                indices = quantiser.indices(own, weights.extra, features)
            if method == "encode":
                return indices
            return model.apply(params, codes[indices], method="decode")

        def sample(weights, key, path):
            return self._save_reconstructions(apply, weights, path)

        return one_player(
            init,
            make_discrete_loss(model, quantiser, log_variance),
            make_optimizer(self.optimizer),
            **self.step_options,
            evaluate=make_discrete_evaluation(apply, self.model.num_codes, log_variance),
            sample=sample,
            best="eval/loss",
            apply=apply,
        )

    def _quantiser(self) -> Any:
        from jaxgen.families.discrete_vae.quantisers import GumbelQuantiser, VectorQuantiser

        sizes = (self.model.num_codes, self.model.code_size)
        if self.quantiser == "vector":
            return VectorQuantiser(
                *sizes, self.codebook_decay, self.commitment, self.kmeans_steps, self.revive_below
            )
        return GumbelQuantiser(
            *sizes, self.temperature_start, self.temperature_end, self.temperature_steps, self.hard,
            self.kl_weight,
        )  # fmt: skip

    def _save_reconstructions(self, apply: Any, weights: Any, path: Any) -> Any:
        """Held-out images, each with what its codes tell at its right."""
        import jax.numpy as jnp
        import numpy as np

        from jaxgen.metrics.pictures import save_grid

        test = self.load().test.sampled(self.sampling.count)
        image = test.take(test.arrays, np.arange(test.num_examples))["image"]
        decoded = jnp.clip(apply(weights, jnp.asarray(image)), 0, 1)
        return save_grid(jnp.concatenate([image, decoded], axis=2), path)

    def costs(self, spec: Any) -> Table:
        """What one training step costs, row by row."""
        return discrete_step(
            self.model, self.optimizer,
            batch_size=self.batch_size, shape=spec.shape, quantiser=self.quantiser,
            ema=self.ema_decay is not None,
        )  # fmt: skip


@dataclass(frozen=True)
class CaptionedVAE(DiscreteVAE):
    """The same on images that have captions, which it does not read."""

    kind: ClassVar[str] = "captions"
    data: str = "shapes"
    """Where the data comes from: captioned-digits, shapes, shapes-all."""

    def load(self) -> Data:
        """The images and their captions."""
        return Experiment.load(self)
