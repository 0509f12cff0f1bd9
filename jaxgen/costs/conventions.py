"""How others count a transformer's FLOPs, in one place: one model under every convention.

What the conventions disagree about:

- a multiply-add is 2 FLOPs in all of these. Papers on vision often count 1: the "Gflops" of DiT and SiT
  are multiply-adds, XL/2 of 256 pixels 119 printed and 237 GFLOP here, of 512 pixels 525 and 1,049;
- causal attention: the whole T·T square as it is usually computed, or the half that the mask leaves;
- embeddings: whether the token table, the position table and the output head count as parameters;
- recomputation: model FLOPs leave it out (MFU), hardware FLOPs include it (HFU);
- whether attention, which has no parameters, counts at all.

Each is training FLOPs for one token, forward and backward. Letters are those of a GPT's cost table,
P, all parameters, and P_pos, those of the table of positions: 0 where positions are rotary.
"""

from dataclasses import dataclass

from jaxgen.costs.formula import evaluate
from jaxgen.costs.table import Table
from jaxgen.errors import UserError
from jaxgen.suggest import did_you_mean


@dataclass(frozen=True)
class Convention:
    """One way to count.

    Attributes:
      name: to be printed beside every number that uses it.
      formula: training FLOPs per token, in shape letters.
      says: what it includes. source: who counts so, and where.
    """

    name: str
    formula: str
    says: str
    source: str

    def flops_per_token(self, table: Table) -> int:
        """Training FLOPs per token of the GPT whose cost table this is."""
        positions = [row for row in table.rows if row.name == _POSITIONS]
        counts = {
            "P": table.parameters,
            "P_pos": sum(row.value(row.parameters) for row in positions),
        }
        return evaluate(self.formula, table.sizes | counts)


_POSITIONS = "positions"  # the table's row that owns the learned positions
_BLOCKS = "L·(4·D·N·H + 2·D·F)"

CONVENTIONS = (
    Convention(
        "jaxgen",
        f"6·{_BLOCKS} + 6·D·V + 12·L·N·H·T",
        "every matmul once: the head, and attention over the whole square; no recomputation",
        "this project's cost tables; the walk over the step's jaxpr finds the same, and what remat or"
        " blockwise attention compute again on top",
    ),
    Convention(
        "jaxgen, causal half",
        f"6·{_BLOCKS} + 6·D·V + 6·L·N·H·T",
        "the same, with half the attention square",
        "this project",
    ),
    Convention(
        "6N",
        "6·P",
        "six for each parameter, embeddings included, attention left out",
        "the rule of thumb after Kaplan et al. 2020",
    ),
    Convention(
        "6N without embeddings",
        "6·L·(4·D·N·H + 2·D·F)",
        "N = 2·L·D·(2·N·H + F), no embedding, head, bias or norm; attention left out",
        "Kaplan et al. 2020, section 2.1 and eq. (2.1), https://arxiv.org/abs/2001.08361",
    ),
    Convention(
        "Kaplan",
        f"6·{_BLOCKS} + 6·L·N·H·T",
        "the line above, and 2·L·T·N·H forward for attention",
        "Kaplan et al. 2020, table 1 and eq. (2.2), https://arxiv.org/abs/2001.08361",
    ),
    Convention(
        "PaLM",
        "6·P + 12·L·N·H·T",
        "6N of all parameters, and attention over the whole square",
        "Chowdhery et al. 2022, appendix B (6N + 12LHQT), https://arxiv.org/abs/2204.02311",
    ),
    Convention(
        "nanoGPT",
        "6·(P - P_pos) + 12·L·N·H·T",
        "PaLM's, without the table of learned positions where there is one",
        "nanoGPT, model.py, estimate_mfu, https://github.com/karpathy/nanoGPT",
    ),
    Convention(
        "Chinchilla",
        "3·(2·V·D + L·(6·D·N·H + 4·T·N·H + 3·N·T + 2·N·H·D + 4·D·F) + 2·D·V)",
        "the look-up as a matmul, the softmax as 3, attention over the whole square",
        "Hoffmann et al. 2022, appendix F, https://arxiv.org/abs/2203.15556",
    ),
    Convention(
        "MaxText",
        f"3·(2·{_BLOCKS} + 2·D·V) + 6·L·N·H·T",
        "matmuls of the weights and the head, half the attention square",
        "MaxText, maxtext_utils.py, calculate_tflops_training_per_device,"
        " https://github.com/AI-Hypercomputer/maxtext",
    ),
    Convention(
        "Megatron, recomputed",
        f"8·{_BLOCKS} + 6·D·V + 16·L·N·H·T",
        "hardware FLOPs: every block's forward pass twice, the whole square",
        "Narayanan et al. 2021, eq. (3), https://arxiv.org/abs/2104.04473",
    ),
)


def find_convention(name: str) -> Convention:
    """The convention of that name; a UserError lists the names where there is none."""
    known = {convention.name: convention for convention in CONVENTIONS}
    if name not in known:
        raise UserError(f"There is no convention {name!r}; {did_you_mean(name, known)}.")
    return known[name]


def compare(table: Table) -> str:
    """One GPT under every convention, as a Markdown table in MFLOP per token."""
    lines = ["| convention | MFLOP per token | formula | counts |", "| --- | --: | --- | --- |"]
    for convention in CONVENTIONS:
        value = convention.flops_per_token(table) / 1e6
        lines.append(
            f"| {convention.name} | {value:,.2f} | {convention.formula} | {convention.says} |"
        )
    return "\n".join(lines)
