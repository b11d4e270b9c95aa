"""The suite of ORGAN's objectives: its scores, its controls, the verdict by a reward."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import objectives
from benchmarks.arm_names import arm_set
from benchmarks.arms import Lab
from benchmarks.objectives import objective_table
from benchmarks.organ_scores import solubility, synthesizability
from benchmarks.suite_files import load_suite
from rollout import Sequences
from seqgan.config.reading import run_config
from seqgan.data.sources import run_data
from seqgan.evaluation.objective_verdict import ObjectiveVerdict


def test_organs_scales_by_hand():
    """Benzene: logP 1.6866 and accessibility 1; ethanol: -0.0014. Others are left out."""
    pytest.importorskip("rdkit", reason="the extra molecules is not installed")
    samples = [[*"c1ccccc1"], [*"CCO"], [*"C(("]]
    low, high = -2.12178879609, 6.0429063424
    expected = ((1.6866 - low) + (-0.0014 - low)) / (high - low) / 2
    found = solubility(samples, None)
    assert found.value == pytest.approx(expected, abs=1e-4) and found.n == 2
    assert found.interval[0] < found.value < found.interval[1]
    assert synthesizability([[*"c1ccccc1"]], None).value == 1.0  # cut: 1 is easier than 1.5
    assert synthesizability([[*"C(("]], None).n == 0


def test_every_objective_has_its_control():
    arms = {arm.name: arm for arm in load_suite("organ").arms("standard", 0)}
    named = arm_set("organ-table")
    methods = [name for name in named if arms[name].kind == "method"]
    assert len(methods) == 7 and all(f"{name}-random" in named for name in methods)
    for name in methods:
        settings = arms[name].config["adversarial"]
        assert settings["rounds"] * settings["generator_steps"] == 150


def few_tokens(completions, **columns):
    """A reward: sequences of few tokens."""
    return [-float(len(each)) for each in completions]


@pytest.mark.parametrize(
    ("state", "said"), [("still improving", "undertrained"), ("converged", "")]
)
def test_nothing_is_better_by_the_reward_than_an_mle_that_was_not_trained_well(
    state, said, monkeypatch
):
    corpus = {"num_train": 40, "num_validation": 20, "num_heldout": 20, "num_test": 20}
    config = run_config(
        {"data": "grammar", "corpus": corpus, "generator": {"hidden": 8}, "pretrain": {"epochs": 1},
         "rewards": [{"name": f"{__name__}.few_tokens"}]},
        "test",
    )  # fmt: skip
    lab = Lab(config, run_data(config))
    assert lab.begin()["training"]["state"] == "still improving"
    lab.starts(config).first()[1]["training"]["state"] = state
    given = []

    def asked(objective, policy, calls, *more):
        given.append((calls, more[-1]))
        none = Sequences.from_lists([[0]], 0)
        return ObjectiveVerdict("worse", "", [], 1, none, np.zeros(1), explains=False)

    monkeypatch.setattr(objectives, "verdict_of", asked)
    assert objectives.reward_verdict(lab, lab.mle.policy, config, 9)["label"] == "worse"
    ((calls, unfit),) = given
    assert calls == 9 and said in unfit and bool(unfit) is bool(said)


def test_the_table_by_the_reward():
    def cell(seed, label, reward):
        row = {"unique": 1.0, "novel": 0.5, "kl": 2.0, "calls": 9_600}
        rows = [
            {"name": name, "reward": value, "low": value - 0.1, "high": value + 0.2, **row}
            for name, value in (("mle", 0.4), ("finetuned", reward))
        ]
        objective = {"label": label, "rows": rows}
        return {"suite": "organ", "size": "standard", "seed": seed, "title": "RL alone",
                "objective": objective}  # fmt: skip

    table = objective_table([cell(0, "worse", 0.7), cell(1, "better", 0.9), {"suite": "organ"}])
    assert [row[:4] for row in table.rows] == [
        ["RL alone", "MLE", "2", "0.400 [0.300, 0.600]"],
        ["RL alone", "fine-tuned", "2", "0.800 [0.600, 1.100]"],
    ]
    assert table.rows[1][4:] == ["100.0%", "50.0%", "2.0", "9,600", "**worse, better**"]
    assert objective_table([{"suite": "organ"}]) is None
