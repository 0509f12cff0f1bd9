"""Algorithms, code and words of the documents: all of them recorded, with what is wrong."""

import dataclasses
import re

import pytest

from jaxgen import catalog
from jaxgen.errors import UserError

# Everything that the documents print beside formulas, with its verdict.
EXPECTED = {
    "train.gan": "incomplete",
    "code.mnist-gan": "does not run",
    "code.gan-optimiser": "right",
    "code.gru-lm": "does not run",
    "code.gpt2-text": "right",
    "code.torch-gan": "incomplete",
    "steps.gpt": "misnamed",
    "steps.text-to-image": "misnamed",
    "steps.wavenet": "misnamed",
    "steps.vae": "right",
    "architecture": "right",
    "metrics": "right",
    "words.vae": "contradiction",
    "words.vae-objective": "contradiction",
    "words.generator-update": "contradiction",
    "words.optimiser": "contradiction",
    "words.gpt-year": "wrong date",
}
ALL = list(catalog.PASSAGES.values())


def test_the_passages_are_complete_and_in_order():
    assert {p.id: p.verdict for p in ALL} == EXPECTED
    assert list(catalog.PASSAGES) == list(EXPECTED)
    assert set(EXPECTED.values()) == set(catalog.PASSAGE_VERDICTS)
    assert not set(catalog.PASSAGES) & set(catalog.EQUATIONS)


def test_a_passage_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        ALL[0].verdict = "right"
    with pytest.raises(TypeError):
        catalog.PASSAGES["mine"] = ALL[0]


@pytest.mark.parametrize("passage", ALL, ids=lambda p: p.id)
def test_a_passage_is_filled_in(passage):
    for text in (passage.title, passage.says, passage.instead):
        assert text.strip() and text == text.strip()
    assert re.match(r"00[0-4], \d", passage.document)
    assert bool(passage.wrong) == (passage.verdict != "right")
    if passage.source:
        assert re.search(r"\b20\d\d\b.*https://", passage.source)


@pytest.mark.parametrize("passage", ALL, ids=lambda p: p.id)
def test_ids_that_a_passage_names_exist(passage):
    for name in re.findall(r"`([a-z0-9.-]+)`", f"{passage.wrong} {passage.instead}"):
        assert catalog.find(name).id == name


def test_the_gan_of_digits_is_said_to_do_what_it_does():
    """Not a discriminator on digits: a generator, on noise."""
    wrong = catalog.PASSAGES["code.mnist-gan"].wrong
    for words in ("the generator alone", "Gaussian noise", "MNIST is imported and never loaded"):
        assert words in wrong


def test_find_looks_in_both_and_suggests_from_both():
    assert catalog.find("words.vae") is catalog.PASSAGES["words.vae"]
    assert catalog.find("vae.elbo") is catalog.EQUATIONS["vae.elbo"]
    with pytest.raises(
        UserError, match=r"^There is no equation 'train\.gam'; .* 'train\.gan' \(or "
    ):
        catalog.find("train.gam")
