"""GPUs that are not there: XLA compiles for them from a text that describes the device.

Only jax's CUDA plugin is needed, none of NVIDIA's libraries, no driver and no GPU: the extra
`pip install 'jaxgen[cuda-aot]'`. The compiler gives memory and the program's text, no costs, and
without a device it tunes nothing. The fields are those of `stream_executor.GpuTargetConfigProto`.
"""

import importlib.util
import os
from typing import Any

from jaxgen.costs.hardware import find_accelerator
from jaxgen.errors import UserError

KINDS = {"h100": "NVIDIA H100 80GB HBM3"}
"""What we call a GPU, and what jax calls it: its rates are those of `jaxgen.costs.hardware`."""

SIZES = ("1", "2", "4", "8")
"""GPUs of one host, all joined by NVSwitch."""

# Read off the device by XLA's authors: openxla/xla, xla/backends/gpu/target_config/specs/h100_sxm.txtpb.
_H100 = """
gpu_device_info {{
  threads_per_block_limit: 1024
  threads_per_warp: 32
  shared_memory_per_block: 49152
  shared_memory_per_core: 233472
  shared_memory_per_block_optin: 232448
  threads_per_core_limit: 2048
  core_count: 132
  fpus_per_core: 128
  block_dim_limit_x: 2147483647
  block_dim_limit_y: 65535
  block_dim_limit_z: 65535
  registers_per_core_limit: 65536
  registers_per_block_limit: 65536
  l2_cache_size: 52428800
  clock_rate_ghz: 1.98
  cuda_compute_capability {{ major: 9 minor: 0 }}
  memory_bandwidth: {memory_bytes_per_second}
  device_memory_size: {memory_bytes}
}}
platform_name: "CUDA"
dnn_version_info {{ major: 9 minor: 7 }}
runtime_version {{ major: 12 minor: 8 patch: 0 }}
device_description_str: "{kind}"
"""
_TARGETS = {"h100": _H100}


def require_plugin() -> None:
    """Raise a UserError that names the extra where jax's CUDA plugin is not installed."""
    if importlib.util.find_spec("jax_cuda12_plugin") is None:
        raise UserError(
            "Compiling for a GPU needs jax's CUDA plugin: install the extra by "
            "pip install 'jaxgen[cuda-aot]'."
        )


def find_gpus(name: str) -> tuple[Any, ...]:
    """The devices of a topology such as h100:8; a UserError where the plugin is missing."""
    require_plugin()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # or it says that there is no driver
    from jax.experimental import topologies

    generation, _, count = name.partition(":")
    kind = KINDS[generation]
    accelerator = find_accelerator(kind)
    target = _TARGETS[generation].format(
        kind=kind, memory_bytes=accelerator.memory_bytes,
        memory_bytes_per_second=accelerator.memory_bytes_per_second,
    )  # fmt: skip
    shape = f"1x1x{count}"  # slices, hosts of each, GPUs of each
    description = topologies.get_topology_desc(
        platform="cuda", topology_name=shape, topology=shape, target_config=target
    )
    return tuple(description.devices)
