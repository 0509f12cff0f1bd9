"""A language model with next-token cross-entropy (document 003, 5.2).

In the catalogue: `lm.cross-entropy`.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxgen.equations import language
from jaxgen.families.language.module import CachedLanguageModel, LanguageModel
from jaxgen.training.batch import all_examples, own_examples
from jaxgen.training.gradient import Aux
from jaxgen.training.metrics import Mean


def make_language_loss(model: LanguageModel, chunk: int | None = None) -> Callable:
    """`loss(params, extra, batch, keys)`: nats per token of batch['targets'] given batch['tokens'].

    Both are (B, T). A batch may have `weights` (B, T), what each target counts for: the loss is then
    Σ w nats / Σ w over the step. With a `chunk` no more than the logits of so many tokens stand at once,
    of a `FeatureModel`.
    """

    def loss(params, extra, batch, keys):
        logits = model.apply({"params": params}, batch["tokens"], keys)
        return mean_nats(language.cross_entropy(logits, batch["targets"]), batch, extra)

    def chunked_loss(params, extra, batch, keys):
        assert chunk is not None
        tokens, targets = batch["tokens"], batch["targets"]
        features = model.apply({"params": params}, tokens, keys, features=True)
        kernel = model.head_kernel(params).astype(features.dtype)
        flat = features.reshape(targets.size, -1)
        nats = language.chunked_cross_entropy(flat, kernel, targets.reshape(-1), chunk)
        return mean_nats(nats.reshape(targets.shape), batch, extra)

    return loss if chunk is None else chunked_loss


def make_stateful_loss(model: CachedLanguageModel) -> Callable:
    """The same of a model that goes on from the state which the step before has left in `extra`.

    A row of the batch goes on where it starts at the token that came next in the step before; elsewhere,
    as where the text begins again, it starts from nothing. The gradient ends with the window.
    """

    def loss(params, extra, batch, keys):
        tokens, start = batch["tokens"], batch["start"]
        before = own_examples(extra, len(start))
        goes_on = (start == before["next"])[:, None]
        state = jnp.where(goes_on, before["state"], 0.0)
        logits, state = model.apply({"params": params}, tokens, keys, cache=state)
        after = {"state": jax.lax.stop_gradient(state), "next": start + tokens.shape[1]}
        nats = language.cross_entropy(logits, batch["targets"])
        return mean_nats(nats, batch, all_examples(after))

    return loss


def mean_nats(nats, batch, extra):
    """(the loss of a batch, what comes beside it)."""
    weights = batch.get("weights")
    if weights is None:
        return nats.mean(), Aux({"loss": Mean.of(nats)}, extra)
    aux = Aux({"loss": Mean.weighted(nats, weights)}, extra, jnp.sum(weights))
    return language.weighted_mean(nats, weights), aux


def empty_extra(model: CachedLanguageModel, batch_size: int) -> dict:
    """What `make_stateful_loss` finds before the first step: no row goes on with anything."""
    return {
        "state": model.empty_cache(batch_size, 0),
        "next": jnp.full(batch_size, -1, jnp.int32),
    }
