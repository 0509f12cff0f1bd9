"""The catalogue's entries on variational autoencoders: 002, 4.2; 000, 4.1.2."""

from jaxgen.catalog.costs import operations
from jaxgen.catalog.record import Equation, Example
from jaxgen.equations import vae

_KINGMA = "Kingma & Welling 2014, Auto-encoding variational Bayes"
_KINGMA_LINK = "https://arxiv.org/abs/1312.6114"

# One example of two features with standard deviations 1/2 and 2, in both parametrisations.
_X = ((0.5, -1.0),)
_MEAN = ((0.0, 1.0),)
_LOG_VARIANCE = ((-1.3862944, 1.3862944),)  # 2 log ½ and 2 log 2
_GAUSSIAN = Example({"x": _X, "mean": _MEAN, "log_variance": _LOG_VARIANCE}, ("mean",))
_PRINTED_GAUSSIAN = Example(
    {"x": _X, "mean": _MEAN, "standard_deviation": ((0.5, 2.0),)}, ("mean",)
)
_VECTORS = {"B": 16384, "X": 784}
# subtract, square, negate, exp, product, + log σ², + log 2π, sum; times −½ is once a row
_DENSITY_ROWS = operations("B·X", 8, 6)
_READING = (
    " The text calls σ the standard deviation, and so read the line is right; but the second slot"
    " of N(·, ·) is by convention a variance, and whoever codes it so gets another density."
    " Squaring σ in the formula removes the doubt. The example has σ = ½ and 2."
)

ENTRIES = (
    Equation(
        id="vae.encoder",
        document="002, 4.2.1",
        title="the approximate posterior",
        printed=r"q_\phi(z|x) = \mathcal{N}(\mu_\phi(x), \sigma_\phi(x))",
        corrected=r"q_\phi(z|x) = \mathcal{N}(z; \mu_\phi(x), \text{diag}\,\sigma_\phi(x)^2)",
        verdict="notation",
        explanation="The encoder gives each x a diagonal Gaussian over latents." + _READING,
        paper=f"{_KINGMA}, eq. (9)",
        link=_KINGMA_LINK,
        function=vae.gaussian_log_density,
        printed_function=vae.printed_gaussian_log_density,
        example=_GAUSSIAN,
        printed_example=_PRINTED_GAUSSIAN,
        rows=_DENSITY_ROWS,
        sizes=_VECTORS,
    ),
    Equation(
        id="vae.decoder",
        document="002, 4.2.2",
        title="the likelihood of x given z",
        printed=r"p_\theta(x|z) = \mathcal{N}(x; \mu_\theta(z), \sigma_\theta(z))",
        corrected=r"p_\theta(x|z) = \mathcal{N}(x; \mu_\theta(z), \text{diag}\,\sigma_\theta(z)^2)",
        verdict="notation",
        explanation="The decoder gives each z a density over data; for binary data it is a"
        " Bernoulli on logits, `bernoulli_log_density`, instead." + _READING,
        paper=f"{_KINGMA}, eq. (12); for binary data eq. (11)",
        link=_KINGMA_LINK,
        function=vae.gaussian_log_density,
        printed_function=vae.printed_gaussian_log_density,
        example=_GAUSSIAN,
        printed_example=_PRINTED_GAUSSIAN,
        rows=_DENSITY_ROWS,
        sizes=_VECTORS,
    ),
    Equation(
        id="vae.elbo",
        document="002, 4.2.3",
        title="the loss",
        printed=r"\mathcal{L} = \mathbb{E}_{x \sim p(x)}[-\log p_\theta(x|z)"
        r" - KL(q_\phi(z|x) || p(z))]",
        corrected=r"-\text{ELBO} = \mathbb{E}_{x \sim p(x)}\big[\mathbb{E}_{z \sim q_\phi(z|x)}"
        r"[-\log p_\theta(x|z)] + KL(q_\phi(z|x) || p(z))\big]",
        verdict="sign",
        explanation="Minimising a minus before the divergence rewards q for leaving the prior, and"
        " the loss runs to minus infinity. With a plus it is minus the evidence lower bound, at"
        " least −log p(x). The printed line also leaves out that z is drawn from q.",
        paper=f"{_KINGMA}, eq. (3)",
        link=_KINGMA_LINK,
        function=vae.negative_elbo,
        printed_function=vae.printed_negative_elbo,
        example=Example(
            {"reconstruction_nats": (80.0, 95.0), "kl_nats": (20.0, 25.0)},
            ("reconstruction_nats", "kl_nats"),
        ),
        rows=operations("B", 1, 0),
    ),
    Equation(
        id="vae.objective",
        document="000, 4.1.2",
        title="distortion plus rate",
        printed=r"\min_{\theta} V(\theta) = E_{x \sim p(x)}[D(x, \theta)]"
        r" + \text{KL}(q_{\theta}(x|x) || p(x))",
        corrected=r"\min_{\theta, \phi} E_{x \sim p(x)}\big[E_{z \sim q_\phi(z|x)}[d(x, \theta, z)]"
        r" + \text{KL}(q_\phi(z|x) || p(z))\big]",
        verdict="variable",
        explanation="A divergence between densities over the data, of x given x, prices no latent"
        " code: it is zero when q is the data's own density, whatever the code carries. It is"
        " meant over z. With a distortion d of −log p(x|z) the line is then vae.elbo.",
        paper="Alemi et al. 2018, Fixing a broken ELBO, section 2",
        link="https://arxiv.org/abs/1711.00464",
        function=vae.rate_distortion,
        printed_function=vae.printed_rate_distortion,
        example=Example({"distortion": (80.0,), "rate": (20.0,)}, ("distortion", "rate")),
        printed_example=Example(
            {
                "distortion": (80.0,),
                "q_mean": ((0.5, -1.0),),
                "q_log_variance": ((0.0, 0.0),),
                "p_mean": ((0.0, 0.0),),
                "p_log_variance": ((0.0, 0.0),),
            },
            ("distortion", "q_mean"),
        ),
        rows=operations("B", 2, 1),
    ),
    Equation(
        id="vae.reparameterisation",
        document="implied by 002, 4.2.1",
        title="a draw with gradients",
        printed="",
        corrected=r"z = \mu + \sigma \odot \epsilon,\quad \epsilon \sim \mathcal{N}(0, I)",
        verdict="not printed",
        explanation="Drawing z from q and training through it needs a draw that is a function of"
        " μ and σ; all its randomness is in ε.",
        paper=f"{_KINGMA}, eqs. (4) and (10)",
        link=_KINGMA_LINK,
        function=vae.reparameterise,
        example=Example(
            {"mean": _MEAN, "log_variance": _LOG_VARIANCE, "noise": ((1.5, -0.5),)},
            ("mean", "log_variance"),
        ),
        # halve, exp, product, sum; backward: by σ² two products and a half, by ε one product
        rows=operations("B·X", 4, 4),
        sizes=_VECTORS,
    ),
    Equation(
        id="vae.gaussian-kl",
        document="implied by 002, 4.2.3",
        title="the divergence from the prior, in closed form",
        printed="",
        corrected=r"KL(q_\phi(z|x) || p(z)) = \frac{1}{2} \sum_i"
        r" \left(\mu_i^2 + \sigma_i^2 - 1 - \log \sigma_i^2\right)",
        verdict="not printed",
        explanation="For a diagonal Gaussian q and a standard normal prior the divergence needs no"
        " sampling. It is zero exactly where q is the prior.",
        paper=f"{_KINGMA}, appendix B",
        link=_KINGMA_LINK,
        function=vae.gaussian_kl,
        example=Example({"mean": _MEAN, "log_variance": _LOG_VARIANCE}, ("mean", "log_variance")),
        rows=operations("B·X", 5, 5),  # square, expm1, sum, subtract, sum over X
        sizes=_VECTORS,
    ),
)
