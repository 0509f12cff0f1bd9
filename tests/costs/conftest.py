"""What the tests of the costs share: the real step of an experiment as shapes, nothing computed."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import pytest

from jaxgen.costs.table import Table
from jaxgen.data import AudioSpec, CharacterTokenizer, ImageSpec, TextSpec
from jaxgen.training.task import Task


class Step(NamedTuple):
    """A task with the shapes of its state and batch, and the table that should price its step."""

    task: Task
    state: Any
    batch: dict
    table: Table


@pytest.fixture(scope="session")
def text_spec():
    """The spec of a text with that many different tokens."""
    return lambda vocab_size: TextSpec(
        CharacterTokenizer("".join(map(chr, range(vocab_size)))), first_token=0
    )


@pytest.fixture(scope="session")
def step_of():
    """`step_of(experiment, spec)`: the real step, as shapes."""

    def build(experiment, spec):
        B = experiment.examples_per_step
        if isinstance(spec, ImageSpec):
            batch = {"image": jax.ShapeDtypeStruct((B, *spec.shape), jnp.float32)}
        elif isinstance(spec, AudioSpec):
            T = experiment.seq_len
            batch = {"wave": jax.ShapeDtypeStruct((B, T + 1), jnp.float32)}
            if spec.num_features:
                shape = (B, T // spec.hop, spec.num_features)
                batch["features"] = jax.ShapeDtypeStruct(shape, jnp.float32)
            if spec.labels:
                batch["label"] = jax.ShapeDtypeStruct((B,), jnp.int32)
        else:
            tokens = jax.ShapeDtypeStruct((B, experiment.seq_len), jnp.int32)
            batch = {"tokens": tokens, "targets": tokens}
        task = experiment.build(spec)
        state = jax.eval_shape(task.init, jax.random.key(0))
        return Step(task, state, batch, experiment.costs(spec))

    return build
