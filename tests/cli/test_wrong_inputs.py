"""Wrong inputs, made by rule from every flag, source and command: a sentence, status 2, nothing written.

All of them are some thousands; $JAXGEN_WRONG_INPUTS is how many are tried, at equal distances.
"""

import dataclasses
import os
import re
from typing import Literal, get_args, get_origin, get_type_hints

import benchmarks.cli
from jaxgen import launch, runner
from jaxgen.cli.main import COMMANDS, _main, run_command
from jaxgen.cli.train import train
from jaxgen.data.sources import all_sources, find_kind
from jaxgen.devices.processes import JobOptions
from jaxgen.experiments.registry import experiment_names, find_preset
from jaxgen.runs.options import RunOptions

TRIED = int(os.environ.get("JAXGEN_WRONG_INPUTS", "60"))
EXPERIMENTS = (
    "vae-digits", "gan-digits", "gan-ring", "gpt-python", "gru-words", "classifier-digits",
    "diffusion-digits", "diffusion-ring", "wavenet-vowels", "vae-digits-levels", "vae-fashion-conv",
    "vqvae-digits", "classifier-shapes", "dalle-digits",
)  # fmt: skip
WRONG = {
    int: ("abc", "1.5", "99999999999", "-99999999999", "nan", ""),
    float: ("abc", "nan", "-inf", "1,5", ""),
    bool: ("maybe",),
}


def flags_of(config, prefix: str = "") -> dict[str, object]:
    """Each field's flag, with its type."""
    hints, found = get_type_hints(type(config)), {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        name = f"{prefix}{field.name}".replace("_", "-")
        if dataclasses.is_dataclass(value):
            found |= flags_of(value, f"{name}.")
        else:
            found[name] = hints[field.name]
    return found


def wrong_values(kind: object) -> tuple[str, ...]:
    """Values that no field of this type can have."""
    parts = get_args(kind) if get_origin(kind) is not Literal else ()
    if get_origin(kind) is Literal or any(get_origin(part) is Literal for part in parts):
        return ("nonsense", "")
    if str in (kind, *parts):
        return ()
    if get_origin(kind) is tuple:
        return tuple(WRONG[parts[0]])
    kinds = [each for each in (*parts, kind) if each in WRONG]
    if float in kinds:
        return WRONG[float]
    return WRONG[kinds[0]] if kinds else ()


def of_fields():
    for name in EXPERIMENTS:
        experiment = find_preset(name).experiment
        flags = flags_of(experiment) | flags_of(RunOptions()) | flags_of(JobOptions())
        for flag, kind in flags.items():
            if kind is bool:
                yield "train", [name, f"--{flag}=maybe"]
                continue
            if get_origin(kind) is not tuple:  # which may be empty
                yield "train", [name, f"--{flag}"]
            for value in wrong_values(kind):
                yield "train", [name, f"--{flag}={value}"]
        for flag in flags:
            yield "train", [name, f"--{flag}x=1"]
            yield "train", [name, f"--{flag[1:]}=1"]


def of_sources(folder):
    known = all_sources()
    kinds = ("images", "text", "points", "audio", "captions")
    for name in EXPERIMENTS:
        kind = find_preset(name).experiment.kind
        for source, form in known.items():
            holders = [each for each in kinds if source in find_kind(each).sources]
            if kind not in holders:
                yield "train", [name, f"--data={source}:x" if form.argument else f"--data={source}"]
            elif form.argument:
                yield "train", [name, f"--data={source}"]
                yield "train", [name, f"--data={source}:"]
                if form.argument in ("FILE", "DIR", "PATTERN"):
                    for path in ("none", "empty", "noise", "folder", "missing/deep", "\x07"):
                        yield "train", [name, f"--data={source}:{folder / path}"]
                else:
                    for argument in ("-1", "no such thing", "0", "../.."):
                        yield "train", [name, f"--data={source}:{argument}"]
            else:
                yield "train", [name, f"--data={source}:something"]
        yield "train", [name, "--data=nonsense"]


def of_commands(folder):
    for name in experiment_names():
        for wrong in (name[1:], name + "x", name.upper(), name.replace("-", "_")):
            yield "train", [wrong]
    for command in COMMANDS:
        yield "jaxgen", [command[:-1]]
        yield "jaxgen", [command, "--nonsense"]
        yield "jaxgen", [command, "none", "--nonsense"]
    for command in ("sample", "evaluate", "export"):
        for run in ("none", "empty", "noise", "folder", "", "\x07", "a" * 500):
            yield "jaxgen", [command, str(folder / run), *["out"] * (command == "export")]
        yield "jaxgen", [command]
    for args in (["adopt"], ["adopt", "none"], ["adopt", "gpt2-124m", str(folder / "noise")],
                 ["adopt", "vae-digits", str(folder / "none")], ["tokenize"],
                 ["tokenize", str(folder / "none"), "--out", str(folder / "out")],
                 ["tokenize", str(folder / "empty")], ["tokenize", str(folder), "--out", "out"],
                 ["equations", "none"], ["equations", "gan.minimax", "more"], ["demo", "more"],
                 ["mistakes", "--steps", "0"], ["mistakes", "--seed", "-1"]):  # fmt: skip
        yield "jaxgen", args
    for args in ([], ["-n", "2"], ["-n", "0", "--", "train.py"], ["--", "train.py"],
                 ["-n", "x", "--", "train.py"], ["-n", "1", "--port", "0", "--", "train.py"],
                 ["-n", "1", "--nonsense", "--", "train.py"],
                 ["-n", "1", "--max-restarts", "1", "--", "other.py"]):  # fmt: skip
        yield "launch", args
    for args in (["none"], ["vae", "--nonsense"], ["costs"], ["costs", "none"], ["--compare"],
                 ["costs", "vae-digits", "--batch-size", "0"], ["dearest"], ["aot"],
                 ["vae", "--json", "none.txt"], ["results", "none"], ["peers", "none"],
                 ["--compare", "none.json", "none.json"],
                 ["aot", "vae-digits", "--topology", "x"]):  # fmt: skip
        yield "benchmarks", args


class Accepted(Exception):  # noqa: N818
    """The input was taken for a right one."""


ENTRIES = {
    "train": train, "jaxgen": _main, "launch": launch.launch, "benchmarks": benchmarks.cli.main,
}  # fmt: skip


def test_wrong_inputs_get_a_sentence_and_status_2(tmp_path, monkeypatch, capsys):
    def accept(*_, **__):
        raise Accepted

    monkeypatch.setattr(runner, "prepare", accept)
    monkeypatch.setattr(launch.Job, "run", accept)
    files, here = tmp_path / "files", tmp_path / "here"
    for path in (files / "folder", here):
        path.mkdir(parents=True)
    (files / "empty").write_bytes(b"")
    (files / "noise").write_bytes(bytes(range(256)) * 9)
    monkeypatch.chdir(here)
    cases = [*of_fields(), *of_sources(files), *of_commands(files)]
    chosen = (
        cases if len(cases) <= TRIED else [cases[i * len(cases) // TRIED] for i in range(TRIED)]
    )
    failures = []
    for entry, args in chosen:
        try:
            run_command(ENTRIES[entry], args)
            status = 0
        except SystemExit as end:
            status = end.code
        except Exception as error:
            status = f"{type(error).__name__}: {str(error)[:200]}"
        said = capsys.readouterr().err
        sentence = re.fullmatch(r"error: [^\n]+[.?)]\n", said)
        left = [str(path) for path in here.rglob("*")]
        if status != 2 or not sentence or left:
            failures.append(f"{entry} {args}: {status}, said {said[-300:]!r}, left {left}")
        assert "Traceback" not in said
    assert not failures, f"{len(failures)} of {len(chosen)}:\n" + "\n".join(failures)
    with capsys.disabled():
        print(f"\n{len(chosen)} wrong inputs of {len(cases)}", end=" ")
