"""Batches of a judgement or a drawing: everything once, in its order, in one shape."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.data import progress
from jaxgen.families.batches import in_batches


@pytest.mark.parametrize(("count", "size", "calls"), [(7, 3, 3), (6, 3, 2), (2, 5, 1), (1, 1, 1)])
def test_every_place_once_and_all_calls_of_one_shape(count, size, calls):
    asked = []

    def apply(places):
        asked.append(places.tolist())
        return {"square": jnp.square(places), "rows": jnp.stack([places, -places], axis=1)}

    found = in_batches(apply, count, size)
    np.testing.assert_array_equal(found["square"], np.arange(count) ** 2)
    np.testing.assert_array_equal(found["rows"][:, 1], -np.arange(count))
    assert len(asked) == calls and {len(places) for places in asked} == {min(size, count)}
    assert max(map(max, asked)) == count - 1


def test_a_long_look_tells_how_far_it_is(monkeypatch, capsys):
    monkeypatch.setattr(progress, "JUDGING_SECONDS", -1.0)  # every call is late
    in_batches(lambda places: jnp.asarray(places), 10, 4)
    shares = [line.split()[-1] for line in capsys.readouterr().err.splitlines()]
    assert shares == ["0%", "40%", "80%"]
