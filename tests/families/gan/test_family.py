"""What a person asks of a GAN, and what is refused, in one sentence that names the flag."""

from dataclasses import replace

import pytest

from jaxgen.data import ImageSpec
from jaxgen.errors import UserError
from jaxgen.families.gan import family
from jaxgen.families.gan.family import GAN
from jaxgen.families.gan.names import AS_PRINTED
from jaxgen.models.dcgan.config import DCGANConfig

PLAIN = GAN()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"loss": "hing"}, r"--loss hing does not exist: did you mean hinge\?"),
        ({"loss": "gan.minimax:printed"}, r"did you mean gan.minimax:as-printed\?"),
        (
            {"weight_clip": 0.1},
            "--weight-clip 0.1 is for --loss wasserstein, whose critic it keeps smooth, not for "
            "non-saturating",
        ),
        (
            {"weight_clip": 0.0, "loss": "wasserstein"},
            "--weight-clip is 0.0: give a finite number above",
        ),
        ({"pack": 5}, "--pack is 5: give a divisor of --batch-size 64"),
        ({"pack": 2, "accumulate": 2}, "--pack is 2: give 1 beside --accumulate"),
        (
            {"label_smoothing": "one-sided", "loss": "hinge"},
            "--label-smoothing one-sided smooths labels, which --loss hinge does not have",
        ),
        ({"noise_penalty": 1.0}, "--noise-penalty 1 is in units of the noise's variance"),
        ({"r1": -1.0}, "--r1 is -1.0: give a finite number of 0 or more"),
        ({"judge_samples": 1}, "--judge-samples is 1: give 2 to 1,000,000"),
    ],
)
def test_what_cannot_be_is_refused(fields, message):
    with pytest.raises(UserError, match=message):
        replace(PLAIN, **fields)


@pytest.mark.parametrize("loss", AS_PRINTED)
def test_a_mistake_can_be_trained_with_and_says_so_once(loss, capsys):
    family._warn.cache_clear()
    for _ in range(2):
        replace(PLAIN, loss=loss).build(ImageSpec(2, 3, 1, None))
    said = f"--loss {loss} is a mistake: {AS_PRINTED[loss]}.\n"
    assert capsys.readouterr().err == said
    replace(PLAIN, loss="hinge").build(ImageSpec(2, 3, 1, None))
    assert capsys.readouterr().err == ""


def test_what_has_no_cost_table_says_so():
    spec = ImageSpec(4, 4, 1, None)
    with pytest.raises(UserError, match="R1 has no cost table beside --model"):
        replace(PLAIN, r1=1.0, model=DCGANConfig()).costs(spec)
