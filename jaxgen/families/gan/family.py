"""Generative adversarial networks on images."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from jaxgen.errors import UserError, check
from jaxgen.families.base import OfImages, Trained
from jaxgen.families.gan.costs import gan_step
from jaxgen.families.sampling import ImageSampling
from jaxgen.models.base import ModelConfig
from jaxgen.models.mlp_gan.config import MLPGANConfig
from jaxgen.training.config import OptimizerConfig

if TYPE_CHECKING:
    from jaxgen.costs.table import Table
    from jaxgen.data import ImageSpec
    from jaxgen.training.task import Task

DCGAN_ADAM = OptimizerConfig(
    learning_rate=2e-4, beta1=0.5
)  # document 004, 5.2; Radford et al. 2016


@dataclass(frozen=True)
class GAN(OfImages):
    """A generator and a discriminator, each of which learns from the other."""

    loss: Literal["non-saturating", "saturating", "wasserstein"] = "non-saturating"
    """The pair of losses, as the catalogue has them."""
    label_smoothing: Literal["none", "one-sided", "two-sided"] = "none"
    """Labels 0.9 and 0.1 (two-sided, document 002, 5.2), or 0.9 and 0 (one-sided)."""
    weight_clip: float = 0.01
    """Bound on the critic's weights after each update; for the Wasserstein losses only."""
    discriminator_steps: int = 1
    """k, the discriminator's updates for each of the generator's, on a batch of B examples each."""
    model: ModelConfig = field(default_factory=MLPGANConfig)
    generator_optimizer: OptimizerConfig = field(default=DCGAN_ADAM)
    discriminator_optimizer: OptimizerConfig = field(default=DCGAN_ADAM)
    sampling: ImageSampling = field(default_factory=ImageSampling)

    def __post_init__(self):
        super().__post_init__()
        check(self, "weight_clip", lambda x: 0 < x < math.inf, "a finite number above 0")
        check(self, "discriminator_steps", lambda x: 1 <= x <= 100, "1 to 100")
        if self.loss == "wasserstein" and self.label_smoothing != "none":
            raise UserError(
                f"--label-smoothing {self.label_smoothing} smooths labels, which --loss wasserstein "
                "does not have: leave it out or choose another loss."
            )

    @property
    def optimizers(self) -> dict[str, OptimizerConfig]:
        """By player."""
        return {
            "discriminator": self.discriminator_optimizer,
            "generator": self.generator_optimizer,
        }

    @property
    def examples_per_step(self) -> int:
        """B for each update of the discriminator."""
        return self.batch_size * self.discriminator_steps

    def build(self, spec: ImageSpec, trained: Mapping[str, Trained] | None = None) -> Task:
        """Both players with the chosen pair of losses; it applies to noise, which becomes images."""
        import jax.numpy as jnp

        from jaxgen.equations.gan import clip_weights
        from jaxgen.families.gan.evaluation import make_gan_evaluation
        from jaxgen.families.gan.objective import choose_losses, make_gan_losses
        from jaxgen.families.gan.sampling import sample_gan
        from jaxgen.metrics.pictures import save_grid
        from jaxgen.training.optimizer import make_optimizer
        from jaxgen.training.state import Weights
        from jaxgen.training.task import two_players

        generator, discriminator = self.model.make(spec.shape)

        def init(g_key, d_key):
            noise = jnp.zeros((1, generator.latent_size))
            params = {
                "discriminator": discriminator.init(d_key, jnp.zeros((1, *spec.shape)))["params"],
                "generator": generator.init(g_key, noise)["params"],
            }
            return Weights(params)

        def sample(weights, key, path):
            own = weights.params["generator"]
            return save_grid(sample_gan(generator, own, key, self.sampling.count), path)

        def constrain(params):
            return clip_weights(params, self.weight_clip) if self.loss == "wasserstein" else params

        pair = choose_losses(self.loss, self.label_smoothing)
        optimizers = {player: make_optimizer(own) for player, own in self.optimizers.items()}
        return two_players(
            init,
            make_gan_losses(generator, discriminator, pair),
            optimizers,
            constrain,
            discriminator_steps=self.discriminator_steps,
            **self.step_options,
            evaluate=make_gan_evaluation(generator, discriminator),
            sample=sample,
            best="eval/pixel_frechet",
            apply=lambda weights, noise: generator.apply(
                {"params": weights.params["generator"]}, noise
            ),
        )

    def costs(self, spec: ImageSpec) -> Table:
        """What one training step costs, row by row."""
        return gan_step(
            self.model, self.optimizers,
            batch_size=self.batch_size, pixels=math.prod(spec.shape),
            loss=self.loss, label_smoothing=self.label_smoothing,
            discriminator_steps=self.discriminator_steps, ema=self.ema_decay is not None,
        )  # fmt: skip
