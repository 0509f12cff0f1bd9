"""Held-out judgement of a model of text and image: its loss, and whether it draws what it is asked.

In the catalogue: `tokens.joint-loss`.
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.data.captions.kind import CaptionSpec
from jaxgen.data.captions.scenes import is_shown
from jaxgen.equations import text_to_image
from jaxgen.families.batches import in_batches
from jaxgen.families.text_image.codec import Codec
from jaxgen.families.text_image.objective import part_nats
from jaxgen.families.text_image.reading import read_attributes
from jaxgen.metrics.frechet import frechet_distance

BATCH = 200
MAX_PIXELS = 1024
"""Pixels of an image beyond which the Fréchet distance of raw pixels has no room, or no meaning."""


def make_text_image_evaluation(
    settings: Any, model: nn.Module, codec: Codec, spec: CaptionSpec, draw: Callable,
    judge: Callable | None,
) -> Callable:  # fmt: skip
    """`evaluate(weights, dataset)`: `loss`, `text_nats`, `image_nats` a token, and a judge's verdict.

    `as_asked`, the share of `judge_samples` images of held-out captions, drawn once each, that it reads
    as asked in every attribute; of captions with one attribute `worst_class`; where some combinations
    were held out `as_asked_seen` and `as_asked_held_out`; and `judge_on_real`, the share of real images
    that it reads so. Each has the judge's run in its name. `pixel_frechet` of small images.
    """

    @jax.jit
    def nats(params, batch):
        codes = codec.encode(batch["image"])
        of_text, of_image = part_nats(model, params, batch["caption"], codes, spec.vocab_size)
        joint = text_to_image.joint_nats(of_text, of_image, settings.text_weight)
        return {"loss": joint, "text_nats": of_text.mean(1), "image_nats": of_image.mean(1)}

    def evaluate(weights, dataset) -> dict[str, float]:
        count = dataset.num_examples

        def of_places(places):
            batch = dataset.take(dataset.arrays, places)
            return nats(weights.params, {name: batch[name] for name in ("image", "caption")})

        found = in_batches(of_places, count, BATCH)
        metrics = {name: float(np.asarray(each, np.float64).mean()) for name, each in found.items()}
        asked = dataset.take(dataset.arrays, np.arange(settings.judge_samples) % count)
        keys = jax.random.split(jax.random.key(0), settings.judge_samples)
        images = np.asarray(codec.decode(draw(weights.params, keys, jnp.asarray(asked["caption"]))))
        if np.prod(spec.shape) <= MAX_PIXELS and min(count, len(images)) > 1:
            real = dataset.take(dataset.arrays, np.arange(count))["image"]
            rows = (each.reshape(len(each), -1) for each in (real, images))
            metrics["pixel_frechet"] = frechet_distance(*rows)
        if judge is not None:
            own = judged(judge, images, asked, spec)
            metrics |= {f"{name}[{settings.judge.run}]": value for name, value in own.items()}
        return metrics

    return evaluate


def judged(judge: Callable, images: np.ndarray, asked: Any, spec: CaptionSpec) -> dict[str, float]:
    """What a classifier reads off images drawn for the captions of a batch, and off the real ones."""
    language = spec.words
    wanted = [language.readings(language.decode(row)) for row in asked["caption"]]

    def right(images):
        read = read_attributes(judge(images)[1], spec.attributes)
        return np.array(
            [is_shown(own[None], want)[0] for own, want in zip(read, wanted, strict=True)]
        )

    drawn = right(images)
    metrics = {
        "as_asked": float(drawn.mean()),
        "judge_on_real": float(right(asked["image"]).mean()),
    }
    if len(spec.attributes) == 1:
        value = asked["attributes"][:, 0]
        metrics["worst_class"] = float(
            min(drawn[value == each].mean() for each in np.unique(value))
        )
    for name, each in (("seen", 0), ("held_out", 1)):
        if (asked.get("held_out", np.zeros(0)) == each).any():
            metrics[f"as_asked_{name}"] = float(drawn[asked["held_out"] == each].mean())
    return metrics
