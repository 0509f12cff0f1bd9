"""A voice is heard right where what it says is known: sines, a tube's resonances, the made one."""

import numpy as np
import pytest
from scipy.signal import lfilter

from jaxgen.data.audio import vowels
from jaxgen.data.audio.kind import AudioSpec
from jaxgen.families.sound.evaluation import heard, random_script
from jaxgen.metrics.spectrogram import save_spectrograms, spectrogram
from jaxgen.metrics.voice import formants, pitch_at, read_vowel

RATE = 8000


@pytest.mark.parametrize("hertz", [91.3, 123.4, 178.9])
def test_the_pitch_of_a_sum_of_harmonics(hertz):
    """Within 0.3 %, between two samples too; and where the sound ends nothing is said."""
    time = np.arange(2000) / RATE
    wave = sum(np.cos(2 * np.pi * k * hertz * time + k) / k for k in (1, 2, 3, 5))
    assert pitch_at(wave, RATE, 1000) == pytest.approx(hertz, rel=3e-3)
    assert pitch_at(wave, RATE, 10) is None and pitch_at(wave, RATE, 1995) is None


def test_formants_are_the_poles_of_the_filter_that_noise_went_through():
    denominator = np.array([1.0])
    for frequency, width in ((500, 80), (1500, 90), (2500, 120)):
        pole = np.exp(np.pi * (-width + 2j * frequency) / RATE)
        denominator = np.convolve(denominator, [1, -2 * pole.real, abs(pole) ** 2])
    wave = lfilter([1.0], denominator, np.random.default_rng(0).standard_normal(4000))
    np.testing.assert_allclose(formants(wave, RATE)[:3], [500, 1500, 2500], atol=60)


@pytest.fixture(scope="module")
def said():
    scripts = [random_script(np.random.default_rng(i)) for i in range(10)]
    rng = np.random.default_rng(3)
    return scripts, [vowels.speak(script, RATE, rng) for _, script in scripts]


def test_the_synthesised_voice_is_heard_right_and_another_one_is_not(said):
    """The judge itself: near 1 on the truth, near chance on the truth of other strings."""
    scripts, sounds = said
    spec = AudioSpec(RATE, vowels.NUM_FEATURES, 40, voice="vowels")
    found = heard(np.stack(sounds), scripts, spec)
    assert found["vowels_read"] == 1 and found["pitch_followed"] > 0.95
    wrong = heard(np.stack(sounds), scripts[1:] + scripts[:1], spec)
    assert wrong["vowels_read"] < 0.5 and wrong["pitch_followed"] < 0.5
    noise = np.random.default_rng(0).standard_normal((10, len(sounds[0])))
    assert heard(noise, scripts, spec)["pitch_followed"] < 0.3


def test_each_vowel_alone(said):
    for vowel in vowels.FORMANTS:
        script = vowels.script_of(vowel, (120.0,), 0.3)
        sound = vowels.speak(script, RATE, np.random.default_rng(1))
        assert read_vowel(sound[800:2000], RATE, vowels.FORMANTS) == vowel


def test_a_spectrogram_has_a_sine_s_line_where_it_is(tmp_path):
    sound = (10_000 * np.sin(2 * np.pi * 1000 * np.arange(4000) / RATE)).astype(np.int16)
    loud = spectrogram(sound, RATE)
    frequencies = np.arange(len(loud)) * RATE / 200  # a window has 0.025 s, 200 samples
    assert (frequencies[loud[:, 4:-4].argmax(0)] == 1000).all()
    assert loud.max() == 0 and loud.min() == -80
    path = save_spectrograms({"one": sound, "two": sound}, RATE, tmp_path / "sound", boundary=50)
    assert path.name == "sound.png" and path.stat().st_size > 5000
