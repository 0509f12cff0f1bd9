"""`python -m benchmarks` is the command line of `cli.py`."""

import sys

if __name__ == "__main__":
    from jaxgen.interrupts import arm

    arm()  # before what takes time to import
    from benchmarks.cli import main
    from jaxgen.cli import run_command

    run_command(main, sys.argv[1:])
