"""What a pass of each player of a DCGAN costs.

Letters: Z noise, G0 G's inputs; G's images H0·W0 (the smallest), H1·W1 and so on with C0, C1, ...
channels, the last ones those of the image; D's Y0·V0 (the image), Y1·V1, ... with E0, E1, ... channels;
K a kernel's side, S the same made even, so that it is cut into squares of 2·2. Rows of the matmuls,
forward, and as much again for each gradient:

    G in 2·B·G0·N0    spread 2·B·(H·W)·C·S·S·C', each pixel over its kernel
    D convolution 2·B·(Y'·V')·K·K·E·E'        head 2·B·N·1

Where the players are told one of Y classes, L numbers of its embedding are among G0, and D has a plane
more in E0, or the product of N numbers with its features.

Radford et al. 2016, https://arxiv.org/abs/1511.06434.
"""

from dataclasses import replace
from typing import Any

from jaxgen.costs.convolution import convolution, same_axis
from jaxgen.costs.formula import times
from jaxgen.costs.rows import elementwise, matmul, mlp, table_of_rows
from jaxgen.costs.table import Row
from jaxgen.errors import UserError
from jaxgen.models.dcgan.config import DCGANConfig

NORM = (7, 11)  # mean, subtract, square, mean, divide, scale, shift


class PlayerRows:
    """The rows of one pass of each player on batch_size images of a shape, judged in packs.

    `auto` is priced as the patches that a CPU takes, and so is any transposed convolution.
    """

    def __init__(
        self, config: DCGANConfig, *, batch_size: int, shape: tuple[int, ...], pack: int = 1,
        num_classes: int = 0,
    ):  # fmt: skip
        told, planes = config.labels != "none", int(config.labels == "embedding")
        self._config, self._depth = config, len(config.channels)
        height, width = config.smallest(shape)
        K = config.kernel_size
        sizes = {"B": batch_size, "K": K, "S": K + K % 2, "Z": config.latent_size}
        sizes["G0"] = config.latent_size + config.label_size * told
        classes = {"Y": num_classes, "L": config.label_size} if told else {}
        sizes |= classes
        for layer, channels in enumerate((*config.channels[::-1], shape[-1])):
            sizes |= {f"H{layer}": height * 2**layer, f"W{layer}": width * 2**layer}
            sizes[f"C{layer}"] = channels
        sizes["N0"] = height * width * config.channels[-1]
        self._sizes = sizes
        judged = {"B": batch_size // pack, "K": config.kernel_size, **classes}
        judged |= {"Y0": shape[0], "V0": shape[1], "E0": shape[2] * pack + planes}
        for layer, channels in enumerate(config.channels, start=1):
            judged[f"E{layer}"] = channels
            for places, pairs in ("YP", "VQ"):
                axis = same_axis(judged[f"{places}{layer - 1}"], config.kernel_size, stride=2)
                judged[f"{places}{layer}"], judged[f"{pairs}{layer}"] = axis
        self._judged = judged | {"N": sizes["N0"], "one": 1}

    def generator(self, name: str, *, trained: bool) -> list[Row]:
        """With its gradient, or as one that only draws."""
        sizes, normed = self._sizes, self._config.generator_norm == "batch"
        both = ("input", "kernel") if trained else ()
        first = ("kernel",) if trained and self._config.labels == "none" else both
        rows = [
            matmul(
                f"{name} in", sizes, times("B", "G0", "N0"), "G0", result="B·N0", kernel="G0·N0",
                owned=trained, gradients=first, kept=trained,
            ),
            *self._after(f"{name} in", sizes, "H0·W0", "C0", trained, normed),
        ]  # fmt: skip
        for layer in range(self._depth):
            before, here = f"H{layer}·W{layer}", f"H{layer + 1}·W{layer + 1}"
            inputs, outputs, last = f"C{layer}", f"C{layer + 1}", layer == self._depth - 1
            own = f"{name} spread {layer + 1}"
            spread = times("B", before, "S·S", outputs)
            rows += [
                elementwise(f"{own} relu", sizes, times("B", before, inputs), 1, int(trained)),
                matmul(
                    own, sizes, times(spread, inputs), inputs, result=times("B", here, outputs),
                    kernel=times("K·K", inputs, outputs), owned=trained, gradients=both,
                    kept=trained, hidden=not last,
                ),
                elementwise(f"{own}: overlaps added", sizes, spread, 1, 0),
                *self._after(own, sizes, here, outputs, trained, normed and not last),
            ]  # fmt: skip
        result = times("B", f"H{self._depth}·W{self._depth}", f"C{self._depth}")
        if self._config.labels != "none":
            rows.insert(
                0, table_of_rows(f"{name} label", sizes, "Y", "L", trained=trained, owned=trained)
            )
        return [*rows, elementwise(f"{name} tanh", sizes, result, 3, 4 * trained)]

    def discriminator(
        self, name: str, *, trained: bool, data: bool = False, reads_kernel: bool = True
    ) -> list[Row]:
        """With its weights' gradient; or owned by others, with the gradient by its input alone.

        data: the images come from memory. reads_kernel: False where another row's pass over the same
        parameters reads them already.
        """
        sizes, config = self._judged, self._config
        rows = [elementwise(f"{name} scaling", sizes, "B·Y0·V0·E0", 2, 0 if trained else 1)]
        for layer in range(1, self._depth + 1):
            own, places = f"{name} convolution {layer}", f"Y{layer}·V{layer}"
            by_data = layer == 1 and config.labels != "embedding"
            gradients = ("kernel",) if by_data else ("input", "kernel")
            rows += convolution(
                own, sizes, image=f"Y{layer - 1}·V{layer - 1}",
                channels=(f"E{layer - 1}", f"E{layer}"), places=places, kernel="K·K",
                pairs=f"P{layer}·Q{layer}", native=config.convolution == "native",
                gradients=gradients if trained else ("input",), data=data and layer == 1,
            )  # fmt: skip
            normed = config.discriminator_norm == "batch" and layer > 1
            rows += self._after(own, sizes, places, f"E{layer}", trained, normed, "input")
            rows.append(
                elementwise(f"{own} leaky relu", sizes, times("B", places, f"E{layer}"), 2, 2)
            )
        rows += mlp(
            f"{name} head",
            sizes,
            ("N", "one"),
            gradients=("input", "kernel") if trained else ("input",),
        )
        rows += self._told(name, trained)
        return rows if trained and reads_kernel else [_not_owned(row) for row in rows]

    def _told(self, name: str, trained: bool) -> list[Row]:
        """The class's embedding, as a plane of pixels or as a factor of the last features."""
        labels, sizes = self._config.labels, self._judged
        if labels == "none":
            return []
        width = "Y0·V0" if labels == "embedding" else "N"
        rows = [table_of_rows(f"{name} label", sizes, "Y", width, trained=trained)]
        if labels == "projection":
            rows.append(elementwise(f"{name} projection", sizes, "B·N", 2, 3 if trained else 2))
        return rows

    def slopes(self, name: str) -> list[Row]:
        """A penalty on the logit's slope by its image, and the penalty's gradient by the weights.

        Forward but for the head, back to the image, and of that way back the gradient: the leaky relus'
        masks have none, so that nothing goes through the first way again. A norm's statistics would tie
        the slopes of a batch together, and nobody has written down what that costs.
        """
        config, sizes = self._config, self._judged
        if config.discriminator_norm != "none":
            raise UserError(
                f"{name} has no cost table beside --model.discriminator-norm "
                f"{config.discriminator_norm}: give none, as a penalty on slopes wants it, or leave out "
                "the penalty here."
            )
        rows: list[Row] = []
        for layer in range(1, self._depth + 1):
            own: dict[str, Any] = {
                "image": f"Y{layer - 1}·V{layer - 1}", "channels": (f"E{layer - 1}", f"E{layer}"),
                "places": f"Y{layer}·V{layer}", "kernel": "K·K", "pairs": f"P{layer}·Q{layer}",
                "native": config.convolution == "native",
            }  # fmt: skip
            masks = elementwise(
                f"{name} masks {layer}", sizes, times("B", f"Y{layer}·V{layer}", f"E{layer}"), 3, 1
            )
            forward = convolution(f"{name} convolution {layer}", sizes, gradients=(), **own)
            rows += [*forward, masks, *convolution(f"{name} slope {layer}", sizes, **own)]
        head = matmul(
            f"{name} head's slope", sizes, times("B", "N", "one"), "one", result="B·N",
            kernel="N·one", gradients=("kernel",),
        )  # fmt: skip
        squared = elementwise(f"{name} squared", sizes, "B·Y0·V0·E0", 2, 2)
        return [_not_owned(row) for row in (*rows, head, squared)]

    @property
    def kernels(self) -> list[tuple[str, str]]:
        """(inputs, outputs) of each of the discriminator's, in the letters of its rows."""
        layers = range(1, self._depth + 1)
        tables = {"none": [], "embedding": [("Y", "Y0·V0")], "projection": [("Y", "N")]}
        inner = ((f"K·K·E{layer - 1}", f"E{layer}") for layer in layers)
        return [*inner, ("N", "one"), *tables[self._config.labels]]

    @property
    def sizes(self) -> dict[str, int]:
        """Of the letters of the discriminator's rows."""
        return self._judged

    def _after(
        self,
        name: str,
        sizes: Any,
        places: str,
        C: str,
        trained: bool,
        normed: bool,
        through: str = "",
    ) -> list[Row]:
        """The norm or the bias of a layer's result."""
        elements, back = times("B", places, C), trained or bool(through)
        if normed:
            return [
                elementwise(
                    f"{name} norm", sizes, elements, NORM[0], NORM[1] * back, parameters=times(2, C),
                    owned=trained, kept=elements,
                )
            ]  # fmt: skip
        parameters = "N0" if name.endswith(" in") else C
        return [
            elementwise(
                f"{name} bias",
                sizes,
                elements,
                1,
                int(trained),
                parameters=parameters,
                owned=trained,
            )
        ]


def _not_owned(row: Row) -> Row:
    return replace(row, parameters="0", matrices=None)
