"""What the benchmarks compute from times and counts, on numbers that are known."""

import math
import time

import jax.numpy as jnp
import pytest

from benchmarks.ledger.model import set_against
from benchmarks.measure import ceilings, child, record
from benchmarks.measure.ceilings import Ceilings, best_of, find_ceilings
from benchmarks.measure.fit import fitted_exponent
from benchmarks.measure.timing import Timing, measure
from benchmarks.output import RESULTS
from jaxgen.costs.hardware import find_accelerator
from jaxgen.errors import UserError

pytestmark = pytest.mark.once

KNOWN = Ceilings("x", "by hand", {"float32": 1e9}, {1000: 4e6, 4000: 8e6, 16000: 2e6})


@pytest.mark.parametrize("p", [-1.0, 0.0, 0.5, 1.0, 2.0])
def test_the_exponent_of_a_power_law(p):
    x = [256, 512, 4096, 8192]
    assert fitted_exponent(x, [3.0 * each**p for each in x]) == pytest.approx(p, abs=1e-12)


def test_the_exponent_is_least_squares_on_logarithms():
    """Slope of (0, 0), (1, 3), (2, 3): covariance 3 over variance 2."""
    assert fitted_exponent([1, math.e, math.e**2], [1, math.e**3, math.e**3]) == pytest.approx(1.5)


def test_a_measurement_leaves_the_burn_in_out_and_waits(monkeypatch):
    clock = iter([0.0, 1.0, 10.0, 13.0, 20.0, 22.0, 30.0, 34.0, 40.0, 45.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    calls = []
    timing = measure(lambda: calls.append(1) or jnp.zeros(1), repetitions=5, burn_in=3)
    assert len(calls) == 8
    assert timing == Timing(5, 3.0, 2.0, 4.0, 1.0)
    assert timing.divided(2) == Timing(5, 1.5, 1.0, 2.0, 0.5)


def test_the_memory_ceiling_is_the_best_among_arrays_no_smaller():
    assert KNOWN.memory_rate(500) == KNOWN.memory_rate(3000) == 8e6
    assert KNOWN.memory_rate(4001) == KNOWN.memory_rate(1e9) == 2e6


def test_the_better_of_two_measurements_is_the_ceiling():
    other = Ceilings("x", "by hand", {"float32": 3e9}, {1000: 1e6, 4000: 9e6, 16000: 2e6})
    best = best_of(KNOWN, other)
    assert best.flops_per_second == {"float32": 3e9}
    assert best.bytes_per_second == {1000: 4e6, 4000: 9e6, 16000: 2e6}


def test_an_unknown_device_is_measured_and_says_so():
    found = find_ceilings(short=True)
    assert found.source == "measured in this process: no published peak is known for 'cpu'"
    assert set(found.flops_per_second) == {"float32", "bfloat16"}
    # Any machine of this century: a GFLOP/s, a tenth of a GB/s; none has a thousand times these.
    assert 1e9 < found.flops_per_second["float32"] < 1e14
    assert all(1e8 < rate < 1e13 for rate in found.bytes_per_second.values())


def test_a_known_device_has_its_published_peaks_with_their_source():
    found = ceilings.published(find_accelerator("NVIDIA H100 80GB HBM3"), "NVIDIA H100 80GB HBM3")
    assert found.flops_per_second == {"bfloat16": 1979e12 / 2, "float32": 989e12 / 2}
    assert found.memory_rate(1) == found.memory_rate(1e12) == 3350e9
    assert found.source.startswith("published: H100 SXM, NVIDIA H100")


def row(**changes):
    base = {
        "benchmark": "b", "case": "c", "mathematics_flops": 2_000_000, "least_bytes": 4_000,
        "dtype": "float32",
        "touched_bytes": 500, "median_seconds": 0.004, "low_seconds": 0.0035, "high_seconds": 0.005,
        "n": 3,
    }  # fmt: skip
    return base | changes


def test_a_row_is_set_against_its_bound():
    """2 MFLOP at 1 GFLOP/s are 2 ms, 4 kB at 8 MB/s half a ms; 4 ms measured are half of the bound."""
    found = row()
    assert set_against(found, KNOWN) is None
    assert (found["bound_seconds"], found["sum_seconds"], found["binds"]) == (
        0.002,
        0.0025,
        "compute",
    )
    assert found["fraction"] == 0.5


def test_more_than_the_ceiling_is_an_error_of_the_benchmark():
    found = row(median_seconds=0.001)
    assert "b, c: 0.001 s is 200% of a ceiling" in set_against(found, KNOWN)
    assert found["fraction"] is None


def result(*rows):
    values = record.Record(KNOWN.to_json(), False, list(rows)).to_json()
    return values | {"date": "2026-01-01T00:00:00+00:00"}


def test_ratios_are_second_over_first_for_the_cases_of_both():
    first = result(row(), row(case="d", peak_bytes=400), row(case="only here"))
    second = result(row(case="d", peak_bytes=100, median_seconds=0.001), row(median_seconds=0.006))
    (d, c) = record.compare(first, second)
    assert d == ("b", "d", 0.25, 0.25)
    assert c[:3] == ("b", "c", 1.5) and math.isnan(c[3])
    text = record.render_comparison(first, second)
    assert "| b | d | 0.250 | 0.250 |" in text and "| b | c | 1.500 | - |" in text


def test_files_without_a_common_case_are_refused():
    with pytest.raises(UserError, match="no benchmark case in common"):
        record.render_comparison(result(row()), result(row(case="d")))


def test_a_short_run_is_not_compared_with_a_whole_one():
    """Cases of the same name have other sizes there."""
    with pytest.raises(UserError, match="One file is of a --short run, the other is not"):
        record.render_comparison(result(row()), result(row()) | {"short": True})


def test_the_table_says_what_ceiling_and_machine(tmp_path):
    one = row()
    error = set_against(one, KNOWN)
    made = record.Record(KNOWN.to_json(), False, [one], [], [error] if error else [])
    record.write(made, tmp_path / "new" / "x.json")
    values = record.read(tmp_path / "new" / "x.json")
    assert values["rows"] == [one] and set(values["versions"]) >= {"python", "jax", "flax"}
    text = (tmp_path / "new" / "x.md").read_text()
    assert "Ceilings (by hand): float32 1 GFLOP/s" in text
    assert "- **b**: 4 ms a step, bound 2 ms: 50% of the ceiling; compute binds." in text
    assert "| c | 3 | 4 | 3.5 to 5 |" in text.split("## b")[1] and "50.0%" in text


def test_the_written_results_are_those_of_their_numbers():
    path = RESULTS / "all.json"
    assert path.with_suffix(".md").read_text() == record.markdown(record.read(path)) + "\n"


@pytest.mark.skipif(
    not child._STATUS.exists(), reason="peaks of a process are read from Linux's /proc"
)
def test_blockwise_memory_is_a_tenth_of_the_literal_forms():
    """The issue's bound, at T = 8,192: each in a fresh process, forward and backward."""
    T = 8192
    literal, blockwise = (
        child.run("benchmarks.ledger.attention", "peaks", form, 0, 1, 64, T)
        for form in ("literal", "blockwise")
    )
    matrix = T * T * 4
    assert literal["growth"][str(T)] > 1.5 * matrix  # weights and their gradient
    assert blockwise["growth"][str(T)] < 0.05 * literal["growth"][str(T)]
    # The whole process, Python and jax included: 300 MiB or so of it are not attention's.
    assert blockwise["peak"][str(T)] - 2**28 <= 0.1 * literal["peak"][str(T)]
