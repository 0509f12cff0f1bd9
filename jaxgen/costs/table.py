"""A cost table: one row per operation of a training step, that sums to the step.

Conventions, stated here once (`conventions.py` has those of other people):

- **FLOPs.** A multiply-add is 2. A matmul over the sizes B, T, D, F costs 2·B·T·D·F forward and as
  much again for each operand that has a gradient. Attention is counted over the whole T·S square,
  as it is computed, causal or not. Looking up an embedding costs nothing.
- **Elementwise FLOPs** are apart: one per element for each +, −, ·, /, max, comparison, selection,
  exp, log, root and the like; a sum of n numbers is n. Leading order: what is done once per row of a
  normalisation rather than once per element is left out. Random numbers and casts cost nothing.
- **Bytes** are the least traffic between memory and processor, a lower bound. Every array crosses once
  in each phase that reads or writes it: forward reads parameters and data and writes the results that
  backward will need; backward reads those and the parameters and writes the gradients; update reads
  gradients, reads and writes parameters and moments. Elementwise work is fused with its neighbours;
  attention's T·S matrices stay on the chip (Dao et al. 2022, https://arxiv.org/abs/2205.14135), and so
  do logits, from which loss and gradient are made piece by piece. Nothing else is recomputed unless the
  model asks for it; such results are made and read in the backward pass alone and need not cross. The
  bound holds where arrays do not fit into a cache; where they stay in one between phases, less moves.
- **Activation bytes** are what the mathematics of the backward pass reads, one result for each
  operation, T·S matrices and logits included, nothing recomputed unless asked for. Automatic
  differentiation may keep more, several arrays for one elementwise function, until the compiler fuses
  them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from jaxgen.costs.formula import evaluate

Kind = Literal["matmul", "convolution", "elementwise"]
Phase = Literal["forward", "backward", "update"]
PHASES: tuple[Phase, ...] = get_args(Phase)
CONTRACTIONS: tuple[Kind, ...] = ("matmul", "convolution")


@dataclass(frozen=True)
class Cost:
    """What one phase of a row costs, as formulas in the shape letters."""

    flops: str = "0"
    bytes: str = "0"


@dataclass(frozen=True)
class Row:
    """One operation of a step, in its three phases.

    Attributes:
      name: what it does. kind: which FLOPs these are.
      sizes: shape letter to size; the formulas are in these letters.
      contracted: the letters that the forward product sums over.
      forward, backward, update: the phases.
      parameters: formula, how many numbers the row owns (a shared kernel belongs to one row only).
      is_table: these are a matrix, rows of which are looked up, though no matmul owns it.
      activation_bytes: formula, what the row keeps for the backward pass.
      matrices: formulas (how many, or ''; inputs; outputs) of the hidden matrices that the parameters
        are; None where they are none, but a bias, a table or a model's output head.
      state_bytes: formula, what an optimiser keeps from step to step, a counter or two apart.
    """

    name: str
    kind: Kind
    sizes: Mapping[str, int]
    contracted: tuple[str, ...] = ()
    forward: Cost = Cost()
    backward: Cost = Cost()
    update: Cost = Cost()
    parameters: str = "0"
    activation_bytes: str = "0"
    is_table: bool = False
    matrices: tuple[str, str, str] | None = None
    state_bytes: str = "0"

    def value(self, formula: str) -> int:
        """A formula in this row's letters, evaluated."""
        return evaluate(formula, self.sizes)

    def flops(self, phase: Phase | None = None) -> int:
        """FLOPs of one phase, or of all."""
        phases = PHASES if phase is None else (phase,)
        return sum(self.value(getattr(self, name).flops) for name in phases)

    def least_bytes(self, phase: Phase | None = None) -> int:
        """The least bytes that move in one phase, or in all."""
        phases = PHASES if phase is None else (phase,)
        return sum(self.value(getattr(self, name).bytes) for name in phases)


@dataclass(frozen=True)
class Table:
    """Named rows that sum to a training step (or, for an equation, to its evaluation)."""

    name: str
    rows: tuple[Row, ...]

    def flops(self, phase: Phase | None = None, kinds: tuple[Kind, ...] | None = None) -> int:
        """FLOPs, of one phase and some kinds or of all."""
        return sum(row.flops(phase) for row in self.rows if kinds is None or row.kind in kinds)

    @property
    def matmul_flops(self) -> int:
        """FLOPs of matmuls and convolutions, all phases: what a peak rate is published for."""
        return self.flops(kinds=CONTRACTIONS)

    @property
    def elementwise_flops(self) -> int:
        """All other FLOPs, all phases."""
        return self.flops(kinds=("elementwise",))

    def least_bytes(self, phase: Phase | None = None) -> int:
        """The least bytes that move in one phase, or in the step: a lower bound."""
        return sum(row.least_bytes(phase) for row in self.rows)

    @property
    def is_transformer(self) -> bool:
        """Whether layers, heads and lengths are among its letters, as conventions on GPTs want them."""
        return {"L", "N", "H", "T", "D", "F", "V", "M"} <= set(self.sizes)

    @property
    def parameters(self) -> int:
        """How many numbers the parameters hold."""
        return sum(row.value(row.parameters) for row in self.rows)

    @property
    def activation_bytes(self) -> int:
        """Bytes of all results that wait for the backward pass."""
        return sum(row.value(row.activation_bytes) for row in self.rows)

    @property
    def state_bytes(self) -> int:
        """Bytes of the optimisers' moments."""
        return sum(row.value(row.state_bytes) for row in self.rows)

    @property
    def sizes(self) -> dict[str, int]:
        """Every shape letter of the table with its size.

        Raises ValueError where two rows give one letter two sizes.
        """
        merged: dict[str, int] = {}
        for row in self.rows:
            for letter, size in row.sizes.items():
                if merged.setdefault(letter, size) != size:
                    raise ValueError(f"{self.name}: {letter} is {merged[letter]} and {size}")
        return merged
