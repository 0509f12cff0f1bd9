"""Generative adversarial networks on images, and on points whose density is known."""

from __future__ import annotations

import functools
import math
import sys
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from jaxgen.errors import UserError, check
from jaxgen.families.base import Experiment, FromRun, OfImages, Trained
from jaxgen.families.gan.config import GANImageSampling, GANPointSampling, classes_told, labels_of
from jaxgen.families.gan.costs import gan_step
from jaxgen.families.gan.names import AS_PRINTED, CLIPPED, LOG_LOSSES, LOSS_NAMES
from jaxgen.models.base import ModelConfig
from jaxgen.models.mlp_gan.config import MLPGANConfig
from jaxgen.suggest import did_you_mean
from jaxgen.training.config import OptimizerConfig

if TYPE_CHECKING:
    from jaxgen.costs.table import Table
    from jaxgen.families.gan.objective import Rules
    from jaxgen.training.task import Task

DCGAN_ADAM = OptimizerConfig(
    learning_rate=2e-4, beta1=0.5
)  # document 004, 5.2; Radford et al. 2016
WEIGHT_CLIP = 0.01  # Arjovsky et al. 2017, algorithm 1


@functools.cache  # once in a process, however often it builds the loss
def _warn(loss: str) -> None:
    print(f"--loss {loss} is a mistake: {AS_PRINTED[loss]}.", file=sys.stderr)


@dataclass(frozen=True)
class Adversarial(Experiment):
    """A generator and a discriminator, each of which learns from the other."""

    loss: str = "non-saturating"
    """The pair of losses: non-saturating, saturating (the minimax game), wasserstein (weights clipped),
    wasserstein-gp (gradient penalty), hinge, least-squares; or a mistake of the documents, such as
    gan.minimax:as-printed."""
    label_smoothing: Literal["none", "one-sided", "two-sided"] = "none"
    """Labels 0.9 and 0.1 (two-sided, document 002, 5.2), or 0.9 and 0 (one-sided)."""
    weight_clip: float = WEIGHT_CLIP
    """Bound on the critic's weights after each update; for --loss wasserstein only."""
    gradient_penalty: float = 10.0
    """Weight of the critic's penalty; for --loss wasserstein-gp only."""
    r1: float = 0.0
    """Weight of R1, half the discriminator's squared slope at real examples."""
    noise_penalty: float = 0.0
    """Weight of half the squared slope at real and generated examples, times the noise's variance."""
    spectral_norm: bool = False
    """Divide the discriminator's kernels by their largest singular values."""
    noise_start: float = 0.0
    """Deviation of the noise that is added to what the discriminator sees; 0: none."""
    noise_end: float = 0.01
    """The deviation to which it falls, by equal factors, before it ends."""
    noise_steps: int = 1000
    """Steps until it ends."""
    pack: int = 1
    """m examples of one origin that the discriminator judges together (PacGAN)."""
    discriminator_steps: int = 1
    """k, the discriminator's updates for each of the generator's, on a batch of B examples each."""
    model: ModelConfig = field(default_factory=MLPGANConfig)
    generator_optimizer: OptimizerConfig = field(default=DCGAN_ADAM)
    discriminator_optimizer: OptimizerConfig = field(default=DCGAN_ADAM)

    def __post_init__(self):
        super().__post_init__()
        if self.loss not in (*LOSS_NAMES, *AS_PRINTED):
            raise UserError(
                f"--loss {self.loss} does not exist: "
                f"{did_you_mean(self.loss, (*LOSS_NAMES, *AS_PRINTED))}."
            )
        finite = (lambda x: 0 <= x < math.inf, "a finite number of 0 or more")
        for name in ("gradient_penalty", "r1", "noise_penalty", "noise_start"):
            check(self, name, *finite)
        check(self, "weight_clip", lambda x: 0 < x < math.inf, "a finite number above 0")
        check(self, "noise_end", lambda x: 0 < x < math.inf, "a finite number above 0")
        check(self, "noise_steps", lambda x: 1 <= x < 2**31, "1 or more")
        check(self, "discriminator_steps", lambda x: 1 <= x <= 100, "1 to 100")
        whole = self.batch_size if self.accumulate == 1 else 1  # pieces would pack other neighbours
        check(
            self, "pack", lambda x: x >= 1 and whole % x == 0,
            f"a divisor of --batch-size {self.batch_size}"
            if self.accumulate == 1 else "1 beside --accumulate",
        )  # fmt: skip
        if self.pack > 1 and labels_of(self.model) != "none":
            raise UserError(
                f"--pack {self.pack} judges examples of several classes together, and "
                f"--model.labels {labels_of(self.model)} one class each: leave one of them out."
            )
        self._check_losses()

    def _check_losses(self) -> None:
        if self.label_smoothing != "none" and self.loss not in LOG_LOSSES:
            raise UserError(
                f"--label-smoothing {self.label_smoothing} smooths labels, which --loss {self.loss} "
                "does not have: leave it out or choose another loss."
            )
        if self.weight_clip != WEIGHT_CLIP and self.loss not in CLIPPED:
            raise UserError(
                f"--weight-clip {self.weight_clip:g} is for --loss wasserstein, whose critic it keeps "
                f"smooth, not for {self.loss}: leave it out or choose that loss."
            )
        if self.noise_penalty and not self.noise_start:
            raise UserError(
                f"--noise-penalty {self.noise_penalty:g} is in units of the noise's variance, and there "
                "is no noise: give --noise-start, or leave it out."
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

    @property
    def _name(self) -> str:
        """Of the examples in a batch."""
        return "image"

    @property
    def _changes(self) -> tuple[str, ...]:
        """What examples go through before they are judged."""
        return ()

    def _rules(self) -> Rules:
        from jaxgen.families.gan.objective import Rules

        noise = (self.noise_start, self.noise_end, self.noise_steps) if self.noise_start else None
        return Rules(
            gradient_penalty=self.gradient_penalty if self.loss == "wasserstein-gp" else 0.0,
            r1=self.r1, noise_penalty=self.noise_penalty, spectral_norm=self.spectral_norm,
            noise=noise, pack=self.pack, augment=self._changes, labels=labels_of(self.model) != "none",
        )  # fmt: skip

    def build(self, spec: Any, trained: Mapping[str, Trained] | None = None) -> Task:
        """Both players with the chosen pair of losses; it applies to noise, which becomes examples.

        Of classes too, where players are told them: apply(weights, noise, label).
        """
        import jax

        from jaxgen.equations.gan import clip_weights
        from jaxgen.families.gan.objective import (
            at_rest,
            choose_losses,
            init_players,
            make_gan_losses,
        )
        from jaxgen.training.optimizer import make_optimizer
        from jaxgen.training.task import two_players

        if self.loss in AS_PRINTED:
            _warn(self.loss)
        classes = classes_told(self, spec)
        generator, discriminator = self.model.make(spec.shape, *([classes] if classes else []))
        rules = self._rules()

        def constrain(params):
            return clip_weights(params, self.weight_clip) if self.loss in CLIPPED else params

        pair = choose_losses(self.loss, self.label_smoothing)
        optimizers = {player: make_optimizer(own) for player, own in self.optimizers.items()}

        @jax.jit
        def apply(weights, noise, label=None):
            return at_rest(generator, "generator", weights, noise, label)

        def judge(weights, examples, label=None):
            return at_rest(discriminator, "discriminator", weights, examples, label)

        return two_players(
            init_players(generator, discriminator, rules, spec.shape),
            make_gan_losses(generator, discriminator, pair, rules, self._name),
            optimizers,
            constrain,
            discriminator_steps=self.discriminator_steps,
            **self.step_options,
            **self._judges(spec, generator.latent_size, apply, judge, trained or {}),
            apply=apply,
        )

    @abstractmethod
    def _judges(
        self, spec: Any, latent_size: int, apply: Callable, judge: Callable, trained: Mapping
    ) -> dict[str, Any]:
        """`evaluate`, `sample` and `best` of the Task."""

    def costs(self, spec: Any) -> Table:
        """What one training step costs, row by row."""
        classes = classes_told(self, spec)
        r1, both = ["R1"] * (self.r1 > 0), ["noise penalty"] * (2 * (self.noise_penalty > 0))
        line = ["gradient penalty"] * (self.loss == "wasserstein-gp" and self.gradient_penalty > 0)
        return gan_step(
            self.model, self.optimizers,
            batch_size=self.batch_size, shape=spec.shape,
            loss=self.loss, label_smoothing=self.label_smoothing,
            discriminator_steps=self.discriminator_steps, ema=self.ema_decay is not None,
            pack=self.pack, penalties=[*r1, *both, *line], noise=self.noise_start > 0,
            spectral_norm=self.spectral_norm, num_classes=classes, changes=self._changes,
        )  # fmt: skip


@dataclass(frozen=True)
class GAN(Adversarial, OfImages):
    """A generator of images and its discriminator."""

    augment: tuple[Literal["color", "translation", "cutout"], ...] = ()
    """Changes that every image goes through before it is judged, real or generated (DiffAugment)."""
    judge: FromRun = field(default_factory=lambda: FromRun(""))
    """A run of a classifier whose features judge the samples; none where the name is empty."""
    judge_samples: int = 10_000
    """Samples that are drawn for that."""
    sampling: GANImageSampling = field(default_factory=GANImageSampling)

    def __post_init__(self):
        super().__post_init__()
        check(self, "judge_samples", lambda x: 2 <= x <= 1_000_000, "2 to 1,000,000")

    @property
    def _changes(self) -> tuple[str, ...]:
        return self.augment

    def _judges(
        self, spec: Any, latent_size: int, apply: Callable, judge: Callable, trained: Mapping
    ) -> dict[str, Any]:
        from jaxgen.families.gan.evaluation import make_gan_evaluation
        from jaxgen.families.gan.shows import make_image_sample

        classes = classes_told(self, spec)
        of_sets = self._of_sets(trained, apply, latent_size, classes)
        evaluate = make_gan_evaluation(
            apply, judge, latent_size, pack=self.pack, num_classes=classes, of_sets=of_sets
        )
        sample = make_image_sample(self.sampling, apply, latent_size, classes)
        best = f"frechet[{self.judge.run}]" if of_sets else "pixel_frechet"
        return {"evaluate": evaluate, "sample": sample, "best": f"eval/{best}"}

    def _of_sets(
        self, trained: Mapping, apply: Callable, latent_size: int, num_classes: int
    ) -> Callable | None:
        """`(weights, held-out images) -> metrics` by the classifier's features; None without one."""
        if "judge" not in trained:
            return None
        import numpy as np

        from jaxgen.families.classes import labels_for
        from jaxgen.families.gan.sampling import sample_in_pieces
        from jaxgen.families.judge import make_judge, set_metrics

        own, run = make_judge(trained["judge"], self.judge.run), self.judge.run

        def of_sets(weights, real):
            count = self.judge_samples
            drawn = sample_in_pieces(apply, weights, count, latent_size, num_classes)
            asked = np.asarray(labels_for(count, num_classes)) if num_classes else None
            train = self.load().train  # for the floor
            places = np.arange(min(count, train.num_examples))
            floor = train.take(train.arrays, places)["image"]
            return set_metrics(own, run, drawn, real, floor, asked)

        return of_sets


@dataclass(frozen=True)
class PointGAN(Adversarial):
    """A generator of points beside the mixture that they should come from."""

    kind: ClassVar[str] = "points"
    data: str = "ring"
    """Where the data comes from: ring or grid."""
    judge_samples: int = 2500
    """Samples whose modes are counted."""
    sampling: GANPointSampling = field(default_factory=GANPointSampling)

    def __post_init__(self):
        super().__post_init__()
        check(self, "judge_samples", lambda x: 1 <= x <= 1_000_000, "1 to 1,000,000")

    @property
    def _name(self) -> str:
        return "point"

    def _judges(
        self, spec: Any, latent_size: int, apply: Callable, judge: Callable, trained: Mapping
    ) -> dict[str, Any]:
        from jaxgen.families.gan.evaluation import make_point_evaluation
        from jaxgen.families.gan.shows import make_point_sample

        classes = classes_told(self, spec)
        sample = make_point_sample(self.sampling, apply, latent_size, classes, spec.mixture)
        evaluate = make_point_evaluation(
            apply, judge, latent_size, spec.mixture, self.judge_samples, pack=self.pack,
            num_classes=classes,
        )  # fmt: skip
        return {"evaluate": evaluate, "sample": sample, "best": "eval/reverse_kl"}
