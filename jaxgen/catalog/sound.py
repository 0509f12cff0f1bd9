"""The catalogue's entries on sound: WaveNet, which 003, 3.3 names and does not print."""

import functools

from jaxtyping import Array, Float

from jaxgen.catalog.costs import Sizes, operations
from jaxgen.catalog.record import Example, implied
from jaxgen.costs.rows import elementwise, matmul
from jaxgen.costs.table import Row
from jaxgen.equations import sound

_WAVENET = ("van den Oord et al. 2016, WaveNet", "https://arxiv.org/abs/1609.03499")
_PIXELCNN = ("Salimans et al. 2017, PixelCNN++", "https://arxiv.org/abs/1701.05517")


def _convolution_rows(sizes: Sizes) -> list[Row]:
    return [
        matmul(
            "taps", sizes, "K·B·T·D·F", "D", result="B·T·F", kernel="K·D·F",
        ),
        elementwise("taps added", sizes, "(K − 1)·B·T·F", 1, 1),
    ]  # fmt: skip


def _of_16_bits(parameters: Float[Array, "*B P"], x: Float[Array, "*B"]) -> Float[Array, "*B"]:
    """At 65,536 levels."""
    return sound.logistic_mixture_nats(parameters, x, 65536)


_entry = functools.partial(implied, "sound", "003, 3.3", {"B": 16 * 2**20})


ENTRIES = (
    _entry(
        "companding",
        "fine steps where sound is quiet",
        r"f(x) = \text{sign}(x) \frac{\ln(1 + \mu |x|)}{\ln(1 + \mu)},\quad \mu = 255",
        "A softmax over the 65,536 levels of 16 bits is dear; 256 equal steps are heard as noise. After"
        " this curve, G.711's, 256 steps sound nearly as 16 bits do: at 0 they are 256 times as fine as"
        " at the ends.",
        _WAVENET,
        "section 2.2",
        sound.compand,
        Example({"x": (-0.5, 0.25, 0.75)}, ("x",)),
        operations("B", 7, 9),
    ),
    _entry(
        "expanding",
        "from companded sound back",
        r"x = \text{sign}(f) \frac{(1 + \mu)^{|f|} - 1}{\mu}",
        "The inverse, for playing what was drawn.",
        _WAVENET,
        "section 2.2",
        sound.expand,
        Example({"companded": (-0.5, 0.25, 0.75)}, ("companded",)),
        operations("B", 7, 9),
    ),
    _entry(
        "causal-convolution",
        "a convolution that sees the past alone, with gaps",
        r"y_t = \sum_{k=0}^{K-1} W_k x_{t - (K-1-k) d}",
        "With d doubling from layer to layer, L layers of K taps see 1 + (K − 1)(2^L − 1) samples. It is"
        " no recurrence: all times are computed at once in training, and to draw a sample costs one"
        " product a tap and layer once the K − 1 inputs that are still needed are kept in a queue.",
        _WAVENET,
        "section 2.1",
        sound.causal_convolution,
        Example(
            {
                "x": (((1.0, -1.0), (0.5, 2.0), (3.0, 0.0), (1.0, 1.0)),),
                "kernel": (((1.0,), (0.5,)), ((-1.0,), (2.0,))),
                "dilation": 2,
            },
            ("x", "kernel"),
        ),
        _convolution_rows,
        sizes={"B": 8, "T": 16384, "K": 2, "D": 64, "F": 128},
    ),
    _entry(
        "gated-unit",
        "the gated activation unit",
        r"z = \tanh(a) \odot \sigma(a'),\quad (a, a') = W * x + V h",
        "Half of the channels say what, the other half how much. h is what the sound is conditioned on:"
        " a speaker for a whole clip, or features of the moment.",
        _WAVENET,
        "eqs. (2) and (3)",
        sound.gated_unit,
        Example({"a": ((1.0, -2.0, 0.0, 3.0),)}, ("a",)),
        operations("B·H", 3, 8),
        sizes={"B": 131072, "G2": 128, "H": 64},
    ),
    _entry(
        "logistic-mixture",
        "16 bits without 65,536 logits",
        r"p(x) = \sum_i \pi_i \left[\sigma\left(\frac{x + \delta - m_i}{s_i}\right)"
        r" - \sigma\left(\frac{x - \delta - m_i}{s_i}\right)\right]",
        "What each level has of a density: the mass between its two ends, for the outermost all beyond"
        " them. As a difference of nearly equal numbers it is 0 in float32 far from m; as"
        " σ(u) σ(−l) (1 − e^{l − u}) its logarithm is right in any tail.",
        _PIXELCNN,
        "section 2.1",
        sound.logistic_mixture_nats,
        Example(
            {"parameters": ((0.0, 1.0, -0.2, 0.3, -2.0, -3.0),), "x": (0.1,), "levels": 256},
            ("parameters",),
        ),
        operations("B·P", 10, 13),
        on_arrays=_of_16_bits,
        sizes={"B": 1048576, "P": 30},
    ),
)
