"""Metrics of the user's own by dotted paths."""

from __future__ import annotations

import json

import pytest

from seqgan.cli.main import main
from seqgan.config import EvaluationConfig
from seqgan.config.imports import dotted_names
from seqgan.errors import ConfigError, MetricError
from seqgan.evaluation.functions import FunctionScores
from seqgan.evaluation.scoring import Scorer


def words(completions):
    return [len(text.split()) for text in completions]


def vowels(completions, **kwargs):
    """Abstains of texts without letters."""
    return [sum(x in "aeiou" for x in text) if text.strip() else None for text in completions]


def fails(completions):
    return [float("nan") if "b" in text else 1.0 for text in completions]


HERE = __name__
TEXTS = ["a b c", "", "e e", "a"]


def test_means_by_hand():
    scores = FunctionScores([f"{HERE}:words", f"{HERE}.vowels"], Scorer(20, 0.95, 0), "--metrics")
    found = {score.name: (score.value, score.n) for score in scores.scores(TEXTS)}
    assert found == {f"{HERE}.words": (6 / 4, 4), f"{HERE}.vowels": (4 / 3, 3)}
    assert [score.name for score in scores.scores(["", ""])] == [f"{HERE}.words"]


def test_a_function_that_fails_is_named_with_the_text():
    scores = FunctionScores([f"{HERE}:fails"], Scorer(20, 0.95, 0), "--metrics")
    with pytest.raises(MetricError, match=f"metric {HERE}:fails returned nan for 'a b c'"):
        scores.scores(TEXTS)
    with pytest.raises(ConfigError, match="did you mean 'fails'"):
        FunctionScores([f"{HERE}:fail"], Scorer(20, 0.95, 0), "--metrics")


def test_names_are_checked_and_a_strangers_are_found():
    with pytest.raises(ConfigError, match="'length' is no package.module:function"):
        EvaluationConfig(metrics=["length"])
    with pytest.raises(ConfigError, match="stands twice"):
        EvaluationConfig(metrics=["a:b", "a:b"])
    assert dotted_names({"evaluation": {"metrics": ["a:b", "c.d"]}}) == [
        ("evaluation.metrics", "a:b"), ("evaluation.metrics", "c.d"),
    ]  # fmt: skip


def test_they_measure_files_too(tmp_path):
    for name, shift in (("samples", 1), ("real", 2)):
        lines = [" ".join(["w"] * (i % 3 + shift)) for i in range(30)]
        (tmp_path / f"{name}.txt").write_text("\n".join(lines) + "\n")
    output = tmp_path / "scores.json"
    files = ["--samples", f"{tmp_path}/samples.txt", "--references", f"{tmp_path}/real.txt"]
    more = ["--metrics", f"{HERE}:words", "--resamples", "20", "--output", str(output)]
    assert main(["evaluate", *files, *more]) == 0
    found = json.loads(output.read_text())
    values = {
        model: next(score["value"] for score in scores if score["name"] == f"{HERE}.words")
        for model, scores in found.items()
    }
    assert values == {"samples": 2.0, "real": 3.0}
