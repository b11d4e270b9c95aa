"""Tables of experiments, and the page that asks the questions."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path

import pytest

from benchmarks.arm_names import arms_of
from benchmarks.experiments import experiments
from benchmarks.pages import NOTHING, fill, named_tables
from benchmarks.suite_files import load_suite
from benchmarks.tables import make_tables
from seqgan.config import RunConfig
from seqgan.errors import ConfigError
from seqgan.metrics.catalogue import find

PAGE = Path(__file__).parents[2] / "docs" / "experiments.md"
CONFIG = asdict(RunConfig(method="ratio"))


def result(arm: str, seed: int, difference: float | None, **more) -> dict:
    """A result of the grammar with a verdict whose draws spread by 0.01."""
    verdict = None
    if difference is not None:
        draws = [difference + 0.01 * (i % 11 - 5) / 5 for i in range(110)]
        verdict = {
            "label": "better", "metric": "js", "difference": difference, "draws": draws,
            "confidence": 0.95, "mle_value": 0.08, "finetuned_value": 0.07, "test_set": f"t{seed}",
        }  # fmt: skip
    scores = [{"name": "entropy", "value": 1.5 + seed / 10, "interval": None, "n": 9,
               "direction": "none", "signature": "metric:entropy"}]  # fmt: skip
    return {
        "suite": "grammar", "size": "standard", "seed": seed, "arm": arm, "title": arm.upper(),
        "place": 1, "kind": "mle" if arm == "mle" else "method", "control_of": None,
        "config": CONFIG, "scores": scores, "suite_title": "g", "columns": None,
        "published": None, "absent": [],
        "verdict": verdict, **more,
    }  # fmt: skip


def tables(results: list[dict]) -> dict:
    return {table.name: table for table in make_tables(results)}


def test_a_table_has_the_arms_of_its_question_against_mle_and_each_other():
    found = [result("mle", 0, None), result("mle", 1, None)]
    for seed in (0, 1):
        found += [result("ratio", seed, -0.02), result("ratio-minimum", seed, -0.05)]
    table = tables(found)["experiment-combination-standard"]
    mle, mixture, pessimism = table.rows
    head = table.columns.index("minus ratio ↓")
    assert mle[:4] == ["MLE", "grammar", "", "2"] and mle[4] == mle[head] == ""
    assert mixture[4] == "-0.0200" and mixture[head] == ""
    assert pessimism[4] == "-0.0500" and pessimism[head] == "-0.0300"
    # the same rows were drawn for both, so what they have in common is gone from the interval
    assert pessimism[head + 1].startswith("[-0.0300, -0.0300") and pessimism[8] == "better"
    assert table.columns[-2] == "own entropy" and pessimism[-2] == "1.550 ± 0.071"
    assert any("Not run: ratio-geometric in grammar." in note for note in table.notes)


def test_the_round_of_the_best_state():
    log = [{"round": n, "score": score} for n, score in ((0, 0.09), (10, 0.07), (20, 0.075))]
    found = [result("ratio", 0, -0.01, curves={"validation": log})]
    (row,) = tables(found)["experiment-long-standard"].rows
    assert row[-2:] == ["10 of 20", "+0.0050"]
    assert not [name for name in tables([result("mle", 0, None)]) if name.startswith("experiment")]


def known(name: str) -> set[str]:
    """The arms of a suite."""
    methods = load_suite(name).methods.values()
    controls = (f"{each.name}-{reward}" for each in methods for reward in each.controls)
    return {"mle", "training-copy", "real", *(each.name for each in methods), *controls}


def test_every_question_names_suites_and_arms_that_there_are():
    for name, facts in experiments().items():
        assert set(facts) <= {"suites", "arms", "against", "scores", "rounds"}, name
        for suite in facts["suites"]:
            assert {*facts["arms"], facts.get("against", "mle")} <= known(suite), name
        assert all(find(score) is not None for score in facts.get("scores", ())), name


def test_every_question_stands_on_the_page_with_a_prediction_a_command_and_a_place():
    text = PAGE.read_text(encoding="utf-8")
    parts = re.split(r"^## \d+\. ", text, flags=re.MULTILINE)[1:]
    assert len(parts) == len(experiments()) + 1
    for name, part in zip([*experiments(), None], parts, strict=True):
        for heading in ("**Known before.**", "**Prediction.**", "**Result.**", "**Conclusion.**"):
            assert heading in part, part[:60]
        wanted = "rescored-standard" if name is None else f"experiment-{name}-standard"
        assert ("standard", wanted) in named_tables(part)
        command = re.search(r"^seqgan-bench run ([\w -]+) --arms (\S+) --seeds", part, re.MULTILINE)
        assert command is not None, part[:60]
        suites = command[1].split()
        arms = arms_of(command[2], set().union(*map(known, suites)))
        if name is not None:
            assert suites == experiments()[name]["suites"]
            assert {"mle", *experiments()[name]["arms"]} <= arms


def test_the_page_is_filled_from_results():
    found = [result("mle", 0, None), result("ratio-1", 0, -0.02), result("ratio", 0, -0.05)]
    text = fill(PAGE.read_text(encoding="utf-8"), "standard", make_tables(found), "page")
    assert "| RATIO-1 | grammar | JS | 1 | -0.0200 |" in text
    assert text.count(NOTHING) < PAGE.read_text(encoding="utf-8").count(NOTHING)
    with pytest.raises(ConfigError, match="give no table"):
        fill(text, "standard", [], "page")
