"""Settings that all discriminators share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..components import Component

__all__ = ["DiscriminatorConfig"]


@dataclass
class DiscriminatorConfig(Component):
    """The network that tells real sequences from generated ones."""

    group = "discriminator."

    listed: ClassVar[str] = "seqgan.config.discriminators:DISCRIMINATORS"
