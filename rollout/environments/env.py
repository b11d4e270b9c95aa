"""Emitting a sequence, token by token, as a gymnasium environment.

This is the other door to the rewards of this package: where `action_values` asks a policy of ours
what its tokens are worth, an environment lets any agent of any library act. ``import seqgan``
registers both environments as ``seqgan/TokenGeneration-v0``; the batched one is in `vector_env`.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

from ..rewards import Reward
from .rendering import RENDER_MODES, checked_render_mode, rendered, warn_of_no_mode
from .token_task import TokenTask

__all__ = ["TokenGenerationEnv"]


class TokenGenerationEnv(gymnasium.Env[dict[str, Any], Any]):
    """One episode is one sequence, one action its next token.

    **Action**: a token id, ``Discrete(vocab_size)``. ``info["action_mask"]`` (int8 [V]) has 1 for
    the legal ones, as ``action_space.sample(mask)`` wants it (`action_masks` is the same for
    sb3-contrib); one that is not allowed raises `IllegalTokenError`, or with `penalty` ends the
    episode. What is allowed is all but `forbidden`, and what `constraint` says of the prefix.

    **Observation**, a ``Dict``:

    - ``tokens``: int64 [max_length], a ``Box``: the prefix, then `pad_id`.
    - ``position``: number of tokens emitted so far, ``Discrete(max_length + 1)``.
    - ``last_token``: the last of them, before the first `bos_id`: ``Discrete``.
    - ``condition``: the number of the episode's condition, ``Discrete(K)``; only with `condition`.
    - ``features``: float32 [F], what `features` says of the prefix; only with `features`.

    The first three say the same to agents of three kinds, and libraries treat each as that kind
    needs. The prefix is a ``Box`` and not a ``MultiDiscrete``, since stable-baselines3 and others
    turn discrete spaces into one-hot vectors: 20 tokens of 5,000 ids would become 100,000 inputs,
    where a ``Box`` reaches a features extractor as ids, for an embedding of its own. Position and
    last token are ``Discrete`` for the same reason turned around: one-hot, they are what a
    library's default network learns from. A recurrent agent needs the last token alone. An
    algorithm that wants one array takes ``gymnasium.wrappers.FlattenObservation``.

    **End**: EOS is ``terminated``, the length limit ``truncated``, never both: EOS as the last
    token that fits is ``terminated``, as `Sequences.terminated` has it. Nothing comes after the
    length limit, though: a library that adds its estimate of the value "beyond" a truncation to
    the reward (stable-baselines3 does) is wrong to do so here, above all without EOS, where every
    sequence has `max_length` tokens. ``limit_terminates=True`` calls that end ``terminated`` too.

    **Reward**: 0 until the end, then the reward of the sequence. That of a reward with ``per_token
    = True`` is the sum over its tokens, which is the undiscounted return that
    `rollout.action_values` estimates. It is not paid token by token, since a reward is called on
    complete sequences. The values themselves come along at the end, as ``info["token_rewards"]``
    (float32 [max_length], 0 after the sequence's end), unless the reward has ``causal = False``:
    it judges a token by later ones, so only their sum is an agent's return.

    Nothing is random but the choice of a condition: ``reset(seed=...)`` seeds it, and
    ``reset(options={"condition": k})`` takes the k-th.

    Args:
        reward: judges complete sequences: ``reward(sequences) -> Tensor [B]``, or [B, T] with
            ``per_token = True``. Any of `rollout.rewards`, a mixture, or a function.
        vocab_size: number of token ids, 2 or more.
        max_length: the length limit in tokens, EOS counted.
        render_mode: None, "ansi" (`render` returns the prefix as text) or "rgb_array" (as a picture
            of a fixed size, uint8 [H, W, 3], which recorders and gymnasium's "human" mode need).
        **settings: `eos_id`, `bos_id`, `pad_id`, `forbidden`, `decode`, `condition`,
            `constraint`, `penalty`, `potential`, `features`, `limit_terminates`, `device`: see
            `TokenTask`.

    Raises:
        ValueError: an argument makes no sense; the message begins with its name.
    """

    metadata: dict[str, Any] = {"render_modes": list(RENDER_MODES), "render_fps": 4}

    def __init__(
        self,
        reward: Reward,
        vocab_size: int,
        max_length: int,
        *,
        render_mode: str | None = None,
        **settings: Any,
    ):
        self.task = TokenTask(reward, vocab_size, max_length, **settings)
        self.render_mode = checked_render_mode(render_mode)
        self.action_space = self.task.action_space
        self.observation_space = self.task.observation_space
        self._tokens = np.full(self.task.max_length, self.task.pad_id, dtype=np.int64)
        self._length = self._condition = 0
        self._running = False
        self._mask = self.task.allowed.astype(np.int8)
        self._potential = 0.0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Begins an empty sequence.

        Args:
            seed: of the conditions drawn from now on.
            options: {"condition": k} takes the k-th condition instead of a drawn one.
        """
        super().reset(seed=seed)
        chosen = self.task.chosen_condition(options)
        if chosen is None and self.task.num_conditions:
            chosen = int(self.np_random.integers(self.task.num_conditions))
        self._condition = chosen or 0
        self._tokens[:] = self.task.pad_id
        self._length = 0
        self._running = True
        self._look(over=False)
        return self._observation(), {"action_mask": self._mask.copy()}

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Emits one token.

        Raises:
            IllegalTokenError: the action is no token id, or one that is not allowed (unless that
                costs a penalty).
            gymnasium.error.ResetNeeded: the sequence has ended, or none has begun.
        """
        if not self._running:
            raise gymnasium.error.ResetNeeded("the sequence has ended: call reset() first")
        task, token = self.task, self.task.legal(action, self._mask)
        if token is None:
            assert task.penalty is not None
            self._running = False
            before = self._potential
            self._look(over=True)
            info = {"action_mask": self._mask.copy()}
            return self._observation(), task.penalty - before, True, False, info
        self._tokens[self._length] = token
        self._length += 1
        ended = token == task.eos_id
        full = not ended and self._length == task.max_length
        self._running = not (ended or full)
        before = self._potential
        self._look(over=not self._running)
        info = {"action_mask": self._mask.copy()}
        reward = self._potential - before
        if not self._running:
            total, values = task.score(
                self._tokens[None].copy(),
                np.array([self._length]),
                np.array([ended]),
                np.array([self._condition]),
            )
            reward += float(total[0])
            if values is not None:
                info["token_rewards"] = values[0]
        terminated = ended or (full and task.limit_terminates)
        return self._observation(), reward, terminated, full and not terminated, info

    def action_masks(self) -> np.ndarray:
        """The mask of the legal actions as bool [V]: sb3-contrib's MaskablePPO asks for it."""
        return self._mask.astype(bool)

    def render(self) -> str | np.ndarray | None:
        """The prefix as text or as a picture, as `render_mode` says."""
        if self.render_mode is None:
            warn_of_no_mode()
            return None
        return rendered(self.task.text(self._tokens, self._length), self.render_mode)

    def _look(self, over: bool) -> None:
        """Finds the mask and the potential of the prefix."""
        tokens, lengths = self._tokens[None], np.array([self._length])
        ended, condition = np.array([over]), np.array([self._condition])
        self._mask = self.task.masks(tokens, lengths, ended)[0]
        self._potential = float(self.task.potentials(tokens, lengths, condition, ended)[0])

    def _observation(self) -> dict[str, Any]:
        last = self._tokens[self._length - 1] if self._length else self.task.bos_id
        seen = {
            "last_token": np.int64(last),
            "position": np.int64(self._length),
            "tokens": self._tokens.copy(),
        }
        place = np.array([self._length]), np.array([self._condition])
        more = self.task.shown(self._tokens[None], *place)
        return {**seen, **{name: part[0] for name, part in more.items()}}
