"""Where to compute and in which arithmetic, with the reason for the choice."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import torch

from taller_cnn.errors import ConfigError
from taller_cnn.files import cpu_flags

T = TypeVar("T")

_BFLOAT16_FLAGS = ("avx512_bf16", "amx_bf16", "bf16")
"""Names in ``/proc/cpuinfo`` of bfloat16 arithmetic: AVX-512, AMX, and ARM's."""


@dataclass(frozen=True)
class Choice(Generic[T]):
    """A choice and why it was made, so that the reader need not guess."""

    value: T
    reason: str
    """Message key ``devices.<reason>``."""


def choose_device(name: str) -> Choice[torch.device]:
    """The device called `name`; `auto` takes CUDA, else MPS, else the processor.

    Raises:
        ConfigError: there is no such device here.
    """
    available = _available()
    if name == "auto":
        best = available[-1]
        return Choice(torch.device(best), f"device_auto_{best}")
    try:
        device = torch.device(name)
        usable = device.type in available and _exists(device)
    except RuntimeError:
        usable = False
    if not usable:
        raise ConfigError("no_device", field="device", value=name, allowed=", ".join(available))
    return Choice(device, "asked")


def _available() -> list[str]:
    """Kinds of device that work here, the most capable last."""
    found = ["cpu"]
    if torch.backends.mps.is_available():
        found.append("mps")
    if torch.cuda.is_available():
        found.append("cuda")
    return found


def _exists(device: torch.device) -> bool:
    return device.type != "cuda" or (device.index or 0) < torch.cuda.device_count()


def choose_precision(name: str, device: torch.device) -> Choice[torch.dtype]:
    """The arithmetic called `name`; `auto` takes bfloat16 only where it is native.

    A processor without it computes bfloat16 in software, slower than float32.

    Raises:
        ConfigError: bfloat16 was asked for on a device that cannot do it.
    """
    native = _bfloat16_is_native(device)
    if name == "auto":
        if native:
            return Choice(torch.bfloat16, "precision_native")
        return Choice(torch.float32, "precision_no_native")
    if name == "bfloat16" and device.type == "mps" and not native:
        raise ConfigError("no_bfloat16", device=device.type)
    return Choice(torch.bfloat16 if name == "bfloat16" else torch.float32, "asked")


def sum_dtype(device: torch.device) -> torch.dtype:
    """The most precise type that sums on a device can have: Apple's GPU knows no float64."""
    return torch.float32 if device.type == "mps" else torch.float64


def _bfloat16_is_native(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu" or not sys.platform.startswith("linux"):
        return False
    return cpu_has_bfloat16(Path("/proc/cpuinfo"))


def cpu_has_bfloat16(cpuinfo: Path) -> bool:
    """Whether the first processor in a Linux ``cpuinfo`` file lists bfloat16 arithmetic."""
    return not cpu_flags(cpuinfo).isdisjoint(_BFLOAT16_FLAGS)
