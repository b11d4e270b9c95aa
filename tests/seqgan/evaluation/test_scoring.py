"""Intervals of scores: rare events, and statistics that depend on the samples as references."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.arms import Lab
from rollout import generate
from seqgan.config import EvaluationConfig, FileCorpus, RunConfig
from seqgan.data.grammar.policy import GrammarPolicy
from seqgan.data.sources import load_data
from seqgan.evaluation.models import Evaluator
from seqgan.evaluation.scoring import Scorer, Wording

WORDING = Wording("words")


def test_what_was_never_seen_may_happen_all_the_same():
    scorer = Scorer(50, 0.95, 0)
    parsed = scorer.share("parses", np.ones(1000), "higher")
    assert parsed.interval == pytest.approx((0.9961732, 1.0), abs=1e-6)
    assert "|n:1000|wilson:0.95|" in parsed.signature and parsed.value == 1
    none = scorer.share("repetition-4", np.zeros(1000), "none")
    assert none.interval == pytest.approx((0.0, 0.0038268), abs=1e-6)
    # nine of a thousand are too few to resample, ten are not
    few, more = (np.r_[np.full(k, 0.5), np.zeros(1000 - k)] for k in (9, 10))
    assert "wilson" in scorer.share("x", few, "none").signature
    assert "bootstrap" in scorer.share("x", more, "none").signature


def test_the_scores_of_samples_say_so(monkeypatch):
    rows = [[f"w{i}", f"w{j}", "and", f"v{i}", f"v{j}"] for i in range(20) for j in range(20)]
    scores = {score.name: score for score in Scorer(20, 0.95, 0).surface(rows, WORDING, None)}
    low, high = scores["repetition-4"].interval
    assert low == 0 and high == pytest.approx(3.841459 / 403.841459, abs=1e-6)
    assert scores["length"].interval == (5.0, 5.0)  # no share: nothing bounds it


def sentences(count: int, seed: int, temperature: float = 1.0) -> list[list[str]]:
    policy = GrammarPolicy()
    rng = torch.Generator().manual_seed(seed)
    return policy.decode(generate(policy.tempered(temperature), count, rng=rng))


@pytest.mark.parametrize("temperature", [1.0, 0.4])
def test_backward_bleu_and_f1_move_with_the_samples_as_their_intervals_say(temperature):
    references, found = sentences(60, 999), {}
    for trial in range(30):
        samples = sentences(60, trial, temperature)
        for score in Scorer(20, 0.95, trial).recall(samples, references, WORDING, "r"):
            if score.interval is not None:
                found.setdefault(score.name, []).append((score.value, *score.interval))
    assert set(found) == {
        f"{kind}-{k}" for kind in ("backward-bleu", "bleu-f1") for k in (2, 3, 4, 5)
    }
    for name, rows in found.items():
        values, low, high = np.array(rows).T
        covered = ((low <= values.mean()) & (values.mean() <= high)).mean()
        assert covered >= 0.86, name  # 95%, and 2.3 standard errors of 30 trials
        assert (high - low).mean() < 8 * values.std(), name  # and not without bound


def test_a_single_sample_has_no_interval():
    scores = Scorer(20, 0.95, 0).recall([["a", "b"]], [["a", "b"], ["c"]], WORDING, "r")
    assert {score.interval for score in scores} == {None}


def test_real_sequences_are_taken_at_random(monkeypatch, tmp_path):
    """Neighbouring lines of a file are often alike, so the first ones are no sample of it."""
    lines = [f"{word} a{i} b{i % 7} c{i % 5}" for word in ("first", "last") for i in range(150)]
    (tmp_path / "lines.txt").write_text("\n".join(lines))
    name = str(tmp_path / "lines.txt")
    corpus = FileCorpus(tokenizer="spaces", min_count=1, validation_share=0.3, heldout_share=0.2)
    data = load_data(name, corpus, test_data=name)
    settings = EvaluationConfig(num_samples=60, resamples=20)
    seen = []
    recall = Scorer.recall

    def spy(self, tokens, *rest):
        seen.append([row[0] for row in tokens])
        return recall(self, tokens, *rest)

    monkeypatch.setattr(Scorer, "recall", spy)
    Evaluator(data, settings, 0).real()
    lab = Lab(RunConfig(data=name, evaluation=settings), data)
    monkeypatch.setattr(
        Lab, "_own_metrics", lambda self, tokens: seen.append([row[0] for row in tokens]) or []
    )
    lab.ceiling("real")
    for words in (seen[0], seen[-1]):
        assert len(words) == 60 and 15 <= words.count("first") <= 45
