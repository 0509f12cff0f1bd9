"""`load` and its messages; what importing the room costs."""

import inspect
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import jaxgen
from jaxgen.data import CharacterTokenizer, ImageSpec, TextSpec, load, spec_from_json
from jaxgen.data.sources import all_sources, find_kind, kind_names
from jaxgen.errors import UserError


def fails(source, kind, message, **options):
    with pytest.raises(UserError) as raised:
        load(source, kind=kind, **options)
    assert str(raised.value) == message


def test_unknown_sources_are_answered_with_the_nearest_and_all():
    known = (
        "arrayrecord:PATTERN, captioned-digits, digits, effects, fashion-mnist, folder:DIR, grid, "
        "hidden-markov:SIZE, idx:DIR, npz:FILE, parquet:FILE#COLUMN, python-reference, "
        "random-tokens:SIZE, ring, shakespeare, shapes, shapes-all, speech, text:FILE, tfds:NAME, "
        "tokens:FILE, vowels, wav:DIR"
    )
    fails(
        "digit",
        "images",
        f"The source 'digit' is not known; did you mean digits? (known are {known}).",
    )
    fails("xyz:a", "text", f"The source 'xyz:a' is not known; known are {known}.")
    fails("", "text", f"The source '' is not known; known are {known}.")


@pytest.mark.parametrize(
    ("source", "form"),
    [("idx", "idx:DIR"), ("npz:", "npz:FILE"), ("digits:8", "digits"), ("digits:", "digits")],
)
def test_too_little_or_too_much(source, form):
    fails(source, "images", f"The source {source!r} is incomplete or has too much: write {form}.")


def test_sources_of_the_other_kind():
    fails(
        "python-reference",
        "images",
        "The source 'python-reference' does not hold images, which this model works on: "
        "choose one of arrayrecord, digits, fashion-mnist, folder, idx, npz, parquet, tfds.",
    )
    fails(
        "digits",
        "text",
        "The source 'digits' does not hold text, which this model works on: "
        "choose one of hidden-markov, parquet, python-reference, random-tokens, shakespeare, text, "
        "tfds, tokens.",
        seq_len=8,
    )


def test_options_of_a_text():
    fails(
        "python-reference",
        "text",
        "A text needs a sequence length: set seq_len.",
    )
    fails(
        "python-reference",
        "text",
        "The tokenizer 'word' is not known; did you mean words? "
        "(known are characters, bytes, words, bpe:SIZE, gpt2:FOLDER).",
        seq_len=8,
        tokenizer="word",
    )


def test_the_spec_of_images_comes_back_from_json():
    spec = ImageSpec(height=5, width=7, channels=3, num_classes=None)
    assert spec_from_json(spec.to_json()) == spec
    assert spec_from_json(load("digits", kind="images").spec.to_json()).num_classes == 10


def test_a_tilde_is_the_home_directory(tmp_path, monkeypatch):
    (tmp_path / "text.txt").write_text("some text " * 10, encoding="utf-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load("text:~/text.txt", kind="text", seq_len=2).test.num_characters == 10
    with pytest.raises(UserError, match=r"^~nobody-here/text.txt does not exist"):
        load("text:~nobody-here/text.txt", kind="text", seq_len=2)


def test_every_source_is_in_the_docstring():
    doc = inspect.getdoc(sys.modules[load.__module__])
    for name, source in all_sources().items():
        assert f"{name}:{source.argument}".rstrip(":") + " " in doc


def test_every_folder_with_a_kind_is_one():
    """The files say so by themselves; each kind's specs come back from JSON through it."""
    folders = Path(jaxgen.data.__file__).parent.glob("*/kind.py")
    assert (
        kind_names()
        == sorted(path.parent.name for path in folders)
        == [
            "arrays",
            "audio",
            "captions",
            "images",
            "points",
            "text",
        ]
    )
    image = ImageSpec(height=5, width=7, channels=3, num_classes=None)
    text = TextSpec(CharacterTokenizer("ab"), first_token=1)
    for name, spec in (("images", image), ("text", text)):
        kind = find_kind(name)
        assert spec.to_json()["kind"] == name
        assert kind.spec_from_json(spec.to_json()) == spec
    named = [
        name
        for kind in ("audio", "captions", "images", "points", "text")
        for name in find_kind(kind).sources
    ]
    assert set(all_sources()) == set(named)
    fails(
        "digits",
        "image",
        "There is no kind of data 'image'; did you mean images? "
        "(known are arrays, audio, captions, images, points, text).",
    )
    with pytest.raises(ValueError, match="no kind of data 'sound'"):
        spec_from_json({"kind": "sound"})


def test_random_tokens_are_uniform_and_always_the_same():
    """Shares of 10 kinds in n draws lie within 5 sqrt(p (1 - p) / n) of a tenth."""
    data, again = (load("random-tokens:10", kind="text", seq_len=8) for _ in range(2))
    assert data.spec.vocab_size == 10 and data.spec == again.spec
    assert data.spec.first_token == data.train.arrays["tokens"][0]
    for part, same, n in zip(
        (data.train, data.test), (again.train, again.test), (58_982, 6_554), strict=True
    ):
        tokens = part.arrays["tokens"]
        np.testing.assert_array_equal(tokens, same.arrays["tokens"])
        assert len(tokens) == n and part.num_characters is None
        shares = np.bincount(tokens, minlength=10) / n
        assert len(shares) == 10 and np.abs(shares - 0.1).max() < 5 * np.sqrt(0.09 / n)
    assert spec_from_json(data.spec.to_json()) == data.spec
    assert data.spec.tokenizer.decode(np.asarray([3, 0, 9])) == "3 0 9"
    for size in ("1", "x", "-5", "2.0", "99999999999999999999"):
        fails(
            f"random-tokens:{size}", "text",
            f"random-tokens:{size} names no vocabulary: give its size, 2 or more.", seq_len=8,
        )  # fmt: skip


def test_importing_the_room_imports_nothing_heavy():
    program = (
        "import sys, jaxgen.data; jaxgen.data.load('digits', kind='images');"
        "print({'jax', 'flax', 'tensorflow', 'tensorflow_datasets', 'matplotlib'} & {*sys.modules})"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(jaxgen.__file__).parents[1])}
    result = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert result.stdout == "set()\n"
