"""The catalogue's entries on language modelling (003, 5.2) and on the rest of a transformer."""

from jaxgen.equations import language, transformer
from jaxgen.equations.entry import Equation, Example

_ABSENT = "not in the documents"
_ROW = ((1.0, 2.0, 4.0, 5.0),)
_REALS = Example({"x": (-2.0, -0.5, 0.5, 1.0)}, ("x",))

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
        shapes={"logits": "*B T V", "targets": "*B T, int"},
        function=language.sequence_cross_entropy,
        example=Example(
            {"logits": ((2.0, 0.0, -1.0), (0.5, 0.5, 0.5)), "targets": (0, 2)}, ("logits",)
        ),
    ),
    Equation(
        id="transformer.layer-norm",
        document=_ABSENT,
        title="zero mean, unit variance",
        printed="",
        corrected=r"\text{LN}(x) = \frac{x - \bar{x}}{\sqrt{\text{var}(x) + \epsilon}} \odot g + b",
        verdict="not printed",
        explanation="Statistics of one position over its features, so examples do not mix.",
        paper="Ba et al. 2016, Layer normalization, eqs. (3) and (4)",
        link="https://arxiv.org/abs/1607.06450",
        shapes={"x": "*B D", "scale": "D", "bias": "D", "epsilon": "float"},
        function=transformer.layer_norm,
        example=Example(
            {"x": _ROW, "scale": (1.0, 1.0, 1.0, 1.0), "bias": (0.0, 0.0, 0.0, 0.0)},
            ("x",),
            "first entry",
        ),
    ),
    Equation(
        id="transformer.rms-norm",
        document=_ABSENT,
        title="unit mean square",
        printed="",
        corrected=r"\text{RMSNorm}(x) ="
        r" \frac{x}{\sqrt{\frac{1}{D}\sum_i x_i^2 + \epsilon}} \odot g",
        verdict="not printed",
        explanation="Layer normalisation without the centring and the bias: one reduction less.",
        paper="Zhang & Sennrich 2019, Root mean square layer normalization, eq. (4)",
        link="https://arxiv.org/abs/1910.07467",
        shapes={"x": "*B D", "scale": "D or None", "epsilon": "float"},
        function=transformer.rms_norm,
        example=Example({"x": _ROW}, ("x",), "first entry"),
    ),
    Equation(
        id="transformer.rotary",
        document=_ABSENT,
        title="positions as rotations",
        printed="",
        corrected=r"\begin{bmatrix} x_i \\ x_{i+H/2} \end{bmatrix} \leftarrow \begin{bmatrix}"
        r"\cos\alpha_i & -\sin\alpha_i \\ \sin\alpha_i & \cos\alpha_i\end{bmatrix}"
        r"\begin{bmatrix} x_i \\ x_{i+H/2} \end{bmatrix},\quad \alpha_i = t \cdot b^{-2i/H}",
        verdict="not printed",
        explanation="A query turned by its position and a key turned by its own have a dot product"
        " that depends on the positions through their difference only.",
        paper="Su et al. 2021, RoFormer, eq. (15)",
        link="https://arxiv.org/abs/2104.09864",
        shapes={"x": "*B T H", "positions": "*#B T, int", "base": "float"},
        function=transformer.rotary,
        example=Example(
            {"x": ((1.0, 0.0, 0.0, 1.0), (1.0, 0.0, 0.0, 1.0)), "positions": (0, 1)}, ("x",)
        ),
    ),
    Equation(
        id="transformer.gelu",
        document=_ABSENT,
        title="the Gaussian error linear unit",
        printed="",
        corrected=r"\text{GELU}(x) = x \Phi(x) \approx \tfrac{1}{2} x"
        r" \left(1 + \tanh\left(\sqrt{2/\pi}\,(x + 0.044715 x^3)\right)\right)",
        verdict="not printed",
        explanation="`gelu` is the exact form, which runs here; `gelu_tanh` is the approximation"
        " that GPT-2 was trained with.",
        paper="Hendrycks & Gimpel 2016, Gaussian error linear units, section 2",
        link="https://arxiv.org/abs/1606.08415",
        shapes={"x": "*B"},
        function=transformer.gelu,
        example=_REALS,
    ),
    Equation(
        id="transformer.squared-relu",
        document=_ABSENT,
        title="the squared rectifier",
        printed="",
        corrected=r"\text{ReLU}^2(x) = \max(x, 0)^2",
        verdict="not printed",
        explanation="As cheap as a rectifier, with a gradient that is continuous at zero.",
        paper="So et al. 2021, Primer, squared ReLU",
        link="https://arxiv.org/abs/2109.08668",
        shapes={"x": "*B"},
        function=transformer.squared_relu,
        example=_REALS,
    ),
)
