"""What a person sets of a GAN's samples; no jax here, so that help is quick."""

from dataclasses import dataclass
from typing import Any, Literal

from jaxgen.errors import UserError, check
from jaxgen.families.classes import num_told
from jaxgen.families.sampling import ImageSampling, PointSampling

Show = Literal["samples", "classes", "interpolation", "truncation", "training"]


@dataclass(frozen=True)
class GANImageSampling(ImageSampling):
    """How images are drawn."""

    show: Show = "samples"
    """Only samples; or the same noise for each class, on its way to other noise, or ever nearer to 0, a
    column each; or the samples that training left behind, as one moving picture."""
    truncation: float = 0.0
    """τ: noise beyond it is drawn again, for likelier samples and fewer kinds of them; 0: none is."""
    label: int = -1
    """The class to draw; -1 draws all in turn."""

    def __post_init__(self):
        super().__post_init__()
        _check(self)


@dataclass(frozen=True)
class GANPointSampling(PointSampling):
    """How points are drawn."""

    show: Show = "samples"
    """Only a cloud; or one of each class, on the way from some noise to other noise, or of noise ever
    nearer to 0; or the clouds that training left behind, as one moving picture."""
    truncation: float = 0.0
    """τ: noise beyond it is drawn again, for likelier samples and fewer kinds of them; 0: none is."""
    label: int = -1
    """The class to draw; -1 draws all in turn."""

    def __post_init__(self):
        super().__post_init__()
        _check(self)


def _check(sampling: Any) -> None:
    check(sampling, "truncation", lambda x: 0 <= x <= 5, "0 to 5", "sampling.")
    check(sampling, "label", lambda x: x >= -1, "a class, or -1 for all", "sampling.")


def labels_of(model: Any) -> str:
    """How the players of a model are told the class; `none` where it knows nothing of classes."""
    return getattr(model, "labels", "none")


def classes_told(experiment: Any, spec: Any) -> int:
    """The classes that both players are told; 0: none.

    Raises UserError where data has none, and where samples are asked for that there are not.
    """
    sampling, labels = experiment.sampling, labels_of(experiment.model)
    if labels == "none" and sampling.label < 0 and sampling.show == "classes":
        raise UserError(
            "--sampling.show classes asks for a class, but the model is told none: leave it out, or "
            "train one with --model.labels projection."
        )
    tells = f", which --model.labels {labels} tells: leave it out"
    told = labels != "none"
    return num_told(experiment, spec, told, "--model.labels projection", tells=tells) or 0
