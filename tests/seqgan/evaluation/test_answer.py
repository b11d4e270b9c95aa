"""The answer of a run: every condition of it by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seqgan.config import LSTM, EvaluationConfig, RunConfig
from seqgan.evaluation.answer import Answer, answer, effect
from seqgan.evaluation.comparison import Compared, Comparison, Verdict
from seqgan.metrics import Score
from seqgan.metrics.catalogue import JENSEN_SHANNON
from seqgan.training.pretrain import Convergence

FIT = Convergence("converged", 20, 17, 3.0)
SUMMARY = {"best_round": 4, "troubles": []}


def verdict(label: str, difference: float | None = -0.02, metric: str = "nll") -> Verdict:
    none = difference is None
    return Verdict(
        label, metric, difference, None if none else (difference - 0.01, difference + 0.01), 0.95,
        0.9, None if none else 0.95, 2.0, None if none else 2.0, 3.0, None if none else 3.02,
        f"The sentence on {label}.",
    )  # fmt: skip


def answered(
    against_mle: str = "better",
    against_control: str | None = "better",
    control: str = "not distinguishable",
    pretraining: Convergence = FIT,
    num_test: int = 2_000,
    **config: object,
) -> Answer:
    compared = Compared(Comparison({}, {}, verdict(against_mle)))
    if against_control is not None:
        difference = None if against_control == "not comparable" else -0.02
        compared = replace(
            compared,
            control=Comparison({}, {}, verdict(control)),
            between=Comparison({}, {}, verdict(against_control, difference)),
        )
    settings = replace(RunConfig(data="x"), **config)
    return answer(compared, pretraining, settings, SUMMARY, num_test, [])


def test_a_control_that_failed_is_none():
    verdicts = Compared(
        *(Comparison({}, {}, verdict(each)) for each in ("better", "worse", "better"))
    )
    settings = RunConfig(data="x")
    assert answer(verdicts, FIT, settings, SUMMARY, 2_000, []).helped
    found = answer(verdicts, FIT, settings, SUMMARY, 2_000, [], control_failed=True)
    assert not found.helped and any("The control ended early" in each for each in found.cautions)


def test_densities_of_models_with_noise_are_estimates():
    compared = Compared(
        *(
            Comparison({}, {}, verdict(each, metric=JENSEN_SHANNON))
            for each in ("better", "worse", "better")
        )
    )
    plain, noisy = RunConfig(data="x"), RunConfig(data="x", generator=LSTM(noise=4))
    assert answer(compared, FIT, plain, SUMMARY, 2_000, []).helped
    found = answer(compared, FIT, noisy, SUMMARY, 2_000, [])
    assert not found.helped and "--evaluation.primary likelihood" in found.cautions[0]
    bound = answered(generator=LSTM(noise=4))
    assert bound.helped and bound.cautions[0].startswith("The models read noise")
    assert not any("read noise" in each for each in answered().cautions)


def test_a_success_has_all_of_it():
    found = answered()
    assert found.label == "better" and found.helped
    assert found.sentence.startswith("Better. The sentence on better. The size of the difference")
    assert "It is better than the control, the same training with a random reward" in found.sentence
    assert found.sentence.endswith("The control itself is not distinguishable from MLE.")
    assert [caution[:17] for caution in found.cautions] == ["One training seed"]


@pytest.mark.parametrize(
    ("against_mle", "against_control", "label"),
    [
        ("better", "not distinguishable", "not distinguishable"),
        ("better", "worse", "not distinguishable"),
        ("better", "not comparable", "not comparable"),
        ("better", None, "not judged against a control"),
        ("worse", "better", "worse"),
        ("not distinguishable", "better", "not distinguishable"),
        ("not comparable", "better", "not comparable"),
        ("worse", None, "worse"),
    ],
)
def test_better_needs_mle_and_the_control(against_mle, against_control, label):
    found = answered(against_mle, against_control)
    assert found.label == label and not found.helped
    assert found.to_dict()["against_mle"] == against_mle
    assert ("The size of the" in found.sentence) == (against_mle in ("better", "worse"))
    assert found.to_dict()["against_control"] == against_control


@pytest.mark.parametrize("state", ["still improving", "past its best", "unknown"])
def test_an_unfit_baseline_keeps_the_headline_away(state):
    found = answered(pretraining=Convergence(state, 5, 3, 3.0))
    assert found.label == "better" and not found.helped
    assert "MLE was" in found.cautions[0]


def test_a_reward_that_teaches_nothing_is_no_success():
    for reward in ("random", "constant"):
        found = answered(rewards=reward)
        assert not found.helped and "nothing to teach" in found.cautions[0]


def test_what_is_too_small_to_judge():
    small = answered(num_test=99)
    assert small.label == "too small to judge" and not small.helped
    assert small.cautions[0].startswith("Too small to judge: 99 test sequences and 5,000 samples")
    few = answered(evaluation=EvaluationConfig(num_samples=499))
    assert few.label == "too small to judge"
    enough = answered(num_test=100, evaluation=EvaluationConfig(num_samples=500))
    assert enough.label == "better"
    assert "Only 100 test sequences" in " ".join(enough.cautions)


@pytest.mark.parametrize(
    ("way", "advice"), [("temperature 0.9", "Widen --evaluation.temperatures"), ("top-p 0.8", "")]
)
def test_a_model_that_is_best_at_the_end_of_what_was_tried(way, advice):
    found = replace(verdict("better"), at_end=True, finetuned_way=way)
    text = " ".join(answer(Compared(Comparison({}, {}, found)), FIT, RunConfig(data="x"),
                           SUMMARY, 500, []).cautions)  # fmt: skip
    assert f"best at the end of what was tried ({way})" in text
    assert ("Widen" in text) is bool(advice) and advice in text
    assert "end of what was tried" not in " ".join(answered().cautions)


def test_mle_at_another_diversity_is_a_caution():
    found = replace(verdict("better"), mle_best_way="top-p 0.9", mle_best_value=2.9)
    for label, said in (("better", True), ("worse", False)):
        compared = Compared(Comparison({}, {}, replace(found, label=label)))
        text = " ".join(answer(compared, FIT, RunConfig(data="x"), SUMMARY, 500, []).cautions)
        assert ("At another diversity (top-p 0.9) MLE has 2.9000" in text) is said


def test_cautions_of_the_rounds():
    found = answered(control="better")
    text = " ".join(found.cautions)
    assert "The control is better than MLE as well" in text
    compared = Compared(Comparison({}, {}, verdict("worse")))
    summary = {"best_round": 0, "troubles": [{"round": 3, "text": "mode collapse: entropy 0.1"}]}
    text = " ".join(answer(compared, FIT, RunConfig(data="x"), summary, 500, []).cautions)
    assert "No round improved on validation" in text
    assert "Round 3: mode collapse: entropy 0.1." in text
    assert "There was no control" in text


@pytest.mark.parametrize(
    ("difference", "baseline", "floor", "text"),
    [
        # of the value: 0.003 of 3 is a share of 0.1%
        (-0.0029, 3.0, None, "negligible: 0.10% of MLE's value"),
        (-0.0031, 3.0, None, "small: 0.10% of MLE's value"),
        (0.031, 3.0, None, "clear: 1.03% of MLE's value"),
        # of the distance to the source: MLE at 0.09 of Jensen-Shannon, the source at 0
        (-0.0008, 0.09, 0.0, "negligible: 0.89% of the distance between MLE and the source"),
        (-0.002, 0.09, 0.0, "small: 2.22% of the distance between MLE and the source"),
        (-0.018, 0.09, 0.0, "clear: 20.00% of the distance between MLE and the source"),
        # MLE at the floor: there is no distance to take a share of
        (-0.0001, 0.03, 0.031, "small: 0.33% of MLE's value"),
    ],
)
def test_the_size_of_a_difference_in_words(difference, baseline, floor, text):
    assert str(effect(difference, baseline, floor)) == text


def test_the_floor_is_that_of_the_primary_metric():
    def share(metric: str, real: list[Score], measured: dict[str, float]) -> str:
        comparison = Comparison({}, {}, verdict("better", metric=metric), measured)
        return str(
            answer(Compared(comparison), FIT, RunConfig(data="x"), SUMMARY, 500, real).effect
        )

    source = [Score("nll", 2.83, None, 10, "lower", "x")]
    assert share("nll", source, {}) == "clear: 10.53% of the distance between MLE and the source"
    assert share("nll", [], {}).endswith("of MLE's value")
    assert share("js", [], {}) == "negligible: 0.66% of the distance between MLE and the source"
    assert share("fed", [], {"fed": 2.83}).startswith("clear: 10.53%")
