"""What the engine has to know of devices."""

from __future__ import annotations

import torch

__all__ = ["reading_waits"]


def reading_waits(device: torch.device) -> bool:
    """Whether reading a value from `device` makes the host wait for work that is under way.

    On a CPU it does not, so there a look at the data may save work. Everywhere else (a GPU, or
    torch's `meta` device, where there is nothing to read) hot loops must do without.
    """
    return device.type != "cpu"
