"""The walk on programs whose cost is known by hand; XLA's own count stands beside it."""

import os
import subprocess
import sys

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax
from jax.sharding import AbstractMesh, AxisType, PartitionSpec

from jaxgen.costs.walk.count import Count, CountError, count, xla_flops

X = jax.ShapeDtypeStruct((4, 4), jnp.float32)
ONE = 2 * 4**3  # FLOPs of X @ X


def dots(function, *arguments, **options):
    return count(function, *arguments, **options).dot_flops / ONE


def test_a_matmul_and_a_batched_one_are_xla_s_count():
    a, b = (
        jax.ShapeDtypeStruct((2, 3, 5), jnp.float32),
        jax.ShapeDtypeStruct((2, 5, 7), jnp.float32),
    )
    assert count(jnp.matmul, a, b) == Count(dot_flops=2 * 2 * 3 * 5 * 7)
    assert xla_flops(jnp.matmul, a, b) == 2 * 2 * 3 * 5 * 7


def test_an_outer_product_contracts_nothing_and_so_adds_nothing():
    a, b = jax.ShapeDtypeStruct((3,), jnp.float32), jax.ShapeDtypeStruct((5,), jnp.float32)
    assert count(jnp.outer, a, b) == Count(elementwise_flops=15)


def scan(length):
    return lambda x: lax.scan(lambda c, _: (c @ x, None), x, None, length=length)[0]


def fori(start, stop):
    return lambda x: lax.fori_loop(start, stop, lambda i, c: c @ x, x)


def loop_while(holds, start, step):
    """One product a trip, while `holds(i)`."""
    return lambda x: lax.while_loop(
        lambda s: holds(s[0]), lambda s: (s[0] + step, s[1] @ x), (start, x)
    )[1]


def nested(x):
    inner = lambda c: lax.scan(lambda d, _: (d @ x, None), c, None, length=5)[0]  # noqa: E731
    middle = lambda c: lax.while_loop(  # noqa: E731
        lambda s: s[0] < 4, lambda s: (s[0] + 2, inner(s[1])), (0, c)
    )[1]
    return lax.fori_loop(0, 3, lambda i, c: middle(c), x)


LOOPS = {
    "scan of 5": (scan(5), 5),
    "scan of 100": (scan(100), 100),
    "fori": (fori(2, 9), 7),
    "fori of arrays": (lambda x: fori(jnp.int32(2), jnp.int32(9))(x), 7),
    "while <": (loop_while(lambda i: i < 7, 0, 1), 7),
    "while <= by 3": (loop_while(lambda i: i <= 9, 0, 3), 4),
    "while > down by 2": (loop_while(lambda i: i > 0, 9, -2), 5),
    "while bound >=": (loop_while(lambda i: jnp.greater_equal(10, i), 0, 3), 4),
    "while !=": (loop_while(lambda i: i != 8, 0, 2), 4),
    "while that never runs": (loop_while(lambda i: i < 0, 0, 1), 0),
    "scan in while in fori": (nested, 3 * 2 * 5),
    "map": (lambda x: lax.map(lambda row: x @ x + row[None], x), 4),
}


@pytest.mark.parametrize("name", LOOPS)
def test_loop_bodies_are_multiplied_by_their_trips_where_xla_counts_one(name):
    function, trips = LOOPS[name]
    assert dots(function, X) == trips
    theirs = xla_flops(function, X)
    assert ONE <= theirs < 1.4 * ONE, f"XLA says {theirs / ONE:.2f} bodies for {trips}"


@settings(max_examples=30, deadline=None)
@given(st.integers(-20, 20), st.integers(-20, 20), st.integers(-4, 4).filter(bool))
def test_trips_of_any_static_while_are_python_s(start, bound, step):
    holds = (lambda i: i < bound) if step > 0 else (lambda i: i > bound)
    loop = loop_while(holds, start, step)
    assert dots(loop, X) == len(range(start, bound, step))


def test_a_while_that_depends_on_data_is_never_counted_once_in_silence():
    def loop(x, n):
        return lax.fori_loop(0, n, lambda i, c: c @ x, x)

    n = jax.ShapeDtypeStruct((), jnp.int32)
    with pytest.raises(CountError, match="while: how often this loop runs depends on data"):
        count(loop, X, n)
    assert dots(loop, X, n, while_trips=[11]) == 11
    with pytest.raises(CountError, match="1 more than there are loops"):
        count(loop, X, n, while_trips=[11, 2])
    with pytest.raises(CountError, match="while"):
        count(loop_while(lambda i: i < 7, 0, -1), X)  # endless


def test_trips_are_taken_in_the_program_s_order_outer_loops_first():
    def loops(x, n, m):
        inner = lambda c: lax.fori_loop(0, m, lambda i, d: d @ x, c)  # noqa: E731
        x = lax.fori_loop(0, n, lambda i, c: inner(c), x)
        return lax.fori_loop(0, n, lambda i, c: c @ x @ x, x)

    n = jax.ShapeDtypeStruct((), jnp.int32)
    assert dots(loops, X, n, n, while_trips=[3, 5, 7]) == 3 * 5 + 2 * 7


def test_a_gru_over_a_hundred_steps():
    """Six dense layers a step; XLA's count is a hundred times too small."""
    B, T, D, H = 2, 100, 8, 16
    model = nn.RNN(nn.GRUCell(H))
    inputs = jax.ShapeDtypeStruct((B, T, D), jnp.float32)
    params = jax.eval_shape(model.init, jax.random.key(0), inputs)
    walked = count(model.apply, params, inputs)
    assert walked.dot_flops == T * 2 * B * (3 * D * H + 3 * H * H)
    ratio = walked.flops_like_xla / xla_flops(model.apply, params, inputs)
    assert ratio == pytest.approx(100, rel=0.05), f"XLA's count is {ratio:.1f} times too small"


def test_cond_counts_the_dearest_branch_and_says_so():
    def choose(x, i):
        return lax.switch(i, [lambda x: x, lambda x: x @ x @ x, lambda x: x @ x], x)

    walked = count(choose, X, jax.ShapeDtypeStruct((), jnp.int32))
    assert walked.dot_flops == 2 * ONE
    assert walked.notes == {"cond: the dearest of 3 branches"}
    same = count(lambda x: lax.cond(True, lambda x: x @ x, lambda x: x.T @ x, x), X)
    assert same.dot_flops == ONE and same.notes == frozenset()


def test_a_branch_for_another_platform_is_not_counted():
    """The walk takes what this backend runs, as the compiler does; a kernel for a TPU is not read."""

    def thrice(x):
        return x @ x @ x @ x

    def once(x):
        return x @ x

    for branches in ({"tpu": thrice, "default": once}, {"cpu": once, "tpu": thrice}):
        walked = count(lambda x, branches=branches: lax.platform_dependent(x, **branches), X)
        assert walked.dot_flops == ONE and walked.notes == frozenset()


def test_remat_counts_what_is_computed_twice():
    def plain(x):
        return jnp.sum(jnp.sin(x @ x))

    # forward 1, backward 2; with remat the product is computed again for the sine's gradient
    assert dots(jax.value_and_grad(plain), X) == 3
    assert dots(jax.value_and_grad(jax.remat(plain)), X) == 4


def test_custom_derivatives_are_entered():
    @jax.custom_vjp
    def square(x):
        return x @ x

    square.defvjp(lambda x: (x @ x, x), lambda x, g: (g @ x @ x + x @ g,))
    assert dots(square, X) == 1
    assert dots(jax.value_and_grad(lambda x: jnp.sum(square(x))), X) == 1 + 3

    @jax.custom_jvp
    def product(x):
        return x @ x

    product.defjvp(lambda primals, tangents: (primals[0] @ primals[0], tangents[0] @ primals[0]))
    assert dots(product, X) == 1
    assert dots(lambda x, t: jax.jvp(product, (x,), (t,)), X, X) == 2


def test_jit_in_jit_is_entered_and_what_nothing_needs_is_not_counted():
    inner = jax.jit(lambda x: (x @ x, x @ x @ x))
    assert dots(jax.jit(lambda x: inner(x)), X) == 3
    assert dots(jax.jit(lambda x: inner(x)[0]), X) == 1
    assert dots(jax.grad(lambda x: jnp.sum(x @ x)), X) == 2


def test_shard_map_counts_all_devices():
    mesh = AbstractMesh((2, 3), ("data", "other"), axis_types=(AxisType.Auto,) * 2)
    rows = jax.ShapeDtypeStruct((8, 4), jnp.float32)

    def sharded(**names):
        spec = PartitionSpec("data")
        return jax.shard_map(
            lambda a, b: a @ b, mesh=mesh, in_specs=(spec, PartitionSpec()), out_specs=spec, **names
        )

    whole = 2 * 8 * 4 * 4
    assert count(sharded(axis_names={"data"}), rows, X).dot_flops == whole
    # Given both axes, each of the other's 3 devices repeats the work of the data axis's 2.
    assert count(sharded(), rows, X).dot_flops == 3 * whole


PMAP = """
import jax, jax.numpy as jnp
from jaxgen.costs.walk.count import count
x = jax.ShapeDtypeStruct((2, 4, 4), jnp.float32)
step = jax.pmap(lambda a: jax.lax.psum(a @ a, "d"), axis_name="d")
print(jax.device_count(), count(step, x).dot_flops)
"""


def test_pmap_counts_all_devices():
    environment = os.environ | {"JAX_NUM_CPU_DEVICES": "2"}
    done = subprocess.run(
        [sys.executable, "-c", PMAP], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["2", str(2 * ONE)]


CONVOLUTIONS = {
    "same": ((3, 3, 6, 5), {"window_strides": (1, 1), "padding": "SAME"}),
    "valid, strided": ((3, 2, 6, 5), {"window_strides": (2, 1), "padding": "VALID"}),
    "transposed": (
        (4, 4, 6, 5),
        {"window_strides": (1, 1), "padding": [(2, 1), (1, 2)], "lhs_dilation": (2, 2)},
    ),
    "grouped": ((3, 3, 2, 9), {"window_strides": (1, 1), "padding": "SAME", "feature_group_count": 3}),
    "causal, dilated": (
        (3, 1, 6, 5),
        {"window_strides": (1, 1), "padding": [(4, 0), (0, 0)], "rhs_dilation": (2, 1)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions_and_their_gradients_are_xla_s_count(name):
    kernel_shape, options = CONVOLUTIONS[name]
    image = jax.ShapeDtypeStruct((2, 9, 7, 6), jnp.float32)
    kernel = jax.ShapeDtypeStruct(kernel_shape, jnp.float32)

    def convolve(x, k):
        return lax.conv_general_dilated(x, k, dimension_numbers=("NHWC", "HWIO", "NHWC"), **options)

    gradient = jax.grad(lambda x, k: jnp.sum(convolve(x, k)), argnums=(0, 1))
    forward = count(convolve, image, kernel)
    assert forward.convolution_flops == xla_flops(convolve, image, kernel)
    backward = count(gradient, image, kernel)
    assert backward.flops_like_xla == xla_flops(gradient, image, kernel)
    assert backward.convolution_flops == 2 * forward.convolution_flops


def test_padding_in_and_out_by_hand():
    """3 taps over 7 places and 5 features in, 2 out; of the 21 taps 2 fall on padding."""
    x, k = (
        jax.ShapeDtypeStruct((1, 7, 5), jnp.float32),
        jax.ShapeDtypeStruct((3, 5, 2), jnp.float32),
    )

    def convolve(x, k):
        return lax.conv_general_dilated(x, k, (1,), "SAME", dimension_numbers=("NWC", "WIO", "NWC"))

    walked = count(convolve, x, k)
    assert walked.padded_convolution_flops == 2 * 21 * 5 * 2
    assert walked.convolution_flops == walked.matmul_flops == 2 * 19 * 5 * 2


def test_elementwise_work_by_hand():
    x = jax.ShapeDtypeStruct((3, 5), jnp.float32)
    walked = count(lambda x: jnp.sum(jnp.exp(x) * x, axis=0), x)
    # exp and product 15 each; the sum of 3 numbers in 5 columns is 2 additions each
    assert walked == Count(elementwise_flops=15 + 15 + 10, transcendental_flops=15)
    assert count(lambda x: x**3, x).elementwise_flops == 2 * 15
    assert count(lambda x: x**-1, x).elementwise_flops == 15
    whole = jax.ShapeDtypeStruct((3, 5), jnp.int32)
    assert count(lambda x: x * x + 1, whole) == Count()


def test_what_there_is_no_rule_for_is_an_error_that_names_it_or_is_listed():
    with pytest.raises(CountError, match=r"^lu: "):
        count(jnp.linalg.inv, X)
    with pytest.raises(CountError, match=r"^custom_linear_solve: "):
        count(lambda x: lax.custom_linear_solve(lambda v: x @ v, x, lambda f, b: b), X)
    with pytest.raises(CountError, match="dot_general: there is no rule for complex"):
        count(jnp.matmul, jax.ShapeDtypeStruct((4, 4), jnp.complex64), X)
    assert count(lambda x: lax.bessel_i0e(x), X).uncounted == {"bessel_i0e"}
