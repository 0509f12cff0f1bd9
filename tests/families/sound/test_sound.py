"""The family of sound: its loss, what is judged, what is drawn into files, and what is refused."""

import math
import wave
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.data import AudioSpec, load
from jaxgen.data.audio.wavs import read_wav, write_wav
from jaxgen.errors import UserError
from jaxgen.experiments.registry import find_preset
from jaxgen.families.sound.config import SoundSampling
from jaxgen.families.sound.evaluation import make_sound_evaluation
from jaxgen.families.sound.objective import make_sound_loss
from jaxgen.families.sound.output import Logistics, MuLaw
from jaxgen.families.sound.sampling import plan_of
from jaxgen.models.wavenet.config import WaveNetConfig
from jaxgen.training.state import Weights

RATE, T = 8000, 40
SMALL = WaveNetConfig(2, 2, 3, 3, 4, 5, 2)
SPEC = AudioSpec(RATE)
VOWELS = find_preset("wavenet-vowels").experiment


def nats_by_hand(wave_, outputs, levels):
    """−log p of samples 1 .. T, in float64, from the μ-law's formula."""
    mu = levels - 1
    f = np.sign(wave_) * np.log1p(mu * np.abs(wave_)) / np.log1p(mu)
    level = np.clip(np.floor((f + 1) / 2 * mu + 0.5), 0, mu).astype(int)[:, 1:]
    logits = np.asarray(outputs, np.float64)
    total = np.log(np.exp(logits).sum(-1))
    return total - np.take_along_axis(logits, level[..., None], -1)[..., 0]


def test_the_loss_is_the_cost_of_each_next_level(random_params):
    output, model = MuLaw(32), SMALL.make(32, 32)
    sound = np.random.default_rng(0).uniform(-0.9, 0.9, (2, T + 1)).astype(np.float32)
    params = random_params(model, jnp.zeros((2, T)))
    signal = output.signal(jnp.asarray(sound))
    outputs = jax.jit(model.apply)({"params": params}, signal[:, :-1])
    loss, aux = jax.jit(make_sound_loss(model, output))(params, None, {"wave": sound}, None)
    expected = nats_by_hand(sound, outputs, 32)
    assert float(loss) == pytest.approx(expected.mean(), rel=1e-5)
    assert float(aux.metrics["loss"].total) == pytest.approx(expected.sum(), rel=1e-5)


def test_a_model_of_zeros_is_judged_uniform_whatever_the_windows(random_params):
    """8 bits per sample at 256 levels; and a judgement does not depend on the window's length."""
    data = load("effects", kind="audio", seq_len=400, sample_rate=RATE)
    experiment = replace(VOWELS, judge_texts=0)
    output, model = MuLaw(256), SMALL.make(256, 256, 0, 3)
    params = random_params(model, jnp.zeros((2, T)), None, jnp.zeros(2, jnp.int32))
    evaluate = make_sound_evaluation(experiment, model, output, data.spec, SMALL.receptive_field)
    part = replace(data.test.sampled(8), seen=None)
    found = evaluate(Weights(jax.tree.map(jnp.zeros_like, params)), part)
    assert found == {"loss": pytest.approx(math.log(256)), "bits_per_sample": pytest.approx(8)}
    whole = evaluate(Weights(params), replace(data.test, seen=None))["loss"]
    longer = evaluate(Weights(params), replace(data.test, seq_len=1000, seen=None))["loss"]
    assert longer == pytest.approx(whole, rel=1e-6)


def test_16_bits_start_near_the_sound_s_own_scale():
    """A mixture of zeros spreads where sound is: below the 16 bits of a uniform guess."""
    data = load("vowels", kind="audio", seq_len=400, sample_rate=RATE)
    output, model = Logistics(5), SMALL.make(None, 15, data.spec.num_features)
    batch = data.train.take(data.train.arrays, np.arange(0, 4000, 500))
    features = jnp.zeros((1, 1, data.spec.num_features))
    params = jax.jit(model.init)(jax.random.key(0), jnp.zeros((1, 2)), features)["params"]
    loss, _ = jax.jit(make_sound_loss(model, output))(params, None, batch, None)
    assert float(loss) / math.log(2) < 15


def refused(words, spec=SPEC, reach=5, **fields):
    with pytest.raises(UserError) as raised:
        plan_of(spec, SoundSampling(**fields), reach)
    message = str(raised.value)
    assert "\n" not in message and message.endswith(".") and words in message, message


def test_what_cannot_be_drawn_is_refused(tmp_path):
    for name, n, rate in (("short", 4, RATE), ("slow", 100, RATE // 2), ("fine", 100, RATE)):
        write_wav(tmp_path / f"{name}.wav", np.zeros(n, np.int16), rate)
    table, wide = tmp_path / "table.npy", tmp_path / "wide.npy"
    np.save(table, np.zeros((9, 2)))
    np.save(wide, np.zeros((50, 3)))
    told, labelled = AudioSpec(RATE, 2, 10), AudioSpec(RATE, labels=("clicks", "noise"))
    prime = str(tmp_path / "fine.wav")
    refused("short.wav has 4 samples, and the model sees 5", prime=str(tmp_path / "short.wav"))
    refused("slow.wav has 4000 samples a second", prime=str(tmp_path / "slow.wav"))
    refused("none.wav does not exist", prime=str(tmp_path / "none.wav"))
    refused("There is no label 'click'; did you mean clicks?", labelled, label="click")
    refused("--label is for a model that was trained with labels", label="clicks")
    refused("give them by --features", told)
    refused("--features is for a model that was trained with --hop", features=str(table))
    refused("table.npy covers 90 samples", told, features=str(table), prime=prime)
    refused("wide.npy has 3 numbers a frame", told, features=str(wide))
    voice = AudioSpec(RATE, 40, 40, voice="vowels")
    refused("'x' in it", voice, text="axe")
    refused("90 to 180 Hz", voice, pitch=(50.0,))
    long = str(tmp_path / "long.wav")
    write_wav(Path(long), np.zeros(RATE, np.int16), RATE)
    refused("the text ends after", voice, text="a", prime=long)
    with pytest.raises(
        UserError, match=r"^--sampling\.seconds is 0\.0: give above 0, up to 600\.$"
    ):
        SoundSampling(seconds=0.0)


def test_a_plan_is_as_long_as_what_is_asked_for(tmp_path):
    write_wav(tmp_path / "prime.wav", np.arange(100, dtype=np.int16), RATE)
    plan = plan_of(SPEC, SoundSampling(seconds=0.5, prime=str(tmp_path / "prime.wav")), 50)
    assert plan.length == 4100 and plan.prime.tolist() == list(range(100))
    np.save(tmp_path / "rows.npy", np.ones((30, 2), np.float32))
    told = AudioSpec(RATE, 2, 10)
    assert plan_of(told, SoundSampling(features=str(tmp_path / "rows.npy")), 50).length == 300
    spoken = plan_of(AudioSpec(RATE, 40, 40, voice="vowels"), SoundSampling(text="ae"), 50)
    assert spoken.length == (2 * 40 + 2 * 8) * 40 and len(spoken.features) == 96
    labelled = AudioSpec(RATE, labels=("clicks", "noise"))
    assert plan_of(labelled, SoundSampling(label="noise"), 50).label == 1


def test_what_is_drawn_is_a_wav_file_that_others_can_play_and_a_picture(tmp_path):
    """By a folder of two speakers, with a prime, through the task that a run would have."""
    experiment = replace(
        VOWELS, data="effects", model=SMALL,
        sampling=SoundSampling(seconds=0.02, label="noise", prime=str(tmp_path / "prime.wav")),
    )  # fmt: skip
    prime = np.arange(-50, 50, dtype=np.int16) * 100
    write_wav(tmp_path / "prime.wav", prime, RATE)
    task = experiment.build(AudioSpec(RATE, labels=("clicks", "noise", "sweep")))
    weights = jax.jit(task.init)(jax.random.key(0)).weights
    path = task.sample(weights, jax.random.key(1), tmp_path / "drawn")
    assert path == tmp_path / "drawn.wav" and (tmp_path / "drawn.png").stat().st_size > 5000
    with wave.open(str(path)) as reader:
        assert reader.getparams()[:4] == (1, 2, RATE, 100 + 160)
    sound, _ = read_wav(path)
    # The prime comes back to its μ-law's level: 1 part in 46 of 255 near the end of the scale.
    assert np.abs(sound[:100].astype(float) - prime).max() < 200
    again = task.sample(weights, jax.random.key(1), tmp_path / "again")
    assert again.read_bytes() == path.read_bytes()
