"""Sound drawn with queues: its log-probabilities, its prime, its speed against the naive loop."""

import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.equations.sampling import sampling_log_probs
from jaxgen.families.sound.decoding import draw_sound
from jaxgen.families.sound.output import Logistics, MuLaw
from jaxgen.models.wavenet.config import WaveNetConfig

B, LENGTH, HOP, C, LABELS = 2, 60, 10, 3, 4
CONFIG = WaveNetConfig(
    num_layers=4, cycle=3, filter_width=3, model_size=5, hidden_size=7, skip_size=6, label_size=2
)
KEYS = jax.random.split(jax.random.key(3), B)


@pytest.fixture(scope="module")
def told():
    rng = np.random.default_rng(2)
    return jnp.asarray(rng.standard_normal((B, LENGTH // HOP, C)), jnp.float32), jnp.asarray([2, 0])


def drawn_and_whole(output, random_params, told, temperature, prime):
    """What was drawn, and the outputs of one pass over it."""
    model = CONFIG.make(output.read_levels, output.size, C, LABELS)
    params = random_params(model, jnp.zeros((B, LENGTH)), *told)
    drawn = draw_sound(
        model, output, params, KEYS, LENGTH, prime, *told, temperature=temperature, hop=HOP
    )
    silence = output.signal(jnp.zeros((B, 1)))
    before = jnp.concatenate([silence, drawn.signal[:, :-1]], axis=1)
    return drawn, jax.jit(model.apply)({"params": params}, before, *told)


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_log_probs_are_those_of_one_pass_over_what_was_drawn(random_params, told, temperature):
    output = MuLaw(16)
    drawn, outputs = drawn_and_whole(output, random_params, told, temperature, jnp.zeros((B, 0)))
    level = np.rint((np.asarray(drawn.signal) + 1) * 7.5).astype(int)
    assert ((level >= 0) & (level < 16)).all() and len(np.unique(level)) > 5
    scored = np.asarray(sampling_log_probs(outputs, temperature))
    expected = np.take_along_axis(scored, level[..., None], axis=-1)[..., 0]
    np.testing.assert_allclose(drawn.log_probs, expected, atol=1e-4)


def test_log_probs_of_a_mixture(random_params, told):
    output = Logistics(3)
    drawn, outputs = drawn_and_whole(output, random_params, told, 1.0, jnp.zeros((B, 0)))
    np.testing.assert_allclose(-drawn.log_probs, output.nats(outputs, drawn.signal), atol=1e-3)


def test_a_prime_is_kept_and_gone_on_from(random_params, told):
    """The same sound drawn in one go, and drawn again from its first 25 samples with the same keys."""
    output = MuLaw(16)
    first, _ = drawn_and_whole(output, random_params, told, 1.0, jnp.zeros((B, 0)))
    again, _ = drawn_and_whole(output, random_params, told, 1.0, first.signal[:, :25])
    np.testing.assert_array_equal(again.signal, first.signal)
    np.testing.assert_allclose(again.log_probs, first.log_probs, atol=1e-5)
    other, _ = drawn_and_whole(output, random_params, told, 1.0, -first.signal[:, :25])
    assert (np.asarray(other.signal[:, :25]) == -np.asarray(first.signal[:, :25])).all()
    assert (np.asarray(other.signal[:, 25:]) != np.asarray(first.signal[:, 25:])).any()


def test_levels_of_16_bits_come_back():
    every = jnp.arange(-32768, 32768) / jnp.float32(32768)
    output = Logistics(2)
    signal = output.signal(every)
    assert float(signal[0]) == -1 and float(signal[-1]) == 1
    np.testing.assert_array_equal(np.rint(np.asarray(output.wave(signal)) * 32768), every * 32768)


@pytest.mark.once
@pytest.mark.usefixtures("optimised")
def test_queues_draw_twenty_times_as_fast_as_the_naive_loop():
    """Receptive field 1,025: the naive loop runs the model over that many samples for each new one."""
    config = WaveNetConfig(num_layers=10, cycle=10)
    output, reach = MuLaw(256), config.receptive_field
    assert reach == 1025
    model = config.make(256, 256)
    params = jax.jit(model.init)(jax.random.key(0), jnp.zeros((1, reach)))["params"]
    key = jax.random.key(1)

    @jax.jit
    def naive(window, key):
        outputs = model.apply({"params": params}, window)[0, -1]
        return jnp.append(window[:, 1:], output.draw(key, outputs, 1.0)[None, None], axis=1)

    def seconds(run):
        run()
        start = time.perf_counter()
        run()
        return time.perf_counter() - start

    def naively(steps=50):
        window = jnp.zeros((1, reach))
        for i in range(steps):
            window = naive(window, jax.random.fold_in(key, i))
        jax.block_until_ready(window)

    none = jnp.zeros((1, 0))
    queued = seconds(
        lambda: jax.block_until_ready(draw_sound(model, output, params, key[None], 8000, none))
    )
    ratio = (seconds(naively) / 50) / (queued / 8000)
    print(
        f"naive {seconds(naively) / 50 * 1e3:.3f} ms a sample, queues {queued / 8:.4f}: {ratio:.0f}"
    )
    assert ratio >= 20
