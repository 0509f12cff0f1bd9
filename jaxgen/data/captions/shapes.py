"""Scenes of one or two coloured shapes on a grey ground, with what is said of them.

An image of 32 × 32 has four cells of 16 × 16; a thing lies in the middle of one. The ground is grey,
darker on one side than on the other. HELD_OUT lists
combinations of colour, shape and size that no training scene has, though each has their parts in other
combinations: whether a model can draw them shows what it has composed.
"""

from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int

from jaxgen.data.captions.scenes import (
    CELLS,
    COLOURS,
    LANGUAGES,
    RELATIONS,
    SHAPES,
    SIZES,
)
from jaxgen.data.images.dataset import Images

TRAINING, TEST = 12_000, 2_000
SIDE, CELL, FINE = 32, 16, 4
RADII = (3.6, 6.2)
"""Of small and large, in pixels."""
RGB = np.array([[1, 0.15, 0.1], [0.1, 0.85, 0.15], [0.2, 0.3, 1], [1, 0.9, 0.1]])
HELD_OUT = (("red", "triangle", "small"), ("green", "square", "large"), ("blue", "circle", "small"),
            ("yellow", "triangle", "large"))  # fmt: skip
_HELD = np.array(
    [[COLOURS.index(c), SHAPES.index(s), SIZES.index(z)] for c, s, z in HELD_OUT], np.int64
)


@lru_cache(maxsize=1)  # to draw them takes seconds
def shapes() -> tuple[Images, Images, str]:
    """12,000 scenes of what is not held out, and 2,000: every second has a combination held out."""
    test = np.arange(TEST) % 2 == 1
    return _scenes(np.zeros(TRAINING, bool), 0), _scenes(test, 1), "shapes"


@lru_cache(maxsize=1)
def all_shapes() -> tuple[Images, Images, str]:
    """As `shapes`, but half of the training scenes have the combinations too: for who is to judge."""
    test, train = np.arange(TEST) % 2 == 1, np.arange(TRAINING) % 2 == 1
    return _scenes(train, 2), _scenes(test, 1), "shapes"


def _scenes(held: np.ndarray, seed: int) -> Images:
    """A scene for each entry, with a combination that is held out where it is True."""
    rng, count = np.random.default_rng(seed), len(held)
    things = rng.integers(0, [len(COLOURS), len(SHAPES), len(SIZES)], (count, 2, 3))
    while (again := _is_held(things)).any():
        things[again] = rng.integers(0, [len(COLOURS), len(SHAPES), len(SIZES)], (again.sum(), 3))
    two = rng.random(count) < 0.6
    which = np.where(two, rng.integers(0, 2, count), 0)
    things[held, which[held]] = _HELD[rng.integers(0, len(_HELD), held.sum())]
    relation, row = rng.integers(0, len(RELATIONS), count), rng.integers(0, 2, count)
    cells = np.array(list(RELATIONS.values()))[relation, row]  # (count, 2)
    cells[~two, 0] = rng.integers(0, 4, (~two).sum())
    said = rng.random((count, 3))  # the first's size, the second's, where one thing is
    sized = np.stack([said[:, 0] < 0.75, said[:, 1] < 0.75], 1) | _is_held(things)
    token = {word: place for place, word in enumerate(LANGUAGES["shapes"].words, start=1)}
    rows = np.zeros((count, LANGUAGES["shapes"].length), np.int32)
    attributes = np.zeros((count, 4, 3), np.int32)
    words = list(RELATIONS)
    pairs = list(zip(things.tolist(), sized.tolist(), strict=True))
    for i in range(count):
        first, other = (
            f"a {SIZES[size] + ' ' if named else ''}{COLOURS[colour]} {SHAPES[shape]}"
            for (colour, shape, size), named in zip(*pairs[i], strict=True)
        )
        place = f" at the {CELLS[cells[i, 0]]}" if said[i, 2] < 0.8 else ""
        said_words = (first + (f" {words[relation[i]]} {other}" if two[i] else place)).split()
        rows[i, : len(said_words)] = [token[word] for word in said_words]
    attributes[np.arange(count), cells[:, 0]] = things[:, 0] + 1
    attributes[np.flatnonzero(two), cells[two, 1]] = things[two, 1] + 1
    attributes = attributes.reshape(count, -1)
    arrays = {
        "image": render(attributes, rng), "caption": rows, "attributes": attributes,
        "held_out": held.astype(np.int32),
    }  # fmt: skip
    return Images(arrays, 255)


def _is_held(things: Int[np.ndarray, "... 3"]) -> np.ndarray:
    return (things[..., None, :] == _HELD).all(-1).any(-1)


def render(attributes: Int[np.ndarray, "n A"], rng: np.random.Generator) -> np.ndarray:
    """uint8 [n, 32, 32, 3]: the scenes of `scenes.in_cells`, the light drawn from rng."""
    count, cells, table = len(attributes), attributes.reshape(-1, 4, 3), _sprites()
    light = rng.uniform(0.02, 0.35, (count, 3)).astype(np.float32)
    colours = RGB[cells[..., 0] - 1].astype(np.float32)
    image = np.empty((count, SIDE, SIDE, 3), np.uint8)
    for first in range(0, count, 500):  # pieces that a cache holds
        part = slice(first, first + 500)
        image[part] = _drawn(cells[part], light[part], colours[part], table)
    return image


def _drawn(cells, light, colours, table) -> np.ndarray:
    """A few scenes: the ground from light [n, 3], over it each cell's sprite in its colour."""
    along = np.linspace(0, 1, SIDE, dtype=np.float32)
    corner, below, beside = (light[:, k, None] for k in range(3))
    down, across = corner + (below - corner) * along, corner + (beside - corner) * along
    ground = 127.5 * (down[:, :, None] + across[:, None, :])
    image = np.repeat(ground[..., None], 3, -1)
    for cell in range(4):
        there = np.flatnonzero(cells[:, cell, 0])
        _, shape, size = (cells[there, cell] - 1).T
        cover = table[shape, size][..., None]
        rows, columns = (slice(CELL * k, CELL * (k + 1)) for k in divmod(cell, 2))
        under = image[there, rows, columns]
        image[there, rows, columns] = under + cover * (
            255 * colours[there, cell, None, None] - under
        )
    return np.rint(image).astype(np.uint8)


def _sprites() -> Float[np.ndarray, "shapes sizes side side"]:
    """How much of each pixel of a cell a shape covers."""
    fine = (np.arange(CELL * FINE) + 0.5) / FINE - CELL / 2
    y, x = np.meshgrid(fine, fine, indexing="ij")
    table = np.zeros((len(SHAPES), len(SIZES), CELL, CELL), np.float32)
    for size, radius in enumerate(RADII):
        half = 0.88 * radius
        inside = (
            x**2 + y**2 <= radius**2,
            np.maximum(np.abs(x), np.abs(y)) <= half,
            (np.abs(y) <= half) & (np.abs(x) <= (y + half) / 2),
        )
        for shape, part in enumerate(inside):
            table[shape, size] = part.reshape(CELL, FINE, CELL, FINE).mean((1, 3))
    return table
