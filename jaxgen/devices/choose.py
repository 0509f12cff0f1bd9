"""Which plan: the one that was asked for, or the usual one."""

from collections.abc import Mapping, Sequence

import jax
from jax.sharding import AxisType

from jaxgen.devices.plan import Plan
from jaxgen.devices.sharding import AXES, check_batch, num_devices, parse_mesh
from jaxgen.devices.strategies import Copies, OneDevice, Split
from jaxgen.errors import UserError
from jaxgen.training.batch import DEVICES

PLANS = {plan.kind: plan for plan in (OneDevice, Copies, Split)}


def reading_plan() -> Plan:
    """To read a saved state and no more: on one device, or whole on all that a job has."""
    parallel = "jit" if jax.process_count() == 1 else "mesh"
    return make_plan(parallel, None, batch_size=jax.device_count())


def make_plan(
    parallel: str | None,
    mesh: str | None,
    *,
    batch_size: int,
    accumulate: int = 1,
    model_axes: Mapping[str, int] | None = None,
    devices: Sequence | None = None,
) -> Plan:
    """The plan that was asked for, or the usual one.

    That is jit on one device, pmap on several of one host, mesh over several hosts.

    Raises UserError where devices, mesh and batch do not fit each other.
    """
    # Those of one process side by side, as pmap wants them.
    devices = sorted(devices or jax.devices(), key=lambda device: device.process_index)
    hosts = len({device.process_index for device in devices})
    if parallel is None:
        several = "mesh" if mesh or hosts > 1 else "pmap"
        parallel = several if mesh or len(devices) > 1 else "jit"
    if mesh is not None and parallel != "mesh":
        raise UserError(f"--mesh {mesh} belongs to --parallel mesh, not {parallel}: leave it out.")
    if parallel == "jit":
        if hosts > 1:
            raise UserError("--parallel jit is for one process: choose pmap or mesh.")
        devices = devices[:1]
    sizes, names = (len(devices),), (DEVICES,)
    if parallel == "mesh":
        wanted = parse_mesh(mesh) if mesh else {"data": len(devices), "fsdp": 1, "model": 1}
        if num_devices(wanted) != len(devices):
            raise UserError(
                f"--mesh {mesh} is of {num_devices(wanted)} devices, but there are {len(devices)}: "
                "choose sizes whose product is that."
            )
        sizes, names = tuple(wanted.values()), AXES
    grid = jax.make_mesh(sizes, names, devices=devices, axis_types=(AxisType.Auto,) * len(sizes))
    plan = PLANS[parallel](grid, model_axes or {})
    check_batch(batch_size, plan.batch_shards, accumulate)
    return plan
