"""The rules of emitting one sequence of tokens, shared by the single and the batched environment.

Shapes: B sequences, T = max_length tokens, V vocabulary, K conditions.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor
from torch.utils._pytree import tree_leaves

from ..constraints import Constraint, allowed_after
from ..rewards import Reward, reward_values
from ..sequences import Sequences, select_tree

__all__ = ["IllegalTokenError", "TokenTask", "checked_integer"]


class IllegalTokenError(gymnasium.error.InvalidAction, ValueError):
    """An action that is no token id, or one that is forbidden."""


class TokenTask:
    """Rules of the environments: legal actions, observations, rewards. No state of an episode.

    Args:
        reward: judges complete sequences: ``reward(sequences) -> Tensor [B]``, or [B, T] with
            ``per_token = True``.
        vocab_size: V, number of token ids, 2 or more.
        max_length: T, the length limit in tokens, EOS counted.
        eos_id: the id that ends a sequence; None: all sequences have `max_length` tokens.
        bos_id: what is seen as the last token before there is one; it may be an id of its own
            (V, say) or one of the tokens.
        pad_id: what fills the prefix up to `max_length`; it may be an id of its own or a token,
            since the position tells what is padding.
        forbidden: ids that must not be emitted; BOS and PAD where they are not tokens.
        decode: turns the ids of a prefix (EOS left out) into text, for ``render``.
        condition: what `Sequences.condition` of a finished sequence holds: a pytree of tensors
            with first dimension K. Every episode draws one of the K rows.
        constraint: ``constraint(prefixes) -> bool [N, V]``, the tokens that may follow each of N
            prefixes (lists of ids), as of `rollout.ConstrainedPolicy`; None: all but `forbidden`.
        penalty: an action that is not allowed ends the episode with this reward, for agents that
            know no masks; None: it is an error.
        potential: ``potential(prefixes: Sequences) -> [B]``: each step is paid by how much the
            potential of the prefix rises, ``phi(s') - phi(s)`` with phi 0 at the end (Ng et al.
            1999), which changes no agent's best policy; None: nothing before the end.
        features: ``features(prefixes: Sequences) -> Tensor [B, F]``: what observations show of the
            prefix besides, such as a policy's hidden state; None: nothing.
        limit_terminates: call the length limit an end of the task (``terminated``) instead of a
            cut from outside (``truncated``).
        device: where the sequences lie that the reward gets.

    Attributes:
        observation_space: see `TokenGenerationEnv`.
        action_space: ``Discrete(vocab_size)``.
        allowed: bool [V], False for the forbidden ids.

    Raises:
        ValueError: an argument makes no sense; the message begins with its name.
    """

    def __init__(
        self,
        reward: Reward,
        vocab_size: int,
        max_length: int,
        *,
        eos_id: int | None = None,
        bos_id: int = 0,
        pad_id: int = 0,
        forbidden: Iterable[int] = (),
        decode: Callable[[list[int]], str] | None = None,
        condition: Any = None,
        constraint: Constraint | None = None,
        penalty: float | None = None,
        potential: Callable[[Sequences], Tensor] | None = None,
        features: Callable[[Sequences], Tensor] | None = None,
        limit_terminates: bool = False,
        device: torch.device | str = "cpu",
    ):
        optional = (("decode", decode), ("constraint", constraint), ("potential", potential),
                    ("features", features))  # fmt: skip
        for name, function in (("reward", reward), *optional):
            if not callable(function) and (name == "reward" or function is not None):
                raise ValueError(f"{name} must be a callable, got {function!r}")
        self.reward, self.decode = reward, decode
        self.constraint, self.penalty = constraint, penalty
        self.potential, self.features = potential, features
        self.vocab_size = checked_integer("vocab_size", vocab_size, 2)
        self.max_length = checked_integer("max_length", max_length, 1)
        self.bos_id = checked_integer("bos_id", bos_id, 0)
        self.pad_id = checked_integer("pad_id", pad_id, 0)
        self.eos_id = eos_id if eos_id is None else self._id("eos_id", eos_id)
        self.allowed = self._allowed(forbidden)
        self.condition, self.num_conditions = condition, _rows("condition", condition)
        self.limit_terminates = bool(limit_terminates)
        self.device = torch.device(device)
        self.action_space = spaces.Discrete(self.vocab_size)
        self.observation_space = self._observation_space()

    def legal(self, action: Any, mask: np.ndarray) -> int | None:
        """The token id that an action is; None: it is not allowed, and costs a penalty.

        Args:
            action: of an agent.
            mask: int8 [V], the tokens that may follow the prefix.

        Raises:
            IllegalTokenError: it is no id, outside the vocabulary, or forbidden.
        """
        try:
            token = operator.index(action)
        except TypeError:
            raise IllegalTokenError(f"an action is one token id, got {action!r}") from None
        if not 0 <= token < self.vocab_size:
            raise IllegalTokenError(f"action {token} is not in 0 .. {self.vocab_size - 1}")
        if not mask[token]:
            if self.penalty is not None:
                return None
            ids = ", ".join(str(i) for i in np.flatnonzero(mask == 0)[:10])
            more = ", ..." if (mask == 0).sum() > 10 else ""
            raise IllegalTokenError(
                f"action {token} is forbidden (as are {ids}{more}): "
                "choose where info['action_mask'] is 1"
            )
        return token

    def masks(self, tokens: np.ndarray, lengths: np.ndarray, over: np.ndarray) -> np.ndarray:
        """Masks int8 [N, V], read-only: 1 for a legal action, as ``Discrete.sample`` wants it.

        Args:
            tokens: int64 [N, T], the prefixes.
            lengths: int64 [N].
            over: bool [N], the sequences that have ended: no constraint is asked about them.
        """
        masks = np.broadcast_to(self.allowed.view(np.int8), (len(tokens), self.vocab_size))
        rows = np.flatnonzero(~over)
        if self.constraint is None or len(rows) == 0:
            return masks
        masks = masks.copy()
        prefixes = [tokens[i, : lengths[i]].tolist() for i in rows]
        found = allowed_after(self.constraint, prefixes, self.vocab_size).numpy()
        masks[rows] &= found.astype(np.int8)
        if not masks[rows].any(1).all():
            dead = prefixes[int(np.flatnonzero(~masks[rows].any(1))[0])]
            raise ValueError(f"constraint and forbidden leave no token after {dead}")
        return masks

    def potentials(
        self, tokens: np.ndarray, lengths: np.ndarray, conditions: np.ndarray, over: np.ndarray
    ) -> np.ndarray:
        """Potentials [N] of prefixes; 0 for those that are over, and without a potential."""
        found, rows = np.zeros(len(tokens)), np.flatnonzero(~over)
        if self.potential is None or len(rows) == 0:
            return found
        prefixes = self._sequences(tokens[rows], lengths[rows], None, conditions[rows])
        with torch.no_grad():
            values = self.potential(prefixes)
        if values.shape != (len(rows),) or not bool(values.isfinite().all()):
            raise ValueError(f"potential must return {len(rows)} finite numbers, got {values}")
        found[rows] = values.cpu().double().numpy()
        return found

    def shown(
        self, tokens: np.ndarray, lengths: np.ndarray, conditions: np.ndarray
    ) -> dict[str, np.ndarray]:
        """Parts of an observation that not every task has: conditions [N], features [N, F]."""
        seen = {}
        if self.num_conditions:
            seen["condition"] = conditions.copy()
        if self.features is not None:
            with torch.no_grad():
                found = self.features(self._sequences(tokens, lengths, None, conditions))
            if found.ndim != 2 or len(found) != len(tokens):
                raise ValueError(
                    f"features must return a number for each of {len(tokens)} prefixes and "
                    f"feature, [{len(tokens)}, F], got {list(found.shape)}"
                )
            seen["features"] = found.float().cpu().numpy()
        return seen

    def score(
        self,
        tokens: np.ndarray,
        lengths: np.ndarray,
        terminated: np.ndarray,
        conditions: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Judges finished sequences in one call of the reward.

        Args:
            tokens: int64 [B, T], padded.
            lengths: int64 [B].
            terminated: bool [B], whether EOS was emitted.
            conditions: int64 [B], rows of `condition`.

        Returns:
            The reward of each sequence, float64 [B], and where the reward judges every token its
            values, float32 [B, T], of which the first is the sum; else None.
        """
        sequences = self._sequences(tokens, lengths, terminated, conditions)
        values = reward_values(self.reward, sequences).cpu().numpy()
        if values.ndim == 1:
            return values.astype(np.float64), None
        return values.astype(np.float64).sum(1), values

    def text(self, tokens: np.ndarray, length: int) -> str:
        """The first `length` of `tokens` [T] as `render` shows them."""
        ids = tokens[:length].tolist()
        if ids and ids[-1] == self.eos_id:
            ids = ids[:-1]
        return " ".join(str(i) for i in ids) if self.decode is None else self.decode(ids)

    def chosen_condition(self, options: dict[str, Any] | None) -> int | None:
        """The row of `condition` that the options of a reset ask for; None: draw one.

        Raises:
            ValueError: there is no such row.
        """
        if options is None or options.get("condition") is None:
            return None
        chosen = checked_integer("options['condition']", options["condition"], 0)
        if chosen >= self.num_conditions:
            raise ValueError(
                f"options['condition'] must be below {self.num_conditions}, the number of "
                f"conditions, got {chosen}"
            )
        return chosen

    def _observation_space(self) -> spaces.Dict:
        highest = max(self.vocab_size - 1, self.pad_id)
        seen: dict[str, spaces.Space[Any]] = {
            "last_token": spaces.Discrete(max(self.vocab_size, self.bos_id + 1)),
            "position": spaces.Discrete(self.max_length + 1),
            "tokens": spaces.Box(0, highest, (self.max_length,), np.int64),
        }
        if self.num_conditions:
            seen["condition"] = spaces.Discrete(self.num_conditions)
        if self.features is not None:
            empty = np.full((1, self.max_length), self.pad_id), np.zeros(1, int), np.zeros(1, int)
            size = self.shown(*empty)["features"].shape[1]
            seen["features"] = spaces.Box(-np.inf, np.inf, (size,), np.float32)
        return spaces.Dict(seen)

    def _sequences(
        self,
        tokens: np.ndarray,
        lengths: np.ndarray,
        terminated: np.ndarray | None,
        conditions: np.ndarray,
    ) -> Sequences:
        """Arrays of an environment as the sequences that a reward gets; they are copied."""
        condition = None
        if self.condition is not None:
            condition = select_tree(self.condition, torch.from_numpy(conditions))
        ended = None if terminated is None else torch.from_numpy(terminated)
        return Sequences(torch.tensor(tokens), torch.tensor(lengths), ended, condition).to(
            self.device
        )

    def _id(self, name: str, value: Any) -> int:
        token = checked_integer(name, value, 0)
        if token >= self.vocab_size:
            raise ValueError(f"{name} must be below vocab_size = {self.vocab_size}, got {token}")
        return token

    def _allowed(self, forbidden: Iterable[int]) -> np.ndarray:
        allowed = np.ones(self.vocab_size, dtype=bool)
        for token in forbidden:
            allowed[self._id("forbidden", token)] = False
        if not allowed.any():
            raise ValueError(f"forbidden leaves none of the {self.vocab_size} token ids")
        if self.eos_id is not None and not allowed[self.eos_id]:
            raise ValueError(
                f"forbidden holds eos_id = {self.eos_id}: no sequence could end; give eos_id=None "
                "where all sequences have max_length tokens"
            )
        return allowed


def checked_integer(name: str, value: Any, least: int) -> int:
    """`value` as a Python integer of at least `least`."""
    try:
        number = operator.index(value)
    except TypeError:
        raise ValueError(f"{name} must be an integer, got {value!r}") from None
    if isinstance(value, bool) or number < least:
        raise ValueError(f"{name} must be an integer of at least {least}, got {value!r}")
    return number


def _rows(name: str, tree: Any) -> int:
    """K, the first dimension of all tensors of a pytree; 0 for None."""
    if tree is None:
        return 0
    leaves = [leaf for leaf in tree_leaves(tree) if leaf is not None]
    sizes = {leaf.shape[0] if isinstance(leaf, Tensor) and leaf.ndim else 0 for leaf in leaves}
    if len(sizes) != 1 or 0 in sizes:
        raise ValueError(f"{name} must be a pytree of tensors with the same first dimension")
    return sizes.pop()
