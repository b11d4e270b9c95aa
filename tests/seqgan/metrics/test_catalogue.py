"""The catalogue of metrics: labels, and that evaluation, catalogue and docs agree."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from seqgan.config import LSTM, EvaluationConfig, FileCorpus, GrammarCorpus
from seqgan.data.sources import load_data
from seqgan.evaluation.models import Evaluator
from seqgan.metrics import Score
from seqgan.metrics.catalogue import (
    ANSWERS,
    CATALOGUE,
    CLASSES,
    GROUPS,
    MOLECULES,
    TUNES,
    family,
    find,
    label,
    score_label,
)
from seqgan.metrics.judge import JudgeScores
from seqgan.models import make_generator

DOCS = Path(__file__).parents[3] / "docs" / "metrics.md"
OWN = (ANSWERS, CLASSES, MOLECULES, TUNES)
OF_A_KIND = {name for name, metric in CATALOGUE.items() if metric.group in OWN}
NOT_HERE = {"mauve", "reverse-perplexity", "residual-gain", *OF_A_KIND}
"""Scores that take a package or data of their own, or a training run."""


def letters(texts):
    """A toy encoder: how often each of four letters occurs."""
    return [[text.count(letter) for letter in "abc1"] for text in texts]


def judge(texts):
    """A toy judge: a nat and a token per character."""
    counts = np.array([len(text) for text in texts])
    return JudgeScores(counts.astype(float), counts)


judge.name = "toy"


def documented() -> dict[str, str]:
    """Score and the cell for its direction, from the tables of docs/metrics.md."""
    found = {}
    for line in DOCS.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `") and len(cells) >= 4:
            names = re.findall(r"`([a-z0-9-]+)`", cells[0])
            found |= {re.sub(r"-(n|\d)$", "-", name): cells[1] for name in names}
    return found


def test_every_metric_is_documented_with_its_direction():
    found = documented()
    for name, metric in CATALOGUE.items():
        assert name in found, f"docs/metrics.md lacks {name}"
        better = "none" if found[name] == "as real" else found[name].split(",")[0]
        assert better == metric.direction, name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nll", "held-out NLL, nats per token"),
        ("js", "Jensen-Shannon, nats per sequence"),
        ("bleu-4", "BLEU-4"),
        ("bleu-f1-3", "BLEU-3 F1"),
        ("backward-bleu-2", "backward BLEU-2"),
        ("repetition-4", "repeated 4-grams"),
        ("my-own-2", "my-own-2"),
        ("nll@positive", "held-out NLL of positive, nats per token"),
    ],
)
def test_labels(name, expected):
    assert label(name) == expected


def test_units_and_restrictions():
    assert label("nll", unit=False) == "held-out NLL"
    score = Score("reverse-kl", 1.0, None, 10, "lower", "metric:reverse-kl|only:parsing")
    assert (
        score_label("reverse-kl", [score]) == "reverse KL, nats per sequence, parsing samples only"
    )
    assert score_label("js", [score]) == "Jensen-Shannon, nats per sequence"


def test_every_entry_belongs_to_a_group():
    assert {metric.group for metric in CATALOGUE.values()} == set(GROUPS)
    assert family("self-bleu-4") == "self-bleu-" and find("self-bleu-4").name == "self-bleu-4"


def test_every_score_that_evaluation_produces_is_catalogued(tmp_path):
    config = EvaluationConfig(num_samples=20, resamples=5)
    corpus = GrammarCorpus(num_train=60, num_validation=20, num_heldout=20, num_test=20)
    grammar = load_data("grammar", corpus, seed=1)
    path = tmp_path / "lines.txt"
    path.write_text("\n".join(f"a{i % 9} b{i % 7} c{i}" for i in range(150)))
    text = load_data(str(path), FileCorpus(tokenizer="spaces"))
    found = []
    for data in (grammar, text):
        evaluator = Evaluator(data, replace(config, embedder=f"{__name__}:letters"), 0)
        evaluator.texts.judge = judge
        found += evaluator.real()
        model = data.density or make_generator(LSTM(embedding=4, hidden=4), data.spec, 0)
        found += evaluator.model(model, "mle")[0]
    for score in found:
        entry = find(score.name)
        assert entry is not None, f"{score.name} is not catalogued"
        assert entry.direction == score.direction, score.name
    assert {family(score.name) for score in found} | NOT_HERE == set(CATALOGUE)
