"""The price of a policy and its distance from MLE, by hand."""

from __future__ import annotations

import pytest
from matplotlib.figure import Figure

from benchmarks.efficiency import curve_of, efficiency

MLE = {
    "suite": "x", "seed": 0, "arm": "mle", "place": 0, "verdict": None,
    "compute": {"tokens": 1000.0, "seconds": 10.0},
    "sweep": {"validation": [{"primary": 0.25}, {"primary": 0.2}]},
}  # fmt: skip


def run(seed: int, *lines: tuple[float, float, float], total: float = 3000.0, **more) -> dict:
    """A run whose own training is measured at some tokens and seconds, with its scores."""
    rows = [
        {"round": i, "tokens": tokens, "seconds": seconds, "score": score}
        for i, (tokens, seconds, score) in enumerate(lines)
    ]
    return {
        "suite": "x", "seed": seed, "arm": "m", "place": 1, "verdict": {"metric": "js"},
        "compute": {"tokens": total, "seconds": 40.0}, "curves": {"validation": rows}, **more,
    }  # fmt: skip


def test_a_curve_counts_all_training_and_is_measured_against_mle():
    # 2,000 tokens of its own, so 1,000 before them (MLE): 1, 2 and 3 times those of MLE
    found = curve_of(run(0, (0, 1, 0.2), (1000, 6, 0.16), (2000, 21, 0.3)), MLE, "tokens")
    assert found.costs == [1.0, 2.0, 3.0]
    assert found.scores == pytest.approx([0.0, -20.0, 50.0])
    # 40 seconds in all, 21 of them its own: 19 before
    in_time = curve_of(run(0, (0, 1, 0.2), (1000, 6, 0.16), (2000, 21, 0.3)), MLE, "seconds")
    assert in_time.costs == [2.0, 2.5, 4.0]
    # from fresh parameters: nothing before, and far above MLE at the beginning
    scratch = curve_of(run(0, (0, 0, 1.0), (2000, 30, 0.2), total=2000.0), MLE, "tokens")
    assert scratch.costs == [0.0, 2.0] and scratch.scores == pytest.approx([400.0, 0.0])


def test_results_without_the_figures_have_no_curve():
    older = run(0, (0, 1, 0.2), (1000, 6, 0.16))
    for line in older["curves"]["validation"]:
        del line["tokens"]
    assert curve_of(older, MLE, "tokens") is None
    assert curve_of(run(0, (0, 1, 0.2)), MLE, "tokens") is None
    assert efficiency("standard", [older]) == []


def test_operations_weigh_a_large_network_more():
    paid = [{"operations": 1e6, "score": 0.2}, {"operations": 3e6, "score": 0.1}]
    large = run(0, compute={"operations": 4e6}, curves={"validation": paid})
    mle = {**MLE, "compute": {"operations": 1e6}}
    found = curve_of(large, mle, "operations")
    assert found.costs == [2.0, 4.0] and found.scores == pytest.approx([0.0, -50.0])
    assert curve_of(large, MLE, "operations") is None  # an MLE of an earlier version


def test_the_plot_has_a_line_per_arm_and_one_file_per_metric():
    other = {**MLE, "seed": 1}
    runs = [
        run(0, (0, 1, 0.2), (2000, 5, 0.1)),
        run(1, (1000, 1, 0.2), (2000, 5, 0.3)),
        {**run(0, (0, 1, 3.0), (2000, 5, 2.9)), "suite": "z", "verdict": {"metric": "nll"}},
        {**MLE, "suite": "z"},
    ]
    plots = efficiency("standard", [MLE, other, *runs])
    assert [plot.name for plot in plots] == [
        f"efficiency-{cost}-{metric}-standard"
        for metric in ("js", "nll")
        for cost in ("tokens", "seconds")
    ]
    axes = Figure().add_subplot()
    plots[0].paint(axes)
    line, mle = axes.lines
    # seed 1 begins at 2: there seed 0 still has its first score; at 3 it has 0.1 and seed 1 0.3
    assert list(line.get_xdata()) == [2.0, 3.0]
    assert list(line.get_ydata()) == pytest.approx([0.0, 0.0])
    assert mle.get_label() == "mle" and axes.get_xscale() == "log"
