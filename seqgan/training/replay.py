"""The memory of the best sequences ("inception memory" in REINVENT), its loss, and a filter.

Shapes: B sequences, T tokens, N remembered.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from rollout import Policy, Sequences, augmented_likelihood_loss, reinforce_loss

from ..config import PolicyGradient as Settings
from ..config.algorithms import DiversityConfig, ReplayConfig
from ..data.codec import Codec
from ..metrics.molecules import molecules, require_rdkit, scaffold
from ..rewards.functions import sequence_keys
from .processes import Part

__all__ = ["DiversityFilter", "Replay", "Replayed", "replay_loss"]


@dataclass(frozen=True)
class Replayed:
    """Remembered sequences, the rows of this process.

    Attributes:
        part: of this process.
        mine: the sequences.
        rewards: [rows].
        prior: log-probabilities [rows, T] under the pretrained policy, for the loss augmented.
    """

    part: Part
    mine: Sequences
    rewards: Tensor
    prior: Tensor | None


class Replay:
    """The distinct sequences with the highest rewards so far; other questions make them others.

    Args:
        settings: how many are kept and drawn.
        pad_id: fills the columns after a sequence's end.
        device: where the sequences lie.
    """

    def __init__(self, settings: ReplayConfig, pad_id: int, device: torch.device):
        self.settings, self.pad_id, self.device = settings, pad_id, device
        self.kept: Sequences | None = None
        self.rewards = torch.zeros(0)

    def add(self, sequences: Sequences, rewards: Tensor) -> None:
        """Remembers those of a batch that are among the best.

        Args:
            sequences: B of them.
            rewards: [B].
        """
        both, values = sequences, rewards.cpu()
        if self.kept is not None:
            both = Sequences.concat([self.kept, sequences], self.pad_id)
            values = torch.cat([self.rewards, values])
        order = values.argsort(descending=True, stable=True).tolist()
        rows: list[int] = []
        seen: set[int] = set()
        keys = _digests(both)
        for row in order:
            if keys[row] not in seen and len(rows) < self.settings.size:
                seen.add(keys[row])
                rows.append(row)
        chosen = torch.tensor(rows)
        self.kept = both.select(chosen.to(both.device)).trim()
        self.rewards = values[chosen]

    def forget(self) -> None:
        """Forgets all: their rewards are another reward's."""
        self.kept, self.rewards = None, torch.zeros(0)

    def draw(self, rng: torch.Generator) -> tuple[Sequences, Tensor]:
        """Some of them with their rewards, each equally likely."""
        assert self.kept is not None, "nothing was remembered"
        count = min(self.settings.batch, len(self.kept))
        rows = torch.randperm(len(self.kept), generator=rng)[:count]
        return self.kept.select(rows.to(self.device)), self.rewards[rows].to(self.device)

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint."""
        if self.kept is None:
            return {}
        return {
            "tokens": self.kept.tokens,
            "lengths": self.kept.lengths,
            "terminated": self.kept.terminated,
            "condition": self.kept.condition,
            "rewards": self.rewards,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores it."""
        if not state:
            return
        names = ("tokens", "lengths", "terminated", "condition")
        self.kept = Sequences(*(state[name] for name in names)).to(self.device)
        self.rewards = state["rewards"]


class DiversityFilter:
    """Takes the reward from what was sampled too often (Blaschke et al. 2020, in REINVENT).

    With the filter "scaffold" all molecules of one Murcko scaffold are the same. A text that is no
    molecule is as its tokens are, and all molecules without a ring share one scaffold.

    REINVENT's scores are in 0 .. 1, and it sets them to 0. Here rewards may be negative, where 0
    would be a prize for repetition: what is below 0 stays as it is.

    Args:
        settings: what is the same, and how often is too often.
        codec: token ids to texts.

    Raises:
        MissingExtraError: scaffolds are asked for, and rdkit is not installed.
    """

    def __init__(self, settings: DiversityConfig, codec: Codec | None = None):
        self.settings, self.codec = settings, codec
        self.counts: dict[int, int] = {}
        if settings.filter == "scaffold":
            require_rdkit("--algorithm.diversity.filter scaffold")
            assert codec is not None, "scaffolds are of texts"

    def keeps(self, sequences: Sequences, rewards: Tensor) -> Tensor:
        """True for each sequence that is rewarded, bool [B]; then counts them.

        Of equal ones in a batch the first come first. Rewards below the least one that counts are
        kept, and not counted.

        Args:
            sequences: B of them.
            rewards: [B].
        """
        kept, least = [], self.settings.minimum
        for key, reward in zip(self._keys(sequences), rewards.tolist(), strict=True):
            if least is not None and reward < least:
                kept.append(True)
                continue
            count = self.counts[key] = self.counts.get(key, 0) + 1
            kept.append(count <= self.settings.bucket)
        return torch.tensor(kept, device=sequences.device)

    def _keys(self, sequences: Sequences) -> list[int]:
        """A number for each sequence, equal for those that count as the same."""
        if self.settings.filter == "unique" or self.codec is None:
            return _digests(sequences)
        read = molecules(self.codec.texts(sequences))
        return [
            alone if found is None else _digest(scaffold(found))
            for found, alone in zip(read, _digests(sequences), strict=True)
        ]

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint."""
        return {
            "keys": torch.tensor(list(self.counts), dtype=torch.int64),
            "counts": torch.tensor(list(self.counts.values()), dtype=torch.int64),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores it."""
        keys, counts = state["keys"].tolist(), state["counts"].tolist()
        self.counts = dict(zip(keys, counts, strict=True))


def _digests(sequences: Sequences) -> list[int]:
    """A number of 63 bits for each sequence, equal for equal tokens that were asked for alike."""
    return [_digest(key) for key in sequence_keys(sequences)]


def _digest(key: object) -> int:
    return int.from_bytes(hashlib.blake2b(repr(key).encode(), digest_size=8).digest(), "big") >> 1


def replay_loss(policy: Policy, again: Replayed, mean_reward: Tensor, settings: Settings) -> Tensor:
    """The share of this process in the loss of remembered sequences.

    The same loss for REINVENT; else self-imitation, ``-(R - b)_+ log pi`` with the mean reward of
    the step as b (Oh et al. 2018, "Self-imitation learning", equation 2).

    Args:
        policy: the policy that is trained.
        again: the sequences.
        mean_reward: of the step's samples.
        settings: the loss, and its weight.
    """
    log_prob, mask = policy(again.mine).log_prob, again.mine.mask
    if again.prior is not None:
        loss = augmented_likelihood_loss(
            log_prob, again.prior, again.rewards, mask, settings.sigma
        )  # fmt: skip
    else:
        above = (again.rewards - mean_reward).clamp(min=0.0)
        loss = reinforce_loss(log_prob, above[:, None].expand_as(log_prob), mask)
    return settings.replay.weight * again.part.of_sequences(loss)
