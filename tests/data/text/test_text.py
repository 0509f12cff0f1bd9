"""Texts: real ones, what is held out of them, and files that are not text."""

from pathlib import Path
from pydoc_data.topics import topics

import numpy as np
import pytest

from jaxgen.data import load, spec_from_json
from jaxgen.errors import UserError


def read(path, **options):
    return load(f"text:{path}", kind="text", **{"seq_len": 4, **options})


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file.txt"


def test_tinyshakespeare(real_data):
    data = read(real_data / "tinyshakespeare.txt", seq_len=64)
    text = (real_data / "tinyshakespeare.txt").read_text(encoding="utf-8")
    # The sizes that nanoGPT's preparation of this text prints, and the ids of its first words.
    assert data.spec.vocab_size == 65
    assert len(data.train.arrays["tokens"]) == 1_003_854
    assert len(data.test.arrays["tokens"]) == data.test.num_characters == 111_540
    first = [18, 47, 56, 57, 58, 1, 15, 47, 58, 47, 64, 43, 52, 10, 0]  # "First Citizen:\n"
    assert data.train.arrays["tokens"][:15].tolist() == first
    parts = [data.spec.tokenizer.decode(part.arrays["tokens"]) for part in (data.train, data.test)]
    assert "".join(parts) == text
    batch = data.test.take(data.test.arrays, np.array([data.test.num_examples - 1]))
    assert data.spec.tokenizer.decode(batch["targets"][0]) == text[-64:]


@pytest.mark.parametrize("tokenizer", ["characters", "bytes"])
def test_chinese_poems(real_data, tokenizer):
    path = real_data / "zh" / "tang-poems.txt"
    data, text = read(path, tokenizer=tokenizer), path.read_bytes().decode("utf-8")
    parts = [data.spec.tokenizer.decode(part.arrays["tokens"]) for part in (data.train, data.test)]
    assert data.test.num_characters == len(text) - len(text) * 9 // 10
    if tokenizer == "bytes":
        # Both parts are cut between characters, so that each is text of its own.
        assert len(data.test.arrays["tokens"]) == len(text[len(text) * 9 // 10 :].encode())
    assert "".join(parts) == text
    assert "春眠不觉晓" in text or "床前明月光" in text or "白日依山尽" in text


def test_words_know_the_training_part_only(path):
    path.write_text("a b " * 9 + "c d ", encoding="utf-8")  # 40 characters; the last 4 held out
    data = read(path, tokenizer="words", seq_len=1)
    assert data.spec.tokenizer.words == ("a", "b")
    assert data.test.arrays["tokens"].tolist() == [2, 2]
    assert data.test.num_characters is None  # the white space cannot be had back


def test_characters_know_the_whole_text(path):
    path.write_text("ab" * 45 + "zyzyzyzyzy", encoding="utf-8")
    data = read(path)
    assert data.spec.tokenizer.characters == "abyz"
    assert data.test.arrays["tokens"].tolist() == [3, 2] * 5


def test_line_ends_stay_as_they_are(path):
    path.write_bytes(b"one\r\ntwo\rthree\n" * 10)
    assert read(path).spec.tokenizer.characters == "\n\rehnortw"


def test_python_reference():
    data = load("python-reference", kind="text", seq_len=64)
    tokenizer = data.spec.tokenizer
    parts = [tokenizer.decode(part.arrays["tokens"]) for part in (data.train, data.test)]
    text = "".join(parts)
    assert text == "\n".join(topics[key] for key in sorted(topics))
    assert len(text) > 400_000
    assert text.startswith(topics["assert"])
    assert len(parts[0]) == len(text) * 9 // 10


def test_the_spec_of_a_text_comes_back_from_json(path):
    path.write_text("some text " * 10, encoding="utf-8")
    for tokenizer in ("characters", "bytes", "words"):
        spec = read(path, tokenizer=tokenizer, seq_len=1).spec
        assert spec_from_json(spec.to_json()) == spec


@pytest.mark.parametrize(
    ("content", "pattern"),
    [
        (None, "does not exist: check the path"),
        (b"", "is empty: give a file with text"),
        ("Größe".encode("latin-1"), r"is not UTF-8 \(byte 0xf6 at position 2\): convert it"),
        ("text".encode("utf-16"), "is UTF-16: convert it to UTF-8 first"),
        ("中".encode()[:2], r"is not UTF-8 \(byte 0xe4 at position 0\)"),
        (b"\xed\xa0\x80", r"is not UTF-8 \(byte 0xed at position 0\)"),  # a surrogate
    ],
)
def test_files_that_are_not_text(path, content, pattern):
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=f"^{path} {pattern}") as raised:
        read(path)
    assert "\n" not in str(raised.value)


def test_a_directory_and_a_path_through_a_file(tmp_path, path):
    with pytest.raises(UserError, match="is a directory: name a file in it"):
        read(tmp_path)
    path.write_text("text", encoding="utf-8")
    with pytest.raises(UserError, match="is not a directory, or lies in none"):
        read(path / "more")


@pytest.mark.parametrize(
    ("error", "pattern"),
    [
        (PermissionError(13, "Permission denied"), "may not be read: change its permissions"),
        (OSError(5, "Input/output error"), "cannot be read .*Input/output error.*: check"),
    ],
)
def test_the_system_refuses(path, monkeypatch, error, pattern):
    def refuse(*_):
        raise error

    path.write_text("text", encoding="utf-8")
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UserError, match=f"{path} {pattern}"):
        read(path)


def test_a_name_that_no_file_can_have():
    with pytest.raises(UserError, match=r"cannot be read .*null (byte|character)"):
        read("a\0b")


def test_a_text_too_short_for_its_held_out_part(path):
    path.write_text("x" * 99, encoding="utf-8")
    with pytest.raises(UserError, match="has 10 tokens, but seq_len 10 needs one more"):
        read(path, seq_len=10)
