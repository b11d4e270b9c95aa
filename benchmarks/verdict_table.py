"""The table of verdicts: a row per suite and arm, and what a reader has to know besides."""

from __future__ import annotations

from collections.abc import Iterator

from seqgan.evaluation.answer import LEAST_SAMPLES, TOO_SMALL

from .overview import HOLM, short
from .results import Result
from .table import Table
from .verdict_cells import difference_cells
from .verdicts import SuiteVerdict

__all__ = ["deviations", "idle_controls", "unconverged", "verdict_table"]


GOING_ON = "mle-continued"
"""The control that tells whether the baseline was trained to its end."""
CONVERGED = "converged"
PUBLISHED_RECIPE = ("seqgan", "seqgan-papers")
RECIPE_ROUNDS, RECIPE_L2, RECIPE_RATE = 800, 0.2, 0.0001
"""The rounds, the L2 penalty on the CNN's output layer and the discriminator's rate of the SeqGAN
authors' code."""
UNCLIPPED = 1e5
"""Norm of a gradient from which on a clip has no effect."""
ABOUT = (
    "Difference of the primary metric from MLE, swept over its ways of sampling, at equal "
    "diversity: below 0 is better. The interval covers a bootstrap over seeds and sequences "
    "and Student's t over seeds; the verdict follows from the corrected p-value and from the "
    "size: a difference below 0.1% of MLE's value, or below 0.0005 nats, counts as none. A "
    "method is better only if it is better than its control, the same training with a random "
    "reward, as well."
)


def unconverged(results: list[Result]) -> list[str]:
    """Suites and seeds whose MLE model had not converged, or whose results do not say."""
    return [
        f"{result['suite']} (seed {result['seed']})"
        for result in results
        if result["arm"] == "mle" and result.get("training", {}).get("state") != CONVERGED
    ]


def idle_controls(results: list[Result]) -> list[str]:
    """Controls with a random reward that kept their start with every seed, with their suites.

    One without early stopping keeps its last state, whichever was the best.
    """
    kept: dict[str, list[bool]] = {}
    for result in results:
        lines = result.get("curves", {}).get("validation", [])
        stops = result["config"].get("adversarial", {}).get("early_stopping", True)
        noise = result["control_of"] is not None and result["arm"].endswith("-random")
        if noise and lines and stops:
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


def _noisy(results: list[Result]) -> list[str]:
    """Arms whose generators read noise."""
    names = (r["arm"] for r in results if r["config"].get("generator", {}).get("noise"))
    return list(dict.fromkeys(names))


def verdict_table(size: str, found: list[SuiteVerdict], results: list[Result]) -> Table:
    """A row per suite and arm: the difference from swept MLE at equal diversity.

    Args:
        size: name.
        found: the verdicts.
        results: all of that size.
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
    notes = [ABOUT, HOLM, *_remarks(found, results)]
    return Table(f"verdicts-{size}", f"Verdicts, size {size}", columns, rows, notes)


def _remarks(found: list[SuiteVerdict], results: list[Result]) -> Iterator[str]:
    """Yields what weakens the verdicts, a note each."""
    if any(row.label == TOO_SMALL for row in found):
        yield (
            f"With fewer than {LEAST_SAMPLES} samples of each model the methods are too small to "
            "judge: the table shows that everything works."
        )
    unfit = unconverged(results)
    if unfit:
        yield (
            f"MLE had not converged in: {', '.join(unfit)}. There training of any kind can "
            "help, and nothing follows from what a method gains."
        )
    idle = idle_controls(results)
    if idle:
        yield (
            "No round of these controls was better on validation than their start, so that they "
            f"are MLE itself, and to be better than they are is no more than to be better than it: "
            f"{', '.join(idle)}."
        )
    deviating = deviations(results)
    if deviating is not None:
        yield deviating
    if any(len(row.seeds) == 1 for row in found):
        yield (
            "One seed: interval and p-value are over sequences alone, and say nothing about how "
            "much the answer moves from one training run to the next."
        )
    unfinished = [row.suite for row in found if row.arm == GOING_ON and row.label == "better"]
    if unfinished:
        yield (
            f"MLE going on is better than the shared MLE model in: {', '.join(unfinished)}. There "
            "the baseline was not trained to its end, training of any kind can help, and nothing "
            "follows from what a method gains."
        )
    noisy = _noisy(results)
    if noisy:
        yield (
            "The likelihoods of generators that read noise are estimates, and bounds on one side: "
            f"{', '.join(noisy)}. A verdict on them by a divergence is no proof."
        )
