"""The command as a person uses it: a short run end to end, and what it refuses."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import cli
from benchmarks.aot import topology
from benchmarks.ledger import devices, model
from benchmarks.select import find_experiment
from jaxgen.errors import UserError

ROOT = Path(__file__).parents[2]
ROW = {
    "benchmark", "case", "n", "median_seconds", "low_seconds", "high_seconds", "best_seconds",
    "mathematics_flops", "walk_flops", "xla_flops", "least_bytes", "bound_seconds", "sum_seconds",
    "binds", "fraction", "dtype",
}  # fmt: skip


COMMAND = "python -m benchmarks vae --short"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What README's command writes, which runs in this process."""
    assert COMMAND in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    path = tmp_path_factory.mktemp("results") / "vae.json"
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(devices.os, "cpu_count", lambda: 1)  # one process of its own is enough
            cli.main([*COMMAND.split()[3:], "--json", str(path)])
    except SystemExit as end:  # noise on a shared machine may beat a ceiling; then it must say so
        assert end.code == 1 and json.loads(path.read_text())["errors"]
    return path


@pytest.mark.first
def test_a_short_run_writes_numbers_table_and_pictures(results):
    values = json.loads(results.read_text())
    assert set(values) == {
        "schema", "date", "machine", "versions", "short", "ceilings", "rows", "exponents", "errors",
    }  # fmt: skip
    assert values["short"] and values["machine"]["backend"] == "cpu"
    cases = [row["case"] for row in values["rows"]]
    assert cases[:4] == ["as trained", "batch 32", "batch 64", "devices, pmap, strong 1"]
    for row in values["rows"]:
        assert set(row) >= ROW
        assert row["walk_flops"] == row["mathematics_flops"]
        assert row["case"].startswith("devices") or row["input_seconds"] > 0
        assert 0 < row["low_seconds"] <= row["median_seconds"] <= row["high_seconds"]
    flops = next(each for each in values["exponents"] if each["quantity"] == "FLOPs")
    assert flops["over"] == "batch" and flops["p"] == pytest.approx(1.0)
    text = results.with_suffix(".md").read_text()
    assert "- **vae**: " in text and "| as trained |" in text.split("## vae")[1]
    for picture in ("roofline", "scaling"):
        assert "<svg" in results.with_name(f"vae-{picture}.svg").read_text()[:1000]


@pytest.mark.first
def test_a_result_compared_with_itself_has_ratios_of_one(results, capsys):
    cli.main(["--compare", str(results), str(results)])
    assert "| vae | as trained | 1.000 | - |" in capsys.readouterr().out


def test_several_are_measured_as_they_are_in_one_file(monkeypatch, tmp_path, capsys):
    """No sweep and no other device; XLA has no count of its own on a GPU."""

    def measure_step(name, case, experiment, data, *, short):
        assert short and data.spec.shape == (8, 8, 1)
        times = dict.fromkeys(
            ("median_seconds", "low_seconds", "high_seconds", "best_seconds"), 1.0
        )
        work = {"mathematics_flops": 10**9, "least_bytes": 10**6, "touched_bytes": 10**6}
        return (
            {"benchmark": name, "case": case, "dtype": "float32", "xla_flops": None} | times | work
        )

    monkeypatch.setattr(model, "measure_step", measure_step)
    path = tmp_path / "both.json"
    cli.main(["vae", "gan", "--no-sweeps", "--short", "--json", str(path)])
    rows = json.loads(path.read_text())["rows"]
    assert [(row["benchmark"], row["case"]) for row in rows] == [
        ("vae", "as trained"), ("gan", "as trained"),
    ]  # fmt: skip
    assert all(0 < row["fraction"] < 1 for row in rows) and "**vae**" in capsys.readouterr().out


def test_devices_double_up_to_the_cores(monkeypatch):
    """Under both strategies, with the batch as it is and with one that grows."""
    asked = []

    def seconds(experiment, parallel, count, batch, short):
        asked.append((parallel, count, batch))
        return {"n": 3, "median_seconds": 1.0 / count, "devices": count}

    monkeypatch.setattr(devices, "seconds", seconds)
    monkeypatch.setattr(devices.os, "cpu_count", lambda: 4)
    experiment = replace(find_experiment("vae"), batch_size=16)
    rows = devices.run_devices("vae", "vae-digits", experiment, short=False)
    batches = [(1, 16), (2, 16), (4, 16), (1, 16), (2, 32), (4, 64)]
    assert asked == [(parallel, *each) for parallel in ("pmap", "mesh") for each in batches]
    assert [(row["value"], row["median_seconds"]) for row in rows[:3]] == [
        (1, 1.0),
        (2, 0.5),
        (4, 0.25),
    ]
    one, four = rows[3], rows[5]
    assert (one["sweep"], four["case"]) == ("devices, pmap, weak", "devices, pmap, weak 4")
    assert four["mathematics_flops"] == 4 * one["mathematics_flops"] == four["walk_flops"]


BAD_INPUT = {
    "unknown benchmark": (
        "gtp", r"no benchmark 'gtp'; did you mean gpt\? \(or .*; python -m benchmarks lists all \d+\)",
    ),
    "no benchmark": ("--short", "Name a benchmark first: python -m benchmarks lists them"),
    "unknown flag": ("gpt --sort", "no field --sort: did you mean --short?"),
    "unwritable output": ("gpt --json {tmp}/file/x.json", "cannot be written"),
    "a folder as output": ("gpt --json {tmp}", "is no JSON file: give a name that ends in .json"),
    "another suffix": ("aot gpt-python --json {tmp}/x.md", "is no JSON file"),
    "scaling's output": ("scaling --output {tmp}/file/x.json", "cannot be written"),
    "compare one": ("--compare a.json", "--compare takes two files"),
    "compare nothing": ("--compare {tmp}/a.json {tmp}/b.json", "a.json does not exist"),
    "compare another file": ("--compare {tmp}/file {tmp}/file", "not the JSON file of a benchmark"),
    "unknown experiment": ("aot gtp", "no experiment 'gtp'; .*python train.py lists all"),
    "unknown topology": ("aot gpt-python --topology v5e:3x5", "no topology 'v5e:3x5'; known are v4:"),
    "unknown generation": ("aot gpt-python --topology tpu", "no topology 'tpu'; known are v4:"),
    "too many GPUs": ("aot gpt-python --topology h100:16", "no topology 'h100:16'.*h100:{1,2,4,8}"),
    "chips that do not divide": (
        "aot gpt-python --topology v5e:4x8", "--batch-size 16 is not a multiple of 32 devices: give",
    ),
    "unknown convention": ("aot gpt-python --convention mine", "no convention 'mine'; known are jaxgen"),
    "a transformer's convention": (
        "aot vae-digits --convention PaLM", "--convention PaLM counts transformers",
    ),
    "attention where there is none": ("aot vae-digits --attention fused", "has no such field"),
    "parallel": ("aot gpt-python --parallel all", "--parallel"),
    "another mesh": (
        "aot gpt-python --mesh data=3", "--mesh data=3 is of 3 devices, but there are 16",
    ),
    "heads that do not divide": (
        "aot gpt-python --mesh model=16", "model=16 does not divide axis 1 of params/block0/attention",
    ),
    "pmap over hosts": (
        "aot vae-digits --topology v5e:4x4 --parallel pmap", "one host, and v5e:4x4 has 4: choose --par",
    ),
    "no remat": ("aot vae-digits --remat", "--remat: the model of vae-digits has no such field"),
    "scaling's batch": ("scaling --batch-size 6 --topologies v5e:2x2", "6 is not a multiple of 4 chips"),
    "scaling's second": ("scaling --experiments gpt2-124m gtp", "no experiment 'gtp'"),
    "costs of nothing": ("costs gtp", "Nothing named 'gtp' has costs; the likest are gpt-python"),
    "costs of no batch": ("costs gpt-python --batch-size 0", "--batch-size 0 is no batch: give 1"),
    "remat of an equation": ("costs vae.elbo --remat", "vae.elbo is an equation.*leave --batch-size"),
    "remat of a vae": ("costs vae-digits --remat", "--remat: the model of vae-digits has no such field"),
    "scaling": ("scaling --topologies v5e:9x9", "no topology 'v5e:9x9'"),
}  # fmt: skip
NEED_LIBTPU = (
    "pmap over hosts", "chips that do not divide", "unknown convention", "a transformer's convention",
    "another mesh", "heads that do not divide",
)  # fmt: skip


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_is_one_sentence(case, tmp_path):
    if case in NEED_LIBTPU:
        pytest.importorskip("libtpu", reason="the TPU compiler is not installed: jaxgen[tpu-aot]")
    line, message = BAD_INPUT[case]
    (tmp_path / "file").write_text("{}")
    with pytest.raises(UserError, match=message) as error:
        cli.main(line.format(tmp=tmp_path).split())
    assert "\n" not in str(error.value)


def test_the_costs_of_a_step_an_equation_and_a_preset(capsys):
    cli.main(["costs", "gpt2-124m", "--batch-size", "2"])
    text = capsys.readouterr().out
    # 2 sequences of 1,024 in 12 layers of 12 heads of 64, forward; by both operands, backward.
    flops = 2 * 12 * 2 * 12 * 1024 * 1024 * 64
    (scores,) = (line for line in text.splitlines() if line.startswith("scores "))
    assert scores.split()[3:6] == ["2·L·B·N·T·S·H", f"{flops:,}", f"{2 * flops:,}"]
    assert "124,439,808 parameters" in text
    # Chowdhery's 6N + 12LHQT, by hand.
    palm = (6 * 124_439_808 + 12 * 12 * 12 * 64 * 1024) / 1e6
    assert f"| PaLM | {palm:,.2f} |" in text and "| Chinchilla |" in text
    cli.main(["costs", "vae-digits"])
    text = capsys.readouterr().out
    assert "encoder layer 1" in text and "convention" not in text
    cli.main(["costs", "attention.scaled-dot-product", "--markdown"])
    assert "| scores | matmul | H | 2·B·T·S·H |" in capsys.readouterr().out


def test_what_fails_leaves_no_file(tmp_path):
    line = "scaling --topologies v5e:2x2 --batch-size 7 --output {}/new/x.json"
    with pytest.raises(UserError, match="is not a multiple"):
        cli.main(line.format(tmp_path).split())
    assert list((tmp_path / "new").iterdir()) == []


def test_a_missing_compiler_is_named(monkeypatch):
    monkeypatch.setattr(topology.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"install the extra by pip install 'jaxgen\[tpu-aot\]'"):
        topology.find_topology("v5e:2x2")
    with pytest.raises(UserError, match=r"install the extra by pip install 'jaxgen\[cuda-aot\]'"):
        topology.find_topology("h100:8")


def test_status_two_and_the_sentence_on_stderr():
    command = [sys.executable, "-m", "benchmarks", "zzz"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2
    assert done.stderr.startswith("error: There is no benchmark 'zzz'; the likest are ")
