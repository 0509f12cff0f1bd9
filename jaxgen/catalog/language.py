"""The catalogue's entry on language modelling: 003, 5.2."""

from jaxgen.catalog.costs import operations
from jaxgen.catalog.record import Equation, Example
from jaxgen.equations import language

ENTRIES = (
    Equation(
        id="lm.cross-entropy",
        document="003, 5.2 (code)",
        title="the cost of the next token",
        printed=r"\text{SparseCategoricalCrossentropy}(\text{from\_logits}=\text{True})",
        corrected=r"L = -\frac{1}{T} \sum_{t=1}^{T} \log p(x_{t+1} | x_{\leq t})",
        verdict="right",
        explanation="The mean over time of minus the log of the probability that the softmax of"
        " the logits gives to the token that came next, in nats. The code's inputs lack the shift"
        " by one that makes the target the next token; the loss itself is right.",
        paper="Bengio et al. 2003, A neural probabilistic language model, section 2",
        link="https://www.jmlr.org/papers/v3/bengio03a.html",
        function=language.sequence_cross_entropy,
        example=Example(
            {"logits": ((2.0, 0.0, -1.0), (0.5, 0.5, 0.5)), "targets": (0, 2)}, ("logits",)
        ),
        # max, subtract, exp, sum; backward: a softmax times the gradient
        rows=operations("B·T·V", 4, 2),
        sizes={"B": 8, "T": 256, "V": 8192},
    ),
)
