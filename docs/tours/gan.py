# %% [markdown]
# # A generative adversarial network, from its formula to its pictures
#
# A generator makes images $G(z)$ of noise, a discriminator says with what probability $D(x)$ an image is
# real. They play for the value
#
# $$V(G, D) = \mathbb{E}_{x \sim p_{data}}[\log D(x)] + \mathbb{E}_{z \sim p_z}[\log(1 - D(G(z)))],$$
#
# $D$ for a large one, $G$ for a small one (Goodfellow et al. 2014, eq. 1).
# This file is a notebook in jupytext's percent format, and a script as well.

# %%
import os

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import jaxgen
from jaxgen.equations import gan
from jaxgen.metrics.pictures import save_grid

STEPS = int(os.environ.get("TOUR_STEPS", "6000"))  # 20 seconds on two cores

# %% [markdown]
# ## The formula, as printed and as it should be
#
# One of the documents prints the value under the name of a loss. Whoever minimises that teaches $D$ to
# call real images generated: the gradient by a real image's logit has the wrong sign.

# %%
minimax = jaxgen.find_equation("gan.minimax")
print(f"printed    {minimax.printed}\nright      {minimax.corrected}\nverdict    {minimax.verdict}")
print("d loss / d real logits, right form", minimax.run().gradient["real_logits"])
print("d loss / d real logits, as printed", minimax.run_printed().gradient["real_logits"])

# %% [markdown]
# Where there are only five images, with known probabilities $p$ (data) and $q$ (generator), the best
# discriminator is known: $D^* = p / (p + q)$, whose logit is $\log p - \log q$, and
#
# $$V(D^*) = 2\, JS(p, q) - \log 4,$$
#
# with the Jensen-Shannon divergence, which is 0 for the perfect generator and nothing else.

# %%
p, q = jnp.array([0.1, 0.2, 0.3, 0.2, 0.2]), jnp.array([0.4, 0.1, 0.1, 0.3, 0.1])


def value(logits):  # the expectation over all pairs of a real and a generated image
    real, fake = jnp.meshgrid(logits, logits, indexing="ij")
    return jnp.sum(jnp.outer(p, q) * gan.minimax_value(real, fake))


best, middle = jnp.log(p) - jnp.log(q), (p + q) / 2
jensen_shannon = jnp.sum(p * jnp.log(p / middle) + q * jnp.log(q / middle)) / 2
print(f"V(D*) = {value(best):.6f}, 2 JS - log 4 = {2 * jensen_shannon - jnp.log(4):.6f}")
np.testing.assert_allclose(value(best), 2 * jensen_shannon - jnp.log(4), rtol=1e-5)
np.testing.assert_allclose(jax.grad(value)(best), 0.0, atol=1e-7)  # no better discriminator near by

# %% [markdown]
# The generator's own part of $V$ is $\log(1 - D(G(z)))$, and there lies the trouble: where $D$ is sure
# that an image is generated, as it soon is of a poor one, the gradient by its logit is $-D$, next to
# nothing. The loss $-\log D(G(z))$ pulls the same way, with the gradient $D - 1$ (picture, left).

# %%
logits = jnp.linspace(-8.0, 8.0, 161)
saturating = jax.vmap(jax.grad(gan.saturating_generator_loss))(logits)
lasting = jax.vmap(jax.grad(gan.non_saturating_generator_loss))(logits)
np.testing.assert_allclose(saturating, -jax.nn.sigmoid(logits), atol=1e-6)
np.testing.assert_allclose(lasting, jax.nn.sigmoid(logits) - 1, atol=1e-6)

# %% [markdown]
# ## Both players, trained
#
# `jaxgen.train` makes the same run as `python train.py gan-digits`: two MLPs, each with its own Adam.
# The held-out number is the Fréchet distance between generated and real images, in pixels.

# %%
model = jaxgen.train("gan-digits", name="tour-gan", resume=True, steps=STEPS)
generator, discriminator = model.experiment.model.make(model.spec.shape)
print(model.evaluate())

# %% [markdown]
# ## What was minimised
#
# The generator's loss again, from its equations: noise, $G$, the discriminator's logit, $-\log D$.

# %%
batch = next(model.batches())
keys = jax.random.split(jax.random.key(0), len(batch["image"]))  # one for each example
noise_keys, dropout_keys = jaxgen.split_each(keys, 2)
noise = jax.vmap(lambda key: jax.random.normal(key, (generator.latent_size,)))(noise_keys)
own, other = model.params["generator"], model.params["discriminator"]
fake_logits = discriminator.apply(
    {"params": other}, model.apply(model.weights, noise), dropout_keys
)
by_hand = gan.non_saturating_generator_loss(fake_logits).mean()
engines, _ = model.loss["generator"](own, other, None, batch, keys)
print(f"by hand {float(by_hand):.4f}, the engine's {float(engines):.4f} nats")
np.testing.assert_allclose(by_hand, engines, rtol=1e-5)

# %% [markdown]
# ## Pictures

# %%
noise, test = jax.random.normal(jax.random.key(1), (64, generator.latent_size)), model.data.test
grids = {
    "Real, held out": jnp.asarray(test.take(test.arrays, np.arange(64))["image"]),
    f"Generated after {STEPS} steps": model.apply(model.weights, noise),
}
figure, (left, *others) = plt.subplots(1, 3, figsize=(13, 4.2), layout="constrained")
left.plot(logits, -saturating, label="log(1 − D(G(z)))")
left.plot(logits, -lasting, label="−log D(G(z))")
left.set(xlabel="logit of D(G(z))", ylabel="− gradient", title="What moves the generator")
left.legend()
for axes, (title, images) in zip(others, grids.items(), strict=True):
    axes.imshow(plt.imread(save_grid(images, model.folder / "grid")))
    axes.set(title=title, xticks=[], yticks=[])
figure.savefig(model.folder / "tour.png", dpi=100)
print(model.folder / "tour.png")
