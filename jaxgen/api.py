"""What a program does with an experiment: train it, load a run, and use what it has learnt.

    model = jaxgen.train("vae-digits", steps=500)      # as `python train.py vae-digits --steps 500`
    model = jaxgen.load("runs/vae-digits")             # the same, and of every run there is
    pixels = model.apply(model.weights, images)        # pure, like model.loss and model.step
    print(model.evaluate(), model.sample(seed=1))

A program and the command line see the same runs, and a run has the same bits whoever started it.
Both are for one process with any number of devices; for several there is the command line.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen import reader, runner
from jaxgen.cli.saved import names_a_checkpoint, run_folder
from jaxgen.data import Batches, Data
from jaxgen.devices.choose import PLANS
from jaxgen.errors import UserError
from jaxgen.experiments.registry import find_preset
from jaxgen.families.base import Experiment
from jaxgen.interrupts import held
from jaxgen.runs.fields import from_json, to_json
from jaxgen.runs.run import OWN, run_path
from jaxgen.suggest import did_you_mean
from jaxgen.training.state import Batch, State, Weights
from jaxgen.training.task import Task


@dataclass(frozen=True, eq=False, repr=False)
class Model:
    """A trained model with the functions that made it: a run's experiment and one of its checkpoints.

    Attributes:
      saved: the run on disk, with its experiment and the spec of its data.
      task: the functions. state: everything that a step changes, on one device.
    """

    saved: reader.SavedRun
    task: Task
    state: State

    def __repr__(self) -> str:
        name = self.saved.name.removeprefix(OWN)
        return f"Model({name}, step {int(self.state.step)}, {self.folder})"

    @property
    def folder(self) -> Path:
        """The run's directory: config.json, metrics.jsonl, checkpoints, samples, curves.png."""
        return self.saved.run.folder

    @property
    def experiment(self) -> Experiment:
        """The experiment with all its fields."""
        return self.saved.experiment

    @property
    def spec(self) -> Any:
        """What the model knows of its data: the sizes of an image, a tokenizer."""
        return self.saved.spec

    @cached_property
    def data(self) -> Data:
        """The data: `train` and `test`, each with `arrays` and `take(arrays, indices) -> batch`.

        Raises UserError where it is no longer what the run was started with.
        """
        return reader.load_same(self.saved)

    @property
    def weights(self) -> Weights:
        """What `apply` takes: params (a moving average, where one is kept) and extra."""
        return self.state.weights

    @property
    def params(self) -> Any:
        """The parameters, a pytree of arrays; of a GAN a dict of both players'."""
        return self.weights.params

    @property
    def apply(self) -> Any:
        """`apply(weights, inputs)`, pure.

        A VAE decodes images (B, height, width, C) at q's mean into logits (B, pixels), a GAN makes
        images of noise (B, Z), and of labels (B,) where it is told them, a language model logits
        (B, T, V) of tokens (B, T), a model of sound outputs (B, T, V) of (signal (B, T), features,
        label). Raises UserError
        where the experiment has none.
        """
        return self._own("apply")

    @property
    def loss(self) -> Any:
        """`loss(params, extra, batch, keys) -> (loss, Aux(metrics, extra))`, pure.

        The loss is the mean over the batch; keys (B,) hold one for each example. Of two players a dict
        of two, `(own_params, other_params, extra, batch, keys)`. Raises UserError where there is none.
        """
        return self._own("loss")

    @property
    def step(self) -> Any:
        """`step(state, batch) -> (state, metrics)`, pure and not compiled: `jax.jit` it."""
        return self.task.step

    def batches(self) -> Iterator[Batch]:
        """The training batches from this state's step on, endless, as training would take them."""
        order = self.experiment.order(self.data)
        for batch in Batches(self.data.train, order, int(self.state.step)):
            yield jax.tree.map(jnp.asarray, batch)

    def evaluate(self) -> dict[str, int | float]:
        """The held-out metrics, as `jaxgen evaluate` prints them: `step` and `eval/...`.

        Raises UserError where the experiment judges nothing.
        """
        part = reader.held_out(self.experiment, self.data)
        return reader.judged(self._own("evaluate"), self.state, part)

    def sample(self, path: str | Path | None = None, *, seed: int = 0, **fields: Any) -> Path:
        """Draw, and return the file that was written: a PNG of images, a text.

        Args:
          path: of the file, without its suffix; None: a new one in the run's samples.
          seed: of the noise. fields: those of the experiment's `sampling`, such as count or prompt.

        Raises UserError where the experiment draws nothing, and where a field is unknown or wrong.
        """
        draw = self._own("sample")
        if fields:
            experiment = _with_fields(self.experiment, {"sampling": fields})
            _, trained = reader.stand_on(experiment, self.folder)
            draw = reader.own(experiment.build(self.spec, trained), "sample", experiment)
        if path is None:
            path = self.saved.run.new_sample_path(int(self.state.step), seed)
        return draw(self.weights, jax.random.key(seed), Path(path))

    def _own(self, name: str) -> Any:
        return reader.own(self.task, name, self.experiment)


@held()
def train(
    experiment: str | Experiment,
    *,
    name: str | None = None,
    runs: str | Path = "runs",
    resume: bool = False,
    parallel: str | None = None,
    mesh: str | None = None,
    **fields: Any,
) -> Model:
    """Train an experiment to its last step in the directory runs/name, and return the model.

    Args:
      experiment: the name of a preset, or an instance of an Experiment class, which may be anybody's
        own: a frozen dataclass whose `build` returns a Task. Its fields, in JSON types, are saved.
      name: of the run; else the preset's name, or the class's in small letters.
      runs: the directory of runs.
      resume: go on with the run of this name where there is one, from its newest checkpoint; the bits
        are those of a run that nobody stopped. Fields that are not given come from that run, and
        none but `steps` may be another. A run that is finished is read, not trained. Without
        `resume` a run that exists is refused.
      parallel, mesh: as --parallel and --mesh; None: pmap where there are several devices.
      fields: other values for the experiment's fields. That of a nested config is a dict of its own
        fields, `model={"latent_size": 8}`, or a whole config.

    Raises:
      UserError: a name, a field or the data is wrong, the run exists, or a loss is not finite. Fields
        are named as flags, `--batch-size`.
      Interrupted: Ctrl-C or SIGTERM, after the state was saved; it is a KeyboardInterrupt. Ctrl-C before
        there is something to save is Python's own.
    """
    if parallel not in (None, *PLANS):
        raise UserError(f"parallel is {parallel!r}; {did_you_mean(str(parallel), PLANS)}.")
    if isinstance(experiment, Experiment):
        _refuse_what_no_run_can_hold(experiment)
        own = default = experiment
        saved_as, usual = reader.own_name(experiment), type(experiment).__name__.lower()
    else:
        own, default = None, find_preset(experiment).experiment
        saved_as = usual = experiment
    name = usual if name is None else name
    folder, devices = run_path(Path(runs), name), runner.Devices(parallel, mesh)
    if resume and folder.exists():
        saved = reader.load_run(folder, own)
        if saved.name != saved_as:
            raise UserError(f"{folder} is a run of {saved.name}, not of {saved_as}: name another.")
        runner.resume(saved, _with_fields(own or saved.experiment, fields), devices)
    else:
        runner.start(_with_fields(default, fields), saved_as, Path(runs), name, devices)
    return load(folder, own)


@held()
def load(
    run: str | Path, experiment: Experiment | None = None, checkpoint: str | int = "latest"
) -> Model:
    """The model of a run.

    Args:
      run: the run's directory, or the name of one under ./runs.
      experiment: for a run of an experiment that no preset names, an instance of its class.
      checkpoint: latest, best (by the experiment's held-out metric) or its step.

    Raises:
      UserError: there is no such run or checkpoint, or one of them cannot be used.
    """
    if not names_a_checkpoint(str(checkpoint)):
        raise UserError(f"checkpoint is {checkpoint!r}: give latest, best or a step.")
    saved = reader.load_run(run_folder(str(run)), experiment)
    return Model(saved, *reader.restore(saved.experiment, saved, str(checkpoint)))


def _with_fields(experiment: Experiment, fields: dict[str, Any]) -> Experiment:
    """The experiment with other values in these fields."""
    return from_json(experiment, fields, "The call") if fields else experiment


def _refuse_what_no_run_can_hold(experiment: Experiment) -> None:
    """Raise a UserError where config.json would not give this experiment back."""
    kind = type(experiment)
    if "__dataclass_params__" not in vars(kind):
        raise UserError(
            f"{kind.__name__} has to be a dataclass, so that its fields are saved: write "
            "@dataclass(frozen=True) above it."
        )
    for name, value in to_json(experiment).items():
        try:
            again = from_json(experiment, json.loads(json.dumps({name: value})), kind.__name__)
        except (TypeError, ValueError, NameError, UserError) as error:
            again, why = None, f" ({error})"
        else:
            why = ""
        if again != experiment:
            what = type(getattr(experiment, name)).__name__
            raise UserError(
                f"The field {name} of {kind.__name__} is a {what} that config.json does not give "
                f"back as it is{why}: let it be a number, a text, a tuple of them or a dataclass."
            )
