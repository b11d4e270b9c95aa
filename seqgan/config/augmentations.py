"""The augmentations of sequences for the discriminator, by name."""

from __future__ import annotations

from ..errors import did_you_mean
from .checks import require
from .dotted import is_dotted

__all__ = ["AUGMENTATIONS", "check_augmentations"]

AUGMENTATIONS = {
    name: f"seqgan.data.augmentation:{name}"
    for name in (
        "token_dropout", "swap", "window_crop", "mask", "reversal", "random_smiles",
    )
}  # fmt: skip
"""Dotted paths of their functions."""


def check_augmentations(flag: str, names: list[str]) -> None:
    """Refuses names that no augmentation can have; nothing is imported.

    Raises:
        ConfigError: a name is neither known nor a dotted path.
    """
    for name in names:
        require(
            name in AUGMENTATIONS or is_dotted(name),
            f"{flag}: {name!r} is none of {', '.join(AUGMENTATIONS)} and no package.module:function"
            f"{did_you_mean(name, AUGMENTATIONS)}",
        )
