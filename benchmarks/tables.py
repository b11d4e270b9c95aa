"""Tables of results: Markdown for people, CSV for programs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from seqgan.metrics.catalogue import (
    ARROWS,
    ENTROPY,
    FRECHET,
    JENSEN_SHANNON,
    NLL,
    NLL_SOURCE,
    RESIDUAL_GAIN,
    label,
)
from seqgan.runs.run_directory import write_text

from .comparing import rivals_table
from .experiments import experiment_tables
from .objectives import objective_table
from .overview import aggregate_tables, overview_table
from .paper import paper_table
from .reading import read_yaml
from .rescored_table import rescored_table
from .results import Result, grouped
from .score_cells import COMPUTE, compute_columns, score_cell
from .summary import summary_table
from .table import Table, as_csv
from .verdict_table import verdict_table
from .verdicts import verdicts

__all__ = ["make_tables", "scores_csv", "write_tables"]

PUBLISHED = Path(__file__).parent / "published.yaml"
COLUMNS = {
    True: (
        NLL, RESIDUAL_GAIN, ENTROPY, NLL_SOURCE, "forward-kl", "reverse-kl", JENSEN_SHANNON,
        "unique", "copied",
    ),
    False: (
        NLL, "reverse-perplexity", RESIDUAL_GAIN, ENTROPY, FRECHET, "bleu-2", "bleu-3", "bleu-4",
        "bleu-5", "self-bleu-2", "self-bleu-3", "self-bleu-4", "self-bleu-5", "unique", "copied",
    ),
}  # fmt: skip
"""The scores of a suite's table, by whether the density of its source is known."""


def make_tables(results: list[Result]) -> list[Table]:
    """Of each size the main arms, all arms at a glance, their verdicts, then each suite's scores.

    Published figures stand beside ours where there are some.
    """
    tables = []
    for (size,), of_size in grouped(results, "size").items():
        found = verdicts(of_size)
        short_form = summary_table(size, of_size, found)
        tables += [] if short_form is None else [short_form]
        tables.append(overview_table(size, of_size, found))
        tables.append(verdict_table(size, found, of_size))
        tables += aggregate_tables(size, of_size)
        some = (rivals_table(size, of_size), rescored_table(size, of_size))
        tables += [table for table in some if table is not None]
        tables += experiment_tables(size, of_size, found)
        for of_suite in grouped(of_size, "suite").values():
            tables.append(scores_table(of_suite))
            facts = read_yaml(PUBLISHED, PUBLISHED.name)
            more = (
                objective_table(of_suite), published_table(of_suite), paper_table(of_suite, facts),
            )  # fmt: skip
            tables += [table for table in more if table is not None]
    return tables


def write_tables(tables: Iterable[Table], results: list[Result], folder: Path) -> list[Path]:
    """Writes ``NAME.md`` and ``NAME.csv`` of each table, and ``scores.csv`` with every number."""
    paths = [folder / "scores.csv"]
    write_text(paths[0], scores_csv(results))
    for table in tables:
        for ending, text in (
            ("md", f"# {table.title}\n\n{table.markdown()}"),
            ("csv", table.csv()),
        ):
            paths.append(folder / f"{table.name}.{ending}")
            write_text(paths[-1], text)
    return paths


def _title(score: dict[str, Any]) -> str:
    """A score's column: label and arrow; the table's notes say the units."""
    return f"{label(score['name'], unit=False)} {ARROWS[score['direction']]}".rstrip()


def scores_table(results: list[Result]) -> Table:
    """A suite's arms down, its scores across; mean and spread over seeds."""
    first = results[0]
    arms = grouped(results, "arm")
    known = {score["name"]: score for result in results for score in result["scores"]}
    wanted = first["columns"] or COLUMNS[NLL_SOURCE in known]
    own = [name for name in known if "call:" in known[name]["signature"] and name not in wanted]
    names = [name for name in [*wanted, *own] if name in known]
    columns = ["arm", *(_title(known[name]) for name in names)]
    rows = [
        [cells[0]["title"], *(score_cell(cells, name) for name in names)] for cells in arms.values()
    ]
    work = compute_columns(list(arms.values()))
    columns += work
    for place, row in enumerate(rows):
        row += [cells[place] for cells in work.values()]
    seeds = sorted({result["seed"] for result in results})
    spread = "± the standard deviation over seeds"
    if len(seeds) == 1:
        spread = "± the longer side of the interval over sequences (one seed)"
    notes = [
        f"At temperature 1, as trained; {spread}. Likelihoods and entropy in nats per token, "
        "divergences in nats per sequence. Arrows: which way is better; no arm is judged by these "
        "scores alone."
    ]
    if RESIDUAL_GAIN in names:
        notes.append(
            "Intervals of residual models hold the error of sequences and samples around both "
            "bounds of Z (Deng et al. 2020); of several seeds the ends furthest apart stand in "
            "brackets."
        )
    notes += [COMPUTE] if work else []
    notes += _absent(results)
    title = f"{first['suite_title']} ({first['suite']}, size {first['size']}, seeds "
    title += ", ".join(map(str, seeds)) + ")"
    return Table(f"{first['suite']}-{first['size']}", title, columns, rows, notes)


def published_table(results: list[Result]) -> Table | None:
    """Published figures beside ours, or None where there are none."""
    first = results[0]
    if first["published"] is None:
        return None
    facts = read_yaml(PUBLISHED, PUBLISHED.name)[first["published"]]
    names: dict[str, str] = facts["scores"]
    rows = []
    for fact in facts["rows"]:
        cells = [f"{fact['scores'][name]:.3f}" if name in fact["scores"] else "" for name in names]
        note = f"; {fact['note']}" if "note" in fact else ""
        rows.append([f"{fact['method']} †", *cells, fact["source"] + note])
    for arms in grouped(results, "arm").values():
        ours = [score_cell(arms, name) for name in names]
        if any(ours):
            where = f"here, size {first['size']}, {len(arms)} seed{'s' * (len(arms) > 1)}"
            rows.append([arms[0]["title"], *ours, where])
    columns = ["method", *names.values(), "source"]
    notes = [f"† Another protocol. {str(facts['protocol']).strip()}", *_absent(results)]
    name = f"published-{first['suite']}-{first['size']}"
    title = f"{first['suite_title']}: published figures beside ours (size {first['size']})"
    return Table(name, title, columns, rows, notes)


def scores_csv(results: list[Result]) -> str:
    """Every score of every arm, a line each, with its signature."""
    columns = (
        "suite", "size", "seed", "arm", "kind", "metric", "direction", "value", "low", "high", "n",
        "signature",
    )  # fmt: skip
    rows: list[list[Any]] = [list(columns)]
    for result in results:
        head = [result[key] for key in ("suite", "size", "seed", "arm", "kind")]
        for score in result["scores"]:
            low, high = score["interval"] or ("", "")
            rows.append(
                [*head, score["name"], score["direction"], score["value"], low, high, score["n"],
                 score["signature"]]
            )  # fmt: skip
    return as_csv(rows)


def _absent(results: list[Result]) -> list[str]:
    """Notes on what was done without the public files."""
    texts = dict.fromkeys(text for result in results for text in result["absent"])
    return [f"Here: {text}." for text in texts]
