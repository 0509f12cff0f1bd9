"""OptimizerConfig to optax."""

import jax
import optax

from jaxgen.training.config import OptimizerConfig


def make_optimizer(config: OptimizerConfig) -> optax.GradientTransformation:
    """Clip, Adam, decoupled decay of matrices, learning rate.

    (1) m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2
    (2) params -= rate ((m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + 1e-8) + decay params)

    Kingma & Ba 2015, algorithm 1; the decay is decoupled as in Loshchilov & Hutter 2019, algorithm 2,
    but multiplied by the whole rate, as optax and PyTorch do.
    """
    parts = [] if config.clip_norm is None else [optax.clip_by_global_norm(config.clip_norm)]
    parts.append(optax.scale_by_adam(config.beta1, config.beta2))
    if config.weight_decay:
        parts.append(optax.add_decayed_weights(config.weight_decay, mask=is_matrix))
    parts.append(optax.scale_by_learning_rate(make_schedule(config)))
    return optax.chain(*parts)


def make_schedule(config: OptimizerConfig) -> optax.Schedule:
    """The learning rate at each step: linear warm-up, then constant or half a cosine."""
    if config.schedule == "cosine":
        length = config.decay_steps - config.warmup_steps
        after = optax.cosine_decay_schedule(config.learning_rate, length, alpha=0.1)
    else:
        after = optax.constant_schedule(config.learning_rate)
    if not config.warmup_steps:
        return after
    warmup = optax.linear_schedule(0.0, config.learning_rate, config.warmup_steps)
    return optax.join_schedules([warmup, after], [config.warmup_steps])


def is_matrix(params):
    """True for the leaves that weight decay applies to: all but biases and norms' scales.

    By name too, since the bias of several heads has more than one axis and still is no matrix.
    """

    def decays(path, leaf):
        return leaf.ndim > 1 and getattr(path[-1], "key", None) != "bias"

    return jax.tree_util.tree_map_with_path(decays, params)
