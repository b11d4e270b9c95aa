"""The answer of a run: did the training help? All conditions of it in one place.

*Better* needs all of this: better than swept MLE at equal diversity, outside the interval and by a
difference of practical size; and better in the same way than the control, the same training with a
random reward. A headline that says so needs a fair start as well: an MLE model that was trained to
its end, and a reward that could teach something. What is missing is said in words, in the terminal
as in the report.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..config import RunConfig
from ..metrics import Score
from ..metrics.likelihood import NOISES
from ..training.pretrain import Convergence
from .comparison import Compared, Verdict
from .primary import PRIMARY
from .significance import relation

__all__ = [
    "ANSWERS",
    "LEAST_SAMPLES",
    "TOO_SMALL",
    "UNFIT",
    "Answer",
    "Effect",
    "answer",
    "effect",
    "final_label",
]

UNJUDGED, TOO_SMALL = "not judged against a control", "too small to judge"
ANSWERS = (
    "better", "not distinguishable", "worse", "not comparable", UNJUDGED, TOO_SMALL,
)  # fmt: skip
LEAST_TEST, LEAST_SAMPLES = 100, 500
"""Test sequences and samples of each model below which a run shows only that everything works."""
FEW_TEST = 1_000
"""Test sequences below which only clear differences can be found."""
WORDS_OF_DISTANCE = ((0.1, "clear"), (0.01, "small"))
WORDS_OF_VALUE = ((0.01, "clear"), (0.001, "small"))
"""Effect sizes in words: the word of the first share that a difference reaches; below, negligible.
A share of the distance between MLE and the source if that is known, else of MLE's own value."""
UNFIT = {
    "still improving": (
        "MLE was still improving at its last epoch ({epochs}): the baseline is undertrained, and "
        "further training of any kind would help it. Raise --pretrain.epochs."
    ),
    "past its best": (
        "MLE was best after epoch {best_epoch} of {epochs} and worse at the end, which was kept: "
        "the baseline is overfitted. --pretrain.early_stopping true keeps the best state."
    ),
    "unknown": (
        "No record is left of how MLE was trained: whether the baseline had converged is unknown."
    ),
}
"""Said of a baseline that is not the best that MLE can do, by the state of its pretraining."""
TAUGHT_NOTHING = {
    "constant": "The reward was the same for every sequence: it has nothing to teach.",
    "random": "The reward was a random number: it has nothing to teach.",
}
OF_NOISE = (
    f"The models read noise, so their likelihoods and entropies are estimates: of the mixture over "
    f"{NOISES} draws of it, the same for all models. A negative log-likelihood is a bound from "
    "above, the further off the more a model makes of its noise."
)
NO_DENSITY = (
    "A Jensen-Shannon divergence of such estimates is neither the models' nor a bound: "
    "--evaluation.primary likelihood compares the bounds."
)
"""Said of generators with noise; the second, if the metric takes the density itself."""


@dataclass(frozen=True)
class Effect:
    """The size of a difference.

    Attributes:
        word: negligible, small or clear.
        share: of `of`.
        of: what the difference is a share of, in words.
    """

    word: str
    share: float
    of: str

    def __str__(self) -> str:
        return f"{self.word}: {self.share:.2%} of {self.of}"


@dataclass(frozen=True)
class Answer:
    """The answer of a run.

    Attributes:
        label: one of `ANSWERS`.
        helped: whether the training may be said to have helped: better, and from a fair start.
        sentence: the answer and its reasons.
        cautions: what a careful reader should know, a sentence or two each.
        effect: the size of the difference from MLE; None if nothing could be compared.
        against_mle: the method and swept MLE.
        against_control: the method and the swept control; None: there was none.
        control: the control and swept MLE, as if it were a method; None: there was none.
    """

    label: str
    helped: bool
    sentence: str
    cautions: list[str]
    effect: Effect | None
    against_mle: Verdict
    against_control: Verdict | None = None
    control: Verdict | None = None

    def to_dict(self) -> dict[str, Any]:
        """The figures against MLE and the conclusions from them, for results.json."""
        return {
            **self.against_mle.to_dict(),
            "label": self.label,
            "helped": self.helped,
            "sentence": self.sentence,
            "cautions": self.cautions,
            "effect": None if self.effect is None else str(self.effect),
            "against_mle": self.against_mle.label,
            "against_control": None if self.against_control is None else self.against_control.label,
        }


def answer(
    compared: Compared,
    pretraining: Convergence,
    config: RunConfig,
    summary: dict[str, Any],
    num_test: int,
    real: list[Score],
    control_failed: bool = False,
) -> Answer:
    """Puts the comparisons of a run together.

    Args:
        compared: the method, the control and MLE.
        pretraining: how far MLE came.
        config: the run's settings.
        summary: of the adversarial rounds.
        num_test: test sequences that were measured.
        real: scores of real sequences, and of the source where its density is known.
        control_failed: the control ended early because its loss was not finite.
    """
    against_control = None if compared.between is None else compared.between.verdict
    control = None if compared.control is None else compared.control.verdict
    found, floor = compared.method.verdict, _floor(compared, real)
    small = num_test < LEAST_TEST or config.evaluation.num_samples < LEAST_SAMPLES
    between = None if against_control is None else against_control.label
    label = final_label(found.label, between, small=small)
    blocking = list(_blocking(pretraining, config, against_control, control_failed))
    noise = config.generator.noise_size > 0
    estimated = noise and PRIMARY[found.metric].exact
    if estimated:
        blocking.append(f"{OF_NOISE} {NO_DENSITY}")
    if small:
        blocking.insert(0, _too_small(num_test, config))
    size = None
    if found.difference is not None and found.mle_value is not None:
        size = effect(found.difference, found.mle_value, floor)
    return Answer(
        label,
        label == "better" and not blocking,
        " ".join(_sentences(label, found, against_control, control, size)),
        [
            *blocking,
            *([OF_NOISE] if noise and not estimated else []),
            *_cautions(found, config, summary, num_test, control),
        ],
        size,
        found,
        against_control,
        control,
    )


def _too_small(num_test: int, config: RunConfig) -> str:
    return (
        f"Too small to judge: {num_test:,} test sequences and {config.evaluation.num_samples:,} "
        f"samples of each model; at least {LEAST_TEST} and {LEAST_SAMPLES} are needed."
    )


def effect(difference: float, baseline: float, floor: float | None = None) -> Effect:
    """Expresses the size of a difference in words.

    Args:
        difference: of the primary metric.
        baseline: MLE's value of it.
        floor: the value of the source itself, if it is known and below MLE's.
    """
    whole, of, words = abs(baseline), "MLE's value", WORDS_OF_VALUE
    if floor is not None and baseline > floor:
        whole, of = baseline - floor, "the distance between MLE and the source"
        words = WORDS_OF_DISTANCE
    share = abs(difference) / whole if whole > 0 else 0.0
    return Effect(next((word for least, word in words if share >= least), "negligible"), share, of)


def _floor(compared: Compared, real: list[Score]) -> float | None:
    """The primary metric of the source itself, or None if it is unknown."""
    metric = PRIMARY[compared.method.verdict.metric]
    return metric.ceiling(compared.method.real, {score.name: score.value for score in real})


def final_label(against_mle: str, against_control: str | None, *, small: bool = False) -> str:
    """The label that all comparisons leave: the rule of a run and of a benchmark.

    Args:
        against_mle: label of the method against swept MLE.
        against_control: label of the method against its control; None: there was none.
        small: too few sequences were measured.
    """
    if small:
        return TOO_SMALL
    if against_mle != "better":
        return against_mle
    if against_control is None:
        return UNJUDGED
    if against_control in ("better", "not comparable"):
        return against_control
    return "not distinguishable"


def _blocking(
    pretraining: Convergence,
    config: RunConfig,
    against_control: Verdict | None,
    control_failed: bool,
) -> Iterator[str]:
    """Yields the reasons that keep a run from being called a success, a sentence or two each."""
    if pretraining.state != "converged":
        yield UNFIT[pretraining.state].format(**pretraining._asdict())
    names = [term.name for term in config.rewards]
    if all(name in TAUGHT_NOTHING for name in names):
        yield TAUGHT_NOTHING[names[0]]
    if against_control is None:
        yield (
            "There was no control: what the same updates gain from a random reward is unknown. "
            "--evaluation.control true runs it."
        )
    if control_failed:
        yield (
            "The control ended early: its loss became NaN or infinite, so it is not what the same "
            "updates gain from a random reward."
        )


def _cautions(
    found: Verdict,
    config: RunConfig,
    summary: dict[str, Any],
    num_test: int,
    control: Verdict | None,
) -> Iterator[str]:
    """Yields what a careful reader should know besides."""
    if summary["best_round"] == 0:
        kept = (
            "pretrained one"
            if config.adversarial.early_stopping
            else "one after the last round nevertheless"
        )
        yield f"No round improved on validation; the fine-tuned model is the {kept}."
    if control is not None and control.label == "better":
        yield "The control is better than MLE as well: the updates themselves do that."
    best = found.mle_best_value
    if found.label == "better" and best is not None and best < found.finetuned_value:
        yield (
            f"At another diversity ({found.mle_best_way}) MLE has {best:.4f}, less "
            f"than the fine-tuned model's {found.finetuned_value:.4f}: where diversity does not "
            "matter, that is the model to take."
        )
    if found.at_end:
        widen = found.finetuned_way.startswith("temperature")
        yield (
            f"The fine-tuned model was best at the end of what was tried ({found.finetuned_way}): "
            "beyond it the answer may be another."
            + (" Widen --evaluation.temperatures." if widen else "")
        )
    for trouble in summary["troubles"]:
        yield f"Round {trouble['round']}: {trouble['text']}."
    if LEAST_TEST <= num_test < FEW_TEST:
        yield f"Only {num_test} test sequences: a small difference cannot be found with so few."
    yield (
        "One training seed: the intervals are over sequences and say nothing about how much the "
        "answer moves from one training run to the next."
    )


def _sentences(
    label: str,
    found: Verdict,
    against_control: Verdict | None,
    control: Verdict | None,
    size: Effect | None,
) -> Iterator[str]:
    """Yields the answer and its reasons, a sentence each."""
    yield f"{label.capitalize()}."
    yield found.sentence
    if size is not None and found.label in ("better", "worse"):  # else there is none to size
        yield f"The size of the difference is {size}."
    if against_control is None or found.label == "not comparable":
        return
    if against_control.difference is None or against_control.interval is None:
        yield "The control, the same training with a random reward, is at no temperature as varied."
        return
    low, high = against_control.interval
    yield (
        f"It is {relation(against_control.label)} the control, the same training with a random "
        f"reward ({PRIMARY[found.metric].title}: {against_control.mle_value:.4f}; difference "
        f"{against_control.difference:+.4f} [{low:+.4f}, {high:+.4f}])."
    )
    if control is not None and control.label != "not comparable":
        yield f"The control itself is {relation(control.label)} MLE."
