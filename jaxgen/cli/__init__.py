"""The commands `python train.py ...` and `jaxgen ...`, a file each.

jax is imported only by those that compute, and only when they do.
"""

from jaxgen.cli.main import main, main_train, run_command

__all__ = ["main", "main_train", "run_command"]
