"""Every formula of the documents under its id, in the documents' order by family.

`EQUATIONS` is the registry, `find` looks one up. An entry holds both forms as LaTeX and as
functions, with an example on which they can be run (see `entry.Equation`).
"""

import difflib
from collections.abc import Mapping
from types import MappingProxyType

from jaxgen.equations import entries_attention, entries_gan, entries_transformer, entries_vae
from jaxgen.equations.entry import VERDICTS, Equation, Example, Run, Verdict
from jaxgen.errors import UserError

__all__ = ["EQUATIONS", "VERDICTS", "Equation", "Example", "Run", "Verdict", "find"]

EQUATIONS: Mapping[str, Equation] = MappingProxyType(
    {
        equation.id: equation
        for entries in (entries_attention, entries_gan, entries_vae, entries_transformer)
        for equation in entries.ENTRIES
    }
)


def find(equation_id: str) -> Equation:
    """The equation of that id.

    Raises:
      UserError: there is none; the message names the nearest id.
    """
    if equation_id in EQUATIONS:
        return EQUATIONS[equation_id]
    # cutoff 0: the nearest id is named however far it is.
    nearest = difflib.get_close_matches(equation_id, EQUATIONS, n=1, cutoff=0.0)[0]
    raise UserError(f"There is no equation '{equation_id}'; the nearest id is '{nearest}'.")
