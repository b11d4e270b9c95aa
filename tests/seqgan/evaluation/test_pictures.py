"""Scores of pictures: a classifier's accuracy, its confidence, and distances of its features."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from rollout import Sequences
from seqgan.config import EvaluationConfig, GrammarCorpus, PictureCorpus
from seqgan.data.bounded import bounded
from seqgan.data.sources import load_data
from seqgan.evaluation.models import Evaluator
from seqgan.evaluation.pictures import PictureScores, PictureSpace, has_pictures
from seqgan.evaluation.primary import PRIMARY, choose
from seqgan.evaluation.scoring import Scorer
from seqgan.metrics import frechet_distance

from ..data.test_pictures import mnist
from ..tiny import TINY_WORK, without_report

pytest.importorskip("sklearn")


@pytest.fixture(scope="module")
def data():
    return load_data("digits", PictureCorpus(levels=4, label=True), seed=1)


@pytest.fixture(scope="module")
def space(data):
    return PictureSpace(data)


def value(scores, name):
    return next(score.value for score in scores if score.name == name)


def test_the_classifier_reads_real_digits(space):
    found = PictureScores(space, Scorer(50, 0.95, 0), 270).real()
    assert value(found, "class-accuracy") > 0.95
    assert 0 < value(found, "picture-distance") < 1


def test_accuracy_counts_the_labels_that_were_asked_for(data, space):
    test = data.test
    read = torch.from_numpy(space.classifier.labels(data.codec.brightness(test)))
    asked = read.clone()
    asked[:27] = (asked[:27] + 1) % 10  # 27 of 270 are not what was asked for
    samples = Sequences(test.tokens, test.lengths, test.terminated, {"label": asked})
    scores = PictureScores(space, Scorer(50, 0.95, 0), 270)
    assert value(scores.scores(samples), "class-accuracy") == pytest.approx(1 - 27 / len(test))
    bare = Sequences(test.tokens, test.lengths, test.terminated)
    assert "class-accuracy" not in {score.name for score in scores.scores(bare)}


def test_noise_is_farther_than_real_pictures_and_read_with_less_confidence(data, space):
    noise = torch.randint(4, data.test.tokens.shape, generator=torch.Generator().manual_seed(0))
    scores = PictureScores(space, Scorer(50, 0.95, 0), 270)
    found = scores.scores(Sequences(noise, data.test.lengths))
    assert value(found, "picture-distance") > 10 * value(scores.real(), "picture-distance")


def test_features_are_the_hidden_units(space, data):
    # The classifier's own probabilities follow from them.
    pixels = data.codec.brightness(data.test)
    model = space.classifier._model
    logits = space.classifier.features(pixels) @ model.coefs_[1] + model.intercepts_[1]
    expected = np.exp(logits - logits.max(1, keepdims=True))
    expected /= expected.sum(1, keepdims=True)
    assert np.allclose(expected.max(1), space.classifier.confidence(pixels))


def test_it_is_the_primary_metric_of_pictures_with_labels(data):
    metric = PRIMARY["picture-distance"]
    assert choose(data, EvaluationConfig()) is metric and has_pictures(data)
    unlabelled = replace(data, labels={})
    assert choose(unlabelled, EvaluationConfig()).name == "nll"
    small = GrammarCorpus(num_train=4, num_validation=4, num_heldout=4, num_test=4)
    grammar = load_data("grammar", small)
    assert not has_pictures(grammar) and not metric.suits(grammar, EvaluationConfig())


def test_distances_of_samples_and_of_real_pictures_are_of_equal_numbers(data, space):
    scores = PictureScores(space, Scorer(50, 0.95, 0), 100)
    for found in (scores.scores(data.test), scores.real()):
        (distance,) = (score for score in found if score.name == "picture-distance")
        assert distance.n == 100 and "/100|" in distance.signature


def test_sweep_and_scores_use_one_classifier(data, space):
    assert PictureSpace(bounded(data, EvaluationConfig(num_real=50))).classifier is space.classifier


def test_pictures_asked_for_by_label_have_no_classifier_of_words(data):
    evaluator = Evaluator(data, EvaluationConfig(num_samples=30, resamples=20), 0)
    found = {score.name for score in evaluator.real()}
    assert "class-accuracy" in found and not {x for x in found if x.startswith("label-accuracy")}


def test_the_distance_of_equal_pictures_is_nothing(data, space):
    real = space.split("test")
    assert frechet_distance(real, real) == pytest.approx(0, abs=1e-6)
    assert len(space.training(100)) == 100 and space.training(10**6) is None


def test_a_run_on_a_file_shows_pictures(tmp_path, monkeypatch, capsys):
    from seqgan.cli.main import main
    from seqgan.report import write_report

    without_report(monkeypatch)
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 3
    pictures = rng.integers(120, size=(120, 2, 3))
    pictures[np.arange(120), 0, labels] = 250
    place = mnist(tmp_path, pictures, labels)
    corpus = ["--corpus.levels", "4", "--corpus.label", "true", "--corpus.test_share", "0.25"]
    run = tmp_path / "run"
    assert main(["run", "--data", place, *corpus, *TINY_WORK, "--output_dir", str(run)]) == 0
    assert "mle.png shows them" in capsys.readouterr().out
    write_report(run)
    for name in ("real", "mle", "finetuned"):
        assert (run / "samples" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert f"samples/{name}.png" in (run / "report.md").read_text()
    assert (run / "report.html").read_text().count("data:image/png;base64,") == 3
    results = json.loads((run / "results.json").read_text())
    assert results["verdict"]["metric"] == "picture-distance"
    for name in ("mle", "finetuned", "control", "real"):
        found = {score["name"]: score["value"] for score in results["scores"][name]}
        assert {"picture-distance", "class-accuracy", "class-confidence"} <= found.keys()
    events = next(run.glob("events.out.tfevents*")).read_bytes()
    assert b"samples/finetuned" in events
    assert main(["explain", str(run), "--number", "1", "--rollouts", "1"]) == 0  # with a label
    assert "--columns:3" in (run / "explain" / "explain.html").read_text()
