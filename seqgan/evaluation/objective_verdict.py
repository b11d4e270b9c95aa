"""The verdict of a run that is trained for a reward of the user's own, without a discriminator.

The primary metric is the mean reward of fresh samples. MLE may spend as many reward calls as
training did: on the best of n of its samples, or on the best tenth of the training data, on which
it is trained further. Uniqueness, novelty and the divergence from MLE stand beside it: a policy
that repeats one good sequence has a high reward too.

Shapes: N samples.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from scipy.stats import norm

from rollout import Sequences
from rollout.modules import own_copy

from ..config import PretrainConfig, RunConfig
from ..config.reward_calls import verdict_calls
from ..models import Generator
from ..seeding import rng_for
from ..training.pretrain import Pretraining
from ..training.runtime import Runtime
from .answer import LEAST_SAMPLES
from .objective import Objective
from .reward_rows import TITLES, Rewarded, RewardRow
from .significance import relation

__all__ = ["UNSETTLED", "ObjectiveVerdict", "verdict_of"]

LEAST_KEPT = 20
"""Samples that the best of n keeps, at least; with fewer calls there is none."""
UNSETTLED = "The rounds ended before the last of the rewards began."
"""About a run of several stages."""
EPOCHS = 20
"""On the best tenth of the training data, at most; early stopping ends them sooner."""


@dataclass(frozen=True)
class ObjectiveVerdict:
    """The fine-tuned model against what MLE gets for as many reward calls.

    Attributes:
        label: better, not distinguishable, worse, not comparable, too small to judge.
        sentence: the reasons.
        rows: of all models.
        n: of the best of n.
        samples: of the fine-tuned model, by which it is measured.
        rewards: theirs [N].
        explains: no token of these samples may be left out, if false: `--reward.verdict_calls`.
    """

    label: str
    sentence: str
    rows: list[RewardRow]
    n: int
    samples: Sequences
    rewards: np.ndarray
    explains: bool

    def to_dict(self) -> dict[str, Any]:
        """For results.json."""
        rows = [asdict(row) for row in self.rows]
        return {"label": self.label, "sentence": self.sentence, "rows": rows, "n": self.n}


def verdict_of(
    objective: Objective,
    finetuned: Generator,
    calls: int,
    config: RunConfig,
    runtime: Runtime,
    unfit: str = "",
    length: int = 0,
) -> ObjectiveVerdict:
    """Compares the fine-tuned model with what MLE gets for as many reward calls.

    Args:
        objective: measures models; has the pretrained policy.
        finetuned: the model.
        calls: sequences that were judged for it: in its training, and to choose its state.
        config: all settings.
        runtime: device, seed, log.
        unfit: what is wrong with MLE's training, or "".
        length: tokens of the longest sequence; 0: no samples are explained.
    """
    allowed, rivals = verdict_calls(config, calls, length), list[RewardRow]()

    def logged(row: RewardRow) -> RewardRow:  # the times tell what each of them takes
        runtime.log("verdict", len(rivals), mean_reward=row.reward)
        return row

    for row in _rivals(objective, allowed.samples, allowed.rivals, config, runtime):
        rivals.append(logged(row))
    asked = objective.questions(allowed.samples)
    samples = objective.samples(finetuned, "finetuned", allowed.samples, asked)
    judged = objective.judged(samples)
    found = logged(objective.row("finetuned", samples, finetuned, calls, judged))
    rival = max(rivals, key=lambda row: row.reward)
    label, sentence = _compared(found, rival, config.evaluation.confidence)
    label, sentence = _weighed(label, sentence, rivals, calls, allowed.rivals, unfit)
    if allowed.samples < LEAST_SAMPLES:
        label = "too small to judge"
    n = _kept(allowed.rivals, allowed.samples)[1]
    rows, explains = [*rivals, found], bool(allowed.explaining)
    return ObjectiveVerdict(label, sentence, rows, n, samples, judged.total, explains)


def _rivals(
    objective: Objective, count: int, spent: int, config: RunConfig, runtime: Runtime
) -> Iterator[RewardRow]:
    """The rows of MLE, and of what it gets for `spent` calls: best of n, best tenth."""
    mle, asked = objective.mle, objective.questions(count)
    yield objective.row("mle", objective.samples(mle, "mle", count, asked), mle, 0)
    kept, n = _kept(spent, count)
    if n > 1:
        yield _best_of(objective, n, kept)
    tenth, judged = _trained_on_best(objective, spent, config.pretrain, runtime)
    own = objective.samples(tenth, "best-tenth", count, asked)
    yield objective.row("best-tenth", own, tenth, judged)


def _kept(spent: int, count: int) -> tuple[int, int]:
    """Samples that the best of n keeps, and n; 1 if there are too few calls for any choice.

    Args:
        spent: samples of MLE that may be judged for it.
        count: samples that every other model is measured by.
    """
    if spent >= 2 * count:
        return count, spent // count
    return (spent // 2, 2) if spent >= 2 * LEAST_KEPT else (0, 1)


def _weighed(
    label: str, sentence: str, rivals: list[RewardRow], calls: int, spent: int, unfit: str
) -> tuple[str, str]:
    """The label and the sentence; *better* needs rivals of as many calls, and MLE trained well."""
    best = next((row.calls for row in rivals if row.name == "best-of-n"), 0)
    if label == "better" and (spent < calls or not best):
        label = "not comparable"
        sentence += (
            f" The best of n had {best:,} of {calls:,} reward calls, so that is not better."
            if best
            else f" {spent:,} reward calls are too few for a best of n, so that is not better."
        )
    if unfit:
        sentence += f" {unfit}"
        label = "not comparable" if label == "better" else label
    return label, sentence


def _best_of(objective: Objective, n: int, count: int) -> RewardRow:
    """The best of n samples of MLE for each of `count` questions.

    Its divergence from MLE is at most ``log n - (n - 1) / n`` (Beirami et al. 2024).
    """
    asked = objective.questions(count)
    kept: list[list[int]] = []
    best = Rewarded(np.zeros(0))
    for number in range(n):  # the best so far of `count` samples each
        samples = objective.samples(objective.mle, f"best-of-n-{number}", count, asked)
        found, rows = objective.judged(samples), samples.to_lists()
        if not kept:
            kept, best = rows, found
            continue
        for i in np.flatnonzero(found.total > best.total).tolist():
            kept[i], best.total[i] = rows[i], found.total[i]
            for name, values in found.terms.items():
                best.terms[name][i] = values[i]
    kl = math.log(n) - (n - 1) / n
    whole = Sequences.from_lists(kept, objective.data.spec.pad_id)
    return objective.described("best-of-n", whole, best, kl, n * count)


def _trained_on_best(
    objective: Objective, calls: int, config: PretrainConfig, runtime: Runtime
) -> tuple[Generator, int]:
    """MLE trained further on the best tenth of the data that the calls pay for.

    A fifth of the calls (20 at least, half at most) goes to validation sequences, by which the
    state is chosen.
    """
    data, device = objective.data, runtime.device
    held = min(len(data.validation), max(LEAST_KEPT, calls // 5), calls // 2)
    rng = rng_for(objective.seed, "objective", "train")
    order = torch.randperm(len(data.train), generator=rng)[: calls - held]
    model = own_copy(objective.mle).requires_grad_(True)
    splits = [data.train.select(order), data.validation.select(slice(0, held))]
    best = []
    for split in splits:
        rewards = objective.judged(split.to(device)).total
        count = max(2, len(split) // 10)
        best.append(split.select(torch.from_numpy(np.argsort(-rewards, kind="stable")[:count])))
    settings = replace(config, epochs=EPOCHS, early_stopping=True, epoch_steps=0)
    train, validation = best
    work = Pretraining(model, train, validation, settings, runtime.apart(), "best-tenth")
    work.run("MLE on the best tenth", "MLE on the best tenth")
    return model, sum(len(split) for split in splits)


def _compared(found: RewardRow, rival: RewardRow, confidence: float) -> tuple[str, str]:
    """The label, and a sentence."""
    difference = found.reward - rival.reward
    reach = float(norm.ppf(0.5 + confidence / 2)) * math.hypot(found.error, rival.error)
    label = "not distinguishable"
    if abs(difference) > reach:
        label = "better" if difference > 0 else "worse"
    return label, (
        f"The fine-tuned model is {relation(label)} {TITLES[rival.name]}, the best that MLE gets "
        f"for as many reward calls: mean reward {found.reward:.4f} against {rival.reward:.4f}, "
        f"difference {difference:+.4f}, {confidence:.0%} interval [{difference - reach:+.4f}, "
        f"{difference + reach:+.4f}] over samples, one training seed; higher is better. "
        f"Distinct samples: {found.unique:.1%} against {rival.unique:.1%}."
    )
