"""Variational autoencoders on images."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from jaxgen.errors import UserError, check
from jaxgen.families.base import OfImages, Trained
from jaxgen.families.vae.config import VAESampling
from jaxgen.families.vae.costs import vae_step
from jaxgen.families.vae.names import (
    OF_LEVELS,
    LikelihoodName,
    PixelsName,
    judged_pixels,
    outputs_of,
)
from jaxgen.models.base import ModelConfig
from jaxgen.models.mlp_vae.config import MLPVAEConfig
from jaxgen.training.config import OptimizerConfig

if TYPE_CHECKING:
    from jaxgen.costs.table import Table
    from jaxgen.data import Data, ImageSpec
    from jaxgen.training.task import Task


@dataclass(frozen=True)
class VAE(OfImages):
    """An encoder and a decoder that maximise a lower bound of the data's log-likelihood."""

    likelihood: LikelihoodName = "bernoulli"
    """p(x|z) of a pixel: black or white; a Gaussian of a fixed variance, of one that is learned, or of
    one for each pixel; a logistic cut into --levels; or any probabilities of --levels."""
    binarise: PixelsName = "threshold"
    """Make pixels black or white for a Bernoulli: above half (static); drawn with the grey level as
    probability, once and for all (static) or anew at each step (dynamic), the held-out images once in
    both. Or keep the levels: grey takes them for probabilities, which is no likelihood, and no is for
    the other likelihoods. Numbers of two of these cannot be compared, and metrics name theirs."""
    levels: int = 0
    """V, the data's grey levels, for logistic and categorical: 17 of digits, 256 of eight bits."""
    deviation: float = 0.1
    """The standard deviation of gaussian-fixed, at which gaussian-learned begins; pixels are 0 to 1."""
    estimator: Literal["elbo", "iwae", "dreg"] = "elbo"
    """What is maximised: the evidence lower bound, or the importance-weighted one, with the plain
    gradient or the encoder's doubly reparameterised."""
    samples: int = 1
    """K, draws of z for each image of a step."""
    kl: Literal["analytic", "sampled"] = "analytic"
    """The divergence from the prior in closed form, where there is one, or from the draw."""
    beta: float = 1.0
    """What a nat of the divergence costs; only at 1 is the loss a bound."""
    kl_warmup: int = 0
    """Steps over which that price grows from 0."""
    free_bits: float = 0.0
    """Nats of each latent, on average over the batch, that cost nothing."""
    judge_samples: int = 100
    """K of the bound that is reported of held-out images beside -ELBO, draws of z each; 0: none."""
    model: ModelConfig = field(default_factory=MLPVAEConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    sampling: VAESampling = field(default_factory=VAESampling)

    def __post_init__(self):
        super().__post_init__()
        check(self, "deviation", lambda x: 0 < x < math.inf, "a finite number above 0")
        check(self, "samples", lambda x: 1 <= x <= 100_000, "1 to 100,000")
        check(self, "beta", lambda x: 0 <= x < math.inf, "a finite number of 0 or more")
        check(self, "kl_warmup", lambda x: x >= 0, "0 or more")
        check(self, "free_bits", lambda x: 0 <= x < math.inf, "a finite number of 0 or more")
        check(self, "judge_samples", lambda x: 0 <= x <= 100_000, "0 to 100,000")
        self._check_pixels()
        self._check_estimator()

    def _check_pixels(self) -> None:
        binary = self.likelihood == "bernoulli"
        if binary and self.binarise == "no":
            raise UserError(
                "--binarise no leaves grey pixels, of which --likelihood bernoulli has no probability: "
                "give threshold, once or draw, or grey to take them for probabilities all the same."
            )
        if not binary and self.binarise != "no":
            raise UserError(
                f"--likelihood {self.likelihood} is for grey levels: give --binarise no beside it."
            )
        if (self.levels != 0) != (self.likelihood in OF_LEVELS) or self.levels == 1:
            raise UserError(
                f"--levels is {self.levels} beside --likelihood {self.likelihood}: give 2 or more with "
                "logistic and categorical, and 0 without."
            )

    def _check_estimator(self) -> None:
        if self.estimator == "elbo":
            return
        if self.beta != 1.0 or self.kl_warmup or self.free_bits or self.kl == "sampled":
            raise UserError(
                f"--estimator {self.estimator} has no divergence of its own: leave out --kl, --beta, "
                "--kl-warmup and --free-bits, or give --estimator elbo."
            )
        if self.estimator == "dreg" and hasattr(self.model, "upper_size"):
            raise UserError(
                "--estimator dreg is for one layer of latents: give iwae, or another model."
            )

    def load(self) -> Data:
        """The data; a UserError where it has not the levels that the likelihood is of."""
        data = super().load()
        own = getattr(data.train, "levels", 0)
        if self.levels and own <= 1:
            raise UserError(
                f"The pixels of --data {self.data} are real numbers, of which --likelihood "
                f"{self.likelihood} has no levels: give a Gaussian one, or the data as uint8."
            )
        if self.levels and self.levels != own + 1:
            raise UserError(
                f"--levels {self.levels} does not fit --data {self.data}, whose pixels have {own + 1} "
                "levels: give that."
            )
        return data

    def build(self, spec: ImageSpec, trained: Mapping[str, Trained] | None = None) -> Task:
        """A VAE with its bound; it applies to images, decoded at q's mean."""
        import jax.numpy as jnp

        from jaxgen.families.vae.evaluation import make_vae_evaluation
        from jaxgen.families.vae.likelihood import Likelihood
        from jaxgen.families.vae.objective import Objective, make_vae_loss
        from jaxgen.families.vae.pictures import save_picture
        from jaxgen.training.optimizer import make_optimizer
        from jaxgen.training.state import Weights
        from jaxgen.training.task import one_player

        model = self.model.make(spec.shape, outputs_of(self.likelihood, self.levels))
        likelihood = Likelihood(self.likelihood, self.levels, self.deviation)
        objective = Objective(
            self.estimator, self.samples, self.kl, self.beta, self.kl_warmup, self.free_bits
        )

        def init(key):
            params = model.init(key, jnp.zeros((1, *spec.shape)))["params"]
            return Weights(params | likelihood.own_params, objective.extra)

        def sample(weights, key, path):
            return save_picture(self, model, likelihood, weights.params, key, path)

        return one_player(
            init,
            make_vae_loss(model, self.binarise, likelihood, objective),
            make_optimizer(self.optimizer),
            **self.step_options,
            evaluate=make_vae_evaluation(
                model, self.binarise, likelihood,
                pixels=judged_pixels(self.likelihood, self.binarise, self.levels),
                num_samples=self.judge_samples,
            ),
            sample=sample,
            best="eval/loss",
            apply=lambda weights, image: model.apply({"params": weights.params}, image),
        )  # fmt: skip

    def costs(self, spec: ImageSpec) -> Table:
        """What one training step costs, row by row."""
        return vae_step(
            self.model, self.optimizer,
            batch_size=self.batch_size, shape=spec.shape, binarise=self.binarise,
            likelihood=self.likelihood, levels=self.levels,
            estimator=self.estimator, samples=self.samples, kl=self.kl,
            ema=self.ema_decay is not None,
        )  # fmt: skip
