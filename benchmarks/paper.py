"""Figures 3 and 4 of the SeqGAN paper: the NLL under the oracle over the rounds, as a table.

Policy gradient lowers that NLL whatever the reward says, by making the policy sharper. So the same
training with a constant reward stands beside the method, and beside the published curve what it
leaves out: the NLL of held-out data and the policy's entropy.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from seqgan.evaluation.significance import student_mean
from seqgan.metrics.catalogue import ENTROPY, NLL, NLL_SOURCE

from .arm_names import arm_set
from .results import Result, grouped
from .suite_files import REWARDS
from .table import Table, mean_and_spread

__all__ = ["SOURCE_CURVES", "paper_table", "published_value"]

ARMS = "figure-3"
"""The set of arms, in the common file."""
SOURCE_CURVES = {"source_nll": NLL_SOURCE, "trained_nll": NLL, "trained_entropy": ENTROPY}
"""Logged figures at temperature 1, and the scores that they are at the end."""
METHOD = "SeqGAN"
"""Name in `published.yaml` of the method whose figure is to be reached: its first row."""


def paper_table(results: list[Result], published: dict[str, Any]) -> Table | None:
    """The arms of Figure 3 in a suite: where each begins and ends, and its lowest NLL.

    Args:
        results: of one suite and size.
        published: content of `published.yaml`.

    Returns:
        The table; None: no such arm has curves.
    """
    wanted = arm_set(ARMS)
    arms = {arm: cells for (arm,), cells in grouped(results, "arm").items() if arm in wanted}
    curves = {arm: [_rows(cell) for cell in cells] for arm, cells in arms.items()}
    if not any(rows for seeds in curves.values() for rows in seeds):
        return None
    goal = published_value(results, published)
    rows = [_row(arms, arm, curves, goal) for arm in wanted if arm in arms]
    columns = [
        "arm", "seeds", "rounds", "generator steps", "NLL under the oracle: start", "end ↓",
        "lowest ↓", "held-out NLL: start", "end ↓", "entropy: start", "end",
        *(f"end minus that of the {reward} reward" for reward in REWARDS),
    ]  # fmt: skip
    if goal is not None:
        columns += [f"seeds that end at {goal:.3f} or below", "and whose lowest point is there"]
    first = results[0]
    title = f"{first['suite_title']}: Figure 3 of the SeqGAN paper in small (size {first['size']})"
    return Table(
        f"paper-{first['suite']}-{first['size']}", title, columns, rows, _notes(goal, wanted, arms)
    )


def published_value(results: list[Result], published: dict[str, Any]) -> float | None:
    """The published NLL of SeqGAN; None: the suite has none, or its oracle is another."""
    first = results[0]
    if first["published"] is None or any(result["absent"] for result in results):
        return None
    for row in published[first["published"]]["rows"]:
        if row["method"] == METHOD and NLL_SOURCE in row["scores"]:
            return float(row["scores"][NLL_SOURCE])
    return None


def _row(
    arms: dict[str, list[Result]], arm: str, curves: dict[str, list[Any]], goal: float | None
) -> list[str]:
    """An arm's cells; of a model without rounds only those of its end."""
    cells, seeds = arms[arm], [rows for rows in curves[arm] if rows]
    head = [cells[0]["title"], str(len(cells))]
    if not seeds:
        ends = [
            mean_and_spread([_score(cell, name) for cell in cells])
            for name in SOURCE_CURVES.values()
        ]
        last = lows = [_score(cell, NLL_SOURCE) for cell in cells]
        row = [*head, "", "", "", ends[0], "", "", ends[1], "", ends[2], *("" for _ in REWARDS)]
    else:
        settings = cells[0]["config"]["adversarial"]
        rounds = max(rows[-1]["round"] for rows in seeds)
        last = [rows[-1]["source_nll"] for rows in seeds]
        lows = [min(row["source_nll"] for row in rows) for rows in seeds]
        pairs = {
            name: [mean_and_spread([rows[at][name] for rows in seeds]) for at in (0, -1)]
            for name in SOURCE_CURVES
        }
        row = [
            *head, str(rounds), str(rounds * settings["generator_steps"]), *pairs["source_nll"],
            mean_and_spread(lows), *pairs["trained_nll"], *pairs["trained_entropy"],
            *(_against(cells, arms.get(f"{arm}-{reward}", [])) for reward in REWARDS),
        ]  # fmt: skip
    if goal is not None:
        row += [f"{sum(x <= goal for x in found)} of {len(found)}" for found in (last, lows)]
    return row


def _against(cells: list[Result], others: list[Result]) -> str:
    """Mean difference at the end over the seeds that both have, with Student's interval."""
    theirs = {cell["seed"]: _rows(cell) for cell in others}
    found = [
        _rows(cell)[-1]["source_nll"] - theirs[cell["seed"]][-1]["source_nll"]
        for cell in cells
        if _rows(cell) and theirs.get(cell["seed"])
    ]
    if not found:
        return ""
    mean = float(np.mean(found))
    if len(found) == 1:
        return f"{mean:+.3f} (one seed)"
    interval = student_mean(found)
    return f"{mean:+.3f} [{interval.low:+.3f}, {interval.high:+.3f}]"


def _notes(goal: float | None, wanted: list[str], arms: dict[str, list[Result]]) -> list[str]:
    notes = [
        "Everything at temperature 1, nats per token, mean ± standard deviation over seeds: curves "
        "of fresh samples and of validation sequences; of models without rounds the scores in the "
        "end. A lower NLL under the oracle at a higher held-out NLL and a lower entropy is a "
        "sharper policy, and no better one. A random reward's curve is of half as many samples. In "
        "brackets Student's 95% interval over seeds."
    ]
    if goal is not None:
        notes.append(
            f"{goal:.3f} is the published figure of SeqGAN. It counts as reached where the curve "
            "ends at it or below. The lowest of many noisy points lies below the end by chance "
            "alone, and stands beside it for completeness."
        )
    missing = [arm for arm in wanted if arm not in arms]
    if missing:
        notes.append(f"Not run: {', '.join(missing)}.")
    return notes


def _rows(cell: Result) -> list[dict[str, Any]]:
    """The measurements of an arm that have the NLL under the source."""
    curve = (cell.get("curves") or {}).get("validation", ())
    return [row for row in curve if "source_nll" in row]


def _score(cell: Result, name: str) -> float:
    return next((x["value"] for x in cell["scores"] if x["name"] == name), math.nan)
