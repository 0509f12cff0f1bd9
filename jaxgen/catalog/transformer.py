"""The catalogue's entries on what a transformer has beside attention; none is in the documents."""

from jaxtyping import Array, Float

from jaxgen.catalog.costs import Sizes, operations
from jaxgen.catalog.record import Equation, Example
from jaxgen.costs.formula import times
from jaxgen.costs.rows import elementwise
from jaxgen.costs.table import Row
from jaxgen.equations import transformer

_ABSENT = "not in the documents"
_ROW = ((1.0, 2.0, 4.0, 5.0),)
_REALS = Example({"x": (-2.0, -0.5, 0.5, 1.0)}, ("x",))
_VECTORS = {"B": 16384, "D": 768}


def _scaled_rms_norm(x: Float[Array, "*B D"], scale: Float[Array, " D"]) -> Float[Array, "*B D"]:
    """With its scale, which has a default."""
    return transformer.rms_norm(x, scale)


def _rotary_rows(sizes: Sizes) -> list[Row]:
    turns = times("T", "H//2")
    return [
        elementwise("angle, cosine, sine", sizes, turns, 3, 0),
        # four products and two sums for each pair
        elementwise("turn", sizes, "B·T·H", 3, 3),
    ]


ENTRIES = (
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
        function=transformer.layer_norm,
        example=Example(
            {"x": _ROW, "scale": (1.0, 1.0, 1.0, 1.0), "bias": (0.0, 0.0, 0.0, 0.0)},
            ("x",),
            "first entry",
        ),
        rows=operations("B·D", 7, 11),  # mean, subtract, square, mean, divide, scale, bias
        sizes=_VECTORS,
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
        function=transformer.rms_norm,
        example=Example({"x": _ROW}, ("x",), "first entry"),
        rows=operations("B·D", 4, 7),  # square, mean, divide, scale
        on_arrays=_scaled_rms_norm,
        sizes=_VECTORS,
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
        function=transformer.rotary,
        example=Example(
            {"x": ((1.0, 0.0, 0.0, 1.0), (1.0, 0.0, 0.0, 1.0)), "positions": (0, 1)}, ("x",)
        ),
        rows=_rotary_rows,
        sizes={"B": 64, "T": 1024, "H": 64},
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
        function=transformer.gelu,
        twins=(transformer.gelu_tanh,),
        example=_REALS,
        # halve, scale, erfc, two products; backward: exp(−x²/2) x, Φ, their sum
        rows=operations("B", 5, 8),
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
        function=transformer.squared_relu,
        example=_REALS,
        rows=operations("B", 2, 3),
    ),
)
