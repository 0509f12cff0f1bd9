"""The transposed convolution against loops in NumPy, its forms against each other, and as an adjoint.

Sizes differ, so that a swapped axis fails: B 2, image 3x5, C 3, O 4.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.equations import convolution
from jaxgen.equations.transposed_convolution import FORMS, literal

B, ROWS, COLUMNS, C, OUT = 2, 3, 5, 3, 4
CASES = [(4, 4, 2), (3, 4, 2), (2, 2, 2), (5, 3, 3), (3, 3, 1), (4, 5, 3)]  # K, L, stride


def by_loops(image, kernel, stride):
    """Every product of Eq. (1), in float64."""
    K, L = kernel.shape[:2]
    result = np.zeros((B, stride * ROWS, stride * COLUMNS, OUT))
    for a, b, u, v in np.ndindex(ROWS, COLUMNS, K, L):
        i, j = stride * a + u - (K - stride) // 2, stride * b + v - (L - stride) // 2
        if 0 <= i < stride * ROWS and 0 <= j < stride * COLUMNS:
            result[:, i, j] += np.asarray(image[:, a, b], np.float64) @ np.asarray(
                kernel[u, v], np.float64
            )
    return result


@pytest.fixture
def arrays(normal):
    return lambda K, L: (normal(B, ROWS, COLUMNS, C), normal(K, L, C, OUT))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", CASES)
def test_every_form_is_the_sum_by_loops(arrays, form, case):
    K, L, stride = case
    image, kernel = arrays(K, L)
    found = FORMS[form](image, kernel, stride)
    np.testing.assert_allclose(found, by_loops(image, kernel, stride), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_it_is_the_adjoint_of_the_convolution(arrays, normal, case):
    """⟨transposed(x, k), y⟩ = ⟨x, convolution(y, k with its channels swapped)⟩, padding "same"."""
    K, L, stride = case
    image, kernel = arrays(K, L)
    other = normal(B, stride * ROWS, stride * COLUMNS, OUT)
    written = jnp.vdot(literal(image, kernel, stride), other)
    read = jnp.vdot(image, convolution.literal(other, kernel.swapaxes(2, 3), stride, "same"))
    assert float(written) == pytest.approx(float(read), rel=1e-4, abs=1e-3)


@pytest.mark.parametrize("form", ["patches", "native", "auto"])
def test_gradients_of_all_forms_agree(arrays, normal, form):
    image, kernel = arrays(4, 3)
    weight = normal(B, 2 * ROWS, 2 * COLUMNS, OUT)

    @functools.partial(jax.jit, static_argnums=2)
    def gradients(image, kernel, form):
        return jax.grad(lambda *xk: jnp.sum(weight * FORMS[form](*xk, 2)), argnums=(0, 1))(
            image, kernel
        )

    for found, expected in zip(
        gradients(image, kernel, form), gradients(image, kernel, "literal"), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("form", FORMS)
def test_a_kernel_smaller_than_the_stride_is_refused(arrays, form):
    with pytest.raises(ValueError, match="leaves gaps at a stride of 3"):
        FORMS[form](*arrays(2, 4), 3)
