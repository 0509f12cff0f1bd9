"""The loss of a model of text and image as one sequence.

Eqs. (1) and (2) of `equations/text_to_image.py`. The vocabulary has the words first and the codes behind
them; each position is offered the logits of its own kind alone, since a text's length is known.

In the catalogue: `lm.cross-entropy`, `tokens.joint-loss`.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from jaxgen.equations import language, text_to_image
from jaxgen.families.language.module import LanguageModel
from jaxgen.families.text_image.codec import Codec
from jaxgen.training.batch import split_each
from jaxgen.training.gradient import Aux
from jaxgen.training.metrics import Mean

NO_WORD = 0  # as `data.captions.scenes` has it: a text of these alone says nothing


def part_nats(
    model: LanguageModel, params: Any, text: Int[Array, "B T"], codes: Int[Array, "B P"], num_words: int,
    dropout_keys: Any = None,
) -> tuple[Array, Array]:  # fmt: skip
    """(B, T − 1) and (B, P): −log p of each token but the first, given those before it."""
    T = text.shape[1]
    tokens = jnp.concatenate([text, num_words + codes], axis=1)
    logits = model.apply({"params": params}, tokens[:, :-1], dropout_keys)
    of_text = language.cross_entropy(logits[:, : T - 1, :num_words], text[:, 1:])
    return of_text, language.cross_entropy(logits[:, T - 1 :, num_words:], codes)


def make_text_image_loss(
    model: LanguageModel, codec: Codec, num_words: int, text_dropout: float, text_weight: float
) -> Callable:
    """`loss(params, extra, batch, keys)`: weighted nats a token; texts dropped with that probability."""

    def loss(params, extra, batch, keys):
        text_keys, dropout_keys = split_each(keys, 2)
        codes = jax.lax.stop_gradient(codec.encode(batch["image"]))
        dropped = jax.vmap(lambda key: jax.random.bernoulli(key, text_dropout))(text_keys)
        text = jnp.where(dropped[:, None], NO_WORD, batch["caption"])
        of_text, of_image = part_nats(model, params, text, codes, num_words, dropout_keys)
        losses = text_to_image.joint_nats(of_text, of_image, text_weight)
        metrics = {"loss": losses, "text_nats": of_text, "image_nats": of_image}
        return losses.mean(), Aux(
            {name: Mean.of(values) for name, values in metrics.items()}, extra
        )

    return loss
