"""A text-to-image experiment's fields to its functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp

from jaxgen.data.captions.kind import CaptionSpec
from jaxgen.errors import UserError
from jaxgen.families.base import Trained
from jaxgen.families.judge import make_judge
from jaxgen.families.text_image.codec import make_codec
from jaxgen.families.text_image.decoding import make_drawing
from jaxgen.families.text_image.evaluation import make_text_image_evaluation
from jaxgen.families.text_image.objective import make_text_image_loss
from jaxgen.families.text_image.sampling import sample_prompt
from jaxgen.training.optimizer import make_optimizer
from jaxgen.training.state import Weights
from jaxgen.training.task import Task, one_player

if TYPE_CHECKING:
    from jaxgen.families.text_image.family import TextToImage


def build_task(experiment: TextToImage, spec: CaptionSpec, trained: Mapping[str, Trained]) -> Task:
    """The functions that train and try the model."""
    codec = make_codec(trained["codes"], experiment.codes.run, spec.shape)
    words, text_len = spec.vocab_size, spec.words.length
    length = text_len + codec.length
    if experiment.model.max_seq_len < length:
        raise UserError(
            f"A caption of {text_len} words and an image of {codec.length} codes are {length} tokens, "
            f"and --model.max-seq-len is {experiment.model.max_seq_len}: give {length}."
        )
    model = experiment.model.make(words + codec.num_codes)
    judge = None
    if "judge" in trained:
        judge = make_judge(trained["judge"], experiment.judge.run)
        _check_judge(judge, experiment, spec)
    draw = make_drawing(model, words, codec.length, experiment.sampling)

    def held_out(count):
        test = experiment.load().test.sampled(count)
        rows = test.arrays["caption"]
        return [rows[i % len(rows)] for i in range(count)]

    def sample(weights, key, path):
        return sample_prompt(
            draw, codec, spec, judge, experiment.sampling, weights.params, key, path, held_out
        )

    def init(key) -> Weights:
        return Weights(model.init(key, jnp.zeros((1, length), jnp.int32))["params"])

    if experiment.sampling.prompt is not None:
        spec.words.encode(experiment.sampling.prompt)  # refused before anything is restored
    return one_player(
        init,
        make_text_image_loss(model, codec, words, experiment.text_dropout, experiment.text_weight),
        make_optimizer(experiment.optimizer),
        **experiment.step_options,
        evaluate=make_text_image_evaluation(experiment, model, codec, spec, draw, judge),
        sample=sample,
        model_axes=experiment.model.model_axes,
        best="eval/loss",
        apply=lambda weights, tokens: model.apply({"params": weights.params}, tokens),
    )


def _check_judge(judge: Any, experiment: TextToImage, spec: CaptionSpec) -> None:
    """Raise a UserError where a classifier does not read what captions speak of."""
    found = judge(jnp.zeros((1, *spec.shape)))[1].shape[1]
    if found != sum(spec.attributes):
        raise UserError(
            f"--judge.run {experiment.judge.run} tells {found} classes apart, and the captions of "
            f"--data {experiment.data} speak of {sum(spec.attributes)}: name a run on such data."
        )
