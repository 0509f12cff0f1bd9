# %% [markdown]
# # A variational autoencoder, from its formula to its pictures
#
# A latent $z \sim \mathcal{N}(0, I)$ is drawn, then an image $x \sim p_\theta(x|z)$. What we want is
# to maximise $\log p_\theta(x) = \log \int p_\theta(x|z)\, p(z)\, dz$, an integral that nobody can do.
# For every density $q(z|x)$, however,
#
# $$-\log p_\theta(x) = \mathbb{E}_q[-\log p_\theta(x|z)] + KL(q(z|x) \| p(z)) - KL(q(z|x) \| p(z|x)).$$
#
# The last term cannot be computed and is never negative. Leaving it out gives an upper bound, −ELBO,
# which is the loss. This file is a notebook in jupytext's percent format, and a script as well.

# %%
import os

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import jaxgen
from jaxgen.equations import vae
from jaxgen.families.vae.sampling import sample_vae
from jaxgen.metrics.pictures import save_grid

STEPS = int(os.environ.get("TOUR_STEPS", "3000"))  # 20 seconds on two cores

# %% [markdown]
# ## The formula, as printed and as it should be
#
# One of the documents prints the divergence with a minus. Both forms are functions, so we ask them.

# %%
elbo = jaxgen.find_equation("vae.elbo")
print(f"printed    {elbo.printed}\nright      {elbo.corrected}\nverdict    {elbo.verdict}")
print(f"right form {elbo.run().value}, as printed {elbo.run_printed().value}")

# %% [markdown]
# Where everything is Gaussian the integral can be done, and the bound can be looked at. Let
# $p(z) = \mathcal{N}(0, 1)$ and $p(x|z) = \mathcal{N}(x; z, 1)$; then $p(x) = \mathcal{N}(0, 2)$ and the
# true posterior is $\mathcal{N}(x/2, 1/2)$. We take $x = 1$ and $q = \mathcal{N}(m, 1/2)$ for many $m$.
# With $\mathbb{E}_q (x - z)^2 = (x - m)^2 + 1/2$ nothing has to be drawn.

# %%
x, means = jnp.ones((101, 1)), jnp.linspace(-4.0, 5.0, 101)[:, None]
variance = 0.5
distortion = -vae.gaussian_log_density(x, means, jnp.zeros_like(means)) + variance / 2
rate = vae.gaussian_kl(means, jnp.full_like(means, jnp.log(variance)))
bound, as_printed = vae.negative_elbo(distortion, rate), vae.printed_negative_elbo(distortion, rate)
exact = float(-vae.gaussian_log_density(jnp.ones(1), jnp.zeros(1), jnp.full(1, jnp.log(2.0))))
print(
    f"-log p(1) = {exact:.4f}; the bound is {float(bound.min()):.4f} at m = {means[bound.argmin()]}"
)
assert abs(float(bound.min()) - exact) < 1e-5 and bool((bound > exact - 1e-5).all())
assert abs(float(means[bound.argmin()][0]) - 0.5) < 1e-6  # the true posterior's mean, x / 2

# %% [markdown]
# The bound touches $-\log p(x)$ exactly at the true posterior. The printed form is linear in $m$ here:
# it has no minimum, and pays $q$ for leaving the prior. (Picture below, on the left.)
#
# ## The model, trained
#
# The encoder is a network that gives $\mu_\phi(x)$ and $\log \sigma^2_\phi(x)$, the decoder a
# logit for each pixel. `jaxgen.train` makes the same run as `python train.py vae-digits`.

# %%
model = jaxgen.train("vae-digits", name="tour-vae", resume=True, steps=STEPS)
module = model.experiment.model.make(model.spec.shape)
print(
    f"{sum(leaf.size for leaf in jax.tree.leaves(model.params)):,} parameters, {model.evaluate()}"
)

# %% [markdown]
# ## What was minimised
#
# The loss again, from its equations: a draw with gradients ($z = \mu + \sigma \epsilon$), the likelihood
# of black and white pixels, the divergence in closed form, their sum. It is the engine's loss.


# %%
def encode(params, image):
    return module.apply({"params": params}, image, method="encode")


def decode(params, latent):
    return module.apply({"params": params}, latent, method="decode")


def loss(params, image, noise):
    posterior = encode(params, image)
    latent = vae.reparameterise(posterior.mean, posterior.log_variance, noise)
    log_density = vae.bernoulli_log_density(image.reshape(len(image), -1), decode(params, latent))
    return vae.negative_elbo(-log_density, vae.gaussian_kl(posterior.mean, posterior.log_variance))


batch = next(model.batches())
keys = jax.random.split(jax.random.key(0), len(batch["image"]))  # one for each example
noise = jax.vmap(lambda key: jax.random.normal(key, (module.latent_size,)))(
    jaxgen.split_each(keys, 2)[0]
)
black_and_white = (batch["image"] > 0.5).astype(jnp.float32)
ours, (theirs, _) = (
    loss(model.params, black_and_white, noise),
    model.loss(model.params, None, batch, keys),
)
print(f"by hand {float(ours.mean()):.4f}, the engine's {float(theirs):.4f} nats per image")
np.testing.assert_allclose(ours.mean(), theirs, rtol=1e-5)

# %% [markdown]
# ## Pictures
#
# New digits are the decoder's images of $z \sim \mathcal{N}(0, I)$. Between the codes of two held-out
# images every point is a code too: each row walks from one image's to the other's.

# %%
drawn = sample_vae(module, model.params, jax.random.key(1), 64)
test = model.data.test
held_out = (test.take(test.arrays, np.arange(16))["image"] > 0.5).astype(np.float32)
codes = encode(model.params, jnp.asarray(held_out)).mean
share = jnp.linspace(0.0, 1.0, 8)[None, :, None]
walks = jax.nn.sigmoid(
    decode(
        model.params,
        ((1 - share) * codes[:8, None] + share * codes[8:, None]).reshape(64, -1),
    )
)

figure, (left, *others) = plt.subplots(1, 3, figsize=(13, 4.2), layout="constrained")
left.plot(means, bound, label="−ELBO")
left.plot(means, as_printed, "--", label="as printed")
left.axhline(exact, color="black", linewidth=0.8, label="−log p(x)")
left.set(
    xlabel="mean of q", ylabel="nats", title="The bound touches at the posterior", ylim=(-5, 15)
)
left.legend()
grids = {f"Drawn after {STEPS} steps": drawn, "From one held-out digit to another": walks}
for axes, (title, images) in zip(others, grids.items(), strict=True):
    axes.imshow(plt.imread(save_grid(images.reshape(64, 8, 8, 1), model.folder / "grid")))
    axes.set(title=title, xticks=[], yticks=[])
figure.savefig(model.folder / "tour.png", dpi=100)
print(model.folder / "tour.png")
