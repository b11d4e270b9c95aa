"""Writes explanations: a page, a figure per sequence, and JSON."""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from PIL import Image

from ..evaluation.attention import DETAILS, Attention
from ..evaluation.explain import Explanation
from ..evaluation.raters import KINDS, Kind
from ..runs.run_directory import write_bytes, write_text
from .drawing import COLOURS, Plot, draw
from .heat import STRONGEST
from .templating import templates

__all__ = ["Cell", "Picture", "View", "coloured", "views", "write_explanations"]

PAGE, DATA = "explain.html", "explain.json"
DOTS = " Dots: integrated gradients."
CHANGED = {"shares", "gradients", "advantages"}
"""Columns whose sign tells what a token speaks for."""
ROWS, DRAWN, LABELLED = 60, 40, 40
"""Tokens of a sequence, at most: in the table, in a figure that is SVG (longer ones are pixels),
and at the axes of a map of attention. So a page stays small, however long the sequences are."""
NAMED = 60
"""Tokens with their names below the bars of a figure."""
BARE = Kind("", "", "", "", "share", "")
"""Words where nothing judges."""


def columns_of(words: Kind) -> dict[str, tuple[str, str]]:
    """Columns of the table: title and meaning."""
    return {
        "log_prob": ("log-probability", "of the token under the model, nats"),
        "entropy": ("entropy", "of the model's prediction, nats"),
        "other": ("against", "log-probability of the token under the other model, nats"),
        "other_entropy": ("its entropy", "of the other model's prediction, nats"),
        "shares": (words.share, words.meaning),
        "gradients": ("gradients", f"integrated gradients of the {words.name}"),
        "values": (
            "value", f"{words.name} that the sequence has on average if the model goes on from here"
        ),
        "advantages": ("advantage", "change of the value by this token"),
    }  # fmt: skip


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
    """A map of attention, as a URL that holds a picture.

    Attributes:
        title: below it.
        url: the picture.
        rows: names of the rows at its left; empty: they are not named.
        columns: names of the columns below it.
    """

    title: str
    url: str
    rows: list[str] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class View:
    """A sequence as the page shows it.

    Attributes:
        found: the explanation.
        nats: log-probability of the whole sequence.
        other_nats: that under the other model.
        line: for each token its text and colour.
        rows: for each token of the table its numbers.
        named: attention, means over all layers and heads, with the tokens at the axes.
        pictures: attention of single heads, or means over some of them.
        detail: how `pictures` were made.
        windows: for each window its tokens and its share.
        width: the figure's on the page, at most, in rem.
        svg: the figure, as an element of the page.
        png: the same as a file.
    """

    found: Explanation
    nats: float
    other_nats: float
    line: list[tuple[str, Cell]]
    rows: list[list[Cell]]
    named: list[Picture]
    pictures: list[Picture]
    detail: str
    windows: list[tuple[str, Cell]]
    width: int
    svg: str
    png: bytes


def write_explanations(
    found: list[Explanation], folder: Path, run: str, model: str, against: str,
    remarks: Sequence[str] = (),
) -> Path:  # fmt: skip
    """Writes `explain.html`, `explain.json` and a figure for each sequence.

    Args:
        found: the explanations, one or more.
        folder: the folder; it is made.
        run: name of the run.
        model: name of the model.
        against: name of the model that it is compared with.
        remarks: sentences about the judge, at the top of the page.

    Returns:
        The page, one file that needs nothing else.
    """
    words = _words(found[0])
    every = columns_of(words)
    columns = [name for name in every if getattr(found[0], name)]
    shown = views(found, columns)
    for number, view in enumerate(shown, start=1):
        write_bytes(folder / f"explain-{number}.png", view.png)
    content: dict[str, Any] = {"run": run, "model": model}
    content["sequences"] = [each.to_dict() for each in found]
    if found[0].other:
        content["against"] = against
    content = _finite(content)
    # One line per sequence: with one per number a map of attention is a book.
    lines = ",\n".join(json.dumps(each, allow_nan=False) for each in content.pop("sequences"))
    head = json.dumps(content)[1:-1]
    write_text(folder / DATA, f'{{{head}, "sequences": [\n{lines}\n]}}\n')
    page = templates().get_template(PAGE).render(
        run=run, model=model, against=against if found[0].other else None, views=shown,
        columns=[every[name] for name in columns], words=words, remarks=remarks,
        judged=found[0].kind is not None, shares=bool(found[0].shares), most=ROWS,
        dots=DOTS if found[0].gradients else "", strongest=STRONGEST,
    )  # fmt: skip
    write_text(folder / PAGE, page)
    return folder / PAGE


def _finite(value: Any) -> Any:
    """The same, with None for numbers that JSON lacks: what is impossible has -inf nats."""
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _words(found: Explanation) -> Kind:
    return BARE if found.kind is None else KINDS[found.kind]


def views(found: list[Explanation], columns: list[str]) -> list[View]:
    """The sequences as the page shows them, all on one scale."""
    scale = {
        name: max((abs(x) for each in found for x in getattr(each, name)), default=0.0)
        for name in CHANGED
    }
    return [_view(number, each, columns, scale) for number, each in enumerate(found, start=1)]


def _view(number: int, found: Explanation, columns: list[str], scale: dict[str, float]) -> View:
    rows = [
        [_cell(getattr(found, name)[place], scale.get(name)) for name in columns]
        for place in range(min(ROWS, len(found.tokens)))
    ]
    pictures, named = list[Picture](), list[Picture]()
    for model, each in found.attention.items():
        named.append(_named(model, each, found))
        if len(each.maps) * len(each.maps[0]) > 1:
            pictures += _of_heads(model, each)
    most = max((abs(each.share) for each in found.windows), default=0.0)
    windows = [
        (" ".join(found.tokens[each.start : each.start + each.width]), _cell(each.share, most))
        for each in found.windows
    ]
    drawn = draw(_figure(number, found))
    shown = drawn.svg
    if len(found.tokens) > DRAWN:
        shown = f'<img src="{_url(_small(drawn.png))}" alt="{drawn.title}">'
    return View(
        found,
        sum(found.log_prob),
        sum(found.other),
        coloured(found.tokens, found.shares, scale["shares"]),
        rows,
        named,
        pictures,
        "; ".join({DETAILS[each.detail]: None for each in found.attention.values()}),
        windows,
        max(28, 2 * len(found.tokens)),
        shown,
        drawn.png,
    )


def _of_heads(model: str, found: Attention) -> list[Picture]:
    """The maps of a model one by one."""
    return [
        Picture(
            f"{model}, layer {layer + 1}"
            + (f", head {head + 1}" if found.detail == "heads" else ""),
            _heat(weights),
        )
        for layer, heads in enumerate(found.maps)
        for head, weights in enumerate(heads)
    ]


def _named(model: str, found: Attention, of: Explanation) -> Picture:
    """The mean of all maps of a model, with its tokens at the axes if there is room."""
    title, rows, columns = f"{model}, mean over layers and heads", [], []
    if found.tokens * found.looked_at > 1:
        title += f"; a row is {found.tokens} tokens, a column {found.looked_at}"
    elif len(found.mean) <= LABELLED and len(found.mean[0]) <= LABELLED:
        rows = [_visible(token) for token in of.tokens]
        # A generator's inputs are BOS and all tokens but the last; a source is not written out.
        inputs = {"generator": ["<bos>", *rows[:-1]], "discriminator": rows}
        columns = inputs.get(model, [str(place + 1) for place in range(len(found.mean[0]))])
    return Picture(title, _heat(found.mean), rows, columns)


def coloured(tokens: list[str], shares: list[float], most: float) -> list[tuple[str, Cell]]:
    """Tokens as they are shown, each with the colour of its share; `most` is the strongest.

    Without shares no token has a colour.
    """
    cells = [_cell(share, most) for share in shares] or [Cell("")] * len(tokens)
    return [(_visible(token), cell) for token, cell in zip(tokens, cells, strict=True)]


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
    return _url(content.getvalue())


def _small(png: bytes) -> bytes:
    """A picture at half its size and in few colours."""
    picture, content = Image.open(io.BytesIO(png)).convert("RGB"), io.BytesIO()
    half = picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.LANCZOS)
    half.quantize(16).save(content, "PNG", optimize=True)
    return content.getvalue()


def _url(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _figure(number: int, found: Explanation) -> Plot:
    """The shares of all tokens, or their likelihood where they have none."""
    shares, words = bool(found.shares), _words(found)
    title = f"What each token adds to the {words.name}" if shares else "Likelihood of each token"
    caption = (
        f"Bars: {words.share}.{DOTS if found.gradients else ''} Above 0 a token {words.above}."
        if shares
        else "Log-probability under the model, nats."
    )
    places = np.arange(len(found.tokens))

    def paint(axes: Axes) -> None:
        values = np.array(found.shares if shares else found.log_prob)
        colours = [COLOURS["real"] if value >= 0 else COLOURS["control"] for value in values]
        axes.bar(places, values, color=colours if shares else COLOURS["mle"])
        if found.gradients:
            axes.plot(places, found.gradients, "o", color=COLOURS["muted"], markersize=3)
        if shares:
            axes.axhline(0, color=COLOURS["muted"], linewidth=0.8)
        named = places[:: max(1, -(-len(places) // NAMED))]
        axes.set_xticks(named, [_label(found.tokens[i]) for i in named], rotation=60, ha="right")
        axes.set_ylabel(words.name if shares else "nats")

    width = min(14.0, max(4.25, 0.28 * len(found.tokens)))
    return Plot(f"explain-{number}", title, caption, paint, height=2.8, width=width)


def _label(token: str) -> str:
    """A token below a bar; matplotlib would read signs of dollar as mathematics."""
    token = _visible(token).replace("$", r"\$")
    return token if len(token) <= 14 else f"{token[:13]}…"
