"""Writes explanations: a page, a figure per sequence, and JSON."""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from PIL import Image

from ..evaluation.explain import Explanation
from ..runs.run_directory import write_bytes, write_json, write_text
from .drawing import COLOURS, Plot, draw
from .heat import STRONGEST
from .templating import templates

__all__ = ["Cell", "Picture", "View", "coloured", "views", "write_explanations"]

PAGE, DATA = "explain.html", "explain.json"
DOTS = " Dots: integrated gradients."
CHANGED = {"occlusion", "gradients", "advantages"}
"""Columns whose sign tells what a token speaks for."""
COLUMNS = {
    "log_prob": ("log-probability", "of the token under the model, nats"),
    "other": ("against", "of the token under the other model, nats"),
    "entropy": ("entropy", "of the model's prediction, nats"),
    "occlusion": ("occlusion", "log-odds that are lost if the token is replaced by an average one"),
    "gradients": ("gradients", "integrated gradients of the log-odds"),
    "values": ("value", "log-odds that the sequence has on average if the model goes on from here"),
    "advantages": ("advantage", "change of the value by this token"),
}
"""Columns of the table: title and meaning."""


@dataclass(frozen=True)
class Cell:
    """A number of a token.

    Attributes:
        text: as it is shown.
        side: real or fake, as the sign says; neutral for numbers that say nothing of it.
        strength: opacity of its colour.
    """

    text: str
    side: str = "neutral"
    strength: float = 0.0


@dataclass(frozen=True)
class Picture:
    """Attention weights of one head, as a URL that holds a picture."""

    title: str
    url: str


@dataclass(frozen=True)
class View:
    """A sequence as the page shows it.

    Attributes:
        found: the explanation.
        nats: log-probability of the whole sequence.
        line: for each token its text and colour.
        rows: for each token its numbers.
        pictures: attention weights.
        windows: for each window its tokens and its share.
        width: the figure's on the page, at most, in rem.
        svg: the figure.
        png: the same as a file.
    """

    found: Explanation
    nats: float
    line: list[tuple[str, Cell]]
    rows: list[list[Cell]]
    pictures: list[Picture]
    windows: list[tuple[str, Cell]]
    width: int
    svg: str
    png: bytes


def write_explanations(
    found: list[Explanation], folder: Path, run: str, model: str, against: str
) -> Path:
    """Writes `explain.html`, `explain.json` and a figure for each sequence.

    Args:
        found: the explanations, one or more.
        folder: the folder; it is made.
        run: name of the run.
        model: name of the model.
        against: name of the model that it is compared with.

    Returns:
        The page, one file that needs nothing else.
    """
    columns = [name for name in COLUMNS if getattr(found[0], name)]
    shown = views(found, columns)
    for number, view in enumerate(shown, start=1):
        write_bytes(folder / f"explain-{number}.png", view.png)
    content = {"run": run, "model": model, "sequences": [each.to_dict() for each in found]}
    if found[0].other:
        content["against"] = against
    write_json(folder / DATA, content)
    titles = [(COLUMNS[name][0], COLUMNS[name][1]) for name in columns]
    page = templates().get_template(PAGE).render(
        run=run, model=model, against=against if found[0].other else None, views=shown,
        columns=titles, judged=found[0].log_odds is not None,
        dots=DOTS if found[0].gradients else "", strongest=STRONGEST,
    )  # fmt: skip
    write_text(folder / PAGE, page)
    return folder / PAGE


def views(found: list[Explanation], columns: list[str]) -> list[View]:
    """The sequences as the page shows them, all on one scale."""
    scale = {
        name: max((abs(x) for each in found for x in getattr(each, name)), default=0.0)
        for name in CHANGED
    }
    return [_view(number, each, columns, scale) for number, each in enumerate(found, start=1)]


def _view(number: int, found: Explanation, columns: list[str], scale: dict[str, float]) -> View:
    shares = found.occlusion or [0.0] * len(found.tokens)
    rows = [
        [_cell(getattr(found, name)[place], scale.get(name)) for name in columns]
        for place in range(len(found.tokens))
    ]
    line = coloured(found.tokens, shares, scale["occlusion"])
    pictures = [
        Picture(f"{model}, layer {layer + 1}, head {head + 1}", _heat(weights))
        for model, layers in found.attention.items()
        for layer, heads in enumerate(layers)
        for head, weights in enumerate(heads)
    ]
    most = max((abs(each.share) for each in found.windows), default=0.0)
    windows = [
        (" ".join(found.tokens[each.start : each.start + each.width]), _cell(each.share, most))
        for each in found.windows
    ]
    drawn = draw(_figure(number, found))
    return View(
        found,
        sum(found.log_prob),
        line,
        rows,
        pictures,
        windows,
        max(28, 2 * len(rows)),
        drawn.svg,
        drawn.png,
    )


def coloured(tokens: list[str], shares: list[float], most: float) -> list[tuple[str, Cell]]:
    """Tokens as they are shown, each with the colour of its share; `most` is the strongest."""
    return [
        (_visible(token), _cell(share, most)) for token, share in zip(tokens, shares, strict=True)
    ]


def _cell(value: float, most: float | None = None) -> Cell:
    """A number, coloured if there is a largest one to compare it with."""
    if not math.isfinite(value):
        return Cell("impossible")
    if most is None:
        return Cell(f"{round(value, 2) + 0.0:.2f}")  # -0.0 + 0.0 is 0.0
    side = "neutral" if not value else "real" if value > 0 else "fake"
    strength = round(STRONGEST * abs(value) / most, 3) if most else 0.0
    return Cell(f"{value:+.3f}", side, strength)


def _visible(token: str) -> str:
    return token if token.strip() else "\u2423"  # an open box: a blank would not be seen


def _heat(weights: list[list[float]]) -> str:
    """Weights from 0 to 1 as a grey picture, dark where they are large."""
    grey = np.rint(255 * (1 - np.clip(np.array(weights), 0, 1))).astype(np.uint8)
    content = io.BytesIO()
    Image.fromarray(grey).save(content, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()


def _figure(number: int, found: Explanation) -> Plot:
    """The shares of all tokens, or their likelihood where nothing judges."""
    judged = bool(found.occlusion)
    title = "What each token adds to the log-odds" if judged else "Likelihood of each token"
    caption = (
        f"Bars: occlusion.{DOTS if found.gradients else ''} Above 0 a token speaks for real."
        if judged
        else "Log-probability under the model, nats."
    )
    places = np.arange(len(found.tokens))

    def paint(axes: Axes) -> None:
        values = np.array(found.occlusion if judged else found.log_prob)
        colours = [COLOURS["real"] if value >= 0 else COLOURS["control"] for value in values]
        axes.bar(places, values, color=colours if judged else COLOURS["mle"])
        if found.gradients:
            axes.plot(places, found.gradients, "o", color=COLOURS["muted"], markersize=3)
        if judged:
            axes.axhline(0, color=COLOURS["muted"], linewidth=0.8)
        axes.set_xticks(places, [_label(token) for token in found.tokens], rotation=60, ha="right")
        axes.set_ylabel("log-odds" if judged else "nats")

    width = min(14.0, max(4.25, 0.28 * len(found.tokens)))
    return Plot(f"explain-{number}", title, caption, paint, height=2.8, width=width)


def _label(token: str) -> str:
    """A token below a bar; matplotlib would read signs of dollar as mathematics."""
    token = _visible(token).replace("$", r"\$")
    return token if len(token) <= 14 else f"{token[:13]}…"
