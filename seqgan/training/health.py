"""Adversarial training that goes wrong, noticed by its figures.

At every measurement on validation the policy is also looked at by itself (entropy, unique share,
self-BLEU, divergence from the pretrained policy) and so is the discriminator (accuracies, held-out
gain). The limits compare with the pretrained policy: what is little entropy for one kind of data is
much for another. A figure of a few sequences may cross any limit by chance, so an alarm is raised
where the whole 99% interval lies beyond the limit.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import torch

from rollout import Constraint, Policy, Sequences, constrained

from ..data.prompts import Prompts
from ..metrics import self_bleu
from ..metrics.gain import gain_in_words, knowledge
from ..metrics.likelihood import sequence_scores
from .critic import Critic
from .runtime import Runtime
from .sampling import draw

__all__ = ["GENERATOR", "Health", "troubles"]

SAMPLES = 1_000
"""Samples that are looked at: enough for shares to 2 or 3 percent."""
LEAST_ENTROPY = 0.5
"""Of the pretrained policy's: below, half of its choices are gone."""
UNIQUE_DROP = 0.2
"""Of the share of samples that differ from all others."""
SELF_BLEU_RISE, SELF_BLEU_JUMP = 0.2, 0.1
"""Since the pretrained policy, and since the measurement before."""
MOST_KL = 0.5
"""Times the pretrained policy's entropy, both in nats per token."""
WINS = 0.98
"""Held-out accuracy above which rewards differ little between samples."""
MEMORISES = 0.1
"""Training above held-out accuracy, where nothing is gained on held-out data."""
CERTAIN = 2.576
"""Standard errors on either side of a figure that make its 99% interval."""
GENERATOR = ("collapse", "drift")
"""Kinds of trouble of the generator; the others are the discriminator's."""

Figures = dict[str, float]
"""Figures by name; NAME_error is the standard error of NAME."""


def troubles(first: Figures, before: Figures, now: Figures) -> dict[str, str]:
    """Kinds of trouble, with the figures that show them.

    Args:
        first: the figures of the pretrained policy, names as they stand in the log.
        before: those of the measurement before.
        now: those of this one.

    Returns:
        Sentences by kind: collapse, drift, wins, loses, memorises.
    """
    found = {}
    if (
        _certain((LEAST_ENTROPY, first, "entropy"), (-1, now, "entropy"))
        or _certain((1, first, "unique"), (-1, now, "unique"), limit=UNIQUE_DROP)
        or _certain((1, now, "self_bleu_4"), (-1, first, "self_bleu_4"), limit=SELF_BLEU_RISE)
        or _certain((1, now, "self_bleu_4"), (-1, before, "self_bleu_4"), limit=SELF_BLEU_JUMP)
    ):
        found["collapse"] = (
            f"mode collapse: entropy {now['entropy']:.2f} nats per token (pretrained: "
            f"{first['entropy']:.2f}), unique samples {now['unique']:.0%} "
            f"({first['unique']:.0%}), self-BLEU-4 {now['self_bleu_4']:.2f} "
            f"({first['self_bleu_4']:.2f})"
        )
    if _certain((1, now, "kl"), (-MOST_KL, first, "entropy")):
        found["drift"] = (
            f"the policy runs away from the pretrained one: KL divergence {now['kl']:.2f} nats per "
            f"token, its entropy was {first['entropy']:.2f}; raise --algorithm.kl_weight or "
            "lower --algorithm.optimizer.learning_rate"
        )
    if "heldout_accuracy" in now:
        found |= _of_discriminator(now)
    return found


def _certain(*parts: tuple[float, Figures, str], limit: float = 0.0) -> bool:
    """Tells if a sum of (factor, figures, name) exceeds a limit with its whole 99% interval."""
    excess = sum(factor * figures[name] for factor, figures, name in parts) - limit
    errors = (factor * figures.get(f"{name}_error", 0.0) for factor, figures, name in parts)
    return excess > CERTAIN * math.hypot(*errors)


def _of_discriminator(now: Figures) -> dict[str, str]:
    seen, held = now["train_accuracy"], now["heldout_accuracy"]
    if _certain((1, now, "heldout_accuracy"), limit=WINS):
        return {
            "wins": f"the discriminator wins: held-out accuracy {held:.3f}; its reward hardly "
            "tells samples apart; lower --adversarial.critic_steps"
        }
    known = knowledge(now)
    if known != "something" and _certain(
        (1, now, "train_accuracy"), (-1, now, "heldout_accuracy"), limit=MEMORISES
    ):
        return {
            "memorises": f"the discriminator memorises: accuracy {seen:.3f} in training, "
            f"{held:.3f} held out, {gain_in_words(now)}: what it rewards does not hold on other "
            "data"
        }
    if known != "nothing":
        return {}
    return {
        "loses": f"the discriminator loses: held-out accuracy {held:.3f}, {gain_in_words(now)}: it "
        "has nothing left to teach, or is too weak to see it"
    }


class Health:
    """Looks at policy and discriminator, logs the figures and says what is wrong, each kind once.

    Args:
        reference: the pretrained policy.
        critic: the discriminator and its training; None if there is none.
        prompts: what the samples are asked for.
        runtime: seed and log.
        constraint: the tokens that may follow a prefix of a sample; None: all.
        scratch: the policy begins with fresh parameters. It is compared with the pretrained policy,
            not with its own first state; far from it and fast changes are no trouble then.

    Attributes:
        seen: for each kind of trouble that there was "kind", "round" and "text", first come first.
    """

    def __init__(
        self,
        reference: Policy,
        critic: Critic | None,
        prompts: Prompts,
        runtime: Runtime,
        constraint: Constraint | None = None,
        *,
        scratch: bool = False,
    ):
        self.scratch = scratch
        self.reference, self.constraint = constrained(reference, constraint), constraint
        self.critic, self.runtime, self.prompts = critic, runtime, prompts
        self.first: Figures = {}
        self.before: Figures = {}
        self.seen: list[dict[str, Any]] = []

    def look(self, policy: Policy, round_number: int) -> list[str]:
        """The kinds of trouble that there are now.

        Args:
            policy: as it is after the round.
            round_number: rounds so far.
        """
        agree = self.runtime.processes.agree
        now = agree(lambda: self._figures(policy, round_number))
        self.runtime.log("health", round_number, round=round_number, **now)
        if not self.first and self.scratch:
            self.first = agree(lambda: self._of_policy(self.reference, round_number)[0])
        self.first = self.first or now
        found = troubles(self.first, now if self.scratch else self.before or now, now)
        if self.scratch:
            found.pop("drift", None)
        self.before = now
        for kind, text in found.items():
            if kind not in [each["kind"] for each in self.seen]:
                self.seen.append({"kind": kind, "round": round_number, "text": text})
                self.runtime.say(f"warning: round {round_number}: {text}")
        return list(found)

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint."""
        return {"first": self.first, "before": self.before, "seen": self.seen}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores it."""
        self.first, self.before = dict(state["first"]), dict(state["before"])
        self.seen = [dict(each) for each in state["seen"]]

    @torch.no_grad()
    def _figures(self, policy: Policy, round_number: int) -> Figures:
        figures, samples = self._of_policy(policy, round_number)
        if self.critic is not None:
            negatives = self.critic.negatives
            figures |= self.critic.figures(samples if negatives is None else negatives, samples)
        return figures

    @torch.no_grad()
    def _of_policy(self, policy: Policy, round_number: int) -> tuple[Figures, Sequences]:
        """Figures of a policy, and the samples that they are of."""
        rng, policy = self.runtime.rng("watch", round_number), constrained(policy, self.constraint)
        samples = draw(policy, SAMPLES, rng, self.prompts).sequences
        own = sequence_scores(policy, samples)
        pretrained = sequence_scores(self.reference, samples)
        rows, tokens = samples.to_lists(), own.tokens.double().numpy()
        copies = Counter(map(tuple, rows))
        figures: Figures = {}
        for name, nats in (("entropy", own.entropy), ("kl", own.log_prob - pretrained.log_prob)):
            total = nats.numpy()
            value = figures[name] = float(total.sum() / tokens.sum())
            figures[f"{name}_error"] = _error((total - value * tokens) / tokens.mean())
        for name, values in (
            ("unique", np.array([1 / copies[tuple(row)] for row in rows])),
            ("self_bleu_4", self_bleu(rows, 4, per_sentence=True)[4]),
        ):
            figures |= {name: float(values.mean()), f"{name}_error": _error(values)}
        return figures, samples


def _error(values: np.ndarray) -> float:
    """Standard error of the mean of one value per sample."""
    return float(values.std(ddof=1)) / math.sqrt(len(values))
