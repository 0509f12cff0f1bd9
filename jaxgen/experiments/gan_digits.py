"""A GAN on the 8x8 digits."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from jaxgen.costs.gan import gan_step
from jaxgen.errors import UserError, check
from jaxgen.experiments.base import Experiment
from jaxgen.models.gan_config import GANConfig
from jaxgen.sampling.config import ImageSampling
from jaxgen.training.config import OptimizerConfig

if TYPE_CHECKING:
    from jaxgen.data import ImageSpec
    from jaxgen.training.task import Task


@dataclass(frozen=True)
class GANDigits(Experiment):
    """The documents' MLP generative adversarial network on handwritten digits.

    Papers: Goodfellow et al. 2014; the sizes are document 002's (5.2), the optimiser is document
    004's (5.2) and Radford et al.'s (2016). Dropout in the discriminator keeps it from learning 1,437
    training images by heart; without it the generator neglects classes.

    Command: python train.py gan-digits

    Expected: eval/pixel_frechet 0.26 ± 0.12 to the held-out images, and eval/discriminator_accuracy
    0.71 ± 0.08: it does not win.

    Time: about 70 s on 2 cores.
    """

    kind: ClassVar = "images"
    steps: int = 12_000
    batch_size: int = 64
    data: str = "digits"
    loss: Literal["non-saturating", "saturating", "wasserstein"] = "non-saturating"
    """The pair of losses, as the catalogue has them."""
    label_smoothing: Literal["none", "one-sided", "two-sided"] = "none"
    """Labels 0.9 and 0.1 (two-sided, document 002, 5.2), or 0.9 and 0 (one-sided)."""
    weight_clip: float = 0.01
    """Bound on the critic's weights after each update; for the Wasserstein losses only."""
    model: GANConfig = field(default_factory=lambda: GANConfig(discriminator_dropout=0.3))
    optimizer: OptimizerConfig = field(
        default_factory=lambda: OptimizerConfig(learning_rate=2e-4, beta1=0.5)
    )
    sampling: ImageSampling = field(default_factory=ImageSampling)
    log_every: int = 100
    checkpoint_every: int = 4000
    eval_every: int = 4000

    def __post_init__(self):
        super().__post_init__()
        check(self, "weight_clip", lambda x: 0 < x < math.inf, "a finite number above 0")
        if self.loss == "wasserstein" and self.label_smoothing != "none":
            raise UserError(
                f"--label-smoothing {self.label_smoothing} smooths labels, which --loss wasserstein "
                "does not have: leave it out or choose another loss."
            )

    def build(self, spec: ImageSpec) -> Task:
        """Generator and discriminator with the chosen pair of losses."""
        import jax
        import jax.numpy as jnp

        from jaxgen.equations.gan import clip_weights
        from jaxgen.evaluation.gan import make_gan_evaluation
        from jaxgen.models.gan import Discriminator, Generator
        from jaxgen.objectives.gan import choose_losses, make_gan_losses
        from jaxgen.sampling.images import sample_gan, save_grid
        from jaxgen.training.adversarial import init_players, make_adversarial_step
        from jaxgen.training.optimizer import make_optimizer
        from jaxgen.training.state import init_state
        from jaxgen.training.task import Task

        generator, discriminator = Generator(self.model, spec.shape), Discriminator(self.model)
        optimizer = make_optimizer(self.optimizer)

        def init(key):
            g_key, d_key, state_key = jax.random.split(key, 3)
            noise, image = jnp.zeros((1, self.model.latent_size)), jnp.zeros((1, *spec.shape))
            params = {
                "discriminator": discriminator.init(d_key, image)["params"],
                "generator": generator.init(g_key, noise)["params"],
            }
            ema = self.ema_decay is not None
            return init_state(params, init_players(params, optimizer), state_key, ema=ema)

        def sample(params, key, path):
            images = sample_gan(generator, params["generator"], key, self.sampling.count)
            return save_grid(images, path)

        def constrain(params):
            return clip_weights(params, self.weight_clip) if self.loss == "wasserstein" else params

        pair = choose_losses(self.loss, self.label_smoothing)
        losses = make_gan_losses(generator, discriminator, pair)
        step = make_adversarial_step(*losses, optimizer, constrain, **self.step_options)
        evaluate = make_gan_evaluation(generator, discriminator)
        return Task(init, step, evaluate, sample, best="eval/pixel_frechet")

    def costs(self, spec: ImageSpec):
        """What one training step costs, row by row."""
        return gan_step(
            self.model, self.optimizer,
            batch_size=self.batch_size, pixels=math.prod(spec.shape),
            loss=self.loss, label_smoothing=self.label_smoothing,
            ema=self.ema_decay is not None,
        )  # fmt: skip
