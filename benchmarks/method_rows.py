"""The verdicts on the methods of ``seqgan run``, for ``seqgan methods`` and the docs.

They are read from results, never typed: ``seqgan-bench methods`` writes
``seqgan/methods/results.json`` and parts of the pages of the methods (`page_of`): verdicts between
``<!-- our row -->`` and ``<!-- /our row -->``, what they come to between ``<!-- verdict -->`` and
``<!-- /verdict -->``, and between ``<!-- published: NAME -->`` and
``<!-- /published -->`` the figures of ``published.yaml`` for what it calls NAME, and between
``<!-- counting: NAME; NAME -->`` and ``<!-- /counting -->`` rows of the table of
``benchmarks.policy_methods``. Results of the size smoke tell nothing and are left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from seqgan.cli.methods import outcome
from seqgan.config.methods import RESULTS, method_names
from seqgan.config.settings import Settings
from seqgan.runs.run_directory import write_text
from seqgan.terminal import say

from .changes import changed
from .method_index import indexed
from .pages import NOTHING
from .reading import read_yaml
from .results import Result, read_results
from .tables import PUBLISHED
from .verdict_cells import difference_cells
from .verdicts import verdicts

__all__ = [
    "MethodsSettings",
    "filled",
    "page_of",
    "page_row",
    "published",
    "rows_by_method",
    "write_rows",
]

DOCS = Path(__file__).parents[1] / "docs"
RESULTS_FOLDER = Path(__file__).parent / "results"
BLOCK = re.compile(r"<!-- our row -->\n.*?<!-- /our row -->", re.DOTALL)
VERDICT_BLOCK = re.compile(r"<!-- verdict -->\n.*?<!-- /verdict -->", re.DOTALL)
PUBLISHED_BLOCK = re.compile(
    r"<!-- published: (?P<name>[^>]+?) -->\n.*?<!-- /published -->", re.DOTALL
)

COUNTING_BLOCK = re.compile(
    r"<!-- counting: (?P<names>[^>]+?) -->\n.*?<!-- /counting -->", re.DOTALL
)
COUNTED = RESULTS_FOLDER / "policy-methods.md"
UNREAD = "No published figure was found to set beside those of our suites; the paper may have some."


@dataclass
class MethodsSettings(Settings):
    """Takes the verdicts on methods out of results, for ``seqgan methods`` and the docs.

    Attributes:
        results: folders of results; several are put together.
    """

    results: list[str]


def page_of(name: str) -> Path | None:
    """The page of a method; None: it has its row in the index alone."""
    page = DOCS / "methods" / f"{name}.md"
    return page if page.is_file() else None


def rows_by_method(results: Iterable[Result]) -> dict[str, list[dict[str, Any]]]:
    """For each method a row for each suite and size in which the arm of its name was run."""
    known = set(method_names())
    found: dict[str, list[dict[str, Any]]] = {}
    kept = [result for result in results if result["size"] != "smoke"]
    runs = {(each["suite"], each["size"], each["arm"]): each for each in kept}
    for row in verdicts(kept):
        if row.arm not in known or row.against != "mle":
            continue
        difference, interval, _, p_value = difference_cells(row)
        found.setdefault(row.arm, []).append(
            {
                "suite": row.suite, "size": row.size, "metric": row.metric,
                "seeds": list(row.seeds), "difference": difference, "interval": interval,
                "p": p_value, "against_control": row.between or "", "label": row.label,
                "changed": changed(runs[row.suite, row.size, row.arm]),
            }
        )  # fmt: skip
    return dict(sorted(found.items()))


def page_row(rows: list[dict[str, Any]]) -> str:
    """The rows of a method as its page shows them, in Markdown."""
    if not rows:
        return NOTHING
    columns = {
        "suite": "suite", "size": "size", "metric": "metric", "seeds": "seeds",
        "difference": "difference from MLE ↓", "interval": "95% interval", "p": "p (Holm)",
        "against_control": "against its control", "label": "verdict",
    }  # fmt: skip
    lines = [f"| {' | '.join(columns.values())} |", f"|{'---|' * len(columns)}"]
    for row in rows:
        cells = {**row, "seeds": len(row["seeds"]), "label": f"**{row['label']}**"}
        lines.append(f"| {' | '.join(str(cells[name]) for name in columns)} |")
    told = {f"{row['suite']} {row['size']}": ", ".join(row["changed"]) for row in rows}
    by_change: dict[str, list[str]] = {}
    for place, text in told.items():
        by_change.setdefault(text, []).append(place)
    for text, places in by_change.items():
        what = f"`{text}`" if text else "none"
        lines += ["", f"Settings other than the method's own at this size, which stand in brackets "
                  f"({', '.join(places)}): {what}."]  # fmt: skip
    return "\n".join(lines)


def published(name: str) -> str:
    """The figures that others have published for a method, in Markdown.

    Args:
        name: as `published.yaml` calls the method.
    """
    found, protocols = [], []
    for suite, part in read_yaml(PUBLISHED, PUBLISHED.name).items():
        for row in part["rows"]:
            if row["method"] != name:
                continue
            shown = "; ".join(f"{part['scores'][k]} {v:g}" for k, v in row["scores"].items())
            found.append(f"| `{suite}` † | {shown} | {row['source']} | {row.get('note', '')} |")
            protocols.append(f"† {suite}: {' '.join(str(part['protocol']).split())}")
    if not found:
        return UNREAD
    head = ["| suite | published | source | note |", "|---|---|---|---|"]
    return "\n".join([*head, *found]) + "".join(f"\n\n{x}" for x in dict.fromkeys(protocols))


def said(rows: list[dict[str, Any]]) -> str:
    """The outcome of the rows of a method, in a sentence."""
    if not rows:
        return "By our table: not yet measured."
    return f"By our table: {outcome(rows)}."


def filled(text: str, rows: list[dict[str, Any]]) -> str:
    """A page with the rows of its method, ours and the published ones."""
    block = f"<!-- our row -->\n\n{page_row(rows)}\n\n<!-- /our row -->"
    text = BLOCK.sub(lambda match: block, text)
    verdict = f"<!-- verdict -->\n\n{said(rows)}\n\n<!-- /verdict -->"
    text = VERDICT_BLOCK.sub(lambda match: verdict, text)
    text = COUNTING_BLOCK.sub(_counting, text)
    return PUBLISHED_BLOCK.sub(
        lambda match: (
            f"<!-- published: {match['name']} -->\n\n{published(match['name'])}\n\n"
            "<!-- /published -->"
        ),
        text,
    )


def _counting(match: re.Match[str]) -> str:
    """The block with the lines of the methods that it names, from the measured table."""
    names = [name.strip() for name in match["names"].split(";")]
    lines = COUNTED.read_text(encoding="utf-8").splitlines()
    head = next(i for i, line in enumerate(lines) if line.startswith("| method |"))
    rows = {line.split(" | ")[0].removeprefix("| "): line for line in lines[head + 2 :]}
    told = [
        line.rpartition(" | ")[0] + " |"
        for line in [*lines[head : head + 1], *(rows[x] for x in names)]
    ]
    rule = lines[head + 1].removesuffix("---:|")
    table = "\n".join([told[0], rule, *told[1:]])
    seeds = next(found[1] for line in lines if (found := re.search(r"--seeds (\d+)", line)))
    about = (
        f"Median and range over {seeds} seeds; `benchmarks/results/policy-methods.md` has all "
        "methods."
    )
    return f"<!-- counting: {match['names']} -->\n\n{table}\n\n{about}\n\n<!-- /counting -->"


def write_rows(settings: MethodsSettings, console: Console) -> int:
    """``seqgan-bench methods``."""
    results = [each for name in settings.results for each in read_results(Path(name))]
    found = rows_by_method(results)
    write_text(RESULTS, json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    say(console, f"{RESULTS}: {len(found)} methods")
    for name in method_names():
        page = page_of(name)
        if page is not None:
            text = page.read_text(encoding="utf-8")
            _write_if_new(page, text, filled(text, found.get(name, [])), console)
    index = DOCS / "methods.md"
    text = index.read_text(encoding="utf-8")
    _write_if_new(index, text, indexed(text, found), console)
    return 0


def _write_if_new(page: Path, text: str, again: str, console: Console) -> None:
    """Writes a page that changes."""
    if again != text:
        write_text(page, again)
        say(console, f"{page}: written")
