"""Pictures of one size, one after the other, as one file that moves."""

from collections.abc import Sequence
from pathlib import Path

from jaxgen.errors import UserError

SECONDS = 8.0  # of a film, but for its last picture
LAST = 2000  # milliseconds that the last picture stays


def save_film(pictures: Sequence[Path], path: Path) -> Path:
    """Write picture files, in their order, as one animated GIF that begins anew; returns path.gif.

    The whole takes about ten seconds, however many pictures there are, of which none is shown for less
    than 40 ms or more than half a second; the last one stays. Raises UserError where one is no picture.
    """
    from PIL import Image

    frames = []
    for picture in pictures:
        try:
            frames.append(Image.open(picture).convert("RGB"))
        except OSError as error:  # as of an empty file
            raise UserError(f"{picture} is no picture, or is cut short: remove it.") from error
    each = round(1000 * min(0.5, max(0.04, SECONDS / len(frames))))
    path = path.with_name(path.name + ".gif")
    durations = [*(each for _ in frames[1:]), LAST]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=durations, loop=0)
    return path
