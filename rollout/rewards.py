"""Rewards of complete sequences.

A reward is any callable ``reward(sequences) -> Tensor [B]``, or [B, T] where it has an attribute
``per_token = True``. It is called without gradients, and the reward of a sequence must not depend
on the other sequences of the batch: rollouts are scored in batches of any size and order.

A reward per token is *causal*: the reward of a token depends on the tokens up to it only (and on
its being the last one). Each token is credited with the rewards from its own on, which is right for
such rewards alone. One that looks ahead, at later tokens or at the length, declares
``causal = False``: the sum over its tokens then counts as the reward of the sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from .causality import look_ahead_of
from .devices import autocast, is_out_of_memory, reads_synchronise
from .modules import evaluating
from .randomness import UniformStream, seeded_generator
from .sequences import Sequences, distinct_sequences

__all__ = [
    "ConstantReward",
    "DiscriminatorReward",
    "MixtureReward",
    "ObjectiveReward",
    "RandomReward",
    "Reward",
    "RewardError",
    "checked_values",
    "judges_tokens",
    "reward_values",
]


_BATCH, _LARGEST_BATCH = 512, 1 << 15
"""Sequences that a discriminator judges at once: on a CPU, and at most on other devices."""


class Reward(Protocol):
    """``reward(sequences) -> Tensor [B]``, or [B, T] with ``per_token = True``.

    With ``causal = False`` as well, [B, T] is summed: a reward of the sequence.
    """

    def __call__(self, sequences: Sequences, /) -> Tensor:
        """Judges complete sequences."""


class RewardError(ValueError):
    """A reward raised an error, returned no reward, or looks ahead; the message shows where."""


def reward_values(reward: Reward, sequences: Sequences) -> Tensor:
    """Calls a reward and checks what it returns.

    Returns:
        float32 [B], or [B, T] for a reward with ``per_token = True`` (0 after a sequence's end)
        unless it has ``causal = False``.

    Raises:
        RewardError: the reward raises an error, or does not return a tensor of that shape, or a
            number that is not finite (which is not looked for in a discriminator's judgement:
            that would make the host wait for the device), or judges tokens by later ones and does
            not say so. The last is looked for in the first batches that a reward judges.
    """
    values = _judged(reward, sequences)
    if not getattr(reward, "per_token", False):
        return values
    if not getattr(reward, "causal", True):
        return values.sum(1)
    _check_causality(reward, sequences)
    return values


def judges_tokens(reward: Reward) -> bool:
    """If a reward's values are [B, T]: it has ``per_token = True`` and is causal."""
    return bool(getattr(reward, "per_token", False) and getattr(reward, "causal", True))


def _judged(reward: Reward, sequences: Sequences) -> Tensor:
    """The values that a reward returns, checked: float32 [B], or [B, T] per token."""
    try:
        with torch.no_grad():
            values = reward(sequences)
    except RewardError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise RewardError(_raised(reward, sequences, error)) from error
    return checked_values(reward, sequences, values)


def checked_values(reward: Reward, sequences: Sequences, values: Any) -> Tensor:
    """Values that a reward returned, as float32 [B], or [B, T] with ``per_token = True``.

    Raises:
        RewardError: it is no tensor of that shape, or not finite (see `reward_values`).
    """
    per_token = getattr(reward, "per_token", False)
    shape = sequences.tokens.shape if per_token else sequences.lengths.shape
    if not isinstance(values, Tensor) or values.shape != shape:
        got = list(values.shape) if isinstance(values, Tensor) else type(values).__name__
        kind = "a reward with per_token = True" if per_token else "a reward"
        raise RewardError(
            f"{kind} must return a tensor of shape {list(shape)} for {len(sequences)} sequences; "
            f"{_name(reward)} returned {got}; the first of them is {_shown(sequences, 0)}"
        )
    values = values.to(device=sequences.device, dtype=torch.float32)
    if per_token:
        values = values.masked_fill(~sequences.mask, 0.0)
    if not isinstance(reward, DiscriminatorReward) and not values.isfinite().all():
        wrong = ~values.isfinite()
        row = int(wrong.nonzero()[0, 0])
        bad = values[wrong][0].item()
        raise RewardError(f"{_name(reward)} returned {bad} for {_shown(sequences, row)}")
    return values


def _check_causality(reward: Reward, sequences: Sequences) -> None:
    """Refuses a reward per token that looks at later tokens.

    Raises:
        RewardError: it does.
    """
    found = look_ahead_of(reward, lambda batch: _judged(reward, batch), sequences)
    if found is None:
        return
    first, second = found.values
    raise RewardError(
        f"{_name(reward)} judges tokens by what comes after them: token {found.position} (from 0) "
        f"gets {first:g} in {_shown(found.pair, 0)} and {second:g} in {_shown(found.pair, 1)}, "
        "which are equal up to it, and a policy gradient from such a reward is biased; give it the "
        "attribute causal = False, and the sum over its tokens counts as the reward of the sequence"
    )


def _name(reward: Reward) -> str:
    return str(getattr(reward, "__name__", type(reward).__name__))


def _shown(sequences: Sequences, row: int) -> str:
    return f"the sequence of token ids {sequences.select(slice(row, row + 1)).to_lists()[0]}"


def _raised(reward: Reward, sequences: Sequences, error: Exception) -> str:
    """Finds the sequence: a reward judges each by itself, so they can be tried one by one."""
    which = f"a batch of {len(sequences)}, none of them by itself; the first is "
    row = 0
    for i in range(min(len(sequences), 4_096)):
        try:
            with torch.no_grad():
                reward(sequences.select(slice(i, i + 1)))
        except Exception:
            which, row = "", i
            break
    what = " ".join(str(error).split())
    return (
        f"{_name(reward)} raised {type(error).__name__}: {what} for {which}{_shown(sequences, row)}"
    )


class DiscriminatorReward:
    """A discriminator's judgement as a reward.

    Args:
        discriminator: module with ``forward(sequences) -> logits [B]`` ([B, T] where it has
            ``per_token = True``, which looks at later tokens only if it has ``causal = False``),
            positive for real. It is used in evaluation mode.
        form: "probability": P(real), as in the SeqGAN paper (equation 4); "log_odds":
            log P(real) - log P(generated), which for an optimal discriminator is
            log p_data - log p_policy: policy gradient on it descends the reverse KL.
        batch_size: sequences scored at once; None: 512 on a CPU; elsewhere, where small batches
            cost more calls than work, as many as memory is enough for.
        precision: "fp32", or "bf16": numbers of 16 bits where that saves time.

    A discriminator may have a method ``log_odds(sequences, batch_size, bfloat16) -> logits``, its
    own fast way to judge many sequences without gradients. Equal sequences are judged once; where
    finding them makes the host wait, among some thousands of sequences alone.

    Raises:
        ValueError: an unknown form or precision.
    """

    FORMS = ("probability", "log_odds")
    PRECISIONS = ("fp32", "bf16")

    def __init__(
        self,
        discriminator: nn.Module,
        form: str = "probability",
        batch_size: int | None = None,
        precision: str = "fp32",
    ):
        if form not in self.FORMS:
            raise ValueError(f"form must be one of {', '.join(self.FORMS)}, got {form!r}")
        if precision not in self.PRECISIONS:
            raise ValueError(
                f"precision must be one of {', '.join(self.PRECISIONS)}, got {precision!r}"
            )
        self.precision = precision
        self.discriminator = discriminator
        self.form = form
        self.batch_size, self._largest = batch_size, _LARGEST_BATCH

    @property
    def per_token(self) -> bool:
        """True if the discriminator judges every token."""
        return bool(getattr(self.discriminator, "per_token", False))

    @property
    def causal(self) -> bool:
        """Tells if a discriminator that judges every token looks at no later ones."""
        return bool(getattr(self.discriminator, "causal", True))

    @torch.no_grad()
    def __call__(self, sequences: Sequences) -> Tensor:
        """Rewards [B] (or [B, T]) of the sequences."""
        distinct, numbers = distinct_sequences(sequences)
        with evaluating(self.discriminator):
            logits = self._logits(distinct)
        if numbers is not None:
            logits = logits[numbers]
        return logits.sigmoid() if self.form == "probability" else logits

    def _logits(self, sequences: Sequences) -> Tensor:
        if self.batch_size is not None or not reads_synchronise(sequences.device):
            return self._in_batches(sequences, self.batch_size or _BATCH)
        while True:
            try:
                return self._in_batches(sequences, self._largest)
            except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
                if self._largest == 1 or not is_out_of_memory(error):
                    raise
            # Out of the except clause, which holds the tensors that were in the way.
            self._largest = max(1, min(self._largest, len(sequences)) // 2)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

    def _in_batches(self, sequences: Sequences, batch_size: int) -> Tensor:
        bfloat16 = self.precision == "bf16"
        score = getattr(self.discriminator, "log_odds", None)
        if score is not None:
            return score(sequences, batch_size, bfloat16)
        with autocast(sequences.device, torch.bfloat16 if bfloat16 else None):
            parts = [self.discriminator(part) for part in sequences.split(batch_size)]
        return torch.cat(parts).float()


class ObjectiveReward:
    """A Python function of the decoded sequences as a reward: an objective of the user's domain.

    Args:
        function: gets a list of decoded sequences and returns one number for each.
        decode: turns `Sequences` into that list; None: lists of token ids, EOS included.

    Raises:
        RewardError: (when called) the function does not return one finite number a sequence.
    """

    def __init__(
        self,
        function: Callable[[list[Any]], Sequence[float]],
        decode: Callable[[Sequences], list[Any]] | None = None,
    ):
        self.function = function
        self.decode = decode or Sequences.to_lists

    def __call__(self, sequences: Sequences) -> Tensor:
        """Rewards [B] of the sequences."""
        decoded = self.decode(sequences)
        values = torch.as_tensor(list(self.function(decoded)), dtype=torch.float32)
        name = getattr(self.function, "__name__", type(self.function).__name__)
        if values.shape != (len(decoded),):
            raise RewardError(
                f"{name} must return one number for each of {len(decoded)} sequences, "
                f"got shape {list(values.shape)}; the first of them is {decoded[0]!r}"
            )
        bad = (~values.isfinite()).nonzero()[:, 0].tolist()
        if bad:
            raise RewardError(f"{name} returned {values[bad[0]].item()} for {decoded[bad[0]]!r}")
        return values.to(sequences.device)


class ConstantReward:
    """The same reward for every sequence: the control that has nothing to teach."""

    def __init__(self, value: float = 1.0):
        self.value = value

    def __call__(self, sequences: Sequences) -> Tensor:
        """Rewards [B], all `value`."""
        return torch.full((len(sequences),), self.value, device=sequences.device)


class RandomReward:
    """A reward uniform in [0, 1] that depends on nothing but the sequence's tokens and a seed.

    The control that has something to learn, but nothing of the data: equal sequences get equal
    rewards, so a policy can chase it.

    Args:
        seed: two seeds give unrelated rewards; all 64 bits count.

    Raises:
        ValueError: a seed of more than 64 bits.
    """

    def __init__(self, seed: int = 0):
        seeded_generator(seed)
        self.seed = seed

    def __call__(self, sequences: Sequences) -> Tensor:
        """Rewards [B]."""
        device = sequences.device
        stream = UniformStream(seeded_generator(self.seed), device)
        key = stream.rows(torch.zeros(len(sequences), dtype=torch.int64, device=device))
        for t in range(sequences.tokens.shape[1]):
            mixed = stream.rows(key, sequences.tokens[:, t])
            key = torch.where(sequences.mask[:, t], mixed, key)
        return stream.uniforms(key, 0).to(device, torch.float32)


class MixtureReward:
    """A weighted sum of rewards.

    Where one of them judges every token the mixture does, and a whole sequence's reward (that of a
    reward with ``causal = False`` too) then stands at its last token.

    Args:
        parts: (weight, reward) pairs.

    Raises:
        ValueError: no part.
    """

    def __init__(self, parts: Sequence[tuple[float, Reward]]):
        if not parts:
            raise ValueError("a mixture needs at least one (weight, reward) pair")
        self.parts = list(parts)
        self.per_token = any(judges_tokens(reward) for _, reward in self.parts)

    def __call__(self, sequences: Sequences) -> Tensor:
        """Rewards [B] (or [B, T]) of the sequences."""
        total: Tensor | float = 0.0
        for weight, reward in self.parts:
            values = reward_values(reward, sequences)
            if self.per_token and values.ndim == 1:
                values = values[:, None] * sequences.last
            total = total + weight * values
        assert isinstance(total, Tensor)
        return total
