"""The catalogue's entries on what the documents leave unsaid of GANs: other losses, smooth critics."""

from typing import Any

from jaxgen.catalog.costs import Rows, Sizes, operations
from jaxgen.catalog.record import Equation, Example
from jaxgen.costs.rows import elementwise, matmul
from jaxgen.costs.table import Row
from jaxgen.equations import gan, gan_controls, gan_penalties

_SCORES = {"real_scores": (2.0, 0.5), "fake_scores": (-3.0, 0.25)}
_SLOPES = Example({"slopes": ((0.6, 0.8), (3.0, 4.0), (0.1, 0.0))}, ("slopes",))
SIZES = {"B": 2**24}


def _entry(
    name: str,
    title: str,
    form: str,
    why: str,
    paper: tuple[str, str, str],
    function: Any,
    example: Example,
    rows: Rows,
    sizes: Sizes = SIZES,
) -> Equation:
    """A record of what no document prints; paper: (author, year, title; equation; link)."""
    source, place, link = paper
    return Equation(
        id=f"gan.{name}", document="not in the documents", title=title, printed="", corrected=form,
        verdict="not printed", explanation=why, paper=f"{source}, {place}", link=link,
        function=function, example=example, rows=rows, sizes=sizes,
    )  # fmt: skip


def _norm_rows(sizes: Sizes) -> list[Row]:
    return [
        matmul("W right", sizes, "I·O", "O", result="I", gradients=("input",)),
        matmul("left (W right)", sizes, "I", "I", result="", gradients=(), kept=False),
        elementwise("quotient, left rightᵀ", sizes, "I·O", 1, 5),
    ]


_GULRAJANI = ("Gulrajani et al. 2017, Improved training of Wasserstein GANs",)
_MAO = ("Mao et al. 2017, Least squares generative adversarial networks",)
_MAO_LINK = "https://arxiv.org/abs/1611.04076"

ENTRIES = (
    _entry(
        "hinge-critic-loss",
        "a critic that stops at its margins",
        r"L_D = E_x[\max(0, 1 - D(x))] + E_z[\max(0, 1 + D(G(z)))]",
        "Scores beyond 1 and −1 have no gradient, so that the critic spends itself on what is near the"
        " border. The generator's loss is the Wasserstein one, −E[D(G(z))].",
        ("Lim & Ye 2017, Geometric GAN", "section 3", "https://arxiv.org/abs/1705.02894"),
        gan.hinge_critic_loss,
        Example(_SCORES, ("real_scores", "fake_scores")),
        operations("B", 5, 3),
    ),
    _entry(
        "least-squares-discriminator-loss",
        "labels fitted by least squares",
        r"L_D = \frac{1}{2} E_x[(D(x) - 1)^2] + \frac{1}{2} E_z[D(G(z))^2]",
        "The best score is p_data / (p_data + p_model), as a probability, without a sigmoid that could"
        " saturate.",
        (*_MAO, "eq. (2)", _MAO_LINK),
        gan.least_squares_discriminator_loss,
        Example(_SCORES, ("real_scores", "fake_scores")),
        operations("B", 5, 4),
    ),
    _entry(
        "least-squares-generator-loss",
        "the generator's side of it",
        r"L_G = \frac{1}{2} E_z[(D(G(z)) - 1)^2]",
        "Its gradient is as large as the score is wrong, in both directions.",
        (*_MAO, "eq. (2)", _MAO_LINK),
        gan.least_squares_generator_loss,
        Example({"fake_scores": (-3.0, 0.25, 1.5)}, ("fake_scores",)),
        operations("B", 3, 2),
    ),
    _entry(
        "optimal-logit",
        "the best discriminator against a fixed generator",
        r"l^*(x) = \log p_{data}(x) - \log p_{model}(x),\quad"
        r" D^* = \frac{p_{data}}{p_{data} + p_{model}}",
        "Where both densities are known, so is the answer that D should give, and the value of the game:"
        " 2 JS − log 4, at least −log 4, which the perfect generator reaches.",
        (
            "Goodfellow et al. 2014, Generative adversarial nets",
            "proposition 1",
            "https://arxiv.org/abs/1406.2661",
        ),
        gan.optimal_logit,
        Example(
            {"data_log_density": (-1.0, -2.0), "model_log_density": (-1.0, -0.5)},
            ("data_log_density", "model_log_density"),
        ),
        operations("B", 1, 1),
    ),
    _entry(
        "gradient-penalty",
        "a critic of slope 1",
        r"\lambda\, E_{\hat{x}}[(\Vert \nabla D(\hat{x}) \Vert - 1)^2],\quad"
        r" \hat{x} = \varepsilon x + (1 - \varepsilon) G(z)",
        "The best critic has slope 1 almost everywhere on the lines along which mass is moved. The"
        " function takes the slopes; the mean is over points on lines from real to generated data.",
        (*_GULRAJANI, "eq. (3)", "https://arxiv.org/abs/1704.00028"),
        gan_penalties.gradient_penalty,
        _SLOPES,
        operations("B·X", 2, 2),
        {"B": 2**19, "X": 64},
    ),
    _entry(
        "r1",
        "a discriminator that is flat at real data",
        r"\frac{\gamma}{2} E_x[\Vert \nabla D(x) \Vert^2]",
        "At the equilibrium D is constant. Without the penalty the two players may circle round it for"
        " ever; with it they converge, near the equilibrium.",
        (
            "Mescheder et al. 2018, Which training methods for GANs do actually converge?",
            "eq. (9)",
            "https://arxiv.org/abs/1801.04406",
        ),
        gan_penalties.zero_centred_penalty,
        _SLOPES,
        operations("B·X", 2, 2),
        {"B": 2**19, "X": 64},
    ),
    _entry(
        "spectral-norm",
        "what a layer stretches at most",
        r"W / \sigma(W),\quad \sigma(W) \approx u^T W v",
        "A layer divided by its largest singular value has Lipschitz constant 1. The vectors are kept"
        " from step to step and follow the kernel by one power iteration each.",
        (
            "Miyato et al. 2018, Spectral normalization for generative adversarial networks",
            "algorithm 1",
            "https://arxiv.org/abs/1802.05957",
        ),
        gan_penalties.spectrally_normalised,
        Example(
            {"kernel": ((3.0, 0.0), (0.0, 1.0)), "left": (1.0, 0.0), "right": (1.0, 0.0)},
            ("kernel",),
        ),
        _norm_rows,
        {"I": 4096, "O": 4096},
    ),
    _entry(
        "projection",
        "a discriminator that is told the class",
        r"D(x, y) = v_y^T \phi(x) + \psi(\phi(x))",
        "The best logit is the sum of two: how much better the class fits the image, and how much better"
        " the image fits the data. Where p(y|x) is a softmax of features, in the data and in the model,"
        " the first is a product of these features with a vector of the class.",
        (
            "Miyato & Koyama 2018, cGANs with projection discriminator",
            "section 3",
            "https://arxiv.org/abs/1802.05637",
        ),
        gan_controls.projection_logit,
        Example(
            {
                "features": ((0.5, 2.0), (1.0, 0.0)),
                "class_vector": ((1.0, -0.5), (0.25, 3.0)),
                "marginal": (0.1, -0.2),
            },
            ("features", "class_vector"),
        ),
        operations("B·D", 2, 2),
        {"B": 2**19, "D": 64},
    ),
    _entry(
        "interpolation",
        "the way between two samples",
        r"z_t = \frac{\sin((1 - t)\omega)\, z_0 + \sin(t\omega)\, z_1}{\sin\omega}",
        "Noise of many numbers lies near a sphere. The straight line between two draws goes through its"
        " inside, where no training noise was; the arc, ω the angle between them, stays on it. The"
        " formula is for vectors of one length: of others that nearly oppose each other its middle has"
        " no bound, so that directions take the arc here, and lengths are mixed by t.",
        (
            "White 2016, Sampling generative networks",
            "section 2.1",
            "https://arxiv.org/abs/1609.04468",
        ),
        gan_controls.spherical_interpolation,
        Example(
            {"start": ((1.0, 0.0),), "end": ((0.0, 2.0),), "share": (0.5,)},
            ("start", "end"),
        ),
        operations("B·Z", 11, 16),
        {"B": 2**17, "Z": 128},
    ),
    _entry(
        "truncation",
        "likelier samples, and fewer kinds of them",
        r"z \sim N(0, 1)\ \text{given}\ |z| \leq \tau,\quad"
        r" z = \sqrt{2}\, erf^{-1}(u\, erf(\tau / \sqrt{2}))",
        "Noise near 0 is what the generator has seen most of: a lower τ makes better and less varied"
        " samples. u is uniform on (−1, 1); the same u under another τ is the same noise, nearer to 0.",
        (
            "Brock et al. 2019, Large scale GAN training for high fidelity natural image synthesis",
            "section 3.1",
            "https://arxiv.org/abs/1809.11096",
        ),
        gan_controls.truncated_normal,
        Example({"uniform": ((0.5, -0.9),), "threshold": (1.0,)}, ("uniform",)),
        operations("B·Z", 3, 6),
        {"B": 2**17, "Z": 128},
    ),
)
