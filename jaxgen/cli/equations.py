"""`jaxgen equations [ID]`."""

from dataclasses import dataclass

import tyro

from jaxgen.cli.parsing import parse


@dataclass(frozen=True)
class EquationsOptions:
    """Print the documents' equations, or one of them in full."""

    id: tyro.conf.Positional[str | None] = None
    """The equation, e.g. attention.scaled-dot-product; all of them where none is given."""


def equations(args: list[str]) -> None:
    """List the documents' equations, or print one in full: jaxgen equations [ID]."""
    options = parse(EquationsOptions, args, "jaxgen equations")
    from rich.console import Console

    from jaxgen.book.equations import list_equations, show_equation

    console = Console()
    if options.id is None:
        list_equations(console)
    else:
        show_equation(options.id, console)
