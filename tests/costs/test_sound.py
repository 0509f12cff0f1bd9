"""A WaveNet's table against a walk over the jaxpr of its real step, exactly, told this or that."""

from dataclasses import replace

import jax
import pytest

from jaxgen.costs.table import CONTRACTIONS
from jaxgen.costs.walk.count import count
from jaxgen.data import AudioSpec
from jaxgen.experiments.registry import find_preset
from jaxgen.models.wavenet.config import WaveNetConfig

# Sizes of which no two are equal, so that a swapped letter must show.
SMALL = WaveNetConfig(5, 3, 3, 7, 11, 13, 17)
VOWELS = find_preset("wavenet-vowels").experiment
LABELS = tuple("abcdef")
SPECS = {
    "nothing": AudioSpec(8000),
    "features": AudioSpec(8000, 19, 4),
    "labels": AudioSpec(8000, labels=LABELS),
    "both": AudioSpec(8000, 19, 4, LABELS),
}


@pytest.mark.parametrize(
    ("told", "output", "model"),
    [
        *((told, "mu-law", SMALL) for told in SPECS),
        ("both", "logistics", SMALL),
        ("nothing", "mu-law", replace(SMALL, num_layers=1, filter_width=1)),
    ],
)
def test_a_step_is_its_table(told, output, model, step_of):
    experiment = replace(
        VOWELS, batch_size=2, seq_len=20, model=model, levels=23, output=output, mixtures=3
    )
    step = step_of(experiment, SPECS[told])
    walked = count(step.task.step, step.state, step.batch)
    assert walked.matmul_flops == step.table.matmul_flops
    assert walked.uncounted == frozenset() and walked.notes == frozenset()
    assert step.table.parameters == sum(leaf.size for leaf in jax.tree.leaves(step.state.params))
    assert 0.8 < walked.elementwise_flops / step.table.elementwise_flops < 1.4


def test_the_forward_pass_is_the_table_s(step_of):
    step = step_of(replace(VOWELS, seq_len=40), AudioSpec(8000))
    model = VOWELS.model.make(256, 256)
    signal = jax.ShapeDtypeStruct((VOWELS.batch_size, 40), "float32")
    walked = count(model.apply, {"params": step.state.params}, signal)
    assert walked.matmul_flops == step.table.flops("forward", CONTRACTIONS)
