"""The table of samples chosen among candidates against plain ones."""

from __future__ import annotations

import numpy as np

from .overview import short
from .results import Result, grouped
from .table import Table
from .verdict_cells import difference_cells
from .verdicts import verdicts

__all__ = ["rescored_table"]


def rescored_table(size: str, results: list[Result]) -> Table | None:
    """A row per suite and arm with chosen samples, or None if there is none.

    Args:
        size: name.
        results: of that size.
    """
    cells = [{**each, "verdict": each["rescored"]} for each in results if each.get("rescored")]
    if not cells:
        return None
    seeds = grouped(cells, "suite", "arm")
    rows = []
    for row in verdicts(cells):
        mine = [cell["verdict"] for cell in seeds[row.suite, row.arm]]
        rows.append(
            [row.title, row.suite, f"{short(row.metric)}, {mine[0]['embedder']}",
             str(len(row.seeds)), _mean(mine, "mle_value"), _mean(mine, "finetuned_value"),
             *difference_cells(row), row.label]
        )  # fmt: skip
    level = float(cells[0]["verdict"]["confidence"])
    columns = [
        "chosen by", "suite", "judged by ↓", "seeds", "plain", "chosen", "difference ↓",
        f"{level:.0%} interval", "p", "p (Holm)", "against plain samples",
    ]  # fmt: skip
    notes = [
        "Samples of the MLE model, each drawn from several candidates with weights exp(beta f), f "
        "a discriminator's log-odds, as `seqgan sample --rescore` does; beta is fitted on "
        "validation. Against samples of the same model at equal self-BLEU, in the way that is best "
        "there on validation, by the Frechet distance of an encoder that had no part in the "
        "choice. A difference below 0 says that choosing pays."
    ]
    return Table(f"rescored-{size}", f"Chosen samples, size {size}", columns, rows, notes)


def _mean(found: list[dict], key: str) -> str:
    values = [each[key] for each in found if each[key] is not None]
    return f"{np.mean(values):.4f}" if values else ""
