"""The catalogue's entries on adversarial networks: 004, 4; 003, 4.2; 001, 4.1; 000, 4.1.1."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.catalog.costs import Sizes, operations
from jaxgen.catalog.record import Equation, Example
from jaxgen.costs.rows import elementwise, mlp
from jaxgen.costs.table import Row
from jaxgen.equations import gan

_GOODFELLOW = "Goodfellow et al. 2014, Generative adversarial nets"
_GOODFELLOW_LINK = "https://arxiv.org/abs/1406.2661"
_ARJOVSKY = "Arjovsky et al. 2017, Wasserstein GAN"
_ARJOVSKY_LINK = "https://arxiv.org/abs/1701.07875"

_LOGITS = Example(
    {"real_logits": (2.0, 0.5), "fake_logits": (-1.0, 0.25)}, ("real_logits", "fake_logits")
)
_SCORES = Example(
    {"real_scores": (6.0, 9.0), "fake_scores": (3.0, -3.0)}, ("real_scores", "fake_scores")
)
_FAKE_LOGITS = Example({"fake_logits": (-4.0, 0.0, 2.0)}, ("fake_logits",))


def _two_layers(
    noise: Float[Array, "*B Z"],
    w1: Float[Array, "Z G1"],
    b1: Float[Array, " G1"],
    w2: Float[Array, "G1 X"],
    b2: Float[Array, " X"],
) -> Float[Array, "*B X"]:
    """A generator to measure: two dense layers, of hidden width G1, with their weights."""

    def mlp(z):
        return jax.nn.sigmoid(jax.nn.relu(z @ w1 + b1[None]) @ w2 + b2[None])

    return gan.generator(mlp, noise)


def _two_layers_rows(sizes: Sizes) -> list[Row]:
    layers = mlp("generator", sizes, ["Z", "G1", "X"])
    return [*layers, elementwise("sigmoid", sizes, "B·X", 1, 3)]


# minus log D is the softplus of minus the logit, minus log(1 − D) that of the logit
_ONE_LOG, _TWO_LOGS = operations("B", 4, 3), operations("B", 8, 5)
_ONE_SIGN = operations("B", 1, 1)

ENTRIES = (
    Equation(
        id="gan.generator",
        document="004, 4.1; 003, 4.2",
        title="a sample is a function of noise",
        printed=r"x = G(z),\quad G(z) = G_{\theta}(z)",
        corrected=r"x = G_\theta(z),\quad z \sim p_z",
        verdict="right",
        explanation="All randomness is in z; the generator itself is a deterministic function, so"
        " gradients pass through the sample into θ. The example's G squashes 2z + 1 by tanh.",
        paper=f"{_GOODFELLOW}, section 3",
        link=_GOODFELLOW_LINK,
        function=gan.generator,
        example=Example(
            {"apply": lambda z: jnp.tanh(2.0 * z + 1.0), "noise": ((0.0, -0.5), (0.3, 1.0))},
            ("noise",),
        ),
        rows=_two_layers_rows,
        on_arrays=_two_layers,
        sizes={"B": 4096, "Z": 64, "G1": 512, "X": 784},
    ),
    Equation(
        id="gan.discriminator",
        document="004, 4.1; 003, 4.2",
        title="the probability that x is real",
        printed=r"p(\text{real}|x) = D(x),\quad D(x) = D_{\phi}(x)",
        corrected=r"p(\text{real}|x) = D_\phi(x) = \frac{1}{1 + e^{-l_\phi(x)}}",
        verdict="range",
        explanation="Right for a D that ends in a sigmoid, as in 004. 003, 4.2 uses the D of"
        " Wasserstein losses, an unbounded score, and calls its output a probability; a score of 5"
        " is none. Here D is the sigmoid of a logit in the log losses, and a raw score in the"
        " Wasserstein ones.",
        paper=f"{_GOODFELLOW}, section 3",
        link=_GOODFELLOW_LINK,
        function=gan.discriminator_probability,
        printed_function=gan.printed_discriminator_probability,
        example=Example({"logits": (-1.5, 0.0, 5.0)}, ("logits",)),
        printed_example=Example({"scores": (-1.5, 0.0, 5.0)}, ("scores",)),
        rows=operations("B", 1, 3, "sigmoid"),
    ),
    Equation(
        id="gan.minimax",
        document="001, 4.1",
        title="the value of the game, and D's loss",
        printed=r"L_D(D, G) = E_{x \sim p_{data}(x)}[log(D(x))]"
        r" + E_{z \sim p_z(z)}[log(1 - D(G(z)))]",
        corrected=r"V(G, D) = E_{x \sim p_{data}}[\log D(x)]"
        r" + E_{z \sim p_z}[\log(1 - D(G(z)))],\quad L_D = -V",
        verdict="sign",
        explanation="The printed line is the value V, which the discriminator maximises. Under the"
        " name of a loss it would be minimised, and D would learn to call real data generated and"
        " generated data real. The loss is −V.",
        paper=f"{_GOODFELLOW}, eq. (1)",
        link=_GOODFELLOW_LINK,
        function=gan.minimax_discriminator_loss,
        printed_function=gan.printed_minimax_discriminator_loss,
        example=_LOGITS,
        rows=_TWO_LOGS,
    ),
    Equation(
        id="gan.saturating-generator",
        document="001, 4.1",
        title="G's side of the value",
        printed=r"L_G(G, D) = E_{x \sim p_{data}(x)}[log(1 - D(G(z)))]",
        corrected=r"L_G = E_{z \sim p_z}[\log(1 - D(G(z)))]",
        verdict="variable",
        explanation="The expectation is over x, which the term does not contain; over z, which it"
        " does, there is none. So read, it is the term of a single z whatever the batch, and its"
        " variance does not fall with the batch. Even with z it saturates: where D is sure that a"
        " sample is generated, the gradient with respect to the logit, −D, is nearly zero.",
        paper=f"{_GOODFELLOW}, eq. (1)",
        link=_GOODFELLOW_LINK,
        function=gan.saturating_generator_loss,
        printed_function=gan.printed_saturating_generator_loss,
        example=_FAKE_LOGITS,
        printed_example=Example(
            {"real": ((0.1, 0.9), (0.4, 0.2), (0.7, 0.7)), "fake_logit": -4.0},
            ("real", "fake_logit"),
        ),
        rows=_ONE_LOG,
    ),
    Equation(
        id="gan.non-saturating-generator",
        document="004, 4.2",
        title="G's loss whose gradient lasts",
        printed=r"L_G = -log(D(G(z)))",
        corrected=r"L_G = -E_{z \sim p_z}[\log D(G(z))]",
        verdict="right",
        explanation="Printed for one sample; the loss is its mean over z. Its gradient with"
        " respect to the logit, D − 1, is largest where D is sure that the sample is generated.",
        paper=f"{_GOODFELLOW}, section 3",
        link=_GOODFELLOW_LINK,
        function=gan.non_saturating_generator_loss,
        example=_FAKE_LOGITS,
        rows=_ONE_LOG,
    ),
    Equation(
        id="gan.discriminator-loss",
        document="004, 4.2",
        title="D's loss, per pair",
        printed=r"L_D = -log(D(x_{\text{real}})) - log(1 - D(G(z)))",
        corrected=r"L_D = -E_{x \sim p_{data}}[\log D(x)] - E_{z \sim p_z}[\log(1 - D(G(z)))]",
        verdict="right",
        explanation="Printed for one pair; the loss is its mean. It is the binary cross-entropy"
        " with target 1 for real and 0 for generated data, and equals −V.",
        paper=f"{_GOODFELLOW}, eq. (1)",
        link=_GOODFELLOW_LINK,
        function=gan.discriminator_loss,
        example=_LOGITS,
        rows=_TWO_LOGS,
    ),
    Equation(
        id="gan.wasserstein-value",
        document="000, 4.1.1",
        title="the critic's estimate of a distance",
        printed=r"\min_G \max_D V(G,D) = E_{x \sim p_{data}(x)}[D(x)] - E_{z \sim p_z(z)}[D(G(z))]",
        corrected=r"\min_G \max_{\Vert D \Vert_L \leq 1}"
        r" E_{x \sim p_{data}}[D(x)] - E_{z \sim p_z}[D(G(z))]",
        verdict="missing constraint",
        explanation="This is the Wasserstein-1 distance only when D is 1-Lipschitz, which is not"
        " said. With D free and unbounded, any critic that separates can be scaled, and the maximum"
        " is infinite; with D a probability, the maximum is the total variation between the two"
        " distributions, which is 1 whenever they do not overlap, however near they are."
        " The function divides by the critic's Lipschitz constant instead of assuming it is 1. In"
        " training the bound comes from weight clipping (the paper), a gradient penalty (Gulrajani"
        " et al. 2017) or spectral normalisation (Miyato et al. 2018). The example's critic is"
        " D(x) = 3x.",
        paper=f"{_ARJOVSKY}, eq. (2)",
        link=_ARJOVSKY_LINK,
        function=gan.wasserstein_value,
        printed_function=gan.printed_wasserstein_value,
        example=Example(
            {**_SCORES.arguments, "lipschitz_constant": 3.0}, ("real_scores", "fake_scores")
        ),
        printed_example=_SCORES,
        rows=operations("B", 2, 3),
    ),
    Equation(
        id="gan.wasserstein-critic-loss",
        document="003, 4.2",
        title="the critic's loss",
        printed=r"L_D = -\text{E}[D(x)] - \text{E}[D(G(z))]",
        corrected=r"L_D = -E_{x \sim p_{data}}[D(x)] + E_{z \sim p_z}[D(G(z))]",
        verdict="sign",
        explanation="As printed both terms push scores up, of real and generated data alike: the two"
        " are never separated, and the generator has nothing to follow. For an unbounded score there"
        " is no finite optimum; for a probability, which 003 calls its D, the least value is −2, at"
        " D = 1 everywhere. The second term needs a plus.",
        paper=f"{_ARJOVSKY}, eq. (3)",
        link=_ARJOVSKY_LINK,
        function=gan.wasserstein_critic_loss,
        printed_function=gan.printed_wasserstein_critic_loss,
        example=_SCORES,
        rows=_ONE_SIGN,
    ),
    Equation(
        id="gan.wasserstein-generator-loss",
        document="003, 4.2",
        title="the generator's loss against a critic",
        printed=r"L_G = -\text{E}[D(G(z))]",
        corrected=r"L_G = -E_{z \sim p_z}[D(G(z))]",
        verdict="right",
        explanation="The generator raises the score of what it makes; of the value, only this term"
        " depends on it.",
        paper=f"{_ARJOVSKY}, theorem 3",
        link=_ARJOVSKY_LINK,
        function=gan.wasserstein_generator_loss,
        example=Example({"fake_scores": (3.0, -3.0)}, ("fake_scores",)),
        rows=_ONE_SIGN,
    ),
    Equation(
        id="gan.label-smoothing",
        document="002, 5.2 (code)",
        title="softened targets for D",
        printed=r"L_D = H(0.9, D(x)) + H(0.1, D(G(z)))",
        corrected=r"L_D = H(0.9, D(x)) + H(0, D(G(z))),\quad"
        r" H(a, p) = -a \log p - (1 - a) \log(1 - p)",
        verdict="advice",
        explanation="The code's labels, 0.9 for what it calls real and 0.1 for what is generated, read"
        " as the loss of D that they are meant for. As written the code trains the generator, and what"
        " it labels real is Gaussian noise: see code.mnist-gan. With targets"
        " a and b the best D is (a p_data + b p_model) / (p_data + p_model): a positive b puts"
        " p_model into the numerator, so samples far from all data keep a score of b that pulls"
        " them nowhere. The advice is to smooth the real side only, b = 0.",
        paper="Salimans et al. 2016, Improved techniques for training GANs, section 3.4",
        link="https://arxiv.org/abs/1606.03498",
        function=gan.one_sided_discriminator_loss,
        printed_function=gan.smoothed_discriminator_loss,
        example=_LOGITS,
        rows=operations("B", 21, 16),  # four softplus, four weights, three sums, two negations
    ),
)
