"""`python -m benchmarks` is the command line of `cli.py`."""

import sys

from benchmarks.cli import main
from jaxgen.cli import run_command

if __name__ == "__main__":
    run_command(main, sys.argv[1:])
