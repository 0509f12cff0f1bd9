"""The smallest experiment: the mean of the digits, by noisy gradients, through the engine of all others.

What is attacked here is a run, not its mathematics, so a life of it shall cost little. Its state has
all that a step changes: parameters, moments, an average, what changes without a gradient, a key.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgen.experiments.preset import Preset
from jaxgen.families.base import OfImages
from jaxgen.families.sampling import ImageSampling
from jaxgen.metrics.pictures import save_grid
from jaxgen.training.gradient import Aux
from jaxgen.training.metrics import Mean
from jaxgen.training.state import Weights
from jaxgen.training.task import Task, one_player


@dataclass(frozen=True)
class Toy(OfImages):
    sampling: ImageSampling = field(default_factory=lambda: ImageSampling(count=4))

    def build(self, spec: Any, trained: Mapping | None = None) -> Task:
        def init(key) -> Weights:
            return Weights({"mean": jax.random.normal(key, spec.shape)}, {"seen": jnp.zeros(())})

        def loss(params, extra, batch, keys):
            noise = jax.vmap(lambda key: jax.random.normal(key, spec.shape))(keys)
            error = jnp.square(params["mean"] - batch["image"] - noise).sum((1, 2, 3))
            return error.mean(), Aux({"loss": Mean.of(error)}, {"seen": extra["seen"] + 1})

        def judge(weights, data) -> dict[str, float]:
            images = np.asarray(data.arrays["image"], np.float32)
            return {"loss": float(np.square(np.asarray(weights.params["mean"]) - images).mean())}

        def sample(weights, key, path):
            noise = np.asarray(jax.random.normal(key, (self.sampling.count, *spec.shape)))
            mean = np.asarray(weights.params["mean"])
            return save_grid(np.clip(mean + 0.1 * noise, 0, 1), path)

        return one_player(
            init,
            loss,
            optax.adam(0.1),
            evaluate=judge,
            sample=sample,
            best="loss",
            **self.step_options,
        )


PRESET = Preset("The mean of the digits.", ("none",), Toy(ema_decay=0.9, batch_size=8))
