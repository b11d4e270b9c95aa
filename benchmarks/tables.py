"""Tables of results: Markdown for people, CSV for programs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from seqgan.evaluation.answer import LEAST_SAMPLES, TOO_SMALL
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

from .experiments import experiment_tables
from .objectives import objective_table
from .overview import HOLM, aggregate_tables, overview_table, short
from .paper import paper_table
from .reading import read_yaml
from .rescored_table import rescored_table
from .results import Result, grouped
from .rivals import rivals_table
from .score_cells import COMPUTE, compute_columns, score_cell
from .summary import summary_table
from .table import Table, as_csv
from .verdict_cells import difference_cells
from .verdicts import SuiteVerdict, verdicts

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

GOING_ON = "mle-continued"
"""The control that tells whether the baseline was trained to its end."""

CONVERGED = "converged"
PUBLISHED_RECIPE = ("seqgan", "seqgan-papers")
RECIPE_ROUNDS, RECIPE_L2, RECIPE_RATE = 800, 0.2, 0.0001
UNCLIPPED = 1e5
"""Norm of a gradient from which on a clip has no effect."""
"""The rounds and the L2 penalty on the CNN's output layer of the SeqGAN authors' code."""


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
        tables.append(
            verdict_table(
                size, found, _unconverged(of_size), deviations(of_size), idle_controls(of_size)
            )
        )
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


def _unconverged(results: list[Result]) -> list[str]:
    """Suites and seeds whose MLE model had not converged, or whose results do not say."""
    return [
        f"{result['suite']} (seed {result['seed']})"
        for result in results
        if result["arm"] == "mle" and result.get("training", {}).get("state") != CONVERGED
    ]


def idle_controls(results: list[Result]) -> list[str]:
    """Controls with a random reward that kept their start with every seed, with their suites."""
    kept: dict[str, list[bool]] = {}
    for result in results:
        lines = result.get("curves", {}).get("validation", [])
        if result["control_of"] is not None and result["arm"].endswith("-random") and lines:
            best = min(lines, key=lambda line: line["score"])
            kept.setdefault(f"{result['suite']} {result['arm']}", []).append(best["step"] == 0)
    return [name for name, each in kept.items() if all(each)]


def deviations(results: list[Result]) -> str | None:
    """Deviations of the arm SeqGAN as published from its authors' code, by its settings.

    Args:
        results: of any arms; None is returned if none of them is that arm.
    """
    configs = [result["config"] for result in results if result["arm"] in PUBLISHED_RECIPE]
    if not configs:
        return None
    found = []
    if any(not config["critic"].get("fresh_every") for config in configs):
        found.append(
            "the discriminator is pretrained on one set of samples (there on 50 fresh ones)"
        )
    if any(config["adversarial"]["rounds"] < RECIPE_ROUNDS for config in configs):
        found.append(f"the rounds are fewer (there {RECIPE_ROUNDS})")
    if any(not config["discriminator"].get("output_l2") for config in configs):
        found.append(f"its output layer has no L2 penalty (there {RECIPE_L2})")
    optimizers = [config["critic"]["optimizer"] for config in configs]
    if any(each.get("clip_norm", 0) < UNCLIPPED for each in optimizers):
        found.append("its gradient is clipped (there the generator's alone)")
    if any(each["learning_rate"] > RECIPE_RATE for each in optimizers):
        found.append(f"its learning rate is higher (there {RECIPE_RATE})")
    found.append("the rollout policy lags behind (there a lag is set and has no effect)")
    joined = ", ".join(found[:-1]) + (", and " if len(found) > 2 else " and ") + found[-1]
    return f"SeqGAN as published deviates from its authors' code: {joined}."


def verdict_table(
    size: str,
    found: list[SuiteVerdict],
    unconverged: list[str],
    deviating: str | None = None,
    idle: list[str] | None = None,
) -> Table:
    """A row per suite and arm: the difference from swept MLE at equal diversity.

    Args:
        size: name.
        found: the verdicts.
        unconverged: suites and seeds whose baseline was not trained to its end.
        deviating: a sentence on SeqGAN as published, if it is an arm.
        idle: controls that kept their start.
    """
    rows = []
    for row in sorted(found, key=lambda x: (x.kind != "method", x.arm)):
        cells = [row.arm, row.kind, row.suite, short(row.metric)]
        cells += [str(len(row.seeds)), *difference_cells(row), row.between or ""]
        rows.append([*cells, f"**{row.label}**" if row.kind == "method" else row.label])
    level = found[0].confidence if found else 0.95
    columns = [
        "arm", "kind", "suite", "metric", "seeds", "difference ↓", f"{level:.0%} interval", "p",
        "p (Holm)", "against its control", "verdict",
    ]  # fmt: skip
    notes = [
        "Difference of the primary metric from MLE, swept over its ways of sampling, at equal "
        "diversity: below 0 is better. The interval covers a bootstrap over seeds and sequences "
        "and Student's t over seeds; the verdict follows from the corrected p-value and from the "
        "size: a difference below 0.1% of MLE's value, or below 0.0005 nats, counts as none. A "
        "method is better only if it is better than its control, the same training with a random "
        "reward, as well.",
        HOLM,
    ]
    if any(row.label == TOO_SMALL for row in found):
        notes.append(
            f"With fewer than {LEAST_SAMPLES} samples of each model the methods are too small to "
            "judge: the table shows that everything works."
        )
    if unconverged:
        notes.append(
            f"MLE had not converged in: {', '.join(unconverged)}. There training of any kind can "
            "help, and nothing follows from what a method gains."
        )
    if idle:
        notes.append(
            "No round of these controls was better on validation than their start, so that they "
            f"are MLE itself, and to be better than they are is no more than to be better than it: "
            f"{', '.join(idle)}."
        )
    if deviating is not None:
        notes.append(deviating)
    if any(len(row.seeds) == 1 for row in found):
        notes.append(
            "One seed: interval and p-value are over sequences alone, and say nothing about how "
            "much the answer moves from one training run to the next."
        )
    unfinished = [row.suite for row in found if row.arm == GOING_ON and row.label == "better"]
    if unfinished:
        notes.append(
            f"MLE going on is better than the shared MLE model in: {', '.join(unfinished)}. There "
            "the baseline was not trained to its end, training of any kind can help, and nothing "
            "follows from what a method gains."
        )
    return Table(f"verdicts-{size}", f"Verdicts, size {size}", columns, rows, notes)


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
