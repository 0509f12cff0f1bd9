"""Images of a prompt, or of held-out captions with these written over them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.data.captions.kind import CaptionSpec
from jaxgen.errors import UserError
from jaxgen.families.text_image.codec import Codec
from jaxgen.families.text_image.config import PromptSampling
from jaxgen.families.text_image.reading import best_of
from jaxgen.metrics.pictures import save_grid
from jaxgen.metrics.titled import save_titled


def draw_images(
    draw: Callable, codec: Codec, spec: CaptionSpec, judge: Callable | None,
    sampling: PromptSampling, params: Any, key: Any, captions: list[str],
) -> np.ndarray:  # fmt: skip
    """An image for each caption; of several candidates the one that the judge finds most like it.

    Raises UserError where a caption has words that are not known, where candidates are to be judged and
    there is no judge, or where the caption says nothing that can be judged.
    """
    text = np.stack([spec.words.encode(caption) for caption in captions])
    many = sampling.candidates
    keys = jax.random.split(key, len(captions) * many)
    codes = draw(params, keys, jnp.asarray(np.repeat(text, many, axis=0)))
    images = np.asarray(codec.decode(codes))
    if many == 1:
        return images
    if judge is None:
        raise UserError(
            f"--sampling.candidates {many} needs a judge that chooses: train with --judge.run NAME of a "
            "classifier's run, or give 1."
        )
    readings = [spec.words.readings(caption) for caption in captions]
    images = images.reshape(len(captions), many, *images.shape[1:])
    return best_of(judge, images, spec.attributes, readings)


def sample_prompt(
    draw: Callable, codec: Codec, spec: CaptionSpec, judge: Callable | None,
    sampling: PromptSampling, params: Any, key: Any, path: Path, held_out: Callable,
) -> Path:  # fmt: skip
    """The images of a prompt as a grid, or of as many held-out captions, each under its words."""
    if sampling.prompt is not None:
        captions = [sampling.prompt] * sampling.count
        images = draw_images(draw, codec, spec, judge, sampling, params, key, captions)
        return save_grid(jnp.asarray(images), path)
    rows = held_out(sampling.count)
    captions = [spec.words.decode(row) for row in rows]
    images = draw_images(draw, codec, spec, judge, sampling, params, key, captions)
    return save_titled(images, captions, path)
