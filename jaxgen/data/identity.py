"""What tells the content of a data set from another's; kept beside a run and compared later."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxgen.data.kind import Data
from jaxgen.data.lazy import digest_bytes


def content(data: Data) -> dict[str, Any]:
    """For each part the number of its examples, and a digest of each of its arrays.

    The digests are of all bytes up to 64 MiB an array; beyond, of its length and of 256 blocks.
    """
    return {
        name: {
            "examples": part.num_examples,
            "digests": {key: _digest(array) for key, array in sorted(part.arrays.items())},
        }
        for name, part in (("train", data.train), ("test", data.test))
    }


def changes(kept: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """What differs between two contents, in words.

    Raises KeyError, TypeError, ValueError or AttributeError where `kept` is no content.
    """
    words = {"train": "training", "test": "held-out"}
    said = []
    for part, of_part in found.items():
        before = kept[part]
        if before["examples"] != of_part["examples"]:
            said.append(
                f"{before['examples']:,} {words[part]} examples then, {of_part['examples']:,} now"
            )
        for name in sorted({*before["digests"], *of_part["digests"]}):
            if before["digests"].get(name) != of_part["digests"].get(name):
                said.append(f"another {words[part]} {name!r}")
    return said


def _digest(array: Any) -> str:
    if not isinstance(array, np.ndarray):
        return array.digest()
    flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    return f"{array.dtype}{list(array.shape)} {digest_bytes(flat)}"
