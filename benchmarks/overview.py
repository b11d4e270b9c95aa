"""The two tables that come first: every arm in every suite, and every arm over all of them."""

from __future__ import annotations

from seqgan.config.methods import method_names
from seqgan.evaluation.primary import PRIMARY

from .aggregate import (
    Estimate,
    Sampled,
    interquartile_mean,
    probability_of_improvement,
    stratified_bootstrap,
)
from .arm_names import arm_set
from .best_mle import BestMLE, best_mle, shared_mle
from .changes import changed
from .gains import UNITS, gains, values
from .results import Result, grouped
from .suite_files import common_methods, suite_names
from .table import Table
from .verdict_cells import difference_cells
from .verdicts import SuiteVerdict

__all__ = ["HOLM", "aggregate_tables", "not_run", "overview_table", "short", "verdict_cell"]

HOLM = (
    "P-values are corrected over the suites of one arm (Holm), and not over the arms: of arms that "
    "change nothing about one in twenty would differ from MLE in some suite by chance. A method "
    "has to be better than its control as well, which makes a false success rarer."
)
LEAST_RUNS = 3
"""An arm with fewer runs over all suites has no place in the table over suites."""


def overview_table(size: str, results: list[Result], found: list[SuiteVerdict]) -> Table:
    """Arms down, suites across: the best MLE, each method's difference and verdict, the controls.

    Args:
        size: name.
        results: of that size.
        found: the verdicts on them.
    """
    suites = {result["suite"]: result["suite_title"] for result in results}
    metrics = {row.suite: short(row.metric) for row in found}
    of_suite = {suite: [r for r in results if r["suite"] == suite] for suite in suites}
    rows = [
        [title, *(_told(best(of_suite[suite])) for suite in suites)]
        for title, best in (("best MLE", best_mle), ("the shared MLE model", shared_mle))
    ]
    cells = {(row.arm, row.suite): row for row in found}
    # Methods first; among each kind the order in which the arms are run.
    place = {result["arm"]: result["place"] for result in results}
    for arm in sorted({row.arm for row in found}, key=lambda x: _order(x, found, place)):
        texts = [verdict_cell(cells.get((arm, suite))) for suite in suites]
        rows.append([next(row.title for row in found if row.arm == arm), *texts])
    columns = ["arm", *(f"{suite}, {metrics.get(suite, '')}".rstrip(", ") for suite in suites)]
    notes = [
        "First row: the primary metric of the MLE arm that is best on validation, and its way of "
        "sampling; second row: that of the model that the arms share, at its own best. Below: the "
        "difference from the shared model at equal diversity, its interval, and the verdict (lower "
        "is better). A dash: not run.",
        HOLM,
        *not_run(results),
        *_other_settings(results),
    ]
    return Table(f"overview-{size}", f"Every arm in every suite, size {size}", columns, rows, notes)


def _other_settings(results: list[Result]) -> list[str]:
    """A note on the methods that were run with settings other than their own."""
    known = method_names()
    judged = [each for each in results if each["size"] != "smoke" and each["arm"] in known]
    other = list(dict.fromkeys(each["arm"] for each in judged if changed(each)))
    if not other:
        return []
    return [
        "Run with settings that are not those of `seqgan run --method NAME` at this size; the "
        f"page of each method names them: {', '.join(other)}."
    ]


def aggregate_tables(size: str, results: list[Result]) -> list[Table]:
    """Arms down: gain over MLE over all suites and seeds, a table per unit of gain.

    Units in which no arm has three runs are left out.
    """
    tables = []
    for unit, found in gains(results).items():
        arms = {arm: runs for arm, runs in found.arms.items() if _count(runs) >= LEAST_RUNS}
        if arms:
            tables.append(_aggregate(unit, size, arms, found.lacking, results))
    return tables


def _aggregate(
    unit: str,
    size: str,
    arms: dict[str, dict[str, Sampled]],
    lacking: dict[str, list[str]],
    results: list[Result],
) -> Table:
    """The table of one unit of gain."""
    titles = {result["arm"]: result["title"] for result in results}
    rows = []
    for arm, runs in sorted(arms.items(), key=lambda x: -interquartile_mean(values(x[1]))):
        level = stratified_bootstrap(interquartile_mean, runs)
        mle = {suite: Sampled([0.0] * len(each.values)) for suite, each in runs.items()}
        over = stratified_bootstrap(probability_of_improvement, runs, mle)
        rows.append(
            [titles[arm], ", ".join(runs), str(_count(runs)), ", ".join(lacking.get(arm, [])),
             _percent(level), _share(over), _over_control(runs, arms.get(f"{arm}-random"))]
        )  # fmt: skip
    columns = [
        "arm", "suites", "runs", "not comparable in", "gain over MLE, % ↑ (interquartile mean)",
        "P(better than MLE)", "P(better than its control)",
    ]  # fmt: skip
    notes = [
        "Gain: how far the primary metric lies below MLE's at equal diversity, in percent of "
        f"{UNITS[unit]}. Intervals: 95%, seeds drawn anew within each suite, and sequences with "
        "them, those of a test set that several share together. With fewer than five seeds per "
        "suite they are too narrow. They say nothing of other suites, and arms that were run in "
        "different suites cannot be compared by this table.",
        "A suite where an arm is not comparable with MLE in some seed is not in its mean: an arm "
        "that has some in that column looks better than it is.",
    ]
    if unit == "value":
        notes.append("Suites where the value of the source itself is unknown.")
    never = [titles[arm] for arm in lacking if arm not in arms]
    if never:
        notes.append(f"Not comparable in any of these suites, or too few runs: {', '.join(never)}.")
    title = f"Over all suites, in percent of {UNITS[unit]}, size {size}"
    return Table(f"aggregate-{unit}-{size}", title, columns, rows, notes)


def short(metrics: str) -> str:
    """Abbreviation of a primary metric; of several that a slash joins, all of them."""
    known = (PRIMARY.get(name) for name in metrics.split("/"))
    return " or ".join(metrics if metric is None else metric.short for metric in known)


def _told(found: BestMLE | None) -> str:
    return "–" if found is None else str(found)


def not_run(results: list[Result]) -> list[str]:
    """Notes on the suites and methods of the harness, and the seeds, that are not there."""
    suites, arms = (list(dict.fromkeys(r[key] for r in results)) for key in ("suite", "arm"))
    notes = []
    if set(suites) & set(suite_names()):  # else they are the user's own
        lacking = {
            "suites": [name for name in suite_names() if name not in suites],
            "methods": [x for x in arm_set("family") if _is_method(x) and x not in arms],
        }
        told = [f"{kind} {', '.join(names)}" for kind, names in lacking.items() if names]
        notes += [f"Not run at this size: {'; '.join(told)}."] if told else []
    fewer = []
    for (suite,), cells in grouped(results, "suite").items():
        seeds = {cell["seed"] for cell in cells}
        for (arm,), found in grouped(cells, "arm").items():
            if len(found) < len(seeds):
                fewer.append(f"{arm} in {suite} ({len(found)} of {len(seeds)})")
    return [*notes, f"Seeds are missing: {', '.join(fewer)}."] if fewer else notes


def _is_method(arm: str) -> bool:
    """Tells if an arm is a method that all suites have, and no control."""
    return arm in (known := common_methods()) and known[arm].kind == "method"


def _order(arm: str, found: list[SuiteVerdict], place: dict[str, int]) -> tuple[bool, int]:
    kind = next(row.kind for row in found if row.arm == arm)
    return kind != "method", place[arm]


def verdict_cell(row: SuiteVerdict | None) -> str:
    """Difference, interval and verdict of an arm; the verdicts on methods are in bold."""
    if row is None:
        return "–"
    label = f"**{row.label}**" if row.kind == "method" else row.label
    if row.found is None:
        return label
    difference, interval, *_ = difference_cells(row)
    return f"{difference} {interval} {label}"


def _over_control(runs: dict[str, Sampled], control: dict[str, Sampled] | None) -> str:
    shared = [suite for suite in runs if control is not None and suite in control]
    if control is None or not shared:
        return ""
    ours, theirs = ({suite: each[suite] for suite in shared} for each in (runs, control))
    return _share(stratified_bootstrap(probability_of_improvement, ours, theirs))


def _count(runs: dict[str, Sampled]) -> int:
    return sum(len(each.values) for each in runs.values())


def _percent(found: Estimate) -> str:
    return f"{found.value:+.2f} [{found.low:+.2f}, {found.high:+.2f}]"


def _share(found: Estimate) -> str:
    return f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]"
