"""`load`: from the name of a source, as a person writes it, to the data in memory.

arrayrecord:PATTERN images: ArrayRecord files of pictures, or of tf.train.Example with them, as a
                    prepared set of tensorflow-datasets has them
captioned-digits    captions: the digits, each with words such as "a seven"
digits              images: 1,797 handwritten digits, 8 × 8; comes with the package
effects             audio: clicks, noise and sweeps, half a second each, told apart by a label
fashion-mnist       images: Fashion-MNIST, 28 × 28, where it is on this machine
folder:DIR          images: PNG, JPEG or WebP files, a folder a class or all in one
grid                points: a mixture of 25 Gaussians on a grid
hidden-markov:SIZE  text: SIZE different symbols of a hidden Markov chain, whose entropy is known
idx:DIR             images: a folder of files in MNIST's format, gzipped or not
npz:FILE            images: arrays in NumPy's archive format
parquet:FILE#COLUMN images or text: a column of Parquet files; by the extra jaxgen[parquet]
python-reference    text: Python's language reference; comes with Python
random-tokens:SIZE  text: SIZE different tokens, independent and uniform, without a text
ring                points: a mixture of 8 Gaussians on a circle
shakespeare         text: a million characters of plays, where they are on this machine
text:FILE           text: a UTF-8 file
shapes              captions: scenes of coloured shapes, some combinations only in the held-out part
shapes-all          captions: the same with all combinations in both parts, for who is to judge
speech              audio: 25 s of read English, where they are on this machine
tfds:NAME           images, text or audio: a set of tensorflow-datasets
tokens:FILE         text: tokens on disk, nanoGPT's .bin or what `jaxgen tokenize` writes
vowels              audio: a synthesised voice of known pitch and formants, with features of each frame
wav:DIR             audio: 16-bit PCM files, a folder a speaker or all in one
"""

import importlib
import pkgutil
from collections.abc import Mapping
from typing import Any

import jaxgen.data
from jaxgen.data.kind import Data, Kind, Source
from jaxgen.errors import UserError
from jaxgen.suggest import did_you_mean


def kind_names() -> list[str]:
    """Every kind of data, sorted: the folders of this room that have a `kind.py`."""
    packages = (
        module.name for module in pkgutil.iter_modules(jaxgen.data.__path__) if module.ispkg
    )
    return sorted(packages)


def find_kind(name: str) -> Kind:
    """The kind of that name; a UserError where there is none."""
    if name not in kind_names():
        raise UserError(f"There is no kind of data {name!r}; {did_you_mean(name, kind_names())}.")
    return importlib.import_module(f"jaxgen.data.{name}.kind").KIND


def all_sources() -> dict[str, Source]:
    """The sources of all kinds by name."""
    return {
        name: source
        for kind in kind_names()
        for name, source in sorted(find_kind(kind).sources.items())
    }


def load(source: str, *, kind: str, **options: Any) -> Data:
    """The data of a source, split into a training and a held-out part.

    Args:
      source: `name` or `name:argument`, see the module's docstring.
      kind: what the model works on: a folder of this room.
      options: those of the kind, for text `tokenizer` and `seq_len`.

    Raises:
      UserError: the source is not known, is of another kind or cannot be read, or an option is wrong.
    """
    name, colon, argument = source.partition(":")
    known, own = all_sources(), find_kind(kind).sources
    if name not in known:
        near = did_you_mean(name, sorted(_form(key, value) for key, value in known.items()))
        raise UserError(f"The source {source!r} is not known; {near}.")
    if not own:
        raise UserError(
            f"No source holds {kind}: give the experiment a `load` that returns them "
            "(jaxgen.data.from_arrays)."
        )
    form = _form(name, known[name])
    if bool(argument) != bool(known[name].argument) or (colon and not argument):
        raise UserError(f"The source {source!r} is incomplete or has too much: write {form}.")
    if name not in own:
        raise UserError(
            f"The source {source!r} does not hold {kind}, which this model works on: choose one of "
            f"{', '.join(sorted(own))}."
        )
    return find_kind(kind).assemble(*own[name].read(argument), **options)


def spec_from_json(values: Mapping[str, Any]) -> Any:
    """The spec whose `to_json` gave `values`.

    Raises KeyError, TypeError or ValueError where something is missing or of another kind.
    """
    if values["kind"] not in kind_names():
        raise ValueError(f"there is no kind of data {values['kind']!r}")
    return find_kind(values["kind"]).spec_from_json(values)


def _form(name: str, source: Source) -> str:
    return f"{name}:{source.argument}".rstrip(":")
