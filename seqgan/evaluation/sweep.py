"""One model at one temperature on one split, and the sweep over temperatures."""

from __future__ import annotations

import copy
import functools
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from rollout import Policy, Sequences

from ..config import EvaluationConfig
from ..data.bounded import bounded
from ..data.sources import Dataset
from ..metrics import bleu, frechet_distance, self_bleu
from ..metrics.density import jensen_shannon_terms
from ..metrics.likelihood import SequenceScores
from ..seeding import rng_for
from .decoding import FAMILIES, Decoder
from .models import real_texts, real_words, source_log_prob, wording
from .pooled import Drawn, Pooled
from .scoring import ORDERS
from .text_scores import optional_embedder

__all__ = ["AXIS_ORDER", "Point", "Sweep", "Swept", "within"]

SATURATED = 0.95
"""From this share of log 2 on, a Jensen-Shannon divergence tells nothing."""
CLOSE = 1e-4
"""Diversities that differ by less (entropies in nats per token, or self-BLEU) count as equal."""
STEPS = 12
"""Values tried at most, to bring two diversities so close."""
WIDER = 1.01
"""First factor from one value to the next while all tried lie on one side."""
AXIS_ORDER = 4
"""Order of the self-BLEU that Frechet distances are compared at."""


@dataclass(frozen=True)
class Point:
    """One model at one temperature, measured on one split.

    Attributes:
        temperature: softmax temperature; of another family its number (see `decoding`).
        real: the split's sequences under the model at this temperature.
        own: the model's samples under itself.
        real_source: log-probability of the split's sequences under the source, or None where the
            primary metric does not ask for it.
        own_source: log-probability of the samples under the source, or None.
        surface: n-gram scores of the samples against the test split (of a test point).
        embedded: embeddings of real sequences and of as many samples, float [n, E], or None.
        samples: the samples, for another model to score.
        score: scores of any sequences under the model at this temperature.
        family: temperature, or how else the model was sampled.
        self_bleu: self-BLEU of each sample [n] where that is the axis of diversity, or None.
    """

    temperature: float
    real: SequenceScores
    own: SequenceScores
    real_source: np.ndarray | None
    own_source: np.ndarray | None
    surface: dict[str, float] = field(default_factory=dict)
    embedded: tuple[np.ndarray, np.ndarray] | None = None
    samples: Sequences | None = field(default=None, repr=False, compare=False)
    score: Callable[[Sequences], SequenceScores] | None = field(
        default=None, repr=False, compare=False
    )
    family: str = "temperature"
    self_bleu: np.ndarray | None = field(default=None, repr=False, compare=False)

    @property
    def metric(self) -> str:
        """The primary metric: js, fed or nll."""
        if self.real_source is not None and self.own_source is not None:
            return "js"
        return "nll" if self.embedded is None else "fed"

    @property
    def num_real(self) -> int:
        """The number of real sequences behind the primary metric."""
        return len(self.real.tokens) if self.embedded is None else len(self.embedded[0])

    def entropy(self, rows: np.ndarray | slice = slice(None)) -> float:
        """The model's own entropy in nats per token."""
        return float(self.own.entropy.numpy()[rows].sum() / self.own.tokens.numpy()[rows].sum())

    def diversity(self, rows: np.ndarray | slice = slice(None)) -> float:
        """Position on the axis of diversity: more is more diverse.

        It is the entropy, and for Frechet distances minus the self-BLEU: a rejected or cut
        distribution has no likelihood of real sequences to speak of, and distances of texts are
        compared where the texts are equally varied.
        """
        return self.entropy(rows) if self.self_bleu is None else -float(self.self_bleu[rows].mean())

    def primary(
        self,
        real: np.ndarray | slice = slice(None),
        own: np.ndarray | slice = slice(None),
    ) -> float:
        """The primary metric over the rows given (all by default); lower is better."""
        if self.embedded is not None:
            return frechet_distance(self.embedded[1][own], self.embedded[0][real])
        if self._divergence is None:
            log_q = self.real.log_prob.numpy()[real]
            return float(-log_q.sum() / self.real.tokens.numpy()[real].sum())
        return self.of_real(real) + float(self._divergence[1][own].mean())

    def of_real(self, rows: np.ndarray | slice = slice(None)) -> float:
        """The part of a Jensen-Shannon divergence that real sequences have."""
        assert self._divergence is not None
        return float(self._divergence[0][rows].mean())

    @functools.cached_property
    def _divergence(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Jensen-Shannon terms of the real sequences and of the samples, where they are wanted."""
        if self.real_source is None or self.own_source is None:
            return None
        return (
            jensen_shannon_terms("p", self.real_source, self.real.log_prob.numpy()),
            jensen_shannon_terms("q", self.own_source, self.own.log_prob.numpy()),
        )

    def nll(self) -> float:
        """Held-out NLL in nats a token."""
        return float(-self.real.log_prob.sum() / self.real.tokens.sum())

    def to_dict(self) -> dict[str, float | None]:
        """The point's figures as JSON has them."""
        nll = self.nll()
        return {
            self.family: self.temperature,
            "entropy": self.entropy(),
            "nll": nll if np.isfinite(nll) else None,
            "primary": self.primary(),
            **self.surface,
        }


class Sweep:
    """Measures models at temperatures.

    Args:
        data: the data set, of which no more is measured than the settings allow (see `bounded`).
        config: temperatures and sample counts.
        seed: of the samples.
    """

    def __init__(self, data: Dataset, config: EvaluationConfig, seed: int):
        self.data = data = bounded(data, config)
        self.config, self.seed = config, seed
        self.decoder = Decoder(seed)
        # Self-BLEU grows with the number of sequences: models and real data get the same.
        self.count = min(config.sweep_samples, len(data.test))
        self._best: int | None = None  # index of the temperature that suited the last policy
        self.wording = wording(data, config)
        self.references = list(real_words(data, config, "test"))
        # Where the density is known, nothing has to be judged by what an encoder makes of it.
        self.embedder = None if data.density is not None else optional_embedder(config.embedder)
        self.metric = "nll" if self.embedder is None else "fed"
        if data.density is not None:
            self.metric = "js"
        self._embedded: dict[str, np.ndarray] = {}
        self._on_device: dict[tuple[str, str], Sequences] = {}
        self._source = {
            name: source_log_prob(data, split)
            for name, split in (("validation", data.validation), ("test", data.test))
        }

    def halved(self) -> Sweep:
        """The same with half of the samples and a memory of its own: what controls are given.

        The primary metric is the one that was settled.
        """
        half = copy.copy(self)
        half.config = replace(
            self.config,
            sweep_samples=max(2, self.config.sweep_samples // 2),
            num_samples=max(2, self.config.num_samples // 2),
        )
        half.count, half._best = max(2, self.count // 2), None
        half.decoder = Decoder(self.seed)
        return half

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint: the start of the next search for a temperature, the metric."""
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
        self,
        policy: Policy,
        temperature: float,
        split: str,
        count: int | None = None,
        surface: bool = False,
        family: str = "temperature",
    ) -> Point:
        """One model at one temperature on one split.

        Args:
            policy: the model.
            temperature: softmax temperature, or the number of another family.
            split: validation or test.
            count: samples; None: as many as in the sweep.
            surface: take n-gram scores against the test split as well.
            family: how the model is sampled.
        """
        drawn = self.decoder.draw(policy, family, temperature, split, count or self.count)
        samples, score = drawn.samples, drawn.score
        assert samples is not None and score is not None
        real = self._real(split, samples.device)
        known = self.metric == "js"
        return Point(
            temperature,
            score(real),
            drawn.own,
            self._source[split] if known else None,
            source_log_prob(self.data, samples) if known else None,
            self._surface(samples) if surface else {},
            self._embeddings(samples, split),
            samples,
            score,
            family,
            self._self_bleu(samples) if self.metric == "fed" else None,
        )

    def _real(self, split: str, device: torch.device) -> Sequences:
        """A split on a device: the same object each time, so that scores of it can be kept."""
        key = split, str(device)
        if key not in self._on_device:
            self._on_device[key] = getattr(self.data, split).to(device)
        return self._on_device[key]

    def _self_bleu(self, samples: Sequences) -> np.ndarray:
        """Self-BLEU of each sample [n]."""
        tokens, unk = self.data.decoder.tokens(samples), self.wording.unk
        return self_bleu(tokens, AXIS_ORDER, per_sentence=True, unk=unk)[AXIS_ORDER]

    def _surface(self, samples: Sequences) -> dict[str, float]:
        tokens, unk = self.data.decoder.tokens(samples), self.wording.unk
        forward, own = bleu(tokens, self.references, 5, unk=unk), self_bleu(tokens, 5, unk=unk)
        return {f"bleu-{k}": forward[k] for k in ORDERS} | {
            f"self-bleu-{k}": own[k] for k in ORDERS
        }

    def _embeddings(self, samples: Sequences, split: str) -> tuple[np.ndarray, np.ndarray] | None:
        """Embeddings of real sequences and of as many samples, where an embedder is asked for."""
        if self.embedder is None:
            return None
        if split not in self._embedded:
            rows = self._rows(split)
            self._embedded[split] = self.embedder(real_texts(self.data, split, rows))
        n = min(len(samples), len(self._embedded[split]))
        own = self.embedder(self.data.decoder.texts(samples.select(slice(0, n))))
        return self._embedded[split][:n], own

    def real(self) -> dict[str, float]:
        """Self-BLEU of real test sequences, as many as a point has samples.

        The number matters: self-BLEU grows with it. So does the Frechet distance fall with it; with
        an embedder that of as many training sequences from test ones comes along.
        """
        tokens = [self.references[row] for row in self._rows("test")[: self.count].tolist()]
        own = self_bleu(tokens, 5, unk=self.wording.unk)
        found: dict[str, float] = {"sequences": len(tokens)}
        found |= {f"self-bleu-{k}": own[k] for k in ORDERS}
        if self.embedder is not None and len(self.data.train) >= self.count:
            rows = self._rows("train")[: self.count]
            training = self.embedder(real_texts(self.data, "train", rows))
            found["fed"] = frechet_distance(training, self._embedded["test"][: self.count])
        return found

    def _rows(self, split: str) -> torch.Tensor:
        """All rows of a split in random order: neighbouring lines of a file are often alike.

        The order is the same for all seeds, so that those with one test set measure on the same
        part of it.
        """
        rng = rng_for(0, "rows", split)
        return torch.randperm(len(getattr(self.data, split)), generator=rng)

    @property
    def verdict_count(self) -> int:
        """Samples of the points that a verdict compares."""
        if self.metric == "fed":  # as many as there are real sequences, so that all count
            return min(self.config.num_samples, len(self.data.test))
        return self.config.num_samples

    @functools.cached_property
    def test_set(self) -> str:
        """A hash of the test sequences: equal for equal ones, whatever vocabulary a seed made."""
        digest = hashlib.sha256()
        for row in self.data.real_tokens("test"):
            digest.update(repr(row).encode("utf-8", "backslashreplace"))
        return digest.hexdigest()[:16]

    def points(self, policy: Policy, split: str) -> list[Point]:
        """A model at all temperatures on one split; n-gram scores as well on the test split."""
        surface = split == "test"
        return [self.point(policy, t, split, None, surface) for t in self.config.temperatures]

    def validate(self, policy: Policy) -> dict[str, float]:
        """A policy on validation, at the temperature that suits it best.

        Policy gradients change how sharp a policy is. At a fixed temperature that alone would
        pass for progress, or hide it. The search walks along the grid of temperatures from where
        the last policy was best.

        Returns:
            "score", the primary metric, its "temperature", and "nll" and "entropy" there.
        """
        self.decoder.forget()  # the policy is in training: it has changed, and will again
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
        self.decoder.forget()
        self._best = i
        point = found[i]
        return {
            "score": point.primary(),
            "temperature": point.temperature,
            "nll": point.nll(),
            "entropy": point.entropy(),
        }

    def variants(self, policy: Policy) -> dict[str, list[Point]]:
        """A model sampled in other ways, on validation: for each family its points.

        None where the likelihood decides: both ways give some real sequences probability 0.
        """
        if self.metric == "nll":
            return {}
        whole = self.point(policy, 1.0, "validation")
        return {
            family: [
                *(self.point(policy, value, "validation", family=family) for value in values),
                replace(whole, family=family),
            ]
            for family, values in FAMILIES.items()
        }

    def at_diversity(self, policy: Policy, diversity: float, around: list[Point]) -> float | None:
        """The temperature (or number of another family) at which a model is so diverse.

        Args:
            policy: the model.
            diversity: nats per token, or minus the self-BLEU; see `Point.diversity`.
            around: the model's points of one family on validation.

        Returns:
            A number, or None where the diversity lies outside these points.
        """
        family = around[0].family
        known = {point.temperature: point.diversity() for point in around}
        if not min(known.values()) <= diversity <= max(known.values()):
            return None
        value = 1.0
        for _ in range(4):  # the curve is smooth and rising: interpolate, measure, again
            value = _interpolate(known, diversity)
            if value in known:
                break
            drawn = self.decoder.draw(policy, family, value, "validation", self.count)
            known[value] = self._diversity(drawn)
        return value

    def best_at(
        self, policy: Policy, diversity: float, curves: Iterable[list[Point]]
    ) -> tuple[str, float] | None:
        """The way of sampling that is best on validation among those that are so diverse.

        Args:
            policy: the model.
            diversity: see `Point.diversity`.
            curves: for each family the model's points on validation.

        Returns:
            The family and its number, or None where no family reaches the diversity.
        """
        found = []
        for points in curves:
            value = self.at_diversity(policy, diversity, points)
            if value is not None:
                found.append((points[0].family, value))
        if len(found) < 2:
            return found[0] if found else None
        return min(
            found,
            key=lambda way: self.point(policy, way[1], "validation", None, False, way[0]).primary(),
        )

    def match(
        self, policy: Policy, point: Point, near: float, family: str = "temperature"
    ) -> float:
        """The number at which a model is as diverse as a point of another on the test split.

        `at_diversity` is right for the samples on validation. Other samples of the same models have
        other entropies, by some thousandths of a nat per token, and a difference in quality of that
        size would be judged by the slope alone. Nothing here looks at the test split: diversity is
        of the models' own samples, those that the point has and as many of this model.

        Args:
            policy: the model.
            point: the other model's.
            near: a number that is close.
            family: how the model is sampled.
        """
        count = len(point.own.tokens)
        known: dict[float, float] = {}
        value = near
        for _ in range(STEPS):
            drawn = self.decoder.draw(policy, family, value, "test", count)
            known[value] = self._gap(drawn, point)
            if abs(known[value]) < CLOSE:
                break
            value = within(family, _next_value(known, 0.0))
            if value in known:
                break
        return min(known, key=lambda found: abs(known[found]))

    def _diversity(self, drawn: Drawn) -> float:
        """Position of samples on the axis of diversity."""
        if self.metric == "fed":
            assert drawn.samples is not None
            return -float(self._self_bleu(drawn.samples).mean())
        return float(drawn.own.entropy.sum() / drawn.own.tokens.sum())

    def _gap(self, drawn: Drawn, point: Point) -> float:
        """Diversity of samples above that of a point."""
        if self.metric == "fed":
            return self._diversity(drawn) - point.diversity()
        pooled = Pooled(point, drawn)
        return pooled.entropy(1) - pooled.entropy(0)


class Swept:
    """A model and its points at all temperatures; a split is read when it is first asked for.

    Args:
        policy: the model.
        sweep: what measures it.
    """

    def __init__(self, policy: Policy, sweep: Sweep):
        self.policy, self.sweep = policy, sweep
        self._points: dict[str, list[Point]] = {}
        self._at: dict[tuple[float, int], Point] = {}

    def at(self, temperature: float, count: int) -> Point:
        """Its point on the test split with so many samples."""
        key = temperature, count
        if key not in self._at:
            self._at[key] = self.sweep.point(self.policy, temperature, "test", count)
        return self._at[key]

    @functools.cached_property
    def variants(self) -> dict[str, list[Point]]:
        """Its points on validation where it is sampled in other ways; see `Sweep.variants`."""
        return self.sweep.variants(self.policy)

    def points(self, split: str) -> list[Point]:
        """The points on a split ("validation" or "test")."""
        if split not in self._points:
            self._points[split] = self.sweep.points(self.policy, split)
        return self._points[split]


def _interpolate(known: dict[float, float], entropy: float) -> float:
    """The temperature at which the straight lines through (temperature, entropy) pass."""
    temperatures = np.array(sorted(known))
    entropies = np.maximum.accumulate([known[t] for t in temperatures])
    return float(np.interp(entropy, entropies, temperatures))


def within(family: str, value: float) -> float:
    """The nearest number that a family has."""
    if family == "temperature":
        return value
    return min(1.0, max(value, min(FAMILIES[family])))


def _next_value(known: dict[float, float], entropy: float) -> float:
    """The number to try next for a diversity, which rises with it.

    Between the two nearest that lie on either side, or a little beyond the outermost.
    """
    below = max((t for t, found in known.items() if found <= entropy), default=None)
    above = min((t for t, found in known.items() if found > entropy), default=None)
    if below is None or above is None:
        factor = WIDER ** len(known)
        return max(known) * factor if above is None else min(known) / factor
    share = (entropy - known[below]) / (known[above] - known[below])
    return below + (above - below) * min(max(share, 0.02), 0.98)
