"""The verdict: is the adversarial model better than plain MLE, swept over temperature?

Lowering the softmax temperature of an MLE model trades diversity for quality and improves most
published metrics. So both models are swept over the same temperatures, the adversarial model is
taken at the temperature that is best on validation, and MLE at the temperature that gives it the
same diversity (entropy a token). The two are then compared on the test split by the primary metric,
with a bootstrap interval over sequences.

Primary metric: the Jensen-Shannon divergence where the source's density is known and the divergence
tells anything; on text the Frechet embedding distance where an embedder is asked for; otherwise the
held-out likelihood. All are to be minimised. The divergence cannot exceed log 2, and comes so near
it where two distributions hardly overlap, as a weak model and the oracle do, that its differences
are of the order of 1e-9 and mean nothing: see `Sweep.settle`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from rollout import Policy

from ..config import EvaluationConfig
from ..data.sources import Dataset
from .difference import difference
from .significance import label, practical_size
from .sweep import Point, Sweep, Swept

__all__ = ["Comparison", "Point", "Sweep", "Swept", "Verdict", "compare", "compare_swept"]

BESIDE = (0.95, 1.05)
"""Times MLE's temperature at equal diversity: where the slope of its curve is measured."""

METRICS = {
    "js": "Jensen-Shannon divergence, nats a sequence",
    "fed": "Frechet embedding distance",
    "nll": "held-out NLL, nats a token",
}


@dataclass(frozen=True)
class Verdict:
    """The answer, and the figures behind it.

    Attributes:
        label: better, not distinguishable, worse, or not comparable.
        metric: the primary metric: js, fed or nll.
        difference: adversarial minus MLE at equal diversity; below 0 is better. None where not
            comparable.
        interval: its bootstrap interval.
        confidence: the interval's level.
        adversarial_temperature: chosen on validation.
        mle_temperature: where MLE has the same entropy.
        adversarial_entropy: own entropy, nats a token.
        mle_entropy: own entropy, nats a token.
        adversarial_value: primary metric on the test split.
        mle_value: primary metric on the test split.
        sentence: all of that in words.
        p_value: of the difference being zero.
        practical_size: a smaller difference is called none.
        test_set: names the real sequences; verdicts with the same one are not independent.
        draws: the bootstrap's differences, which other seeds' can be combined with.
    """

    label: str
    metric: str
    difference: float | None
    interval: tuple[float, float] | None
    confidence: float
    adversarial_temperature: float
    mle_temperature: float | None
    adversarial_entropy: float
    mle_entropy: float | None
    adversarial_value: float
    mle_value: float | None
    sentence: str
    p_value: float | None = None
    practical_size: float | None = None
    test_set: str = ""
    draws: list[float] = field(default_factory=list, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The verdict as JSON has it, without the draws."""
        return {key: value for key, value in asdict(self).items() if key != "draws"}


@dataclass(frozen=True)
class Comparison:
    """Both sweeps on validation and on the test split, and the verdict.

    Attributes:
        validation: for each model the points on the validation split.
        test: for each model the points on the test split, at the same temperatures.
        verdict: the answer.
        real: self-BLEU, and the primary metric fed, of as many real sequences as a point has
            samples.
    """

    validation: dict[str, list[Point]]
    test: dict[str, list[Point]]
    verdict: Verdict
    real: dict[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Both sweeps as JSON has them."""
        splits = {"validation": self.validation, "test": self.test}
        points: dict[str, Any] = {
            split: {name: [point.to_dict() for point in points] for name, points in found.items()}
            for split, found in splits.items()
        }
        return {**points, "real": self.real}


def compare(
    mle: Policy, adversarial: Policy, data: Dataset, config: EvaluationConfig, seed: int
) -> Comparison:
    """Sweeps both models, chooses on validation, and reads the test split once."""
    sweep = Sweep(data, config, seed)
    sweep.settle(mle)
    return compare_swept(Swept(mle, sweep), Swept(adversarial, sweep))


def compare_swept(mle: Swept, adversarial: Swept) -> Comparison:
    """As `compare`; a model that was swept for another comparison is not swept again.

    Args:
        mle: the baseline.
        adversarial: the model in question, with the same `Sweep`, which has settled its metric.
    """
    sweep = mle.sweep
    models = {"mle": mle, "adversarial": adversarial}
    validation = {name: model.points("validation") for name, model in models.items()}
    chosen = min(validation["adversarial"], key=Point.primary)
    matched = sweep.at_entropy(mle.policy, chosen.entropy(), validation["mle"])
    test = {name: model.points("test") for name, model in models.items()}
    count = sweep.config.num_samples
    if sweep.metric == "fed":  # as many samples as there are real sequences, so that all count
        count = min(count, len(sweep.data.test))
    ours = sweep.point(adversarial.policy, chosen.temperature, "test", count)
    theirs, near = None, test["mle"]
    if matched is not None:
        matched = sweep.match(mle.policy, ours, matched)
        theirs = sweep.point(mle.policy, matched, "test", count)
        near = [sweep.point(mle.policy, factor * matched, "test", count) for factor in BESIDE]
    verdict = decide(ours, theirs, near, sweep.config, sweep.seed, sweep.test_set)
    return Comparison(validation, test, verdict, sweep.real())


def decide(
    ours: Point,
    theirs: Point | None,
    near: list[Point],
    config: EvaluationConfig,
    seed: int,
    test_set: str = "",
) -> Verdict:
    """The verdict on the adversarial model at its point and MLE at equal diversity.

    Args:
        ours: the adversarial model on the test split.
        theirs: MLE at equal diversity on the test split, or None outside its range.
        near: points of MLE on the test split on either side of `theirs`; without it, MLE's sweep.
        config: confidence and resamples.
        seed: of the bootstrap.
        test_set: names the real sequences.
    """
    metric = ours.metric
    if theirs is None:
        sentence = (
            f"Not comparable: at temperature {ours.temperature:g} the adversarial model has an "
            f"entropy of {ours.entropy():.3f} nats a token, outside the range of MLE's sweep "
            f"({min(p.entropy() for p in near):.3f} to {max(p.entropy() for p in near):.3f})."
        )
        return Verdict(
            "not comparable", metric, None, None, config.confidence, ours.temperature, None,
            ours.entropy(), None, ours.primary(), None, sentence, test_set=test_set,
        )  # fmt: skip
    (value, low, high, p_value), draws = difference(ours, theirs, near, config, seed, test_set)
    size = practical_size(metric, theirs.primary())
    found = label(value, p_value, size, config.confidence)
    sentence = (
        f"The adversarial model (temperature {ours.temperature:g}) is "
        f"{_phrase(found)} MLE at equal diversity (temperature {theirs.temperature:.3f}): "
        f"{METRICS[metric]}: {ours.primary():.4f} against {theirs.primary():.4f}, "
        f"difference {value:+.4f} at exactly equal entropy, {config.confidence:.0%} interval "
        f"[{low:+.4f}, {high:+.4f}] over sequences, one training seed; lower is better."
    )
    if not low <= 0 <= high and found == "not distinguishable":
        sentence += f" A difference below {size:.2g} counts as none."
    return Verdict(
        found, metric, value, (low, high), config.confidence, ours.temperature,
        theirs.temperature, ours.entropy(), theirs.entropy(), ours.primary(), theirs.primary(),
        sentence, p_value, size, test_set, draws,
    )  # fmt: skip


def _phrase(label: str) -> str:
    return {"better": "better than", "worse": "worse than"}.get(label, "not distinguishable from")
