"""Figures: one panel each, as SVG that takes its colours from the page, and as PNG."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import Any

import matplotlib
import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

__all__ = ["COLOURS", "Drawn", "Plot", "draw", "few_ticks", "legend", "whole_numbers"]

COLOURS = {
    "text": "#1b1f24",
    "muted": "#5c6670",
    "grid": "#dde2e7",
    "mle": "#1f63b5",
    "finetuned": "#c2451a",
    "real": "#27804a",
    "control": "#8b5fb0",
}
"""The light palette. In the SVG each of them is the CSS variable of that name, so that a page can
give it another colour in the dark; the hex values must therefore differ from each other."""

STYLE: Any = {
    "font.family": "sans-serif",
    "font.size": 9.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "seqgan",
    "text.color": COLOURS["text"],
    "axes.labelcolor": COLOURS["text"],
    "axes.edgecolor": COLOURS["muted"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": COLOURS["grid"],
    "grid.linewidth": 0.7,
    "xtick.color": COLOURS["muted"],
    "ytick.color": COLOURS["muted"],
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "legend.frameon": False,
    "axes.formatter.useoffset": False,
}


@dataclass(frozen=True)
class Plot:
    """A figure that can be drawn.

    Attributes:
        name: of its file.
        title: its heading.
        caption: what is to be seen, for people; plain text.
        paint: draws it.
        height: in inches.
        width: in inches; the narrower, the larger its labels are on the page.
    """

    name: str
    title: str
    caption: str
    paint: Callable[[Axes], None]
    height: float = 3.0
    width: float = 4.25


@dataclass(frozen=True)
class Drawn:
    """A figure that was drawn.

    Attributes:
        name: of its file.
        title: its heading.
        caption: what is to be seen.
        svg: markup to stand within an HTML page.
        png: the file's content, on white.
    """

    name: str
    title: str
    caption: str
    svg: str
    png: bytes


def draw(plot: Plot) -> Drawn:
    """Draws a figure; the same input gives the same bytes."""
    with _style():
        figure = Figure(figsize=(plot.width, plot.height), layout="constrained")
        plot.paint(figure.add_subplot())
        figure.draw_without_rendering()  # the layout is found once and serves both files
        figure.set_layout_engine("none")
        text, picture = io.StringIO(), io.BytesIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(text, format="svg", transparent=True, metadata=nothing)
        figure.savefig(
            picture, format="png", dpi=150, facecolor="white", metadata={"Software": None}
        )
    return Drawn(
        plot.name, plot.title, plot.caption, _inline(text.getvalue(), plot), picture.getvalue()
    )


def legend(axes: Axes, columns: int = 3) -> None:
    """The legend in a row above the panel, where it covers nothing."""
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(-0.02, 1.0),
        ncols=columns,
        borderaxespad=0.2,
        columnspacing=1.1,
        handlelength=1.6,
        handletextpad=0.4,
    )


def few_ticks(axes: Axes) -> None:
    """Ticks along x that leave room for numbers of five digits between them."""
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5))


def whole_numbers(axes: Axes) -> None:
    """Ticks at whole numbers along x: epochs, rounds, steps."""
    axes.xaxis.set_major_locator(
        MaxNLocator(nbins=7, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1)
    )


@contextmanager
def _style() -> Iterator[None]:
    """Our style alone, whatever the user's matplotlibrc says, and only for the moment."""
    with matplotlib.style.context("default"), matplotlib.rc_context(STYLE):
        yield


def _inline(svg: str, plot: Plot) -> str:
    """Matplotlib's SVG file as an element of a page.

    Its style sheet goes, since it would reach the whole page, and so do name spaces, size and
    fonts, which are the page's. Ids get the figure's name, since all figures share the page.
    """
    found = re.search(r'<svg [^>]*(viewBox="[^"]*")[^>]*>(.*)</svg>', svg, flags=re.S)
    assert found is not None, "matplotlib wrote no SVG"
    box, body = found.groups()
    body = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", body, flags=re.S)
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.S)
    body = re.sub(r"font-family: [^;\"]*;? ?", "", body)
    body = body.replace("xlink:href", "href").replace(' id="', f' id="{plot.name}-')
    body = re.sub(r'(href="|url\()#', rf"\g<1>#{plot.name}-", body)
    for name, colour in COLOURS.items():
        body = body.replace(colour, f"var(--{name})")
    return f'<svg role="img" aria-label="{escape(plot.title)}" {box}>{body}</svg>'
