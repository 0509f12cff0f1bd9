"""PyTorch's steps beside ours: turns and statistics on fake sides; losses where torch is installed."""

import ast
import importlib
import importlib.util
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit

from benchmarks import cli
from benchmarks.peers import FAMILIES, bursts, command
from benchmarks.peers.bursts import Ceiling, Elsewhere, Spread
from benchmarks.peers.ours import Case, Ours, draws_of
from jaxgen.errors import UserError

ROOT = Path(__file__).parents[2]
needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="torch is not installed: jaxgen[peers]"
)


class FakeMachine:
    """A clock that sides move on, and the record of their turns."""

    def __init__(self):
        self.now, self.turns = 0.0, []

    def clock(self):
        return self.now

    def side(self, name, seconds):
        def run(steps):
            self.turns.append((name, steps))
            self.now += seconds * steps

        return run


def test_sides_take_turns_and_another_begins_each_round():
    machine = FakeMachine()
    sides = {name: machine.side(name, s) for name, s in (("a", 1.0), ("b", 2.0), ("c", 4.0))}
    found = bursts.interleave(sides, {"a": 12, "b": 6, "c": 3}, 4, machine.clock)
    assert found == {"a": [1.0] * 4, "b": [2.0] * 4, "c": [4.0] * 4}
    timed = "".join(name for name, _ in machine.turns[1::2])
    assert timed == "abcbcacababc"
    assert machine.turns[:4] == [("a", 1), ("a", 12), ("b", 1), ("b", 6)]  # one step untimed first


def test_a_burst_is_of_whole_dispatches_about_as_long_as_asked():
    machine = FakeMachine()
    run = machine.side("a", 0.01)
    assert bursts.steps_in_burst(run, 10, 0.5, machine.clock) == 50
    assert machine.turns == [("a", 10), ("a", 20)]  # 0.1 s was too short to tell, 0.2 s was not
    assert bursts.steps_in_burst(machine.side("a", 1.0), 20, 0.5, machine.clock) == 20


def test_quartiles_are_those_of_the_values():
    assert Spread.of([5.0, 1.0, 4.0, 2.0, 3.0]) == Spread(5, 3.0, 2.0, 4.0)


def test_speed_is_in_the_faster_ones_and_a_slow_round_cancels():
    """Twice as fast in every round, although the second round was ten times slower for all."""
    times = {"ours": [1.0, 10.0, 1.0], "eager": [3.0, 30.0, 3.0], "compiled": [2.0, 20.0, 2.0]}
    found = bursts.compare(times)
    assert found["faster"] == "compiled"
    assert found["speed"] == {"n": 3, "median": 2.0, "low": 2.0, "high": 2.0}
    assert found["seconds"]["ours"] == {"n": 3, "median": 1.0, "low": 1.0, "high": 5.5}


def test_the_largest_difference_is_relative_and_nan_is_no_agreement():
    ours = [{"loss": 2.0, "extra": 7.0}, {"loss": 4.0, "extra": 7.0}]
    assert bursts.largest_difference(ours, [{"loss": 2.0}, {"loss": 3.0}]) == 0.25
    assert bursts.largest_difference(ours, [{"loss": 2.0}, {"loss": np.nan}]) == np.inf


def test_the_best_rate_leaves_two_calls_out(monkeypatch):
    """Calls of 1, 1, 5, 4 and 8 s: the best that counts is 4 s."""
    clock = iter([0, 1, 1, 2, 2, 7, 7, 11, 11, 19])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    assert bursts.best_rate(lambda: None, 8e9, 3) == 2e9


DISTURBED = {
    "quiet": ((200, 190), (100, 101), {}, 0.02, None),
    "slower after": ((200, 165), (100, 100), {}, 0.0, "jax's matmul reached 200 .* and 165 after$"),
    "slower before": ((160, 200), (100, 100), {}, 0.0, "jax's matmul reached 160 .* and 200 after$"),
    "torch alone": ((200, 200), (100, 60), {}, 0.0, "torch's matmul reached 100 .* and 60 after$"),
    "slower than earlier": ((160, 160), (100, 100), {"jax": 200e9}, 0.0, "160 after, but 200 earlier"),
    "a neighbour that stays": ((200, 200), (100, 100), {}, 0.25, "other processes took 25% of the"),
    "not known": ((200, 200), (100, 100), {}, None, None),
}  # fmt: skip


@pytest.mark.parametrize("case", DISTURBED)
def test_a_disturbed_machine_is_told(case):
    jax_rates, torch_rates, earlier, elsewhere, expected = DISTURBED[case]
    ceilings = {
        name: Ceiling(before * 1e9, after * 1e9)
        for name, (before, after) in (("jax", jax_rates), ("torch", torch_rates))
    }
    best = {name: ceiling.best for name, ceiling in ceilings.items()} | earlier
    found = bursts.disturbance(ceilings, best, elsewhere)
    assert found is None if expected is None else re.search(expected, found)


STAT = """cpu  9 9 9 9 9 9 9 9 9 9
cpu0 {0} 20 30 5000 600 7 8 90 0 0
cpu1 100 0 0 5000 0 0 0 0 0 0
cpu11 9 9 9 9 9 9 9 9 9 9
intr 5
"""


def test_cores_work_in_all_but_idle_and_waiting(monkeypatch):
    monkeypatch.setattr(bursts.os, "sysconf", {"SC_CLK_TCK": 100}.__getitem__)
    text = STAT.format(10)
    assert bursts.busy_seconds(text, [0]) == (10 + 20 + 30 + 7 + 8 + 90) / 100
    assert bursts.busy_seconds(text, [0, 1]) == 2.65


def test_the_share_of_others_is_what_is_not_ours(monkeypatch, tmp_path):
    """In 10 s of two cores 14 s were worked, 9 of them by us: 5 of 20."""
    clocks = {"perf_counter": iter([0.0, 10.0]), "process_time": iter([1.0, 10.0])}
    for name, values in clocks.items():
        monkeypatch.setattr(time, name, lambda values=values: next(values))
    monkeypatch.setattr(bursts.os, "sysconf", {"SC_CLK_TCK": 100}.__getitem__)
    monkeypatch.setattr(bursts, "_STAT", tmp_path / "stat")
    bursts._STAT.write_text(STAT.format(10))
    elsewhere = Elsewhere([0, 1])
    bursts._STAT.write_text(STAT.format(1410))
    assert elsewhere.share() == pytest.approx(0.25)


def test_without_the_systems_word_the_share_is_not_known(monkeypatch, tmp_path):
    monkeypatch.setattr(bursts, "_STAT", tmp_path / "nothing")
    assert Elsewhere([0]).share() is None


# What the command refuses, and what it shows.


BAD_INPUT = {
    "unknown": (
        "gtp",
        r"no peer 'gtp'; did you mean .*\? \(known are decoding, decode-1, decode-16, gan, .*, all\).$",
    ),
    "flag": ("vae --burst 3", "no field --burst: did you mean --bursts?"),
    "bursts": ("vae --bursts 1", "--bursts is 1: give 2 or more."),
    "seconds": ("vae --seconds 0", "--seconds is 0.0: give a number above 0"),
    "output": ("vae --json {tmp}", "is no JSON file"),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_is_one_sentence(case, tmp_path):
    line, message = BAD_INPUT[case]
    with pytest.raises(UserError, match=message):
        cli.main(["peers", *line.format(tmp=tmp_path).split()])


def test_without_torch_one_sentence_names_the_extra(monkeypatch):
    monkeypatch.setattr(command.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"install the extra by pip install 'jaxgen\[peers\]'.$"):
        cli.main(["peers", "vae"])


def test_without_a_compiler_one_sentence_names_it(monkeypatch):
    monkeypatch.setattr(command.importlib.util, "find_spec", lambda name: True)
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(UserError, match="there is no no-such-compiler: install one, or name it by"):
        cli.main(["peers", "vae"])


def test_a_machine_of_one_core_is_refused(monkeypatch):
    monkeypatch.setattr(command.os, "sched_setaffinity", lambda pid, cores: None, raising=False)
    monkeypatch.setattr(command.os, "sched_getaffinity", lambda pid: {3}, raising=False)
    with pytest.raises(
        UserError, match="2 threads, which 1 cores do not give: take a machine with 2"
    ):
        command.prepare()


def test_the_command_line_needs_no_torch():
    code = "import benchmarks.cli, sys; print('torch' in sys.modules)"
    command_ = [sys.executable, "-c", code]
    done = subprocess.run(command_, capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout == "False\n"


def test_every_family_has_its_file_with_the_cases_of_its_line():
    for family, names in FAMILIES.items():
        tree = ast.parse((ROOT / "benchmarks" / "peers" / f"{family}.py").read_text())
        (cases,) = (
            node.value for node in tree.body
            if isinstance(node, ast.Assign) and node.targets[0].id == "CASES"
        )  # fmt: skip
        assert tuple(key.value for key in cases.keys) == names


def test_a_name_is_a_familys_a_cases_or_all():
    assert command.find_cases("vae") == [("vae", name) for name in FAMILIES["vae"]]
    assert command.find_cases("gpt-small") == [("gpt", "gpt-small")]
    assert len(command.find_cases("all")) == sum(len(names) for names in FAMILIES.values())


def row(case, disturbed, times=None):
    times = times or {"ours": [0.001, 0.002], "eager": [0.004, 0.004], "compiled": [0.002, 0.003]}
    return {
        "case": case, "batch_size": 8, "matmul_flops": 2_500_000_000, "steps_per_burst": {"ours": 50},
        **bursts.compare(times), "first_difference": 1e-7, "later_difference": 2e-6,
        "matmul_flops_per_second": {
            "jax": {"before": 2e11, "after": 1.9e11}, "torch": {"before": 1e11, "after": 1.1e11},
        },
        "elsewhere": 0.01, "disturbed": disturbed,
    }  # fmt: skip


def values(*rows):
    return {
        "date": "2026-01-01", "machine": {"processor": "x", "load": 0.1}, "threads": 2,
        "versions": {"jax": "1", "torch": "2"}, "allocator_tuned": True, "rows": list(rows),
    }  # fmt: skip


def test_the_table_and_the_file(tmp_path, capsys):
    path = tmp_path / "x.json"
    command.report(values(row("a", None)), command.Options(json=path))
    assert json.loads(path.read_text())["rows"] == [row("a", None)]
    text = path.with_suffix(".md").read_text()
    assert capsys.readouterr().out == text
    assert "x, 2 threads on each side, load 0.1, allocator tuned; jax 1, torch 2." in text
    cells = (
        "| a | 2.5 | 1.5 (1.25 to 1.75) | 4 (4 to 4) | 2.5 (2.25 to 2.75) | 1.75 (1.62 to 1.88) | "
        "1e-07, 2e-06 | jax 200, 190; torch 100, 110 |"
    )
    assert cells in text


def test_a_side_of_our_own_is_told_and_not_compared_with():
    times = {"ours": [0.001] * 2, "uncached": [0.002] * 2, "eager": [0.004] * 2}
    text = command.markdown(values(row("a", None, times), row("b", "x", times)))
    same = "1 (1 to 1) | 4 (4 to 4) | - | 4 (4 to 4) | 1e-07, 2e-06 | jax 200, 190; torch 100, 110"
    assert f"{same} | ours uncached 2 (2 to 2) |" in text
    assert f"{same} | ours uncached 2 (2 to 2); DISTURBED: x |" in text


def test_a_disturbed_row_is_held_back_and_nothing_is_written(tmp_path, capsys):
    path = tmp_path / "x.json"
    found = values(row("a", None), row("b", "somebody ran"))
    with pytest.raises(
        UserError, match=r"^The machine was disturbed \(b: somebody ran\): quiet it"
    ):
        command.report(found, command.Options(json=path))
    out = capsys.readouterr().out
    assert "| a |" in out and "| b |" not in out and not path.exists()
    command.report(found, command.Options(json=path, force=True))
    assert "| DISTURBED: somebody ran |" in path.with_suffix(".md").read_text()


# Our side.


def test_what_a_function_draws_is_found_in_its_order():
    """Under vmap and a gradient, as losses draw, whatever is made of the draws."""

    def loss(weight, key):
        one, two = jax.random.split(key)
        noise = jax.vmap(lambda k: jax.random.normal(k, (3,)))(jax.random.split(one, 5))
        kept = jax.random.bernoulli(two, 0.5, (5, 3))
        return jnp.sum(jnp.where(kept, noise * weight, 0.0))

    weight, key = jnp.float32(2.0), jax.random.key(7)
    first, second = draws_of(jax.grad(loss), weight, key)(weight, key)
    one, two = jax.random.split(key)
    for i, k in enumerate(jax.random.split(one, 5)):
        np.testing.assert_array_equal(first[i], jax.random.normal(k, (3,)))
    np.testing.assert_array_equal(second, jax.random.bernoulli(two, 0.5, (5, 3)))


SMALL = Case(
    "vae-digits",
    {"batch_size": 8, "steps_per_dispatch": 3, "model": {"hidden_sizes": (16,), "latent_size": 2}},
)


def test_a_case_changes_fields_and_fields_of_fields():
    experiment, data = SMALL.load()
    assert (experiment.batch_size, experiment.model.hidden_sizes) == (8, (16,))
    assert experiment.likelihood == "bernoulli" and data.spec.shape == (8, 8, 1)
    _, pictures = Case("vae-digits", image_side=5).load()
    assert pictures.spec.shape == (5, 5, 1) and pictures.train.levels == 255


def test_our_losses_are_those_of_the_handed_out_parameters_batches_and_draws():
    """The negative ELBO written in NumPy; the second step's, too, before its update."""
    ours = Ours(SMALL)
    (noise,), (later,) = ours.draws(2)
    assert not np.array_equal(noise, later)
    pixels = ours.arrays["image"][ours.indices()[0]].reshape(8, -1)
    image = (pixels > 8).astype(np.float64)  # levels 0 to 16

    def dense(x, layer):
        return x @ layer["kernel"].astype(np.float64) + layer["bias"]

    def mlp(x, layers):
        return dense(np.maximum(dense(x, layers["Dense_0"]), 0), layers["Dense_1"])

    features = mlp(image, ours.params["encoder"])
    mean, log_variance = features[:, :2], features[:, 2:]
    p = expit(mlp(mean + np.exp(log_variance / 2) * noise, ours.params["decoder"]))
    pixel_nats = -np.sum(image * np.log(p) + (1 - image) * np.log(1 - p), axis=1)
    kl = 0.5 * np.sum(mean**2 + np.exp(log_variance) - 1 - log_variance, axis=1)
    (found, _) = ours.losses(2)
    assert found["loss"] == pytest.approx(np.mean(pixel_nats + kl), rel=1e-6)


def test_our_side_runs_the_steps_that_were_asked_for():
    """Whole dispatches of 3 and what is left of one."""
    ours = Ours(SMALL)
    ours.run(7)
    assert int(ours._state.step) == 7
    assert ours.flops == 6 * 8 * (64 * 16 + 16 * 4 + 2 * 16 + 16 * 64) - 2 * 8 * 64 * 16


# PyTorch's side.

EAGER = {"eager": False}  # compiling takes a minute; the last test does
OTHERS = {"gpt-large", *FAMILIES["decoding"]}
CASES = [name for names in FAMILIES.values() for name in names if name not in OTHERS]


@pytest.fixture
def one_thread():
    """Two threads that wait for each other are slow beside other tests."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@needs_torch
@pytest.mark.parametrize("case", CASES)
def test_losses_agree_at_first_and_after_five_updates(case, one_thread):
    """The same parameters, batches and draws; gpt-large is gpt-small's code at a size of seconds.

    What is left after five updates is held against the case's tolerance by `check`. A head of zeros
    gives each token the same nats, whose roundings add up where those of different ones cancel: 3e-6.
    """
    (family, _) = command.find_cases(case)[0]
    from benchmarks.peers import side_by_side

    ours, others = side_by_side.make_sides(family, case, EAGER)
    first, _ = side_by_side.check(case, ours, others)
    assert first <= (4e-6 if family == "gru" else 2e-6)


@needs_torch
@pytest.mark.parametrize("change", ["rate", "draw"])
def test_another_step_is_found_out(change, one_thread, monkeypatch):
    """A learning rate that is 1 % higher, or noise that is not ours."""
    from benchmarks.peers import side_by_side, theirs

    if change == "rate":
        rate = theirs.learning_rate
        monkeypatch.setattr(theirs, "learning_rate", lambda *given: 1.01 * rate(*given))
    else:
        monkeypatch.setattr(theirs, "normal", lambda noise, *shape: theirs.torch.randn(*shape))
    ours, others = side_by_side.make_sides("vae", "vae-digits", EAGER)
    with pytest.raises(RuntimeError, match="vae-digits: PyTorch's losses differ from ours by"):
        side_by_side.check("vae-digits", ours, others)


@needs_torch
@pytest.mark.parametrize("what", ["gates", "bias", "state", "muon"])
def test_another_gru_is_found_out(what, one_thread, monkeypatch):
    """Gates in another order, torch's second biases learnt, a state that is lost, Adam for Muon."""
    from benchmarks.peers import gru, side_by_side, theirs

    if what == "gates":
        monkeypatch.setattr(gru, "GATES", ("update", "reset", "candidate"))
    elif what == "bias":
        monkeypatch.setattr(gru.Tensor, "register_hook", lambda self, hook: None)
    elif what == "state":
        monkeypatch.setattr(gru, "follows", lambda indices, after: gru.torch.zeros(len(indices)))
    else:
        make = theirs.make_update
        monkeypatch.setattr(
            theirs, "make_update", lambda *args, hidden, **more: make(*args, **more)
        )
    ours, others = side_by_side.make_sides("gru", "gru-shakespeare", EAGER)
    with pytest.raises(RuntimeError, match="gru-shakespeare: PyTorch's losses differ from ours by"):
        side_by_side.check("gru-shakespeare", ours, others)


@needs_torch
def test_drawn_texts_agree_and_other_weights_are_found_out(one_thread, monkeypatch):
    """Ours with its cache and without, and `generate`: the same tokens of log-probabilities alike."""
    pytest.importorskip("transformers")
    from benchmarks.peers import decoding

    monkeypatch.setitem(decoding.CASES, "decode-3", decoding.Texts(3))
    monkeypatch.setattr(decoding, "NEW", 7)
    ours, others = decoding.make_sides("decode-3")
    first, all_of_them = decoding.check("decode-3", ours, others)
    assert 0 <= first <= all_of_them <= 5e-5
    drawn = np.asarray(ours.draw().tokens)
    assert drawn.shape == (3, 7) and len(set(drawn.ravel().tolist())) > 7
    assert ours.flops == 2 * 3 * (4 * 12 * 128**2 + 65 * 128 + 4 * 2 * 128)
    ours.params = jax.tree.map(lambda leaf: 1.001 * leaf, ours.params)
    with pytest.raises(RuntimeError, match="decode-3: "):
        decoding.check("decode-3", ours, others)


@needs_torch
def test_a_learning_rate_is_that_of_our_schedule():
    from benchmarks.peers import theirs
    from jaxgen.training.config import OptimizerConfig
    from jaxgen.training.optimizer import make_schedule

    for config in (
        OptimizerConfig(learning_rate=0.3, warmup_steps=5),
        OptimizerConfig(learning_rate=0.3, warmup_steps=5, schedule="cosine", decay_steps=40),
        OptimizerConfig(learning_rate=0.3, warmup_steps=5, schedule="linear", decay_steps=40),
    ):
        ours = make_schedule(config)
        for step in (0, 1, 4, 5, 6, 22, 39, 40, 41, 1000):
            assert theirs.learning_rate(config, step) == pytest.approx(float(ours(step)), rel=1e-6)


@needs_torch
@pytest.mark.filterwarnings("default")  # torch.compile's own
@pytest.mark.timeout(600)
def test_the_command_end_to_end_with_what_torch_compiles(tmp_path):
    """In a process of its own, as a person starts it; forced, since tests share their machine."""
    path = tmp_path / "vae.json"
    flags = ["--bursts", "2", "--seconds", "0.01", "--force", "--json", str(path)]
    command_ = [sys.executable, "-m", "benchmarks", "peers", "vae-digits", *flags]
    done = subprocess.run(command_, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    found = json.loads(path.read_text())
    (one,) = found["rows"]
    assert found["versions"]["torch"].startswith("2.") and found["threads"] == 2
    assert one["case"] == "vae-digits" and set(one["seconds"]) == {"ours", "eager", "compiled"}
    assert one["first_difference"] <= 1e-5 and one["speed"]["median"] > 0
    assert "| vae-digits |" in done.stdout
