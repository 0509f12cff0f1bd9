"""The same work in PyTorch beside ours, in one process: `python -m benchmarks peers NAME`.

Work is a training step, or a token more of a text that is drawn.

- `bursts` times sides in turn and says whether the machine was disturbed; it knows no library.
- `ours` is all that is used of jaxgen's experiments and its runner.
- `theirs` is what the peers in training share; a file a family holds its peer, written from the
  equations, and its cases. These import torch, which is an extra, and so are imported only when they are
  measured.
- `decoding` draws texts by Hugging Face's `generate`.
"""

FAMILIES = {
    "decoding": ("decode-1", "decode-16"),
    "gan": ("gan-digits", "gan-document"),
    "gpt": ("gpt-python", "gpt-small", "gpt-large"),
    "gru": ("gru-shakespeare", "gru-words"),
    "sound": ("wavenet-vowels", "wavenet-long"),
    "vae": ("vae-digits", "vae-document"),
}
"""File to its cases: a family that comes adds its file and a line here."""
