"""Byte pairs: merges by hand and by a plain count of all pairs, Chinese, GPT-2's own, special tokens."""

import json
import re
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgen.data import tokenizer_from_json
from jaxgen.data.text.bpe import ALPHABET, BPETokenizer, gpt2_tokenizer, train_bpe, words_of
from jaxgen.data.text.kind import text_data
from jaxgen.data.text.specials import WithSpecials
from jaxgen.data.text.tokenizers import ByteTokenizer, WordTokenizer
from jaxgen.errors import UserError

unicode_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
POEM = "床前明月光，疑是地上霜。舉頭望明月，低頭思故鄉。"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hello world", ["Hello", " world"]),
        (
            "I'll say it's 12½ o'clock",
            ["I", "'ll", " say", " it", "'s", " 12½", " o", "'", "clock"],
        ),
        ("a  b\n\n c ", ["a", " ", " b", "\n\n", " c", " "]),
        ("明月, 一二三!?", ["明月", ",", " 一二三", "!?"]),
    ],
)
def test_words_are_cut_by_kind_of_character(text, words):
    assert list(words_of(text)) == words


@settings(max_examples=60, deadline=None)
@given(unicode_text)
def test_nothing_is_lost_between_words(text):
    assert "".join(words_of(text)) == text


def plain_training(text, count):
    """Every pair counted anew for each merge, by re and Counter."""
    words = [[ALPHABET.index(byte) for byte in word.encode()] for word in words_of(text)]
    merges = []
    for token in range(256, 256 + count):
        counts = Counter(pair for word in words for pair in pairwise(word))
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(best)
        for word in words:
            i = 0
            while i < len(word) - 1:
                if (word[i], word[i + 1]) == best:
                    word[i : i + 2] = [token]
                i += 1
    return merges


@pytest.mark.parametrize("text", [POEM * 3 + " aaaa aaa banana bandana", "to be or not to be " * 9])
def test_the_trainer_is_a_plain_count_of_all_pairs(text):
    assert list(train_bpe(text, 256 + 8).merges) == plain_training(text, 8)


def test_merges_by_hand():
    """Of 'abab,abab,ab' ab is the most frequent pair; then abab is two of the new token."""
    a, b = ALPHABET.index(ord("a")), ALPHABET.index(ord("b"))
    tokenizer = train_bpe("abab,abab,ab", 258)
    assert tokenizer.merges == ((a, b), (256, 256))
    assert tokenizer.encode("ababab").tolist() == [257, 256]
    assert tokenizer.decode(np.array([257, 256, a])) == "abababa"


TOKENIZER = train_bpe(POEM * 4 + "the cat and the hat, it's that. " * 5, 300)


@settings(max_examples=80, deadline=None)
@given(unicode_text | st.sampled_from([POEM, "the cat's hat", "<|endoftext|> <PAD>"]))
def test_any_text_round_trips_and_no_merge_is_left(text):
    ids = TOKENIZER.encode(text)
    assert ids.dtype == np.int32 and TOKENIZER.decode(ids) == text
    known = set(TOKENIZER.merges)
    for word in words_of(text):
        assert not known & set(pairwise(TOKENIZER.encode(word).tolist()))
    copy = tokenizer_from_json(json.loads(json.dumps(TOKENIZER.to_json())))
    assert copy == TOKENIZER and copy.encode(text).tolist() == ids.tolist()


def test_a_character_cut_in_two_is_replaced_and_half_of_one_refused():
    plain = BPETokenizer(())
    assert plain.decode(plain.encode("a中")[:-1]) == "a\ufffd"
    with pytest.raises(UserError, match="half of a character"):
        TOKENIZER.encode("a\udc80")


@pytest.mark.parametrize("merges", [[[0, 256]], [[-1, 0]], [[0, 1.0]], [[0, True]]])
def test_merges_that_cannot_be_are_refused(merges):
    with pytest.raises(ValueError, match="merge 0 is"):
        tokenizer_from_json({"name": "bpe", "merges": merges})


@pytest.mark.parametrize("base", [TOKENIZER, ByteTokenizer(), WordTokenizer.of("one two")])
def test_a_text_that_spells_a_special_token_stays_text(base):
    tokenizer = WithSpecials(base, ("<MASK>", "<|user|>"))
    size = base.vocab_size
    assert tokenizer.vocab_size == size + 2
    assert tokenizer.specials == base.specials | {"<MASK>": size, "<|user|>": size + 1}
    for text in ("<MASK>", "one <|user|> two", *tokenizer.specials):
        forbidden = set(tokenizer.specials.values()) - {base.specials.get("<UNK>")}
        assert not forbidden & set(tokenizer.encode(text).tolist())
    ids = np.concatenate([tokenizer.encode("one"), [size], tokenizer.encode("two"), [size + 1]])
    between = base.separator
    assert tokenizer.decode(ids) == between.join(["one", "<MASK>", "two", "<|user|>"])
    assert tokenizer_from_json(json.loads(json.dumps(tokenizer.to_json()))) == tokenizer
    with pytest.raises(ValueError, match="names is"):
        tokenizer_from_json(tokenizer.to_json() | {"names": ["x", "x"]})


def test_a_tokenizer_by_name():
    data = text_data(POEM * 9, POEM, tokenizer="bpe:290", seq_len=4)
    assert data.spec.vocab_size == 290
    assert data.spec.tokenizer.decode(data.test.arrays["tokens"]) == POEM
    assert len(data.test.arrays["tokens"]) < len(POEM.encode()) and data.test.num_characters == 24
    for name, message in {
        "bpe:255": "has no room for the bytes",
        "bpe:99999": r"asks for more tokens than the text has pieces for: give \d+ or less",
        "bpe": "not known; did you mean",
        "gpt2:/nowhere": "/nowhere/vocab.bpe does not exist",
    }.items():
        with pytest.raises(UserError, match=message):
            text_data(POEM * 9, POEM, tokenizer=name, seq_len=4)


@pytest.mark.first
def test_four_thousand_merges_on_four_megabytes(real_data):
    """A second for each megabyte here; 30 s is what it may take."""
    text = (real_data / "tinyshakespeare.txt").read_text()
    text += (real_data / "zh" / "tang-poems.txt").read_text()
    text = (text * 4)[:4_000_000]
    start = time.process_time()
    tokenizer = train_bpe(text, 4256)
    assert time.process_time() - start < 30 and len(tokenizer.merges) == 4000
    part = text[1_000_000:1_200_000]
    ids = tokenizer.encode(part)
    assert tokenizer.decode(ids) == part and len(ids) < len(part.encode()) / 2


def test_gpt2_s_own(real_data, tmp_path):
    """The ids that its authors' encoder gives for two greetings; the end of text is never spelt."""
    folder = real_data / "gpt2_bpe"
    tokenizer = gpt2_tokenizer(folder)
    assert tokenizer.vocab_size == 50257
    assert tokenizer.encode("Hello world").tolist() == [15496, 995]
    assert tokenizer.specials == {"<|endoftext|>": 50256}
    assert tokenizer.encode("<|endoftext|>").tolist() == [27, 91, 437, 1659, 5239, 91, 29]
    assert tokenizer.decode(np.array([15496, 50256, 995])) == "Hello<|endoftext|> world"
    assert tokenizer.decode(tokenizer.encode(POEM)) == POEM
    for name, content, message in (
        ("encoder.json", "{}", "has other ids than"),
        ("encoder.json", "[", "is not JSON"),
        ("vocab.bpe", "#version\nĠ t\nx", "holds no merges at line 3"),
    ):
        for each in ("encoder.json", "vocab.bpe"):
            (tmp_path / each).write_bytes((folder / each).read_bytes())
        (tmp_path / name).write_text(content, encoding="utf-8")
        with pytest.raises(UserError, match=re.escape(message)):
            gpt2_tokenizer(Path(tmp_path))


def test_tokenizers_of_others_give_the_same(real_data):
    """Hugging Face's trainer and GPT-2 encoder, where they are installed (extra `peers`)."""
    theirs = pytest.importorskip("tokenizers")
    text = (real_data / "tinyshakespeare.txt").read_text()[:300_000]
    poems = (real_data / "zh" / "tang-poems.txt").read_text()[:20_000]
    split = theirs.pre_tokenizers.ByteLevel(add_prefix_space=False)
    other = theirs.Tokenizer(theirs.models.BPE())
    other.pre_tokenizer = split
    trainer = theirs.trainers.BpeTrainer(
        vocab_size=900, initial_alphabet=split.alphabet(), show_progress=False
    )
    other.train_from_iterator([text + poems], trainer)
    ours = train_bpe(text + poems, 900)
    hard = "I'm 12²½ 一二三 naïve café   \t\n\n x  I'LL you'll"
    for each in (text[-9000:], poems, hard):
        assert ours.encode(each).tolist() == other.encode(each).ids
    folder = real_data / "gpt2_bpe"
    files = [str(folder / name) for name in ("encoder.json", "vocab.bpe")]
    gpt2 = theirs.ByteLevelBPETokenizer(*files)
    for each in (text[-9000:], poems, hard):
        assert gpt2_tokenizer(folder).encode(each).tolist() == gpt2.encode(each).ids
