"""A convolution, and a transposed one, with kernel and bias."""

from collections.abc import Callable

import flax.linen as nn
from jaxtyping import Array, Float

from jaxgen.equations import convolution, transposed_convolution


class Convolution(nn.Module):
    """y = image * kernel + bias, Eq. (1) of `jaxgen/equations/convolution.py`.

    Parameters are float32 and are cast to the image's dtype to compute; y has that dtype too.

    Attributes:
      features: O, channels of the result. kernel_size: (K, L), rows and columns of the kernel.
      stride, padding: as in `convolution.literal`. kernel_init: He et al. 2015's, for relu.
      form: which of `convolution.FORMS`.
    """

    features: int
    kernel_size: tuple[int, int] = (3, 3)
    stride: int = 1
    padding: convolution.Padding = "same"
    use_bias: bool = True
    kernel_init: Callable = nn.initializers.he_normal()
    form: str = "auto"

    @nn.compact
    def __call__(self, image: Float[Array, "B height width C"]) -> Float[Array, "B I J O"]:
        """The image's places under the kernel, with a feature for each channel of the result."""
        shape = (*self.kernel_size, image.shape[-1], self.features)
        kernel = self.param("kernel", self.kernel_init, shape).astype(image.dtype)
        y = convolution.FORMS[self.form](image, kernel, self.stride, self.padding)
        if not self.use_bias:
            return y
        bias = self.param("bias", nn.initializers.zeros, (self.features,)).astype(y.dtype)
        return y + bias.reshape(1, 1, 1, -1)


class TransposedConvolution(nn.Module):
    """Eq. (1) of `jaxgen/equations/transposed_convolution.py` and a bias; `stride` times larger.

    Attributes as of `Convolution`.
    """

    features: int
    kernel_size: tuple[int, int] = (4, 4)
    stride: int = 2
    use_bias: bool = True
    kernel_init: Callable = nn.initializers.normal(0.02)
    form: str = "auto"

    @nn.compact
    def __call__(self, image: Float[Array, "B I J C"]) -> Float[Array, "B height width O"]:
        """Each pixel spread over the kernel's places, and those that meet added."""
        shape = (*self.kernel_size, image.shape[-1], self.features)
        kernel = self.param("kernel", self.kernel_init, shape).astype(image.dtype)
        y = transposed_convolution.FORMS[self.form](image, kernel, self.stride)
        if not self.use_bias:
            return y
        bias = self.param("bias", nn.initializers.zeros, (self.features,)).astype(y.dtype)
        return y + bias.reshape(1, 1, 1, -1)
