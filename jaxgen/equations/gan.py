"""Generative adversarial networks: the two players and the losses that the documents print.

Goodfellow et al. 2014, "Generative adversarial nets", https://arxiv.org/abs/1406.2661
    (1) x = G(z)                                              section 3
    (2) D(x) = sigmoid(l(x)), l the discriminator's logit     section 3
    (3) V(G, D) = E_x[log D(x)] + E_z[log(1 − D(G(z)))]       eq. (1)
    (4) L_D = −V(G, D)                                        eq. (1), the inner maximum
    (5) L_G = E_z[log(1 − D(G(z)))]                           eq. (1), the outer minimum
    (6) L_G = −E_z[log D(G(z))]                               section 3, the gradient that lasts
    (7) L_D = −log D(x) − log(1 − D(G(z)))                    (4) for one pair, as 004, 4.2 has it
Salimans et al. 2016, "Improved techniques for training GANs", https://arxiv.org/abs/1606.03498
    (8) L_D with targets a for real and b for generated       section 3.4 (advises b = 0)
Arjovsky et al. 2017, "Wasserstein GAN", https://arxiv.org/abs/1701.07875
    (9) V = (E_x[D(x)] − E_z[D(G(z))]) / ‖D‖_L                eq. (2)
    (10) L_D = −E_x[D(x)] + E_z[D(G(z))]                      eq. (3), as a loss
    (11) L_G = −E_z[D(G(z))]                                  theorem 3
    (12) w ← clip(w, −c, c)                                   algorithm 1
Lim & Ye 2017, "Geometric GAN", https://arxiv.org/abs/1705.02894
    (13) L_D = max(0, 1 − D(x)) + max(0, 1 + D(G(z)))         the margins; L_G is (11)
Mao et al. 2017, "Least squares GANs", https://arxiv.org/abs/1611.04076
    (14) L_D = ½ (D(x) − 1)² + ½ D(G(z))²,  L_G = ½ (D(G(z)) − 1)²    labels 0 and 1
Goodfellow et al. 2014 again
    (15) l*(x) = log p_data(x) − log p_model(x), D* = p_data / (p_data + p_model)    proposition 1
    with which V = 2 JS(p_data ‖ p_model) − log 4, at least −log 4    theorem 1

What keeps a critic smooth is in `gan_penalties`.

Every function is per example: the expectation is the caller's mean over the batch. A real and a
generated example that share an index make a pair. `real_logits`, `fake_logits` are pre-sigmoid;
`real_scores`, `fake_scores` are a critic's raw scores. Losses are in nats, scores in the units
of the critic. Shape letter: *B the batch axes.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from jaxgen.equations.precision import widen

PerExample = Float[Array, "*B"]


def generator(apply: Callable[[Array], Array], noise: Float[Array, "*B Z"]) -> Array:
    """Eq. (1): a sample is the generator's image of noise, `x = G(z)`.

    Args:
      apply: G with its parameters θ bound, so that nothing but the noise is random.
      noise: z, drawn from the prior.
    """
    return apply(noise)


def discriminator_probability(logits: PerExample) -> PerExample:
    """Eq. (2): `p(real | x) = D(x) = sigmoid(logit)`, in (0, 1)."""
    return jax.nn.sigmoid(widen(logits))


def printed_discriminator_probability(scores: PerExample) -> PerExample:
    """Eq. (2) as 003, 4.2 has it: the critic's raw score is itself called a probability.

    The losses printed beside it use D without a logarithm, so nothing keeps D within [0, 1].
    """
    return widen(scores)


def minimax_value(real_logits: PerExample, fake_logits: PerExample) -> PerExample:
    """Eq. (3): `log D(x) + log(1 − D(G(z)))`, what D maximises and G minimises; at most 0."""
    # log(1 − sigmoid(l)) = log sigmoid(−l), which neither rounds to log 0 nor overflows.
    return jax.nn.log_sigmoid(widen(real_logits)) + jax.nn.log_sigmoid(-widen(fake_logits))


def minimax_discriminator_loss(real_logits: PerExample, fake_logits: PerExample) -> PerExample:
    """Eq. (4): `−V`, so that descending it is D's ascent of the value."""
    return -minimax_value(real_logits, fake_logits)


def printed_minimax_discriminator_loss(
    real_logits: PerExample, fake_logits: PerExample
) -> PerExample:
    """Eq. (4) as 001, 4.1 prints it: the value itself under the name of a loss.

    Descending it teaches D to call real data generated and generated data real.
    """
    return minimax_value(real_logits, fake_logits)


def saturating_generator_loss(fake_logits: PerExample) -> PerExample:
    """Eq. (5): `log(1 − D(G(z)))`. Its gradient, −D, vanishes just where G is worst."""
    return jax.nn.log_sigmoid(-widen(fake_logits))


def printed_saturating_generator_loss(
    real: Float[Array, "B ..."], fake_logit: Float[Array, ""]
) -> Float[Array, ""]:
    """Eq. (5) as 001, 4.1 prints it: `E_{x ~ p_data}[log(1 − D(G(z)))]`.

    The term does not contain x and nothing averages over z: for a real batch of any content and
    any size it is one z's term, with that one z's variance.
    """
    term = saturating_generator_loss(fake_logit)
    return jnp.mean(jnp.broadcast_to(term, real.shape[:1]))


def non_saturating_generator_loss(fake_logits: PerExample) -> PerExample:
    """Eq. (6): `−log D(G(z))`.

    Same fixed point as Eq. (5); its gradient, D − 1, does not vanish where D is sure that the sample is
    generated.
    """
    return -jax.nn.log_sigmoid(widen(fake_logits))


def discriminator_loss(real_logits: PerExample, fake_logits: PerExample) -> PerExample:
    """Eq. (7): `−log D(x) − log(1 − D(G(z)))`, the cross-entropy with targets 1 and 0."""
    return jax.nn.softplus(-widen(real_logits)) + jax.nn.softplus(widen(fake_logits))


def smoothed_discriminator_loss(
    real_logits: PerExample,
    fake_logits: PerExample,
    real_label: float = 0.9,
    fake_label: float = 0.1,
) -> PerExample:
    """Eq. (8): the cross-entropy with softened targets, `a` for real and `b` for generated data.

    `−a log D(x) − (1−a) log(1−D(x)) − b log D(G(z)) − (1−b) log(1−D(G(z)))`

    The best D is `(a p_data + b p_model) / (p_data + p_model)`. The defaults are those of the
    code in 002, 5.2, smoothed on both sides; b = 0 is the one-sided form that the paper advises.
    """
    real, fake = widen(real_logits), widen(fake_logits)
    real_term = real_label * jax.nn.softplus(-real) + (1.0 - real_label) * jax.nn.softplus(real)
    fake_term = fake_label * jax.nn.softplus(-fake) + (1.0 - fake_label) * jax.nn.softplus(fake)
    return real_term + fake_term


def one_sided_discriminator_loss(
    real_logits: PerExample, fake_logits: PerExample, real_label: float = 0.9
) -> PerExample:
    """Eq. (8) with b = 0: generated data keep the target 0, so p_model adds nothing to D's aim."""
    return smoothed_discriminator_loss(real_logits, fake_logits, real_label, fake_label=0.0)


def wasserstein_value(
    real_scores: PerExample,
    fake_scores: PerExample,
    lipschitz_constant: Float[Array, ""] | float,
) -> PerExample:
    """Eq. (9): `(D(x) − D(G(z))) / ‖D‖_L`; its mean is at most the Wasserstein-1 distance.

    Dividing by the critic's Lipschitz constant puts any critic among those with ‖D‖_L <= 1, over
    which the supremum is the distance; scaling the critic then changes nothing.

    Args:
      real_scores: D(x). fake_scores: D(G(z)).
      lipschitz_constant: ‖D‖_L > 0, or an upper bound of it (then the value is a lower bound).
    """
    return (widen(real_scores) - widen(fake_scores)) / lipschitz_constant


def printed_wasserstein_value(real_scores: PerExample, fake_scores: PerExample) -> PerExample:
    """Eq. (9) as 000, 4.1.1 prints it: `D(x) − D(G(z))` with D free.

    An unbounded critic that separates at all can be scaled to separate by as much as one likes:
    max_D V = ∞. Over probabilities, D in [0, 1], the maximum is the total variation of the two.
    """
    return widen(real_scores) - widen(fake_scores)


def wasserstein_critic_loss(real_scores: PerExample, fake_scores: PerExample) -> PerExample:
    """Eq. (10): `−D(x) + D(G(z))`, for a critic kept Lipschitz by other means, such as Eq. (12)."""
    return widen(fake_scores) - widen(real_scores)


def printed_wasserstein_critic_loss(real_scores: PerExample, fake_scores: PerExample) -> PerExample:
    """Eq. (10) as 003, 4.2 prints it: `−D(x) − D(G(z))`.

    Both terms push up, so real and generated data rise together: unbounded scores for ever, a
    probability to D = 1 everywhere, where the loss is least, −2.
    """
    return -widen(real_scores) - widen(fake_scores)


def wasserstein_generator_loss(fake_scores: PerExample) -> PerExample:
    """Eq. (11): `−D(G(z))`."""
    return -widen(fake_scores)


def hinge_critic_loss(real_scores: PerExample, fake_scores: PerExample) -> PerExample:
    """Eq. (13): `max(0, 1 − D(x)) + max(0, 1 + D(G(z)))`: scores beyond the margins are left alone."""
    return jax.nn.relu(1.0 - widen(real_scores)) + jax.nn.relu(1.0 + widen(fake_scores))


def least_squares_discriminator_loss(
    real_scores: PerExample, fake_scores: PerExample
) -> PerExample:
    """Eq. (14): `½ (D(x) − 1)² + ½ D(G(z))²`; the best score is p_data / (p_data + p_model)."""
    return 0.5 * (jnp.square(widen(real_scores) - 1.0) + jnp.square(widen(fake_scores)))


def least_squares_generator_loss(fake_scores: PerExample) -> PerExample:
    """Eq. (14): `½ (D(G(z)) − 1)²`; it pulls samples that D overrates back, too."""
    return 0.5 * jnp.square(widen(fake_scores) - 1.0)


def optimal_logit(data_log_density: PerExample, model_log_density: PerExample) -> PerExample:
    """Eq. (15): `log p_data(x) − log p_model(x)`, the logit of the best D against a fixed G."""
    return widen(data_log_density) - widen(model_log_density)


def clip_weights(params: PyTree[Array], limit: float) -> PyTree[Array]:
    """Eq. (12): every parameter clipped to [−limit, limit], which bounds the critic's ‖D‖_L."""
    return jax.tree.map(lambda leaf: jnp.clip(leaf, -limit, limit), params)
