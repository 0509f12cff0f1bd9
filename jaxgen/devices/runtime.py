"""What a process sets before its first computation: the allocator and the compilation cache."""

import ctypes
import os
import platform
import re
import warnings
from pathlib import Path

UNREADABLE = r"Error reading persistent compilation cache entry for '([\w.-]+)'"  # jax's warning
# glibc's <malloc.h>: option numbers of mallopt, and the values that end the page faults.
MALLOPT = {
    -3: 1 << 30,  # M_MMAP_THRESHOLD: blocks below 1 GiB come from the heap, not from mmap
    -1: 2**31 - 1,  # M_TRIM_THRESHOLD: the heap's top is never handed back
    -2: 64 << 20,  # M_TOP_PAD: the heap grows by 64 MiB at a time
}


def prepare_process(allocator: bool = True) -> str:
    """Set allocator and compilation cache; returns the line that tells a person so."""
    tuned = allocator and tune_allocator()
    cache = use_compilation_cache()
    where = f"in {cache}" if cache else "are not kept (name a folder by $JAX_COMPILATION_CACHE_DIR)"
    state = "keeps freed memory (--no-tune-allocator leaves it)" if tuned else "left as it is"
    return f"allocator {state}; compiled programs {where}"


def tune_allocator() -> bool:
    """Keep freed memory in the process; True where it was done (Linux with glibc).

    XLA's CPU client allocates a step's buffers anew each time, and glibc returns large ones to the
    kernel, which then zeroes every page again: a third of a small GPT's step. Costs memory. Call it
    before the first large allocation.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all(mallopt(option, value) == 1 for option, value in MALLOPT.items())


def use_compilation_cache() -> Path | None:
    """Keep compiled programs on disk, so that the second start is quick; returns the folder.

    $JAX_COMPILATION_CACHE_DIR names another folder than ~/.cache/jaxgen. None where this user has no
    home, or may not write there; nobody's else would do, since what lies there is run.
    """
    import jax

    own = os.environ.get("JAX_COMPILATION_CACHE_DIR")
    try:
        folder = Path(own) if own else _cache_home() / "jaxgen"
        folder.mkdir(parents=True, exist_ok=True)
    except (RuntimeError, OSError):  # no $HOME and no entry of this user; a disk for reading only
        return None
    if not os.access(folder, os.W_OK):
        return None
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    _replace_damaged_programs(folder)
    return folder


def _replace_damaged_programs(folder: Path) -> None:
    """Remove a kept program that cannot be read, so that jax keeps the new one in its place.

    A killed process may leave a part of one. By itself jax compiles again, warns, and keeps what it
    finds, at every start.
    """
    show = warnings.showwarning

    def remove_or_show(message, category, filename, lineno, file=None, line=None):
        damaged = re.match(UNREADABLE, str(message))
        for path in folder.glob(f"{damaged[1]}-*") if damaged else ():
            path.unlink(missing_ok=True)
        if not damaged:
            show(message, category, filename, lineno, file, line)

    warnings.showwarning = remove_or_show


def _cache_home() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
