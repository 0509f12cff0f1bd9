"""A denoising autoencoder (Vincent et al. 2008), not registered; held-out error 2.08 (affine 2.35)."""

from dataclasses import dataclass

import flax.linen as nn
import jax
import optax
import tyro

import jaxgen


@dataclass(frozen=True)
class Denoiser(jaxgen.Experiment):
    kind = "images"
    noise: float = 0.5

    def build(self, spec, trained=None):
        model = nn.Sequential([nn.Dense(256), nn.relu, nn.Dense(256), nn.relu, nn.Dense(64)])

        def init(key):
            return jaxgen.Weights(model.init(key, jax.numpy.zeros((1, 64))))

        def loss(params, extra, batch, keys):  # E |f(x + noise e) - x|^2, a key for each example
            image = batch["image"].reshape(-1, 64)
            e = jax.vmap(lambda key: jax.random.normal(key, (64,)))(keys)
            error = ((model.apply(params, image + self.noise * e) - image) ** 2).sum(axis=1)
            return error.mean(), jaxgen.Aux({"loss": jaxgen.Mean.of(error)}, extra)

        def judge(weights, data):
            batch = data.take(data.arrays, jax.numpy.arange(data.num_examples))
            keys = jax.random.split(jax.random.key(0), data.num_examples)
            return {"loss": loss(weights.params, None, batch, keys)[0]}

        return jaxgen.one_player(init, loss, optax.adam(1e-3), evaluate=judge, **self.step_options)


if __name__ == "__main__":
    with jaxgen.plain_errors():  # a wrong field is a sentence, as of the commands
        print(jaxgen.train(tyro.cli(Denoiser), resume=True).evaluate())
