"""Texts of tensorflow-datasets."""

from jaxgen.data.text.files import held_out_tenth
from jaxgen.data.tfds import examples, splits


def tfds_text(name: str) -> tuple[str, str]:
    """The splits `train` and `test` (or `validation`, or the last tenth) of a set of texts.

    Its feature is `text`; the examples of a split are joined by line ends.

    Raises:
      UserError: there is no such set, it has other features or no split `train`, it cannot be
        downloaded, or it cannot be prepared without a package that is not installed.
    """
    texts = []
    for split in splits(name, "text"):
        pieces = [example["text"] for example in examples(split, name)]
        texts.append("\n".join(p.decode() if isinstance(p, bytes) else str(p) for p in pieces))
    return (texts[0], texts[1]) if len(texts) == 2 else held_out_tenth(texts[0])
