"""Samples chosen among candidates against plain ones: by what helps, and by nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks.energies import ENERGIES, Material
from benchmarks.rescored import rescored, rescored_verdict
from benchmarks.residual import residual
from benchmarks.tables import make_tables
from rollout import Sequences
from seqgan.config.reading import run_config
from seqgan.data.sources import run_data
from seqgan.errors import ConfigError
from seqgan.metrics.likelihood import sequence_scores
from seqgan.models import make_generator
from seqgan.training.runtime import Runtime, make_accelerator

SETTINGS = {
    "data": "oracle",
    "corpus": {
        "vocabulary": 12, "length": 5, "hidden": 4,
        "num_train": 200, "num_validation": 150, "num_heldout": 20, "num_test": 150,
    },
    "generator": {"embedding": 4, "hidden": 4},
    "discriminator": {"embedding": 4, "architecture": "mlp", "hidden": 4},
    "critic": {"steps": 2, "measure_every": 1},
    "evaluation": {
        "num_samples": 150, "sweep_samples": 150, "resamples": 50,
        "embedder": f"{__name__}:counts", "temperatures": [0.7, 1.0, 1.4],
    },
}  # fmt: skip


def counts(texts: list[str]) -> np.ndarray:
    """Times that a text holds each of the 12 tokens."""
    words = [[int(word) for word in text.split()] for text in texts]
    return np.array([np.bincount(row, minlength=12)[:12] for row in words], dtype=np.float32)


@pytest.fixture(scope="module")
def parts():
    config = run_config(SETTINGS, "test")
    data = run_data(config)
    mle = make_generator(config.generator, data.spec, 0).eval()
    return config, data, mle


def test_a_choice_by_the_true_ratio_is_better_and_one_by_nothing_is_not(parts):
    config, data, mle = parts

    def ratio(sequences: Sequences) -> np.ndarray:
        log_p, log_q = (sequence_scores(x, sequences).log_prob for x in (data.density, mle))
        return (log_p - log_q).numpy()

    text = replace(data, density=None)
    for energy, label in ((ratio, "better"), (lambda each: np.zeros(len(each)), None)):
        verdict, rescoring = rescored_verdict(mle, text, config.evaluation, 0, energy, 1.0, 8)
        if label is None:
            assert verdict.label == "not distinguishable"
        else:
            assert verdict.label == label and verdict.interval[1] < 0
            samples = rescoring.chosen(mle, 1.0, "test", 100)
            plain = rescoring.__class__(rescoring, lambda x: np.zeros(len(x)), 1.0, 8)
            other = plain.chosen(mle, 1.0, "test", 100)
            assert ratio(samples).mean() > ratio(other).mean() + 0.5
            assert torch.equal(samples.lengths, torch.full((100,), 5))


def test_what_needs_a_likelihood_is_refused(parts):
    config, data, mle = parts
    with pytest.raises(ConfigError, match="js needs one: take a suite of texts"):
        rescored_verdict(mle, data, config.evaluation, 0, lambda x: np.zeros(len(x)), 1.0, 2)
    with pytest.raises(ConfigError, match="usem3 would judge what it has chosen"):
        rescored(mle, data, config, None, "encoder", encoder="usem3", embedder="usem3")


def test_the_arm_s_result_and_its_table(parts):
    config, data, mle = parts
    runtime = Runtime(make_accelerator("cpu"), seed=0)
    text, embedder = replace(data, density=None), f"{__name__}:counts"
    found = rescored(mle, text, config, runtime, candidates=2, embedder=embedder)
    names = {score.name for score in found.scores}
    assert {"bleu-3", "self-bleu-3", "unique"} <= names and "nll" not in names
    verdict = found.more["rescored"]
    assert verdict["metric"] == "fed" and verdict["beta"] >= 0
    assert (verdict["difference"] is None) == (verdict["label"] == "not comparable")
    result = {
        "suite": "mine", "size": "standard", "seed": 0, "arm": "rescored-bilstm", "place": 1,
        "title": "chosen", "kind": "ceiling", "control_of": None, "config": {}, "scores": [],
        "suite_title": "mine", "columns": None, "published": None, "absent": [],
    }  # fmt: skip
    verdict = {
        **verdict, "difference": -0.2, "label": "better", "draws": [-0.21, -0.19] * 50,
        "mle_value": 0.7, "finetuned_value": 0.5, "test_set": "x",
    }  # fmt: skip
    tables = {t.name: t for t in make_tables([{**result, "rescored": verdict}])}
    (row,) = tables["rescored-standard"].rows
    judge = f"FED, {__name__}:counts"
    assert row[:7] == ["chosen", "mine", judge, "1", "0.7000", "0.5000", "-0.2000"]
    assert row[-1] == "better"
    assert "rescored-standard" not in {t.name for t in make_tables([result])}


def test_members_choose_by_their_ratio_and_nothing_is_trained(parts):
    config, data, mle = parts
    others = [make_generator(config.generator, data.spec, seed).eval() for seed in (1, 2)]
    runtime = Runtime(make_accelerator("cpu"), seed=0)
    energy = ENERGIES["members"](Material(mle, data, config, runtime, others))
    samples = data.test
    each = [x(samples).log_prob.double().detach() for x in others]
    together = torch.logaddexp(*each) - np.log(2)  # per token, not per sequence
    wanted = (together - mle(samples).log_prob.double().detach()).sum(1)
    np.testing.assert_allclose(energy(samples), wanted.numpy(), atol=1e-5)
    text = replace(data, density=None)
    embedder = f"{__name__}:counts"
    asked = {"candidates": 2, "embedder": embedder}
    found = rescored(mle, text, config, runtime, "members", others, **asked)
    assert found.more["rescored"]["embedder"] == embedder and runtime.tokens == 0
    nll, _ = residual(mle, text, config, runtime, "members", others)
    assert nll.name == "nll" and np.isfinite(nll.value) and runtime.tokens == 0
