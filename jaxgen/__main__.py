"""`python -m jaxgen` is the command `jaxgen`."""


def main() -> None:
    """The command `jaxgen`."""
    from jaxgen.interrupts import arm

    arm()  # before what takes time to import
    from jaxgen.cli import main

    main()


if __name__ == "__main__":
    main()
