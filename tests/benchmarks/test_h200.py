"""What is written of the one GPU that was measured is what it printed."""

import json
from pathlib import Path

import pytest

from jaxgen.experiments.registry import find_preset

RESULTS = Path(__file__).parents[2] / "benchmarks/results"
FOUND = json.loads((RESULTS / "h200.json").read_text())
TEXT = (RESULTS / "h200.md").read_text()


@pytest.mark.parametrize(
    "row", FOUND["attention"], ids=lambda r: f"{r['dtype']} {r['keys']} {r['T']}"
)
def test_attention(row):
    literal, blockwise, auto = (row["forms"][name] for name in ("literal", "blockwise", "auto"))
    start = f"{row['keys']} | {row['T']:,} | {literal['milliseconds']:.2f} | "
    start += f"{blockwise['milliseconds']:.2f} | "
    if row["dtype"] == "bfloat16":  # in float32 `auto` was blockwise then, and is literal now
        start += f"{auto['milliseconds']:.2f} | {auto['teraflops']} | "
    (line,) = [x for x in TEXT.splitlines() if f"| {row['dtype']}" in x and start in x]
    assert f"{auto['difference']:.1e}".replace("e-0", "e-") in line


def test_runs():
    losses = FOUND["gpt-shakespeare-10m"]["loss"]
    lowest = f"{min(losses.values()):.3f}"
    shown = ", ".join(f"{loss:.3f}" for loss in losses.values())
    assert shown.replace(lowest, f"**{lowest}**") in TEXT
    notes = find_preset("gpt-shakespeare-10m").notes
    assert lowest in notes and f"{losses['5000']:.3f} at 5,000" in notes
    for name in ("gan-fashion", "dcgan-fashion"):
        distances = ", ".join(f"{value:.1f}" for value in FOUND[name]["frechet"])
        assert distances in TEXT and distances in find_preset("gan-fashion").notes
        assert ", ".join(f"{value:.3f}" for value in FOUND[name]["recall"]) in TEXT
    bits = FOUND["wavenet-speech"]["bits_per_sample"]
    assert ", ".join(f"{value:.3f}" for value in bits) in TEXT
    promise = find_preset("wavenet-speech").expected["eval/bits_per_sample"]
    assert all(abs(value - promise.value) < promise.tolerance for value in bits)


def test_the_rate_is_the_table_s():
    """FLOPs of a step by its own sizes: six for each weight, twelve for each score, each token."""
    config, experiment = find_preset("gpt-shakespeare-10m").experiment.model, "gpt-shakespeare-10m"
    L, D, T, V = config.num_layers, config.model_size, 256, 65
    token = 6 * L * (4 * D * D + 2 * D * config.hidden_size) + 6 * D * V + 12 * L * D * T
    rate = token * 64 * T * FOUND[experiment]["steps_per_second"] / 1e12
    assert f"{token / 1e6:.2f} MFLOP a token" in TEXT and f"{rate:.1f} TFLOP/s" in TEXT
