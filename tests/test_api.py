"""`import jaxgen`: what a program gets of an experiment, and a prototype of the engine."""

import ast
import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from matplotlib import image as matplotlib_image

import jaxgen
from jaxgen.cli.train import train as train_command
from jaxgen.data import from_arrays, load
from jaxgen.runs import stored
from jaxgen.runs.meter import is_time
from jaxgen.training.batch import example_keys

ROOT = Path(__file__).parents[1]
PROTOTYPE = ROOT / "docs" / "prototype.py"
OFTEN = ("--log-every", "5", "--checkpoint-every", "100")
TINY = {
    "vae-digits": {
        "model": {"hidden_sizes": [7], "latent_size": 3}, "sampling": {"count": 4}, "judge_samples": 0,
    },
    "gan-digits": {
        "model": {"generator_sizes": (7,), "discriminator_sizes": (5,), "latent_size": 3},
        "sampling": {"count": 4},
    },
    "gpt-python": {
        "model": {
            "num_layers": 1, "num_heads": 2, "model_size": 8, "hidden_size": 12, "max_seq_len": 16,
        },
        "seq_len": 16,
        "sampling": {"max_tokens": 20},
    },
}  # fmt: skip


def train_tiny(root, experiment="vae-digits", **others):
    cadence = {"steps": 4, "log_every": 1, "eval_every": 4, "checkpoint_every": 2}
    fields = {"batch_size": 8, **cadence, **TINY[experiment], **others}
    return jaxgen.train(experiment, runs=root, **fields)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def vae(root):
    return train_tiny(root)


@pytest.fixture(scope="module")
def longer(root):
    return train_tiny(root, name="longer", steps=8)


def metrics(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def digests(folder, step):
    """SHA-256 of every array of a saved step."""
    leaves = stored.read_manifest(folder / "checkpoints" / str(step)).leaves
    return {path: leaf.sha256 for path, leaf in leaves.items()}


# import jaxgen


def test_importing_is_quick_and_every_name_is_there():
    code = (
        "import sys, jaxgen\n"
        "assert set(jaxgen.__all__) <= set(dir(jaxgen))\n"
        "print('jax' in sys.modules, 'numpy' in sys.modules)\n"
        "for name in jaxgen.__all__: assert getattr(jaxgen, name) is not None\n"
        "print('jax' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False", "True"]
    with pytest.raises(AttributeError, match="module 'jaxgen' has no attribute 'trian'"):
        jaxgen.trian  # noqa: B018


def test_what_type_checkers_read_is_what_a_program_gets():
    tree = ast.parse(Path(jaxgen.__file__).read_text())
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    read = {
        alias.asname or alias.name: f"{line.module}.{alias.name}"
        for line in block.body
        for alias in line.names
    }
    assert read == {name: f"jaxgen.{place}" for name, place in jaxgen._PLACES.items()}
    for name in jaxgen.__all__:
        assert f"{name}" in jaxgen.__doc__


# from an experiment's name to what it has learnt


def test_a_program_and_the_command_line_make_the_same_run(vae, root):
    flags = (
        "--model.hidden-sizes 7 --model.latent-size 3 --sampling.count 4 --judge-samples 0"
        " --batch-size 8 --steps 4"
    )
    cadence = "--log-every 1 --eval-every 4 --checkpoint-every 2"
    where = ["--runs", str(root), "--name", "command"]
    train_command(["vae-digits", *where, *flags.split(), *cadence.split()])
    assert digests(root / "command", 4) == digests(vae.folder, 4)
    assert (root / "command" / "config.json").read_text() == (
        vae.folder / "config.json"
    ).read_text()
    assert repr(vae) == f"Model(vae-digits, step 4, {root / 'vae-digits'})"


def test_params_are_a_pytree_of_the_models_own(vae):
    shapes = jax.tree.map(jnp.shape, vae.params)
    assert shapes["encoder"]["Dense_0"] == {"kernel": (64, 7), "bias": (7,)}
    assert vae.params is vae.weights.params and vae.spec.shape == (8, 8, 1)


def test_apply_is_pure_and_the_models_own(vae):
    image = next(vae.batches())["image"]
    module = vae.experiment.model.make(vae.spec.shape)
    expected = module.apply({"params": vae.params}, image)
    np.testing.assert_array_equal(vae.apply(vae.weights, image), expected)
    doubled = vae.weights._replace(params=jax.tree.map(lambda leaf: 2 * leaf, vae.params))
    assert np.abs(vae.apply(doubled, image) - expected).max() > 1e-3
    np.testing.assert_array_equal(vae.apply(vae.weights, image), expected)


def test_the_next_step_and_its_loss_are_those_of_a_longer_run(vae, longer):
    logged = metrics(longer.folder)[4]
    batch = next(vae.batches())
    state, found = jax.jit(vae.step)(vae.state, batch)
    assert int(state.step) == 5
    assert float(found["loss"].total / found["loss"].count) == pytest.approx(
        logged["loss"], rel=1e-6
    )
    keys = example_keys(jax.random.fold_in(vae.state.key, 4), batch)
    loss, aux = vae.loss(vae.params, None, batch, keys)
    assert float(loss) == pytest.approx(logged["loss"], rel=1e-6)
    assert set(aux.metrics) == {"loss", "reconstruction_nats", "kl_nats"}


def test_held_out_metrics_are_those_that_were_logged(vae):
    logged = {name: value for name, value in metrics(vae.folder)[-1].items() if "eval/" in name}
    assert vae.evaluate() == {"step": 4, **logged}
    assert vae.data.test.num_examples == 360


def test_a_sample_is_a_new_file_unless_one_says_where(vae, tmp_path):
    first, second = vae.sample(seed=1), vae.sample(seed=1)
    assert first.parent == vae.folder / "samples" and first.name == "step-0000004-seed-1-1.png"
    assert second.name == "step-0000004-seed-1-2.png"
    assert first.read_bytes() == second.read_bytes() != vae.sample(seed=2).read_bytes()
    wide = vae.sample(tmp_path / "wide", count=9)
    assert wide == tmp_path / "wide.png"
    # 3 images a side instead of 2, enlarged to about 640 pixels together
    assert matplotlib_image.imread(wide).shape[0] % 3 == 0
    assert matplotlib_image.imread(first).shape[0] % 2 == 0


@pytest.mark.first
def test_two_players_have_two_losses(root):
    model = train_tiny(root, "gan-digits")
    assert set(model.params) == set(model.loss) == {"discriminator", "generator"}
    image = model.apply(model.weights, jnp.zeros((5, 3)))
    assert image.shape == (5, 8, 8, 1) and float(image.min()) >= 0 and float(image.max()) <= 1
    keys, batch = jax.random.split(jax.random.key(0), 8), next(model.batches())
    own, other = model.params["generator"], model.params["discriminator"]
    loss, aux = model.loss["generator"](own, other, None, batch, keys)
    mean = aux.metrics["generator_loss"]
    assert float(loss) == pytest.approx(float(mean.total / mean.count), rel=1e-6)


@pytest.mark.first
def test_a_language_model_goes_on_with_a_prompt(root, tmp_path):
    model = train_tiny(root, "gpt-python")
    tokens = jnp.zeros((2, 16), jnp.int32)
    assert model.apply(model.weights, tokens).shape == (2, 16, model.spec.vocab_size)
    text = model.sample(tmp_path / "text", prompt="The ", max_tokens=7).read_text()
    assert text.startswith("The ") and len(text) == 11


# runs: read, gone on with, refused


def test_a_run_is_read_by_its_folder_and_its_checkpoints(vae, root, monkeypatch):
    again = jaxgen.load(vae.folder)
    assert jax.tree.all(jax.tree.map(lambda a, b: (a == b).all(), again.params, vae.params))
    assert again.experiment == vae.experiment
    assert int(jaxgen.load(vae.folder, checkpoint=2).state.step) == 2
    assert int(jaxgen.load(str(vae.folder), checkpoint="best").state.step) == 4
    monkeypatch.chdir(root.parent)
    (root.parent / "runs").exists() or (root.parent / "runs").symlink_to(root)
    assert int(jaxgen.load("vae-digits").state.step) == 4


def test_resume_goes_on_to_the_bits_of_the_uninterrupted_run(vae, longer, tmp_path):
    shutil.copytree(vae.folder, tmp_path / "part")
    model = jaxgen.train("vae-digits", runs=tmp_path, name="part", resume=True, steps=8)
    assert int(model.state.step) == 8
    assert digests(tmp_path / "part", 8) == digests(longer.folder, 8)
    changed = (tmp_path / "part" / "metrics.jsonl").stat().st_mtime_ns
    again = jaxgen.train("vae-digits", runs=tmp_path, name="part", resume=True)
    assert int(again.state.step) == 8 and again.experiment.batch_size == 8
    assert (tmp_path / "part" / "metrics.jsonl").stat().st_mtime_ns == changed  # read, not trained


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda root: jaxgen.train("vae-digit"), "no experiment 'vae-digit'; did you mean vae-digits"),
        (lambda root: jaxgen.train("vae-digits", runs=root, stepz=1), "a field stepz, which .* did you"),
        (
            lambda root: train_tiny(root, name="x", model={"latent": 2}),
            r"a field model\.latent, which this experiment does not; did you mean latent_size",
        ),
        (lambda root: train_tiny(root, name="x", steps="4"), "The call has '4' for steps, which is not"),
        (lambda root: train_tiny(root, name="x", steps=0), "--steps is 0: give 1 or more"),
        (lambda root: train_tiny(root), "vae-digits exists: go on with it by --resume vae-digits"),
        (lambda root: train_tiny(root, name="../x"), "cannot name a run"),
        (lambda root: train_tiny(root, name="x", parallel="pmp"), "'pmp'; did you mean pmap"),
        (
            lambda root: train_tiny(root, resume=True, batch_size=4),
            "--batch-size is 8 in the run and 4 here",
        ),
        (lambda root: train_tiny(root, resume=True, steps=2), "--steps is 2, but the run has done 4"),
        (
            lambda root: jaxgen.train("gan-digits", runs=root, name="vae-digits", resume=True),
            "vae-digits is a run of vae-digits, not of gan-digits: name another",
        ),
        (lambda root: jaxgen.load(root / "none"), "none is not a run"),
        (lambda root: jaxgen.load(root / "vae-digits", checkpoint=3), "has no step 3"),
        (lambda root: jaxgen.load(root / "vae-digits", checkpoint="first"), "give latest, best or a s"),
        (lambda root: jaxgen.find_equation("vae.elb"), "nearest id is 'vae.elbo'"),
    ],
)  # fmt: skip
def test_what_a_program_can_do_wrong_is_one_sentence(vae, root, call, message):
    before = sorted(root.iterdir())
    with pytest.raises(jaxgen.UserError, match=message) as error:
        call(root)
    assert "\n" not in str(error.value)
    assert sorted(root.iterdir()) == before  # nothing half-written


def test_the_experiments_with_their_summaries():
    summaries = jaxgen.list_experiments()
    assert summaries["vae-digits"] == jaxgen.find_preset("vae-digits").summary
    assert jaxgen.find_preset("vae-digits").experiment.steps == 3000


# a prototype of one's own


@dataclasses.dataclass(frozen=True)
class Line(jaxgen.Experiment):
    """Least squares: a plain dict of arrays, data of one's own, a step that counts in `extra`."""

    kind = "arrays"
    steps: int = 200
    batch_size: int = 20
    slope: float = 3.0
    offset: float = -1.0

    def load(self):
        x = np.linspace(-1, 1, 40)
        split = {"x": x, "y": self.slope * x + self.offset}
        return from_arrays(split, split)

    def build(self, spec, trained=None):
        def loss(params, extra, batch, keys):
            error = batch["y"] - params["slope"] * batch["x"] - params["offset"]
            seen = jaxgen.sum_over_batch(jnp.ones_like(error))
            return jnp.mean(error**2), jaxgen.Aux({"loss": jaxgen.Mean.of(error**2)}, extra + seen)

        def init(key):
            return jaxgen.Weights({"slope": jnp.zeros(()), "offset": jnp.zeros(())}, jnp.zeros(()))

        return jaxgen.one_player(
            init, loss, optax.adam(0.1), **self.step_options,
            apply=lambda weights, x: weights.params["slope"] * x + weights.params["offset"],
        )  # fmt: skip


def test_arrays_and_a_pytree_of_ones_own(tmp_path):
    model = jaxgen.train(Line(), runs=tmp_path)
    assert model.folder.name == "line" and repr(model).startswith("Model(Line, step 200")
    np.testing.assert_allclose(model.params["slope"], 3, atol=1e-3)
    np.testing.assert_allclose(model.apply(model.weights, jnp.array([2.0])), [5], atol=2e-3)
    assert float(model.weights.extra) == 200 * 20
    fields = json.loads((model.folder / "config.json").read_text())
    assert fields["experiment"] == "own:Line" and fields["fields"]["slope"] == 3.0
    again = jaxgen.load(model.folder, Line())
    assert again.params == model.params and again.experiment == Line()


def test_what_a_prototype_lacks_is_said_when_it_is_asked_for(tmp_path):
    model = jaxgen.train(Line(), runs=tmp_path, steps=2)
    for ask, lacks in ((model.evaluate, "evaluate"), (model.sample, "sample")):
        with pytest.raises(jaxgen.UserError, match=f"Line has no `{lacks}`: give its Task one"):
            ask()
    with pytest.raises(jaxgen.UserError, match="Line has no cost table"):
        model.experiment.costs(model.spec)


class Undecorated(Line):
    pass


@dataclasses.dataclass(frozen=True)
class WithFunction(Line):
    activation: object = jnp.tanh


@dataclasses.dataclass(frozen=True)
class Other(Line):
    pass


@dataclasses.dataclass(frozen=True)
class Forgetful(jaxgen.Experiment):
    kind = "arrays"

    def build(self, spec, trained=None):
        raise NotImplementedError


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda root: jaxgen.train(Undecorated(), runs=root), "Undecorated has to be a dataclass, so"),
        (lambda root: jaxgen.train(WithFunction(), runs=root), "The field activation of WithFunct"),
        (lambda root: jaxgen.train(Forgetful(), runs=root), "No source holds arrays: give the experi"),
        (lambda root: jaxgen.load(root / "line"), "run of Line, which is nowhere registered: hand an"),
        (lambda root: jaxgen.load(root / "line", Other()), "a run of Line, not of Other"),
        (
            lambda root: jaxgen.train(Line(slope=2.0), runs=root, resume=True),
            "--slope is 3.0 in the run and 2.0 here",
        ),
    ],
)  # fmt: skip
def test_what_a_prototype_can_do_wrong_is_one_sentence(tmp_path, call, message):
    jaxgen.train(Line(steps=2), runs=tmp_path)
    with pytest.raises(jaxgen.UserError, match=message) as error:
        call(tmp_path)
    assert "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["line"]


# the 40 lines of docs/prototype.py


def start(folder, *flags, devices=1):
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "JAX_NUM_CPU_DEVICES": str(devices),
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, str(PROTOTYPE), *flags], cwd=folder, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def run(*args, **others):
    process = start(*args, **others)
    printed, complaint = process.communicate()
    assert process.returncode == 0, complaint
    return printed


def best_affine_error(noise):
    """E of the best affine denoiser of the training images, on the held-out ones: Wiener's filter.

    x̂ = m + W (x + σ e − m) with W = C (C + σ² I)⁻¹; its error is |(I − W)(x − m)|² + σ² tr(W Wᵀ).
    """
    data = load("digits", kind="images")
    train, test = (
        split.take(split.arrays, np.arange(split.num_examples))["image"].reshape(-1, 64)
        for split in (data.train, data.test)
    )
    mean, covariance = train.mean(axis=0), np.cov(train.T)
    W = covariance @ np.linalg.inv(covariance + noise**2 * np.eye(64))
    bias = np.sum(((test - mean) @ (np.eye(64) - W).T) ** 2, axis=1)
    return bias.mean() + noise**2 * np.trace(W @ W.T)


def test_the_prototype_is_40_lines_and_nowhere_registered():
    lines = PROTOTYPE.read_text().splitlines()
    assert len(lines) <= 40
    assert "denoiser" not in jaxgen.list_experiments()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """(what was printed, the run's folder) of the prototype, never stopped."""
    folder = tmp_path_factory.mktemp("prototype")
    return run(folder, *OFTEN), folder / "runs" / "denoiser"


@pytest.mark.first
def test_the_prototype_reaches_its_number(trained):
    printed = trained[0].splitlines()[-1]
    assert printed.startswith("{'step': 1000")
    found = float(re.search(r"'eval/loss': ([\d.]+)", printed)[1])
    stated, affine = map(float, re.findall(r"\d\.\d\d", PROTOTYPE.read_text().splitlines()[0]))
    assert found == pytest.approx(stated, abs=0.05)  # four seeds: 2.08 to 2.11
    assert best_affine_error(0.5) == pytest.approx(affine, abs=0.01)
    assert found < 0.95 * affine


@pytest.mark.first
def test_the_prototype_killed_and_run_again_has_the_same_bits(trained, tmp_path):
    process, folder = start(tmp_path, *OFTEN), tmp_path / "runs" / "denoiser"
    while not list((folder / "checkpoints").glob("[1-9]*00/manifest.json")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (folder / "checkpoints" / "1000").exists()
    run(tmp_path, *OFTEN)
    assert digests(folder, 1000) == digests(trained[1], 1000)
    for ours, theirs in zip(metrics(folder), metrics(trained[1]), strict=True):
        assert [(k, v) for k, v in ours.items() if not is_time(k)] == [
            (k, v) for k, v in theirs.items() if not is_time(k)
        ]


@pytest.mark.first
def test_the_prototype_trains_alike_on_two_devices(trained, tmp_path):
    assert "pmap" in run(tmp_path, *OFTEN, "--steps", "20", devices=2) and "pmap" not in trained[0]
    ours, theirs = metrics(tmp_path / "runs" / "denoiser"), metrics(trained[1])[:4]
    for one, other in zip(ours, theirs, strict=True):
        assert one["step"] == other["step"]
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-5)  # float32 sums, reordered
