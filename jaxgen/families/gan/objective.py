"""A GAN with its pair of losses, chosen by name among those of the catalogue, and what steadies it.

In the catalogue: `gan.discriminator-loss`, `gan.generator`, `gan.hinge-critic-loss`,
`gan.least-squares-discriminator-loss`, `gan.least-squares-generator-loss`, `gan.minimax`,
`gan.non-saturating-generator`, `gan.label-smoothing`, `gan.wasserstein-critic-loss`,
`gan.saturating-generator`, `gan.wasserstein-generator-loss`, `gan.gradient-penalty`, `gan.r1`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.equations import gan, gan_penalties
from jaxgen.families.gan.augmentation import augmented
from jaxgen.families.gan.module import Discriminator, Generator
from jaxgen.families.gan.spectral import init_vectors, normalised, with_next_vectors
from jaxgen.training.batch import split_each
from jaxgen.training.gradient import Aux
from jaxgen.training.metrics import Mean
from jaxgen.training.state import Weights


class LossPair(NamedTuple):
    """What each player minimises, per example."""

    discriminator: Callable  # (real_logits, fake_logits) -> (B,)
    generator: Callable  # (fake_logits) -> (B,)


WASSERSTEIN = LossPair(gan.wasserstein_critic_loss, gan.wasserstein_generator_loss)
LOSSES: Mapping[str, LossPair] = {
    "non-saturating": LossPair(gan.discriminator_loss, gan.non_saturating_generator_loss),
    "saturating": LossPair(gan.minimax_discriminator_loss, gan.saturating_generator_loss),
    "wasserstein": WASSERSTEIN,
    "wasserstein-gp": WASSERSTEIN,
    "hinge": LossPair(gan.hinge_critic_loss, gan.wasserstein_generator_loss),
    "least-squares": LossPair(
        gan.least_squares_discriminator_loss, gan.least_squares_generator_loss
    ),
    "gan.minimax:as-printed": LossPair(
        gan.printed_minimax_discriminator_loss, gan.saturating_generator_loss
    ),
    "gan.wasserstein-value:as-printed": WASSERSTEIN,  # the same with nothing that bounds the slope
    "gan.wasserstein-critic-loss:as-printed": LossPair(
        gan.printed_wasserstein_critic_loss, gan.wasserstein_generator_loss
    ),
    "gan.label-smoothing:as-printed": LossPair(
        gan.smoothed_discriminator_loss, gan.non_saturating_generator_loss
    ),
}


def choose_losses(loss: str, label_smoothing: str) -> LossPair:
    """The pair of that name; smoothing replaces the discriminator's loss of the log losses.

    'two-sided' has the document's labels 0.9 and 0.1 (002, 5.2), 'one-sided' 0.9 and 0 (Salimans et
    al. 2016, section 3.4).
    """
    pair = LOSSES[loss]
    if label_smoothing == "two-sided":
        return pair._replace(discriminator=gan.smoothed_discriminator_loss)
    if label_smoothing == "one-sided":
        return pair._replace(discriminator=gan.one_sided_discriminator_loss)
    return pair


@dataclass(frozen=True)
class Rules:
    """What the players keep to beside their losses; as it stands: nothing.

    Attributes:
      gradient_penalty, r1: weights of Eqs. (2) and (3) of `equations/gan_penalties.py`.
      noise_penalty: weight of Eq. (7), on real and generated examples, beside the noise's own s².
      spectral_norm: the discriminator's kernels are divided by their norms, Eqs. (4) and (5).
      noise: (first deviation, last, steps between them) of Eq. (6); None draws none.
      pack: examples that are judged together, Eq. (8).
      augment: which changes every image that is judged goes through, see `augmentation`.
      labels: both players are told the class; a generated example's is that of the real one beside it.
    """

    gradient_penalty: float = 0.0
    r1: float = 0.0
    noise_penalty: float = 0.0
    spectral_norm: bool = False
    noise: tuple[float, float, int] | None = None
    pack: int = 1
    augment: tuple[str, ...] = ()
    labels: bool = False


STATISTICS = "batch_stats"  # the collection of `layers.norm.BatchNorm`


def make_gan_losses(
    generator: Generator,
    discriminator: Discriminator,
    losses: LossPair,
    rules: Rules | None = None,
    name: str = "image",
) -> dict[str, Callable]:
    """Of each player, by name: `(own, other, extra, batch, keys) -> (loss, Aux)`.

    `name` is that of the examples in a batch. What a pass leaves without a gradient is in `extra`, see
    `init_players`.
    """
    rules = rules or Rules()

    def classes(batch):
        return {"label": batch["label"]} if rules.labels else {}

    def generate(params, extra, keys, told):
        size = (generator.latent_size,)
        noise = jax.vmap(lambda key: jax.random.normal(key, size))(keys)
        left = extra

        def apply(z):
            nonlocal left
            examples, left = run(generator, "generator", params, extra, z, **told)
            return examples

        return gan.generator(apply, noise), left

    def seen(extra, examples, keys):
        """As the discriminator gets them: augmented, with noise, in packs."""
        if rules.augment:
            examples = augmented(examples, _other_keys(keys, 1), rules.augment)
        if rules.noise is not None:
            shape = examples.shape[1:]
            draw = jax.vmap(lambda key: jax.random.normal(key, shape))
            examples = examples + deviation(rules, extra) * draw(_other_keys(keys, 2))
        return gan_penalties.packed(examples, rules.pack) if rules.pack > 1 else examples

    def judge(params, extra, examples, keys, told):
        own = keys[:: rules.pack] if rules.pack > 1 else keys
        return run(discriminator, "discriminator", params, extra, examples, own, **told)

    def discriminator_loss(own, other, extra, batch, keys):
        noise_keys, real_keys, fake_keys = split_each(keys, 3)
        told = classes(batch)
        made, _ = generate(other, extra, noise_keys, told)
        fake = seen(extra, jax.lax.stop_gradient(made), fake_keys)
        real = seen(extra, batch[name], real_keys)
        params = own
        if rules.spectral_norm:
            extra = extra | {"spectral": with_next_vectors(own, extra["spectral"])}
            params = normalised(own, extra["spectral"])
        real_logits, extra = judge(params, extra, real, real_keys, told)
        fake_logits, extra = judge(params, extra, fake, fake_keys, told)
        values = losses.discriminator(real_logits, fake_logits)
        right = jnp.concatenate([real_logits > 0, fake_logits < 0]).astype(jnp.float32)
        metrics = {
            "discriminator_loss": Mean.of(values),
            "discriminator_accuracy": Mean.of(right),
            "real_logit": Mean.of(real_logits),
            "fake_logit": Mean.of(fake_logits),
        }

        def alone(example):
            return judge(params, extra, example, keys, told)[0]

        penalties = _penalties(rules, extra, alone, real, fake, keys)
        if penalties is not None:
            metrics["penalty"] = Mean.of(penalties)
            return values.mean() + penalties.mean(), Aux(metrics, extra)
        return values.mean(), Aux(metrics, extra)

    def generator_loss(own, other, extra, batch, keys):
        noise_keys, fake_keys = split_each(keys, 2)
        told = classes(batch)
        made, extra = generate(own, extra, noise_keys, told)
        params = normalised(other, extra["spectral"]) if rules.spectral_norm else other
        fake_logits, _ = judge(params, extra, seen(extra, made, fake_keys), fake_keys, told)
        values = losses.generator(fake_logits)
        if rules.noise is not None:
            extra = extra | {"updates": extra["updates"] + 1}
        return values.mean(), Aux({"generator_loss": Mean.of(values)}, extra)

    return {"discriminator": discriminator_loss, "generator": generator_loss}


def init_players(
    generator: Generator, discriminator: Discriminator, rules: Rules, shape: tuple[int, ...]
) -> Callable:
    """`init(g_key, d_key) -> Weights` of both players for examples of this shape.

    extra: by player the statistics of its norms; `spectral`, the singular vectors; `updates`, the
    generator's so far, where the noise depends on them. None where there is nothing of the kind.
    """

    def init(g_key, d_key) -> Weights:
        noise = jnp.zeros((1, generator.latent_size))
        seen = jnp.zeros((1, *shape[:-1], shape[-1] * rules.pack))
        told = {"label": jnp.zeros(1, jnp.int32)} if rules.labels else {}
        made = {"discriminator": discriminator.init(d_key, seen, **told)}
        made["generator"] = generator.init(g_key, noise, **told)
        params = {player: made[player]["params"] for player in made}
        extra: dict[str, Any] = {
            player: own[STATISTICS] for player, own in made.items() if STATISTICS in own
        }
        if rules.spectral_norm:
            vectors = init_vectors(params["discriminator"], jax.random.fold_in(d_key, 1))
            extra["spectral"] = vectors
        if rules.noise is not None:
            extra["updates"] = jnp.zeros((), jnp.int32)
        return Weights(params, extra or None)

    return init


def run(
    module: Generator | Discriminator, player: str, params, extra, *inputs, **told: Any
) -> tuple[Any, Any]:
    """(what a player makes of its inputs while it trains, extra with its statistics).

    told: `label`, where players are told the class.
    """
    if extra is None or player not in extra:
        return module.apply({"params": params}, *inputs, **told), extra
    variables = {"params": params, STATISTICS: extra[player]}
    outputs, changed = module.apply(variables, *inputs, **told, mutable=[STATISTICS])
    return outputs, extra | {player: changed[STATISTICS]}


def at_rest(
    module: Generator | Discriminator, player: str, weights, inputs, label: Any = None
) -> Any:
    """What a trained player makes of its inputs, by the statistics that training has left.

    label: of each, where players are told the class.
    """
    params, extra = weights.params[player], weights.extra or {}
    if player == "discriminator" and "spectral" in extra:
        params = normalised(params, extra["spectral"])
    variables = {"params": params}
    if player in extra:
        variables[STATISTICS] = extra[player]
    return module.apply(variables, inputs, **({} if label is None else {"label": label}))


def deviation(rules: Rules, extra) -> Any:
    """Of the noise on examples, at this place of the training."""
    start, end, steps = rules.noise or (0.0, 1.0, 1)
    return gan_penalties.noise_deviation(extra["updates"] / steps, start, end)


def _other_keys(keys, purpose: int):
    """Keys beside those of dropout, which fold in a layer's name."""
    return jax.vmap(lambda key: jax.random.fold_in(key, purpose))(keys)


def _penalties(rules: Rules, extra, critic: Callable, real, fake, keys):
    """The weighted penalties of each example; None where there are none."""
    found = []

    def slopes(at):
        each = jax.grad(lambda at: jnp.sum(critic(at)))(at)
        return each.reshape(each.shape[0], -1)

    if rules.gradient_penalty:
        own = _other_keys(keys, 3)[:: rules.pack]
        share = jax.vmap(lambda key: jax.random.uniform(key))(own)
        flat_real, flat_fake = (part.reshape(part.shape[0], -1) for part in (real, fake))
        line = gan_penalties.between(flat_real, flat_fake, share).reshape(real.shape)
        found.append(rules.gradient_penalty * gan_penalties.gradient_penalty(slopes(line)))
    if rules.r1:
        found.append(rules.r1 * gan_penalties.zero_centred_penalty(slopes(real)))
    if rules.noise_penalty:
        weight = rules.noise_penalty * jnp.square(deviation(rules, extra))
        each = [gan_penalties.zero_centred_penalty(slopes(part)) for part in (real, fake)]
        found.append(weight * (each[0] + each[1]))
    return sum(found[1:], found[0]) if found else None
