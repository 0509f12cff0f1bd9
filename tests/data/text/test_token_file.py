"""Tokens on disk: nanoGPT's files and ours, written in pieces, and the ways in which one is wrong."""

import json
import os
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgen.cli.tokenize import tokenize
from jaxgen.data import load
from jaxgen.data.lazy import Mapped, Part, digest_bytes
from jaxgen.data.text import bpe, by_name, files, streams, token_file
from jaxgen.data.text.dataset import Tokens
from jaxgen.data.text.token_file import open_tokens, write_tokens
from jaxgen.data.text.tokenizers import ByteTokenizer, CharacterTokenizer, WordTokenizer
from jaxgen.errors import UserError

TEXT = "Ärger im Süden: 春眠不覺曉 \u3000 the quick 😀 brown fox\n\tsaid ΣΊΣΥΦΟΣ twice. " * 40


@pytest.fixture(autouse=True)
def small_pieces(tmp_path, monkeypatch):
    """A cache of its own, and pieces that end within characters and words."""
    monkeypatch.setenv("JAXGEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(streams, "CHUNK_BYTES", 101)


def gpt2_files(folder: Path) -> Path:
    """A folder as GPT-2's, of two merges."""
    folder.mkdir()
    (folder / "vocab.bpe").write_text("#version: 0.2\n\u0120 q\nh e\n", encoding="utf-8")
    names = [*bpe._SHOWN, "\u0120q", "he", bpe.END]
    ids = {name: place for place, name in enumerate(names)}
    (folder / "encoder.json").write_text(json.dumps(ids), encoding="utf-8")
    return folder


@pytest.fixture
def text(tmp_path) -> Path:
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    return tmp_path / "text.txt"


def fails(call, *words):
    with pytest.raises(UserError) as error:
        call()
    assert "\n" not in str(error.value)
    assert all(word in str(error.value) for word in words), str(error.value)


@pytest.mark.parametrize("tokenizer", ["characters", "bytes", "words", "bpe:290", "gpt2:{}"])
def test_a_long_text_read_in_pieces_is_the_one_in_memory(text, tokenizer, monkeypatch):
    """Tokens, vocabulary, split and batches; from the cache too, which is made once."""
    tokenizer = tokenizer.format(gpt2_files(text.parent / "gpt2"))
    load_it = lambda: load(f"text:{text}", kind="text", tokenizer=tokenizer, seq_len=3)  # noqa: E731
    expected = load_it()
    monkeypatch.setattr(files, "IN_MEMORY_BYTES", 100)
    made = load_it()
    monkeypatch.setattr(token_file, "chunks", None)  # nothing is written again
    for found in (made, load_it()):
        assert found.spec == expected.spec
        for part, other in ((found.train, expected.train), (found.test, expected.test)):
            tokens = np.asarray(part.arrays["tokens"])
            np.testing.assert_array_equal(tokens, other.arrays["tokens"])
            assert part.num_characters == other.num_characters
            assert part.arrays["tokens"].nbytes == 2 * len(tokens)
            indices = np.array([5, 0, 7])
            batch, same = part.take(part.arrays, indices), other.take(other.arrays, indices)
            for name in ("tokens", "targets"):
                np.testing.assert_array_equal(batch[name], same[name])
                assert batch[name].dtype == np.int32


@given(st.text("a1! \n\t'sé好\x1c\u00a0\u3000", min_size=1, max_size=60), st.integers(1, 20))
def test_no_piece_ends_within_a_word(content, size):
    """Of either kind, whatever white space there is."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "CHUNK_BYTES", size)
        path = Path(folder) / "x.txt"
        path.write_bytes(content.encode())
        found = [piece for piece, _ in streams.chunks(streams.whole(path), at_space=True)]
    assert "".join(found) == content
    for cut in (bpe.words_of, by_name.lower_words):
        assert [word for piece in found for word in cut(piece)] == list(cut(content))


def test_a_damaged_cache_is_made_anew_and_said(text, monkeypatch, capfd):
    monkeypatch.setattr(files, "IN_MEMORY_BYTES", 100)
    load_it = lambda: load(f"text:{text}", kind="text", seq_len=3).train.arrays["tokens"]  # noqa: E731
    expected = np.asarray(load_it())
    (file,) = Path(os.environ["JAXGEN_CACHE"]).glob("*/train.tokens")
    good = file.read_bytes()
    for damage in (
        good[:-2],
        good[:-1] + bytes([good[-1] ^ 1]),
        b"",
        good.replace(b"uint16", b"uint61"),
    ):
        file.write_bytes(damage)
        np.testing.assert_array_equal(np.asarray(load_it()), expected)
        assert "is damaged and made anew" in capfd.readouterr().err
    assert file.read_bytes() == good
    np.testing.assert_array_equal(np.asarray(load_it()), expected)
    assert capfd.readouterr().err == ""


def test_texts_become_tokens_by_the_command(tmp_path, text, capsys):
    other, out = tmp_path / "other.txt", tmp_path / "both.tokens"
    other.write_text("the end", encoding="utf-8")
    both = TEXT + "the end"
    for name, tokenizer in (
        ("characters", CharacterTokenizer.of(both)),
        ("bytes", ByteTokenizer()),
    ):
        tokenize([str(text), str(other), "--out", str(out), "--tokenizer", name])
        found = open_tokens(out)
        assert found.tokenizer == tokenizer and found.num_characters == len(both)
        np.testing.assert_array_equal(np.asarray(found.tokens), tokenizer.encode(both))
        assert (
            f"{len(found.tokens):,} tokens of {tokenizer.vocab_size:,} kinds"
            in capsys.readouterr().out
        )
        fails(lambda: tokenize([str(text), "--out", str(out)]), "exists: give another --out")
        out.unlink()
    tokenize([str(text), str(other), "--out", str(out), "--tokenizer", "words", "--eos"])
    words = WordTokenizer.of(TEXT + " the end")
    expected = [*words.encode(TEXT), words.EOS, *words.encode("the end"), words.EOS]
    found = open_tokens(out)
    assert found.tokenizer == words and np.asarray(found.tokens).tolist() == expected
    data = load(f"tokens:{out}", kind="text", seq_len=2)
    assert data.spec.tokenizer == words and data.train.num_characters is None
    out.unlink()
    folder = gpt2_files(tmp_path / "gpt2")
    name = f"gpt2:{folder}"
    tokenize([str(text), str(other), "--out", str(out), "--tokenizer", name, "--eos"])
    gpt2 = bpe.gpt2_tokenizer(folder)
    expected = [*gpt2.encode(TEXT), 258, *gpt2.encode(other.read_text()), 258]
    assert np.asarray(open_tokens(out).tokens).tolist() == expected
    fails(lambda: tokenize([str(text), "--out", "x", "--eos"]), "bytes has no end of text; choose")
    fails(lambda: tokenize([str(text), "--out", "x", "--tokenizer", "byte"]), "did you mean bytes")
    assert sorted(path.name for path in tmp_path.iterdir() if path != folder) == [
        "both.tokens",
        "other.txt",
        "text.txt",
    ]


def test_a_writing_that_was_killed_is_gone_on_with(tmp_path, text, monkeypatch):
    monkeypatch.setattr(token_file, "SAVE_EVERY", 300)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    tokenizer, stretches = ByteTokenizer(), [streams.whole(text)] * 2
    write_tokens(whole, stretches, tokenizer)

    def kill(limit, share):
        if share > limit:
            raise KeyboardInterrupt

    for limit in (0.2, 0.5, 0.9):
        with pytest.raises(KeyboardInterrupt):
            write_tokens(broken, stretches, tokenizer, tell=partial(kill, limit))
        assert not broken.exists()
    shares: list[float] = []
    write_tokens(broken, stretches, tokenizer, tell=shares.append)
    assert shares[0] > 0.8 and broken.read_bytes() == whole.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken", "text.txt", "whole"]


def test_another_text_or_tokenizer_begins_anew(tmp_path, text, monkeypatch):
    monkeypatch.setattr(token_file, "SAVE_EVERY", 300)

    def kill(share):
        if share > 0.5:
            raise KeyboardInterrupt

    for tokenizer in (ByteTokenizer(), CharacterTokenizer.of(TEXT)):
        with pytest.raises(KeyboardInterrupt):
            write_tokens(tmp_path / "out", [streams.whole(text)], tokenizer, tell=kill)
    text.write_text(TEXT[::-1], encoding="utf-8")
    write_tokens(tmp_path / "out", [streams.whole(text)], CharacterTokenizer.of(TEXT))
    found = open_tokens(tmp_path / "out")
    assert found.tokenizer.decode(np.asarray(found.tokens).astype(np.int32)) == TEXT[::-1]


def test_nanogpts_files_are_read_as_they_are(tmp_path):
    ids = np.random.default_rng(0).integers(50257, size=1000).astype("<u2")
    ids.tofile(tmp_path / "train.bin")
    alone = load(f"tokens:{tmp_path}/train.bin", kind="text", seq_len=4)
    assert alone.spec.vocab_size == 50257 and alone.spec.first_token == ids[0]
    np.testing.assert_array_equal(np.asarray(alone.train.arrays["tokens"]), ids[:900])
    np.testing.assert_array_equal(np.asarray(alone.test.arrays["tokens"]), ids[900:])
    ids[:77].tofile(tmp_path / "val.bin")
    pair = load(f"tokens:{tmp_path}/train.bin", kind="text", seq_len=4, vocab_size=60000)
    assert len(pair.train.arrays["tokens"]) == 1000 and pair.spec.vocab_size == 60000
    np.testing.assert_array_equal(np.asarray(pair.test.arrays["tokens"]), ids[:77])


def test_a_token_beyond_the_vocabulary_is_named_by_its_index(tmp_path):
    ids = np.arange(100, dtype="<u2") % 10
    ids[37] = 65
    ids.tofile(tmp_path / "ids.bin")
    train = load(f"tokens:{tmp_path}/ids.bin", kind="text", seq_len=4, vocab_size=65).train
    words = ("ids.bin has the token 65 at index 37, beyond its vocabulary of 65:", "--vocab-size")
    fails(lambda: train.take(train.arrays, np.array([3, 34])), *words)
    fails(lambda: train.arrays["tokens"][30:40], *words)
    fails(lambda: np.asarray(train.arrays["tokens"]), *words)
    np.testing.assert_array_equal(
        train.take(train.arrays, np.array([32]))["tokens"], [[2, 3, 4, 5]]
    )


def test_files_that_are_wrong(tmp_path, text):
    file, source = tmp_path / "x.tokens", f"tokens:{tmp_path}/x.tokens"
    open_it = lambda **more: load(source, kind="text", seq_len=3, **more)  # noqa: E731
    fails(open_it, "does not exist")
    for content in (b"", b"odd", b"\1" * 31):
        file.write_bytes(content)
        fails(open_it, f"has {len(content)} bytes, which are no uint16 numbers")
    file.unlink()
    write_tokens(file, [streams.whole(text)], ByteTokenizer())
    good = file.read_bytes()
    fails(lambda: open_it(vocab_size=300), "--vocab-size is for token files without a header")
    file.write_bytes(good[:-6])
    fails(open_it, "its header tells of", "cut short")
    file.write_bytes(good[:1000])
    fails(open_it, "cut short")
    file.write_bytes(good.replace(b'"bytes"', b'"words"'))
    fails(open_it, "has a damaged header")
    file.rename(tmp_path / "train.tokens")
    (tmp_path / "train.tokens").write_bytes(good)
    write_tokens(tmp_path / "val.tokens", [streams.whole(text)], CharacterTokenizer.of(TEXT))
    fails(
        lambda: load(f"tokens:{tmp_path}/train.tokens", kind="text", seq_len=3),
        "are of different tokenizers",
    )


def test_a_file_that_becomes_shorter_is_noticed(tmp_path):
    np.arange(5000, dtype="<u2").tofile(tmp_path / "x.bin")
    rows = Mapped(tmp_path / "x.bin", "<u2", (5000,))
    os.truncate(tmp_path / "x.bin", 100)
    fails(lambda: rows[np.array([4000])], "x.bin has been cut short while it was read")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("abc".encode("utf-16"), ["is UTF-16: convert it to UTF-8 first"]),
        (b"abc\0def", ["has a NUL at position 3"]),
        (b"\xef\xbb\xbf", ["is empty"]),
        (b"a\xffb", ["is not UTF-8 (byte 0xff at position 1)"]),
    ],
)
@pytest.mark.parametrize("most", [1, 10**6])
def test_texts_that_are_none(tmp_path, monkeypatch, content, words, most):
    monkeypatch.setattr(files, "IN_MEMORY_BYTES", most)
    (tmp_path / "x.txt").write_bytes(content)
    fails(lambda: load(f"text:{tmp_path}/x.txt", kind="text", seq_len=1), "x.txt", *words)
    fails(lambda: tokenize([f"{tmp_path}/x.txt", "--out", f"{tmp_path}/out"]), "x.txt", *words)
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize("most", [1, 10**6])
def test_a_utf8_mark_is_dropped_and_said(tmp_path, monkeypatch, capfd, most):
    monkeypatch.setattr(files, "IN_MEMORY_BYTES", most)
    (tmp_path / "x.txt").write_bytes(b"\xef\xbb\xbf" + bytes(range(65, 85)))
    data = load(f"text:{tmp_path}/x.txt", kind="text", seq_len=1, tokenizer="bytes")
    assert np.asarray(data.train.arrays["tokens"]).tolist() == list(range(65, 83))
    assert np.asarray(data.test.arrays["tokens"]).tolist() == [83, 84]
    assert "the UTF-8 mark at its beginning is dropped" in capfd.readouterr().err


def test_parts_and_digests(tmp_path):
    numbers = np.arange(60, dtype="<u2").reshape(20, 3)
    numbers.tofile(tmp_path / "x")
    rows = Mapped(tmp_path / "x", "<u2", (20, 3))
    part = Part(Part(rows, 2, 19), 3, 10)
    np.testing.assert_array_equal(np.asarray(part), numbers[5:12])
    np.testing.assert_array_equal(part[1:4], numbers[6:9])
    np.testing.assert_array_equal(part[np.array([[0, 6]])], numbers[[[5, 11]]])
    assert part.nbytes == 7 * 6 and len(part) == 7
    assert rows.digest() == digest_bytes(numbers.reshape(-1).view(np.uint8))
    assert part.digest() != rows.digest() != Part(rows, 0, 19).digest()


def test_a_large_content_is_told_apart_by_its_length_and_its_blocks(monkeypatch):
    from jaxgen.data import lazy

    monkeypatch.setattr(lazy, "WHOLE_DIGEST_BYTES", 100)
    monkeypatch.setattr(lazy, "BLOCK_BYTES", 8)
    monkeypatch.setattr(lazy, "BLOCKS", 3)
    content = np.random.default_rng(0).integers(256, size=201).astype(np.uint8)
    found = digest_bytes(content)
    assert found.startswith("sha256-of-blocks:") and digest_bytes(content[:200]) != found
    for place, seen in (
        (0, True),
        (7, True),
        (8, False),
        (96, True),
        (103, True),
        (193, True),
        (200, True),
    ):
        changed = content.copy()
        changed[place] ^= 1
        assert (digest_bytes(changed) != found) is seen, place


def test_windows_side_by_side_predict_each_token_once():
    tokens = np.arange(
        1, 25, dtype=np.uint16
    )  # 24 tokens, 23 targets, windows of 5: the last has 3
    whole = Tokens({"tokens": tokens}, 5, num_characters=24)
    batches = list(whole.side_by_side(2))
    assert [batch["tokens"].shape for batch in batches] == [(2, 5)] * 3
    targets = np.concatenate([batch["targets"][batch["counted"]] for batch in batches])
    inputs = np.concatenate([batch["tokens"][batch["counted"]] for batch in batches])
    np.testing.assert_array_equal(targets, tokens[1:])
    np.testing.assert_array_equal(inputs, tokens[:-1])
    assert batches[2]["tokens"].tolist() == [[21, 22, 23, 0, 0], [0] * 5]
    (sample,) = whole.sampled(2).side_by_side(4)  # of five windows the first and the third
    assert sample["tokens"][:2].tolist() == [[1, 2, 3, 4, 5], [11, 12, 13, 14, 15]]
    assert sample["counted"].tolist() == [[True] * 5] * 2 + [[False] * 5] * 2
    assert whole.sampled(5).judged is None and whole.num_judged == 5
    assert (
        json.dumps([batch["tokens"].dtype.name for batch in batches])
        == '["int32", "int32", "int32"]'
    )
