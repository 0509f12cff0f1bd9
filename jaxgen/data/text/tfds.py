"""Texts of tensorflow-datasets."""

from jaxgen.data.text.documents import Documents
from jaxgen.data.tfds import examples, splits


def tfds_text(name: str) -> tuple[Documents, Documents | None]:
    """The splits `train` and `test` (or `validation`, or none) of a set of texts.

    Its feature is `text`; each example is a document.

    Raises:
      UserError: there is no such set, it has other features or no split `train`, it cannot be
        downloaded, or it cannot be prepared without a package that is not installed.
    """
    parts: list[Documents] = []
    for split in splits(name, "text"):
        pieces = [example["text"] for example in examples(split, name)]
        texts = (p.decode() if isinstance(p, bytes) else str(p) for p in pieces)
        parts.append(Documents(tuple(texts)))
    return parts[0], parts[1] if len(parts) == 2 else None
