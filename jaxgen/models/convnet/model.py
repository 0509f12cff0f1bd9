"""A convolutional network that tells classes of images apart.

(1) x_l = relu(x_{l-1} * k_l + b_l), strides of 2, for each of L convolutions; x_0 is the image
(2) features = relu(W x_L + b),  logits = W' features + b'

Convolutions, then layers that see the whole image: LeCun et al. 1998, section II.B,
https://doi.org/10.1109/5.726791. Strides of 2 in the place of pooling: Springenberg et al. 2015, section
2, https://arxiv.org/abs/1412.6806. An image is B·height·width·C.
"""

import flax.linen as nn
import jax
from jaxtyping import Array, Float

from jaxgen.layers.convolution import Convolution
from jaxgen.layers.dropout import Dropout


class ConvNet(nn.Module):
    """Images to logits; its features, the last hidden layer, are what it judges an image by."""

    channels: tuple[int, ...]
    kernel_size: int
    hidden_size: int
    dropout: float
    convolution: str
    num_classes: int

    def setup(self):
        """The layers of Eqs. (1) and (2)."""
        K = self.kernel_size
        self.convolutions = [
            Convolution(size, (K, K), stride=2, form=self.convolution) for size in self.channels
        ]
        self.hidden = nn.Dense(self.hidden_size, kernel_init=nn.initializers.he_normal())
        self.drop = Dropout(self.dropout)
        self.output = nn.Dense(self.num_classes)

    def __call__(
        self, image: Float[Array, "B height width C"], dropout_keys=None
    ) -> Float[Array, "B V"]:
        """Logits of V classes; dropout_keys (B,) switch dropout on, which drops features."""
        return self.output(self.drop(self.features(image), dropout_keys))

    def features(self, image: Float[Array, "B height width C"]) -> Float[Array, "B F"]:
        """What the classes are told apart by, F non-negative numbers."""
        x = image
        for convolution in self.convolutions:
            x = jax.nn.relu(convolution(x))  # Eq. (1)
        return jax.nn.relu(self.hidden(x.reshape(x.shape[0], -1)))
