"""Sets with one fault each, and the metric meant to catch it: each comes out in the right order.

The source is the caption grammar, a model is the grammar itself at a temperature, so nothing is
trained and every density is known.
"""

from __future__ import annotations

import numpy as np
import pytest

from rollout import generate
from seqgan.config import EvaluationConfig, GrammarCorpus
from seqgan.data.sources import load_data
from seqgan.evaluation.models import Evaluator
from seqgan.evaluation.scoring import Scorer, Wording
from seqgan.evaluation.text_scores import TextScores
from seqgan.seeding import rng_for

COUNT = 800
WORDING = Wording("spaces")


@pytest.fixture(scope="module")
def data():
    corpus = GrammarCorpus(num_train=2_000, num_validation=400, num_heldout=400, num_test=2_000)
    return load_data("grammar", corpus, seed=4)


def pairs(texts) -> np.ndarray:
    """A toy encoder: counts of hashed pairs of neighbouring words, 24 numbers."""
    found = np.zeros((len(texts), 24))
    for row, text in zip(found, texts, strict=True):
        words = ["^", *text.split(), "$"]
        for first, second in zip(words, words[1:], strict=False):
            row[sum(ord(letter) * 31**i for i, letter in enumerate(first + " " + second)) % 24] += 1
    return found


@pytest.fixture(scope="module")
def scores(data):
    """For each set of sequences its scores by name."""
    training, test = data.real_tokens("train"), data.real_tokens("test")
    real, references = test[:COUNT], test[COUNT:]
    rng = np.random.default_rng(0)
    sets = {
        "real": real,
        "shuffled": [rng.permutation(row).tolist() for row in real],
        "repeated": [real[0]] * COUNT,
        "copied": training[:COUNT],
    }
    for temperature in (0.5, 1.5):
        drawn = generate(data.density.tempered(temperature), COUNT, rng=rng_for(0, "hot or cold"))
        sets[f"at {temperature}"] = data.codec.tokens(drawn)
    scorer = Scorer(20, 0.95, 0)
    texts = TextScores(scorer, f"{__name__}:pairs", False, "none", 2)
    judged = [" ".join(row) for row in references[:COUNT]]
    return {
        name: {
            score.name: score.value
            for score in (
                *scorer.bleu(rows, references, WORDING, "test"),
                *scorer.recall(rows, references, WORDING, "test"),
                *scorer.surface(rows, WORDING, training),
                *texts.distances([" ".join(row) for row in rows], judged, "test"),
            )
        }
        for name, rows in sets.items()
    }


def values(scores, metric) -> dict[str, float]:
    return {name: found[metric] for name, found in scores.items()}


def test_shuffled_words_are_caught_by_longer_n_grams_alone(scores):
    bleu = values(scores, "bleu-4")
    assert bleu["shuffled"] == min(bleu.values()) and bleu["shuffled"] < 0.6 * bleu["real"]
    same = ("distinct-1", "length", "unique")
    assert all(scores["shuffled"][m] == pytest.approx(scores["real"][m], rel=0.01) for m in same)


def test_one_sentence_repeated_is_caught_by_diversity_and_recall_not_by_bleu(scores):
    found = scores["repeated"]
    assert found["bleu-4"] > scores["real"]["bleu-4"] - 0.15  # quality alone sees nothing
    assert found["self-bleu-4"] == 1 and found["unique"] == 1 / COUNT
    for metric in ("backward-bleu-4", "bleu-f1-4", "ms-jaccard-4", "distinct-2"):
        by_set = values(scores, metric)
        assert by_set["repeated"] == min(by_set.values()), metric
        assert by_set["repeated"] < 0.7 * by_set["real"], metric


def test_a_copy_of_training_data_is_caught_by_novelty_alone(scores):
    copied, real = scores["copied"], scores["real"]
    assert copied["copied"] == 1 > real["copied"]
    assert copied["longest-copied"] == pytest.approx(copied["length"])
    by_set = values(scores, "longest-copied")
    assert real["longest-copied"] < copied["longest-copied"] and by_set["shuffled"] < 4
    for metric in ("bleu-4", "self-bleu-4", "backward-bleu-4", "ms-jaccard-4"):
        assert copied[metric] == pytest.approx(real[metric], abs=0.03), metric


def test_temperature_trades_quality_for_diversity(scores):
    cold, real, hot = scores["at 0.5"], scores["real"], scores["at 1.5"]
    assert cold["bleu-4"] > real["bleu-4"] > hot["bleu-4"]
    assert cold["self-bleu-4"] > real["self-bleu-4"] > hot["self-bleu-4"]
    assert cold["backward-bleu-4"] < real["backward-bleu-4"]
    # what weighs both up is best at the truth
    by_set = values(scores, "ms-jaccard-4")
    assert max(by_set["at 0.5"], by_set["at 1.5"]) < min(by_set["real"], by_set["copied"])


def test_the_frechet_distance_is_least_for_what_is_drawn_from_the_source(scores):
    by_set = values(scores, "fed")
    right = [by_set.pop("real"), by_set.pop("copied")]
    assert 0 < max(right) < 0.8 * min(by_set.values())  # real sequences are not at 0
    assert max(by_set, key=by_set.__getitem__) in ("repeated", "shuffled")


def test_likelihood_and_divergences_are_best_at_the_truth(data):
    config = EvaluationConfig(num_samples=1_000, resamples=20)
    evaluator = Evaluator(data, config, 0)
    cold, right, hot = (
        {score.name: score.value for score in evaluator.model(data.density.tempered(t), str(t))[0]}
        for t in (0.5, 1.0, 1.5)
    )
    assert right["js"] == pytest.approx(0, abs=1e-5)
    assert min(cold["js"], hot["js"]) > 0.05
    assert right["nll"] < min(cold["nll"], hot["nll"])
    assert cold["entropy"] < right["entropy"] < hot["entropy"]
    # a sharper model pays where it misses the data, a flatter one where it writes what is rare
    assert cold["forward-kl"] > cold["reverse-kl"] > 0.05
    # the published headline prefers the sharper model to the source itself
    assert cold["nll-source"] < right["nll-source"] < hot["nll-source"]
