"""The verdict: is the adversarial model better than plain MLE, swept over temperature?

Lowering the softmax temperature of an MLE model trades diversity for quality and improves most
published metrics. So both models are swept over the same temperatures, the adversarial model is
taken at the temperature that is best on validation, and MLE at the temperature that gives it the
same diversity (entropy a token). The two are then compared on the test split by the primary metric,
with a bootstrap interval over sequences.

Primary metric: the Jensen-Shannon divergence where the source's density is known and the divergence
tells anything, otherwise the held-out likelihood. Both are to be minimised. The divergence cannot
exceed log 2, and comes so near it where two distributions hardly overlap, as a weak model and the
oracle do, that its differences are of the order of 1e-9 and mean nothing: see `Sweep.settle`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from rollout import Policy, Sequences, generate

from .config import EvaluationConfig
from .data.sources import Dataset
from .evaluate import source_log_prob
from .metrics import bleu, self_bleu
from .metrics.density import jensen_shannon_terms
from .metrics.likelihood import SequenceScores, sequence_scores
from .seeding import derive_seed, rng_for

__all__ = ["Comparison", "Point", "Sweep", "Swept", "Verdict", "compare", "compare_swept"]

SATURATED = 0.95
"""From this share of log 2 on, a Jensen-Shannon divergence tells nothing."""

RESOLUTION = 5e-4
"""A smaller difference of the primary metric, in nats, is none, however narrow its interval. Two
temperatures of one model would otherwise be told apart by what matching their diversity leaves."""

METRICS = {"js": "Jensen-Shannon divergence, nats a sequence", "nll": "held-out NLL, nats a token"}


@dataclass(frozen=True)
class Point:
    """One model at one temperature, measured on one split.

    Attributes:
        temperature: softmax temperature.
        real: the split's sequences under the model at this temperature.
        own: the model's samples under itself.
        real_source: log-probability of the split's sequences under the source, or None where the
            primary metric does not ask for it.
        own_source: log-probability of the samples under the source, or None.
        surface: n-gram scores of the samples against the test split (of a test point).
    """

    temperature: float
    real: SequenceScores
    own: SequenceScores
    real_source: np.ndarray | None
    own_source: np.ndarray | None
    surface: dict[str, float] = field(default_factory=dict)

    def entropy(self, rows: np.ndarray | slice = slice(None)) -> float:
        """The model's own entropy in nats a token: the diversity axis."""
        return float(self.own.entropy.numpy()[rows].sum() / self.own.tokens.numpy()[rows].sum())

    def primary(
        self,
        real: np.ndarray | slice = slice(None),
        own: np.ndarray | slice = slice(None),
    ) -> float:
        """The primary metric over the rows given (all by default); lower is better."""
        log_q = self.real.log_prob.numpy()[real]
        if self.real_source is None or self.own_source is None:
            return float(-log_q.sum() / self.real.tokens.numpy()[real].sum())
        of_p = jensen_shannon_terms("p", self.real_source[real], log_q)
        of_q = jensen_shannon_terms("q", self.own_source[own], self.own.log_prob.numpy()[own])
        return float(of_p.mean() + of_q.mean())

    def nll(self) -> float:
        """Held-out NLL in nats a token."""
        return float(-self.real.log_prob.sum() / self.real.tokens.sum())

    def to_dict(self) -> dict[str, float]:
        """The point's figures as JSON has them."""
        return {
            "temperature": self.temperature,
            "entropy": self.entropy(),
            "nll": self.nll(),
            "primary": self.primary(),
            **self.surface,
        }


@dataclass(frozen=True)
class Verdict:
    """The answer, and the figures behind it.

    Attributes:
        label: better, not distinguishable, worse, or not comparable.
        metric: the primary metric: js or nll.
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
        real: self-BLEU of as many real sequences as a point has samples.
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


class Sweep:
    """Measures models at temperatures.

    Args:
        data: the data set.
        config: temperatures and sample counts.
        seed: of the samples.
    """

    def __init__(self, data: Dataset, config: EvaluationConfig, seed: int):
        self.data, self.config, self.seed = data, config, seed
        # Self-BLEU grows with the number of sequences: models and real data get the same.
        self.count = min(config.sweep_samples, len(data.test))
        self.metric = "nll" if data.density is None else "js"
        self._best: int | None = None  # index of the temperature that suited the last policy
        self._source = {
            name: source_log_prob(data, split)
            for name, split in (("validation", data.validation), ("test", data.test))
        }

    def state_dict(self) -> dict[str, Any]:
        """Where the next search for a temperature begins, and the primary metric."""
        return {"best": self._best, "metric": self.metric}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes up what `state_dict` gave."""
        self._best, self.metric = state["best"], state["metric"]

    def settle(self, mle: Policy) -> None:
        """Settles the primary metric by what it says of MLE on validation, before anything else.

        A Jensen-Shannon divergence that has reached its ceiling gives way to the held-out
        likelihood. Nothing of the model in question, and nothing of the test split, has a say.
        """
        if self.metric == "js":
            ceiling = SATURATED * np.log(2)
            if self.point(mle, 1.0, "validation").primary() > ceiling:
                self.metric = "nll"

    def point(
        self, policy: Policy, temperature: float, split: str, count: int | None = None
    ) -> Point:
        """One model at one temperature on one split ("validation" or "test").

        The samples' random numbers depend on the split alone, so neighbouring temperatures and
        the two models share them and differ by less noise.
        """
        tempered = policy.tempered(temperature)
        rng = rng_for(self.seed, "sweep", split)
        samples = generate(tempered, count or self.count, rng=rng)
        real: Sequences = getattr(self.data, split).to(samples.device)
        known = self.metric == "js"
        return Point(
            temperature,
            sequence_scores(tempered, real),
            sequence_scores(tempered, samples),
            self._source[split] if known else None,
            source_log_prob(self.data, samples) if known else None,
            self._surface(samples) if split == "test" else {},
        )

    def _surface(self, samples: Sequences) -> dict[str, float]:
        tokens = self.data.decoder.tokens(samples)
        forward, own = bleu(tokens, self.data.real_tokens("test"), 5), self_bleu(tokens, 5)
        return {f"bleu-{k}": forward[k] for k in (2, 3, 4, 5)} | {
            f"self-bleu-{k}": own[k] for k in (2, 3, 4, 5)
        }

    def real(self) -> dict[str, float]:
        """Self-BLEU of real test sequences, as many as a point has samples.

        The number matters: self-BLEU grows with it.
        """
        tokens = self.data.real_tokens("test")[: self.count]
        own = self_bleu(tokens, 5)
        return {"sequences": len(tokens)} | {f"self-bleu-{k}": own[k] for k in (2, 3, 4, 5)}

    def points(self, policy: Policy, split: str) -> list[Point]:
        """A model at all temperatures on one split."""
        return [self.point(policy, t, split) for t in self.config.temperatures]

    def validate(self, policy: Policy) -> dict[str, float]:
        """A policy on validation, at the temperature that suits it best.

        Policy gradients change how sharp a policy is. At a fixed temperature that alone would
        pass for progress, or hide it. The search walks along the grid of temperatures from where
        the last policy was best.

        Returns:
            "score", the primary metric, its "temperature", and "nll" and "entropy" there.
        """
        grid = self.config.temperatures
        found: dict[int, Point] = {}

        def score(i: int) -> float:
            if i not in found:
                found[i] = self.point(policy, grid[i], "validation")
            return found[i].primary()

        i = self._best if self._best is not None else grid.index(1.0)
        while True:
            near = [j for j in (i - 1, i, i + 1) if 0 <= j < len(grid)]
            best = min(near, key=score)
            if best == i:
                break
            i = best
        self._best = i
        point = found[i]
        return {
            "score": point.primary(),
            "temperature": point.temperature,
            "nll": point.nll(),
            "entropy": point.entropy(),
        }

    def at_entropy(self, policy: Policy, entropy: float, around: list[Point]) -> float | None:
        """The temperature at which a model has this entropy a token.

        Args:
            policy: the model.
            entropy: nats a token.
            around: the model's sweep on validation.

        Returns:
            A temperature, or None where the entropy lies outside the sweep.
        """
        known = {point.temperature: point.entropy() for point in around}
        if not min(known.values()) <= entropy <= max(known.values()):
            return None
        temperature = 1.0
        for _ in range(4):  # the curve is smooth and rising: interpolate, measure, again
            temperature = _interpolate(known, entropy)
            if temperature in known:
                break
            known[temperature] = self.point(policy, temperature, "validation").entropy()
        return temperature


class Swept:
    """A model and its points at all temperatures; a split is read when it is first asked for.

    Args:
        policy: the model.
        sweep: what measures it.
    """

    def __init__(self, policy: Policy, sweep: Sweep):
        self.policy, self.sweep = policy, sweep
        self._points: dict[str, list[Point]] = {}

    def points(self, split: str) -> list[Point]:
        """The points on a split ("validation" or "test")."""
        if split not in self._points:
            self._points[split] = self.sweep.points(self.policy, split)
        return self._points[split]


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
    metric = "nll" if ours.real_source is None else "js"
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
    sizes = (len(ours.real.tokens), len(ours.own.tokens), len(theirs.own.tokens))
    draws = []
    for _ in range(config.resamples):
        real, own, other = (rng.integers(size, size=size) for size in sizes)
        if sizes[1] == sizes[2]:
            other = own  # both models' samples were drawn with the same random numbers, in pairs
        draws.append(difference(real, own, other))
    tail = (1 - config.confidence) / 2
    low, high = (float(q) for q in np.quantile(draws, [tail, 1 - tail]))
    label = "not distinguishable"
    if high < 0 and value < -RESOLUTION:
        label = "better"
    elif low > 0 and value > RESOLUTION:
        label = "worse"
    sentence = (
        f"The adversarial model (temperature {ours.temperature:g}) is "
        f"{_phrase(label)} MLE at equal diversity (temperature {theirs.temperature:.3f}): "
        f"{METRICS[metric]}: {ours.primary():.4f} against {theirs.primary():.4f}, "
        f"difference {value:+.4f}, {config.confidence:.0%} interval [{low:+.4f}, {high:+.4f}] "
        "over sequences, one training seed; lower is better."
    )
    return Verdict(
        label, metric, value, (low, high), config.confidence, ours.temperature,
        theirs.temperature, ours.entropy(), theirs.entropy(), ours.primary(), theirs.primary(),
        sentence, draws,
    )  # fmt: skip


def _phrase(label: str) -> str:
    return {"better": "better than", "worse": "worse than"}.get(label, "not distinguishable from")


def _interpolate(known: dict[float, float], entropy: float) -> float:
    """The temperature at which the straight lines through (temperature, entropy) pass."""
    temperatures = np.array(sorted(known))
    entropies = np.maximum.accumulate([known[t] for t in temperatures])
    return float(np.interp(entropy, entropies, temperatures))


def _slope(curve: list[Point], entropy: float) -> float:
    """Change of the primary metric a nat of entropy along a curve, at an entropy."""
    points = sorted(curve, key=Point.entropy)
    entropies = np.array([point.entropy() for point in points])
    values = np.array([point.primary() for point in points])
    slopes = np.gradient(values, entropies)
    return float(np.interp(entropy, entropies, slopes))
