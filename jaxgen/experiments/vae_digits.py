"""A VAE on the 8x8 digits."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from jaxgen.costs.vae import vae_step
from jaxgen.errors import UserError
from jaxgen.experiments.base import Experiment
from jaxgen.models.vae_config import VAEConfig
from jaxgen.sampling.config import ImageSampling
from jaxgen.training.config import OptimizerConfig

if TYPE_CHECKING:
    from jaxgen.data import ImageSpec
    from jaxgen.training.task import Task


@dataclass(frozen=True)
class VAEDigits(Experiment):
    """An MLP variational autoencoder on handwritten digits.

    Paper: Kingma & Welling 2014, appendix C.

    Command: python train.py vae-digits

    Expected: eval/loss 17.2 ± 0.3, the negative ELBO in nats per held-out image, statically binarised
    (a pixel above half is white).

    Time: about 20 s on 2 cores.
    """

    kind: ClassVar = "images"
    steps: int = 3000
    batch_size: int = 128
    data: str = "digits"
    binarise: Literal["threshold", "draw", "no"] = "threshold"
    """Make pixels black or white: above half (static); drawn with the grey level as probability, anew
    at each step and once for the held-out images (dynamic); or keep the grey levels."""
    model: VAEConfig = field(default_factory=lambda: VAEConfig(hidden_sizes=(512, 256)))
    optimizer: OptimizerConfig = field(
        default_factory=lambda: OptimizerConfig(
            learning_rate=1e-3, weight_decay=0.3, schedule="cosine", decay_steps=3000
        )
    )
    sampling: ImageSampling = field(default_factory=ImageSampling)

    def __post_init__(self):
        super().__post_init__()
        if self.model.decoder == "gaussian" and self.binarise != "no":
            raise UserError(
                "--model.decoder gaussian models grey levels: give --binarise no beside it."
            )

    def build(self, spec: ImageSpec) -> Task:
        """A VAE with its negative evidence lower bound."""
        import jax
        import jax.numpy as jnp

        from jaxgen.evaluation.vae import make_vae_evaluation
        from jaxgen.models.vae import VAE
        from jaxgen.objectives.vae import make_vae_loss
        from jaxgen.sampling.images import sample_vae, save_grid
        from jaxgen.training.optimizer import make_optimizer
        from jaxgen.training.state import init_state
        from jaxgen.training.step import make_step
        from jaxgen.training.task import Task

        model = VAE(self.model, spec.shape)
        optimizer = make_optimizer(self.optimizer)

        def init(key):
            init_key, state_key = jax.random.split(key)
            params = model.init(init_key, jnp.zeros((1, *spec.shape)))["params"]
            ema = self.ema_decay is not None
            return init_state(params, optimizer.init(params), state_key, ema=ema)

        def sample(params, key, path):
            return save_grid(sample_vae(model, params, key, self.sampling.count), path)

        step = make_step(make_vae_loss(model, self.binarise), optimizer, **self.step_options)
        evaluate = make_vae_evaluation(model, self.binarise)
        return Task(init, step, evaluate, sample, best="eval/loss")

    def costs(self, spec: ImageSpec):
        """What one training step costs, row by row."""
        return vae_step(
            self.model, self.optimizer,
            batch_size=self.batch_size, pixels=math.prod(spec.shape), binarise=self.binarise,
            ema=self.ema_decay is not None,
        )  # fmt: skip
