"""Captions are true of their images, the language reads what it says, and what is unknown is named."""

import itertools

import numpy as np
import pytest

from jaxgen.data import load, spec_from_json
from jaxgen.data.captions.scenes import COLOURS, LANGUAGES, SHAPES, SIZES, is_shown
from jaxgen.data.captions.shapes import HELD_OUT, RADII, render
from jaxgen.errors import UserError

DIGITS, SHAPES_LANGUAGE = LANGUAGES["digits"], LANGUAGES["shapes"]


def scene(**things):
    """Attributes of things in cells, named tl, tr, bl, br: (colour, shape, size), from words."""
    cells = np.zeros((4, 3), np.int32)
    for place, (size, colour, shape) in things.items():
        values = (COLOURS.index(colour), SHAPES.index(shape), SIZES.index(size))
        cells[("tl", "tr", "bl", "br").index(place)] = np.array(values) + 1
    return cells.reshape(1, -1)


RED, BLUE = ("small", "red", "circle"), ("large", "blue", "square")


@pytest.mark.parametrize(
    ("caption", "true", "false"),
    [
        (
            "a small red circle left of a blue square",
            [scene(tl=RED, tr=BLUE), scene(bl=RED, br=BLUE), scene(bl=RED, br=("small", *BLUE[1:]))],
            [
                scene(tl=BLUE, tr=RED), scene(tl=RED, br=BLUE), scene(tl=RED),
                scene(tl=RED, tr=BLUE, bl=RED), scene(tl=("large", *RED[1:]), tr=BLUE),
            ],
        ),
        (
            "a red circle above a large blue square",
            [scene(tl=RED, bl=BLUE), scene(tr=RED, br=BLUE)],
            [scene(tl=BLUE, bl=RED), scene(tl=RED, tr=BLUE)],
        ),
        (
            "a large blue square at the bottom right",
            [scene(br=BLUE)],
            [scene(bl=BLUE), scene(br=RED), scene(br=BLUE, tl=RED)],
        ),
        ("a blue square", [scene(tl=BLUE), scene(br=BLUE)], [scene(tl=RED), scene(tl=BLUE, tr=RED)]),
    ],
)  # fmt: skip
def test_a_caption_is_true_of_these_scenes_and_false_of_those(caption, true, false):
    readings = SHAPES_LANGUAGE.readings(caption)
    assert all(is_shown(each, readings)[0] for each in true)
    assert not any(is_shown(each, readings)[0] for each in false)


def test_every_caption_is_true_of_its_image_s_attributes():
    """Of 400 scenes, and of no other scene's unless that shows the same."""
    data = load("shapes", kind="captions")
    for part in (data.train, data.test):
        attributes = part.arrays["attributes"][:200]
        for own, caption in zip(attributes, part.arrays["caption"][:200], strict=True):
            text = SHAPES_LANGUAGE.decode(caption)
            np.testing.assert_array_equal(SHAPES_LANGUAGE.encode(text), caption)
            assert is_shown(own[None], SHAPES_LANGUAGE.readings(text))[0], text
            assert is_shown(attributes, SHAPES_LANGUAGE.readings(text)).mean() < 0.5


def test_what_is_held_out_is_in_no_training_scene_and_its_parts_are():
    data, every = load("shapes", kind="captions"), load("shapes-all", kind="captions")

    def combinations(part):
        cells = part.arrays["attributes"].reshape(-1, 3)
        found = {tuple(row) for row in np.unique(cells[cells[:, 0] > 0], axis=0).tolist()}
        return {(COLOURS[c - 1], SHAPES[s - 1], SIZES[z - 1]) for c, s, z in found}

    all_of_them = set(itertools.product(COLOURS, SHAPES, SIZES))
    seen = combinations(data.train)
    assert seen == all_of_them - set(HELD_OUT)
    for pair in ((0, 1), (1, 2), (0, 2)):
        assert {tuple(h[i] for i in pair) for h in HELD_OUT} <= {
            tuple(c[i] for i in pair) for c in seen
        }
    assert combinations(data.test) == combinations(every.train) == all_of_them
    held = data.test.arrays["held_out"] == 1
    assert held.sum() == len(held) // 2
    for part, flag in ((data.test, 1), (data.test, 0)):
        cells = part.arrays["attributes"][part.arrays["held_out"] == flag].reshape(-1, 4, 3)
        wanted = [
            any((COLOURS[c - 1], SHAPES[s - 1], SIZES[z - 1]) in HELD_OUT for c, s, z in row if c)
            for row in cells.tolist()
        ]
        assert all(wanted) if flag else not any(wanted)


def test_what_is_drawn_covers_the_area_of_its_shape():
    """π r², a square of 0.88 r half its side, and half of that: in pixels of the thing's colour."""
    for shape, size in itertools.product(range(3), range(2)):
        attributes = np.zeros((1, 12), np.int32)
        attributes[0, 3:6] = (2, 1 + shape, 1 + size)  # green, at the top right
        image = render(attributes, np.random.default_rng(1))[0].astype(float)
        green = image[..., 1] - image[..., 0]  # the ground is grey
        area, radius = green.sum() / green.max(), RADII[size]
        half = 0.88 * radius
        assert area == pytest.approx([np.pi * radius**2, 4 * half**2, 2 * half**2][shape], rel=0.08)
        rows, columns = np.nonzero(green > 0.5 * green.max())
        assert rows.max() < 16 <= columns.min()
        if shape == 2:  # it stands on its base
            assert (green[rows.max()] > 1).sum() > (green[rows.min()] > 1).sum()


def test_digits_are_captioned_in_words():
    data = load("captioned-digits", kind="captions")
    images = load("digits", kind="images")
    for part, own in ((data.train, images.train), (data.test, images.test)):
        np.testing.assert_array_equal(part.arrays["image"], own.arrays["image"])
        for i in range(12):
            text = DIGITS.decode(part.arrays["caption"][i])
            assert DIGITS.readings(text).tolist() == [[own.arrays["label"][i]]]
    texts = [DIGITS.decode(row) for row in np.unique(data.train.arrays["caption"], axis=0)]
    assert {"a seven", "three", "the digit two", "a handwritten nine"} <= set(texts)
    assert len(texts) == 40


@pytest.mark.parametrize(
    ("language", "prompt", "message"),
    [
        (
            "digits",
            "a purple eleven",
            "The prompt has the words 'purple', 'eleven', which no caption had",
        ),
        ("digits", "", "The prompt has 0 words: give 1 to 3"),
        ("digits", "the digit a seven", "The prompt has 4 words: give 1 to 3"),
        (
            "shapes",
            "a small pink circle",
            "word 'pink', which no caption had: use a, small, large, red",
        ),
    ],
)
def test_what_no_caption_says_is_refused(language, prompt, message):
    with pytest.raises(UserError) as error:
        LANGUAGES[language].encode(prompt)
    assert message in str(error.value) and str(error.value).count(". ") == 0


def test_words_without_a_sense_cannot_be_checked():
    for caption in ("circle red", "a red circle at the left", "a red circle left of", "a red"):
        with pytest.raises(UserError, match="says nothing that can be checked: try 'a large"):
            SHAPES_LANGUAGE.readings(caption)


def test_the_spec_comes_back_from_json_and_a_damaged_one_is_refused():
    spec = load("captioned-digits", kind="captions").spec
    values = spec.to_json()
    assert spec_from_json(values) == spec and (spec.vocab_size, spec.attributes) == (15, (10,))
    for damage in ({"language": "french"}, {"height": 0}, {"channels": "1"}):
        with pytest.raises((KeyError, TypeError, ValueError)):
            spec_from_json(values | damage)
