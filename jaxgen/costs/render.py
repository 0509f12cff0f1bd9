"""A cost table as text: Markdown for documents, aligned columns for a terminal."""

from collections.abc import Sequence

from jaxgen.costs.table import PHASES, Row, Table

_HEADINGS = (
    "operation", "kind", "contracts", "formula", "forward", "backward", "update", "of FLOPs", "bytes",
)  # fmt: skip
SORTS = ("step", "flops", "bytes", "name")


def cells(table: Table, sort: str = "step") -> list[tuple[str, ...]]:
    """One tuple of texts per row and one for the sums: see the headings above.

    The share is of all FLOPs; `sort` puts the dearest first, or goes by name, or stays as the step goes.
    FLOPs and least bytes are whole numbers; the formula is of the forward pass, or of the update where
    there is no forward pass; none where both compute nothing.
    """
    rows, whole = [], max(table.flops(), 1)
    for row in _sorted(table.rows, sort):
        formula = next((f for f in (row.forward.flops, row.update.flops) if f != "0"), "")
        rows.append(
            (
                row.name, row.kind, " ".join(row.contracted), formula,
                *(f"{row.flops(phase):,}" for phase in PHASES),
                f"{row.flops() / whole:.1%}", f"{row.least_bytes():,}",
            )
        )  # fmt: skip
    sums = (f"{table.flops(phase):,}" for phase in PHASES)
    return [*rows, ("sum", "", "", "", *sums, "100.0%", f"{table.least_bytes():,}")]


def _sorted(rows: Sequence[Row], sort: str) -> Sequence[Row]:
    match sort:
        case "flops":
            return sorted(rows, key=lambda row: -row.flops())
        case "bytes":
            return sorted(rows, key=lambda row: -row.least_bytes())
        case "name":
            return sorted(rows, key=lambda row: row.name)
    return rows


def markdown(table: Table, sort: str = "step") -> str:
    """A Markdown table of all rows, then a line of totals."""
    lines = [
        "| " + " | ".join(_HEADINGS) + " |",
        "| --- | --- | --- | --- | --: | --: | --: | --: | --: |",
    ]
    lines += ["| " + " | ".join(row) + " |" for row in cells(table, sort)]
    return "\n".join([*lines, "", summary(table)])


def text(table: Table, sort: str = "step") -> str:
    """The same in aligned columns."""
    rows = [_HEADINGS, *cells(table, sort)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    lines = []
    for row in rows:
        padded = [
            cell.rjust(width) if column > 3 else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(padded).rstrip())
    return "\n".join([*lines, "", summary(table)])


def summary(table: Table) -> str:
    """The totals and the sizes in one line each."""
    sizes = ", ".join(f"{letter} = {size}" for letter, size in table.sizes.items())
    return (
        f"{table.name}: {table.matmul_flops:,} matmul and convolution FLOPs, "
        f"{table.elementwise_flops:,} elementwise; at least {table.least_bytes():,} bytes moved; "
        f"{table.parameters:,} parameters, {table.activation_bytes:,} bytes of activations\n{sizes}"
    )
