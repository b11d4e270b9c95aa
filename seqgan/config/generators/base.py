"""Settings that all generators share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..components import Component

__all__ = ["GeneratorConfig"]


@dataclass
class GeneratorConfig(Component):
    """The policy."""

    group = "generator."

    listed: ClassVar[str] = "seqgan.config.generators:GENERATORS"
