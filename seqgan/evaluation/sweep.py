"""The sweep of a model over temperatures and other ways of sampling."""

from __future__ import annotations

import copy
import functools
import hashlib
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from rollout import Policy, Sequences

from ..config import EvaluationConfig
from ..data.bounded import bounded
from ..data.dataset import Dataset, random_rows
from ..metrics import bleu, self_bleu
from ..metrics.likelihood import noise_size_of
from .decoding import FAMILIES, Decoder
from .models import real_words, source_log_prob, wording
from .point import Point
from .pooled import Drawn, Pooled
from .primary import FALLBACK, PRIMARY, Primary, choose
from .scoring import ORDERS

__all__ = ["Sweep", "Swept", "within"]

CLOSE = 1e-4
"""Diversities that differ by less (entropies in nats per token, or self-BLEU) count as equal."""
STEPS = 12
"""Values tried at most, to bring two diversities so close."""
WIDER = 1.01
"""First factor from one value to the next while all tried lie on one side."""


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
        self.decoder = Decoder(seed, data.prompts, data.constraint)
        # Self-BLEU grows with the number of sequences: models and real data get the same.
        self.count = min(config.sweep_samples, len(data.test))
        self._best: int | None = None  # index of the temperature that suited the last policy
        self.wording = wording(data, config)
        self.references = list(real_words(data, config, "test"))
        self.metric: Primary = choose(data, config)
        self._prepared = self.metric.prepare(data, config)
        self._on_device: dict[tuple[str, str], Sequences] = {}
        self._of_real: dict[tuple[str, int], dict[str, float]] = {}

    def halved(self) -> Sweep:
        """Copies the sweep for a control, with half of the samples and a memory of its own.

        The primary metric is the one that was settled.
        """
        half = copy.copy(self)
        half.config = replace(
            self.config,
            sweep_samples=max(2, self.config.sweep_samples // 2),
            num_samples=max(2, self.config.num_samples // 2),
        )
        half.count, half._best = max(2, self.count // 2), None
        half.decoder = Decoder(self.seed, self.data.prompts, self.data.constraint)
        return half

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint: where the next search begins, and the primary metric."""
        return {"best": self._best, "metric": self.metric.name}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the state."""
        self._best, self.metric = state["best"], PRIMARY[state["metric"]]

    def settle(self, mle: Policy) -> None:
        """Settles the primary metric by what it says of MLE on validation, before anything else.

        A metric at its limit, such as a Jensen-Shannon divergence near log 2, gives way to the
        held-out likelihood. Nothing of the model in question, and nothing of the test split, has a
        say.
        """
        limit = self.metric.limit
        if limit is not None and self.point(mle, 1.0, "validation").primary() > limit:
            self.metric = FALLBACK

    def point(
        self,
        policy: Policy,
        temperature: float,
        split: str,
        count: int | None = None,
        surface: bool = False,
        family: str = "temperature",
    ) -> Point:
        """Measures a model at one temperature on one split.

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
        scores = score(real)
        return Point(
            temperature,
            scores,
            drawn.own,
            self.metric,
            self.metric.carry(self._prepared, scores, drawn, split),
            self._surface(samples) if surface else {},
            samples,
            score,
            family,
            self._self_bleu(samples),
        )

    def _real(self, split: str, device: torch.device) -> Sequences:
        """A split on a device: the same object each time, so that scores of it can be kept."""
        key = split, str(device)
        if key not in self._on_device:
            self._on_device[key] = getattr(self.data, split).to(device)
        return self._on_device[key]

    def _self_bleu(self, samples: Sequences) -> np.ndarray | None:
        """Self-BLEU of each sample [n] if that is the axis of diversity, else None."""
        order = self.metric.axis.order
        if order is None:
            return None
        tokens, unk = self.data.codec.tokens(samples), self.wording.unk
        return self_bleu(tokens, order, per_sentence=True, unk=unk)[order]

    def _surface(self, samples: Sequences) -> dict[str, float]:
        tokens, unk = self.data.codec.tokens(samples), self.wording.unk
        forward, own = bleu(tokens, self.references, 5, unk=unk), self_bleu(tokens, 5, unk=unk)
        return {f"bleu-{k}": forward[k] for k in ORDERS} | {
            f"self-bleu-{k}": own[k] for k in ORDERS
        }

    def real(self) -> dict[str, float]:
        """Self-BLEU of real test sequences, as many as a point has samples.

        The number matters: self-BLEU grows with it, and a Frechet distance falls with it. What the
        primary metric needs of real data comes along.
        """
        key = self.metric.name, self.count
        if key not in self._of_real:
            self._of_real[key] = self._measured_real()
        return self._of_real[key]

    def _measured_real(self) -> dict[str, float]:
        rows = random_rows(self.data, "test")[: self.count]
        tokens = [self.references[row] for row in rows.tolist()]
        own = self_bleu(tokens, 5, unk=self.wording.unk)
        found: dict[str, float] = {"sequences": len(tokens)}
        found |= {f"self-bleu-{k}": own[k] for k in ORDERS}
        return found | self.metric.of_real_data(self._prepared, self.count)

    @property
    def verdict_count(self) -> int:
        """Samples of the points that a verdict compares."""
        if self.metric.pooled:
            return self.config.num_samples
        return min(self.config.num_samples, len(self.data.test))

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
        """Measures a policy on validation, at the temperature that suits it best.

        Policy gradients change how sharp a policy is. At a fixed temperature that alone would
        pass for progress, or hide it. The search walks along the grid of temperatures from where
        the last policy was best.

        Returns:
            "score", the primary metric, its "temperature", and "nll" and "entropy" there. If the
            density of the source is known, figures of the policy as trained besides (see
            `Point.under_source`).
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
        self._best = i
        point = found[i]
        measured = {
            "score": point.primary(),
            "temperature": point.temperature,
            "nll": point.nll(),
            "entropy": point.entropy(),
        }
        if self.data.density is not None:
            whole = found.get(grid.index(1.0)) or self.point(policy, 1.0, "validation")
            assert whole.samples is not None
            log_p = source_log_prob(self.data, whole.samples)
            assert log_p is not None
            measured |= whole.under_source(log_p)
        self.decoder.forget()
        return measured

    def variants(self, policy: Policy) -> dict[str, list[Point]]:
        """Measures a model sampled in other ways, on validation: for each family its points.

        Only in those that the primary metric admits. A model that reads noise is not sampled by
        top-p: the density of its samples is estimated over other draws of noise than their own,
        under which their tokens may be cut off.
        """
        families = [f for f in self.metric.families if f != "top-p" or not noise_size_of(policy)]
        if not families:
            return {}
        whole = self.point(policy, 1.0, "validation")
        return {
            family: [
                *(
                    self.point(policy, value, "validation", family=family)
                    for value in FAMILIES[family]
                ),
                replace(whole, family=family),
            ]
            for family in families
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
    ) -> Point | None:
        """The point on validation that is best among the ways of sampling that are so diverse.

        Args:
            policy: the model.
            diversity: see `Point.diversity`.
            curves: for each family the model's points on validation.

        Returns:
            A point, or None where no family reaches the diversity.
        """
        found = []
        for points in curves:
            value = self.at_diversity(policy, diversity, points)
            if value is not None:
                family = points[0].family
                found.append(self.point(policy, value, "validation", family=family))
        return min(found, key=Point.primary, default=None)

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
        """Place of samples on the axis of diversity."""
        assert drawn.samples is not None
        own = self._self_bleu(drawn.samples)
        if own is not None:
            return -float(own.mean())
        return float(drawn.own.entropy.sum() / drawn.own.tokens.sum())

    def _gap(self, drawn: Drawn, point: Point) -> float:
        """Diversity of samples minus that of a point."""
        if not self.metric.pooled:
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
        self._at: dict[tuple[str, float, int], Point] = {}

    def at(self, value: float, count: int, family: str = "temperature") -> Point:
        """Its point on the test split with so many samples.

        Args:
            value: temperature, or the number of another family.
            count: samples.
            family: how the model is sampled.
        """
        if value == 1:
            family = "temperature"  # the same model, whatever the family
        key = family, value, count
        if key not in self._at:
            self._at[key] = self.sweep.point(self.policy, value, "test", count, family=family)
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
