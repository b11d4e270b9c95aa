"""The constraints of samples by name."""

from __future__ import annotations

from ..errors import did_you_mean
from .checks import require
from .dotted import is_dotted

__all__ = ["CONSTRAINTS", "check_constraint"]

CONSTRAINTS: dict[str, str] = {
    "none": "",
    "smiles": "seqgan.data.smiles_prefixes:smiles",
    "grammar": "seqgan.data.constraints:grammar",
}
"""Dotted paths of the functions that make them of a codec."""


def check_constraint(flag: str, name: str) -> None:
    """Refuses a name that no constraint can have; nothing is imported.

    Raises:
        ConfigError: it is neither known nor a dotted path.
    """
    require(
        name in CONSTRAINTS or is_dotted(name),
        f"{flag}: {name!r} is none of {', '.join(CONSTRAINTS)} and no package.module:function"
        f"{did_you_mean(name, CONSTRAINTS)}",
    )
