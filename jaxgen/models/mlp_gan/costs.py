"""What a pass of each player of an MLP GAN costs.

Widths: G0 = Z, G1, ..., X numbers of an example for the generator; D0, D1, ..., 1 for the discriminator,
whose D0 are the numbers of a pack of examples with their waves. Its B counts packs.
Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661.
"""

import math
from itertools import pairwise
from typing import Any

from jaxgen.costs.formula import times
from jaxgen.costs.rows import elementwise, matmul, mlp
from jaxgen.costs.table import Row
from jaxgen.models.mlp_gan.config import MLPGANConfig


class PlayerRows:
    """The rows of one pass of each player on batch_size examples of a shape, judged in packs."""

    def __init__(
        self, config: MLPGANConfig, *, batch_size: int, shape: tuple[int, ...], pack: int = 1
    ):
        X = math.prod(shape)
        generator = [config.latent_size, *config.generator_sizes, X]
        discriminator = [X * pack * (1 + 2 * config.waves), *config.discriminator_sizes, 1]
        sizes = {"B": batch_size, "X": X, "Z": config.latent_size}
        sizes |= {f"G{layer}": width for layer, width in enumerate(generator)}
        self._sizes = sizes | {f"D{layer}": width for layer, width in enumerate(discriminator)}
        self._judged = self._sizes | {"B": batch_size // pack, "X": X * pack}
        self._squashed, self._waves = config.output == "pixels", config.waves
        self._G = [f"G{layer}" for layer in range(len(generator))]
        self._D = [f"D{layer}" for layer in range(len(discriminator))]
        self._dropout = config.discriminator_dropout

    def generator(self, name: str, *, trained: bool) -> list[Row]:
        """With its gradient, or as one that only draws."""
        if trained:
            layers = mlp(name, self._sizes, self._G, first_gradients=("kernel",))
        else:
            layers = mlp(name, self._sizes, self._G, gradients=(), first_gradients=(), owned=False)
        if not self._squashed:
            return layers
        return [*layers, elementwise(f"{name} sigmoid", self._sizes, "B·X", 1, 3 * trained)]

    def discriminator(self, name: str, *, trained: bool, **how: Any) -> list[Row]:
        """With its weights' gradient; or owned by others, with the gradient by its input alone.

        `how`: data and reads_kernel, as for `mlp`.
        """
        if trained:
            gradients, first = ("input", "kernel"), ("kernel",)
        else:
            gradients, first = ("input",), None
        rows = mlp(
            name, self._judged, self._D,
            gradients=gradients, first_gradients=first, owned=trained, **how,
        )  # fmt: skip
        if self._waves:
            backward = 0 if trained else 2
            rows.insert(0, elementwise(f"{name} waves", self._judged, "B·D0", 2, backward))
        return rows + self._drops(name)

    def slopes(self, name: str) -> list[Row]:
        """A penalty on the logit's slope by its input, and the penalty's gradient by the weights.

        Forward but for the logit itself, back to the input, and of that way back the gradient: the
        relus' masks have none, so that nothing goes through the first way again.
        """
        rows, last = [], len(self._D) - 1
        for layer in range(1, last + 1):
            inputs, outputs = self._D[layer - 1], self._D[layer]
            product, kernel = times("B", inputs, outputs), times(inputs, outputs)
            if layer < last:
                rows.append(
                    matmul(
                        f"{name} layer {layer}", self._judged, product, inputs,
                        result=times("B", outputs), kernel=kernel, owned=False, gradients=(),
                    )
                )  # fmt: skip
            rows.append(
                matmul(
                    f"{name} slope {layer}", self._judged, product, outputs,
                    result=times("B", inputs), kernel=kernel, owned=False,
                    gradients=("input", "kernel") if layer < last else ("kernel",),
                )
            )  # fmt: skip
        return [*rows, elementwise(f"{name} squared", self._judged, "B·D0", 2, 2)]

    @property
    def kernels(self) -> list[tuple[str, str]]:
        """(inputs, outputs) of each of the discriminator's, in the letters of its rows."""
        return list(pairwise(self._D))

    @property
    def sizes(self) -> dict[str, int]:
        """Of the letters of the discriminator's rows."""
        return self._judged

    def _drops(self, name: str) -> list[Row]:
        """Scale and select after each hidden layer; the mask is kept, a byte an element."""
        if not self._dropout:
            return []
        return [
            elementwise(
                f"{name} dropout {layer}", self._judged, times("B", width), 2, 2,
                kept=times("B", width), item_bytes=1,
            )
            for layer, width in enumerate(self._D[1:-1], start=1)
        ]  # fmt: skip
