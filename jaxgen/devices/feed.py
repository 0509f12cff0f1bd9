"""How a training set reaches the devices: whole, once; or batch by batch, ahead of the steps.

Both give a step the same rows, in the same order, from the same indices: the losses have the same bits.
"""

import contextlib
import functools
import queue
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Literal, NamedTuple

import jax
import numpy as np

from jaxgen.devices.plan import Plan

WHOLE_BYTES = 256 * 2**20
"""The largest set that is copied to the devices, unless it was asked for."""
BLOCK_BYTES = 32 * 2**20
"""The most that one dispatch is fed with; up to three such blocks are in memory."""
AHEAD = 2
"""Blocks that are ready, or being made ready, while the devices work on another."""

Where = Literal["device", "host"]


class Feeding(NamedTuple):
    """Where a training set lies while it is trained on."""

    where: Where
    set_bytes: int
    batch_bytes: int
    batch_size: int

    @property
    def most_steps(self) -> int | None:
        """The most steps of one dispatch; None: any number."""
        return None if self.where == "device" else max(1, BLOCK_BYTES // self.batch_bytes)

    def describe(self) -> str:
        """One line for a person."""
        size = f"{self.set_bytes / 1e6:,.1f} MB of data"
        if self.where == "device":
            return f"{size}: whole on every device (--feed host sends batches)"
        return (
            f"{size}: batches of {self.batch_size} ({self.batch_bytes / 1e6:.3g} MB) are sent to the "
            "devices ahead of the steps (--feed device would copy all of it there)"
        )


def choose_feeding(asked: Where | None, dataset: Any, batch_size: int) -> Feeding:
    """As asked for; else by the set's size."""
    arrays = dataset.arrays
    set_bytes = sum(array.nbytes for array in arrays.values())
    row = dataset.gather(arrays, np.zeros(1, np.int32))
    batch_bytes = batch_size * sum(np.asarray(leaf).nbytes for leaf in row.values())
    where = asked or ("device" if set_bytes <= WHOLE_BYTES else "host")
    return Feeding(where, set_bytes, batch_bytes, batch_size)


class WholeSet:
    """The set lies on the devices, and a dispatch is fed with indices."""

    def __init__(self, plan: Plan, dataset: Any, order: Callable, size: int):
        self._plan, self._order, self._size = plan, order, size
        self.take = dataset.take
        self.arrays = plan.put_arrays(dataset.arrays)
        self.waited = 0.0

    def __enter__(self) -> "WholeSet":
        return self

    def __exit__(self, *error):
        pass

    def next(self, step: int, count: int, report: Any = None) -> Any:
        """The feed of a dispatch of `count` steps from `step` on."""
        return self._plan.place(self._order(step, self._size))


class Ahead:
    """The set stays on the host, and a dispatch is fed with rows, which a thread makes ready ahead.

    `dispatches` are the (step, count) of all dispatches to come. Whatever the thread meets, e.g. a file
    that was cut short, is raised by `next`. `waited` counts the seconds in which the devices had nothing
    to do but wait for it.
    """

    def __init__(self, plan: Plan, dataset: Any, order: Callable, size: int, dispatches: Iterable):
        self._plan, self._dataset, self._order, self._size = plan, dataset, order, size
        self.take = lambda _, rows: dataset.finish(rows)
        self.arrays: dict = {}
        self.waited = 0.0
        self._ready: queue.Queue = queue.Queue(AHEAD - 1)  # and one more, that waits for room
        self._stopped = False
        self._thread = threading.Thread(target=self._fill, args=(dispatches,), daemon=True)

    def __enter__(self) -> "Ahead":
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._stopped = True
        while self._thread.is_alive():
            with contextlib.suppress(queue.Empty):
                self._ready.get_nowait()  # room for what the thread is about to put
            self._thread.join(0.01)

    def next(self, step: int, count: int, report: Any = None) -> Any:
        """The feed of a dispatch of `count` steps from `step` on; `report` is that of the one before."""
        try:
            found, feed = self._ready.get_nowait()
        except queue.Empty:
            jax.block_until_ready(report)
            start = time.perf_counter()
            found, feed = self._ready.get()
            self.waited += time.perf_counter() - start
        if isinstance(feed, BaseException):
            raise feed
        assert found == (step, count), (found, step, count)
        return feed

    def _fill(self, dispatches: Iterable) -> None:
        try:
            for step, count in dispatches:
                if self._stopped:
                    return
                indices = self._order(step, self._size)
                fetch = functools.partial(fetch_rows, self._dataset, count)
                feed = self._plan.place(indices, fetch)
                self._ready.put(((step, count), feed))
        except BaseException as error:
            self._ready.put((None, error))


def fetch_rows(dataset: Any, count: int, indices: np.ndarray) -> dict[str, np.ndarray]:
    """The rows of the first `count` steps of (size, ...) indices; what no step will read is zero."""
    wanted, fetched = indices[:count], {}
    for name, rows in dataset.gather(dataset.arrays, wanted.reshape(-1)).items():
        rows = rows.reshape(wanted.shape + rows.shape[1:])
        padding = [(0, len(indices) - count)] + [(0, 0)] * (rows.ndim - 1)
        fetched[name] = rows if count == len(indices) else np.pad(rows, padding)
    return fetched


def make_feed(
    where: Where, plan: Plan, dataset: Any, order: Callable, size: int, dispatches: Iterable
) -> WholeSet | Ahead:
    """What feeds dispatches of up to `size` steps, of which `dispatches` are the (step, count)."""
    if where == "device":
        return WholeSet(plan, dataset, order, size)
    return Ahead(plan, dataset, order, size, dispatches)
