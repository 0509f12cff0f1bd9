"""Plain predictors against chains and filters whose entropy is known, and by hand."""

import numpy as np
import pytest

from jaxgen.metrics.predictors import adaptive_bits, linear_bits, markov_bits


def test_a_chain_of_order_two_is_learnt_to_its_entropy():
    """x_t is x_{t−2} with probability 0.9, else another of 4: H = h(0.9) + 0.1 log2 3 bits."""
    rng = np.random.default_rng(0)
    wave = [0, 1]
    for _ in range(60_000):
        same, other = wave[-2], int(rng.integers(1, 4))
        wave.append(same if rng.random() < 0.9 else (same + other) % 4)
    train, test = np.array(wave[:50_000]), np.array(wave[50_000:])
    entropy = -0.9 * np.log2(0.9) - 0.1 * np.log2(0.1 / 3)
    # Four standard errors of the mean over 10,000 draws whose bits deviate by 1.43.
    assert markov_bits([train], [test], 4, 2) == pytest.approx(entropy, abs=0.06)
    assert markov_bits([train], [test], 4, 1) > entropy + 0.5  # one step back tells little


def test_counts_and_smoothing_by_hand():
    """Seen 0 1 0 of two levels (silence is 1), held out 0: order 0 alone, s chosen freely."""
    train = [np.array([0, 0, 0, 0, 0, 0, 0, 0, 0, 0])]
    bits = markov_bits(train, [np.array([0])], 2, 0)
    # The slice holds only zeros, so the weakest smoothing is best: (10 + 1/2) / (10 + 1).
    assert bits == pytest.approx(-np.log2(10.5 / 11))


@pytest.mark.parametrize("kind", ["gaussian", "laplace"])
def test_linear_prediction_reaches_an_autoregression_s_entropy(kind):
    """x_t = 1.6 x_{t−1} − 0.8 x_{t−2} + e_t in fine equal levels: h(e) − log2 of a level's width."""
    rng = np.random.default_rng(1)
    draw = rng.normal if kind == "gaussian" else rng.laplace
    noise = 0.02 * draw(size=60_000)
    wave = np.zeros(60_000)
    for t in range(2, 60_000):
        wave[t] = 1.6 * wave[t - 1] - 0.8 * wave[t - 2] + noise[t]
    levels, width = 1001, 0.002
    values = (np.arange(levels) - 500) * width
    codes = np.clip(np.rint(wave / width) + 500, 0, levels - 1).astype(int)
    edges = (values[1:] + values[:-1]) / 2
    found = linear_bits([codes[:40_000]], [codes[40_000:]], values, edges, order=4)
    entropy = {
        "gaussian": 0.5 * np.log2(2 * np.pi * np.e * 0.02**2), "laplace": np.log2(2 * np.e * 0.02)
    }  # fmt: skip
    assert found[kind] == pytest.approx(entropy[kind] - np.log2(width), abs=0.04)
    assert min(found, key=found.get) == kind


def test_clips_of_two_resonances_are_followed_by_the_adaptive_filter_alone():
    """Within 0.25 bit of the noise's entropy, where one filter for both is 0.5 bit further off.

    The quarter is what 800 samples leave open: 16 coefficients, and the broader tail's 0.15 bit.
    """
    rng, clips, width, levels = np.random.default_rng(2), [], 0.001, 2001
    for turn in (1.7, -1.2):
        noise, wave = rng.laplace(scale=0.01, size=8000), np.zeros(8000)
        for t in range(2, 8000):
            wave[t] = turn * wave[t - 1] - 0.9 * wave[t - 2] + noise[t]
        clips.append(np.clip(np.rint(wave / width) + 1000, 0, levels - 1).astype(int))
    values = (np.arange(levels) - 1000) * width
    edges = (values[1:] + values[:-1]) / 2
    entropy = np.log2(2 * np.e * 0.01 / width)
    found = adaptive_bits(clips, values, edges)
    fixed = min(linear_bits(clips, clips, values, edges).values())
    assert entropy < found < entropy + 0.25 < fixed - 0.5
