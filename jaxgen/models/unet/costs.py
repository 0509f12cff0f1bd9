"""What a U-Net costs, from scaled z to its outputs.

Letters: I0·J0 the image, I1·J1 a level below, and so on, with C0, C1, ... channels there; P1·Q1 the
pairs of a place and a pixel under its kernel of 3·3, M1·O1 of the kernels with stride 2 that lead
there; U1, U2, ... channels that a block on the way up reads, its own and those of the way down; R and Z
channels of image and output; E features that tell noise and class; N heads of A0, A1, ... numbers. Rows
of the matmuls, as patches, forward, and as much again for each gradient:

    convolution 2·B·(I·J)·3·3·C·C'    told 2·B·E·C'    skip 2·B·(I·J)·C·C', where the channels differ
    query, key, value, out 2·B·(I·J)·C² each           scores, mix 2·B·(I·J)²·C each

Ho et al. 2020, appendix B, https://arxiv.org/abs/2006.11239.
"""

from dataclasses import dataclass

from jaxgen.costs.attention import self_attention
from jaxgen.costs.conditioning import NORM, WAVES, condition, dense, silu
from jaxgen.costs.convolution import convolution, same_axis
from jaxgen.costs.formula import times
from jaxgen.costs.rows import BOTH, elementwise
from jaxgen.costs.table import Row
from jaxgen.models.unet.config import UNetConfig


def unet_rows(
    config: UNetConfig,
    *,
    batch_size: int,
    shape: tuple[int, ...],
    num_classes: int,
    outputs: int,
    told: int = 1,
) -> list[Row]:
    """Forward and backward; num_classes is 0 where the model is not told the class.

    told: λ alone, or so many numbers of its kind.
    """
    E, N, last = config.embedding_size, config.num_heads, len(config.multiples) - 1
    sizes = {
        "B": batch_size, "three": 3, "one": 1, "R": shape[2], "Z": shape[2] * outputs, "Y": WAVES * told,
        "G": E, "E": E, "C": num_classes + 1, "N": N, "Cin": config.channels,
        "I0": shape[0], "J0": shape[1],
    }  # fmt: skip
    for level, multiple in enumerate(config.multiples):
        channels = config.channels * multiple
        sizes |= {f"C{level}": channels, f"A{level}": channels // N}
        for places, pairs, strided in ("IPM", "JQO"):
            if level:
                axis = same_axis(sizes[f"{places}{level - 1}"], 3, stride=2)
                sizes[f"{places}{level}"], sizes[f"{strided}{level}"] = axis
            sizes[f"{pairs}{level}"] = same_axis(sizes[f"{places}{level}"], 3, stride=1).pairs
    rows = _Rows(config, sizes, [])
    rows.add(*condition(sizes, "E", classes=num_classes > 0))
    rows.convolve("in", 0, "R", "Cin", data=True)
    now, beside = "Cin", ["Cin"]
    for level in range(last + 1):
        for block in range(config.num_blocks):
            rows.block(f"down {level}.{block}", level, now, f"C{level}")
            now = f"C{level}"
            beside.append(now)
        if level < last:
            rows.convolve(f"down {level}", level + 1, now, now, stride=2)
            beside.append(now)
    rows.residual("middle 0", last, now, now)
    rows.attend("middle", last, now)
    rows.residual("middle 1", last, now, now)
    for level in reversed(range(last + 1)):
        for block in range(config.num_blocks + 1):
            both = f"U{len(beside)}"
            sizes[both] = sizes[now] + sizes[beside.pop()]
            rows.block(f"up {level}.{block}", level, both, f"C{level}")
            now = f"C{level}"
        if level:
            rows.convolve(f"up {level}", level - 1, now, now)
    rows.norm("last", 0, now)
    rows.convolve("out", 0, now, "Z")
    return rows.found


@dataclass
class _Rows:
    """Rows so far; each method adds those of a layer at a level, from channels to channels."""

    config: UNetConfig
    sizes: dict[str, int]
    found: list[Row]

    def add(self, *rows: Row) -> None:
        self.found += rows

    def convolve(
        self, name: str, level: int, inputs: str, outputs: str, *, stride: int = 1,
        side: str = "three", data: bool = False,
    ) -> None:  # fmt: skip
        """A convolution that leads to this level, with its bias."""
        places = f"I{level}·J{level}"
        strided = stride > 1
        pairs = f"M{level}·O{level}" if strided else f"P{level}·Q{level}"
        rows = convolution(
            name, self.sizes, image=f"I{level - 1}·J{level - 1}" if strided else places,
            channels=(inputs, outputs), places=places, kernel=f"{side}·{side}",
            pairs=places if side == "one" else pairs, native=self.config.convolution == "native",
            gradients=("kernel",) if data else BOTH,
        )  # fmt: skip
        result = times("B", places, outputs)
        self.add(*rows, elementwise(f"{name}: bias", self.sizes, result, 1, 1, parameters=outputs))

    def norm(self, name: str, level: int, channels: str, *, smooth: bool = True) -> None:
        """A group norm, and silu."""
        elements = times(f"B·I{level}·J{level}", channels)
        self.add(
            elementwise(
                f"{name} norm", self.sizes, elements, *NORM, kept=elements,
                parameters=times(2, channels),
            )
        )  # fmt: skip
        if smooth:
            self.add(silu(name, self.sizes, elements))

    def residual(self, name: str, level: int, inputs: str, outputs: str) -> None:
        """A residual block."""
        result = times(f"B·I{level}·J{level}", outputs)
        self.norm(f"{name} first", level, inputs)
        self.convolve(f"{name} convolution 1", level, inputs, outputs)
        self.add(*dense(f"{name} told", self.sizes, "B", "E", outputs))
        self.add(elementwise(f"{name} told, added", self.sizes, result, 1, 1))
        self.norm(f"{name} second", level, outputs)
        if self.config.dropout:
            dropped = elementwise(
                f"{name} dropout", self.sizes, result, 2, 2, kept=result, item_bytes=1
            )
            self.add(dropped)
        self.convolve(f"{name} convolution 2", level, outputs, outputs)
        if self.sizes[inputs] != self.sizes[outputs]:
            self.convolve(f"{name} skip", level, inputs, outputs, side="one")
        self.add(elementwise(f"{name} residual", self.sizes, result, 1, 1))

    def attend(self, name: str, level: int, channels: str) -> None:
        """Attention over all pixels."""
        pixels = f"I{level}·J{level}"
        letters = (pixels, pixels, "N", f"A{level}", channels)
        self.norm(f"{name} attention", level, channels, smooth=False)
        self.add(*self_attention(self.sizes, letters, prefix=f"{name} "))
        self.add(
            elementwise(
                f"{name} attention residual", self.sizes, times("B", pixels, channels), 1, 1
            )
        )

    def block(self, name: str, level: int, inputs: str, outputs: str) -> None:
        """A residual block of a level, with its attention where the level has it."""
        self.residual(name, level, inputs, outputs)
        if level in self.config.attention_levels:
            self.attend(name, level, outputs)
