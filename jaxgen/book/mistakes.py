"""The documents' mistakes at work: GANs of the ring, as printed and as corrected, side by side.

Each pair starts from one seed and differs in what is called wrong alone. 003, 4.2: a critic's loss whose
second sign is turned. 000, 4.1.1: a critic with nothing that bounds its slope. 002, 5.2: a label of 0.1
for generated data.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxgen import reader, runner
from jaxgen.experiments.registry import find_preset
from jaxgen.families.base import Experiment
from jaxgen.metrics.modes import mode_metrics
from jaxgen.metrics.pictures import save_clouds

POINTS = 2500


@dataclass(frozen=True)
class Side:
    """One of a pair: its title, and the fields that make it."""

    title: str
    fields: dict[str, Any]


CRITIC = {"discriminator_steps": 5, "weight_clip": 0.1}
PAIRS = {
    "critic-loss": (
        Side(
            "003, 4.2 as printed: −D(x) − D(G(z))",
            {**CRITIC, "loss": "gan.wasserstein-critic-loss:as-printed"},
        ),
        Side("corrected: −D(x) + D(G(z))", {**CRITIC, "loss": "wasserstein"}),
    ),
    "critic-value": (
        Side(
            "000, 4.1.1 as printed: no bound on the slope",
            {"discriminator_steps": 5, "loss": "gan.wasserstein-value:as-printed"},
        ),
        Side(
            "corrected: a gradient penalty",
            {"discriminator_steps": 5, "loss": "wasserstein-gp", "gradient_penalty": 1.0},
        ),
    ),
    "label-smoothing": (
        Side("002, 5.2 as printed: labels 0.9 and 0.1", {"loss": "gan.label-smoothing:as-printed"}),
        Side("as advised: labels 0.9 and 0", {"label_smoothing": "one-sided"}),
    ),
}


def side(fields: dict[str, Any], steps: int, seed: int) -> Experiment:
    """The ring's preset without what else keeps its discriminator smooth."""
    ring: Any = find_preset("gan-ring").experiment
    return replace(
        ring, steps=steps, seed=seed, eval_every=steps, checkpoint_every=steps,
        noise_penalty=0.0, r1=0.0, noise_steps=max(1, steps * 4 // 5), **fields,
    )  # fmt: skip


def run_mistakes(
    root: Path, path: Path, *, steps: int, seed: int = 0
) -> tuple[Path, dict[str, dict[str, float]]]:
    """Train all sides under `root` (finished ones are kept) and draw their points.

    Returns the picture, and for each of its clouds, by the name of the side's run, the mode metrics.
    """
    clouds, shown, centres = {}, {}, np.zeros((1, 2))
    for name, pair in PAIRS.items():
        for place, own in enumerate(pair):
            folder = root / f"mistake-{name}-{('printed', 'corrected')[place]}-{steps}-{seed}"
            if folder.exists():
                saved = reader.load_run(folder)
                runner.resume(saved, saved.experiment)
            else:
                runner.start(side(own.fields, steps, seed), "gan-ring", root, folder.name)
                saved = reader.load_run(folder)
            points = drawn(saved)
            mixture = saved.spec.mixture
            centres = np.asarray(mixture.centres)
            found = shown[folder.name] = mode_metrics(points, centres, mixture.deviation)
            title = f"{own.title}\n{found['modes']:.0f} of {len(centres)} modes, "
            clouds[f"{title}{100 * found['high_quality']:.0f} % of high quality"] = points
    return save_clouds(clouds, centres, path), shown


def drawn(saved: reader.SavedRun) -> np.ndarray:
    """Points of a run's generator."""
    experiment: Any = saved.experiment
    task, state = reader.restore(experiment, saved)
    noise = jax.random.normal(jax.random.key(1), (POINTS, experiment.model.latent_size))
    return np.asarray(reader.own(task, "apply", experiment)(state.weights, noise))
