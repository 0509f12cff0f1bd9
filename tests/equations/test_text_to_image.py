"""The weighted loss and the guided logits by hand."""

import jax
import numpy as np
import pytest

from jaxgen.equations.text_to_image import guided_logits, joint_nats


def test_parts_are_means_with_their_weights(normal):
    """Eq. (2): each part's mean over its own tokens, 1/8 and 7/8."""
    text, image = normal(3, 2), normal(3, 5)
    by_hand = [
        sum(map(float, text[b])) / 2 / 8 + 7 / 8 * sum(map(float, image[b])) / 5 for b in range(3)
    ]
    np.testing.assert_allclose(joint_nats(text, image), by_hand, rtol=1e-5)
    np.testing.assert_allclose(joint_nats(text, image, 0.0), image.mean(-1), rtol=1e-6)


@pytest.mark.parametrize("weight", [0.0, 1.0, 3.0])
def test_guidance_multiplies_what_the_text_says_of_a_token(weight, normal):
    """Eq. (3): of logits or of log-probabilities, p_w ∝ p_u (p_c / p_u)^w."""
    told, untold = normal(4, 7), normal(4, 7)
    p_c, p_u = (
        np.exp(x - x.max(-1, keepdims=True)) for x in (np.asarray(told), np.asarray(untold))
    )
    p_c, p_u = (p / p.sum(-1, keepdims=True) for p in (p_c, p_u))
    expected = p_u * (p_c / p_u) ** weight
    expected /= expected.sum(-1, keepdims=True)
    for c, u in ((told, untold), (jax.nn.log_softmax(told), jax.nn.log_softmax(untold))):
        found = jax.nn.softmax(guided_logits(c, u, weight))
        np.testing.assert_allclose(found, expected, rtol=2e-4, atol=1e-7)
