"""A saved step on disk: the files that orbax wrote, and manifest.json with the digest of each."""

import hashlib
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from jaxgen.runs.manifest import Leaf, Manifest, digest

MANIFEST = "manifest.json"
MANIFEST_BYTES = 16_000_000  # a leaf takes some 200
STATE = "state"  # orbax's folder of the arrays


class Damaged(Exception):  # noqa: N818  (a finding, which the caller goes on from)
    """A step is not what was saved; the message names the file, and the leaves where known."""


def seal(folder: Path, manifest: Manifest) -> None:
    """Write the manifest, with the digest of every file in the folder, beside them."""
    files = {
        path.relative_to(folder).as_posix(): _file_digest(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    (folder / MANIFEST).write_text(replace(manifest, files=files).to_json(), encoding="utf-8")


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a step, which must be of the step that the folder is named after.

    Raises Damaged where there is none that reads; UserError where its format is newer.
    """
    path = folder / MANIFEST
    if folder.is_symlink():
        raise Damaged("it is a symbolic link")
    if path.is_symlink():
        raise Damaged(f"{MANIFEST} is a symbolic link")
    try:
        if path.exists() and not path.is_file():
            raise Damaged(f"{MANIFEST} is no file")
        if path.stat().st_size > MANIFEST_BYTES:
            raise Damaged(f"{MANIFEST} is larger than {MANIFEST_BYTES // 10**6} MB")
        manifest = Manifest.from_json(path.read_bytes())
    except OSError as error:
        found = "is missing" if isinstance(error, FileNotFoundError) else "cannot be read"
        raise Damaged(f"{MANIFEST} {found}") from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise Damaged(f"{MANIFEST} is damaged") from None
    if str(manifest.step) != folder.name:
        raise Damaged(f"{MANIFEST} is of step {manifest.step}")
    return manifest


def check_files(folder: Path, manifest: Manifest) -> None:
    """Raise Damaged where a file is missing, differs or is not known, before anything is read of it.

    A step holds no symbolic links: its files are its own. Only what was found in the folder is opened,
    so no name in the manifest leads out of it.
    """
    inside = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            raise Damaged(f"{name} is a symbolic link")
        if path.is_dir():
            continue
        if not path.is_file():
            raise Damaged(f"{name} is a device or a pipe")
        if name != MANIFEST and name not in manifest.files:
            raise Damaged(f"{name} is not in {MANIFEST}")
        inside[name] = path
    for name, expected in manifest.files.items():
        if name not in inside:
            raise Damaged(f"{name} is missing{_leaves(folder, manifest, name)}")
        try:
            found = _file_digest(inside[name])
        except OSError as error:
            raise Damaged(f"{name} cannot be read: {error.strerror}") from None
        if found != expected:
            raise Damaged(f"{name} is damaged{_leaves(folder, manifest, name)}")


def check_arrays(folder: Path, manifest: Manifest) -> None:
    """Raise Damaged where an array on disk claims another shape than its leaf, before it is read."""
    try:
        # Orbax reads what this file of its says; what is checked here is zarr 3.
        metadata = json.loads((folder / STATE / "_METADATA").read_bytes())
        if metadata["use_zarr3"] is not True:
            raise Damaged(f"{STATE}/_METADATA names another format than zarr 3")
        for path, leaf in manifest.leaves.items():
            _open(folder, path, leaf)
    except Damaged:
        raise
    except Exception as error:  # tensorstore and JSON raise many kinds
        said = " ".join(str(error).split())[:200]
        raise Damaged(f"{STATE} cannot be read, {type(error).__name__} {said}") from None


def _open(folder: Path, path: str, leaf: Leaf) -> Any:
    """One array on disk, unread; Damaged where it, or a chunk of it, is larger than the leaf.

    A chunk is unpacked whole, so a small file may hold one that no memory does.
    """
    import tensorstore  # orbax's storage, asked directly: it reads one leaf and says nothing

    base = {"driver": "file", "path": f"{folder.absolute() / STATE}/"}
    # Orbax joins the parts of a leaf's path by dots.
    store = {"driver": "ocdbt", "base": base, "path": path.replace("/", ".") + "/"}
    array = tensorstore.open({"driver": "zarr3", "kvstore": store}).result()
    rank, words = len(leaf.shape), 4 if leaf.dtype.startswith("key<") else 1  # of a PRNG key
    shape, chunk = tuple(array.shape), array.chunk_layout.write_chunk.shape or ()
    fits = shape[:rank] == leaf.shape and math.prod(shape[rank:]) <= words
    if not fits or any((part or 0) > max(size, 1) for part, size in zip(chunk, shape, strict=True)):
        raise Damaged(f"{STATE} has {path} in another shape than {MANIFEST}, {shape} in {chunk}")
    return array


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _leaves(folder: Path, manifest: Manifest, name: str) -> str:
    """The leaves that the damage to a file reached, in words."""
    if not name.startswith(f"{STATE}/"):
        return ", no leaf is"
    bad = [path for path, leaf in manifest.leaves.items() if not _is_intact(folder, path, leaf)]
    if not bad:
        return ", no leaf is"
    if len(bad) == len(manifest.leaves) > 1:
        return ", so every leaf is lost"
    more = f" and {len(bad) - 3} more leaves" if len(bad) > 3 else ""
    return f" at {', '.join(bad[:3])}{more}"


def _is_intact(folder: Path, path: str, leaf: Leaf) -> bool:
    """Whether one leaf still reads as it was saved."""
    try:
        array = _open(folder, path, leaf).read().result()
    except Exception:  # many kinds; whatever it is, the leaf cannot be had
        return False
    return digest(array) == leaf.sha256
