"""Sound from files and from nothing: windows, what is judged, features, rates, and what is refused."""

import struct
import wave
from dataclasses import replace

import jax
import numpy as np
import pytest

from jaxgen.data import AudioSpec, load, spec_from_json
from jaxgen.data.audio.clips import Clip
from jaxgen.data.audio.dataset import waves_of
from jaxgen.data.audio.vowels import FORMANTS, HIGHEST, LOWEST, script_of, speak, vocal_tract
from jaxgen.data.audio.wavs import read_wav, write_wav
from jaxgen.errors import UserError

RATE = 8000


def sine(n, hertz=440.0, rate=RATE):
    return (10_000 * np.sin(2 * np.pi * hertz * np.arange(n) / rate)).astype(np.int16)


@pytest.fixture
def folder(tmp_path):
    for name, n in (("b", 500), ("a", 1000)):
        write_wav(tmp_path / f"{name}.wav", sine(n), RATE)
    return tmp_path


def fails(source, *words, **options):
    with pytest.raises(UserError) as raised:
        load(source, kind="audio", **{"seq_len": 20, "sample_rate": RATE} | options)
    message = str(raised.value)
    assert "\n" not in message and message.endswith(".")
    for word in words:
        assert str(word) in message, message


def test_the_last_fifth_of_each_file_is_held_out_and_windows_lie_within_a_clip(folder):
    data = load(f"wav:{folder}", kind="audio", seq_len=20, sample_rate=RATE)
    a, b = sine(1000), sine(500)
    assert data.spec == AudioSpec(RATE)
    assert data.train.num_examples == (800 - 19) + (400 - 19)
    every = np.arange(data.train.num_examples)
    batch = data.train.take(data.train.arrays, every)["wave"]
    expected = [
        [0 if i == 0 else clip[i - 1], *clip[i : i + 20]]
        for clip in (a[:800], b[:400])
        for i in range(len(clip) - 19)
    ]
    np.testing.assert_array_equal(batch, np.array(expected, np.float32) / 32768)
    assert batch.dtype == np.float32
    np.testing.assert_array_equal(np.concatenate(data.test.clips(data.test.arrays["wave"])),
                                  np.concatenate([a[800:], b[400:]]))  # fmt: skip
    in_jit = jax.jit(data.train.take)(data.train.arrays, every[7:9])["wave"]
    np.testing.assert_array_equal(in_jit, batch[7:9])


@pytest.mark.parametrize(("hop", "T", "context"), [(1, 6, 4), (1, 6, 0), (5, 10, 7), (5, 5, 20)])
def test_every_sample_is_judged_once_with_its_features_and_what_came_before(hop, T, context):
    rng = np.random.default_rng(0)
    clips = []
    for label, n in enumerate((23, 40, 61)):
        sound = (1 + rng.permutation(30_000)[:n]).astype(np.int16)  # no two alike
        features = rng.random((-(-n // hop), 2), np.float32)
        clips.append(Clip(str(n), sound, label, features))
    waves = waves_of(clips, T, hop, True, "held-out")
    seen = []
    for batch in waves.side_by_side(3, context):
        for row in range(3):
            own = clips[batch["label"][row]]
            sound = np.append(np.int16(0), own.wave).astype(np.float32) / 32768
            for place in np.flatnonzero(batch["counted"][row]):
                value = batch["wave"][row, place + 1]
                at = int(np.flatnonzero(sound == value)[0])
                start = at - place - 1
                assert start % hop == 0 and (start == 0 or place >= context)
                np.testing.assert_array_equal(
                    batch["wave"][row, : place + 2], sound[start : at + 1]
                )
                frame = batch["features"][row, place // hop]
                np.testing.assert_array_equal(frame, own.features[(at - 1) // hop])
                seen.append((int(batch["label"][row]), at))
    assert sorted(seen) == [(i, t) for i, c in enumerate(clips) for t in range(1, len(c.wave) + 1)]
    part = waves.sampled(2)
    assert sum(int(b["counted"].any(1).sum()) for b in part.side_by_side(3, context)) == 2


def test_a_folder_a_speaker_gives_labels_and_features_lie_beside(tmp_path):
    for speaker, n in (("mary", 200), ("anne", 300)):
        (tmp_path / speaker).mkdir()
        write_wav(tmp_path / speaker / "one.wav", sine(n), RATE)
        np.save(tmp_path / speaker / "one.npy", np.arange(2 * (n // 10)).reshape(-1, 2))
    data = load(f"wav:{tmp_path}", kind="audio", seq_len=20, sample_rate=RATE, hop=10)
    assert data.spec == AudioSpec(RATE, 2, 10, ("anne", "mary"))
    assert spec_from_json(data.spec.to_json()) == data.spec
    assert data.train.num_examples == (240 - 20) // 10 + 1 + (160 - 20) // 10 + 1
    batch = data.train.take(data.train.arrays, np.array([3, 23 + 2]))
    assert batch["label"].tolist() == [0, 1]
    np.testing.assert_array_equal(batch["features"], [[[6, 7], [8, 9]], [[4, 5], [6, 7]]])
    np.testing.assert_array_equal(batch["wave"][0, 1:] * 32768, sine(300)[30:50])
    fails(f"wav:{tmp_path}", "--seq-len 25 is no multiple of the 10", seq_len=25, hop=10)
    np.save(tmp_path / "anne" / "one.npy", np.zeros((29, 2)))
    fails(f"wav:{tmp_path}", "anne/one.wav", "cover 29 frames of 10", "has 30", hop=10)
    np.save(tmp_path / "anne" / "one.npy", np.zeros((30, 3)))
    fails(f"wav:{tmp_path}", "2, 3 numbers a frame", hop=10)
    np.save(tmp_path / "anne" / "one.npy", np.full((30, 2), np.nan))
    fails(f"wav:{tmp_path}", "anne/one.npy", "not finite", hop=10)
    (tmp_path / "anne" / "one.npy").unlink()
    fails(f"wav:{tmp_path}", "anne/one.npy does not exist", hop=10)
    write_wav(tmp_path / "stray.wav", sine(300), RATE)
    fails(f"wav:{tmp_path}", "wav files and folders of them (anne)")


def test_two_channels_become_their_mean_and_another_rate_the_same_tone(tmp_path):
    left, right = sine(1000), -sine(1000) // 2
    with wave.open(str(tmp_path / "stereo.wav"), "wb") as writer:
        writer.setnchannels(2)
        writer.setsampwidth(2)
        writer.setframerate(RATE)
        writer.writeframes(np.stack([left, right], 1).astype("<i2").tobytes())
    mixed, rate = read_wav(tmp_path / "stereo.wav")
    assert rate == RATE
    np.testing.assert_array_equal(mixed, np.rint((left.astype(float) + right) / 2))
    (tmp_path / "stereo.wav").unlink()
    write_wav(tmp_path / "fast.wav", sine(22_050, rate=22_050), 22_050)
    fails(f"wav:{tmp_path}", "fast.wav has 22050 samples a second and not 8000", "--resample")
    data = load(f"wav:{tmp_path}", kind="audio", seq_len=20, sample_rate=RATE, resample=True)
    (sound,) = data.train.clips(data.train.arrays["wave"])
    assert len(sound) == 6400
    assert np.abs(sound[200:-200] - sine(6400)[200:-200].astype(float)).max() < 60  # of 10,000


def test_what_is_no_sound_is_refused_by_name(folder):
    whole = (folder / "a.wav").read_bytes()
    broken = folder / "a.wav"
    for content, words in {
        b"": ("a.wav is no wav file of 16-bit PCM",),
        b"RIFF nonsense that is no sound": ("a.wav is no wav file of 16-bit PCM",),
        whole[:30]: ("a.wav is no wav file of 16-bit PCM",),
        whole[:-500]: ("a.wav is truncated, 750 of 1000 samples",),
        whole[:20] + struct.pack("<H", 3) + whole[22:]: ("a.wav is no wav file", "pcm_s16le"),
        whole[:32] + struct.pack("<HH", 1, 8) + whole[36:]: ("a.wav has 8 bits a sample",),
        whole[:40] + struct.pack("<I", 0): ("a.wav is empty",),
        whole[:40] + struct.pack("<I", 2**32 - 2) + whole[44:]: ("a.wav is truncated",),
    }.items():
        broken.write_bytes(content)
        fails(f"wav:{folder}", *words)
    broken.unlink()
    fails(f"wav:{folder}", "The held-out part of", "b.wav has 100 samples", seq_len=101)
    (folder / "b.wav").unlink()
    fails(f"wav:{folder}", "has no wav file")
    fails(f"wav:{folder}/nowhere", "nowhere does not exist")
    fails("vowels", "--hop is for features that lie beside wav files", hop=5)
    fails("effects", "--hop is for features that lie beside wav files", hop=5)
    fails("vowels", "--sample-rate 8100 does not fit the synthesised clips", sample_rate=8100)
    fails("vowels", "Sound needs the length of a window", seq_len=None)


def test_a_damaged_spec_is_refused():
    values = AudioSpec(RATE, 3, 10, ("a",), "vowels").to_json()
    assert spec_from_json(values) == AudioSpec(RATE, 3, 10, ("a",), "vowels")
    for damage in ({"sample_rate": 0}, {"hop": 1.5}, {"voice": "x"}, {"labels": [3]}):
        with pytest.raises((KeyError, TypeError, ValueError)):
            spec_from_json(values | damage)


def test_the_voice_has_its_pitch_and_its_formants():
    """A constant pitch's spectrum has lines at its multiples, highest where the filter is."""
    script = script_of("a", (100.0,), 1.0)
    sound = speak(script, RATE, np.random.default_rng(0))[800:7200]
    power = np.abs(np.fft.rfft(sound * np.hanning(6400))) ** 2
    lines = power[np.arange(1, 35) * 80]  # 100 Hz are 80 bins of 1.25 Hz
    between = power[np.arange(1, 35) * 80 + 40]
    assert (lines[:15] > 100 * between[:15]).all()
    b, a = vocal_tract("a", RATE)
    z = np.exp(-2j * np.pi * np.arange(1, 35) * 100 / RATE)
    response = np.abs(np.polyval(b[::-1], z) / np.polyval(a[::-1], z)) ** 2
    near = np.log(lines[:12] / lines[6]) - np.log(response[:12] / response[6])
    assert np.abs(near).max() < 0.3


def test_a_script_glides_from_pitch_to_pitch_and_is_silent_at_a_space():
    script = script_of("ae u", (100.0, 150.0, 120.0), 0.1)  # 20 frames a vowel, 8 of silence
    assert script.vowels.tolist() == [-1] * 8 + [0] * 20 + [1] * 20 + [-1] * 8 + [4] * 20 + [-1] * 8
    assert script.pitch[8 + 10] == pytest.approx(100, abs=1.5)
    assert script.pitch[8 + 20] == pytest.approx(125, abs=1.5)
    assert script.pitch[0] == 0 and script.pitch[50] == 0
    features = script.features()
    assert features[:8].sum() == 8 == features[:8, 0].sum() and (features[8:28, 1] == 1).all()
    told = features[script.vowels >= 0, 6]
    expected = (
        2 * np.log2(script.pitch[script.vowels >= 0] / LOWEST) / np.log2(HIGHEST / LOWEST) - 1
    )
    np.testing.assert_allclose(told, expected, atol=1e-6)
    for text, pitch, word in (
        ("axe", (100.0,), "'x'"),
        ("  ", (100.0,), "no vowel"),
        ("ae", (100.0, 50.0), "90 to 180"),
        ("ae", (100.0,) * 3, "for 2 vowels"),
    ):
        with pytest.raises(UserError, match=word):
            script_of(text, pitch, 0.2)


def test_the_synthesised_clips_are_always_the_same_and_held_out_ones_are_others():
    data = load("vowels", kind="audio", seq_len=400, sample_rate=RATE)
    assert data.spec == AudioSpec(RATE, 40, 40, (), "vowels")
    assert len(data.train.arrays["length"]) == 60 and len(data.test.arrays["length"]) == 12
    assert set(FORMANTS) == set("aeiou")
    assert np.abs(data.train.arrays["wave"].astype(int)).max() < 30_000  # nothing is cut off
    again = load("vowels", kind="audio", seq_len=800, sample_rate=RATE)
    np.testing.assert_array_equal(again.train.arrays["wave"], data.train.arrays["wave"])
    effects = load("effects", kind="audio", seq_len=400, sample_rate=RATE)
    assert effects.spec == AudioSpec(RATE, labels=("clicks", "noise", "sweep"))
    assert np.bincount(effects.train.arrays["label"]).tolist() == [20, 20, 20]
    batch = replace(effects.train).take(effects.train.arrays, np.array([0, 4000 * 3]))
    assert set(batch) == {"wave", "label"}


def test_recorded_speech(real_data):
    data = load("speech", kind="audio", seq_len=2000)
    assert data.train.arrays["length"].tolist() == [90880, 38272, 67840, 77440, 42112]
    assert data.test.arrays["length"].tolist() == [22720, 9568, 16960, 19360, 10528]
