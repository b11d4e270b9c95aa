"""The verdict: is the fine-tuned model better than plain MLE, each sampled with care?

Lowering the softmax temperature of an MLE model trades diversity for quality and improves most
published metrics. So both models are swept over the same ways of sampling: temperature, top-p, and
rejection by their own likelihood. The fine-tuned model is taken in the way that is best on
validation, MLE at the same diversity (entropy per token; self-BLEU with an embedding distance) in
the way that is best there on validation. The two are then compared on the test split by the primary
metric, with a bootstrap interval over sequences. Both have the same ways, so that a model that is
as good as MLE is not called worse for the way it was sampled.

Primary metric (see `primary`): the Jensen-Shannon divergence if the source's density is known and
the divergence tells anything; on text the Frechet embedding distance if an embedder is asked for;
otherwise the held-out likelihood. All are to be minimised. The divergence cannot exceed log 2. If
two distributions hardly overlap, as those of a weak model and of the oracle, it comes so near log 2
that its differences are of the order of 1e-9 and mean nothing: see `Sweep.settle`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from itertools import chain
from typing import Any

from rollout import Policy

from ..config import EvaluationConfig
from ..data.dataset import Dataset
from .decoding import FAMILIES, in_words
from .difference import difference
from .point import Point
from .significance import label, practical_size, relation
from .sweep import Sweep, Swept, within

__all__ = [
    "Compared",
    "Comparison",
    "Point",
    "Sweep",
    "Swept",
    "Verdict",
    "compare",
    "compare_swept",
    "compare_with_control",
    "decide",
    "matched",
]

BESIDE = (0.95, 1.05)
"""Times the temperature (or other number) at equal diversity: where MLE's slope is measured."""


@dataclass(frozen=True)
class Verdict:
    """The answer, and the figures behind it.

    Attributes:
        label: better, not distinguishable, worse, or not comparable.
        metric: name of the primary metric (see `primary`).
        difference: fine-tuned minus MLE at equal diversity; below 0 is better. None where not
            comparable.
        interval: its bootstrap interval.
        confidence: the interval's level.
        finetuned_temperature: chosen on validation; 1 where it is sampled in another way.
        mle_temperature: where MLE is as diverse; 1 where it is sampled in another way.
        finetuned_entropy: own entropy, nats per token.
        mle_entropy: own entropy, nats per token.
        finetuned_value: primary metric on the test split.
        mle_value: primary metric on the test split.
        sentence: all of that in words.
        p_value: of the difference being zero.
        practical_size: a smaller difference is called none.
        test_set: names the real sequences; verdicts with the same one are not independent.
        mle_way: how MLE is sampled to be as diverse, in words.
        finetuned_way: how the fine-tuned model is sampled, in words.
        mle_best_way: how MLE was best on validation of all that was tried, whatever its diversity.
        mle_best_value: primary metric on the test split there.
        at_end: the fine-tuned model was best at the end of what was tried.
        draws: the bootstrap's differences, which other seeds' can be combined with.
    """

    label: str
    metric: str
    difference: float | None
    interval: tuple[float, float] | None
    confidence: float
    finetuned_temperature: float
    mle_temperature: float | None
    finetuned_entropy: float
    mle_entropy: float | None
    finetuned_value: float
    mle_value: float | None
    sentence: str
    p_value: float | None = None
    practical_size: float | None = None
    test_set: str = ""
    mle_way: str = ""
    finetuned_way: str = ""
    mle_best_way: str = ""
    mle_best_value: float | None = None
    at_end: bool = False
    draws: list[float] = field(default_factory=list, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The verdict for results.json, without the draws."""
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
        variants: for each model, and for each other way to sample from it, its points on
            validation.
    """

    validation: dict[str, list[Point]]
    test: dict[str, list[Point]]
    verdict: Verdict
    real: dict[str, float] = field(default_factory=dict)
    variants: dict[str, dict[str, list[Point]]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Both sweeps for results.json."""
        splits = {"validation": self.validation, "test": self.test}
        points = {split: _stored(found) for split, found in splits.items()}
        others = {model: _stored(found) for model, found in self.variants.items()}
        return {**points, "real": self.real, "variants": others}


def _stored(curves: dict[str, list[Point]]) -> dict[str, Any]:
    return {name: [point.to_dict() for point in points] for name, points in curves.items()}


def compare(
    mle: Policy,
    finetuned: Policy,
    data: Dataset,
    config: EvaluationConfig,
    seed: int,
    *,
    variants: bool = True,
) -> Comparison:
    """Sweeps both models, chooses on validation, and reads the test split once."""
    sweep = Sweep(data, config, seed)
    sweep.settle(mle)
    return compare_swept(Swept(mle, sweep), Swept(finetuned, sweep), variants=variants)


def compare_swept(
    mle: Swept, finetuned: Swept, *, variants: bool = True, best: bool = True
) -> Comparison:
    """Compares as `compare` does; a model swept for another comparison is not swept again.

    Args:
        mle: the baseline.
        finetuned: the model in question, with the same `Sweep`, which has settled its metric.
        variants: sample both in other ways than by temperature as well, if the metric admits
            them.
        best: measure the baseline at its own best too, whatever its diversity.
    """
    sweep, measured = mle.sweep, finetuned.sweep
    # The baseline comes last: what was drawn from it last is at hand for what follows.
    models = {"finetuned": finetuned, "mle": mle}
    validation = {name: model.points("validation") for name, model in models.items()}
    others = {name: model.variants if variants else {} for name, model in models.items()}
    curves = {name: [validation[name], *others[name].values()] for name in models}
    chosen = target = min(chain(*curves["finetuned"]), key=Point.primary)
    if measured is not sweep:
        # Self-BLEU grows with the number of samples, so as many as the curves have.
        target = sweep.point(
            finetuned.policy, chosen.temperature, "validation", family=chosen.family
        )
    way = sweep.best_at(mle.policy, target.diversity(), curves["mle"])
    test = {name: model.points("test") for name, model in models.items()}
    # A control has half of the samples, and what is compared with it has as many.
    count = min(sweep.verdict_count, measured.verdict_count)
    ours = finetuned.at(chosen.temperature, count, chosen.family)
    theirs, near = (None, test["mle"]) if way is None else matched(mle, ours, way)
    verdict = decide(ours, theirs, near, sweep.config, sweep.seed, sweep.test_set)
    verdict = replace(verdict, at_end=_at_end(chosen, sweep.config))
    if best:
        tried = [*chain(*curves["mle"]), *([] if way is None else [way])]
        verdict = _beside(verdict, mle, min(tried, key=Point.primary), count)
    return Comparison(validation, test, verdict, sweep.real(), others)


def _beside(verdict: Verdict, mle: Swept, best: Point, count: int) -> Verdict:
    """A verdict with MLE beside it, sampled as at the best of its points on validation."""
    point = mle.at(best.temperature, count, best.family)
    way = in_words(point.family, point.temperature)
    return replace(verdict, mle_best_way=way, mle_best_value=point.primary())


def _at_end(point: Point, config: EvaluationConfig) -> bool:
    """Tells if a point lies at the end of its family, beyond which nothing was tried."""
    if point.family != "temperature":
        return point.temperature == min(FAMILIES[point.family])
    return point.temperature in (min(config.temperatures), max(config.temperatures))


@dataclass(frozen=True)
class Compared:
    """A method, its control and MLE, each with each.

    Attributes:
        method: the method with swept MLE.
        control: the control with swept MLE; None: there is no control.
        between: the method with the swept control; None: there is no control.
    """

    method: Comparison
    control: Comparison | None = None
    between: Comparison | None = None

    def to_dict(self) -> dict[str, Any]:
        """All sweeps for results.json."""
        found = self.method.to_dict()
        if self.control is not None:
            curves = self.control.to_dict()
            for part in ("validation", "test", "variants"):
                if "finetuned" in curves[part]:
                    found[part]["control"] = curves[part]["finetuned"]
        return found


def compare_with_control(
    mle: Swept, method: Swept, control: Swept | None, *, alone: bool = True
) -> Compared:
    """Compares a method with MLE and with its control, and the control with MLE.

    Args:
        mle: the baseline.
        method: the method.
        control: its control; None: there is none.
        alone: compare the control with MLE as well.
    """
    found = compare_swept(mle, method)
    if control is None:
        return Compared(found)
    between = compare_swept(control, method, best=False)
    return Compared(found, compare_swept(mle, control, best=False) if alone else None, between)


def matched(mle: Swept, ours: Point, close: Point) -> tuple[Point, list[Point]]:
    """MLE's point on the test split that is as diverse as `ours`, and one on either side.

    Args:
        mle: the baseline.
        ours: the other model's point on the test split.
        close: the baseline's on validation, sampled in the same way and about as diverse.
    """
    sweep, family = mle.sweep, close.family
    value = sweep.match(mle.policy, ours, close.temperature, family)
    values = (value, *(within(family, factor * value) for factor in BESIDE))
    count = len(ours.own.tokens)
    theirs, *near = (sweep.point(mle.policy, each, "test", count, family=family) for each in values)
    return theirs, near


def decide(
    ours: Point,
    theirs: Point | None,
    near: list[Point],
    config: EvaluationConfig,
    seed: int,
    test_set: str = "",
) -> Verdict:
    """The verdict on the fine-tuned model at its point and MLE at equal diversity.

    Args:
        ours: the fine-tuned model on the test split.
        theirs: MLE at equal diversity on the test split, or None outside its range.
        near: points of MLE on the test split on either side of `theirs`, which may coincide with
            it at the end of a family; without `theirs`, MLE's sweep.
        config: confidence and resamples.
        seed: of the bootstrap.
        test_set: names the real sequences.
    """
    if theirs is None:
        return _not_comparable(ours, near, config, test_set)
    metric = ours.metric
    way, own = (in_words(point.family, point.temperature) for point in (theirs, ours))
    (value, low, high, p_value), draws = difference(ours, theirs, near, config, seed, test_set)
    size = practical_size(metric.name, theirs.primary())
    found = label(value, p_value, size, config.confidence)
    sentence = (
        f"The fine-tuned model ({own}) is "
        f"{relation(found)} MLE at equal diversity ({way}): "
        f"{metric.title}: {ours.primary():.4f} against {theirs.primary():.4f}, "
        f"difference {value:+.4f} at exactly equal diversity, {config.confidence:.0%} interval "
        f"[{low:+.4f}, {high:+.4f}] over sequences, one training seed; lower is better."
    )
    if not low <= 0 <= high and found == "not distinguishable":
        sentence += f" A difference below {size:.2g} counts as none."
    return Verdict(
        found, metric.name, value, (low, high), config.confidence,
        _temperature(ours), _temperature(theirs),
        ours.entropy(), theirs.entropy(), ours.primary(), theirs.primary(),
        sentence, p_value, size, test_set, way, own, draws=draws,
    )  # fmt: skip


def _not_comparable(
    ours: Point, sweep: list[Point], config: EvaluationConfig, test_set: str
) -> Verdict:
    """The verdict where no point of MLE's sweep is as diverse as the fine-tuned model."""
    metric, axis = ours.metric, ours.metric.axis
    reached = sorted(axis.sign * point.diversity() for point in sweep)
    own = in_words(ours.family, ours.temperature)
    sentence = (
        f"Not comparable: sampled at its best ({own}) the fine-tuned model has "
        f"{axis.words} of {axis.sign * ours.diversity():.3f}, outside the range of MLE's sweep "
        f"({reached[0]:.3f} to {reached[-1]:.3f})."
    )
    return Verdict(
        "not comparable", metric.name, None, None, config.confidence, _temperature(ours), None,
        ours.entropy(), None, ours.primary(), None, sentence, test_set=test_set, finetuned_way=own,
    )  # fmt: skip


def _temperature(point: Point) -> float:
    """The softmax temperature of a point; 1 where the model is sampled in another way."""
    return point.temperature if point.family == "temperature" else 1.0
