"""Text to image as a sequence: the text's tokens, then the image's.

Ramesh et al. 2021, "Zero-shot text-to-image generation" (DALL-E), https://arxiv.org/abs/2102.12092
    (1) p(text, image) = Π_t p(y_t | y_<t),  y the text's tokens and then the image's     section 2.2
    (2) L = (w_text L_text + w_image L_image) / (w_text + w_image)      section 2.2: 1/8 and 7/8
Gafni et al. 2022, "Make-A-Scene", section 3.4, https://arxiv.org/abs/2203.13131
    (3) l_w = l_u + w (l_c − l_u): logits l_c under the text, l_u under none

L_text and L_image are means over the tokens of each part, in nats. w = 1 is the model as it is, 0 one
that is told nothing; beyond 1 what the text says of the next token is exaggerated. (3) on logits and on
log-probabilities is one distribution: they differ by a number that all tokens share.

Shape letters: *B leading axes, T tokens of the text, S tokens of the image, V vocabulary.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.equations.precision import widen


def joint_nats(
    text_nats: Float[Array, "*B T"],
    image_nats: Float[Array, "*B S"],
    text_weight: float = 1 / 8,
) -> Float[Array, "*B"]:
    """Eq. (2): nats a token of each example, parts weighted by text_weight and 1 − text_weight."""
    text = jnp.mean(widen(text_nats), axis=-1)
    image = jnp.mean(widen(image_nats), axis=-1)
    return text_weight * text + (1 - text_weight) * image


def guided_logits(
    conditional: Float[Array, "*B V"],
    unconditional: Float[Array, "*B V"],
    weight: Float[Array, ""] | float,
) -> Float[Array, "*B V"]:
    """Eq. (3): `l_u + w (l_c − l_u)`."""
    conditional, unconditional = widen(conditional), widen(unconditional)
    return unconditional + weight * (conditional - unconditional)
