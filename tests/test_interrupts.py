"""Ctrl-C of a program: Python's own KeyboardInterrupt, but not in the middle of what it would break."""

import os
import signal
import time

import pytest

from jaxgen import interrupts
from jaxgen.errors import Interrupted, NotSaved, UserError, plain_errors


@pytest.fixture(autouse=True)
def python_s_own():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.01)  # a handler runs between two lines


def test_ctrl_c_waits_for_the_end_of_what_is_held(capfd):
    done = []
    with pytest.raises(KeyboardInterrupt), interrupts.held():
        press()
        done.append("the compilation")
        press()  # who cannot wait is told what it waits for
        with interrupts.held():  # as `load` in `train`
            done.append("the rest")
    assert done == ["the compilation", "the rest"]
    assert capfd.readouterr().err.count("Ctrl-C waits for what is under way") == 1
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with interrupts.held():
        pass  # nothing of it is left
    with pytest.raises(KeyboardInterrupt):
        press()


def test_what_is_let_through_is_heard_at_once():
    done = []
    with pytest.raises(KeyboardInterrupt), interrupts.held():
        with interrupts.let_through():
            press()
            done.append("no more data")
        done.append("no compilation")
    with pytest.raises(KeyboardInterrupt), interrupts.held():
        press()
        done.append("the step before")
        with interrupts.let_through():
            done.append("no data at all")
    assert done == ["the step before"]


def test_a_loop_that_saves_first_is_told_of_what_was_held():
    taken = []
    with interrupts.held():
        press()
        with interrupts.Taken(taken.append):
            assert taken == [signal.SIGINT]
            press()
    assert taken == [signal.SIGINT] * 2


def test_a_program_s_own_handler_is_its_own():
    heard = []
    signal.signal(signal.SIGINT, lambda *_: heard.append("mine"))
    with interrupts.held():
        press()
        assert heard == ["mine"]


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (UserError("--steps is 0: give 1 or more."), 2, "error: --steps is 0: give 1 or more."),
        (Interrupted("stopped at step 3"), 130, "stopped at step 3"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (NotSaved("no room"), 1, "error: no room"),
        (
            OSError(28, "No space left on device", "/x"),
            2,
            "error: /x: No space left on device: make room.",
        ),
    ],
)
def test_a_script_may_end_as_the_commands_do(error, status, said, capsys):
    with pytest.raises(SystemExit) as end, plain_errors():
        raise error
    assert end.value.code == status
    assert capsys.readouterr().err == f"{said}\n"


def test_a_defect_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError), plain_errors():
        print(1 / 0)
    assert not issubclass(
        Interrupted, Exception
    )  # which a program's `except Exception` would swallow
