"""Statistics over suites and seeds, by hand and beside figures of rliable."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.aggregate import (
    Sampled,
    interquartile_mean,
    performance_profile,
    probability_of_improvement,
    stratified_bootstrap,
)
from benchmarks.best_mle import best_mle, shared_mle
from benchmarks.gains import gains, values
from benchmarks.overview import HOLM, aggregate_tables, overview_table
from benchmarks.pages import fill, named_tables
from benchmarks.results import read_arm
from benchmarks.summary import summary_table
from benchmarks.tables import make_tables
from benchmarks.verdicts import verdicts

ROOT = Path(__file__).parents[2]
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


def exact(runs: dict) -> dict[str, Sampled]:
    """Scores without draws of sequences."""
    return {suite: Sampled(scores) for suite, scores in runs.items()}


def test_bootstrap_draws_seeds_within_suites():
    alike = exact({"a": [2.0, 2.0], "b": [6.0, 6.0]})
    assert stratified_bootstrap(interquartile_mean, alike)[:] == (4.0, 4.0, 4.0)
    # of the mean of two, each of {0, 1}: 0 with probability 1/4, so 95% reach both ends
    found = stratified_bootstrap(interquartile_mean, exact({"a": [0.0, 1.0]}))
    assert found == (0.5, 0.0, 1.0)
    wide = stratified_bootstrap(interquartile_mean, exact({"a": list(np.arange(100.0))}))
    # without the outer quarters the middle half's mean has a spread of about 3.5
    assert 49.5 - 10 < wide.low < 49.5 - 4 and 49.5 + 4 < wide.high < 49.5 + 10


def test_bootstrap_draws_a_shared_test_set_once():
    draws = [-1.0, 1.0]
    seeds = {"a": Sampled([0.0] * 16, [draws] * 16, ["one"] * 16)}
    own = {"a": Sampled([0.0] * 16, [draws] * 16, [str(k) for k in range(16)])}
    # one test set: every seed has the same draw, -1 or 1; sets of their own: a mean of 16 signs,
    # some drawn twice, with the variance (1 + 15 / 16) / 16 (a draw counts with all who share it)
    assert stratified_bootstrap(probability, seeds)[:] == (0.5, 0.0, 1.0)
    assert stratified_bootstrap(mean, seeds)[:] == (0.0, -1.0, 1.0)
    found = stratified_bootstrap(mean, own)
    width = 1.96 * (31 / 256) ** 0.5
    assert found.low == pytest.approx(-width, abs=0.12)
    assert found.high == pytest.approx(width, abs=0.12)
    # an arm and its control on one test set: what suits one suits the other
    assert stratified_bootstrap(better, seeds, seeds)[:] == (0.5, 0.5, 0.5)


def mean(runs: dict) -> float:
    return float(np.mean([*runs.values()]))


def probability(runs: dict) -> float:
    return probability_of_improvement(runs, {suite: [0.0] for suite in runs})


def better(runs: dict, others: dict) -> float:
    return probability_of_improvement(runs, others)


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
    # get_interval_estimates: 30,000 and 3,000 resamples there, ours are fewer
    level = stratified_bootstrap(interquartile_mean, exact(one))
    assert level[1:] == pytest.approx((0.2444, 1.6667), abs=0.08)
    over = stratified_bootstrap(probability_of_improvement, exact(one), exact(two))
    assert over[1:] == pytest.approx((0.363, 0.78), abs=0.02)


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
    points = [
        {"temperature": t, "primary": value} for t, value in ((0.8, 0.3), (0.9, 0.1), (1, 0.2))
    ]
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


def test_gains_are_shares_of_the_distance_from_the_source():
    (found,) = gains(made()).values()
    good = values(found.arms["good"])
    assert good == {"x": pytest.approx([10, 10]), "y": pytest.approx([20, 20])}
    assert set(found.arms) == {"good", "good-random"} and found.lacking == {"lost": ["x"]}
    assert np.mean(found.arms["good"]["y"].draws) == pytest.approx(20, abs=0.5)


def likelihood(seed: int, arm: str = "good", difference: float | None = -0.02, **more) -> dict:
    """A result in nats per token, where MLE has 3.0."""
    found = result("z", seed, arm, difference, 1, **more)
    found["verdict"] |= {"metric": "nll", "mle_value": 3.0}
    return found


def real(seed: int, value: float) -> dict:
    scores = [{"name": "nll", "value": value}]
    return result("z", seed, "real", None, 9, kind="ceiling", verdict=None, scores=scores)


def test_gains_of_an_unknown_source_stand_apart():
    found = gains([*made(), likelihood(0), likelihood(1)])
    assert list(found) == ["distance", "value"]
    assert values(found["value"].arms["good"]) == {"z": pytest.approx([2 / 3, 2 / 3])}
    assert list(found["distance"].arms["good"]) == ["x", "y"]
    # with the entropy of the source: 0.02 of the 0.5 and of the 0.4 nats that can be gained
    known = gains([likelihood(0), likelihood(1), real(0, 2.5), real(1, 2.6)])
    assert values(known["distance"].arms["good"]) == {"z": pytest.approx([4.0, 5.0])}
    # a source that seems worse than MLE in one seed gives no scale
    assert list(gains([likelihood(0), likelihood(1), real(0, 2.5), real(1, 3.1)])) == ["value"]


def test_gains_of_the_same_measurement_count_once_and_of_two_metrics_not_at_all():
    twice = [*made(), *({**each, "suite": "x-again"} for each in made() if each["suite"] == "x")]
    assert list(gains(twice)["distance"].arms["good"]) == ["x", "y"]
    mixed = likelihood(1)
    mixed["verdict"]["metric"] = "js"
    assert gains([likelihood(0), mixed])["value"].lacking == {"good": ["z"]}


def test_table_over_suites():
    (table,) = aggregate_tables("standard", made())
    assert table.name == "aggregate-distance-standard"
    good, control = table.rows
    assert good[:4] == ["GOOD", "x, y", "4", ""]
    assert good[4].startswith("+15.00 [+1") and good[5:] == ["1.00 [1.00, 1.00]"] * 2
    assert control[4].startswith("-10.00 [-1") and control[5:] == ["0.00 [0.00, 0.00]", ""]
    assert table.notes[-1].endswith("or too few runs: LOST.")
    assert aggregate_tables("standard", made()[:4]) == []


def test_a_suite_that_is_left_out_is_named():
    lost = [result("w", k, "good", None, 1) for k in (0, 1)]
    (table,) = aggregate_tables("standard", [*made(), *lost])
    assert table.rows[0][:4] == ["GOOD", "x, y", "4", "w"]


def test_overview_has_arms_down_and_suites_across():
    results = made()
    table = overview_table("standard", results, verdicts(results))
    assert table.columns == ["arm", "x, JS", "y, JS"]
    rows = {row[0]: row[1:] for row in table.rows}
    # validation is best at its second point, where test has 0.1; the seeds agree
    assert rows["the shared MLE model"] == ["0.1000 ± 0.0000 (temperature 0.9)"] * 2
    assert rows["best MLE"] == rows["the shared MLE model"]
    assert rows["GOOD"][0].startswith("-0.0100 [") and "**" in rows["GOOD"][0]
    assert rows["LOST"] == ["**not comparable**", "–"]
    assert list(rows) == ["best MLE", "the shared MLE model", "GOOD", "LOST", "GOOD-RANDOM"]
    assert HOLM in table.notes
    assert not any("Not run at" in note or "missing" in note for note in table.notes)


def other_mle(arm: str, seed: int, validation: float, test: float) -> dict:
    """An MLE arm besides the shared one: its best on validation, and its value on test there."""
    found = result("x", seed, arm, -0.01, 4, kind="control")
    found["verdict"] |= {"finetuned_value": test, "finetuned_way": "top-p 0.95"}
    return {**found, "sweep": {"validation": [{"primary": validation}, {"primary": 0.5}]}}


def test_the_best_mle_is_chosen_on_validation_and_named():
    # lower on test is not what chooses; the larger model is lower on validation
    others = [
        *(other_mle("mle-larger", k, 0.09, 0.095 + k / 100) for k in (0, 1)),
        *(other_mle("mle-averaged", k, 0.11, 0.01) for k in (0, 1)),
        other_mle("mle-best", 0, 0.01, 0.01),  # lacks a seed
    ]
    cells = [r for r in made() if r["suite"] == "x"] + others
    assert str(best_mle(cells)) == "0.1000 ± 0.0071 (mle-larger; top-p 0.95)"
    assert str(shared_mle(cells)) == "0.1000 ± 0.0000 (temperature 0.9)"
    assert best_mle([r for r in cells if r["arm"] != "mle"]) is None


def test_the_shared_model_has_the_way_that_comparisons_found_best():
    cells = [r for r in made() if r["suite"] == "x"]
    for cell in cells:
        if cell["verdict"] is not None:
            value = 0.5 if cell["control_of"] else 0.08  # a control's is of half of the samples
            cell["verdict"] |= {"mle_best_way": "top-p 0.9", "mle_best_value": value}
    assert str(shared_mle(cells)) == "0.0800 ± 0.0000 (top-p 0.9)"


def test_the_summary_has_suites_down_and_the_main_methods_across():
    names = {"good": "seqgan", "good-random": "seqgan-random", "lost": "ratio"}
    results = [{**r, "arm": names.get(r["arm"], r["arm"])} for r in made()]
    for each in results:
        each["control_of"] = names.get(each["control_of"])
    table = summary_table("standard", results, verdicts(results))
    assert table.name == "summary-standard"
    assert table.columns == ["suite", "metric ↓", "best MLE", "GOOD", "LOST"]
    x, y = table.rows
    assert x[:3] == ["x", "JS", "0.1000 ± 0.0000 (temperature 0.9)"]
    assert x[3].startswith("-0.0100 [") and x[3].endswith(" (random: worse)")
    assert x[4] == "**not comparable**" and y[4] == "–"
    # none of the main methods, or too little of them
    assert summary_table("standard", made(), verdicts(made())) is None
    small = [{**r, "num_test": 10} for r in results]
    assert summary_table("standard", small, verdicts(small)) is None


def test_the_readme_has_the_first_table_of_committed_results():
    # results of the size smoke, as if they were of one that can be judged
    committed = ROOT / "benchmarks" / "results" / "smoke" / "grammar" / "smoke" / "seed-0"
    results = [read_arm(path) for path in sorted(committed.glob("*.json"))]
    results = [{**each, "size": "standard", "num_test": 1000} for each in results]
    for each in results:
        each["config"]["evaluation"]["num_samples"] = 1000
    tables = make_tables(results)
    assert tables[0].name == "summary-standard"
    titles = [
        "MLE going on",
        "SeqGAN as published, with deviations",
        "SeqGAN, log-odds and baseline",
    ]
    assert tables[0].columns == ["suite", "metric ↓", "best MLE", *titles]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert named_tables(readme) == [("standard", "summary-standard")]
    assert tables[0].markdown() in fill(readme, "standard", tables, "README.md")


def test_overview_names_what_was_not_run():
    results = [r for r in made() if (r["suite"], r["seed"], r["arm"]) != ("y", 1, "good")]
    renamed = [{**r, "suite": {"x": "grammar"}.get(r["suite"], r["suite"])} for r in results]
    notes = overview_table("standard", renamed, verdicts(renamed)).notes
    assert notes[2].startswith("Not run at this size: suites coco, coco-iid, ")
    assert " grammar," not in notes[2] and "; methods seqgan, seqgan-logodds, maligan, " in notes[2]
    assert notes[3] == "Seeds are missing: good in y (1 of 2)."
