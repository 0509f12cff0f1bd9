"""What a kind of data is: images, text, ...; each has a folder here with a `kind.py` that holds KIND."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jaxgen.data.datasets import Dataset


@dataclass(frozen=True, eq=False)
class Data:
    """A source, loaded: its training part, its held-out part, and what both have in common.

    The spec is what a model and a sampler need to know of the data, without the data: sizes, a
    tokenizer. It is saved beside a trained model: `to_json` gives plain JSON types with its `kind`.
    """

    train: Dataset
    test: Dataset
    spec: Any


@dataclass(frozen=True)
class Source:
    """Where data of one kind comes from.

    Attributes:
      read: of what follows the colon, the training part and the held-out part, and what else `assemble`
        takes.
      argument: what that is, for messages; empty where there is no colon.
    """

    read: Callable[[str], tuple[Any, ...]]
    argument: str = ""


@dataclass(frozen=True)
class Kind:
    """How data of one kind is loaded.

    Attributes:
      sources: by the name that a person writes.
      assemble: of a source's two parts, and the options that the kind has, its `Data`.
      spec_from_json: the inverse of its spec's `to_json`.
    """

    sources: Mapping[str, Source]
    assemble: Callable[..., Data]
    spec_from_json: Callable[[Mapping[str, Any]], Any]


def whole(values: Mapping[str, Any], name: str, least: int = 1, end: int = 2**31) -> int:
    """A whole number from `least` on, below `end`."""
    value = values[name]
    if type(value) is not int or not least <= value < end:
        raise ValueError(f"{name} is {value!r}")
    return value
