"""The convolution against loops in NumPy and against scipy; its forms against each other.

Sizes differ, so that a swapped axis fails: B 2, image 7x10, C 3, O 5, kernel up to 3x4.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal

from jaxgen.equations import convolution
from jaxgen.equations.convolution import FORMS, literal, num_places

B, HEIGHT, WIDTH, C, OUT = 2, 7, 10, 3, 5
# (K, L, stride, padding)
CASES = [
    (3, 3, 1, "same"),
    (3, 3, 2, "same"),
    (2, 4, 1, "same"),
    (3, 2, 3, "same"),
    (1, 1, 2, "same"),
    (3, 4, 1, "valid"),
    (2, 3, 2, "valid"),
    (7, 10, 1, "valid"),  # one place
]


@pytest.fixture
def arrays(normal):
    """(image, kernel) for a kernel of K x L."""
    return lambda K, L: (normal(B, HEIGHT, WIDTH, C), normal(K, L, C, OUT))


def places(size, kernel_size, stride):
    """Where a kernel may begin on an axis, by trying all."""
    return [i for i in range(0, size, stride) if i + kernel_size <= size]


def zeros_around(size, kernel_size, stride, padding):
    """(before, behind): the fewest with which there are ceil(size / stride) places."""
    added = 0
    while padding == "same" and len(places(size + added, kernel_size, stride)) * stride < size:
        added += 1
    return added // 2, (added + 1) // 2


def loops(image, kernel, stride, padding):
    """Eq. (1) number by number in float64."""
    image, kernel = np.asarray(image, np.float64), np.asarray(kernel, np.float64)
    K, L = kernel.shape[:2]
    rows, columns = (zeros_around(*sizes, stride, padding) for sizes in ((HEIGHT, K), (WIDTH, L)))
    image = np.pad(image, [(0, 0), rows, columns, (0, 0)])
    return np.asarray(
        [
            [
                [
                    [np.sum(image[b, i : i + K, j : j + L] * kernel[..., o]) for o in range(OUT)]
                    for j in places(image.shape[2], L, stride)
                ]
                for i in places(image.shape[1], K, stride)
            ]
            for b in range(B)
        ]
    )


def test_by_hand():
    """One row of pixels 1, 2, 4, 8 and the kernel (1, 10, 100): with a zero on either side."""
    image = jnp.asarray([1.0, 2.0, 4.0, 8.0]).reshape(1, 1, 4, 1)
    kernel = jnp.asarray([1.0, 10.0, 100.0]).reshape(1, 3, 1, 1)
    expected = {
        (1, "same"): [210, 421, 842, 84],
        (1, "valid"): [421, 842],
        # one zero is enough for the two places, and it stands behind
        (2, "same"): [421, 84],
        (2, "valid"): [421],
    }
    for (stride, padding), values in expected.items():
        assert np.ravel(literal(image, kernel, stride, padding)).tolist() == values


@pytest.mark.parametrize(("K", "L", "stride", "padding"), CASES)
def test_literal_is_eq_1_in_loops(arrays, K, L, stride, padding):
    image, kernel = arrays(K, L)
    expected = loops(image, kernel, stride, padding)
    found = literal(image, kernel, stride, padding)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("size", "padding"), [(3, "same"), (2, "valid"), (3, "valid")])
def test_literal_is_scipy_s_correlation(arrays, size, padding):
    image, kernel = arrays(size, size)
    expected = [
        [
            sum(signal.correlate2d(x[..., c], kernel[..., c, o], padding) for c in range(C))
            for o in range(OUT)
        ]
        for x in np.asarray(image, np.float64)
    ]
    found = np.moveaxis(np.asarray(literal(image, kernel, 1, padding)), -1, 1)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("form", sorted(set(FORMS) - {"literal"}))
@pytest.mark.parametrize(("K", "L", "stride", "padding"), CASES)
def test_every_form_is_the_equation_forward_and_backward(arrays, form, K, L, stride, padding):
    image_and_kernel = arrays(K, L)

    @functools.partial(jax.jit, static_argnums=0)
    def value_and_gradients(form, image, kernel):
        out, pull_back = jax.vjp(lambda *x: FORMS[form](*x, stride, padding), image, kernel)
        weight = jnp.cos(jnp.arange(out.size, dtype=jnp.float32)).reshape(out.shape)
        return out, *pull_back(weight)

    both = [value_and_gradients(name, *image_and_kernel) for name in (form, "literal")]
    for found, expected in zip(*both, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("form", ["literal", "patches"])
def test_gradient(arrays, gradient_holds, form):
    gradient_holds(lambda *x: FORMS[form](*x, 2, "same"), *arrays(3, 2))


@given(st.integers(1, 30), st.integers(1, 9), st.integers(1, 5), st.integers(0, 9))
def test_eq_2_counts_the_places(size, kernel_size, stride, added):
    found = num_places(size, kernel_size, stride, added)
    assert max(found, 0) == len(places(size + added, kernel_size, stride))


@pytest.mark.parametrize(
    ("platform", "operation", "other"),
    [("cpu", "dot_general", "convolution"), ("cuda", "convolution", "dot_general"),
     ("tpu", "convolution", "dot_general")],
)  # fmt: skip
def test_auto_is_a_matmul_on_a_cpu_and_the_native_form_elsewhere(
    arrays, platform, operation, other
):
    traced = jax.jit(convolution.auto).trace(*arrays(3, 3))
    program = traced.lower(lowering_platforms=(platform,)).as_text()
    assert f"stablehlo.{operation}" in program and f"stablehlo.{other}" not in program


def test_a_kernel_larger_than_its_image_is_refused(normal):
    with pytest.raises(ValueError, match=r"\(3, 5, 3, 2\) does not fit into image \(2, 4, 4, 3\)"):
        literal(normal(2, 4, 4, 3), normal(3, 5, 3, 2), padding="valid")
