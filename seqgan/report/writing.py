"""Writes `report.html`, `report.md` and `figures/` into a run's folder."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..runs.run_directory import RunDirectory, write_bytes, write_text
from .curves import learning_curves
from .distributions import distribution_plots
from .drawing import Drawn, draw
from .extremes import extreme_samples
from .facts import data_facts, environment_facts, split_table
from .heat import heat_map
from .record import MODELS, Record, read_record
from .rewards import objective_table, sample_rewards, term_curves
from .scores import score_table
from .templating import templates
from .tradeoff import tradeoff_plots, verdict_plot
from .words import cautions, explanation, headline, short_answer

__all__ = ["write_report"]

SHOW = 10
"""Samples of each model, where a run's settings do not say."""


def write_report(run: RunDirectory | str | os.PathLike[str], refresh: int | None = None) -> Path:
    """Writes the report of a run, from nothing but the run's folder.

    The same folder gives the same bytes. Runs that only pretrained, and unfinished ones, get a
    report of what there is.

    Args:
        run: the folder.
        refresh: seconds after which the page loads itself again, of a run that goes on; None:
            never.

    Returns:
        The path of `report.html`; `report.md` and `figures/*.png` lie beside it.

    Raises:
        RunDirectoryError: no run there, or a file of it is damaged.
    """
    run = RunDirectory.open(run)
    record = read_record(run)
    content = {**_content(record), "refresh": refresh}
    for figure in _figures(content):
        write_bytes(run.path / "figures" / f"{figure.name}.png", figure.png)
    pages = templates()
    for name in ("report.md", "report.html"):
        write_text(run.path / name, pages.get_template(name).render(content))
    return run.path / "report.html"


def _content(record: Record) -> dict[str, Any]:
    """Everything that the templates show."""
    answer = verdict_plot(record)
    columns, groups = score_table(record)
    split_columns, splits = split_table(record)
    return {
        "record": record,
        "verdict": record.verdict,
        "headline": headline(record),
        "short_answer": short_answer(record),
        "paragraphs": explanation(record),
        "cautions": cautions(record),
        "warnings": (record.results.get("data") or {}).get("warnings", []),
        "answer": None if answer is None else draw(answer),
        "columns": columns,
        "groups": groups,
        "tradeoffs": [draw(plot) for plot in tradeoff_plots(record)],
        "curves": [draw(p) for p in (*learning_curves(record), *term_curves(record))],
        "distributions": [draw(plot) for plot in distribution_plots(record)],
        "samples": _samples(record),
        "rewarded": sample_rewards(record),
        "objective": objective_table(record),
        "heat": heat_map(record),
        "extremes": extreme_samples(record),
        "facts_of_data": data_facts(record),
        "split_columns": split_columns,
        "splits": splits,
        "environment": environment_facts(record),
    }


def _figures(content: dict[str, Any]) -> list[Drawn]:
    first = [] if content["answer"] is None else [content["answer"]]
    return [*first, *content["tradeoffs"], *content["curves"], *content["distributions"]]


@dataclass(frozen=True)
class Shown:
    """Samples of one model.

    Attributes:
        title: of the model.
        name: of the model, and of its files.
        lines: the samples shown.
        count: samples in the file.
        picture: the samples as a picture, as a URL that holds it; None: they are text.
        drawing: the first of them drawn, as a URL that holds it; None: nothing draws them.
        sound: the first of them as MIDI, as a URL that holds it; None: they are no music.
    """

    title: str
    name: str
    lines: list[str]
    count: int
    picture: str | None
    drawing: str | None
    sound: str | None


def _samples(record: Record) -> list[Shown]:
    """The samples, real ones first."""
    show = int(record.setting("evaluation", "show", SHOW))
    return [
        Shown(
            MODELS[name], name, lines[:show], len(lines),
            _url(record.pictures.get(name), "image/png"),
            _url(record.drawings.get(name), "image/svg+xml"),
            _url(record.sounds.get(name), "audio/midi"),
        )
        for name in ("real", "mle", "finetuned")
        if show and (lines := record.samples.get(name)) is not None
    ]  # fmt: skip


def _url(content: bytes | None, kind: str) -> str | None:
    """A URL that holds a file itself, of a MIME type; a report that is moved alone keeps it."""
    if content is None:
        return None
    return f"data:{kind};base64," + base64.b64encode(content).decode()
