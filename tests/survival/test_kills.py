"""Real runs, really killed: by SIGKILL in a step, in a save, in a commit; then resumed, bit for bit.

$JAXGEN_KILLS is the number of kills per model family, 3 unless given; `make soak` asks for more.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from jaxgen.runs import stored
from jaxgen.runs.meter import is_time

pytestmark = pytest.mark.once

KILLS = int(os.environ.get("JAXGEN_KILLS", "3"))
AIMS = ("save", "step", "commit", "save", "commit", "start")
STEPS = 12 * (KILLS + 1)  # six saves for each process, of which it is let do at most five
TINY = {
    "gpt-python": [
        "--model.num-layers", "1", "--model.num-heads", "2", "--model.model-size", "8",
        "--model.hidden-size", "12", "--model.max-seq-len", "16", "--seq-len", "16",
        "--sampling.max-tokens", "20",
    ],
    "vae-digits": [
        "--model.hidden-sizes", "7", "--model.latent-size", "3", "--sampling.count", "5",
        "--judge-samples", "0",
    ],
    "gan-digits": [
        "--model.generator-sizes", "7", "--model.discriminator-sizes", "5", "--model.latent-size", "3",
        "--sampling.count", "5",
    ],
}  # fmt: skip
CADENCE = [
    "--batch-size", "8", "--steps", str(STEPS), "--log-every", "1", "--eval-every", str(STEPS),
    "--checkpoint-every", "2",
]  # fmt: skip


def begin(family, root):
    """A process that trains the run `root/run`, from its last checkpoint if there is a run."""
    if (root / "run" / "config.json").exists():
        flags = ["--resume", "run"]
    else:
        flags = [family, "--name", "run", *TINY[family], *CADENCE]
    root.mkdir(exist_ok=True)
    with (root / "stderr.txt").open("a") as stderr:
        return subprocess.Popen(
            [sys.executable, "-m", "jaxgen", "train", *flags, "--runs", str(root)],
            stdout=subprocess.DEVNULL, stderr=stderr,
        )  # fmt: skip


def names(root) -> set[str]:
    """What lies in the folder of checkpoints."""
    with contextlib.suppress(FileNotFoundError):
        return {path.name for path in (root / "run" / "checkpoints").iterdir()}
    return set()


def moment(found: set[str]) -> str:
    """What a run is doing, by its folder: orbax writes the arrays, or the step is being completed."""
    if any("orbax-checkpoint-tmp" in name for name in found):
        return "save"
    if any(re.fullmatch(r"\d+\.(saving|removing)", name) for name in found):
        return "commit"
    return "step"


def kill(process, root, aim: str, rng) -> str:
    """Kill the process at a random moment of the kind aimed at; returns where it was caught."""
    before, saves, start = names(root), int(rng.integers(1, 3)), time.monotonic()
    patience = rng.uniform(0.2, 2.5) if aim == "start" else float("inf")
    began: set[str] = set()  # the steps whose save this process was seen to begin or end
    while process.poll() is None:
        found = names(root)
        began |= {name.partition(".")[0] for name in found - before}
        missed = len(began) > saves + 2  # a commit may be too short to be seen
        if missed or time.monotonic() - start > patience:
            break
        if len(began) >= saves and moment(found - before) == aim:
            if aim != "commit":
                time.sleep(rng.uniform(0, 0.02))
            break
        time.sleep(0.0002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, (root / "stderr.txt").read_text()
    return moment(names(root) - before) if began else "start"


def hexes(root) -> list[dict]:
    """All metrics of a run, each bit of them."""
    lines = [json.loads(line) for line in (root / "run" / "metrics.jsonl").read_text().splitlines()]
    return [
        {name: float(value).hex() for name, value in line.items() if not is_time(name)}
        for line in lines
    ]


def final_digests(root) -> dict:
    """The digests of all final parameters, and of all else in the state; of files that are sound."""
    folder = root / "run" / "checkpoints" / str(STEPS)
    manifest = stored.read_manifest(folder)
    stored.check_files(folder, manifest)
    return manifest.leaves


@pytest.fixture(scope="module")
def table():
    """Where the kills fell, by family; printed at the end."""
    rows: dict[str, list[str]] = {}
    yield rows
    places = ("start", "step", "save", "commit")
    print(f"\n{'family':12}{'kills':>7}{'survived':>10}" + "".join(f"{p:>8}" for p in places))
    for family, fell in rows.items():
        alive = fell.count("survived")
        counts = "".join(f"{fell.count(place):8}" for place in places)
        print(f"{family:12}{len(fell) - alive:7}{alive:10}{counts}")


@pytest.mark.timeout(120 + 40 * KILLS)
@pytest.mark.parametrize("family", TINY)
def test_a_run_killed_again_and_again_is_the_uninterrupted_run(family, tmp_path, table):
    rng = np.random.default_rng(list(TINY).index(family))
    whole = begin(family, tmp_path / "whole")
    root, fell = tmp_path / "killed", []
    for number in range(KILLS):
        fell.append(kill(begin(family, root), root, AIMS[number % len(AIMS)], rng))
    table[family] = fell
    for process in (begin(family, root), whole):
        assert process.wait() == 0, (root / "stderr.txt").read_text()

    assert hexes(root) == hexes(tmp_path / "whole")
    assert [line["step"] for line in hexes(root)] == [float(i).hex() for i in range(1, STEPS + 1)]
    assert final_digests(root) == final_digests(tmp_path / "whole")
    # A kill damages nothing: no step had to be passed over, and nothing of it is left.
    assert names(root) == names(tmp_path / "whole") == {str(STEPS - 2), str(STEPS)}
    for line in (root / "stderr.txt").read_text().splitlines():
        assert re.fullmatch(
            r"warning: .*: step \d+ is not saved to its end: going on from .*", line
        )
    assert not (tmp_path / "whole" / "stderr.txt").read_text()
    fell.extend(["survived"] * KILLS)
