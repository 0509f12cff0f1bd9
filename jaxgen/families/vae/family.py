"""Variational autoencoders on images."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from jaxgen.errors import UserError
from jaxgen.families.base import OfImages, Trained
from jaxgen.families.sampling import ImageSampling
from jaxgen.families.vae.costs import vae_step
from jaxgen.models.base import ModelConfig
from jaxgen.models.mlp_vae.config import MLPVAEConfig
from jaxgen.training.config import OptimizerConfig

if TYPE_CHECKING:
    from jaxgen.costs.table import Table
    from jaxgen.data import ImageSpec
    from jaxgen.training.task import Task


@dataclass(frozen=True)
class VAE(OfImages):
    """An encoder and a decoder that maximise a lower bound of the data's log-likelihood."""

    binarise: Literal["threshold", "draw", "no"] = "threshold"
    """Make pixels black or white: above half (static); drawn with the grey level as probability, anew
    at each step and once for the held-out images (dynamic); or keep the grey levels."""
    model: ModelConfig = field(default_factory=MLPVAEConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    sampling: ImageSampling = field(default_factory=ImageSampling)

    def __post_init__(self):
        super().__post_init__()
        if self.model.decoder == "gaussian" and self.binarise != "no":
            raise UserError(
                "--model.decoder gaussian models grey levels: give --binarise no beside it."
            )

    def build(self, spec: ImageSpec, trained: Mapping[str, Trained] | None = None) -> Task:
        """A VAE with its negative evidence lower bound; it applies to images, decoded at q's mean."""
        import jax.numpy as jnp

        from jaxgen.families.vae.evaluation import make_vae_evaluation
        from jaxgen.families.vae.objective import make_vae_loss
        from jaxgen.families.vae.sampling import sample_vae
        from jaxgen.metrics.pictures import save_grid
        from jaxgen.training.optimizer import make_optimizer
        from jaxgen.training.state import Weights
        from jaxgen.training.task import one_player

        model = self.model.make(spec.shape)

        def sample(weights, key, path):
            return save_grid(sample_vae(model, weights.params, key, self.sampling.count), path)

        return one_player(
            lambda key: Weights(model.init(key, jnp.zeros((1, *spec.shape)))["params"]),
            make_vae_loss(model, self.binarise),
            make_optimizer(self.optimizer),
            **self.step_options,
            evaluate=make_vae_evaluation(model, self.binarise),
            sample=sample,
            best="eval/loss",
            apply=lambda weights, image: model.apply({"params": weights.params}, image),
        )

    def costs(self, spec: ImageSpec) -> Table:
        """What one training step costs, row by row."""
        return vae_step(
            self.model, self.optimizer,
            batch_size=self.batch_size, pixels=math.prod(spec.shape), binarise=self.binarise,
            ema=self.ema_decay is not None,
        )  # fmt: skip
