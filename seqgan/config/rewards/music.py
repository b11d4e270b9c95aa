"""Settings of the terms that hear music."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .base import RewardTerm

__all__ = ["InKeyTerm"]


@dataclass
class InKeyTerm(RewardTerm):
    """Share of a tune's sounding time on notes of a key's scale.

    Attributes:
        key: D major, A# minor (natural); none: the key that is asked for, if there are such labels,
            else the scale that fits best.
    """

    builds: ClassVar[str] = "seqgan.rewards.music:InKey"
    alone = True
    name: str = "in_key"
    key: str | None = None
