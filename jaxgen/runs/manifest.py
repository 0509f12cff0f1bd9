"""What a checkpoint must hold: each leaf's path, shape, dtype and SHA-256, and the run's config.

The digest of a leaf is that of its bytes, little-endian and in C order; of a PRNG key, of its words.
A manifest in JSON ends with the digest of all its other fields, so that damage to it shows too.
"""

import hashlib
import json
import math
import platform
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import jax
import jaxlib
import numpy as np
from jax.experimental import multihost_utils

from jaxgen.errors import UserError
from jaxgen.runs.seal import is_intact, seal

FORMAT = 1  # raised when an older reader would misread a manifest
FREE = (  # fields of a run's that may change: how far, how it is kept, where its data lies, how it draws
    "steps", "log_every", "eval_every", "checkpoint_every", "keep_checkpoints", "on_full_disk",
    "steps_per_dispatch", "skip_nonfinite", "data", "sampling",
)  # fmt: skip


@dataclass(frozen=True)
class Leaf:
    """One array of the state; a PRNG key's dtype names its kind, as jax prints it: key<fry>."""

    shape: tuple[int, ...]
    dtype: str
    sha256: str = ""

    def __str__(self) -> str:
        return f"{self.dtype}[{','.join(map(str, self.shape))}]"


@dataclass(frozen=True)
class Manifest:
    """What was saved as a step; `files` come in when they have been written."""

    step: int
    config: Any  # as config.json: the experiment's name and fields; None where none was given
    metrics: dict[str, float]  # finite ones only
    leaves: dict[str, Leaf]
    files: dict[str, str] = field(default_factory=dict)  # path in the step's folder -> SHA-256
    versions: dict[str, str] = field(default_factory=dict)  # of what computed it

    def to_json(self) -> str:
        """The manifest as text, sealed by its own digest."""
        fields = {"format": FORMAT, **asdict(self)}
        return json.dumps(seal(fields), indent=1)

    @classmethod
    def from_json(cls, text: str | bytes) -> "Manifest":
        """The manifest of a text.

        Raises ValueError where it is not as it was written, UserError where its format is newer.
        """
        fields = json.loads(text)
        if not isinstance(fields, dict) or not is_intact(fields):
            raise ValueError("the manifest's own digest differs")
        fields.pop("sha256")
        number = fields.pop("format")
        if number > FORMAT:
            raise UserError(
                f"The checkpoint has format {number}, and this jaxgen reads {FORMAT}: use the "
                "version that wrote it."
            )
        fields["leaves"] = {
            path: Leaf(tuple(leaf["shape"]), leaf["dtype"], leaf["sha256"])
            for path, leaf in fields["leaves"].items()
        }
        manifest = cls(**fields)
        numbers = all(isinstance(value, float) for value in manifest.metrics.values())
        if not numbers or not isinstance(manifest.files, dict):
            raise ValueError("the manifest has values of another kind")
        return manifest


def describe(state: Any, step: int, config: Any = None, metrics: Mapping | None = None) -> Manifest:
    """The manifest of a state. Where leaves are split over processes, all of them must ask."""
    finite = {name: float(value) for name, value in (metrics or {}).items() if math.isfinite(value)}
    leaves = {
        path: replace(_outline(leaf), sha256=digest(to_host(leaf)))
        for path, leaf in by_path(state).items()
    }
    return Manifest(step, config, finite, leaves, versions=versions())


def versions() -> dict[str, str]:
    """Of what decides the last bits: jax, its compiler in jaxlib, and Python."""
    return {
        "jax": jax.__version__, "jaxlib": jaxlib.__version__, "Python": platform.python_version(),
    }  # fmt: skip


def changed_leaves(manifest: Manifest, state: Any) -> list[str]:
    """The paths of leaves whose bytes are not those that were saved."""
    return [
        path
        for path, leaf in by_path(state).items()
        if digest(to_host(leaf)) != manifest.leaves[path].sha256
    ]


def refuse_other_model(manifest: Manifest, like: Any, config: Any, source: str) -> None:
    """Raise a UserError where `like`, with its config, is not of the saved shapes and dtypes.

    It names the first leaf that differs, what it is in `source` and here, and the fields to blame.
    """
    here = {path: str(_outline(leaf)) for path, leaf in by_path(like).items()}
    saved = {path: str(leaf) for path, leaf in manifest.leaves.items()}
    differing = [path for path in {**here, **saved} if here.get(path) != saved.get(path)]
    if not differing:
        return
    path, rest = differing[0], len(differing) - 1
    more = f" ({rest} more leaves differ)" if rest else ""
    raise UserError(
        f"{source} has {path} as {saved.get(path, 'nothing')}, and this model as "
        f"{here.get(path, 'nothing')}{more}: {_blame(manifest.config, config)}."
    )


def refuse_other_config(manifest: Manifest, config: Any, source: str) -> None:
    """Raise a UserError where a field that decides what is learnt is not as when the step was saved.

    Fields that the version which saved it did not have are as it behaved.
    """
    saved, here = json.loads(json.dumps([manifest.config, config]))
    for name, (old, new) in config_differences(saved, _known_to(saved, here)).items():
        field = name.removeprefix("fields.")
        if field.split(".")[0] not in FREE:
            raise UserError(
                f"{source} was saved with {field} {old}, and config.json has {new}: bring that file "
                "back from a copy, or start another run."
            )


def _known_to(saved: Any, here: Any) -> Any:
    if not isinstance(saved, dict) or not isinstance(here, dict):
        return here if saved is not None else None
    return {name: _known_to(value, here.get(name)) for name, value in saved.items()}


def config_differences(saved: Any, current: Any, prefix: str = "") -> dict[str, tuple[Any, Any]]:
    """The entries in which two nested dicts differ, by dotted name, with both values."""
    if not isinstance(saved, dict) or not isinstance(current, dict):
        return {} if saved == current else {prefix.removesuffix("."): (saved, current)}
    found = {}
    for name in {**saved, **current}:
        found |= config_differences(saved.get(name), current.get(name), f"{prefix}{name}.")
    return found


def by_path(tree: Any) -> dict[str, Any]:
    """The leaves of a tree by their path, as params/block0/attention/query/kernel."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}


def to_host(leaf: Any) -> np.ndarray:
    """A leaf's whole value, a PRNG key's words; a split leaf is gathered, for which all must ask."""
    if isinstance(leaf, jax.Array) and not leaf.is_fully_addressable and leaf.is_fully_replicated:
        leaf = leaf.addressable_data(0)
    if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    if isinstance(leaf, jax.Array) and not leaf.is_fully_addressable:
        leaf = multihost_utils.process_allgather(leaf, tiled=True)
    return np.asarray(leaf)


def digest(array: np.ndarray) -> str:
    """SHA-256 of an array's bytes, little-endian and in C order."""
    if sys.byteorder == "big":
        array = array.byteswap()
    return hashlib.sha256(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data).hexdigest()


def _outline(leaf: Any) -> Leaf:
    return Leaf(tuple(leaf.shape), str(leaf.dtype))


def _blame(saved: Any, current: Any) -> str:
    """Which fields probably made another model of it."""
    found = config_differences(*(json.loads(json.dumps(config)) for config in (saved, current)))
    if "experiment" in found:
        old, new = found["experiment"]
        return f"it is a checkpoint of {old}, not of {new}; start another run"
    fields = {
        name.removeprefix("fields."): pair
        for name, pair in found.items()
        if name.startswith("fields.")
    }
    # Shapes follow from the configs of the parts (model, optimiser) rather than from the run's own.
    parts = {name: pair for name, pair in fields.items() if "." in name} or fields
    if not parts:
        return "no field differs, so use the version of jaxgen that saved it, or start another run"
    told = [
        f"--{name.replace('_', '-')} is {old} there and {new} here"
        for name, (old, new) in parts.items()
    ]
    return f"probably because {', '.join(told[:3])}; change it back, or start another run"
