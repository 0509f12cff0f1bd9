"""A sound experiment's fields to its functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax.numpy as jnp

from jaxgen.families.sound.evaluation import make_sound_evaluation
from jaxgen.families.sound.objective import make_sound_loss
from jaxgen.families.sound.output import output_of
from jaxgen.families.sound.sampling import plan_of, sample_sound
from jaxgen.training.optimizer import make_optimizer
from jaxgen.training.state import Weights
from jaxgen.training.task import Task, one_player

if TYPE_CHECKING:
    from jaxgen.data.audio.kind import AudioSpec
    from jaxgen.families.sound.family import Sound


def build_task(experiment: Sound, spec: AudioSpec) -> Task:
    """The functions that train and try the model."""
    output = output_of(experiment.output, experiment.levels, experiment.mixtures)
    config, sampling = experiment.model, experiment.sampling
    model = config.make(output.read_levels, output.size, spec.num_features, len(spec.labels))
    reach = config.receptive_field
    # What cannot be drawn is refused before training; features and primes may be given later.
    plan_of(spec, sampling, reach, strict=False)

    def init(key):
        features = jnp.zeros((1, 1, spec.num_features)) if spec.num_features else None
        label = jnp.zeros(1, jnp.int32) if spec.labels else None
        return Weights(model.init(key, jnp.zeros((1, 2)), features, label)["params"])

    def sample(weights, key, path):
        plan = plan_of(spec, sampling, reach)
        return sample_sound(model, output, weights.params, key, path, spec, sampling, plan)

    return one_player(
        init,
        make_sound_loss(model, output),
        make_optimizer(experiment.optimizer),
        **experiment.step_options,
        evaluate=make_sound_evaluation(experiment, model, output, spec, reach),
        sample=sample,
        best="eval/loss",
        apply=lambda weights, inputs: model.apply({"params": weights.params}, *inputs),
    )
