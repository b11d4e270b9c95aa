"""A function of the user's as a reward: batches, cache, budget, errors.

Shapes: B sequences.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from rollout import RewardError, Sequences

from ..config import RewardConfig, RewardTerm
from ..config.dotted import import_dotted
from ..errors import ConfigError
from .calls import CallFailed, Numbers, call, is_async
from .ingredients import Ingredients
from .workers import Workers

__all__ = ["FunctionReward", "imported"]

REMEMBERED = 1 << 17
"""Sequences whose rewards are kept; the oldest go first."""
MOST_SHOWN = 200
"""Characters of a sequence in a message."""

Key: TypeAlias = tuple[Any, ...]


class FunctionReward:
    """A function named by a dotted path, called in TRL's convention (see `calls`).

    It is called with what it names out of ``completions`` (texts), ``completion_ids`` (lists of
    token ids, EOS included) and ``prompts`` (texts). Equal sequences are judged once. NaN stands
    for None: the function abstains.

    Args:
        term: the settings.
        given: codec, and how functions are called.

    Raises:
        ConfigError: the function cannot be imported, or cannot be interrupted as settings ask.
    """

    def __init__(self, term: RewardTerm, given: Ingredients):
        self.name, self.codec, self.config = term.name, given.codec, given.config
        self.skip, self.say = given.skip, given.say
        self.function = imported(term.name, self.config)
        self.workers: Workers | None = None
        if self.config.workers:
            self.workers = Workers(term.name, self.config.workers, self.config.timeout)
        self.cache: OrderedDict[Key, float] = OrderedDict()
        self._calls = self._skipped = 0

    def __call__(self, sequences: Sequences) -> Tensor:
        """Rewards [B] of the sequences; NaN where the function abstains."""
        rows = sequences.to_lists()
        keys = _keys(rows, sequences)
        known = self.cache if self.config.cache else OrderedDict[Key, float]()
        first = {key: row for row, key in reversed([*enumerate(keys)]) if key not in known}
        asked = sorted(first.values())
        if asked:
            chosen = sequences.select(torch.tensor(asked, device=sequences.device))
            found = self._judge(self.codec.texts(chosen), [rows[row] for row in asked])
            known.update(zip((keys[row] for row in asked), found, strict=True))
        values = [known[key] for key in keys]
        while len(self.cache) > REMEMBERED:
            self.cache.popitem(last=False)
        return torch.tensor(values, dtype=torch.float32, device=sequences.device)

    def take_calls(self) -> int:
        """Sequences that were judged since the last call of this method."""
        calls, self._calls = self._calls, 0
        return calls

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint: the cache, if there is a budget, which repeats must not spend."""
        conditional = any(isinstance(part, tuple) for key in self.cache for part in key)
        if not self.config.calls or conditional:
            return {}
        keys = [list(key) for key in self.cache]
        return {
            "tokens": torch.tensor([token for key in keys for token in key], dtype=torch.int64),
            "lengths": torch.tensor([len(key) for key in keys], dtype=torch.int64),
            "values": torch.tensor(list(self.cache.values()), dtype=torch.float64),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores it."""
        if not state:
            return
        pieces = state["tokens"].split(state["lengths"].tolist())
        keys = [tuple(piece.tolist()) for piece in pieces]
        self.cache = OrderedDict(zip(keys, state["values"].tolist(), strict=True))

    def _judge(self, texts: list[str], ids: list[list[int]]) -> list[float]:
        """The values of distinct sequences; NaN for None."""
        self._calls += len(texts)
        size = self.config.batch or -(-len(texts) // max(1, self.config.workers))
        slices = [slice(i, i + size) for i in range(0, len(texts), size)]
        batches = [_columns(texts[part], ids[part]) for part in slices]
        values: list[float] = []
        for batch, found in zip(batches, self._ask(batches), strict=True):
            if isinstance(found, CallFailed):
                found = self._one_by_one(batch, found)
            values += [float("nan") if value is None else value for value in found]
        return values

    def _ask(self, batches: list[dict[str, list[Any]]]) -> list[Numbers | CallFailed]:
        if self.workers is not None:
            return self.workers.map(batches)
        found: list[Numbers | CallFailed] = []
        for batch in batches:
            try:
                found.append(call(self.function, batch, self.config.timeout))
            except CallFailed as error:
                found.append(error)
        return found

    def _one_by_one(self, batch: dict[str, list[Any]], error: CallFailed) -> Numbers:
        """Looks for the sequences of a batch that have no reward.

        Raises:
            RewardError: there is one, and none may be skipped; or the batch fails as a whole.
        """
        texts = batch["completions"]
        singles = [{name: [each[row]] for name, each in batch.items()} for row in range(len(texts))]
        values: Numbers = []
        failed = 0
        for row, found in enumerate(self._ask(singles) if len(texts) > 1 else [error]):
            if not isinstance(found, CallFailed):
                values += found
                continue
            failed += 1
            reason = f"{self.name} {found.reason} for {_shown(texts[row])}"
            if not self.skip:
                raise RewardError(reason) from error
            values.append(None)
            self._skipped += 1
            if self._skipped & (self._skipped - 1) == 0:  # 1, 2, 4, 8, ...
                self.say(f"warning: {reason}; skipped, {self._skipped} so far")
        if not failed and not self.skip:
            raise RewardError(
                f"{self.name} {error.reason} for a batch of {len(texts)}, none of them by itself; "
                f"the first is {_shown(texts[0])}"
            ) from error
        return values


def imported(name: str, config: RewardConfig) -> Callable[..., Any]:
    """The function of a dotted path.

    Raises:
        ConfigError: it cannot be imported or called, or not be interrupted as settings ask.
    """
    function: Callable[..., Any] = import_dotted(name, "--rewards")
    if not callable(function):
        raise ConfigError(f"--rewards {name}: {function!r:.80} cannot be called")
    if config.timeout and not config.workers and not is_async(function):
        raise ConfigError(
            f"--reward.timeout: {name} runs in the run's own process and cannot be interrupted "
            "there; set --reward.workers too"
        )
    return function


def _shown(text: str) -> str:
    """A text in quotes, cut if it is long."""
    return repr(text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]} ...")


def _columns(texts: list[str], ids: list[list[int]]) -> dict[str, list[Any]]:
    return {"completions": texts, "completion_ids": ids, "prompts": [""] * len(texts)}


def _keys(rows: list[list[int]], sequences: Sequences) -> list[Key]:
    """Keys that equal sequences share: their tokens and condition."""
    if sequences.condition is None:
        return [tuple(row) for row in rows]
    leaves = [leaf.reshape(len(rows), -1).tolist() for leaf in tree_leaves(sequences.condition)]
    return [(*row, *(tuple(leaf[i]) for leaf in leaves)) for i, row in enumerate(rows)]
