"""Recurrence: the gated recurrent unit.

    (1) r = sigmoid(W_r x + U_r h + b_r)                      reset
    (2) z = sigmoid(W_z x + U_z h + b_z)                      update
    (3) n = tanh(W_n x + b_n + r ⊙ (U_n h + c_n))             candidate
    (4) h' = (1 − z) ⊙ n + z ⊙ h

Cho et al. 2014, "Learning phrase representations using RNN encoder-decoder", eqs. (5) to (8),
https://arxiv.org/abs/1406.1078, but for two things. There the reset multiplies the state before U_n
does, U_n (r ⊙ h); (3) is the form that cuDNN, PyTorch and Keras (`reset_after`) compute: then all three
products of the state are one. And the biases are this form's, of which only the candidate needs two.

Shape letters: *B leading axes, T time, D input size, H state size (the paper's units, not a head),
G = 3·H: the rows of reset, update and candidate, side by side.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float


def gru_gates(
    inputs: Float[Array, "*B G"], recurrent: Float[Array, "*B G"], state: Float[Array, "*B H"]
) -> Float[Array, "*B H"]:
    """Eqs. (1) to (4) once the products are there: the new state.

    Args:
      inputs: (W_r x + b_r, W_z x + b_z, W_n x + b_n). recurrent: (U_r h, U_z h, U_n h + c_n). state: h.
    """
    input_reset, input_update, input_candidate = jnp.split(inputs, 3, axis=-1)
    state_reset, state_update, state_candidate = jnp.split(recurrent, 3, axis=-1)
    reset = jax.nn.sigmoid(input_reset + state_reset)  # Eq. (1)
    update = jax.nn.sigmoid(input_update + state_update)  # Eq. (2)
    candidate = jnp.tanh(input_candidate + reset * state_candidate)  # Eq. (3)
    return (1.0 - update) * candidate + update * state  # Eq. (4)


def gru_cell(
    x: Float[Array, "B D"],
    state: Float[Array, "B H"],
    input_kernel: Float[Array, "D G"],
    state_kernel: Float[Array, "H G"],
    bias: Float[Array, " G"],
    candidate_bias: Float[Array, " H"],
) -> Float[Array, "B H"]:
    """Eqs. (1) to (4): the state after one more input.

    Args:
      x: the input. state: h. input_kernel: (W_r, W_z, W_n). state_kernel: (U_r, U_z, U_n).
      bias: (b_r, b_z, b_n). candidate_bias: c_n.
    """
    inputs = x @ input_kernel + bias[None]
    return gru_gates(inputs, _recurrent(state, state_kernel, candidate_bias), state)


@jax.custom_vjp
def gru(
    inputs: Float[Array, "T B G"],
    state: Float[Array, "B H"],
    state_kernel: Float[Array, "H G"],
    candidate_bias: Float[Array, " H"],
) -> Float[Array, "T B H"]:
    """Eqs. (1) to (4) at each time: all states, from the one before the first.

    The products of the inputs are given, for those of all times are one product. It has a reverse
    derivative only: the kernel's gradient is one product too, where a loop's own derivative would add
    T of them up, each as large as the kernel.

    Args:
      inputs: as in `gru_gates`. state: before the first time. The rest as in `gru_cell`.
    """
    return _forward(inputs, state, state_kernel, candidate_bias)[0]


def _recurrent(state, state_kernel, candidate_bias):
    """(U_r h, U_z h, U_n h + c_n)."""
    reset_and_update = jnp.zeros(2 * candidate_bias.shape[-1], candidate_bias.dtype)
    return state @ state_kernel + jnp.concatenate([reset_and_update, candidate_bias])[None]


def _forward(inputs, state, state_kernel, candidate_bias):
    def step(state, inputs):
        recurrent = _recurrent(state, state_kernel, candidate_bias)
        new = gru_gates(inputs, recurrent, state)
        return new, (new, recurrent)

    _, (states, recurrent) = lax.scan(step, state, inputs)
    before = jnp.concatenate([state[None], states[:-1]])
    return states, (inputs, before, recurrent, state_kernel)


def _backward(kept, gradient):
    inputs, before, recurrent, state_kernel = kept

    def step(later, at):
        inputs, state, recurrent, gradient = at
        _, pull_back = jax.vjp(gru_gates, inputs, recurrent, state)
        of_inputs, of_recurrent, of_state = pull_back(gradient + later)
        return of_state + of_recurrent @ state_kernel.T, (of_inputs, of_recurrent)

    each = (inputs, before, recurrent, gradient)
    start = jnp.zeros_like(before[0])
    of_state, (of_inputs, of_recurrent) = lax.scan(step, start, each, reverse=True)
    of_kernel = jnp.einsum("tbh,tbg->hg", before, of_recurrent)
    of_bias = jnp.sum(of_recurrent[..., -before.shape[-1] :], axis=(0, 1))
    return of_inputs, of_state, of_kernel, of_bias


gru.defvjp(_forward, _backward)
