"""Classifiers of images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from jaxgen.errors import UserError, check
from jaxgen.families.base import Experiment, OfImages, Trained
from jaxgen.families.classifier.costs import classifier_step
from jaxgen.models.base import ModelConfig
from jaxgen.models.convnet.config import ConvNetConfig
from jaxgen.training.config import OptimizerConfig

if TYPE_CHECKING:
    from jaxgen.costs.table import Table
    from jaxgen.data import Data, ImageSpec
    from jaxgen.training.task import Task


@dataclass(frozen=True)
class Classifier(OfImages):
    """A model of an image's class, whose features can judge images that another model draws."""

    flip: bool = False
    """Mirror half of the training images left to right, drawn anew at each step."""
    shift: int = 0
    """Move each training image by at most so many pixels along each axis, drawn anew at each step."""
    model: ModelConfig = field(default_factory=ConvNetConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)

    def __post_init__(self):
        super().__post_init__()
        check(self, "shift", lambda x: x >= 0, "0 or more")

    def build(self, spec: ImageSpec, trained: Mapping[str, Trained] | None = None) -> Task:
        """A classifier with its cross-entropy; it applies to images, which become logits.

        With method="features" they become what the model tells the classes apart by.
        """
        import jax
        import jax.numpy as jnp

        from jaxgen.families.classifier.evaluation import make_classifier_evaluation
        from jaxgen.families.classifier.objective import make_classifier_loss
        from jaxgen.training.optimizer import make_optimizer
        from jaxgen.training.state import Weights
        from jaxgen.training.task import one_player

        model, reading = self.model.make(self._num_classes(spec)), self._reading(spec)
        if self.shift >= min(spec.height, spec.width):
            raise UserError(
                f"--shift {self.shift} moves images of {spec.height} x {spec.width} pixels out of "
                "sight: give less."
            )

        @partial(jax.jit, static_argnames="method")
        def apply(weights, image, method=None):
            return model.apply({"params": weights.params}, image, method=method)

        return one_player(
            lambda key: Weights(model.init(key, jnp.zeros((1, *spec.shape)))["params"]),
            make_classifier_loss(model, flip=self.flip, shift=self.shift, reading=reading),
            make_optimizer(self.optimizer),
            **self.step_options,
            evaluate=make_classifier_evaluation(model, reading=reading),
            best="eval/loss",
            apply=apply,
        )

    def costs(self, spec: ImageSpec) -> Table:
        """What one training step costs, row by row."""
        return classifier_step(
            self.model, self.optimizer,
            batch_size=self.batch_size, image_shape=spec.shape, num_classes=self._num_classes(spec),
            flip=self.flip, ema=self.ema_decay is not None,
        )  # fmt: skip

    def _reading(self, spec: Any) -> Any:
        """What the logits are of."""
        from jaxgen.families.classifier.objective import ONE_CLASS

        return ONE_CLASS

    def _num_classes(self, spec: Any) -> int:
        if spec.num_classes is None:
            raise UserError(
                f"The data of --data {self.data} has no labels, which a classifier learns from: choose "
                "a source with labels."
            )
        return spec.num_classes


@dataclass(frozen=True)
class AttributeClassifier(Classifier):
    """A model of all that captions speak of: of several attributes, each with a few values."""

    kind: ClassVar[str] = "captions"
    data: str = "shapes-all"
    """Where the data comes from: captioned-digits, shapes, shapes-all."""

    def load(self) -> Data:
        """The images and their captions."""
        return Experiment.load(self)

    def _reading(self, spec: Any) -> Any:
        from jaxgen.families.classifier.objective import of_attributes

        return of_attributes(spec.attributes)

    def _num_classes(self, spec: Any) -> int:
        """Of the logits of all attributes, side by side."""
        return sum(spec.attributes)
