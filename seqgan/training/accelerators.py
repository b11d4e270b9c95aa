"""Devices, precision and processes, as accelerate sets them up."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import ProjectConfiguration

from ..errors import ConfigError
from ..terminal import processes
from .trackers import check_trackers, make_trackers

__all__ = ["make_accelerator", "set_matmul_precision"]


def make_accelerator(
    device: str = "auto",
    precision: str = "no",
    folder: Path | None = None,
    trackers: Iterable[str] = ("tensorboard",),
) -> Accelerator:
    """An accelerator for a device and a precision.

    Args:
        device: auto, cpu, cuda or mps.
        precision: no, bf16 or fp16.
        folder: the run's folder, where trackers write; None: nothing is tracked.
        trackers: their names.

    Raises:
        ConfigError: the device is not there, or a tracker cannot start.
        MissingExtraError: the package of a tracker is not installed.
    """
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError(f"--device: {device!r} asked for, but torch sees no CUDA device")
    if device == "mps" and not torch.backends.mps.is_available():
        raise ConfigError("--device: 'mps' asked for, but torch sees no Metal device")
    _check_precision(precision, device)
    several = processes()
    on_cpu = device == "cpu" or (several > 1 and not torch.cuda.is_available())
    if several > 1:
        _check_processes(device, on_cpu)
    # accelerate keeps one state a Python process; a second run may ask for another precision.
    if AcceleratorState._shared_state and AcceleratorState().num_processes == 1:
        AcceleratorState._reset_state(reset_partial_state=True)
    check_trackers(trackers)
    if folder is None:
        return Accelerator(cpu=on_cpu, mixed_precision=precision)
    return Accelerator(
        cpu=on_cpu,
        mixed_precision=precision,
        log_with=make_trackers(trackers, folder) or None,  # it warns of an empty list
        project_config=ProjectConfiguration(logging_dir=str(folder)),
    )


def set_matmul_precision(device: torch.device, precision: str) -> None:
    """Sets how CUDA devices multiply 32-bit numbers, convolutions and recurrent layers included.

    Args:
        device: of the run; other devices are left as they are.
        precision: highest, or high for TF32.
    """
    if device.type == "cuda":
        torch.set_float32_matmul_precision(precision)
        torch.backends.cudnn.allow_tf32 = precision != "highest"


def _check_precision(precision: str, device: str) -> None:
    """Refuses a precision that the device does not have."""
    on_cuda = device != "cpu" and torch.cuda.is_available()
    on_cpu = not on_cuda and (device == "cpu" or not torch.backends.mps.is_available())
    if precision == "fp16" and not on_cuda:
        hint = "bf16 works on a CPU too" if on_cpu else "leave it out elsewhere"
        raise ConfigError(f"--precision: fp16 is for CUDA devices; {hint}")
    if precision == "bf16" and not on_cuda and not on_cpu:
        raise ConfigError("--precision: bf16 is for CUDA devices and CPUs; leave it out elsewhere")
    if precision == "bf16" and on_cuda and not torch.cuda.is_bf16_supported():
        raise ConfigError("--precision: this CUDA device has no bf16; give fp16, or leave it out")


def _check_processes(device: str, on_cpu: bool) -> None:
    """Refuses what several processes cannot share."""
    if device == "mps":
        raise ConfigError("--device: 'mps' is for one process; start the run without a launcher")
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if not on_cpu and here > torch.cuda.device_count():
        raise ConfigError(
            f"--device: {here} processes on this machine, and torch sees "
            f"{torch.cuda.device_count()} CUDA devices; start one process for each of them"
        )
