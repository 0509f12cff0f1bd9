"""Folders of wav files: 16-bit PCM, by Python's own reader, mixed down and resampled where asked for."""

import math
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int16

from jaxgen.data.audio.clips import Clip, Clips, covered, without_last_fifth
from jaxgen.data.reading import file_names, plain_errors, require_file
from jaxgen.errors import UserError


@dataclass(frozen=True)
class WavFolder:
    """Files to be read once it is known at which rate."""

    folder: Path

    def clips(self, sample_rate: int, *, resample: bool, hop: int | None) -> Clips:
        """Each file without its last fifth, and the last fifths held out; a label a folder.

        Raises UserError where there is none, or one cannot be read as it is asked for.
        """
        files, labels = wav_files(self.folder)
        read = [_clip(file, label, sample_rate, resample, hop) for file, label in files]
        widths = {clip.features.shape[1] for clip in read if clip.features is not None}
        if len(widths) > 1:
            raise UserError(
                f"The features in {self.folder} have {', '.join(map(str, sorted(widths)))} numbers a "
                "frame: give all files the same."
            )
        train, test = without_last_fifth(read, hop or 1)
        return Clips(train, test, sample_rate, hop or 1, labels)


def wav_files(folder: Path) -> tuple[list[tuple[Path, int]], tuple[str, ...]]:
    """The files with their labels, sorted, and the labels' names: the folders in it that hold files."""
    own, inside = _wavs(folder), {}
    for name in sorted(name for name in file_names(folder) if (folder / name).is_dir()):
        if not name.startswith(".") and (found := _wavs(folder / name)):
            inside[name] = found
    if own and inside:
        raise UserError(
            f"{folder} holds wav files and folders of them ({next(iter(inside))}): put all into "
            "folders, a folder a speaker, or none."
        )
    if not own and not inside:
        raise UserError(f"{folder} has no wav file: name a folder of them, or of folders of them.")
    if own:
        return [(file, 0) for file in own], ()
    files = [(file, label) for label, found in enumerate(inside.values()) for file in found]
    return files, tuple(inside)


def _wavs(folder: Path) -> list[Path]:
    names = sorted(name for name in file_names(folder) if name.lower().endswith(".wav"))
    return [folder / name for name in names if not name.startswith(".")]


def _clip(file: Path, label: int, sample_rate: int, resample: bool, hop: int | None) -> Clip:
    sound, rate = read_wav(file)
    if rate != sample_rate:
        if not resample:
            raise UserError(
                f"{file} has {rate} samples a second and not {sample_rate}: give --sample-rate {rate}, "
                "or let it be converted by --resample."
            )
        sound = resampled(sound, rate, sample_rate)
    clip = Clip(
        str(file), sound, label, None if hop is None else read_features(file.with_suffix(".npy"))
    )
    return covered(clip, hop or 1)


def read_features(path: Path) -> Float32[np.ndarray, "frames C"]:
    """A .npy file with a row of numbers for each frame; a UserError where it is none."""
    require_file(path)
    try:
        rows = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise UserError(f"{path} is no array of NumPy ({error}): write it by np.save.") from error
    if not isinstance(rows, np.ndarray) or rows.ndim != 2 or rows.dtype.kind not in "fiu":
        raise UserError(f"{path} holds no table of numbers: give it the shape (frames, features).")
    if not np.isfinite(rows).all():
        raise UserError(f"{path} holds numbers that are not finite: mend them.")
    return rows.astype(np.float32)


def read_wav(file: Path) -> tuple[Int16[np.ndarray, " n"], int]:
    """The samples of a wav file, several channels mixed down to their mean, and its rate.

    Raises UserError where it is no wav file, is of another encoding than 16-bit PCM, is empty, or ends
    before its header says.
    """
    require_file(file)
    try:
        with plain_errors(file), wave.open(str(file), "rb") as reader:
            channels, width, rate, count, *_ = reader.getparams()
            # Of each channel as much as there is: a header may promise what memory does not hold.
            data = reader.readframes(min(count, file.stat().st_size))
    except (wave.Error, EOFError) as error:
        raise UserError(
            f"{file} is no wav file of 16-bit PCM ({error or 'it ends too soon'}): convert it, for "
            "instance by ffmpeg -i FILE -c:a pcm_s16le NEW.wav."
        ) from error
    if width != 2 or rate < 1 or channels < 1:
        raise UserError(
            f"{file} has {8 * width} bits a sample: convert it to 16-bit PCM, for instance by "
            "ffmpeg -i FILE -c:a pcm_s16le NEW.wav."
        )
    if not count:
        raise UserError(f"{file} is empty: leave it out.")
    if len(data) < count * width * channels:
        there = len(data) // (width * channels)
        raise UserError(
            f"{file} is truncated, {there} of {count} samples are there: copy it again."
        )
    samples = np.frombuffer(data, "<i2").reshape(-1, channels)
    if channels == 1:
        return samples[:, 0].astype(np.int16), rate
    return np.rint(samples.mean(axis=1)).astype(np.int16), rate


def resampled(sound: Int16[np.ndarray, " n"], rate: int, to: int) -> Int16[np.ndarray, " m"]:
    """At another rate: scipy's polyphase filter, which lets nothing beyond the lower rate's half by."""
    from scipy.signal import resample_poly

    common = math.gcd(rate, to)
    changed = resample_poly(sound.astype(np.float64), to // common, rate // common)
    return np.clip(np.rint(changed), -32768, 32767).astype(np.int16)


def write_wav(file: Path, sound: Int16[np.ndarray, " n"], rate: int) -> Path:
    """16-bit PCM, one channel; returns the path."""
    with wave.open(str(file), "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(sound.astype("<i2").tobytes())
    return file
