"""The book of equations in a terminal: the list, one equation in full, and a table for Markdown.

`list_equations` and `show_equation` print to a rich console; nothing here computes anything but
the live examples, which the catalogue runs.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import jax
import numpy as np
from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from jaxgen.catalog import (
    EQUATIONS,
    PASSAGE_VERDICTS,
    PASSAGES,
    VERDICTS,
    Equation,
    Example,
    Passage,
    Run,
    find,
)


def list_equations(console: Console) -> None:
    """Print one line for each equation and passage: id, where it is printed, verdict, what it is."""
    for title, entries in (
        ("The documents' equations", EQUATIONS),
        ("Their algorithms, code and words", PASSAGES),
    ):
        table = Table(title=title, title_justify="left", box=SIMPLE)
        for name in ("id", "document", "verdict", "what it is"):
            # Ids are typed back, so they alone may not be broken.
            table.add_column(name, no_wrap=name == "id", overflow="fold")
        for entry in entries.values():
            table.add_row(entry.id, escape(entry.document), _verdict(entry), escape(entry.title))
        console.print(table)


def show_equation(entry_id: str, console: Console) -> None:
    """Print one equation in full, and run its example; or print one passage.

    Raises:
      UserError: there is no such id; the message names the nearest one.
    """
    entry = find(entry_id)
    _line(console, f"[bold]{entry.id}[/bold] — {escape(entry.title)}")
    if isinstance(entry, Passage):
        _show_passage(entry, console)
    else:
        _show_equation(entry, console)


def _show_passage(passage: Passage, console: Console) -> None:
    _line(console, f"Verdict: {_verdict(passage)} ({PASSAGE_VERDICTS[passage.verdict]})")
    _section(console, f"What it says ({passage.document})", passage.says)
    if passage.wrong:
        _section(console, "What is wrong with it", passage.wrong)
    _section(console, "What to do", passage.instead)
    if passage.source:
        _section(console, "Source", passage.source)


def _show_equation(equation: Equation, console: Console) -> None:
    _line(console, f"Verdict: {_verdict(equation)} ({VERDICTS[equation.verdict]})")
    _section(console, f"As printed ({equation.document})", equation.printed or "not printed")
    _section(console, "The form to use", equation.corrected)
    _section(console, "Why", equation.explanation)
    _section(console, "Source", f"{equation.paper}\n{equation.link}")
    shapes = [*equation.shapes.items(), *equation.results.items()]
    signature = "\n".join(f"{name}: {shape}" for name, shape in shapes)
    heading = f"{_name(equation.function)}, shapes of its arguments and of what it gives"
    _section(console, heading, signature)
    _section(console, "Example", _arguments(equation.example.arguments))
    _section(console, "Gives", _results(equation.run(), equation.example))
    as_printed = equation.run_printed()
    if as_printed is not None:
        example = equation.printed_example or equation.example
        if example is not equation.example:
            _section(console, "Example of the printed form", _arguments(example.arguments))
        _section(console, "As printed gives", _results(as_printed, example))


def markdown_table(rows: Iterable[Equation] | None = None) -> str:
    """The catalogue (or the given rows) as a Markdown table with GitHub's mathematics."""
    lines = [
        "| id | document | as printed | verdict | the form to use |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in EQUATIONS.values() if rows is None else rows:
        same = row.verdict == "right"
        printed = _markdown_math(row.printed) if row.printed else "not printed"
        corrected = "the same" if same else _markdown_math(row.corrected)
        lines.append(f"| `{row.id}` | {row.document} | {printed} | {row.verdict} | {corrected} |")
    return "\n".join(lines) + "\n"


def _markdown_math(latex: str) -> str:
    # A bare | would end the table's cell.
    return "$`" + latex.replace("||", r"\Vert").replace("|", r"\vert ") + "`$"


def _verdict(entry: Equation | Passage) -> str:
    colour = {"right": "green", "not printed": "dim"}.get(entry.verdict, "red")
    return f"[{colour}]{entry.verdict}[/{colour}]"


def _line(console: Console, text: str) -> None:
    console.print(text, highlight=False)


def _section(console: Console, heading: str, body: str) -> None:
    _line(console, f"\n[bold]{escape(heading)}[/bold]")
    # Text, not a string: brackets in the body are mathematics, not markup.
    console.print(Padding(Text(body), (0, 0, 0, 2)))


def _name(function: Any) -> str:
    return f"{function.__module__.removeprefix('jaxgen.equations.')}.{function.__name__}"


def _arguments(arguments: Mapping[str, Any]) -> str:
    return "\n".join(
        f"{name} = a function" if callable(value) else _assignment(name, value)
        for name, value in arguments.items()
    )


def _results(run: Run, example: Example) -> str:
    parts = run.value._asdict() if hasattr(run.value, "_asdict") else {"value": run.value}
    whole = f"{example.scalar} of {list(parts)[-1]}"
    gradient = {f"d({whole}) / d({name})": array for name, array in run.gradient.items()}
    return "\n".join(_assignment(name, array) for name, array in {**parts, **gradient}.items())


def _assignment(name: str, value: jax.Array | tuple | float | int) -> str:
    array = np.array2string(
        np.asarray(value, dtype=np.float64),
        prefix=f"{name} = ",
        separator=", ",
        # Adding 0 turns the -0 that rounding leaves into 0.
        formatter={"float_kind": lambda number: f"{round(number, 4) + 0.0:g}"},
    )
    return f"{name} = {array}"
