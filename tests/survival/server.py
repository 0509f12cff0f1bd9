"""A process that has imported everything and forks a process of jaxgen's for a line on its stdin.

Starting Python and jax takes seconds, forking does not. A line is a JSON object, answered by a line:
`arguments` of the command `jaxgen`, or the `life` of a tiny preset, `log` (a file for what it prints)
and, for faults.c, `fault`, by the process's number; `wait`, a process's number, and `seconds` by its
status, null where it ran longer and was killed.
"""

import ctypes
import importlib
import io
import json
import os
import pkgutil
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import flax.linen  # noqa: F401
import PIL.Image
import tensorboardX.record_writer  # noqa: F401
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from orbax.checkpoint import v1  # noqa: F401

import jaxgen.experiments
import jaxgen.metrics.pictures
from jaxgen import reader, runner
from jaxgen.cli import main

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "experiments"))

import tiny  # noqa: E402


def prepare() -> None:
    """Do once what each process would do again: import the commands and every preset, find fonts."""
    jaxgen.experiments.__path__.append(str(HERE / "presets"))
    for name in ("train", "evaluate", "sample"):
        importlib.import_module(f"jaxgen.cli.{name}")
    for module in pkgutil.iter_modules(jaxgen.experiments.__path__):
        importlib.import_module(f"jaxgen.experiments.{module.name}")
    PIL.Image.init()
    figure = Figure()
    FigureCanvasAgg(figure)
    figure.add_subplot().plot([1, 2], label="1")
    figure.axes[0].legend()
    figure.savefig(io.BytesIO())


def live(name: str, folder: str, steps: int) -> None:
    """Begin the tiny run `folder/run` of a preset and what it stands on, or go on with it."""
    root = Path(folder)
    if (root / "run").exists():
        saved = reader.load_run(root / "run")
        runner.resume(saved, saved.experiment)
        return
    experiment = replace(tiny.tiny(name), steps=steps, eval_every=steps)
    for beneath in experiment.stands_on.values():
        if not (root / beneath.run).exists():
            tiny.train(beneath.run, root)
    runner.start(experiment, name, root, "run")


def child(order: dict) -> None:
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    if fault := order.get("fault"):
        folder, kind, n, number, forever = fault
        ctypes.CDLL(None).arm(folder.encode(), kind.encode(), n, number, forever)
    if life := order.get("life"):
        live(*life)
        os._exit(0)
    sys.argv = ["jaxgen", *order["arguments"]]
    main()
    sys.exit()


def wait(pid: int, seconds: float) -> int | None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


if __name__ == "__main__":
    prepare()
    print("ready", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            print(json.dumps(wait(order["wait"], order["seconds"])), flush=True)
            continue
        pid = os.fork()
        if pid == 0:
            child(order)
        print(pid, flush=True)
