"""The GRU against its equations written out for one unit after the other, in NumPy float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.equations.recurrent import gru, gru_cell, gru_gates

T, B, D, H = 5, 2, 3, 7
SHAPES = {
    "x": (B, D), "state": (B, H), "input_kernel": (D, 3 * H), "state_kernel": (H, 3 * H),
    "bias": (3 * H,), "candidate_bias": (H,),
}  # fmt: skip


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def unit_by_unit(x, state, input_kernel, state_kernel, bias, candidate_bias):
    """h' of every example and unit, each of its three sums a dot product of its own."""
    out = np.zeros_like(state)
    for b, h in np.ndindex(*state.shape):
        W = {gate: input_kernel[:, i * H + h] for i, gate in enumerate("rzn")}
        U = {gate: state_kernel[:, i * H + h] for i, gate in enumerate("rzn")}
        c = {gate: bias[i * H + h] for i, gate in enumerate("rzn")}
        r = sigmoid(W["r"] @ x[b] + U["r"] @ state[b] + c["r"])
        z = sigmoid(W["z"] @ x[b] + U["z"] @ state[b] + c["z"])
        n = np.tanh(W["n"] @ x[b] + c["n"] + r * (U["n"] @ state[b] + candidate_bias[h]))
        out[b, h] = (1 - z) * n + z * state[b, h]
    return out


@pytest.fixture
def arrays(normal):
    return {name: normal(*shape) for name, shape in SHAPES.items()}


def wide(arrays):
    return {name: np.asarray(array, np.float64) for name, array in arrays.items()}


def test_the_cell_is_its_equations_unit_by_unit(arrays):
    found = gru_cell(**arrays)
    np.testing.assert_allclose(found, unit_by_unit(**wide(arrays)), rtol=1e-5, atol=1e-6)


def test_all_times_are_the_cell_again_and_again(arrays, normal):
    xs = normal(T, B, D)
    inputs = jnp.einsum("tbd,dg->tbg", xs, arrays["input_kernel"]) + arrays["bias"][None, None]
    found = gru(inputs, arrays["state"], arrays["state_kernel"], arrays["candidate_bias"])
    values = wide(arrays)
    for t in range(T):
        values |= {"x": np.asarray(xs[t], np.float64)}
        values["state"] = unit_by_unit(**values)
        np.testing.assert_allclose(found[t], values["state"], rtol=1e-5, atol=1e-5)


def test_gradients(gradient_holds, normal, arrays):
    """Of the cell, and of all times with the derivative that is written by hand."""
    gradient_holds(gru_cell, *arrays.values())
    gradient_holds(
        gru, normal(T, B, 3 * H), *(arrays[n] for n in ("state", "state_kernel", "candidate_bias"))
    )


def test_an_open_update_keeps_the_state_and_a_closed_one_forgets_it(normal):
    """z = 1: h' = h; z = 0 and r = 0: h' = tanh of the input alone."""
    state, big = normal(B, H), 50.0
    zeros = jnp.zeros((B, H))
    keep = jnp.concatenate([zeros, zeros + big, normal(B, H)], axis=1)
    np.testing.assert_array_equal(gru_gates(keep, normal(B, 3 * H), state), state)
    candidate = normal(B, H)
    forget = jnp.concatenate([zeros - big, zeros - big, candidate], axis=1)
    found = gru_gates(forget, jnp.zeros((B, 3 * H)), state)
    np.testing.assert_allclose(found, np.tanh(candidate), rtol=1e-6)


def test_it_is_finite_at_extremes():
    huge = jnp.full((1, 3), 1e4)
    value, pull_back = jax.vjp(gru_gates, huge, -huge, jnp.ones((1, 1)))
    for array in (value, *pull_back(jnp.ones((1, 1)))):
        assert np.isfinite(array).all()
