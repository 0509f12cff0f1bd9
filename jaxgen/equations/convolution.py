"""The discrete convolution of images with a bank of kernels, in forms of one signature.

    (1) y[i, j, o] = Σ_u Σ_v Σ_c x[s i + u − p, s j + v − q, c] k[u, v, c, o],  x = 0 outside the image
    (2) I = ⌊(n + P − K) / s⌋ + 1,  the places i along an axis of n pixels, P of them added
    (3) y = X k,  X[i, j, (u, v, c)] = x[s i + u − p, s j + v − q, c],  (u, v, c) taken as one index

Eq. (1) is LeCun et al. 1998, "Gradient-based learning applied to document recognition", section II.A,
https://doi.org/10.1109/5.726791; as networks have it the kernel is not turned round, so that it is a
correlation. Eq. (2) is relationship 6 of Dumoulin & Visin 2016, "A guide to convolution arithmetic for
deep learning", https://arxiv.org/abs/1603.07285, where P = 2p. Eq. (3) is the unrolled form of
Chellapilla et al. 2006, "High performance convolutional neural networks for document processing",
https://hal.inria.fr/inria-00112631: patches side by side, and one product of matrices.

Padding is "valid", none, or "same": as much as makes I = ⌈n / s⌉, the odd pixel behind.
Shape letters: B batch, C channels in, O channels out; an image is height·width, a kernel K·L, and
places are I·J.
"""

import functools
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Literal

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

Image = Float[Array, "B height width C"]
Kernel = Float[Array, "K L C O"]
Result = Float[Array, "B I J O"]
Padding = Literal["same", "valid"]


def literal(image: Image, kernel: Kernel, stride: int = 1, padding: Padding = "same") -> Result:
    """Eq. (1), its sum over c a matmul for each place (u, v) of the kernel.

    Args:
      stride: s, the same along both axes. padding: of zeros, see the module's docstring.

    Raises:
      ValueError: the kernel is larger than the image, and padding is "valid".
    """
    taps = _taps(image, kernel, stride, padding)
    terms = [jnp.einsum("BIJC,CO->BIJO", tap, kernel[u, v]) for (u, v), tap in taps]
    return functools.reduce(jnp.add, terms)


def patches(image: Image, kernel: Kernel, stride: int = 1, padding: Padding = "same") -> Result:
    """Eq. (3): all K·L·C numbers that a place reads side by side, then one matmul. As `literal`.

    On a CPU as fast as the native form, and unlike it inside a loop too: there XLA compiles the
    native form's gradient to code that is more than ten times slower.
    """
    columns = jnp.concatenate([tap for _, tap in _taps(image, kernel, stride, padding)], axis=-1)
    return jnp.einsum("BIJP,PO->BIJO", columns, kernel.reshape(-1, kernel.shape[-1]))


def native(image: Image, kernel: Kernel, stride: int = 1, padding: Padding = "same") -> Result:
    """The platform's own convolution. As `literal`."""
    margins = _margins(image, kernel, stride, padding)
    return lax.conv_general_dilated(
        image, kernel, (stride, stride), margins, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def auto(image: Image, kernel: Kernel, stride: int = 1, padding: Padding = "same") -> Result:
    """`patches` on a CPU and `native` elsewhere, chosen where the program is compiled. As `literal`."""
    return lax.platform_dependent(
        image, kernel,
        cpu=functools.partial(patches, stride=stride, padding=padding),
        default=functools.partial(native, stride=stride, padding=padding),
    )  # fmt: skip


FORMS: Mapping[str, Callable] = MappingProxyType(
    {"literal": literal, "patches": patches, "native": native, "auto": auto}
)


def num_places(size: int, kernel_size: int, stride: int, added: int) -> int:
    """Eq. (2): the places of a kernel along an axis of `size` pixels to which `added` are added.

    0 or less where the kernel is longer than that.
    """
    return (size + added - kernel_size) // stride + 1


def _margins(image: Image, kernel: Kernel, stride: int, padding: Padding) -> list[tuple[int, int]]:
    """Pixels of zeros (before, behind) along height and width."""
    margins = []
    for size, kernel_size in zip(image.shape[1:3], kernel.shape[:2], strict=True):
        added = 0
        if padding == "same":  # the P of Eq. (2) for I = ⌈n / s⌉
            added = max((-(-size // stride) - 1) * stride + kernel_size - size, 0)
        if num_places(size, kernel_size, stride, added) < 1:
            raise ValueError(f"kernel {kernel.shape} does not fit into image {image.shape}")
        margins.append((added // 2, added - added // 2))
    return margins


def _taps(
    image: Image, kernel: Kernel, stride: int, padding: Padding
) -> Iterator[tuple[tuple[int, int], Float[Array, "B I J C"]]]:
    """((u, v), what every place reads there) in the order of Eq. (3)'s index."""
    padded = jnp.pad(image, [(0, 0), *_margins(image, kernel, stride, padding), (0, 0)])

    def slices(size, kernel_size):
        length = (num_places(size, kernel_size, stride, 0) - 1) * stride + 1
        return [slice(first, first + length, stride) for first in range(kernel_size)]

    for u, rows in enumerate(slices(padded.shape[1], kernel.shape[0])):
        for v, columns in enumerate(slices(padded.shape[2], kernel.shape[1])):
            yield (u, v), padded[:, rows, columns]
