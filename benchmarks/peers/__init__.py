"""The same training step in PyTorch beside ours, in one process: `python -m benchmarks peers NAME`.

- `bursts` times sides in turn and says whether the machine was disturbed; it knows no library.
- `ours` is all that is used of jaxgen's experiments and its runner.
- `theirs` is what the peers share; a file a family holds its peer, written from the equations, and its
  cases. These import torch, which is an extra, and so are imported only when they are measured.
"""

FAMILIES = {
    "gan": ("gan-digits", "gan-document"),
    "gpt": ("gpt-python", "gpt-small", "gpt-large"),
    "sound": ("wavenet-vowels", "wavenet-long"),
    "vae": ("vae-digits", "vae-document"),
}
"""File to its cases: a family that comes adds its file and a line here."""
