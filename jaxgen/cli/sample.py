"""`jaxgen sample RUN ...`."""

import dataclasses

from jaxgen.cli.parsing import flat_field, parse
from jaxgen.cli.saved import names_a_checkpoint, run_folder
from jaxgen.devices.runtime import prepare_process
from jaxgen.errors import UserError, check


def sample(args: list[str]) -> None:
    """Draw more samples from a run: jaxgen sample RUN [--seed N] [...]."""
    prog = "jaxgen sample"
    if not args or args[0].startswith("-"):
        raise UserError(
            f"Name a run directory first: {prog} RUN; {prog} RUN --help lists the fields."
        )
    prepare_process()
    from jaxgen import runner

    saved = runner.load_run(run_folder(args[0]))
    sampling = getattr(saved.experiment, "sampling", None)
    if sampling is None:
        raise UserError(f"{saved.run.folder} is a run of {saved.name}, which draws no samples.")
    fields = [
        ("seed", int, 0), ("checkpoint", str, "latest"),
        ("sampling", flat_field(sampling), sampling),
    ]  # fmt: skip
    flags = parse(dataclasses.make_dataclass("Sample", fields), args[1:], f"{prog} {args[0]}")
    check(flags, "seed", lambda x: 0 <= x < 2**31, "0 or more, below 2^31")
    check(flags, "checkpoint", names_a_checkpoint, "latest, best or a step")
    print(runner.draw(saved, flags.sampling, flags.seed, flags.checkpoint))
