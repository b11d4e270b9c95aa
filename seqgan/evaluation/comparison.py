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

import numpy as np

from rollout import Policy

from ..config import EvaluationConfig
from ..data.sources import Dataset
from ..metrics.embedding import FRECHET_RESAMPLES, centred_interval
from ..seeding import derive_seed
from .sweep import Point, Sweep, Swept

__all__ = ["Comparison", "Point", "Sweep", "Swept", "Verdict", "compare", "compare_swept"]

RESOLUTION = 5e-4
"""A smaller difference of a primary metric in nats is none, however narrow its interval. Two
temperatures of one model would otherwise be told apart by what matching their diversity leaves."""

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
    theirs = None
    if matched is not None:
        theirs = sweep.point(mle.policy, matched, "test", count)
    verdict = decide(ours, theirs, test["mle"], sweep.config, sweep.seed)
    return Comparison(validation, test, verdict, sweep.real())


def decide(
    ours: Point,
    theirs: Point | None,
    curve: list[Point],
    config: EvaluationConfig,
    seed: int,
) -> Verdict:
    """The verdict on the adversarial model at its point and MLE at equal diversity.

    What is left of a difference in entropy, and the sampling error of both entropies, is taken
    into account to first order: along MLE's own curve a nat of entropy is worth `slope`.

    Args:
        ours: the adversarial model on the test split.
        theirs: MLE at equal diversity on the test split, or None outside its range.
        curve: MLE's sweep on the test split.
        config: confidence and resamples.
        seed: of the bootstrap.
    """
    metric = ours.metric
    if theirs is None:
        sentence = (
            f"Not comparable: at temperature {ours.temperature:g} the adversarial model has an "
            f"entropy of {ours.entropy():.3f} nats a token, outside the range of MLE's sweep "
            f"({min(p.entropy() for p in curve):.3f} to {max(p.entropy() for p in curve):.3f})."
        )
        return Verdict(
            "not comparable", metric, None, None, config.confidence, ours.temperature, None,
            ours.entropy(), None, ours.primary(), None, sentence,
        )  # fmt: skip
    slope = _slope(curve, theirs.entropy())

    def difference(real: Any, own: Any, other: Any) -> float:
        gap = ours.entropy(own) - theirs.entropy(other)
        return ours.primary(real, own) - theirs.primary(real, other) - slope * gap

    everything = slice(None)
    value = difference(everything, everything, everything)
    rng = np.random.default_rng(derive_seed(seed, "verdict"))
    sizes = (ours.num_real, len(ours.own.tokens), len(theirs.own.tokens))
    draws = []
    resamples = config.resamples if metric != "fed" else min(config.resamples, FRECHET_RESAMPLES)
    for _ in range(resamples):
        real, own, other = (rng.integers(size, size=size) for size in sizes)
        if sizes[1] == sizes[2]:
            other = own  # both models' samples were drawn with the same random numbers, in pairs
        draws.append(difference(real, own, other))
    if metric == "fed":
        low, high = centred_interval(value, draws, config.confidence)
        draws = [value + draw - float(np.mean(draws)) for draw in draws]  # without their bias
    else:
        tail = (1 - config.confidence) / 2
        low, high = (float(q) for q in np.quantile(draws, [tail, 1 - tail]))
    label = _label(value, low, high, 0.0 if metric == "fed" else RESOLUTION)
    sentence = (
        f"The adversarial model (temperature {ours.temperature:g}) is "
        f"{_phrase(label)} MLE at equal diversity (temperature {theirs.temperature:.3f}): "
        f"{METRICS[metric]}: {ours.primary():.4f} against {theirs.primary():.4f}, "
        f"difference {value:+.4f} at exactly equal entropy, {config.confidence:.0%} interval "
        f"[{low:+.4f}, {high:+.4f}] over sequences, one training seed; lower is better."
    )
    if not low <= 0 <= high and label == "not distinguishable":
        sentence += f" A difference below {RESOLUTION:g} counts as none."
    return Verdict(
        label, metric, value, (low, high), config.confidence, ours.temperature,
        theirs.temperature, ours.entropy(), theirs.entropy(), ours.primary(), theirs.primary(),
        sentence, draws,
    )  # fmt: skip


def _label(value: float, low: float, high: float, resolution: float) -> str:
    if high < 0 and value < -resolution:
        return "better"
    return "worse" if low > 0 and value > resolution else "not distinguishable"


def _phrase(label: str) -> str:
    return {"better": "better than", "worse": "worse than"}.get(label, "not distinguishable from")


def _slope(curve: list[Point], entropy: float) -> float:
    """Change of the primary metric a nat of entropy along a curve, at an entropy."""
    points = sorted(curve, key=Point.entropy)
    entropies = np.array([point.entropy() for point in points])
    values = np.array([point.primary() for point in points])
    slopes = np.gradient(values, entropies)
    return float(np.interp(entropy, entropies, slopes))
