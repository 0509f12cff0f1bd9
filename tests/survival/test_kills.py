"""Runs killed by SIGKILL at their start, in a step, in a save, in a commit; then resumed, bit for bit.

$JAXGEN_KILLS is the number of kills of each family, one in each of AIMS unless given: then of the toy
alone, since every preset is killed once in tests/experiments.
"""

import contextlib
import os
import re
import select
import shutil
import signal
import time

import numpy as np
import pytest

from jaxgen.experiments.registry import find_preset

from .conftest import bits

pytestmark = pytest.mark.once

AIMS = ("save", "step", "commit", "save", "commit", "start")
KILLS = int(os.environ.get("JAXGEN_KILLS", len(AIMS)))
EVERY = 2  # steps between two saves
STEPS = 6 * EVERY * (KILLS + 1)  # six saves for each process, of which it is let do at most five
FAMILIES = ["toy"]
if "JAXGEN_KILLS" in os.environ:
    FAMILIES += [
        "gpt-python", "vae-digits", "gan-digits", "diffusion-digits", "wavenet-vowels", "vqvae-digits",
        "dalle-digits", "classifier-digits", "mean-flow-ring",
    ]  # fmt: skip


class Life:
    """A process that trains the run `root/run`, from its last checkpoint if there is a run."""

    def __init__(self, server, family: str, root):
        root.mkdir(exist_ok=True)
        self._server, self._log = server, root / "log"
        if family == "toy":
            new = not (root / "run").exists()
            cadence = ["--steps", STEPS, "--eval-every", STEPS, "--checkpoint-every", EVERY]
            begin = ["train", "toy", "--name", "run", "--log-every", 1, *cadence]
            words = [*(begin if new else ["train", "--resume", "run"]), "--runs", root]
            self._pid = server.start(words, self._log)
        else:
            self._pid = server.live(family, root, STEPS, self._log)
        self._descriptor = os.pidfd_open(self._pid)

    def goes_on(self) -> bool:
        return not select.select([self._descriptor], [], [], 0)[0]

    def kill(self) -> None:
        signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)
        assert self.wait() == -signal.SIGKILL, self._log.read_text()

    def wait(self) -> int | None:
        os.close(self._descriptor)
        return self._server.wait(self._pid, 600.0)


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


def kill(life: Life, root, aim: str, rng) -> str:
    """Kill the process at a random moment of the kind aimed at; returns where it was caught."""
    before, saves, start = names(root), int(rng.integers(1, 3)), time.monotonic()
    patience = rng.uniform(0, 1.5) if aim == "start" else float("inf")
    began: set[str] = set()  # the steps whose save this process was seen to begin or end
    while life.goes_on():
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
    life.kill()
    return moment(names(root) - before) if began else "start"


@pytest.fixture(scope="module")
def places():
    """Where the kills fell, by family; printed at the end."""
    rows: dict[str, list[str]] = {}
    yield rows
    kinds = ("start", "step", "save", "commit")
    print(f"\n{'family':20}{'kills':>7}{'survived':>10}" + "".join(f"{kind:>8}" for kind in kinds))
    for family, fell in rows.items():
        alive = fell.count("survived")
        counts = "".join(f"{fell.count(kind):8}" for kind in kinds)
        print(f"{family:20}{len(fell) - alive:7}{alive:10}{counts}")


@pytest.mark.timeout(300 + 40 * KILLS)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_run_killed_again_and_again_is_the_uninterrupted_run(server, family, tmp_path, places):
    rng = np.random.default_rng(FAMILIES.index(family))
    whole, root, fell = tmp_path / "whole", tmp_path / "killed", []
    assert Life(server, family, whole).wait() == 0, (whole / "log").read_text()
    root.mkdir()
    if family != "toy":
        for beneath in find_preset(family).experiment.stands_on.values():
            shutil.copytree(whole / beneath.run, root / beneath.run)
    for number in range(KILLS):
        fell.append(kill(Life(server, family, root), root, AIMS[number % len(AIMS)], rng))
    places[family] = fell
    assert Life(server, family, root).wait() == 0, (root / "log").read_text()

    metrics, leaves = bits(root / "run")
    assert (metrics, leaves) == bits(whole / "run")
    assert [line["step"] for line in metrics] == [float(i).hex() for i in range(1, STEPS + 1)]
    # A kill damages nothing: no step had to be passed over, and nothing of it is left.
    assert names(root) == names(whole)
    warning = re.compile(r"warning: .*: step \d+ is not saved to its end: going on from .*")
    lines = [line for line in (root / "log").read_text().splitlines() if "warning" in line]
    assert all(map(warning.fullmatch, lines)), lines
    assert "warning" not in (whole / "log").read_text()
    fell.extend(["survived"] * KILLS)
