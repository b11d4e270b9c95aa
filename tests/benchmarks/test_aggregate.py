"""Statistics over suites and seeds, by hand and beside figures of rliable."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.aggregate import (
    interquartile_mean,
    performance_profile,
    probability_of_improvement,
    stratified_bootstrap,
)
from benchmarks.overview import aggregate_table, gains, overview_table
from benchmarks.verdicts import verdicts

RUNS = {"a": [1.0, 2.0, 9.0], "b": [0.0, 4.0, -5.0]}
OTHERS = {"a": [2.0, 2.0, 0.0], "b": [-1.0, 5.0, 7.0]}


def test_interquartile_mean_by_hand():
    # -5 0 1 2 4 9: one of six is left out on either side
    assert interquartile_mean(RUNS) == pytest.approx(7 / 4)
    assert interquartile_mean({"a": [3.0]}) == 3.0


def test_probability_of_improvement_by_hand():
    # a: 1 beats one of three, 2 beats one and ties with two, 9 beats three: 1 + 2 + 3 of 9;
    # b: 0 beats one, 4 one, -5 none: 2 of 9
    assert probability_of_improvement(RUNS, OTHERS) == pytest.approx((6 / 9 + 2 / 9) / 2)
    assert probability_of_improvement(RUNS, RUNS) == 0.5
    with pytest.raises(ValueError, match="suites"):
        probability_of_improvement(RUNS, {"a": [0.0]})


def test_profile_by_hand():
    assert performance_profile(RUNS, [-6, 0, 2, 9]).tolist() == [1.0, 4 / 6, 2 / 6, 0.0]


def test_bootstrap_draws_seeds_within_suites():
    alike = {"a": [2.0, 2.0], "b": [6.0, 6.0]}
    assert stratified_bootstrap(interquartile_mean, alike)[:] == (4.0, 4.0, 4.0)
    # of the mean of two, each of {0, 1}: 0 with probability 1/4, so 95% reach both ends
    found = stratified_bootstrap(interquartile_mean, {"a": [0.0, 1.0]})
    assert found == (0.5, 0.0, 1.0)
    wide = stratified_bootstrap(interquartile_mean, {"a": list(np.arange(100.0))})
    # without the outer quarters the middle half's mean has a spread of about 3.5
    assert 49.5 - 10 < wide.low < 49.5 - 4 and 49.5 + 4 < wide.high < 49.5 + 10


def test_equal_to_figures_of_rliable():
    # rliable 1.2.0, which needs more than a test should: aggregate_iqm, probability_of_improvement
    # and run_score_deviation (the profile) of these scores, runs down and tasks across
    ours = [[1, 0.4, -2], [3, 0.4, -1.5], [2.5, 0.7, 4], [1, 0.1, 0], [9, 0.4, -0.5]]
    theirs = [[0.5, 0.4, -1], [1, 0.3, -1], [2, 0.2, 3], [8, 0.9, 0.5], [1, 0.4, -2.5]]
    one, two = ({str(k): list(x) for k, x in enumerate(np.array(y).T)} for y in (ours, theirs))
    assert interquartile_mean(one) == pytest.approx(0.7222222222222222)
    assert interquartile_mean(two) == pytest.approx(0.5777777777777777)
    assert probability_of_improvement(one, two) == pytest.approx(0.5733333333333334)
    shares = [14 / 15, 11 / 15, 7 / 15, 4 / 15, 1 / 15]
    assert performance_profile(one, [-1.75, 0, 0.4, 2, 5]).tolist() == pytest.approx(shares)


def result(suite: str, seed: int, arm: str, difference: float | None, place: int, **more) -> dict:
    rng = np.random.default_rng([seed, place])
    verdict = {
        "difference": difference, "draws": list((difference or 0) + rng.normal(0, 1e-3, 200)),
        "metric": "js", "confidence": 0.95, "mle_value": 0.1, "test_set": f"{suite}{seed}",
    }  # fmt: skip
    base = {
        "suite": suite, "suite_title": suite, "size": "standard", "seed": seed, "arm": arm,
        "title": arm.upper(), "kind": "method", "place": place, "config": {}, "control_of": None,
        "verdict": verdict,
    }  # fmt: skip
    return {**base, **more}


def made() -> list[dict]:
    points = [{"primary": value} for value in (0.3, 0.1, 0.2)]
    sweep = {"sweep": {"validation": points[::-1], "test": points}, "verdict": None}
    return [
        *(result(s, k, "mle", 0.0, 0, kind="mle", **sweep) for s in "xy" for k in (0, 1)),
        *(result(s, k, "good", d, 1) for s, d in (("x", -0.01), ("y", -0.02)) for k in (0, 1)),
        *(
            result(s, k, "good-random", 0.01, 2, kind="control", control_of="good")
            for s in "xy"
            for k in (0, 1)
        ),
        *(result("x", k, "lost", None if k else 0.01, 3) for k in (0, 1)),
    ]


def test_gains_are_percent_of_mle_and_leave_out_what_is_not_comparable():
    found = gains(made())
    assert found["good"] == {"x": pytest.approx([10, 10]), "y": pytest.approx([20, 20])}
    assert set(found) == {"good", "good-random"}


def test_table_over_suites():
    table = aggregate_table("standard", made())
    good, control = table.rows
    assert good == ["GOOD", "x, y", "4", "+15.00 [+15.00, +15.00]", "1.00 [1.00, 1.00]",
                    "1.00 [1.00, 1.00]"]  # fmt: skip
    assert control[3:] == ["-10.00 [-10.00, -10.00]", "0.00 [0.00, 0.00]", ""]
    assert aggregate_table("standard", made()[:4]) is None


def test_overview_has_arms_down_and_suites_across():
    results = made()
    table = overview_table("standard", results, verdicts(results))
    assert table.columns == ["arm", "x, JS", "y, JS"]
    rows = {row[0]: row[1:] for row in table.rows}
    # validation is best at its second point, where test has 0.1; the seeds agree
    assert rows["MLE, its best temperature"] == ["0.1000 ± 0.0000"] * 2
    assert rows["GOOD"][0].startswith("-0.0100 [") and "**" in rows["GOOD"][0]
    assert rows["LOST"] == ["**not comparable**", "–"]
    assert list(rows) == ["MLE, its best temperature", "GOOD", "LOST", "GOOD-RANDOM"]
    assert not any("Not run at" in note or "missing" in note for note in table.notes)


def test_overview_names_what_was_not_run():
    results = [r for r in made() if (r["suite"], r["seed"], r["arm"]) != ("y", 1, "good")]
    renamed = [{**r, "suite": {"x": "grammar"}.get(r["suite"], r["suite"])} for r in results]
    notes = overview_table("standard", renamed, verdicts(renamed)).notes
    assert notes[1].startswith("Not run at this size: suites coco, coco-iid, ")
    assert (
        "grammar" not in notes[1]
        and "; methods mle-continued, seqgan, seqgan-logodds, maligan, " in notes[1]
    )
    assert notes[2] == "Seeds are missing: good in y (1 of 2)."
