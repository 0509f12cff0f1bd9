"""A set that lies on the devices and one that is sent in batches train with the same bits."""

import itertools
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace

import jax
import numpy as np
import pytest

from jaxgen import reader, runner
from jaxgen.data import Images, Shuffled, load
from jaxgen.data.order import InOrder
from jaxgen.devices import feed as feeding
from jaxgen.devices.choose import make_plan
from jaxgen.devices.feed import Ahead, choose_feeding, make_feed
from jaxgen.errors import UserError
from jaxgen.experiments.registry import find_preset
from jaxgen.models.mlp_vae.config import MLPVAEConfig
from jaxgen.runs.cadence import Cadence
from jaxgen.runs.meter import is_time

# A process of its own, for its eight devices: every strategy, five steps in dispatches
# of up to two; the losses of each dispatch, all bits of them, and the parameters at the end.
COMPARISON = """
import json
from dataclasses import replace
import jax, numpy as np
from jaxgen import runner
from jaxgen.devices.feed import make_feed
from jaxgen.experiments.registry import find_preset
from jaxgen.models.gpt.config import GPTConfig
from jaxgen.models.mlp_vae.config import MLPVAEConfig
from jaxgen.runs.cadence import Cadence
from jaxgen.training.metrics import to_floats

EXPERIMENTS = {
    "vae": replace(
        find_preset("vae-digits").experiment, batch_size=24, binarise="grey", model=MLPVAEConfig((8,), 4)
    ),
    "gpt": replace(
        find_preset("gpt-python").experiment, batch_size=24, seq_len=8,
        model=GPTConfig(1, 2, 16, 8, 8, dropout=0.2),
    ),
}
CASES = [
    ("gpt", "jit", None), ("vae", "pmap", None), ("gpt", "mesh", "data=2,fsdp=2,model=2"),
]
CADENCE = Cadence(5, 100, 100, 3, 2)

def trained(experiment, data, devices, where):
    task, order, plan, state, _ = runner.prepare(experiment, data, runner.Devices(*devices))
    feed = make_feed(where, plan, data.train, order.indices_for, 2, CADENCE.dispatches(0))
    dispatch, found = plan.dispatch(task.step, feed.take, 2, state), []
    with feed:
        for step, count in CADENCE.dispatches(0):
            fed = feed.next(step, count)
            state, report = dispatch(state, feed.arrays, fed, np.int32(count))
            found.append({name: value.hex() for name, value in to_floats(report.metrics).items()})
    params = jax.tree.leaves(plan.local(state.params))
    return found, [np.asarray(leaf).tobytes().hex() for leaf in params]

for name, *devices in CASES:
    data = EXPERIMENTS[name].load()
    whole, sent = (trained(EXPERIMENTS[name], data, devices, where) for where in ("device", "host"))
    print(json.dumps([name, devices, len(whole[0]), whole == sent]))
"""


@pytest.mark.first
def test_both_ways_give_the_same_bits_under_every_plan(usual_compiler):
    environment = os.environ | {
        "JAX_NUM_CPU_DEVICES": "8",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",  # many programs that run a few steps
    }
    done = subprocess.run(
        [sys.executable, "-c", COMPARISON], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(dispatches, same) for *_, dispatches, same in found] == [(3, True)] * 3, found


PLAN = make_plan("jit", None, batch_size=4)


class Rows:
    """A set of 50 numbers, each its own square, that counts what is read of it."""

    def __init__(self, fails_at=None, seconds=0.0):
        self.arrays = {"x": np.arange(50, dtype=np.int16) ** 2}
        self.read: list[int] = []
        self._fails_at, self._seconds = fails_at, seconds

    def gather(self, arrays, indices):
        time.sleep(self._seconds)
        if self._fails_at in indices.tolist():
            raise UserError("The file was cut short.")
        self.read += indices.tolist()
        return {"x": arrays["x"][indices]}

    def finish(self, rows):
        return rows


def test_only_what_steps_read_is_fetched_and_the_rest_is_zero():
    rows, order = Rows(), InOrder(50, 4)
    cadence = Cadence(7, 100, 100, 3, 2)
    with Ahead(PLAN, rows, order.indices_for, 2, cadence.dispatches(0)) as feed:
        fed = [(step, feed.next(step, count)) for step, count in cadence.dispatches(0)]
    assert [step for step, _ in fed] == [0, 2, 3, 5, 6]
    for (step, blocks), count in zip(fed, (2, 1, 2, 1, 1), strict=True):
        expected = order.indices_for(step, 2) ** 2
        expected[count:] = 0
        np.testing.assert_array_equal(blocks["x"], expected)
    assert rows.read == order.indices_for(0, 7).ravel().tolist()


def test_it_reads_ahead_of_the_steps_but_not_far():
    rows = Rows()
    with Ahead(
        PLAN, rows, InOrder(50, 4).indices_for, 1, ((i, 1) for i in itertools.count())
    ) as feed:
        feed.next(0, 1)
        deadline = time.monotonic() + 60
        while len(rows.read) < 3 * 4 and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(0.05)
        assert len(rows.read) == (1 + feeding.AHEAD) * 4
    assert feed._thread.is_alive() is False


def test_what_the_thread_meets_is_raised_where_its_batch_is_due():
    threads = threading.active_count()
    dispatches = [(step, 1) for step in range(10)]
    with (
        pytest.raises(UserError, match=r"^The file was cut short\.$"),
        Ahead(PLAN, Rows(fails_at=3), InOrder(50, 4).indices_for, 1, dispatches) as feed,
    ):
        for step, count in dispatches:
            feed.next(step, count)
    assert step == 3 and threading.active_count() == threads


def test_the_time_spent_in_waiting_is_counted():
    dispatches = [(step, 1) for step in range(4)]
    with Ahead(PLAN, Rows(seconds=0.05), InOrder(50, 4).indices_for, 1, dispatches) as slow:
        for step, count in dispatches:
            slow.next(step, count)
    assert 0.15 < slow.waited < 2


def test_the_size_decides_and_can_be_overruled(monkeypatch):
    train = load("digits", kind="images").train  # 1437 images of 64 bytes and labels of 4
    assert choose_feeding(None, train, 128)[:3] == ("device", 1437 * 68, 128 * 68)
    assert choose_feeding("host", train, 128).where == "host"
    monkeypatch.setattr(feeding, "WHOLE_BYTES", 1437 * 68 - 1)
    assert choose_feeding(None, train, 128).where == "host"
    assert choose_feeding("device", train, 128).where == "device"
    monkeypatch.setattr(feeding, "BLOCK_BYTES", 3 * 128 * 68)
    assert choose_feeding(None, train, 128).most_steps == 3
    assert choose_feeding(None, train, 1280).most_steps == 1
    assert choose_feeding("device", train, 1280).most_steps is None


def test_a_whole_set_is_fed_by_indices():
    train = load("digits", kind="images").train
    order = Shuffled(train.num_examples, 4, 0)
    with make_feed("device", PLAN, train, order.indices_for, 3, []) as feed:
        np.testing.assert_array_equal(feed.next(5, 2), order.indices_for(5, 3))
        assert feed.waited == 0
        batch = jax.jit(feed.take)(feed.arrays, order.indices(5))
    np.testing.assert_array_equal(
        batch["image"], train.take(train.arrays, order.indices(5))["image"]
    )


def test_a_run_that_is_sent_its_batches_goes_on_over_an_epochs_end(tmp_path, monkeypatch, capsys):
    """Stopped and resumed it has the losses of the run that was not, the set whole on the device.

    And where the data is slow, it says so.
    """
    experiment = replace(
        find_preset("vae-digits").experiment, model=MLPVAEConfig((8,), 4), judge_samples=0,
        batch_size=400, steps=8, log_every=1, eval_every=8, checkpoint_every=4, steps_per_dispatch=3,
    )  # fmt: skip
    host, whole = runner.Devices("jit", feed="host"), runner.Devices("jit", feed="device")
    runs = {"whole": runner.start(experiment, "vae-digits", tmp_path, "whole", whole)}
    assert "whole on every device" in capsys.readouterr().out
    fast = Images.gather

    def slow(self, arrays, indices):
        time.sleep(0.3)
        return fast(self, arrays, indices)

    monkeypatch.setattr(Images, "gather", slow)
    runner.start(replace(experiment, steps=4), "vae-digits", tmp_path, "sent", host)
    said = capsys.readouterr().out
    assert "batches of 400" in said and "the data limits this run: " in said
    monkeypatch.undo()
    saved = reader.load_run(tmp_path / "sent")
    runs["sent"] = runner.resume(saved, replace(saved.experiment, steps=8), host)
    lines = {
        name: [
            {key: value for key, value in json.loads(line).items() if not is_time(key)}
            for line in run.metrics.read_text().splitlines()
        ]
        for name, run in runs.items()
    }
    losses = {
        name: [(line["step"], line["loss"]) for line in found] for name, found in lines.items()
    }
    assert losses["whole"] == losses["sent"] and len(losses["whole"]) == 8
    # Two programs in this process may round the last update otherwise (conftest.py); bits are above.
    assert lines["whole"][-1] == pytest.approx(lines["sent"][-1], rel=1e-6)
