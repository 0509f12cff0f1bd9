"""Ctrl-C and SIGTERM of a command: heard at every moment, and never as a KeyboardInterrupt.

A program that imports the package keeps Python's own Ctrl-C, which `held` only puts off.

An exception that a handler raises may come anywhere: in a callback of the garbage collector, where
Python drops it and the program goes on, or in the middle of an import, where a library makes another
error of it. So a handler here raises nothing. It ends the process itself, or hands the wish to whoever
has asked for it, as the training loop does, which saves first. No jax here, nor anything else that
takes time to import: an entry point calls `arm` before all that does.
"""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM)
INTERRUPTED = 130  # the status that shells give to a command which Ctrl-C has ended
# How long Python's main thread, which alone runs handlers, may stay in C, as in a compilation, before
# another thread ends the process.
PATIENCE_SECONDS = 0.5
SHOW_CURSOR = b"\x1b[?25h\n"  # a progress bar has hidden it

_armed = _ending = _has_bar = False
_taken = 0  # signals that were handed on
_spare = 0.0  # signals that would yet be handed on
_held = 0  # signals that wait for the end of `held`
_drafts: dict[Path, None] = {}
_farewells: list[Callable[[], None]] = []


def arm() -> None:
    """From here on Ctrl-C and SIGTERM end this process with status 130 and one word, at any moment."""
    global _armed
    if _armed or threading.current_thread() is not threading.main_thread():
        return
    _armed = True
    for number in SIGNALS:
        signal.signal(number, _end_in_main_thread)
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(read,), name="interrupts", daemon=True).start()


def disarm() -> None:
    """What is left is the interpreter's own end: let the kernel cut that short, in silence."""
    if _armed:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)


def is_armed() -> bool:
    """Whether this process is a command, and not a program that has imported the package."""
    return _armed


def was_taken() -> bool:
    """Whether a signal was handed on, so that this process is on its way to its end."""
    return _taken > 0


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            for each in path.iterdir():
                _remove(each)
            path.rmdir()
        else:
            path.unlink(missing_ok=True)


def end(status: int, word: str = "") -> NoReturn:
    """End at once, without the interpreter's long farewell, in which libraries' threads may crash."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # a handler may have come in the middle of a print
            stream.flush()
    for path in list(_drafts):
        _remove(path)
    with contextlib.suppress(OSError):
        if _has_bar:
            os.write(sys.stdout.fileno(), SHOW_CURSOR)
        if word:
            os.write(2, f"{word}\n".encode())
    os._exit(status)


@contextlib.contextmanager
def draft(path: Path) -> Iterator[Path]:
    """Have a file or folder removed where the process is ended before it has its name."""
    _drafts[path] = None
    try:
        yield path
    finally:
        _drafts.pop(path, None)


@contextlib.contextmanager
def bar() -> Iterator[None]:
    """Give the cursor back where the process is ended while a progress bar hides it."""
    global _has_bar
    _has_bar = True
    try:
        yield
    finally:
        _has_bar = False


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Have a program's Ctrl-C wait for the end of this context, and be its KeyboardInterrupt there.

    One that is raised while jaxlib compiles leaves the compiler's thread behind, which takes the process
    down with a segmentation fault when the interpreter has gone away. A program's own handler, and a
    command's, stay as they are.
    """
    global _held
    if not _is_handled_by(signal.default_int_handler):
        yield
        return
    _held = 0
    signal.signal(signal.SIGINT, _hold)
    try:
        yield
    except KeyboardInterrupt:  # it was heard, and says more
        _held = 0
        raise
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if _held:
            _held = 0
            raise KeyboardInterrupt


@contextlib.contextmanager
def let_through() -> Iterator[None]:
    """In what `held` spans, a part that may take long and compiles nothing: Ctrl-C ends it at once."""
    global _held
    if not _is_handled_by(_hold):
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        if _held:
            _held = 0
            raise KeyboardInterrupt
        yield
    finally:
        signal.signal(signal.SIGINT, _hold)


def _is_handled_by(handler: Callable) -> bool:
    in_main_thread = threading.current_thread() is threading.main_thread()
    return in_main_thread and signal.getsignal(signal.SIGINT) is handler


def _hold(number: int, frame) -> None:
    global _held
    _held += 1
    if _held > 1:
        with contextlib.suppress(OSError):
            os.write(2, b"Ctrl-C waits for what is under way; Ctrl-\\ ends the process\n")


def before_end(farewell: Callable[[], None]) -> None:
    """Have this done before a signal ends the process, for at most a few seconds."""
    _farewells.append(farewell)


class Taken:
    """A context in which the signals are handed on, as `take(number)`, and do not end the process.

    Args:
      take: called in the main thread, between two of its lines. `most`: after so many the signals
        end the process again; without one they never do.
    """

    def __init__(self, take: Callable[[int], None], most: float = float("inf"), signals=SIGNALS):
        self._take, self._most, self._signals = take, most, signals
        self._handlers: dict = {}

    def __enter__(self) -> "Taken":
        global _spare, _held
        if threading.current_thread() is threading.main_thread():  # only it may set handlers
            _spare = self._most
            self._handlers = {n: signal.signal(n, self._note) for n in self._signals}
            if _held:
                _held = 0
                self._note(signal.SIGINT, None)
        return self

    def __exit__(self, *error):
        global _spare
        if self._handlers:
            _spare = 0.0
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}

    def _note(self, number: int, frame) -> None:
        global _taken, _spare
        _taken += 1
        _spare -= 1
        if _spare < 1:
            self.__exit__()
        self._take(number)


def _end_in_main_thread(number: int, frame) -> None:
    global _ending
    if not _ending:  # a second signal does not wait for the farewells
        _ending = True
        for farewell in _farewells:
            with contextlib.suppress(Exception):
                farewell()
    end(INTERRUPTED, "interrupted")


def _watch(read: int) -> None:
    """End the process where a signal has come and the main thread does not come to its handler."""
    heard = 0
    while data := os.read(read, 100):
        heard += sum(number in SIGNALS for number in data)
        threading.Timer(PATIENCE_SECONDS, _insist, (heard,)).start()


def _insist(heard: int) -> None:
    if heard > _taken + _spare and not _ending:
        end(INTERRUPTED, "interrupted")
