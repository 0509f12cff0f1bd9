"""Pictures of sound: its spectrogram, as a person reads it."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int16

WINDOW = 0.025
"""Seconds of a spectrum."""
RANGE = 80.0
"""Decibels between black and the loudest."""


def spectrogram(
    sound: Int16[np.ndarray, " n"], rate: int
) -> Float[np.ndarray, "frequencies times"]:
    """Decibels below the loudest, 0 to -RANGE, of Hann windows four of which overlap."""
    size = max(8, round(WINDOW * rate))
    padded = np.pad(sound.astype(np.float64), (size // 2, size - size // 2))
    starts = np.arange(0, len(sound), max(1, size // 4))
    frames = np.stack([padded[start : start + size] for start in starts]) * np.hanning(size)
    power = np.abs(np.fft.rfft(frames, axis=1).T) ** 2
    return np.maximum(10 * np.log10((power + 1e-9) / (power.max() + 1e-9)), -RANGE)


def save_spectrograms(
    sounds: Mapping[str, Int16[np.ndarray, " n"]], rate: int, path: Path, boundary: int = 0
) -> Path:
    """One panel a sound, beneath its name, as path.png; returns that.

    boundary: where in the first one what was given ends; 0: nowhere.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3 * len(sounds)), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(sounds), 1, squeeze=False)[:, 0]
    for panel, (name, sound) in zip(panels, sounds.items(), strict=True):
        extent = (0, len(sound) / rate, 0, rate / 2000)
        panel.imshow(
            spectrogram(sound, rate), origin="lower", aspect="auto", cmap="magma", extent=extent
        )
        panel.set_title(name, loc="left")
        panel.set_ylabel("kHz")
    if boundary:
        panels[0].axvline(boundary / rate, color="white", linewidth=1)
    panels[-1].set_xlabel("seconds")
    path = path.with_name(path.name + ".png")
    figure.savefig(path, dpi=100)
    return path
