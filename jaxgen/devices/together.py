"""What the processes of a job tell each other beside the step; alone, a process tells itself."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from jaxgen.errors import UserError

MESSAGE_BYTES = 4000


def wait_for_all(what: str) -> None:
    """Return when every process has come here."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(what)


def told_by_main(number: int) -> int:
    """The first process's number, in all of them."""
    if jax.process_count() == 1:
        return number
    return int(multihost_utils.broadcast_one_to_all(np.int32(number)))


def true_of_any(found: bool) -> bool:
    """Whether it is so in one of the processes."""
    if jax.process_count() == 1:
        return found
    return bool(multihost_utils.process_allgather(np.array(found)).any())


def done_by_main(action: Callable[[], Any]) -> None:
    """Let the first process act while the others wait; its UserError is raised in all of them.

    Who went on without it would wait for it for ever.
    """
    said = ""
    if jax.process_index() == 0:
        try:
            action()
        except UserError as error:
            said = str(error)
    if jax.process_count() > 1:
        text = np.frombuffer(said.encode()[:MESSAGE_BYTES].ljust(MESSAGE_BYTES, b"\0"), np.uint8)
        told = np.asarray(multihost_utils.broadcast_one_to_all(text)).tobytes()
        said = told.rstrip(b"\0").decode(errors="replace")
    if said:
        raise UserError(said)
