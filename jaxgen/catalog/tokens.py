"""The catalogue's entries on images as tokens, and on text to image, which 003, 3.2 calls DALL-E.

The document names the model and prints three steps, which are those of a GAN (`steps.text-to-image`).
"""

import functools

from jaxgen.catalog.costs import Sizes, operations
from jaxgen.catalog.record import Example, implied
from jaxgen.costs.rows import elementwise, matmul
from jaxgen.costs.table import Row
from jaxgen.equations import gumbel, text_to_image, vector_quantisation

_VQ = (
    "van den Oord et al. 2017, Neural discrete representation learning",
    "https://arxiv.org/abs/1711.00937",
)
_JANG = (
    "Jang et al. 2017, Categorical reparameterization with Gumbel-softmax",
    "https://arxiv.org/abs/1611.01144",
)
_DALLE = (
    "Ramesh et al. 2021, Zero-shot text-to-image generation (DALL-E)",
    "https://arxiv.org/abs/2102.12092",
)
_SCENE = ("Gafni et al. 2022, Make-A-Scene", "https://arxiv.org/abs/2203.13131")
_VECTORS, _LOGITS = {"B": 65536, "D": 64}, {"B": 16384, "V": 1024}
_Z, _CODE = ((0.9, 0.2), (-0.4, 1.0)), ((1.0, 0.0), (0.0, 1.0))


def _distance_rows(sizes: Sizes) -> list[Row]:
    return [
        matmul("products", sizes, "B·V·D", "D", result="B·V"),
        elementwise("squares put together", sizes, "B·V", 4, 3),
    ]


_entry = functools.partial(implied, "tokens", "003, 3.2", {})


ENTRIES = (
    _entry(
        "distances",
        "which code an image's place becomes",
        r"k(z) = \text{argmin}_k |z - e_k|^2,\quad |z - e_k|^2 = |z|^2 - 2 z \cdot e_k + |e_k|^2",
        "A place of an image becomes the nearest of V codes, a token. One product of matrices has all"
        " distances.",
        _VQ,
        "eqs. (1) and (2)",
        vector_quantisation.squared_distances,
        Example({"vectors": _Z, "codes": _CODE}, ("vectors", "codes")),
        _distance_rows,
        {"B": 16384, "V": 512, "D": 64},
    ),
    _entry(
        "commitment",
        "features stay near their codes",
        r"\beta |z - \text{sg}(e_k)|^2",
        "Nearest codes have no gradient: the decoder's passes to the encoder as if no code stood"
        " between, and this term keeps what the encoder says near what the decoder hears. The codes"
        " themselves follow moving averages of the features that they stand for.",
        _VQ,
        "eq. (3)",
        vector_quantisation.commitment,
        Example({"vectors": _Z, "quantised": _CODE}, ("vectors",)),
        operations("B·D", 3, 2),
        _VECTORS,
    ),
    _entry(
        "perplexity",
        "how many codes are in use",
        r"\exp\big(-\sum_k p_k \log p_k\big)",
        "V where all codes are used alike, 1 where one is used alone: a codebook that has collapsed"
        " shows here first.",
        (
            "Jelinek et al. 1977, Perplexity, a measure of the difficulty of speech recognition tasks",
            "https://doi.org/10.1121/1.2016299",
        ),
        "there of words",
        vector_quantisation.perplexity,
        Example({"counts": (5.0, 1.0, 0.5)}, ("counts",)),
        operations("V", 6, 6),
        {"V": 2**20},
    ),
    _entry(
        "gumbel-softmax",
        "a draw that has a gradient",
        r"y = \text{softmax}((\ell + g) / \tau),\quad g = -\log(-\log u)",
        "With τ near 0 it is a draw from softmax(ℓ), with τ above a blend; DALL-E's discrete VAE trains"
        " on it while τ falls.",
        _JANG,
        "eq. (2)",
        gumbel.gumbel_softmax,
        Example(
            {"logits": ((1.0, 0.0, -1.0),), "gumbel": ((0.2, 1.5, 0.1),), "temperature": 0.5},
            ("logits",),
            scalar="first entry",
        ),
        operations("B·V", 7, 5),
        _LOGITS,
    ),
    _entry(
        "uniform-kl",
        "what codes cost",
        r"\text{KL}(\text{softmax}(\ell) || \text{uniform}) = \log V + \sum_k p_k \log p_k",
        "The divergence in the discrete VAE's bound: the prior over codes is uniform until a"
        " transformer has learnt a better one.",
        _DALLE,
        "section 2.1",
        gumbel.uniform_kl,
        Example({"logits": ((1.0, 0.0, -1.0),)}, ("logits",)),
        operations("B·V", 8, 6),
        _LOGITS,
    ),
    _entry(
        "joint-loss",
        "text and image as one sequence",
        r"L = \frac{1}{8} L_{\text{text}} + \frac{7}{8} L_{\text{image}}",
        "DALL-E is one language model over the text's tokens and the image's behind them. The image's"
        " are what it is for, hence the weights.",
        _DALLE,
        "section 2.2",
        text_to_image.joint_nats,
        Example({"text_nats": ((2.0, 4.0),), "image_nats": ((1.0, 3.0, 5.0),)}, ("image_nats",)),
        operations("B·(T + S)", 1, 1),
        {"B": 4096, "T": 256, "S": 1024},
    ),
    _entry(
        "guided-logits",
        "the text exaggerated",
        r"\ell_w = \ell_u + w (\ell_c - \ell_u)",
        "The next code is drawn from p_u (p_c / p_u)^w: w = 1 is the model as it is, beyond 1 it draws"
        " what the text makes likelier. Dropping some texts from training teaches ℓ_u.",
        _SCENE,
        "section 3.4",
        text_to_image.guided_logits,
        Example(
            {"conditional": ((1.0, 0.0),), "unconditional": ((0.2, 0.1),), "weight": 3.0},
            ("conditional", "unconditional"),
            scalar="first entry",
        ),
        operations("B·V", 3, 4),
        _LOGITS,
    ),
)
