"""OptimizerConfig to optax."""

import optax

from jaxgen.errors import UserError
from jaxgen.training.config import OptimizerConfig
from jaxgen.training.muon import is_matrix, scale_by_muon


def make_optimizer(config: OptimizerConfig) -> optax.GradientTransformation:
    """Clip, direction of descent, decoupled decay of matrices, learning rate.

    (1) params -= rate (direction + decay params)

    with the direction of
    (2) Adam: m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2,
        (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + 1e-8)
    (3) SGD: m = momentum m + g, itself
    (4) Muon: see `jaxgen.training.muon`

    Kingma & Ba 2015, algorithm 1, https://arxiv.org/abs/1412.6980; Polyak 1964 (heavy ball), the rate
    outside the sum. The decay is decoupled as in Loshchilov & Hutter 2019, algorithms 1 and 2,
    https://arxiv.org/abs/1711.05101, but multiplied by the whole rate, as optax and PyTorch do.
    """
    parts = [] if config.clip_norm is None else [optax.clip_by_global_norm(config.clip_norm)]
    parts += _direction(config)
    if config.weight_decay:
        parts.append(optax.add_decayed_weights(config.weight_decay, mask=is_matrix))
    parts.append(optax.scale_by_learning_rate(make_schedule(config)))
    return optax.chain(*parts)


def _direction(config: OptimizerConfig) -> list[optax.GradientTransformation]:
    """Eqs. (2) to (4); plain SGD follows the gradient as it is."""
    match config.name:
        case "adamw":
            return [optax.scale_by_adam(config.beta1, config.beta2)]
        case "muon":
            return [scale_by_muon(config.momentum, config.beta1, config.beta2)]
        case "sgd":
            return [optax.trace(config.momentum)] if config.momentum else []


def make_schedule(config: OptimizerConfig) -> optax.Schedule:
    """The learning rate at each step: linear warm-up, then constant, half a cosine, or a line to 0."""
    if isinstance(config.warmup_steps, float) or isinstance(config.decay_steps, float):
        raise UserError(
            "--optimizer.warmup-steps or --optimizer.decay-steps is a part of --steps, which an "
            "optimiser does not know: ask the config for `in_steps(steps)` first."
        )
    peak, length = config.learning_rate, config.decay_steps - config.warmup_steps
    match config.schedule:
        case "constant":
            after = optax.constant_schedule(peak)
        case "cosine":
            after = optax.cosine_decay_schedule(peak, length, alpha=config.end_fraction)
        case "linear":
            after = optax.linear_schedule(peak, 0.0, length)
    if not config.warmup_steps:
        return after
    warmup = optax.linear_schedule(0.0, peak, config.warmup_steps)
    return optax.join_schedules([warmup, after], [config.warmup_steps])
