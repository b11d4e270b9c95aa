"""Ways to sample from a model that need no second training; of MLE they are the bar to pass.

A method that makes a model less varied and better has shown little where MLE, sampled with more
care, does the same. Beside the softmax temperature there are two common ways. Top-p drops unlikely
tokens. Rejection draws more sequences than are wanted and keeps those that MLE itself finds most
likely, per token: by the likelihood of a whole sequence, short ones would win. Each is a family
with one number, and diversity rises with it. Which of them serves best is a matter of the data
(Caccia et al. 2020, "Language GANs Falling Short", compare temperatures).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import torch

from rollout import Constraint, NucleusPolicy, Policy, Sequences, constrained

from ..data.prompts import NoPrompts, Prompts
from ..metrics.likelihood import SequenceScores, sequence_scores
from ..models.generator import emitting
from ..seeding import rng_for
from ..training.sampling import draw
from .pooled import Drawn

__all__ = ["FAMILIES", "Decoder", "in_words"]

Result = TypeVar("Result")
FAMILIES: dict[str, tuple[float, ...]] = {
    "top-p": (0.8, 0.9, 0.95, 0.98, 0.99),
    "rejection": (0.25, 0.5, 0.75, 0.9),
}
"""Families besides the temperature: the probability that is kept at each step, and the share of the
samples that is kept. At 1 both are the model as trained."""


def in_words(family: str, value: float) -> str:
    """A member of a family, as a sentence has it."""
    if family == "temperature":
        return f"temperature {value:.4g}"
    if family == "top-p":
        return f"top-p {value:.3g}"
    return f"the {value:.0%} of its samples that it finds most likely"


ROUNDING = 1e-5
"""Nats per token by which one sequence may be scored differently in another batch."""
RECENT = 8
"""Draws, and scores of each, that are kept: a search for equal diversity ends where it just was,
and what it ends with is then measured and compared."""


class _Recent(Generic[Result]):
    """The results that were used last."""

    def __init__(self) -> None:
        self._kept: list[tuple[object, Any, Result]] = []  # the one that was used last first

    def get(self, owner: object, key: Any, make: Callable[[], Result]) -> Result:
        """The result for this very object and this key; `make` makes one that is not kept."""
        known = [each for each in self._kept if each[0] is owner and each[1] == key]
        others = [each for each in self._kept if each not in known]
        found = known[0] if known else (owner, key, make())
        self._kept = [found, *others[: RECENT - 1]]
        return found[2]


class Remembering:
    """A scoring of sequences that knows the last ones again.

    Args:
        score: the scoring.
    """

    def __init__(self, score: Callable[[Sequences], SequenceScores]):
        self._score = score
        self._recent: _Recent[SequenceScores] = _Recent()

    def __call__(self, of: Sequences) -> SequenceScores:
        """Scores of sequences; of the same object as before, those from before."""
        return self._recent.get(of, None, lambda: self._score(of))


class Decoder:
    """Draws and scores sequences of a model in any of the ways.

    What was drawn last is kept, so a model must not change before `forget` is called.

    Args:
        seed: of the samples.
        prompts: what models are asked for, by split; None: nothing.
        constraint: the tokens that may follow a prefix; None: all.
    """

    def __init__(
        self,
        seed: int,
        prompts: Callable[[str], Prompts] | None = None,
        constraint: Constraint | None = None,
    ):
        self.seed, self.constraint = seed, constraint
        self.prompts = prompts or (lambda split: NoPrompts())
        self._recent: _Recent[Drawn] = _Recent()
        self._pools: dict[Any, tuple[Policy, Sequences, Remembering]] = {}

    def draw(self, policy: Policy, family: str, value: float, split: str, count: int) -> Drawn:
        """Samples with their scores, and what scores others.

        Random numbers depend on the split alone, so neighbouring values and different models share
        them and differ by less noise.

        Args:
            policy: the model.
            family: temperature, or one of `FAMILIES`.
            value: of the family's number.
            split: what the samples are for: validation or test. They are fresh ones for each.
            count: samples.
        """

        def drawn() -> Drawn:
            if family == "rejection":
                return self._kept(policy, value, split, count)
            return self._whole(policy, family, value, split, count)

        return self._recent.get(policy, (family, value, split, count), drawn)

    def forget(self) -> None:
        """Draws everything anew from now on: a model may have changed."""
        self._recent, self._pools = _Recent(), {}

    def _whole(self, policy: Policy, family: str, value: float, split: str, count: int) -> Drawn:
        """Samples of a model whose steps are changed."""

        def this_way(each: Policy) -> Policy:
            tempered = family == "temperature"
            made = each.tempered(value) if tempered else NucleusPolicy(each, value)
            return constrained(made, self.constraint)

        samples = self._generate(this_way(emitting(policy)), split, count)
        score = Remembering(functools.partial(sequence_scores, this_way(policy)))
        return Drawn(score(samples), samples, score)

    def _generate(self, policy: Policy, split: str, count: int) -> Sequences:
        rng = rng_for(self.seed, "sweep", split)
        return draw(policy, count, rng, self.prompts(split)).sequences

    def _kept(self, policy: Policy, share: float, split: str, count: int) -> Drawn:
        """The first samples that lie in the most likely share of all.

        Their density is exact given the threshold: q / Z from it on, where q is the model's and Z
        the acceptance rate, and 0 below. Both come from four times as many samples; the error of Z
        changes a Jensen-Shannon divergence by its square only.
        """
        samples, score = self._pool(policy, split, count)
        scores = score(samples)
        threshold = -math.inf
        if share < 1:
            threshold = float(_per_token(scores).quantile(1 - share)) - ROUNDING
        accepted = _per_token(scores) >= threshold
        log_rate = math.log(float(accepted.double().mean()))
        rows = accepted.nonzero()[:count, 0]
        own = SequenceScores(*(values[rows] for values in scores))
        return Drawn(
            _renormalised(own, threshold, log_rate),
            samples.select(rows.to(samples.device)),
            Remembering(lambda of: _renormalised(score(of), threshold, log_rate)),
        )

    def _pool(self, policy: Policy, split: str, count: int) -> tuple[Sequences, Remembering]:
        """As many samples as the smallest share needs, and the model's scoring; kept for all."""
        known = self._pools.get((split, count))
        if known is None or known[0] is not policy:
            most = math.ceil(count / min(FAMILIES["rejection"]))
            emits, acting = (constrained(x, self.constraint) for x in (emitting(policy), policy))
            samples = self._generate(emits, split, most)
            known = policy, samples, Remembering(functools.partial(sequence_scores, acting))
            self._pools[split, count] = known
        return known[1:]


def _renormalised(scores: SequenceScores, threshold: float, log_rate: float) -> SequenceScores:
    """Log-probabilities q / Z from a threshold per token on; below it -inf, and no entropy.

    A model with rejection is no product of steps, so the entropy of a sequence is minus the log of
    its density, which has the entropy as its mean.
    """
    rejected, log_prob = _per_token(scores) < threshold, scores.log_prob - log_rate
    return SequenceScores(
        log_prob.masked_fill(rejected, -torch.inf),
        (-log_prob).masked_fill(rejected, 0.0),
        scores.tokens,
    )


def _per_token(scores: SequenceScores) -> torch.Tensor:
    """Log-probability per token [n]."""
    return scores.log_prob / scores.tokens
