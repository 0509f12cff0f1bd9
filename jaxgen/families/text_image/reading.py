"""What a trained classifier reads off images, and how well that is what a caption says."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int


def attribute_log_probs(
    logits: Float[np.ndarray, "n V"], attributes: Sequence[int]
) -> list[Float[np.ndarray, "n _"]]:
    """Of each attribute, side by side in the logits, the log-probability of each of its values."""
    ends = np.cumsum([0, *attributes])
    parts = [logits[:, low:high].astype(np.float64) for low, high in pairwise(ends)]
    shifted = [part - part.max(1, keepdims=True) for part in parts]
    return [part - np.log(np.exp(part).sum(1, keepdims=True)) for part in shifted]


def read_attributes(
    logits: Float[np.ndarray, "n V"], attributes: Sequence[int]
) -> Int[np.ndarray, "n A"]:
    """The likeliest value of each attribute."""
    return np.stack([part.argmax(1) for part in attribute_log_probs(logits, attributes)], axis=1)


def caption_score(
    logits: Float[np.ndarray, "n V"], attributes: Sequence[int], readings: Int[np.ndarray, "M A"]
) -> Float[np.ndarray, " n"]:
    """log-probability that an image shows what a caption says, by its likeliest reading."""
    parts = attribute_log_probs(logits, attributes)
    scores = [
        sum(
            (part[:, value] for part, value in zip(parts, row, strict=True) if value >= 0),
            np.zeros(len(logits)),
        )
        for row in readings.tolist()
    ]
    return np.max(scores, axis=0)


def best_of(
    judge: Callable, images: np.ndarray, attributes: Sequence[int], readings: Sequence[np.ndarray]
) -> np.ndarray:
    """Of images [n, candidates, ...] the one of each row that is most like that row's readings."""
    count, candidates = images.shape[:2]
    _, logits = judge(images.reshape(-1, *images.shape[2:]))
    logits = logits.reshape(count, candidates, -1)
    scores = [
        caption_score(each, attributes, own) for each, own in zip(logits, readings, strict=True)
    ]
    return images[np.arange(count), np.argmax(scores, axis=1)]
