"""What the documents say, as printed and as it should be: every formula, algorithm and piece of code.

A new equation is its function in `jaxgen.equations`, one record in its family's file here, and its test.

`EQUATIONS` and `PASSAGES` hold the records by id, formulas in the documents' order by family; `find`
looks one up. An equation's record holds both forms as LaTeX and as functions, with an example on which
they can be run (see `record.Equation`).
"""

from collections.abc import Mapping
from types import MappingProxyType

from jaxgen.catalog import (
    algorithms,
    attention,
    bounds,
    diffusion,
    gan,
    gan_variants,
    language,
    sound,
    tokens,
    transformer,
    vae,
)
from jaxgen.catalog.passage import PASSAGE_VERDICTS, Passage
from jaxgen.catalog.record import VERDICTS, Equation, Example, Run, Verdict
from jaxgen.errors import UserError
from jaxgen.suggest import alike

__all__ = [
    "EQUATIONS", "PASSAGES", "PASSAGE_VERDICTS", "VERDICTS", "Equation", "Example", "Passage", "Run",
    "Verdict", "find",
]  # fmt: skip

_FAMILIES = (
    attention, gan, gan_variants, vae, bounds, language, transformer, diffusion, sound, tokens,
)  # fmt: skip
EQUATIONS: Mapping[str, Equation] = MappingProxyType(
    {equation.id: equation for family in _FAMILIES for equation in family.ENTRIES}
)
PASSAGES: Mapping[str, Passage] = MappingProxyType(
    {passage.id: passage for passage in algorithms.PASSAGES}
)


def find(entry_id: str) -> Equation | Passage:
    """The equation or passage of that id.

    Raises:
      UserError: there is none; the message names the nearest ids, also by what they mean.
    """
    known = {**EQUATIONS, **PASSAGES}
    if entry_id in known:
        return known[entry_id]
    near, *others = alike(entry_id, {each.id: each.title for each in known.values()})
    raise UserError(
        f"There is no equation '{entry_id}'; the nearest id is '{near}' (or {', '.join(others)}; jaxgen "
        f"equations lists all {len(known)})."
    )
