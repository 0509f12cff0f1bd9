"""The transposed convolution, which spreads each pixel over a kernel's places, in several forms.

    (1) y[i, j, o] = Σ x[a, b, c] k[u, v, c, o]  over all  s a + u − p = i,  s b + v − q = j,  and c
    (2) Y = x k,  Y[a, b, (u, v, o)];  y is Y's kernels laid side by side, s apart, and added

Eq. (1) is the adjoint of Eq. (1) of `convolution`, "same" there: an image of s I · s J pixels has I · J
places, and what each place reads it now writes. Dumoulin & Visin 2016, "A guide to convolution
arithmetic for deep learning", chapter 4, https://arxiv.org/abs/1603.07285. Of the whole K − s pixels are
cut off, the odd one behind. Eq. (2) is the unrolled form, one product of matrices.

Shape letters: B batch, C channels in, O channels out; an image is I·J pixels, a kernel K·L.
"""

import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

Image = Float[Array, "B I J C"]
Kernel = Float[Array, "K L C O"]
Result = Float[Array, "B height width O"]


def literal(image: Image, kernel: Kernel, stride: int = 2) -> Result:
    """Eq. (1), a matmul for each place (u, v) of the kernel, written where it belongs.

    Args:
      stride: s, how many pixels apart neighbours are spread.

    Raises:
      ValueError: the kernel is smaller than the stride, and would leave gaps.
    """
    K, L = _sides(kernel, stride)
    height, width = ((size - 1) * stride for size in image.shape[1:3])
    shape = (image.shape[0], height + K, width + L, kernel.shape[-1])
    whole = jnp.zeros(shape, image.dtype)
    for u in range(K):
        for v in range(L):
            part = jnp.einsum("BIJC,CO->BIJO", image, kernel[u, v])
            rows = slice(u, u + height + 1, stride)
            columns = slice(v, v + width + 1, stride)
            whole = whole.at[:, rows, columns].add(part)
    return _cut(whole, image, kernel, stride)


def overlap_add(image: Image, kernel: Kernel, stride: int = 2) -> Result:
    """Eq. (2): one matmul, then as many sums of whole images as kernels overlap. As `literal`.

    The kernel is cut into squares of s · s; those of one place in it never meet, so that each kind is
    laid out by a reshape alone.
    """
    K, L = _sides(kernel, stride)
    batch, height, width, channels = image.shape
    M, N, features = -(-K // stride), -(-L // stride), kernel.shape[-1]
    padded = jnp.pad(kernel, ((0, M * stride - K), (0, N * stride - L), (0, 0), (0, 0)))
    matrix = padded.transpose(2, 0, 1, 3).reshape(channels, -1)
    spread = jnp.einsum("BIJC,CP->BIJP", image, matrix)
    squares = spread.reshape(batch, height, width, M, stride, N, stride, features)
    parts = []
    for m in range(M):
        for n in range(N):
            part = squares[:, :, :, m, :, n].transpose(0, 1, 3, 2, 4, 5)
            part = part.reshape(batch, height * stride, width * stride, features)
            above, left = m * stride, n * stride
            below, right = (M - 1 - m) * stride, (N - 1 - n) * stride
            parts.append(jnp.pad(part, ((0, 0), (above, below), (left, right), (0, 0))))
    return _cut(functools.reduce(jnp.add, parts), image, kernel, stride)


def native(image: Image, kernel: Kernel, stride: int = 2) -> Result:
    """The platform's own: a convolution of the image with zeros between its pixels. As `literal`."""
    margins = []
    for side in _sides(kernel, stride):
        before = (side - stride) // 2
        margins.append((side - 1 - before, stride - 1 + before))
    turned = kernel[::-1, ::-1]
    return lax.conv_general_dilated(
        image, turned, (1, 1), margins, lhs_dilation=(stride, stride),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )  # fmt: skip


def auto(image: Image, kernel: Kernel, stride: int = 2) -> Result:
    """`overlap_add` on a CPU and `native` elsewhere, chosen where the program is compiled."""
    return lax.platform_dependent(
        image, kernel,
        cpu=functools.partial(overlap_add, stride=stride),
        default=functools.partial(native, stride=stride),
    )  # fmt: skip


FORMS: Mapping[str, Callable] = MappingProxyType(
    {"literal": literal, "patches": overlap_add, "native": native, "auto": auto}
)
"""By the names of `convolution.FORMS`."""


def _sides(kernel: Kernel, stride: int) -> tuple[int, int]:
    K, L = kernel.shape[:2]
    if min(K, L) < stride:
        raise ValueError(f"kernel {kernel.shape} leaves gaps at a stride of {stride}")
    return K, L


def _cut(whole: Array, image: Image, kernel: Kernel, stride: int) -> Result:
    """The s I · s J pixels that begin after (K − s) // 2 rows and (L − s) // 2 columns."""
    first = [(side - stride) // 2 for side in kernel.shape[:2]]
    rows, columns = (
        slice(at, at + size * stride) for at, size in zip(first, image.shape[1:3], strict=True)
    )
    return whole[:, rows, columns]
