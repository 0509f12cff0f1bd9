"""The book of equations in a terminal: the list, one equation in full, and a table for Markdown.

`list_equations` and `show_equation` print to a rich console; nothing here computes anything but
the live examples, which the catalogue runs.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.text import Text

from jaxgen.book.readable import readable, speaks_ascii_only
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
from jaxgen.catalog.documents import DOCUMENTS
from jaxgen.catalog.places import callers, place


def list_equations(console: Console) -> None:
    """Print each equation in two lines: id, verdict and where it is printed, then the form to use."""
    plain = speaks_ascii_only(console.encoding)
    _line(console, "[bold]The documents' equations[/bold]")
    for entry in EQUATIONS.values():
        _heading(console, entry)
        formula = readable(entry.corrected, ascii_only=plain)
        console.print(Padding(Text(formula), (0, 0, 0, 4), expand=False))
    _line(console, "\n[bold]Their algorithms, code and words[/bold]")
    for entry in PASSAGES.values():
        _heading(console, entry)
        console.print(Padding(Text(entry.title), (0, 0, 0, 4), expand=False))
    _line(console, "\nEach in full: jaxgen equations ID. The documents: docs/documents.md.")


def _heading(console: Console, entry: Equation | Passage) -> None:
    used = 42 + len(entry.verdict)
    between = "  " if used + len(entry.document) <= console.width else "\n    "
    document = f"[dim]{escape(entry.document)}[/dim]"
    _line(console, f"  {entry.id:<38}{_verdict(entry)}{between}{document}")


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
    _section(console, f"What it says ({cited(passage.document)})", passage.says)
    if passage.wrong:
        _section(console, "What is wrong with it", passage.wrong)
    _section(console, "What to do", passage.instead)
    if passage.source:
        _section(console, "Source", passage.source)


def _show_equation(equation: Equation, console: Console) -> None:
    _line(console, f"Verdict: {_verdict(equation)} ({VERDICTS[equation.verdict]})")
    plain = speaks_ascii_only(console.encoding)
    _form(console, f"As printed ({cited(equation.document)})", equation.printed, plain)
    _form(console, "The form to use", equation.corrected, plain)
    _section(console, "Why", equation.explanation)
    _section(console, "Source", f"{equation.paper}\n{equation.link}")
    shapes = [*equation.shapes.items(), *equation.results.items()]
    _section(console, "Where it is written", _written(equation))
    _section(console, "Who calls it", _called(equation))
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


def cited(document: str) -> str:
    """The place in the documents, with the titles of those that it names."""
    found = [DOCUMENTS[number] for number in re.findall(r"\b00\d\b", document)]
    titles = "; ".join(f"{each.number}: {each.english}" for each in found)
    return f"{document}; {titles}" if titles else document


def _form(console: Console, heading: str, latex: str, plain: bool) -> None:
    text = f"{readable(latex, ascii_only=plain)}\n{latex}" if latex else "not printed"
    _section(console, heading, text)


def _written(equation: Equation) -> str:
    forms = {"the form to use": equation.function, "as printed": equation.printed_function}
    forms |= {f"{twin.__name__}, the same": twin for twin in equation.twins}
    return "\n".join(f"{place(form)}  {name}" for name, form in forms.items() if form is not None)


def _called(equation: Equation) -> str:
    """The models and losses that are made of it; the printed form has its own, who show the mistake."""
    lines = [
        f"{each.file}:{each.line}  {each.name}{f', by {each.through}' if each.through else ''}"
        for form in (equation.function, *equation.twins)
        for each in callers(form)
    ]
    if equation.printed_function is not None:
        lines += [
            f"{each.file}:{each.line}  {each.name}, as printed"
            for each in callers(equation.printed_function)
        ]
    return "\n".join(dict.fromkeys(lines)) or "no model here: it is for understanding, and tested"


def documents_page() -> str:
    """docs/documents.md: the five documents, each with the formulas that it prints."""
    lines = [
        "# The five documents",
        "",
        'What "003, 4.1" means: five articles in Chinese on generative AI, which this project takes at',
        "their word. Listed is what each prints, and what is wrong with it; the rest has",
        "`jaxgen equations ID`. (Written by `python -m jaxgen.book.equations`.)",
    ]
    for document in DOCUMENTS.values():
        title = f"{document.title} ({document.english})" if document.title else document.english
        lines += ["", f"## {document.number}. {title}", "", document.about]
        formulas = [e for e in EQUATIONS.values() if e.printed and document.number in e.document]
        if formulas:
            lines += ["", "| id | where | as printed | verdict |", "| --- | --- | --- | --- |"]
            lines += [
                f"| `{e.id}` | {e.document} | {_markdown_math(e.printed)} | {e.verdict} |"
                for e in formulas
            ]
        passages = [p for p in PASSAGES.values() if document.number in p.document]
        lines += ["", *(f"- `{p.id}` ({p.document}): {p.title}; {p.verdict}." for p in passages)]
    lines += ["", "## In none of them", "", "Implied, or needed by the models:", ""]
    lines += [f"- `{e.id}`: {e.title}." for e in EQUATIONS.values() if not e.printed]
    return "\n".join(lines) + "\n"


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
    console.print(Padding(Text(body), (0, 0, 0, 2), expand=False))


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


if __name__ == "__main__":
    Path("docs/documents.md").write_text(documents_page(), encoding="utf-8")
