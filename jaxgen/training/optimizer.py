"""OptimizerConfig to optax."""

import jax
import optax

from jaxgen.training.config import OptimizerConfig


def make_optimizer(config: OptimizerConfig, steps: int) -> optax.GradientTransformation:
    """Clip, Adam, decoupled decay of matrices, learning rate; steps is the schedule's default end.

    (1) m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2
    (2) params -= rate ((m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + 1e-8) + decay params)

    Kingma & Ba 2015, algorithm 1; Loshchilov & Hutter 2019, algorithm 2.
    """
    parts = [] if config.clip_norm is None else [optax.clip_by_global_norm(config.clip_norm)]
    parts.append(optax.scale_by_adam(config.beta1, config.beta2))
    if config.weight_decay:
        parts.append(optax.add_decayed_weights(config.weight_decay, mask=is_matrix))
    parts.append(optax.scale_by_learning_rate(make_schedule(config, steps)))
    return optax.chain(*parts)


def make_schedule(config: OptimizerConfig, steps: int) -> optax.Schedule:
    """The learning rate at each step: linear warm-up, then constant or half a cosine."""
    end = config.decay_steps or steps
    if config.schedule == "cosine":
        after = optax.cosine_decay_schedule(
            config.learning_rate, max(1, end - config.warmup_steps), alpha=0.1
        )
    else:
        after = optax.constant_schedule(config.learning_rate)
    if not config.warmup_steps:
        return after
    warmup = optax.linear_schedule(0.0, config.learning_rate, config.warmup_steps)
    return optax.join_schedules([warmup, after], [config.warmup_steps])


def is_matrix(params):
    """True for the leaves that weight decay applies to: all but biases and norms' scales."""
    return jax.tree.map(lambda leaf: leaf.ndim > 1, params)
