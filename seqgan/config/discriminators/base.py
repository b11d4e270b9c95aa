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

    per_token: ClassVar[bool] = False
    """If the network judges every token."""
    reads_text: ClassVar[bool] = False
    """If the network reads the text of a sequence, and no embeddings of its tokens."""
    has_features: ClassVar[bool] = False
    """If the network has features, which its output layer judges."""
    listed: ClassVar[str] = "seqgan.config.discriminators:DISCRIMINATORS"
