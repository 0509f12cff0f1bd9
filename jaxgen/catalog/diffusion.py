"""The catalogue's entries on diffusion, which 001 names (DALL-E 2, Stable Diffusion), not prints."""

import functools

from jaxtyping import Array, Float

from jaxgen.catalog.costs import operations
from jaxgen.catalog.record import Example, implied
from jaxgen.equations import (
    diffusion,
    diffusion_flow,
    diffusion_gaussian,
    diffusion_losses,
    diffusion_samplers,
    group_norm,
)

_HO = (
    "Ho et al. 2020, Denoising diffusion probabilistic models",
    "https://arxiv.org/abs/2006.11239",
)
_SONG = (
    "Song et al. 2021, Score-based generative modeling through SDEs",
    "https://arxiv.org/abs/2011.13456",
)
_DDIM = (
    "Song et al. 2021, Denoising diffusion implicit models",
    "https://arxiv.org/abs/2010.02502",
)
_VDM = ("Kingma et al. 2021, Variational diffusion models", "https://arxiv.org/abs/2107.00630")
_EDM = (
    "Karras et al. 2022, Elucidating the design space of diffusion models",
    "https://arxiv.org/abs/2206.00364",
)
_X, _Z, _NOISE = ((1.0, -1.0),), ((1.4, 0.2),), ((0.5, -0.5),)
_LEVEL = {"alpha": (0.6,), "sigma": (0.8,)}
_NEXT = {"next_alpha": (0.8,), "next_sigma": (0.6,)}


def _in_pairs(
    x: Float[Array, "B T C"], scale: Float[Array, " C"], bias: Float[Array, " C"]
) -> Float[Array, "B T C"]:
    return group_norm.group_norm(x, scale, bias, 2)


_entry = functools.partial(implied, "diffusion", "001, 1", {"B": 16384, "X": 784})


ENTRIES = (
    _entry(
        "process",
        "noise is added",
        r"z_t = \alpha_t x + \sigma_t \epsilon,\quad \epsilon \sim \mathcal{N}(0, I)",
        "At t = 0 z is data, at t = 1 nearly noise. Every paper's letters are one choice of α and σ;"
        " `equations/diffusion_schedules.py` has the table. A network needs only λ = log α²/σ².",
        _HO,
        "eq. (4)",
        diffusion.noised,
        Example({"x": _X, "noise": _NOISE, **_LEVEL}, ("x",)),
        operations("B·X", 3, 4),
    ),
    _entry(
        "v",
        "a target that stays of one size",
        r"v = \alpha_t \epsilon - \sigma_t x,\quad x = \alpha_t z_t - \sigma_t v",
        "A network may predict x, the noise, v, the velocity of the flow or the score; each leads to the"
        " others. An error in the noise is one in x times α/σ, beyond all bounds where there is hardly"
        " noise; v, for α² + σ² = 1, has one size throughout.",
        ("Salimans & Ho 2022, Progressive distillation", "https://arxiv.org/abs/2202.00512"),
        "appendix D",
        diffusion.v_of,
        Example({"x": _X, "noise": _NOISE, **_LEVEL}, ("x", "noise")),
        operations("B·X", 3, 4),
    ),
    _entry(
        "score",
        "the score, by Tweedie's formula",
        r"\nabla \log q(z_t) = \frac{\alpha_t \hat x - z_t}{\sigma_t^2}",
        "Who has the best denoiser has the gradient of the log density of noisy data, and the other way"
        " round.",
        _SONG,
        "eq. (7)",
        diffusion.score_of,
        Example({"x": _X, "z": _Z, **_LEVEL}, ("x", "z")),
        operations("B·X", 5, 6),
    ),
    _entry(
        "posterior",
        "one step back, where x is known",
        r"q(z_s|z_t, x) = \mathcal{N}\big(\frac{\alpha_t \sigma_s^2}{\alpha_s \sigma_t^2} z_t"
        r" + \alpha_s (1 - e^{\lambda_t - \lambda_s}) x,\ \sigma_s^2 (1 - e^{\lambda_t - \lambda_s}) I"
        r"\big)",
        "Bayes' rule for two Gaussians, for any s < t. With the network's x̂ in the place of x it is"
        " DDPM's sampler. A picture forgives a wrong factor here; a Gaussian, whose variance is known"
        " after every step, does not.",
        _HO,
        "eqs. (6) and (7)",
        diffusion.posterior,
        Example({"x": _X, "z": _Z, **_LEVEL, **_NEXT}, ("alpha", "next_sigma")),
        operations("B·X", 3, 4),
    ),
    _entry(
        "ddim",
        "a step that draws as much noise as one likes",
        r"z_s = \alpha_s \hat x + \sqrt{\sigma_s^2 - \tau^2}\, \hat\epsilon + \tau \epsilon,\quad"
        r" \tau^2 = \eta^2 \sigma_s^2 (1 - e^{\lambda_t - \lambda_s})",
        "η = 1 is DDPM's step; η = 0 draws nothing, and is Euler's step of the flow in σ/α. The factor"
        " of x̂ is α at the new time: with that of the old one a point would not come out as it is.",
        _DDIM,
        "eq. (12)",
        diffusion_samplers.ddim_move,
        Example({"x": _X, "z": _Z, "noise": _NOISE, **_LEVEL, **_NEXT}, ("x", "z")),
        operations("B·X", 8, 9),
    ),
    _entry(
        "probability-flow",
        "the flow that has diffusion's marginals",
        r"\frac{dz}{dt} = f z - \frac{1}{2} g^2 \nabla \log q(z) = \alpha'_t \hat x"
        r" + \sigma'_t \hat\epsilon",
        "A differential equation along which noise becomes data, and a point's density is known. For"
        " α = 1 − t, σ = t it is ε̂ − x̂, what flow matching learns.",
        _SONG,
        "eq. (13)",
        diffusion.velocity_of,
        Example(
            {"x": _X, "noise": _NOISE, "alpha_rate": (-1.0,), "sigma_rate": (1.0,)}, ("x", "noise")
        ),
        operations("B·X", 3, 4),
    ),
    _entry(
        "reverse-sde",
        "diffusion run backwards",
        r"dz = \big(f z - g^2 \nabla \log q(z)\big) dt + g\, dw,\quad dt < 0",
        "Noise is drawn at every step, and the marginals are those of the process forwards. The score"
        " has twice the factor that it has in the flow.",
        _SONG,
        "eq. (6)",
        diffusion_flow.reverse_sde_step,
        Example(
            {
                "z": _Z,
                "score": _X,
                "noise": _NOISE,
                "drift": (-0.5,),
                "diffusion_squared": (1.0,),
                "dt": (0.01,),
            },
            ("z", "score"),
        ),
        operations("B·X", 7, 9),
    ),
    _entry(
        "bound",
        "what an error costs in nats",
        r"-\log p(x) \le KL(q(z_1|x) || p(z_1)) + \mathbb{E}[-\log p(x|z_0)] + \frac{1}{2}"
        r" \int e^{\lambda}\, \mathbb{E}\,|x - \hat x|^2\, d\lambda",
        "The bound depends on the schedule by its ends alone. Here is the integrand. For Gaussian data"
        " and the exact denoiser its value is known, see `diffusion_gaussian.gaussian_bound`.",
        _VDM,
        "eqs. (11) and (18)",
        diffusion_losses.bound_rate,
        Example({"error": (0.5,), **_LEVEL}, ("error",)),
        operations("B", 4, 5),
        {"B": 16 * 2**20},
    ),
    _entry(
        "min-snr",
        "a weight that grows no further",
        r"w = \min(\alpha_t^2 / \sigma_t^2, \gamma)",
        "All losses of diffusion are |x − x̂|² by a weight: 1 for x, snr for the noise, snr + 1 for v,"
        " 1/t² for the flow, ½ snr over dλ for the bound. This one is the noise's, cut off where there"
        " is little of it.",
        (
            "Hang et al. 2023, Efficient diffusion training via min-SNR",
            "https://arxiv.org/abs/2303.09556",
        ),
        "eq. (7)",
        diffusion_losses.min_snr_weight,
        Example(_LEVEL, ("alpha",)),
        operations("B", 3, 5),
        {"B": 16 * 2**20},
    ),
    _entry(
        "preconditioning",
        "unit variances at every noise",
        r"\hat x = c_{skip} z + c_{out} F(c_{in} z),\quad c_{skip} = \frac{\alpha D^2}{n},"
        r" c_{out} = \frac{\sigma D}{\sqrt{n}},\ c_{in} = \frac{1}{\sqrt{n}},\ n = \alpha^2 D^2"
        r" + \sigma^2",
        "Derived for Gaussian data of deviation D: F's input and target have variance 1, and its errors"
        " count as little as they can. For D = 1 and α² + σ² = 1, F is −v.",
        _EDM,
        "eq. (7), appendix B.6",
        diffusion.preconditioning,
        Example(_LEVEL, ("sigma",)),
        operations("B", 9, 12),
        {"B": 16 * 2**20},
    ),
    _entry(
        "guidance",
        "a class exaggerated",
        r"\hat x_w = \hat x_u + w (\hat x_c - \hat x_u)",
        "w = 1 is the conditional model, 0 the unconditional one. The paper prints (1 + w) ε_c − w ε_u:"
        " its w is ours minus 1. The samples are not of p(x|c)^w p(x)^(1−w): see"
        " diffusion.guided-variance.",
        (
            "Ho & Salimans 2022, Classifier-free diffusion guidance",
            "https://arxiv.org/abs/2207.12598",
        ),
        "eq. (6)",
        diffusion.guided,
        Example(
            {"conditional": _X, "unconditional": _Z, "weight": (3.0,)},
            ("conditional", "unconditional"),
        ),
        operations("B·X", 3, 5),
    ),
    _entry(
        "guided-variance",
        "where guidance ends",
        r"v_c^w v_u^{1-w} \ne \frac{1}{w/v_c + (1-w)/v_u}",
        "Between two centred Gaussians the guided flow ends at the product of powers of the variances,"
        " on the left; p(x|c)^w p(x)^(1−w), which guidance is often said to sample, has the variance on"
        " the right. For v_c = ¼, v_u = 1 and w = 3: 0.0156 and 0.1.",
        (
            "Bradley & Nakkiran 2024, Classifier-free guidance is a predictor-corrector",
            "https://arxiv.org/abs/2408.09000",
        ),
        "section 3",
        diffusion_gaussian.guided_variance,
        Example(
            {"conditional": (0.25,), "unconditional": (1.0,), "weight": (3.0,)},
            ("conditional", "weight"),
        ),
        operations("B", 4, 8),
        {"B": 16 * 2**20},
    ),
    _entry(
        "lattice",
        "the mean of a pixel that has few levels",
        r"\hat x = \sum_k x_k\, \text{softmax}_k\big(\ell_k"
        r" - \frac{(z - \alpha x_k)^2}{2 \sigma^2}\big)",
        "Bayes' rule with the network's logits as log prior: exact for independent pixels, so that the"
        " network has only to learn what the other pixels say.",
        ("Austin et al. 2021, Structured denoising diffusion", "https://arxiv.org/abs/2107.03006"),
        "the lattice is this project's own",
        diffusion.lattice_x,
        Example(
            {
                "logits": (((0.0, 1.0), (0.5, 0.0)),),
                "z": ((0.2, -0.4),),
                "levels": (-1.0, 1.0),
                **_LEVEL,
            },
            ("logits", "z"),
        ),
        operations("B·X·V", 11, 16),
        {"B": 64, "X": 784, "V": 17},
    ),
    _entry(
        "mixture-denoiser",
        "the best denoiser of a mixture of Gaussians",
        r"E[x|z] = \sum_k r_k \big(m_k + \frac{\alpha D^2 (z - \alpha m_k)}{n}\big),\quad r_k \propto"
        r" \pi_k e^{-|z - \alpha m_k|^2 / 2n},\ n = \alpha^2 D^2 + \sigma^2",
        "No network can do better. What a trained one loses to it, its regret, is printed beside its"
        " loss.",
        _EDM,
        "appendix B.3, for a mixture",
        diffusion_gaussian.mixture_denoiser,
        Example(
            {
                "z": _Z,
                "centres": ((1.0, 0.0), (-1.0, 0.0)),
                "log_weights": (-0.7, -0.7),
                "deviation": 0.1,
                **_LEVEL,
            },
            ("z",),
        ),
        operations("B·V·X", 6, 9),
        {"B": 2**17, "V": 25, "X": 2},
    ),
    _entry(
        "mean-flow",
        "from noise to data in one step",
        r"z_r = z_t - (t - r) U(z_t, r, t),\quad U = u - (t - r)"
        r" \big(u \frac{\partial U}{\partial z} + \frac{\partial U}{\partial t}\big)",
        "U is the mean of the velocity between two times. The identity, which is the derivative of its"
        " definition by t, gives U's target at the cost of one forward derivative.",
        (
            "Geng et al. 2025, Mean flows for one-step generative modeling",
            "https://arxiv.org/abs/2505.13447",
        ),
        "eqs. (6) and (12)",
        diffusion_flow.mean_flow_step,
        Example({"z": _Z, "mean_velocity": _X, "r": (0.0,), "t": (1.0,)}, ("z", "mean_velocity")),
        operations("B·X", 2, 2),
    ),
    _entry(
        "group-norm",
        "an image's channels, normalised in groups",
        r"y = s\, \frac{x - \mu_g}{\sqrt{\sigma_g^2 + \epsilon}} + b",
        "Mean and variance are of one image's pixels and a group of its channels, so that no example"
        " depends on the others of its batch, as it does with batch norm; the U-Net's norm.",
        ("Wu & He 2018, Group normalization", "https://arxiv.org/abs/1803.08494"),
        "eqs. (1), (3) and (7)",
        group_norm.group_norm,
        Example(
            {
                "x": (((1.0, 2.0), (3.0, 6.0)),),
                "scale": (1.0, 1.0),
                "bias": (0.0, 0.5),
                "groups": 2,
            },
            ("x", "scale", "bias"),
        ),
        operations("B·T·C", 7, 11),
        {"B": 64, "T": 784, "C": 64},
        on_arrays=_in_pairs,
    ),
)
