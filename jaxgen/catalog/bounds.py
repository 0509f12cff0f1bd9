"""The catalogue's entries on bounds of log p(x), which the documents' VAEs lead to and do not print."""

from jaxtyping import Array, Float

from jaxgen.catalog.costs import operations
from jaxgen.catalog.record import Equation, Example
from jaxgen.equations import bounds, likelihoods, vae

_KINGMA = (
    "Kingma & Welling 2014, Auto-encoding variational Bayes",
    "https://arxiv.org/abs/1312.6114",
)
_BURDA = ("Burda et al. 2016, Importance weighted autoencoders", "https://arxiv.org/abs/1509.00519")
_LOG_WEIGHTS = ((-100.0, -103.0, -101.0),)
_DRAWS = {"B": 2**18, "K": 5}
# A library of VAEs in PyTorch (AntixK/PyTorch-VAE: models/iwae.py, and experiment.py for the factor).
_LIBRARY = "not in the documents"


def _half_a_nat_free(kl: Float[Array, "*B Z"]) -> Float[Array, "*B"]:
    return bounds.free_bits(kl, 0.5)


def _of_256_levels(
    x: Float[Array, "*B"], mean: Float[Array, "*B"], log_scale: Float[Array, "*B"]
) -> Float[Array, "*B"]:
    return likelihoods.discretised_logistic_log_probability(x, mean, log_scale, 256)


ENTRIES = (
    Equation(
        id="vae.log-weight",
        document="implied by 002, 4.2.3",
        title="what one draw says of the evidence",
        printed="",
        corrected=r"\log w = \log p_\theta(x|z) + \log p(z) - \log q_\phi(z|x)",
        verdict="not printed",
        explanation="The mean of w over draws z from q is p(x), and the mean of log w the evidence lower"
        " bound: every bound here is made of such weights. Of several stochastic layers the logs of"
        " their densities are added.",
        paper=f"{_KINGMA[0]}, eq. (6)",
        link=_KINGMA[1],
        function=bounds.log_weight,
        example=Example(
            {"log_likelihood": (-90.0,), "log_prior": (-30.0,), "log_posterior": (-12.0,)},
            ("log_likelihood", "log_posterior"),
        ),
        rows=operations("B", 2, 1),
    ),
    Equation(
        id="vae.sampled-kl",
        document="implied by 002, 4.2.3",
        title="the divergence from the prior, by a draw",
        printed="",
        corrected=r"KL(q_\phi(z|x) || p(z)) = \mathbb{E}_{z \sim q}[\log q_\phi(z|x) - \log p(z)]",
        verdict="not printed",
        explanation="For densities whose divergence has no closed form. A draw's value may be negative,"
        " the mean is not. Where both are Gaussian vae.gaussian-kl has the same mean and no variance"
        " by this draw.",
        paper=f"{_KINGMA[0]}, eq. (6)",
        link=_KINGMA[1],
        function=bounds.sampled_kl,
        example=Example(
            {"log_posterior": (-12.0, -15.0), "log_prior": (-30.0, -14.0)},
            ("log_posterior", "log_prior"),
        ),
        rows=operations("B", 1, 1),
    ),
    Equation(
        id="vae.importance-weighted",
        document=_LIBRARY,
        title="the importance-weighted bound",
        printed=r"\mathcal{L} = \sum_k \text{softmax}(\ell)_k\, \ell_k,\quad \ell_k = -\log w_k",
        corrected=r"-\mathcal{L}_K = -\mathbb{E}\big[\log \frac{1}{K} \sum_k w_k\big]",
        verdict="sign",
        explanation="Printed is what a library in wide use minimised: it took the loss for the log"
        " weight, so that the worst draws count most, and the value is above −ELBO, which −L_K tightens:"
        " a looser bound sold as a tighter one. Its present form, Σ v_k ℓ_k with v = softmax(−ℓ)"
        " (`bounds.self_weighted_nats`), lies below −L_K by log K less the entropy of v and bounds"
        " nothing. −L_K falls with K, to −log p(x).",
        paper=f"{_BURDA[0]}, eq. (8) and theorem 1",
        link=_BURDA[1],
        function=bounds.importance_weighted_nats,
        printed_function=bounds.printed_importance_weighted_nats,
        example=Example({"log_weights": _LOG_WEIGHTS}, ("log_weights",)),
        rows=operations("B·K", 4, 3),
        sizes=_DRAWS,
    ),
    Equation(
        id="vae.batch-weighted",
        document=_LIBRARY,
        title="the divergence's weight in a batch",
        printed=r"\mathcal{L} = -\log p_\theta(x|z) + \frac{B}{N} KL(q_\phi(z|x) || p(z))",
        corrected=r"\mathcal{L} = -\log p_\theta(x|z) + KL(q_\phi(z|x) || p(z))",
        verdict="scale",
        explanation="Printed is how a library in wide use weighs the divergence: by the batch over the"
        " number of training examples, to account for the batch. Every example has its own latent: the"
        " mean over a batch of the whole line estimates the mean over the data, and no term has another"
        " factor. As printed it is"
        " a β-VAE of β = B/N, 0.002 for 128 of 60,000, whose codes cost next to nothing. The factor"
        " belongs to a divergence of global parameters, as in Bayesian networks.",
        paper=f"{_KINGMA[0]}, eqs. (7) and (8)",
        link=_KINGMA[1],
        function=vae.negative_elbo,
        printed_function=bounds.batch_weighted_negative_elbo,
        example=Example(
            {"reconstruction_nats": (80.0, 95.0), "kl_nats": (20.0, 25.0)},
            ("reconstruction_nats", "kl_nats"),
        ),
        printed_example=Example(
            {
                "reconstruction_nats": (80.0, 95.0), "kl_nats": (20.0, 25.0),
                "batch_size": 128, "num_examples": 60_000,
            },
            ("reconstruction_nats", "kl_nats"),
        ),
        rows=operations("B", 1, 0),
    ),
    Equation(
        id="vae.dreg",
        document="implied by 002, 4.2.3",
        title="the encoder's gradient of that bound",
        printed="",
        corrected=r"\nabla_\phi \mathcal{L}_K = \mathbb{E}\Big[\sum_k v_k^2\, \frac{\partial \log w_k}"
        r"{\partial z_k} \frac{\partial z_k}{\partial \phi}\Big],\quad v = \text{softmax}(\log w)",
        verdict="not printed",
        explanation="The plain gradient by φ has ever more noise against its mean as K grows. Here the"
        " terms that have mean zero are reparameterised a second time and go away; what is left weighs"
        " each draw's path by the square. `bounds.doubly_reparameterised_nats` has this gradient.",
        paper="Tucker et al. 2019, Doubly reparameterized gradient estimators",
        link="https://arxiv.org/abs/1810.04152",
        function=bounds.dreg_weights,
        example=Example({"log_weights": _LOG_WEIGHTS}, ("log_weights",), "first entry"),
        rows=operations("B·K", 6, 8),
        sizes=_DRAWS,
    ),
    Equation(
        id="vae.free-bits",
        document="implied by 002, 4.2.3",
        title="nats that a latent has for nothing",
        printed="",
        corrected=r"\sum_j \max(\lambda, KL_j)",
        verdict="not printed",
        explanation="Against latents that are given up early, since at first they cost more than they"
        " say. The loss is then no bound: what is reported is vae.elbo.",
        paper="Kingma et al. 2016, Improving variational inference with inverse autoregressive flow,"
        " appendix C.8",
        link="https://arxiv.org/abs/1606.04934",
        function=bounds.free_bits,
        example=Example({"kl": ((0.1, 2.0),), "minimum": 0.5}, ("kl",)),
        rows=operations("B·Z", 2, 1),
        sizes={"B": 2**18, "Z": 20},
        on_arrays=_half_a_nat_free,
    ),
    Equation(
        id="vae.hierarchical",
        document="implied by 002, 4.2.3",
        title="the bound of two stochastic layers",
        printed="",
        corrected=r"-\text{ELBO} = \mathbb{E}_q\big[-\log p(x|z_1) + \log \frac{q(z_1|x)}{p(z_1|z_2)}"
        r" + KL(q(z_2|z_1) || p(z_2))\big]",
        verdict="not printed",
        explanation="The lower layer's prior is what the upper one says of it. Its divergence has to be"
        " drawn, for z₂ depends on z₁; the uppermost has a closed form.",
        paper=f"{_BURDA[0]}, section 2",
        link=_BURDA[1],
        function=bounds.hierarchical_negative_elbo,
        example=Example(
            {"reconstruction_nats": (80.0,), "lower_kl": (15.0,), "upper_kl": (5.0,)},
            ("lower_kl", "upper_kl"),
        ),
        rows=operations("B", 2, 1),
    ),
    Equation(
        id="vae.discretised-logistic",
        document="implied by 002, 4.2.2",
        title="the likelihood of a grey level",
        printed="",
        corrected=r"p(x|z) = \sigma\big(\frac{x + \delta - m}{s}\big) - \sigma\big(\frac{x - \delta - m}"
        r"{s}\big),\quad \delta = \frac{1}{V - 1}",
        verdict="not printed",
        explanation="Probabilities of V levels on [−1, 1] from two numbers; the outermost levels have"
        " all that lies beyond them, or the levels would not sum to one. A density can, as"
        " vae.decoder's, be made as large as one likes on grey levels, and is no likelihood of them.",
        paper="Salimans et al. 2017, PixelCNN++, section 2.1",
        link="https://arxiv.org/abs/1701.05517",
        function=likelihoods.discretised_logistic_log_probability,
        example=Example(
            {"x": ((0.0, 1.0),), "mean": ((0.1, 0.7),), "log_scale": ((-2.0, -1.0),), "levels": 17},
            ("mean", "log_scale"),
        ),
        rows=operations("B", 22, 26),
        on_arrays=_of_256_levels,
    ),
)  # fmt: skip
