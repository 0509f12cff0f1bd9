"""A run's directory: config.json, data.json, metrics.jsonl, events, checkpoints, samples, curves."""

import json
import os
import re
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxgen.errors import UserError
from jaxgen.interrupts import draft as removed_at_end
from jaxgen.interrupts import is_armed
from jaxgen.runs.durable import make_folder, replace_file, sync
from jaxgen.runs.seal import NAME, is_intact, seal

JSON_BYTES = 16_000_000  # above any vocabulary; in memory, JSON may take 25 times as much
OWN = "own:"  # in config.json before the class of an experiment that no preset names
LAUNCHED = "JAXGEN_LAUNCHED"  # in a launcher's workers: its own command, up to the --
FORMAT = 2  # of config.json; raised when another reader would misread it or its checkpoints


@dataclass(frozen=True)
class Run:
    """The paths of one run."""

    folder: Path

    @property
    def config(self) -> Path:
        """The experiment and all its fields."""
        return self.folder / "config.json"

    @property
    def spec(self) -> Path:
        """What the model needs to know of its data."""
        return self.folder / "data.json"

    @property
    def origin(self) -> Path:
        """Of a run that began with another one's weights: which, and what was left out."""
        return self.folder / "origin.json"

    @property
    def metrics(self) -> Path:
        """One JSON object per logged step."""
        return self.folder / "metrics.jsonl"

    @property
    def checkpoints(self) -> Path:
        """Orbax checkpoints by step."""
        return self.folder / "checkpoints"

    @property
    def samples(self) -> Path:
        """What the model drew."""
        return self.folder / "samples"

    def sample_path(self, step: int) -> Path:
        """Where the sample of a step goes, without a suffix."""
        return self.samples / f"step-{step:07d}"

    def new_sample_path(self, step: int, seed: int, folder: Path | None = None) -> Path:
        """Where another sample of a step goes, without a suffix: none that is there is replaced."""
        folder = self.samples if folder is None else folder
        stem, number = f"step-{step:07d}-seed-{seed}", 1
        while any(folder.glob(f"{stem}-{number}.*")):
            number += 1
        return folder / f"{stem}-{number}"

    @property
    def curves(self) -> Path:
        """The picture of the metrics."""
        return self.folder / "curves.png"


def run_path(root: Path, name: str) -> Path:
    """root/name; a UserError where the name could leave the root, or would be taken for a flag."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name):
        raise UserError(
            f"{name!r} cannot name a run: use letters, digits, '.', '_' and '-', with neither '.' nor "
            "'-' in front."
        )
    return root / name


def going_on(run: Run) -> str:
    """What goes on with a run, to be typed as it is printed: a command, or in a program the call.

    A job of several processes goes on as one, and the state lies on the devices as before.
    """
    name, root = run.folder.name, run.folder.parent
    if not is_armed():
        return _call(run)
    launcher = os.environ.get(LAUNCHED, "")
    program = sys.argv[0]
    command = {
        "train.py": [program] if launcher else [python_command(), program],
        "__main__.py": [*([] if launcher else [python_command()]), "-m", "jaxgen", "train"],
    }.get(Path(program).name, [_script(program), "train"])
    words = shlex.join([*command, *resuming(name, root), *layout_of(sys.argv[1:])])
    return f"{launcher} {words}" if launcher else words


def resuming(name: str, root: Path) -> list[str]:
    """The flags of `train.py` that go on with a run in a directory of runs."""
    return ["--resume", name, *([] if root == Path("runs") else ["--runs", str(root)])]


def python_command() -> str:
    """What a person types for this Python: `python`, where that is the same."""
    found = shutil.which("python")
    same = found is not None and Path(found).parent == Path(sys.executable).parent
    return "python" if same else sys.executable


def _script(program: str) -> str:
    """What a person types for the command `jaxgen`, which a shell hands over with its whole path."""
    return "jaxgen" if shutil.which("jaxgen") == program else program


def layout_of(args: list[str]) -> list[str]:
    """The flags that say where a run lies on devices and hosts, which its config does not hold."""
    kept = []
    for place, word in enumerate(args):
        flag, equals, _ = word.partition("=")
        if flag in ("--parallel", "--mesh", "--feed"):
            kept += [word] if equals else args[place : place + 2]
        elif flag == "--distributed":
            kept.append(word)
    return kept


def _call(run: Run) -> str:
    """The call of `jaxgen.train` that goes on with a run."""
    try:
        experiment = str(read_json(run.config).get("experiment"))
    except UserError:
        experiment = ""
    own = experiment.startswith(OWN)
    first = (
        f"{experiment.removeprefix(OWN)}()" if own else repr(experiment) if experiment else "..."
    )
    root = run.folder.parent
    where = "" if root == Path("runs") else f", runs={str(root)!r}"
    return f"jaxgen.train({first}, name={run.folder.name!r}{where}, resume=True)"


def refuse_existing(folder: Path) -> None:
    """Raise a UserError where a run's directory exists."""
    run, another = Run(folder), "another --name" if is_armed() else "another name"
    try:
        exists = folder.exists()
    except OSError as error:
        raise UserError(f"Cannot use {folder}: {error.strerror}; give other names.") from None
    if exists and not run.config.is_file():
        raise UserError(f"{folder} exists and is no run: give {another}, or move it away.")
    if exists:
        raise UserError(f"{folder} exists: go on with it by {going_on(run)}, or give {another}.")


def create_run(
    root: Path, name: str, experiment: str, fields: dict, spec: dict, origin: dict | None = None
) -> Run:
    """Make a new run's directory, whole or not at all; `origin`: of the run that it began with.

    Raises UserError where it exists or may not be written.
    """
    run = Run(run_path(root, name))
    refuse_existing(run.folder)
    draft = Run(root / f".{name}.{os.getpid()}.new")
    try:
        with removed_at_end(draft.folder):
            make_folder(draft.samples)
            save_config(draft, experiment, fields)
            write_json(draft.spec, spec)
            if origin is not None:
                write_json(draft.origin, origin)
            draft.folder.rename(run.folder)
            sync(root)
    except BaseException as error:
        shutil.rmtree(draft.folder, ignore_errors=True)
        if not isinstance(error, OSError):
            raise
        raise UserError(f"Cannot write to {root}: {error.strerror}; give another --runs.") from None
    return run


def save_config(run: Run, experiment: str, fields: dict) -> None:
    """Write config.json: the experiment's name and all its fields."""
    write_json(run.config, {"format": FORMAT, "experiment": experiment, "fields": fields})


def open_run(folder: Path) -> tuple[Run, str, dict[str, Any], dict[str, Any]]:
    """(run, experiment name, fields, data spec) of an existing run.

    Raises UserError where the folder is no run or its files cannot be read.
    """
    run = Run(folder)
    if not os.path.isfile(run.config):  # noqa: PTH113  (pathlib's fails on a name that is too long)
        raise UserError(
            f"{folder} is not a run: it has no config.json; check the name and the folder that holds it."
        )
    _refuse_foreign_files(run)
    config, spec = read_json(run.config), read_json(run.spec)
    if config.get("format") != FORMAT:
        raise UserError(
            f"{run.config} has format {config.get('format')}, and this jaxgen reads {FORMAT}: use "
            "the version that wrote it."
        )
    name, fields = config.get("experiment"), config.get("fields")
    if not isinstance(name, str) or not isinstance(fields, dict):
        raise UserError(f"{run.config} lacks 'experiment' or 'fields': restore it from a copy.")
    return run, name, fields, spec


def _refuse_foreign_files(run: Run) -> None:
    """A UserError for a link, a device or a pipe where files are read or written.

    Inside of its steps a checkpoint looks for them itself.
    """
    for folder in (run.folder, run.checkpoints, run.samples):
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.is_symlink():
                raise UserError(
                    f"{path} is a symbolic link: a run's files are its own, so put the file there."
                )
            # The last question is for drafts that a run in training renames meanwhile.
            if not path.is_file() and not path.is_dir() and path.exists():
                raise UserError(f"{path} is a device or a pipe: take it out of the run.")


def write_json(path: Path, value) -> None:
    """Write an object, sealed by its digest, whole or not at all."""
    replace_file(path, json.dumps(seal(value), indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file; a UserError where there is none, or another than was written.

    One without a seal is a person's own.
    """
    try:
        if path.stat().st_size > JSON_BYTES:
            raise ValueError(f"it is larger than {JSON_BYTES // 10**6} MB")
        value = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_once)
        json.dumps(value, ensure_ascii=False).encode()  # half a character cannot be written again
    except OSError as error:
        raise UserError(
            f"Cannot read {path}: {error.strerror}; restore it from a copy, or start another run."
        ) from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not JSON ({error}): restore it from a copy.") from None
    if not isinstance(value, dict):
        raise UserError(f"{path} does not hold a JSON object: restore it from a copy.")
    if NAME in value and not is_intact(value):
        raise UserError(
            f"{path} is damaged, its {NAME} is another: restore it from a copy, or, where you have "
            f"edited it, take out its line {NAME}."
        )
    value.pop(NAME, None)
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object, if a person who reads its first `data` reads the one that is used."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("it names a field twice")
    return fields
