"""`python -m benchmarks.gan`: both players' step, over batch, width, depth and devices."""

from dataclasses import replace

from benchmarks.model import Sweep, change_batch


def _with_sizes(experiment, sizes):
    model = replace(experiment.model, generator_sizes=sizes, discriminator_sizes=sizes)
    return replace(experiment, model=model)


def change_width(experiment, size):
    """Every hidden layer of both players of that width."""
    return _with_sizes(experiment, (size,) * len(experiment.model.generator_sizes))


def change_depth(experiment, layers):
    """So many hidden layers in each player, as wide as the generator's first."""
    return _with_sizes(experiment, experiment.model.generator_sizes[:1] * layers)


EXPERIMENT = "gan-digits"
SWEEPS = {
    "batch": Sweep((32, 128, 512), change_batch),
    "width": Sweep((256, 512, 1024, 2048), change_width),
    "depth": Sweep((1, 2, 4, 8), change_depth),
}

if __name__ == "__main__":
    from benchmarks.cli import main_one

    main_one("gan")
