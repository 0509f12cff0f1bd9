# %% [markdown]
# # A GPT, from its formula to its picture
#
# A language model says how likely each next character is, given those before it. What it needs is a way
# to look back, and that is attention: each position asks with a query $q$, those up to it answer with
# their keys $k$ and are heard with their values $v$ (Vaswani et al. 2017, eq. 1):
#
# $$\text{Attention}(Q, K, V) = \text{softmax}\left(Q K^T / \sqrt{d_k}\right) V.$$
#
# This file is a notebook in jupytext's percent format, and a script as well.

# %%
import os

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import jaxgen
from jaxgen.equations import attention, language
from jaxgen.metrics.ngrams import ngram_nats

STEPS = int(os.environ.get("TOUR_STEPS", "600"))  # 30 seconds on two cores

# %% [markdown]
# ## The formula, as printed and as it should be
#
# One of the documents divides by $d_k$ in the softmax and by $\sqrt{d_k}$ outside of it. Both forms run.

# %%
formula = jaxgen.find_equation("attention.scaled-dot-product")
print(f"printed    {formula.printed}\nright      {formula.corrected}\nverdict    {formula.verdict}")
print(f"right form\n{formula.run().value}\nas printed\n{formula.run_printed().value}")

# %% [markdown]
# Why the root? The product of two vectors of $d_k$ independent numbers of variance 1 has variance $d_k$.
# Undivided, the scores of a large head are large, and the softmax takes one key and forgets the others;
# divided by $d_k$ they vanish, and it takes all keys alike. Only the root leaves the entropy of the
# weights where it is, whatever the size of the head (picture, left).

# %%
sizes, num_keys = [4, 16, 64, 256, 1024], 64
forms = {"no scale": lambda size: 1.0, "√d_k": lambda size: size**0.5, "d_k, as printed": float}
entropies: dict[str, list[float]] = {name: [] for name in forms}
for size in sizes:
    query, key = jax.random.normal(jax.random.key(size), (2, num_keys, size))
    scores = attention.scores(query, key)
    assert 0.9 < float(scores.std()) / size**0.5 < 1.1
    for name, scale in forms.items():
        weights = jax.nn.softmax(scores / scale(size), axis=-1)
        entropies[name].append(
            float(-jnp.sum(jax.scipy.special.xlogy(weights, weights), -1).mean())
        )
print({name: [round(value, 2) for value in values] for name, values in entropies.items()})
np.testing.assert_allclose(
    jax.nn.softmax(scores / size**0.5), attention.weights(scores, size), rtol=1e-5
)

# %% [markdown]
# Position $t$ must not see what comes after it. The mask says so, and a loop over positions agrees.

# %%
query, key, value = jax.random.normal(jax.random.key(0), (3, 6, 8))
mixed = attention.scaled_dot_product_attention(query, key, value, attention.causal_mask(6, 6))
for t in range(6):
    weights = jax.nn.softmax(key[: t + 1] @ query[t] / jnp.sqrt(8.0))
    np.testing.assert_allclose(mixed[t], weights @ value[: t + 1], atol=1e-5)

# %% [markdown]
# ## The model, trained
#
# Blocks of attention and feed-forward, then a logit for each character. The loss is the cross-entropy of
# the next one. `jaxgen.train` makes the same run as `python train.py gpt-python` with these fields.

# %%
schedule = {"warmup_steps": STEPS // 10, "decay_steps": STEPS}
model = jaxgen.train("gpt-python", name="tour-gpt", resume=True, steps=STEPS, optimizer=schedule)
print(model.evaluate())

# %% [markdown]
# Counting alone gets far, so a model has to be better than it: tables of how often a character follows
# the one, two, ... before it (Witten and Bell 1991), on the same held-out text.

# %%
texts = [np.asarray(part.arrays["tokens"]) for part in (model.data.train, model.data.test)]
for n in range(1, 7):
    nats = ngram_nats(*texts, n, model.spec.vocab_size).mean()
    print(f"{n} characters, the last given those before it: {nats:.3f} nats")

# %% [markdown]
# ## What was minimised
#
# The loss again from its equation, which is the engine's. Before training the logits are all zero, so
# the loss is that of a guess among $V$ characters, $\log V$. And no logit knows what comes after it.

# %%
batch, size = next(model.batches()), model.spec.vocab_size
nats = language.cross_entropy(model.apply(model.weights, batch["tokens"]), batch["targets"])
no_keys = jax.random.split(jax.random.key(0), len(nats))  # for dropout, of which there is none
np.testing.assert_allclose(
    nats.mean(), model.loss(model.params, None, batch, no_keys)[0], rtol=1e-5
)
untrained = model.apply(model.task.init(jax.random.key(0)).weights, batch["tokens"])
before = language.cross_entropy(untrained, batch["targets"]).mean()
print(f"{float(before):.4f} nats before, log V = {np.log(size):.4f}, now {float(nats.mean()):.4f}")
np.testing.assert_allclose(before, np.log(size), rtol=1e-5)
changed = batch["tokens"].at[:, -1].set((batch["tokens"][:, -1] + 1) % size)
ours, theirs = (model.apply(model.weights, tokens)[:, :-1] for tokens in (batch["tokens"], changed))
np.testing.assert_allclose(ours, theirs, atol=1e-5)

# %% [markdown]
# ## What it writes, and what surprises it
#
# A sample; then held-out text, each character with its $-\log p$ given those before it.

# %%
print(model.sample(seed=1, max_tokens=300).read_text())
tokens = jnp.asarray(model.data.test.arrays["tokens"][:65])
surprise = language.cross_entropy(model.apply(model.weights, tokens[None, :-1])[0], tokens[1:])
text = model.spec.tokenizer.decode(np.asarray(tokens[1:]))

figure, (left, right) = plt.subplots(
    1, 2, figsize=(14, 4), layout="constrained", width_ratios=(1, 2.6)
)
for name, values in entropies.items():
    left.plot(sizes, values, "o-", label=name)
left.axhline(np.log(num_keys), color="black", linewidth=0.8, label="all keys alike")
left.set(xscale="log", xlabel="d_k", ylabel="nats", title="Entropy of the weights", ylim=(0, None))
left.legend()
right.bar(range(len(text)), surprise)
right.axhline(np.log(size), color="black", linewidth=0.8, label="a guess, log V")
right.set_xticks(range(len(text)), text.replace("\n", "⏎"), family="monospace", fontsize=8)
right.set(
    ylabel="nats", title="What surprises it in text that it has not seen", xlim=(-1, len(text))
)
right.legend()
figure.savefig(model.folder / "tour.png", dpi=100)
print(model.folder / "tour.png")
