"""`python -m benchmarks.gpt`: the GPT's step, over batch, width, depth and devices."""

from dataclasses import replace

from benchmarks.model import Sweep, change_batch


def change_width(experiment, size):
    """D, and F = 4·D."""
    return replace(
        experiment, model=replace(experiment.model, model_size=size, hidden_size=4 * size)
    )


def change_depth(experiment, layers):
    """L blocks."""
    return replace(experiment, model=replace(experiment.model, num_layers=layers))


EXPERIMENT = "gpt-python"
SWEEPS = {
    "batch": Sweep((4, 8, 16, 32), change_batch),
    "width": Sweep((64, 128, 256, 512), change_width),
    "depth": Sweep((1, 2, 4, 8), change_depth),
}

if __name__ == "__main__":
    from benchmarks.cli import main_one

    main_one("gpt")
