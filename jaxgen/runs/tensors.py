"""Named tensors in a file that others read too: safetensors, which holds numbers and no code."""

from pathlib import Path

import numpy as np

from jaxgen.errors import UserError, printable
from jaxgen.interrupts import draft as removed_at_end


def write_tensors(path: Path, tensors: dict[str, np.ndarray]) -> None:
    """Write the file whole: under another name first, then renamed.

    Raises UserError where it exists or may not be written.
    """
    from safetensors.numpy import save

    if path.exists():
        raise UserError(f"{path} exists: give another name, or move it away.")
    draft = path.with_name(path.name + ".new")
    try:
        with removed_at_end(draft):
            draft.write_bytes(
                save(tensors, {"format": "pt"})
            )  # what Hugging Face's loader asks for
            draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise UserError(f"Cannot write {path}: {error.strerror}; give another.") from None


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a file by name, those in bfloat16 as float32.

    Raises UserError where it cannot be read, is cut off, or has a header that does not fit it.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    if not path.is_file():
        raise UserError(f"{path} is not a file: give one in the safetensors format.")
    try:
        found = load_file(path)
    except (SafetensorError, OSError, ValueError, TypeError, KeyError, MemoryError) as error:
        said = printable(" ".join(str(error).split()))[:200]
        raise UserError(f"{path} is no sound safetensors file ({said}): get it again.") from None
    return {name: np.asarray(array, np.float32) for name, array in found.items()}
