"""`python -m benchmarks.vae`: the VAE's step, over batch, width, depth and devices."""

from dataclasses import replace

from benchmarks.model import Sweep, change_batch


def change_width(experiment, size):
    """Every hidden layer of that width."""
    sizes = (size,) * len(experiment.model.hidden_sizes)
    return replace(experiment, model=replace(experiment.model, hidden_sizes=sizes))


def change_depth(experiment, layers):
    """So many hidden layers, as wide as the first."""
    sizes = experiment.model.hidden_sizes[:1] * layers
    return replace(experiment, model=replace(experiment.model, hidden_sizes=sizes))


EXPERIMENT = "vae-digits"
SWEEPS = {
    "batch": Sweep((32, 128, 512), change_batch),
    "width": Sweep((256, 512, 1024, 2048), change_width),
    "depth": Sweep((1, 2, 4, 8), change_depth),
}

if __name__ == "__main__":
    from benchmarks.cli import main_one

    main_one("vae")
