"""The commands `python -m benchmarks aot` and `scaling`: compile for chips that are not there."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from benchmarks.output import check_output
from jaxgen.cli.parsing import parse


@dataclass(frozen=True)
class AotOptions:
    """Compile an experiment's real step by the real compiler and print what it will cost."""

    experiment: tyro.conf.Positional[str]
    """An experiment of `python train.py`."""
    topology: str = "v5e:4x4"
    """A TPU slice, generation:shape, or GPUs of one host, h100:1 to h100:8."""
    parallel: Literal["pmap", "mesh"] = "mesh"
    """A copy of the state on each chip of one host, or arrays split over a mesh, as in training."""
    mesh: str | None = None
    """Sizes of the mesh, e.g. fsdp=16 or data=4,model=4; the batch split over all chips without."""
    accumulate: int = 1
    """Pieces that a batch is taken in."""
    remat: bool = False
    """Recompute a transformer's activations in the backward pass."""
    batch_size: int | None = None
    """Examples in a step, over all chips; the experiment's own where none is given."""
    attention: Literal["literal", "blockwise", "fused"] | None = None
    """The form of attention; the experiment's own where none is given."""
    convention: str = "jaxgen"
    """Whose FLOPs the predicted MFU counts."""
    json: Path | None = None
    """Also write the result to this file."""


def aot(args: list[str]) -> None:
    """Compile an experiment's step for absent chips: aot EXPERIMENT --topology v5e:4x4."""
    options = parse(AotOptions, args, "benchmarks aot")
    from benchmarks import select
    from benchmarks.aot.topology import check_topology

    check_topology(options.topology)
    if options.json is not None:
        check_output(options.json)
    found = select.find(
        options.experiment, batch_size=options.batch_size, accumulate=options.accumulate,
        attention=options.attention, remat=options.remat or None,
    )  # fmt: skip
    from benchmarks.aot.compile import compile_step, describe

    result = compile_step(
        options.experiment, *found, _topology(options.topology),
        parallel=options.parallel, mesh=options.mesh, convention=options.convention,
    )  # fmt: skip
    if options.json is not None:
        options.json.write_text(json.dumps(result.to_json(), indent=1) + "\n", encoding="utf-8")
    print(describe(result))


@dataclass(frozen=True)
class ScalingOptions:
    """Compile two GPTs for 1 to 256 chips: a table of how the step would scale."""

    experiments: tuple[str, ...] = ("gpt2-124m", "gpt3-1.3b")
    """What to compile."""
    topologies: tuple[str, ...] = ("v5e:1x1", "v5e:2x2", "v5e:4x4", "v5e:8x8", "v5e:16x16")
    """The slices."""
    batch_size: int = 256
    """The fixed global batch; a chip takes no more of it at once than of the growing one."""
    batch_per_chip: int | None = None
    """Sequences a chip of the growing global batch; 4 for gpt2-124m, else 1, where none is given."""
    attention: Literal["literal", "blockwise"] | None = None
    """The form of attention; the experiment's own where none is given."""
    output: Path = Path("benchmarks/results/scaling-aot.json")
    """The JSON file; a Markdown table and a plot are written beside it."""


def scaling(args: list[str]) -> None:
    """Compile GPTs for 1, 4, 16, 64 and 256 chips and write the scaling table."""
    options = parse(ScalingOptions, args, "benchmarks scaling")
    from benchmarks.aot.scaling import run_scaling
    from benchmarks.aot.topology import check_topology

    for name in options.topologies:
        check_topology(name)
    check_output(options.output)
    run_scaling(options, _topology)


def _topology(name: str):
    """The topology; the host's own backend is the CPU, so that no TPU is looked for."""
    import jax

    from benchmarks.aot.topology import find_topology

    jax.config.update("jax_platforms", "cpu")
    return find_topology(name)
