"""The templates of the pages, and what they do with text."""

from __future__ import annotations

import re
from html import escape

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

__all__ = ["templates"]


def templates() -> Environment:
    """Both templates escape what they are given: samples hold anything."""
    made = Environment(
        loader=PackageLoader("seqgan.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {
        "flags": _flags,
        "prose": _prose,
        "markdown": _markdown,
        "fenced": _fenced,
    }
    return made


def _flags(text: object) -> Markup:
    """Sentences in HTML, their command line flags as code, which does not break at hyphens."""
    return Markup(re.sub(r"--[a-z][\w.]*\w", r"<code>\g<0></code>", escape(str(text))))


def _prose(text: object) -> Markup:
    """Our own sentences in Markdown: nothing in them is HTML, and quotes stay quotes."""
    return Markup(escape(str(text), quote=False))


def _markdown(text: object) -> Markup:
    """Text of the user's that Markdown shows as it is, on one line."""
    line = escape(" ".join(str(text).split()), quote=False)
    return Markup(re.sub(r"([\\`*_\[\]|~$#])", r"\\\1", line))


def _fenced(text: str, kind: str = "text") -> Markup:
    """A block of code around text, with a fence that the text cannot close."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return Markup(f"{fence}{kind}\n{text}\n{fence}")
