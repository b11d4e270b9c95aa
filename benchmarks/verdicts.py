"""The verdict on each method, over the seeds of a suite, corrected over the suites of a table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from seqgan.errors import ConfigError
from seqgan.evaluation.answer import LEAST_SAMPLES, LEAST_TEST, final_label
from seqgan.evaluation.significance import label, practical_size
from seqgan.seeding import derive_seed

from .results import Result, grouped
from .statistics import Combined, combine, holm

__all__ = ["SuiteVerdict", "against_controls", "against_rivals", "verdicts"]


@dataclass(frozen=True)
class SuiteVerdict:
    """Outcome of a method in a suite.

    Attributes:
        suite: name.
        size: name.
        arm: the method or control.
        title: of the arm.
        kind: method or control.
        against: what it is compared with: mle, or a control's name.
        metric: the primary metric; of several, joined.
        seeds: all seeds that were run.
        found: the difference over seeds, or None where it is not comparable in some seed.
        not_comparable: in how many seeds it is not.
        practical: the smallest difference that is of practical size, or None.
        corrected: the p-value after Holm's correction over suites, or None.
        label: better, not distinguishable, worse, not comparable; of a method against MLE also
            not judged against a control, or too small to judge.
        confidence: the level of interval and label.
        between: of a method against MLE, the label against its control; None: there is none.
    """

    suite: str
    size: str
    arm: str
    title: str
    kind: str
    against: str
    metric: str
    seeds: tuple[int, ...]
    found: Combined | None
    not_comparable: int
    practical: float | None
    corrected: float | None
    label: str
    confidence: float
    between: str | None = None


def verdicts(results: Iterable[Result]) -> list[SuiteVerdict]:
    """Every method and control against swept MLE, in every suite.

    The p-values of one arm are corrected over the suites of a size.

    Raises:
        ConfigError: results that cannot be put together.
    """
    arms = [result for result in results if result.get("verdict") is not None]
    rows, small = [], set()
    for cells in _grouped(arms):
        differences = [cell["verdict"]["difference"] for cell in cells]
        row = _row(cells, "mle", differences, [cell["verdict"]["draws"] for cell in cells])
        rows.append(row)
        if any(_too_small(cell) for cell in cells):
            small.add(_name(row))
    controls = {_name(row): row for row in against_controls(arms) if row.against == _control(row)}
    return [
        _judged(row, controls.get(_name(row)), _name(row) in small) if row.kind == "method" else row
        for row in _corrected(rows)
    ]


def _name(row: SuiteVerdict) -> tuple[str, str, str]:
    return row.suite, row.size, row.arm


def _control(row: SuiteVerdict) -> str:
    """The arm with a random reward that belongs to a method."""
    return f"{row.arm}-random"


def _too_small(cell: Result) -> bool:
    """Tells if a cell shows only that everything works."""
    samples = cell["config"].get("evaluation", {}).get("num_samples", LEAST_SAMPLES)
    return bool(samples < LEAST_SAMPLES or cell.get("num_test", LEAST_TEST) < LEAST_TEST)


def _judged(row: SuiteVerdict, control: SuiteVerdict | None, small: bool) -> SuiteVerdict:
    """A method's row with the label that all conditions leave.

    A control that lacks some of the method's seeds is none: over fewer it says something else.
    """
    whole = control is not None and set(control.seeds) == set(row.seeds)
    between = control.label if control is not None and whole else None
    return replace(row, label=final_label(row.label, between, small=small), between=between)


def against_controls(results: Iterable[Result]) -> list[SuiteVerdict]:
    """Every method against the same training with another reward.

    A method and its control with a random reward were compared directly, at equal diversity. Of
    other controls, and of results of earlier versions, it is known how each compares with MLE, at
    its own diversity; then it is compared how far each came. Both bootstraps drew the same
    sequences, so their draws are taken in pairs.
    """
    arms = [result for result in results if result.get("verdict") is not None]
    return _against([(each, each["control_of"]) for each in arms if each["control_of"]], arms, True)


def against_rivals(results: Iterable[Result]) -> list[SuiteVerdict]:
    """Every method against the arms that its file names as rivals: how far each came from MLE."""
    arms = [result for result in results if result.get("verdict") is not None]
    return _against([(each, name) for each in arms for name in each.get("rivals", [])], arms)


def _against(
    pairs: list[tuple[Result, str]], arms: list[Result], controls: bool = False
) -> list[SuiteVerdict]:
    """Each result against the arm of a name in its cell, over seeds; what is missing is left out.

    Args:
        pairs: results and names.
        arms: all results.
        controls: the first of a pair is the control, and the name that of its method.
    """
    known = {(r["suite"], r["size"], r["seed"], r["arm"]): r for r in arms}
    groups: dict[tuple[str, str, str, str], list[tuple[Result, Result]]] = {}
    for result, name in pairs:
        other = known.get((result["suite"], result["size"], result["seed"], name))
        if other is not None:
            pair = (other, result) if controls else (result, other)
            key = result["suite"], result["size"], result["arm"], name
            groups.setdefault(key, []).append(pair)
    rows = []
    for found in groups.values():
        _same_settings([other for _, other in found])
        methods = [_between(*pair) for pair in found]
        differences = [method["verdict"]["difference"] for method in methods]
        draws = [method["verdict"]["draws"] for method in methods]
        rows.append(_row(methods, found[0][1]["arm"], differences, draws))
    return _corrected(rows)


def _between(method: Result, control: Result) -> Result:
    """The method's result with the verdict against a control in the place of that against MLE."""
    direct = method.get("against_control")
    if direct is not None and control["arm"] == f"{method['arm']}-random":
        return {**method, "verdict": direct}
    ours, theirs = method["verdict"], control["verdict"]
    difference, draws = None, []
    if ours["difference"] is not None and theirs["difference"] is not None:
        draws = [a - b for a, b in zip(ours["draws"], theirs["draws"], strict=True)]
        difference = ours["difference"] - theirs["difference"]
    return {**method, "verdict": {**ours, "difference": difference, "draws": draws}}


def _grouped(results: list[Result]) -> list[list[Result]]:
    """Results of one suite, size and arm together, in the order in which they come."""
    groups = grouped(results, "suite", "size", "arm")
    for cells in groups.values():
        _same_settings(cells)
    return list(groups.values())


def _same_settings(cells: list[Result]) -> None:
    """Requires that the seeds of an arm were run with the same settings."""
    settings = [({**cell["config"], "seed": None}, cell.get("files")) for cell in cells]
    if any(other != settings[0] for other in settings):
        first = cells[0]
        raise ConfigError(
            f"{first['suite']} {first['size']} {first['arm']}: the seeds were run with different "
            "settings and cannot be put together: give each its own folder"
        )


def _row(
    cells: list[Result], against: str, differences: list[float | None], draws: list[list[float]]
) -> SuiteVerdict:
    """The difference over seeds; not comparable as soon as it is in one of them.

    Nor is it where the seeds have different primary metrics, whose units are not the same.
    """
    first = cells[0]
    missing = sum(difference is None for difference in differences)
    metrics = sorted({cell["verdict"]["metric"] for cell in cells})
    confidence = float(first["verdict"]["confidence"])
    name = (first["suite"], first["size"], first["arm"], against)
    found = practical = None
    if not missing and len(metrics) == 1:
        values = [float(difference) for difference in differences if difference is not None]
        test_sets = _test_sets(cells)
        seed = derive_seed(0, "verdict", *name) % (1 << 32)
        found = combine(values, draws, confidence, seed, test_sets)
        baseline = float(np.mean([cell["verdict"]["mle_value"] for cell in cells]))
        practical = practical_size(metrics[0], baseline)
    return SuiteVerdict(
        *name[:3],
        first["title"],
        first["kind"],
        against,
        "/".join(metrics),
        tuple(cell["seed"] for cell in cells),
        found,
        missing,
        practical,
        None,
        "not comparable",
        confidence,
    )


def _test_sets(cells: list[Result]) -> list[str] | None:
    """The name of each seed's test set; None for a single one, which needs no name.

    Raises:
        ConfigError: results of an earlier version do not say; whether they are independent is
            unknown.
    """
    if len(cells) == 1:
        return None
    names = [cell["verdict"].get("test_set") for cell in cells]
    if not all(names):
        first = cells[0]
        raise ConfigError(
            f"{first['suite']} {first['size']} {first['arm']}: results of an earlier version do "
            "not say if their seeds share a test set; run them again"
        )
    return names


def _corrected(rows: list[SuiteVerdict]) -> list[SuiteVerdict]:
    """Holm's correction over the suites of each arm, and the labels that follow."""
    families: dict[tuple[str, str, str], list[int]] = {}
    for i, row in enumerate(rows):
        if row.found is not None:
            families.setdefault((row.size, row.arm, row.against), []).append(i)
    corrected = list(rows)
    for places in families.values():
        found = [rows[i].found for i in places]
        p_values = holm([each.p_value for each in found if each is not None])
        for i, p_value in zip(places, p_values, strict=True):
            corrected[i] = replace(rows[i], corrected=p_value, label=_label(rows[i], p_value))
    return corrected


def _label(row: SuiteVerdict, p_value: float) -> str:
    assert row.found is not None and row.practical is not None
    return label(row.found.difference, p_value, row.practical, row.confidence)
