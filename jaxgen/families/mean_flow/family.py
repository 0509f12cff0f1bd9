"""Mean flows of images and of points."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from jaxgen.errors import UserError, check
from jaxgen.families.base import Experiment, FromRun, Trained
from jaxgen.families.classes import num_told
from jaxgen.families.mean_flow.config import MeanFlowSampling
from jaxgen.families.mean_flow.costs import mean_flow_step
from jaxgen.models.base import ModelConfig
from jaxgen.models.mlp_denoiser.config import MLPDenoiserConfig
from jaxgen.training.config import OptimizerConfig

if TYPE_CHECKING:
    from jaxgen.costs.table import Table
    from jaxgen.training.task import Task


@dataclass(frozen=True)
class MeanFlow(Experiment):
    """A network that goes from noise to images in one step."""

    kind: ClassVar = "images"
    classes: bool = False
    """Tell the network the class."""
    mean_share: float = 0.75
    """Share of examples whose two times differ; of the others U is the velocity itself."""
    time_mean: float = -0.4
    """Of the normal numbers whose logistic function the times are."""
    time_deviation: float = 1.0
    """Of the same."""
    power: float = 1.0
    """p: an error is divided by its own size to this power; 0 leaves it whole."""
    judge: FromRun = field(default_factory=lambda: FromRun(""))
    """A run of a classifier whose features judge the samples; none where the name is empty."""
    judge_samples: int = 1000
    """Samples that are drawn to be judged."""
    judge_examples: int = 1000
    """Held-out examples, at most, whose error is found."""
    model: ModelConfig = field(default_factory=MLPDenoiserConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    sampling: MeanFlowSampling = field(default_factory=MeanFlowSampling)

    def __post_init__(self):
        super().__post_init__()
        check(self, "mean_share", lambda x: 0 <= x <= 1, "0 to 1")
        check(self, "time_mean", lambda x: -20 <= x <= 20, "-20 to 20")
        check(self, "time_deviation", lambda x: 0 < x <= 20, "above 0, 20 or less")
        check(self, "power", lambda x: 0 <= x <= 2, "0 to 2")
        for name in ("judge_samples", "judge_examples"):
            check(self, name, lambda x: 1 <= x <= 1_000_000, "1 to 1,000,000")
        if getattr(self.model, "dropout", 0.0):
            raise UserError(
                "--model.dropout would give each derivative a mask of its own: leave it at 0."
            )

    def build(self, spec: Any, trained: Mapping[str, Trained] | None = None) -> Task:
        """A network with its loss; it applies to (z, times, label), see `objective.told`."""
        import jax.numpy as jnp

        from jaxgen.families.mean_flow.evaluation import make_evaluation
        from jaxgen.families.mean_flow.objective import make_mean_flow_loss
        from jaxgen.families.mean_flow.sampling import make_sampler
        from jaxgen.training.optimizer import make_optimizer
        from jaxgen.training.state import Weights
        from jaxgen.training.task import one_player

        classes, size = self.told_classes(spec), math.prod(spec.shape)
        model = self.model.make(spec.shape, classes, 1)
        label = None if classes is None else jnp.zeros(1, jnp.int32)
        loss = make_mean_flow_loss(self, model, self._name)
        draw = make_sampler(model, size, self.sampling.num_steps)

        def init(key):
            inputs = (jnp.zeros((1, size)), jnp.zeros((1, 2)), label)
            return Weights(model.init(key, *inputs)["params"])

        return one_player(
            init, loss, make_optimizer(self.optimizer), **self.step_options,
            evaluate=make_evaluation(self, loss, draw, self._found(spec, trained or {}), classes),
            sample=self._sample(spec, draw),
            best="eval/loss",
            apply=lambda weights, inputs: model.apply({"params": weights.params}, *inputs),
        )  # fmt: skip

    @property
    def _name(self) -> str:
        return "image"

    def _found(self, spec: Any, trained: Mapping[str, Trained]) -> Callable:
        """What is found of samples."""
        from jaxgen.families.judge import make_judge
        from jaxgen.families.mean_flow.evaluation import of_images

        judge = make_judge(trained["judge"], self.judge.run) if "judge" in trained else None
        return of_images(judge, self.judge.run)

    def _sample(self, spec: Any, draw: Callable) -> Callable:
        """`sample` of the Task."""
        import jax
        import jax.numpy as jnp

        from jaxgen.families.classes import labels_for
        from jaxgen.metrics.pictures import save_grid

        count = self.sampling.count
        label = labels_for(count, self.told_classes(spec), self.sampling.label)

        def sample(weights, key, path):
            rows = draw(weights.params, jax.random.split(key, count), label)
            return save_grid(jnp.clip((rows + 1) / 2, 0, 1).reshape(-1, *spec.shape), path)

        return sample

    def costs(self, spec: Any) -> Table:
        """What one training step costs, row by row."""
        return mean_flow_step(
            self.model, self.optimizer, batch_size=self.batch_size, shape=spec.shape,
            num_classes=self.told_classes(spec) or 0, ema=self.ema_decay is not None,
        )  # fmt: skip

    def told_classes(self, spec: Any) -> int | None:
        """Classes that the network is told; None: none.

        Raises UserError where there are not those that are asked for.
        """
        return num_told(self, spec, self.classes, "--classes", tells=": leave --classes out")


@dataclass(frozen=True)
class PointMeanFlow(MeanFlow):
    """A network that goes from noise to points in one step."""

    kind: ClassVar = "points"
    data: str = "ring"
    """Where the data comes from: ring or grid."""

    @property
    def _name(self) -> str:
        return "point"

    def _found(self, spec: Any, trained: Mapping[str, Trained]) -> Callable:
        from jaxgen.families.mean_flow.evaluation import of_points

        return of_points(spec.mixture)

    def _sample(self, spec: Any, draw: Callable) -> Callable:
        import jax
        import numpy as np

        from jaxgen.families.classes import labels_for
        from jaxgen.metrics.pictures import save_points

        count = self.sampling.count
        label = labels_for(count, self.told_classes(spec), self.sampling.label)

        def sample(weights, key, path):
            points = draw(weights.params, jax.random.split(key, count), label)
            return save_points(points, np.asarray(spec.mixture.centres), path)

        return sample
