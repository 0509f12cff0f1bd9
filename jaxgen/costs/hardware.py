"""Published peaks of accelerators, each with its source; what jax calls each device.

Dense rates: where a vendor prints figures with 2:4 sparsity, half of them stands here. Rates are per
jax device (a GPU, a TPU chip), sizes in bytes, GB as 10⁹ and GiB as 2³⁰ as the source has it.
"""

from dataclasses import dataclass

TERA, GIGA, GIBI = 10**12, 10**9, 2**30


@dataclass(frozen=True)
class Accelerator:
    """One device's published ceilings.

    Attributes:
      name: what people call it. device_kinds: `jax.Device.device_kind` strings.
      bfloat16_flops_per_second: dense matmuls. float32_flops_per_second: without matrix units.
      tensorfloat32_flops_per_second: dense matmuls of float32 with 10 bits of mantissa, which is what
        jax uses for float32 on these GPUs unless asked otherwise. None: not published.
      memory_bytes, memory_bytes_per_second: of the device's HBM.
      interconnect_bytes_per_second: NVLink or ICI, both directions together.
      source: the vendor's document.
    """

    name: str
    device_kinds: tuple[str, ...]
    bfloat16_flops_per_second: int
    float32_flops_per_second: int | None
    tensorfloat32_flops_per_second: int | None
    memory_bytes: int
    memory_bytes_per_second: int
    interconnect_bytes_per_second: int
    source: str


_A100 = "NVIDIA A100 Tensor Core GPU data sheet, 1758950-r4"
_H100 = (
    "NVIDIA H100 Tensor Core GPU data sheet; its tensor figures are with sparsity and halved here"
)
_H200 = (
    "NVIDIA H200 Tensor Core GPU data sheet; its tensor figures are with sparsity and halved here"
)
_B200 = (
    "NVIDIA Blackwell data sheet, HGX B200, individual GPU; its tensor figures are with sparsity and"
    " halved here (the earlier architecture brief printed 80 TFLOP/s of float32 and 8 TB/s)"
)


def _cloud(page: str) -> str:
    return f"Google Cloud TPU documentation, https://cloud.google.com/tpu/docs/{page}"


ACCELERATORS = (
    Accelerator(
        "A100 SXM 40 GB", ("NVIDIA A100-SXM4-40GB",),
        312 * TERA, 19_500 * GIGA, 156 * TERA, 40 * GIGA, 1_555 * GIGA, 600 * GIGA, _A100,
    ),
    Accelerator(
        "A100 SXM 80 GB", ("NVIDIA A100-SXM4-80GB",),
        312 * TERA, 19_500 * GIGA, 156 * TERA, 80 * GIGA, 2_039 * GIGA, 600 * GIGA, _A100,
    ),
    Accelerator(
        "A100 PCIe 40 GB", ("NVIDIA A100-PCIE-40GB",),
        312 * TERA, 19_500 * GIGA, 156 * TERA, 40 * GIGA, 1_555 * GIGA, 600 * GIGA, _A100,
    ),
    Accelerator(
        "A100 PCIe 80 GB", ("NVIDIA A100 80GB PCIe",),
        312 * TERA, 19_500 * GIGA, 156 * TERA, 80 * GIGA, 1_935 * GIGA, 600 * GIGA, _A100,
    ),
    Accelerator(
        "H100 SXM", ("NVIDIA H100 80GB HBM3",),
        1_979 * TERA // 2, 67 * TERA, 989 * TERA // 2,
        80 * GIGA, 3_350 * GIGA, 900 * GIGA, _H100,
    ),
    Accelerator(
        "H100 PCIe", ("NVIDIA H100 PCIe",),
        1_513 * TERA // 2, 51 * TERA, 756 * TERA // 2,
        80 * GIGA, 2_000 * GIGA, 600 * GIGA, _H100,
    ),
    Accelerator(
        "H200", ("NVIDIA H200",),
        1_979 * TERA // 2, 67 * TERA, 989 * TERA // 2,
        141 * GIGA, 4_800 * GIGA, 900 * GIGA, _H200,
    ),
    Accelerator(
        "B200", ("NVIDIA B200",),
        4_500 * TERA // 2, 75 * TERA, 2_200 * TERA // 2,
        180 * GIGA, 7_700 * GIGA, 1_800 * GIGA, _B200,
    ),
    Accelerator(
        "TPU v4", ("TPU v4",),
        275 * TERA, None, None, 32 * GIBI, 1_200 * GIGA, 600 * GIGA,
        _cloud("v4") + "; ICI: Jouppi et al. 2023, six links of 50 GB/s each way,"
        " https://arxiv.org/abs/2304.01433",
    ),
    Accelerator(
        "TPU v5e", ("TPU v5 lite", "TPU v5e"),
        197 * TERA, None, None, 16 * GIGA, 819 * GIGA, 400 * GIGA, _cloud("v5e"),
    ),
    Accelerator(
        "TPU v5p", ("TPU v5", "TPU v5p"),
        459 * TERA, None, None, 95 * GIBI, 2_765 * GIGA, 1_200 * GIGA, _cloud("v5p"),
    ),
    Accelerator(
        "TPU v6e", ("TPU v6 lite", "TPU v6e"),
        918 * TERA, None, None, 32 * GIGA, 1_638 * GIGA, 800 * GIGA, _cloud("v6e"),
    ),
)  # fmt: skip


def find_accelerator(device_kind: str) -> Accelerator | None:
    """The accelerator that jax calls `device_kind`; None where it is not in the table.

    Names must match to the letter: a device that is only like a known one has other peaks. For None,
    measure a ceiling on the device itself and say so.
    """
    return next((a for a in ACCELERATORS if device_kind in a.device_kinds), None)
