"""Documents of a text: marked by their ends, and apart, against a loop over each window."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.data import load
from jaxgen.data.text.documents import Documents
from jaxgen.errors import UserError

TEXT = "ab||cab||b||aacc||" * 11  # short documents: most windows meet several ends


@pytest.fixture
def source(tmp_path):
    (tmp_path / "text.txt").write_text(TEXT)
    return f"text:{tmp_path / 'text.txt'}"


def loaded(source, **options):
    return load(source, kind="text", seq_len=7, separator="||", **options)


def test_an_end_is_one_token_behind_each_document(source):
    data = loaded(source, documents="marked")
    made = data.spec.tokenizer
    assert made.decode(data.train.arrays["tokens"][:14]) == "ab<EOS>cab<EOS>b<EOS>aacc<EOS>"
    assert (data.spec.vocab_size, made.specials["<EOS>"]) == (4, 3)
    batch = data.train.take(data.train.arrays, np.arange(3))
    assert batch.keys() == {"tokens", "targets"}  # windows reach across
    assert data.train.num_characters == len(data.train.arrays["tokens"])
    assert data.spec.from_json(data.spec.to_json()) == data.spec
    words = loaded(source, documents="marked", tokenizer="words")
    assert words.spec.tokenizer.specials["<EOS>"] == words.train.arrays["tokens"][1]  # its own


def test_apart_a_window_learns_of_the_document_it_begins_in(source):
    """A target counts unless an end lies between the window's first token and the target's own input."""
    data = loaded(source, documents="apart")
    end = data.spec.tokenizer.specials["<EOS>"]
    indices = np.arange(data.train.num_examples, dtype=np.int32)
    batch = data.train.take(data.train.arrays, indices)
    for tokens, targets, weights in zip(
        *(batch[n] for n in ("tokens", "targets", "weights")), strict=True
    ):
        counts, own = [], True
        for place in range(7):
            own = own and not (place > 0 and tokens[place] == end)
            counts.append(float(own))
        assert weights.tolist() == counts
        assert end not in targets[: int(sum(counts)) - 1]  # an end is the last that is learnt
    assert set(batch["weights"].ravel()) == {0.0, 1.0}
    arrays = {name: jnp.asarray(array) for name, array in data.train.arrays.items()}
    traced = jax.jit(data.train.take)(arrays, indices)
    assert traced["weights"].dtype == jnp.float32
    np.testing.assert_array_equal(traced["weights"], batch["weights"])


def test_the_held_out_part_is_judged_by_the_same_rule(source):
    apart, marked = (loaded(source, documents=way).test for way in ("apart", "marked"))
    (ours,), (all_of_it,) = (list(each.side_by_side(64)) for each in (apart, marked))
    end = int(loaded(source, documents="apart").spec.tokenizer.specials["<EOS>"])
    seen = np.cumsum(ours["tokens"] == end, axis=1) - (ours["tokens"][:, :1] == end)
    np.testing.assert_array_equal(ours["counted"], all_of_it["counted"] & (seen == 0))
    assert 0 < ours["counted"].sum() < all_of_it["counted"].sum()


def test_documents_are_held_out_whole():
    train, test = Documents(("a" * 40, "b" * 45, "c" * 10, "d" * 5)).split()
    assert (train.texts, test.texts) == (("a" * 40, "b" * 45, "c" * 10), ("d" * 5,))
    with pytest.raises(UserError, match="1 documents cannot be split"):
        Documents(("a" * 9,)).split()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"separator": ""}, "--separator is empty"),
        ({"separator": "nowhere"}, None),  # one document, which is the whole part
    ],
)
def test_a_separator_is_a_text(source, options, said):
    if said is None:
        data = load(source, kind="text", seq_len=7, documents="apart", **options)
        assert (data.train.arrays["tokens"] == data.train.ends_by).sum() == 1
        return
    with pytest.raises(UserError, match=said):
        load(source, kind="text", seq_len=7, documents="apart", **options)
    with pytest.raises(UserError, match="--documents apart is for token files and for texts"):
        load("random-tokens:5", kind="text", seq_len=7, documents="apart")


def test_a_token_file_has_its_own_ends(tmp_path):
    """nanoGPT's files have GPT-2's <|endoftext|> between documents, and no header."""
    tokens = np.tile(np.array([7, 8, 50_256, 9, 10, 11, 12, 13, 50_256], np.uint16), 10)
    tokens.tofile(tmp_path / "train.bin")
    source = f"tokens:{tmp_path / 'train.bin'}"
    data = load(source, kind="text", seq_len=6, documents="apart")
    batch = data.train.take(data.train.arrays, np.array([0, 2, 3]))
    assert batch["weights"].tolist() == [
        [1, 1, 0, 0, 0, 0],  # 7 8 | 9 10 11 12
        [1, 1, 1, 1, 1, 1],  # <|endoftext|> 9 10 11 12 13
        [1, 1, 1, 1, 1, 0],  # 9 10 11 12 13 |
    ]
    assert "weights" not in load(source, kind="text", seq_len=6).train.take(
        data.train.arrays, np.array([0])
    )
    small = np.arange(200, dtype=np.uint16) % 50
    small.tofile(tmp_path / "small.bin")
    with pytest.raises(UserError, match="has no token that ends a document"):
        load(
            f"tokens:{tmp_path / 'small.bin'}",
            kind="text",
            seq_len=6,
            documents="apart",
            vocab_size=50,
        )
