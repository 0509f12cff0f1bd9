"""Which of jax's primitives cost what: the names that the walk in `count.py` knows.

Named as they print in a jaxpr (jax 0.10 to 0.12). A name in none of these sets is never passed over
in silence: the walk lists it as uncounted, or raises where it may hide a matmul.
"""


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


CALLS = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "core_call": "call_jaxpr",
    "remat2": "jaxpr",
    "checkpoint": "jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "shard_map": "jaxpr",
}
"""Primitives that run one inner jaxpr once (shard_map: on each device), and where they hold it."""

ARITHMETIC = _names(
    """
    add sub mul div rem max min neg abs sign floor ceil round clamp nextafter square add_any
    select_n eq ne lt le gt ge is_finite one_minus_square polynomial
    """
)
"""One FLOP for each element of the result, where an operand is floating."""

TRANSCENDENTAL = _names(
    """
    exp exp2 log log1p expm1 sqrt rsqrt cbrt pow tanh logistic sin cos tan asin acos atan atan2
    sinh cosh asinh acosh atanh erf erfc erf_inv lgamma digamma
    """
)
"""One FLOP for each element, which XLA counts apart as a transcendental."""

REDUCTIONS = _names(
    """
    reduce_sum reduce_max reduce_min reduce_prod argmax argmin
    """
)
"""As many FLOPs as elements that disappear."""

CUMULATIVE = _names(
    """
    cumsum cumprod cummax cummin cumlogsumexp
    """
)
"""One FLOP for each element."""

WINDOWS = _names(
    """
    reduce_window_sum reduce_window_max reduce_window_min select_and_scatter_add
    """
)
"""One FLOP for each element of a window but its first, at every place of the window."""

SCATTERS = _names(
    """
    scatter-add scatter_add scatter_mul scatter_min scatter_max
    """
)
"""One FLOP for each element of the updates."""

COUNTED = (
    ARITHMETIC | TRANSCENDENTAL | REDUCTIONS | CUMULATIVE | WINDOWS | SCATTERS | {"integer_pow"}
)
"""All that have a rule; on whole numbers alone they cost no FLOPs."""

FREE = _names(
    """
    broadcast_in_dim reshape transpose squeeze expand_dims slice dynamic_slice
    dynamic_update_slice concatenate pad gather scatter iota convert_element_type
    bitcast_convert_type rev copy copy_p split unstack stack stop_gradient sort top_k
    select_and_gather_add device_put sharding_constraint optimization_barrier reduce_precision
    name real imag and or xor not shift_left shift_right_logical shift_right_arithmetic
    population_count clz reduce_and reduce_or reduce_xor random_seed random_wrap random_unwrap
    random_bits random_split random_fold_in random_clone threefry2x32 rng_bit_generator
    rng_uniform axis_index pvary pcast psum psum2 psum_invariant pmax pmin all_gather
    all_gather_invariant reduce_scatter ppermute all_to_all create_token debug_callback
    debug_print platform_index empty empty2
    """
)
"""Data movement, integer and bit work, random bits, communication: no FLOPs."""

CUDNN = {"dot_product_attention_fwd_wrapper": 2, "dot_product_attention_bwd_wrapper": 5}
"""cuDNN's attention, and its matmuls of T by S by H: backward computes the scores again."""

HEAVY = _names(
    """
    ragged_dot ragged_dot_general fft cholesky triangular_solve lu qr householder_product svd
    eig eigh schur tridiagonal tridiagonal_solve pallas_call custom_call ffi_call pure_callback
    io_callback scaled_dot scaled_matmul approx_top_k
    """
)
"""Matrix work or a program of its own, for which there is no rule yet: the walk raises."""
