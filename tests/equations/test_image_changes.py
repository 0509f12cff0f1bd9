"""Changes of an image against NumPy, pixel by pixel; and that a gradient comes back through them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.equations import image_changes

IMAGE = np.random.default_rng(0).random((5, 7, 2), np.float32)


def test_brightness_and_contrast():
    x = jnp.asarray(IMAGE)
    np.testing.assert_allclose(
        image_changes.brightened(x, jnp.float32(0.3)), IMAGE + 0.3, rtol=1e-6
    )
    expected = IMAGE.mean() + 1.4 * (IMAGE - IMAGE.mean())
    np.testing.assert_allclose(image_changes.contrasted(x, jnp.float32(1.4)), expected, atol=1e-6)


@pytest.mark.parametrize(("rows", "columns"), [(0, 0), (2, -1), (-2, 2), (1, 0)])
def test_moved_by_whole_pixels(rows, columns):
    expected = np.zeros_like(IMAGE)
    for i, j in np.ndindex(5, 7):
        if 0 <= i - rows < 5 and 0 <= j - columns < 7:
            expected[i, j] = IMAGE[i - rows, j - columns]
    found = image_changes.moved(jnp.asarray(IMAGE), jnp.int32(rows), jnp.int32(columns), 2)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("row", "column", "size"), [(2, 3, 3), (0, 6, 4), (4, 0, 1)])
def test_cut_out_is_a_square_of_zeros(row, column, size):
    expected = IMAGE.copy()
    first = row - size // 2, column - size // 2
    for i, j in np.ndindex(5, 7):
        if first[0] <= i < first[0] + size and first[1] <= j < first[1] + size:
            expected[i, j] = 0
    found = image_changes.cut_out(jnp.asarray(IMAGE), jnp.int32(row), jnp.int32(column), size)
    np.testing.assert_array_equal(found, expected)


def test_the_gradient_is_moved_back_and_ends_at_the_hole():
    def total(x):
        moved = image_changes.moved(x, jnp.int32(1), jnp.int32(0), 2)
        return image_changes.cut_out(moved, jnp.int32(2), jnp.int32(2), 3).sum()

    gradient = np.asarray(jax.grad(total)(jnp.asarray(IMAGE)))
    expected = np.ones_like(IMAGE)
    expected[4] = 0  # moved out
    expected[0:3, 1:4] = 0  # under the hole once moved
    np.testing.assert_array_equal(gradient, expected)
