"""A function of the user's as a reward: batches, cache, budget, errors.

Shapes: B sequences.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from rollout import RewardError, Sequences
from rollout.sequences import Key, keys_of

from ..config import RewardConfig, RewardTerm
from ..config.dotted import import_dotted
from ..errors import ConfigError
from ..models.conditions import without_noise
from .calls import CallFailed, Numbers, call_all, is_async, missing_columns
from .failures import Failures
from .ingredients import Ingredients
from .workers import Workers

__all__ = ["FunctionReward", "imported", "sequence_keys"]

REMEMBERED = 1 << 17
"""Sequences whose rewards are kept; the oldest go first."""
TEXTS = ("completions", "completion_ids", "prompts")
"""Names that a function may ask for in every run."""
MOST_SHOWN = 200
"""Characters of a sequence in a message."""


class FunctionReward:
    """A function named by a dotted path, called in TRL's convention (see `calls`).

    It is called with what it names out of ``completions`` (texts), ``completion_ids`` (lists of
    token ids, EOS included), ``prompts`` (what was asked for, as text) and the columns of the data
    that sequences are asked for by: ``label``, ``source``, and the names that the data give them.
    Equal sequences that answer the same are judged once. NaN stands for None: the function
    abstains.

    Args:
        term: the settings.
        given: codec, conditions, and how functions are called.

    Raises:
        ConfigError: the function cannot be imported, or cannot be interrupted as settings ask.
    """

    abstains = True

    def __init__(self, term: RewardTerm, given: Ingredients):
        self.name, self.codec, self.config = term.name, given.codec, given.config
        self.conditions, self.columns = given.conditions, given.columns
        self._failed = Failures(given, "skipped")
        self.function = imported(term.name, self.config)
        self.workers: Workers | None = None
        if self.config.workers:
            self.workers = given.pools.workers(term.name, self.config.workers, self.config.timeout)
        self.cache: OrderedDict[Key, float] = OrderedDict()
        self._calls = 0

    def __call__(self, sequences: Sequences) -> Tensor:
        """Rewards [B] of the sequences; NaN where the function abstains."""
        keys = sequence_keys(sequences)
        known = self.cache if self.config.cache else OrderedDict[Key, float]()
        first = {key: row for row, key in reversed([*enumerate(keys)]) if key not in known}
        asked = sorted(first.values())
        if asked:
            chosen = sequences.select(torch.tensor(asked, device=sequences.device))
            found = self._judge(self._columns(chosen), len(asked))
            known.update(zip((keys[row] for row in asked), found, strict=True))
        values = [known[key] for key in keys]
        self._forget_oldest()
        return torch.tensor(values, dtype=torch.float32, device=sequences.device)

    def remember(self, sequences: Sequences, values: Sequence[float]) -> None:
        """Takes values into the cache that were found by the same function elsewhere.

        Args:
            sequences: B sequences.
            values: of each; NaN where the function abstains.
        """
        if self.config.cache:
            self.cache.update(zip(sequence_keys(sequences), values, strict=True))
            self._forget_oldest()

    def take_calls(self) -> int:
        """Sequences that were judged since the last call of this method."""
        calls, self._calls = self._calls, 0
        return calls

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint: the cache, as repeats are no calls, before and after a resume."""
        if not self.cache:
            return {}
        return {
            "tokens": torch.tensor([each for key in self.cache for each in key[0]]).int(),
            "asked": torch.tensor([each for key in self.cache for each in key[1]]).double(),
            "lengths": torch.tensor([[len(each) for each in key] for key in self.cache]).long(),
            "values": torch.tensor(list(self.cache.values()), dtype=torch.float64),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores it."""
        if not state:
            return
        lengths = state["lengths"].view(-1, 2).T.tolist()
        parts = zip((state["tokens"], state["asked"]), lengths, strict=True)
        pieces = [[tuple(each.tolist()) for each in part.split(sizes)] for part, sizes in parts]
        keys: list[Key] = list(zip(*pieces, strict=True))
        self.cache = OrderedDict(zip(keys, state["values"].tolist(), strict=True))

    def _forget_oldest(self) -> None:
        while len(self.cache) > REMEMBERED:
            self.cache.popitem(last=False)

    def _columns(self, sequences: Sequences) -> dict[str, list[Any]]:
        """All that the function can be called with, by name."""
        asked, prompts = {}, [""] * len(sequences)
        if self.conditions:
            found = self.conditions.described(sequences.condition)
            asked = {part: [each[part] for each in found] for part in found[0]}
            prompts = self.conditions.words(sequences.condition)
        own = {name: asked[part] for part, name in self.columns.items() if part in asked}
        return {
            **own,
            **asked,
            "completions": self.codec.texts(sequences),
            "completion_ids": sequences.to_lists(),
            "prompts": prompts,
        }

    def _judge(self, columns: dict[str, list[Any]], count: int) -> list[float]:
        """The values of distinct sequences; NaN for None."""
        self._calls += count
        size = self.config.batch or -(-count // max(1, self.config.workers))
        slices = [slice(i, i + size) for i in range(0, count, size)]
        batches = [{name: each[part] for name, each in columns.items()} for part in slices]
        values: list[float] = []
        for batch, found in zip(batches, self._ask(batches), strict=True):
            if isinstance(found, CallFailed):
                found = self._one_by_one(batch, found)
            values += [float("nan") if value is None else value for value in found]
        return values

    def _ask(self, batches: list[dict[str, list[Any]]]) -> list[Numbers | CallFailed]:
        if self.workers is not None:
            return self.workers.map(batches)
        return call_all(self.function, batches, self.config.timeout)

    def _singles(self, batch: dict[str, list[Any]]) -> Iterator[Numbers | CallFailed]:
        """The answers for each sequence of a batch by itself, asked for as they are needed."""
        count = len(batch["completions"])
        at_once = max(1, self.config.workers)
        for first in range(0, count, at_once):
            rows = range(first, min(first + at_once, count))
            self._calls += len(rows)
            yield from self._ask([{name: [x[i]] for name, x in batch.items()} for i in rows])

    def _one_by_one(self, batch: dict[str, list[Any]], error: CallFailed) -> Numbers:
        """Looks for the sequences of a batch that have no reward.

        Raises:
            RewardError: there is one, and none may be skipped; or the batch fails as a whole.
        """
        texts = batch["completions"]
        if error.row is not None and not self._failed.skip:
            raise RewardError(
                f"{self.name} {error.reason} for {_shown(texts[error.row])}"
            ) from error
        values: Numbers = []
        failed = 0
        for row, found in enumerate(self._singles(batch) if len(texts) > 1 else [error]):
            if not isinstance(found, CallFailed):
                values += found
                continue
            failed += 1
            self._failed(f"{self.name} {found.reason} for {_shown(texts[row])}", error)
            values.append(None)
        if not failed and not self._failed.skip:
            raise RewardError(
                f"{self.name} {error.reason} for a batch of {len(texts)}, none of them by itself; "
                f"the first is {_shown(texts[0])}"
            ) from error
        return values


def imported(
    name: str, config: RewardConfig, columns: Collection[str] | None = None
) -> Callable[..., Any]:
    """The function of a dotted path.

    Args:
        name: the path.
        config: how functions are called.
        columns: of the data, that it may name besides `TEXTS`; None: it is not known which.

    Raises:
        ConfigError: it cannot be imported or called, needs what it does not get, or cannot be
            interrupted as settings ask.
    """
    function: Callable[..., Any] = import_dotted(name, "--rewards")
    if not callable(function):
        raise ConfigError(f"--rewards {name}: {function!r:.80} cannot be called")
    if columns is not None:
        _check_names(name, function, [*TEXTS, *columns])
    if config.timeout and not config.workers and not is_async(function):
        raise ConfigError(
            f"--reward.timeout: {name} runs in the run's own process and cannot be interrupted "
            "there; set --reward.workers too"
        )
    return function


def _check_names(name: str, function: Callable[..., Any], known: list[str]) -> None:
    """Requires a function that asks for nothing else than there is.

    Raises:
        ConfigError: it does.
    """
    try:
        missing = missing_columns(function, known)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"--rewards {name}: Python knows no signature of it ({error}); call it in a function "
            "of your own"
        ) from None
    if missing:
        raise ConfigError(
            f"--rewards {name}: it needs {', '.join(missing)}, and is called with "
            f"{', '.join(known)}; give {missing[0]} a default, or name its column of the data "
            "with --corpus.label or --corpus.source"
        )


def _shown(text: str) -> str:
    """A text in quotes, cut if it is long."""
    return repr(text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]} ...")


def sequence_keys(sequences: Sequences) -> list[Key]:
    """Keys that equal sequences share which were asked for the same; noise is no question."""
    return keys_of(without_noise(sequences))
