"""Diffusion models of images and of points.

In the catalogue: `diffusion.mixture-denoiser`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from jaxgen.errors import UserError, check
from jaxgen.families.base import Experiment, FromRun, Trained
from jaxgen.families.classes import num_told
from jaxgen.families.diffusion.config import DiffusionSampling
from jaxgen.families.diffusion.costs import diffusion_step
from jaxgen.models.base import ModelConfig
from jaxgen.models.mlp_denoiser.config import MLPDenoiserConfig
from jaxgen.training.config import OptimizerConfig

if TYPE_CHECKING:
    from jaxgen.costs.table import Table
    from jaxgen.data import Data
    from jaxgen.families.diffusion.denoiser import Denoiser
    from jaxgen.training.task import Task


@dataclass(frozen=True)
class Diffusion(Experiment):
    """A network that takes noise from images, at every level of noise."""

    kind: ClassVar = "images"
    schedule: Literal["linear-beta", "cosine", "exploding", "flow"] = "cosine"
    """How noise grows with t."""
    shift: float = 1.0
    """Noise is multiplied by this at every t; above 1 for large images."""
    prediction: Literal["x", "noise", "v", "velocity", "score", "edm", "lattice"] = "edm"
    """What the network's output is: a target, EDM's preconditioned one, or logits of --levels."""
    weighting: Literal[
        "x", "simple", "v", "velocity", "score", "min-snr", "edm", "bound", "sigmoid"
    ] = "edm"
    """The weight of an error in x at each noise."""
    times: Literal["uniform", "normal", "log-snr"] = "normal"
    """How noise is drawn for training: t uniform, λ normal (EDM's log-normal σ, the flow's logit-normal
    t), or λ uniform."""
    log_snr_mean: float = 2.4
    """Of a normal λ; EDM's P_mean is this over -2."""
    log_snr_deviation: float = 2.4
    """Of a normal λ; EDM's P_std is this over 2."""
    log_snr_min: float = -9.0
    """The lowest λ, at which sampling starts."""
    log_snr_max: float = 13.0
    """The highest λ that is trained."""
    data_deviation: float = 0.5
    """D, the deviation of the data along an axis; pixels go from -1 to 1."""
    levels: int = 0
    """Grey levels of a pixel, for --prediction lattice."""
    label_dropout: float | None = None
    """Share of labels that are dropped while training, for guidance; None: the model is told none."""
    judge: FromRun = field(default_factory=lambda: FromRun(""))
    """A run of a classifier whose features judge the samples; none where the name is empty."""
    judge_samples: int = 1000
    """Samples that are drawn to be judged."""
    judge_examples: int = 1000
    """Held-out examples, at most, whose bound is found."""
    judge_draws: int = 64
    """Draws of noise for each."""
    model: ModelConfig = field(default_factory=MLPDenoiserConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    sampling: DiffusionSampling = field(default_factory=DiffusionSampling)

    def __post_init__(self):
        super().__post_init__()
        check(self, "shift", lambda x: 0 < x < math.inf, "a finite number above 0")
        check(self, "data_deviation", lambda x: 0 < x < math.inf, "a finite number above 0")
        check(self, "log_snr_deviation", lambda x: 0 < x < math.inf, "a finite number above 0")
        check(
            self, "log_snr_min", lambda x: -30 <= x < self.log_snr_max, "-30 or more, below the max"
        )
        check(self, "log_snr_max", lambda x: x <= 30, "30 or less")
        check(self, "label_dropout", lambda x: x is None or 0 <= x <= 1, "0 to 1, or None")
        for name in ("judge_samples", "judge_examples", "judge_draws"):
            check(self, name, lambda x: 1 <= x <= 1_000_000, "1 to 1,000,000")
        if (self.levels != 0) != (self.prediction == "lattice") or self.levels in (1,):
            raise UserError(
                f"--levels is {self.levels} beside --prediction {self.prediction}: give 2 or more with "
                "lattice, and 0 without."
            )
        if self.sampling.guidance != 1.0 and not self.label_dropout:
            raise UserError(
                f"--sampling.guidance {self.sampling.guidance:g} needs a model that was trained with "
                "dropped labels: leave it at 1, or train one with --label-dropout 0.1."
            )

    def load(self) -> Data:
        """The data; a UserError where it has not the levels that the lattice is for."""
        data = super().load()
        own = getattr(data.train, "levels", 0) + 1
        if self.levels and self.levels != own:
            raise UserError(
                f"--levels {self.levels} does not fit --data {self.data}, whose pixels have {own} "
                "levels: give that."
            )
        return data

    def build(self, spec: Any, trained: Mapping[str, Trained] | None = None) -> Task:
        """A denoiser with its loss; it applies to (z, log_snr, label), rows of noisy examples."""
        import jax.numpy as jnp

        from jaxgen.families.diffusion.denoiser import Denoiser
        from jaxgen.families.diffusion.objective import make_diffusion_loss
        from jaxgen.training.optimizer import make_optimizer
        from jaxgen.training.state import Weights
        from jaxgen.training.task import one_player

        classes, size = self._num_classes(spec), math.prod(spec.shape)
        outputs = self.levels or 1
        model = self.model.make(spec.shape, classes, outputs)
        denoiser = Denoiser(model, self.prediction, self.data_deviation, self.levels, classes)
        schedule, exact = self._schedule(), self._exact(spec)
        label = None if classes is None else jnp.zeros(1, jnp.int32)

        def init(key):
            return Weights(model.init(key, jnp.zeros((1, size)), jnp.zeros(1), label)["params"])

        return one_player(
            init,
            make_diffusion_loss(self, denoiser, schedule, self._name, exact),
            make_optimizer(self.optimizer),
            **self.step_options,
            **self._judges(spec, denoiser, schedule, trained or {}),
            best="eval/loss",
            apply=lambda weights, inputs: model.apply({"params": weights.params}, *inputs),
        )

    def _schedule(self) -> Callable:
        from jaxgen.equations.diffusion_schedules import SCHEDULES, shifted

        schedule = SCHEDULES[self.schedule]
        return schedule if self.shift == 1.0 else shifted(schedule, self.shift)

    def _exact(self, spec: Any) -> Callable | None:
        """The exact denoiser, where the data's density is known."""
        return None

    @property
    def _name(self) -> str:
        return "image"

    def _judges(
        self, spec: Any, denoiser: Denoiser, schedule: Callable, trained: Mapping[str, Trained]
    ) -> dict[str, Any]:
        """`evaluate` and `sample` of the Task."""
        import jax
        import jax.numpy as jnp

        from jaxgen.families.classes import labels_for
        from jaxgen.families.diffusion.evaluation import make_image_evaluation
        from jaxgen.families.diffusion.sampling import make_paths, make_sampler
        from jaxgen.families.judge import make_judge
        from jaxgen.metrics.pictures import save_grid

        draw = make_sampler(self, denoiser, schedule, math.prod(spec.shape))
        paths = make_paths(self, denoiser, schedule, math.prod(spec.shape))

        def sample(weights, key, path):
            count, wanted = self.sampling.count, self.sampling.label
            label = labels_for(count, denoiser.num_classes, wanted)
            keys = jax.random.split(key, count)
            if self.sampling.show == "paths":
                levels = [rows for _, rows in paths(weights.params, keys, label)]
                rows, columns = jnp.stack(levels, axis=1), len(levels)  # of each image its own row
            else:
                rows, columns = draw(weights.params, keys, label), None
            return save_grid(jnp.clip((rows + 1) / 2, 0, 1).reshape(-1, *spec.shape), path, columns)

        judge = make_judge(trained["judge"], self.judge.run) if "judge" in trained else None
        evaluate = make_image_evaluation(self, denoiser, schedule, draw, judge)
        return {"evaluate": evaluate, "sample": sample}

    def costs(self, spec: Any) -> Table:
        """What one training step costs, row by row."""
        return diffusion_step(
            self.model, self.optimizer,
            batch_size=self.batch_size, shape=spec.shape,
            num_classes=self._num_classes(spec) or 0, levels=self.levels,
            ema=self.ema_decay is not None,
        )  # fmt: skip

    def _num_classes(self, spec: Any) -> int | None:
        tells = ", which --label-dropout drops: leave it out"
        told = self.label_dropout is not None
        return num_told(self, spec, told, "--label-dropout 0.1", tells=tells)


@dataclass(frozen=True)
class PointDiffusion(Diffusion):
    """A network that takes noise from points, beside the exact answer."""

    kind: ClassVar = "points"
    data: str = "ring"
    """Where the data comes from: ring or grid."""

    @property
    def _name(self) -> str:
        return "point"

    def _exact(self, spec: Any) -> Callable:
        import jax.numpy as jnp

        from jaxgen.equations.diffusion_gaussian import mixture_denoiser

        centres = jnp.asarray(spec.mixture.centres, jnp.float32)
        weights = jnp.full(len(centres), -math.log(len(centres)))

        def exact(z, level):
            return mixture_denoiser(z, centres, weights, spec.mixture.deviation, *level)

        return exact

    def _judges(
        self, spec: Any, denoiser: Denoiser, schedule: Callable, trained: Mapping[str, Trained]
    ) -> dict[str, Any]:
        """`evaluate` and `sample` of the Task: modes and regret, and a cloud."""
        import jax
        import numpy as np

        from jaxgen.families.classes import labels_for
        from jaxgen.families.diffusion.evaluation import make_point_evaluation
        from jaxgen.families.diffusion.sampling import make_paths, make_sampler
        from jaxgen.metrics.pictures import save_paths, save_points

        draw = make_sampler(self, denoiser, schedule, math.prod(spec.shape))
        paths = make_paths(self, denoiser, schedule, math.prod(spec.shape))
        centres = np.asarray(spec.mixture.centres)

        def sample(weights, key, path):
            count, wanted = self.sampling.count, self.sampling.label
            label = labels_for(count, denoiser.num_classes, wanted)
            if self.sampling.show == "paths":
                return save_paths(
                    paths(weights.params, jax.random.split(key, count), label), centres, path
                )
            points = draw(weights.params, jax.random.split(key, count), label)
            return save_points(points, centres, path)

        evaluate = make_point_evaluation(
            self, denoiser, schedule, draw, spec.mixture, self._exact(spec)
        )
        return {"evaluate": evaluate, "sample": sample}
