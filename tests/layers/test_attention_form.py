"""Which form `auto` takes, case by case, and that every choice is the literal form's answer."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax._src.cudnn import fused_attention_stablehlo

from jaxgen.costs.walk.count import count
from jaxgen.equations import attention_kernels
from jaxgen.equations.attention_forms import literal
from jaxgen.equations.attention_kernels import has_cudnn
from jaxgen.layers import attention_form
from jaxgen.layers.attention_form import attend, choose_form

CAUSAL, MASKED = {"causal": True}, {"masked": True}
BOTH = CAUSAL | MASKED


@pytest.mark.parametrize(
    ("platform", "dtype", "T", "S", "H", "rule", "form"),
    [
        ("cpu", "float32", 64, 64, 32, CAUSAL, "literal"),  # the presets'
        ("cpu", "float32", 511, 511, 32, CAUSAL, "literal"),
        ("cpu", "float32", 512, 512, 32, CAUSAL, "blockwise"),
        ("cpu", "bfloat16", 512, 700, 32, BOTH, "blockwise"),
        ("cpu", "float32", 512, 512, 32, {}, "literal"),
        ("cpu", "float32", 1023, 5000, 32, MASKED, "literal"),
        ("cpu", "float32", 1024, 1024, 32, MASKED, "blockwise"),
        ("cpu", "float32", 1, 9999, 32, CAUSAL, "literal"),  # one token after many: a cache
        # The TPU's kernel: whole blocks of 128, no mask, heads of up to 128 or of whole lanes.
        ("tpu", "float32", 64, 64, 32, CAUSAL, "literal"),
        ("tpu", "bfloat16", 128, 128, 64, CAUSAL, "fused"),
        ("tpu", "float32", 1024, 1024, 64, {}, "fused"),
        ("tpu", "float32", 128, 256, 64, {}, "fused"),
        ("tpu", "float32", 128, 256, 64, CAUSAL, "literal"),
        ("tpu", "bfloat16", 1000, 1000, 64, CAUSAL, "blockwise"),
        ("tpu", "bfloat16", 1024, 1024, 64, MASKED, "blockwise"),
        ("tpu", "bfloat16", 1024, 1024, 160, CAUSAL, "blockwise"),
        ("tpu", "bfloat16", 1024, 1024, 256, CAUSAL, "fused"),
        # cuDNN's: 16 bits, heads of eights up to 128, a mask over even lengths only.
        ("cuda", "bfloat16", 64, 64, 64, CAUSAL, "fused"),
        ("cuda", "float16", 65, 65, 64, CAUSAL, "fused"),
        ("cuda", "float32", 64, 64, 64, CAUSAL, "literal"),
        ("cuda", "float32", 1024, 1024, 64, CAUSAL, "literal"),
        ("cuda", "float32", 8192, 8192, 64, CAUSAL, "blockwise"),
        ("cuda", "bfloat16", 64, 64, 36, CAUSAL, "literal"),
        ("cuda", "bfloat16", 64, 64, 136, CAUSAL, "literal"),
        ("cuda", "bfloat16", 64, 64, 64, BOTH, "fused"),
        ("cuda", "bfloat16", 65, 65, 64, BOTH, "literal"),
        ("cuda", "bfloat16", 64, 65, 64, CAUSAL, "literal"),  # such a rule is a mask
        ("rocm", "bfloat16", 64, 64, 64, CAUSAL, "literal"),
    ],
)
def test_the_rule(platform, dtype, T, S, H, rule, form):
    assert choose_form(T, S, H, dtype, platform, **rule) == form


def qkv(length, heads=1, head_size=8):
    keys = jax.random.split(jax.random.key(0), 3)
    return [jax.random.normal(key, (1, heads, length, head_size)) for key in keys]


def program(form, *arrays, causal=True):
    return str(jax.make_jaxpr(lambda *x: attend(*x, causal=causal, form=form))(*arrays))


def test_where_all_platforms_agree_the_program_is_the_form_s_own():
    arrays = qkv(64)
    own = str(jax.make_jaxpr(lambda *x: literal(*x, causal=True))(*arrays))
    assert program("auto", *arrays) == program("literal", *arrays) == own
    assert program("auto", *qkv(520)) == program("blockwise", *qkv(520))  # no blocks of 128


def test_where_they_differ_the_program_leaves_it_to_the_compiler():
    found = program("auto", *qkv(128))
    assert "platform_index" in found and "pallas_call" in found


@pytest.mark.parametrize(
    ("length", "causal", "loops"), [(64, True, False), (128, False, False), (512, True, True)]
)
def test_auto_is_the_literal_answer_with_its_gradients(length, causal, loops):
    arrays = qkv(length)
    weight = jnp.cos(jnp.arange(8.0)).reshape(1, 1, 1, 8)

    def both(form):
        value = lambda *x: (attend(*x, causal=causal, form=form) * weight).sum()  # noqa: E731
        return jax.jit(jax.value_and_grad(value, (0, 1, 2)))

    found, expected = both("auto")(*arrays), both("literal")(*arrays)
    # sums over up to 512 keys in another order; the value is one of 4,096 terms
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    assert ("while" in both("auto").lower(*arrays).as_text()) == loops


def test_cudnn_is_taken_where_jax_can_trace_it(monkeypatch):
    assert not has_cudnn()  # no GPU here
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert not has_cudnn()  # a GPU without it: jax raises, and the answer is no
    taken = []
    monkeypatch.setattr(
        attention_kernels.jax.nn, "dot_product_attention",
        lambda q, k, v, implementation=None, **_: taken.append((implementation, q.shape[1])) or q,
    )  # fmt: skip
    assert has_cudnn()
    narrow = [array.astype(jnp.bfloat16) for array in qkv(64, head_size=64)]
    taken.clear()
    jax.eval_shape(lambda *x: attend(*x, causal=True), *narrow)
    assert ("cudnn", 64) in taken  # and once with 128, to ask
    taken.clear()
    jax.eval_shape(lambda *x: attend(*x, causal=True), *qkv(64, head_size=64))
    assert taken == [("cudnn", 128)]  # float32: asked, and no kernel


def test_what_cudnn_s_kernel_computes_is_counted(monkeypatch):
    """Traced as on a GPU; backward computes the scores again, so five matmuls beside two."""
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    monkeypatch.setattr(fused_attention_stablehlo, "check_cudnn_version", lambda: 91800)
    monkeypatch.setattr(fused_attention_stablehlo, "check_compute_capability", lambda _: True)
    arrays = [array.astype(jnp.bfloat16) for array in qkv(128, heads=3, head_size=64)]
    total = lambda *x: attend(*x, causal=True).astype(jnp.float32).sum()  # noqa: E731
    found = count(jax.grad(total, (0, 1, 2)), *arrays)
    assert found.matmul_flops == 7 * 2 * 3 * 128 * 128 * 64
    assert any("cuDNN" in note for note in found.notes)


def test_without_a_mesh_nothing_is_split():
    attend = lambda *arrays: arrays[0]  # noqa: E731
    assert attention_form.over_mesh(attend, 4, 2) is attend
    jax.pmap(lambda x: attention_form.over_mesh(attend, 4, 2)(x))(jnp.zeros((1, 3)))
