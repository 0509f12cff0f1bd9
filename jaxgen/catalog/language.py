"""The catalogue's entries on language modelling: 003, 5.2."""

from jaxtyping import Array, Float

from jaxgen.catalog.costs import Sizes, operations
from jaxgen.catalog.record import Equation, Example
from jaxgen.costs.rows import elementwise, matmul
from jaxgen.costs.table import Row
from jaxgen.equations import language, recurrent, sampling


def _softmax_at_half(logits: Float[Array, "*B V"]) -> Float[Array, "*B V"]:
    """At the temperature of the code, 0.5, without the other settings."""
    return sampling.sampling_log_probs(logits, 0.5)


def _gru_rows(sizes: Sizes) -> list[Row]:
    return [
        matmul("inputs", sizes, "B·D·G", "D", result="B·G", kernel="D·G"),
        matmul("states", sizes, "B·H·G", "H", result="B·G", kernel="H·G"),
        elementwise("biases", sizes, "B·G", 1, 1),
        elementwise("gates", sizes, "B·H", 12, 16),
    ]


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
        twins=(language.cross_entropy, language.chunked_cross_entropy),
        example=Example(
            {"logits": ((2.0, 0.0, -1.0), (0.5, 0.5, 0.5)), "targets": (0, 2)}, ("logits",)
        ),
        # max, subtract, exp, sum; backward: a softmax times the gradient
        rows=operations("B·T·V", 4, 2),
        sizes={"B": 8, "T": 256, "V": 8192},
    ),
    Equation(
        id="lm.sampling",
        document="not in the documents",
        title="the distribution that the next token is drawn from",
        printed="",
        corrected=r"p_v = \frac{\exp(l_v / \tau)}{\sum_{u \in K} \exp(l_u / \tau)},\quad v \in K",
        verdict="not printed",
        explanation="The softmax of the logits divided by a temperature τ, over the tokens K that"
        " top-k and top-p leave; τ = 0 takes the likeliest. The code of 003, 5.2 has a temperature of"
        " 0.5 and does not use it: it always takes the likeliest.",
        paper="Holtzman et al. 2020, The curious case of neural text degeneration, eqs. (2) and (3)",
        link="https://arxiv.org/abs/1904.09751",
        function=sampling.sampling_log_probs,
        example=Example(
            {"logits": (2.0, 0.0, -1.0), "temperature": 0.5}, ("logits",), "first entry"
        ),
        # max, subtract, divide, exp, sum, subtract; backward: exp, sum, product, subtract, divide
        rows=operations("B·V", 6, 5),
        on_arrays=_softmax_at_half,
        sizes={"B": 2048, "V": 8192},
    ),
    Equation(
        id="lm.gru",
        document="not in the documents",
        title="the gated recurrent unit",
        printed="",
        corrected=r"h' = (1 - z) \odot \tanh(W_n x + b_n + r \odot (U_n h + c_n)) + z \odot h,\quad"
        r" r, z = \sigma(W_{r,z} x + U_{r,z} h + b_{r,z})",
        verdict="not printed",
        explanation="The model of 003, 5.2 is made of it, and is called a GPT there. A gate z says what"
        " is kept of the state, a gate r what of it the new candidate sees.",
        paper="Cho et al. 2014, Learning phrase representations using RNN encoder-decoder, eqs. (5) to"
        " (8)",
        link="https://arxiv.org/abs/1406.1078",
        function=recurrent.gru_cell,
        twins=(recurrent.gru,),
        example=Example(
            {
                "x": ((1.0, -1.0),),
                "state": ((0.5,),),
                "input_kernel": ((0.1, 0.2, 0.3), (0.4, -0.5, 0.6)),
                "state_kernel": ((1.0, -1.0, 2.0),),
                "bias": (0.0, 0.0, 0.0),
                "candidate_bias": (0.1,),
            },
            ("x", "state"),
        ),
        rows=_gru_rows,
        sizes={"B": 4096, "D": 256, "H": 512, "G": 1536},
    ),
)
