"""Cells of tables that say a difference."""

from __future__ import annotations

import math

from .verdicts import SuiteVerdict

__all__ = ["difference_cells"]


def difference_cells(row: SuiteVerdict) -> list[str]:
    """Difference, interval, p-value, corrected p-value."""
    if row.found is None:
        why = f"in {row.not_comparable} of {len(row.seeds)} seeds none"
        return [why if row.not_comparable else "another metric in some seeds", "", "", ""]
    found = row.found
    assert row.corrected is not None
    return [
        _signed(found.difference), f"[{_signed(found.low)}, {_signed(found.high)}]",
        _p(found.p_value), _p(row.corrected),
    ]  # fmt: skip


def _signed(value: float) -> str:
    return f"{0.0 if abs(value) < 5e-5 else value:+.4f}"


def _p(value: float) -> str:
    return f"{math.ceil(1e3 * value) / 1e3:.3f}"
