"""What a pass of each player of an MLP GAN costs.

Widths: G0 = Z, G1, ..., X numbers of an example for the generator; D0, D1, ..., 1 for the discriminator,
whose D0 are the numbers of a pack of examples with their waves. Its B counts packs. Where the players
are told one of Y classes, its embedding has L numbers, which are among G0 and, unless D takes a product
with its last features, D0.
Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661.
"""

import math
from itertools import pairwise
from typing import Any

from jaxgen.costs.formula import times
from jaxgen.costs.rows import elementwise, matmul, mlp, table_of_rows
from jaxgen.costs.table import Row
from jaxgen.models.mlp_gan.config import MLPGANConfig

BESIDE = {"generator": ("embedding", "projection"), "discriminator": ("embedding",)}
"""Which ways to tell a player the class put an embedding beside its input."""


class PlayerRows:
    """The rows of one pass of each player on batch_size examples of a shape, judged in packs."""

    def __init__(
        self, config: MLPGANConfig, *, batch_size: int, shape: tuple[int, ...], pack: int = 1,
        num_classes: int = 0,
    ):  # fmt: skip
        X = math.prod(shape)
        self._labels = config.labels
        beside = {
            player: config.label_size * (config.labels in told) for player, told in BESIDE.items()
        }
        generator = [config.latent_size + beside["generator"], *config.generator_sizes, X]
        inputs = X * pack * (1 + 2 * config.waves) + beside["discriminator"]
        discriminator = [inputs, *config.discriminator_sizes, 1]
        sizes = {"B": batch_size, "X": X, "Z": config.latent_size}
        sizes |= {"Y": num_classes, "L": config.label_size} if config.labels != "none" else {}
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
            first = ("kernel",) if self._labels == "none" else None
            layers = mlp(name, self._sizes, self._G, first_gradients=first)
        else:
            layers = mlp(name, self._sizes, self._G, gradients=(), first_gradients=(), owned=False)
        if self._labels != "none":
            own = {"trained": trained, "owned": trained}
            layers.insert(0, table_of_rows(f"{name} label", self._sizes, "Y", "L", **own))
        if not self._squashed:
            return layers
        return [*layers, elementwise(f"{name} sigmoid", self._sizes, "B·X", 1, 3 * trained)]

    def discriminator(self, name: str, *, trained: bool, **how: Any) -> list[Row]:
        """With its weights' gradient; or owned by others, with the gradient by its input alone.

        `how`: data and reads_kernel, as for `mlp`.
        """
        if trained:
            first = ("input", "kernel") if self._labels == "embedding" else ("kernel",)
            gradients = ("input", "kernel")
        else:
            gradients, first = ("input",), None
        rows = mlp(
            name, self._judged, self._D,
            gradients=gradients, first_gradients=first, owned=trained, **how,
        )  # fmt: skip
        if self._waves:
            backward = 0 if trained else 2
            rows.insert(0, elementwise(f"{name} waves", self._judged, "B·D0", 2, backward))
        return rows + self._told(name, trained, how.get("reads_kernel", True)) + self._drops(name)

    def _told(self, name: str, trained: bool, reads: bool) -> list[Row]:
        """The class's embedding, and its product with the last features."""
        if self._labels == "none":
            return []
        last = self._D[-2]
        width = "L" if self._labels == "embedding" else last
        own = {"trained": trained, "owned": trained and reads, "reads": reads}
        rows = [table_of_rows(f"{name} label", self._judged, "Y", width, **own)]
        if self._labels == "projection":
            back = 3 if trained else 2
            rows.append(elementwise(f"{name} projection", self._judged, times("B", last), 2, back))
        return rows

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
        if self._labels == "projection":
            rows.append(
                elementwise(f"{name} class's slope", self._judged, f"B·{self._D[-2]}", 2, 2)
            )
        return [*rows, elementwise(f"{name} squared", self._judged, "B·D0", 2, 2)]

    @property
    def kernels(self) -> list[tuple[str, str]]:
        """(inputs, outputs) of each of the discriminator's, in the letters of its rows."""
        tables = {"none": [], "embedding": [("Y", "L")], "projection": [("Y", self._D[-2])]}
        return [*pairwise(self._D), *tables[self._labels]]

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
