"""The reward of a run: terms with weights, each with a curve of its own in the log.

Shapes: B sequences, T tokens, K terms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from rollout import Reward, RewardError, Sequences
from rollout.rewards import judges_tokens, reward_values

from .functions import FunctionReward
from .shapes import shaped

__all__ = ["Term", "Terms", "at_the_end", "mean_and_spread", "of_sequences"]


@dataclass
class Term:
    """One term.

    Attributes:
        name: in the log.
        weight: its factor.
        reward: what judges.
        shape: what becomes of the values, see `shaped`.
        low: of the shape.
        high: of the shape.
        absent: value, after the shape, where the term has none before; None: it abstains there.
        moves: the value of a sequence changes as something is trained.
        centre: mean and spread of the values of the step's samples, for "standardise".
    """

    name: str
    weight: float
    reward: Reward
    shape: str = "none"
    low: float = 0.0
    high: float = 1.0
    absent: float | None = None
    moves: bool = False
    centre: tuple[Tensor, Tensor] | None = None

    @property
    def per_token(self) -> bool:
        """True if it judges tokens; a shape is of the whole sequence."""
        return self.shape == "none" and judges_tokens(self.reward)

    def values(self, sequences: Sequences) -> Tensor:
        """Values [B] (or [B, T]), not shaped; NaN where the term abstains."""
        if getattr(self.reward, "abstains", False):
            return self.reward(sequences)
        values = reward_values(self.reward, sequences)
        return values if self.per_token or values.ndim == 1 else values.sum(1)

    def shaped(self, values: Tensor) -> Tensor:
        """The values [B] in the term's shape."""
        if self.per_token:
            return values
        found = shaped(self, values)
        return found if self.absent is None else found.nan_to_num(nan=self.absent)


class Terms:
    """A reward out of several terms.

    With "sum" it is ``sum_k w_k r_k``, with "mean" that divided by ``sum_k w_k``, with "geometric"
    ``prod_k r_k^(w_k / sum_k w_k)``. A term that abstains from a sequence (NaN) counts nothing
    there: it adds 0 to the sum, and its weight leaves the mean. If all abstain the reward is 0.

    If a term judges every token the whole does (but for "geometric"); the reward of a sequence then
    stands at its last token.

    Args:
        terms: the terms.
        mean: sum, mean or geometric.
    """

    def __init__(self, terms: Sequence[Term], mean: str = "sum"):
        self.terms, self.mean, self._judged = list(terms), mean, 0
        self.per_token = mean != "geometric" and any(term.per_token for term in terms)

    def __call__(self, sequences: Sequences) -> Tensor:
        """Rewards [B] (or [B, T]) of the sequences."""
        return self.joined(sequences, self.judge(sequences))

    def judge(self, sequences: Sequences) -> list[Tensor]:
        """For each term its values [B] (or [B, T]), not shaped; NaN where it abstains."""
        self._judged += len(sequences)
        return [term.values(sequences) for term in self.terms]

    def begin(self, values: Sequence[Tensor]) -> None:
        """Begins a step: the shape "standardise" measures by its samples from now on.

        Args:
            values: for each term its values [B] of the samples.
        """
        for term, found in zip(self.terms, values, strict=True):
            if term.shape == "standardise":
                term.centre = mean_and_spread(found)

    @property
    def centres(self) -> list[tuple[Tensor, Tensor] | None]:
        """For each term what its shape "standardise" measures by."""
        return [term.centre for term in self.terms]

    @centres.setter
    def centres(self, centres: Sequence[tuple[Tensor, Tensor] | None]) -> None:
        for term, centre in zip(self.terms, centres, strict=True):
            term.centre = centre

    def joined(self, sequences: Sequences, values: Sequence[Tensor]) -> Tensor:
        """Rewards [B] (or [B, T]), of the values that `judge` found.

        Raises:
            RewardError: a geometric mean of values below 0.
        """
        each = [term.shaped(found) for term, found in zip(self.terms, values, strict=True)]
        if self.mean == "geometric":
            return self._geometric(sequences, each)
        if self.per_token:
            each = [at_the_end(values, sequences) for values in each]
        weighted = [w * values for w, values in zip(self._weights, each, strict=True)]
        total = torch.stack([values.nan_to_num(nan=0.0) for values in weighted]).sum(0)
        return total if self.mean == "sum" else total / self._present(each)

    def remember(self, sequences: Sequences, values: Sequence[Tensor]) -> None:
        """Lets functions know what they said of sequences in other processes.

        Args:
            sequences: B sequences.
            values: for each term its values [B].
        """
        for term, found in zip(self.terms, values, strict=True):
            if isinstance(term.reward, FunctionReward):
                term.reward.remember(sequences, found.tolist())

    @property
    def functions(self) -> dict[str, FunctionReward]:
        """The functions of the user by the names of their terms."""
        return {t.name: t.reward for t in self.terms if isinstance(t.reward, FunctionReward)}

    @property
    def centred(self) -> bool:
        """Tells if no term waits for the samples of `begin` to measure by."""
        return all(term.shape != "standardise" or term.centre is not None for term in self.terms)

    @property
    def moves(self) -> bool:
        """Tells if a sequence may be worth something else at another step."""
        return any(term.moves or term.shape == "standardise" for term in self.terms)

    def take_calls(self) -> int:
        """Sequences that were judged since the last call.

        Of functions of the user it is those that they were asked for, repeats left out; of several
        functions the number of the one that was asked for most.
        """
        judged, self._judged = self._judged, 0
        return max((each.take_calls() for each in self.functions.values()), default=judged)

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint."""
        return {name: each.state_dict() for name, each in self.functions.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores it."""
        for name, each in self.functions.items():
            each.load_state_dict(state[name])

    @property
    def _weights(self) -> list[float]:
        return [term.weight for term in self.terms]

    def _present(self, each: list[Tensor]) -> Tensor:
        """Sum of the weights of the terms that do not abstain; 1 where all do."""
        pairs = zip(self._weights, each, strict=True)
        total = torch.stack([w * (~values.isnan()).float() for w, values in pairs]).sum(0)
        return torch.where(total > 0, total, 1.0)

    def _geometric(self, sequences: Sequences, each: list[Tensor]) -> Tensor:
        values = torch.stack([of_sequences(values) for values in each])  # [K, B]
        if bool((values < 0).any()):
            k, row = (values < 0).nonzero()[0].tolist()
            ids = sequences.select(slice(row, row + 1)).to_lists()[0]
            raise RewardError(
                f"{self.terms[k].name} is {values[k, row].item():g} for the sequence of token ids "
                f"{ids}: a geometric mean needs values of 0 or above; give the term a shape"
            )
        weights = values.new_tensor(self._weights)[:, None]
        # log 0 is -inf: then the mean is 0, unless the weight is 0 too.
        logs = torch.where(values.isnan() | (weights == 0), 0.0, weights * values.log())
        mean = (logs.sum(0) / self._present(each)).exp()
        return mean.masked_fill(values.isnan().all(0), 0.0)


def mean_and_spread(values: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (of the population) of the values [B] that are not NaN."""
    there = ~values.isnan()
    count = there.sum().clamp(min=1)
    known = torch.where(there, values, 0.0).double()
    mean = known.sum() / count
    spread = (torch.where(there, known - mean, 0.0).square().sum() / count).sqrt()
    return mean.float(), spread.float()


def of_sequences(values: Tensor) -> Tensor:
    """Values of sequences [B]; those of tokens [B, T] are summed."""
    return values if values.ndim == 1 else values.sum(1)


def at_the_end(values: Tensor, sequences: Sequences) -> Tensor:
    """Values of sequences [B] at their last tokens [B, T]; values of tokens as they are."""
    if values.ndim == 2:
        return values
    return torch.where(sequences.last, values[:, None], 0.0)
