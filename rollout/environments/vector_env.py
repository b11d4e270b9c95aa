"""Many sequences at once: the batched form of `TokenGenerationEnv`.

Step by step it says what N single environments in a ``gymnasium.vector.SyncVectorEnv`` say, in
every autoreset mode. It keeps the N prefixes in one array, and all sequences that end in the same
step are judged in one call of the reward, which is where the time goes.

Shapes: N environments, T = max_length tokens, V vocabulary.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from ..rewards import Reward
from .env import TokenGenerationEnv
from .rendering import checked_render_mode, rendered, warn_of_no_mode
from .token_task import IllegalTokenError, TokenTask, checked_integer

__all__ = ["TokenGenerationVectorEnv"]


class TokenGenerationVectorEnv(VectorEnv[dict[str, Any], np.ndarray, np.ndarray]):
    """N environments `TokenGenerationEnv` that step together.

    Spaces are those of the single environment, batched: an action is int64 [N], the observation's
    ``tokens`` are int64 [N, T], its other parts int64 [N], ``info["action_mask"]`` is int8 [N, V].

    What happens after an end is stated in ``metadata["autoreset_mode"]``:

    - ``AutoresetMode.NEXT_STEP`` (the default): the step of the end shows the finished sequence,
      and the next step begins a new one: its action is ignored, its reward is 0. It is the default
      because it is gymnasium's: the same code then means the same with ``vectorization_mode``
      "sync", "async" and "vector_entry_point", and gymnasium's vector wrappers for observations
      take no other. A learner must leave the ignored actions out of its losses.
    - ``AutoresetMode.SAME_STEP``: the step of the end shows the new sequence's beginning, and the
      finished one as ``info["final_obs"]`` and ``info["final_info"]``; no action is ignored.
    - ``AutoresetMode.DISABLED``: the caller resets, all or those in
      ``reset(options={"reset_mask": bool [N]})``, before the next step.

    A reward must not depend on the other sequences of its batch (the contract of all rewards);
    a network's may still differ by its rounding from that of a single environment.

    Args:
        reward: judges complete sequences.
        vocab_size: V, number of token ids, 2 or more.
        max_length: T, the length limit in tokens, EOS counted.
        num_envs: N.
        render_mode: None, "ansi" or "rgb_array": `render` returns each prefix as text or picture.
        autoreset_mode: a mode, or its value: "NextStep", "SameStep", "Disabled".
        **settings: as for `TokenGenerationEnv`.

    Raises:
        ValueError: an argument makes no sense; the message begins with its name.
    """

    metadata: dict[str, Any] = {
        **TokenGenerationEnv.metadata,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        reward: Reward,
        vocab_size: int,
        max_length: int,
        *,
        num_envs: int = 1,
        render_mode: str | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        **settings: Any,
    ):
        try:
            self.autoreset_mode = AutoresetMode(autoreset_mode)
        except ValueError:
            modes = ", ".join(mode.value for mode in AutoresetMode)
            raise ValueError(
                f"autoreset_mode must be one of {modes}, got {autoreset_mode!r}"
            ) from None
        self.metadata = {**self.metadata, "autoreset_mode": self.autoreset_mode}
        self.render_mode = checked_render_mode(render_mode)
        self.task = task = TokenTask(reward, vocab_size, max_length, **settings)
        self.num_envs = num_envs = checked_integer("num_envs", num_envs, 1)
        self.single_action_space = task.action_space
        self.single_observation_space = task.observation_space
        self.action_space = batch_space(task.action_space, num_envs)
        self.observation_space = batch_space(task.observation_space, num_envs)
        self._tokens = np.full((num_envs, task.max_length), task.pad_id, dtype=np.int64)
        self._lengths = np.zeros(num_envs, dtype=np.int64)
        self._last = np.full(num_envs, task.bos_id, dtype=np.int64)
        self._conditions = np.zeros(num_envs, dtype=np.int64)
        self._over = np.zeros(num_envs, dtype=bool)
        self._begun = np.zeros(num_envs, dtype=bool)
        self._masks = np.tile(task.allowed.astype(np.int8), (num_envs, 1))
        self._potentials = np.zeros(num_envs)
        self._generators: list[np.random.Generator | None] = [None] * num_envs

    def reset(
        self,
        *,
        seed: int | list[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Begins new sequences.

        Args:
            seed: of the conditions drawn from now on: one number (environment i gets seed + i), or
                one for each environment.
            options: {"condition": k} takes the k-th condition in all; {"reset_mask": bool [N]}
                leaves the environments where it is False as they are.

        Raises:
            ValueError: not as many seeds or masks as environments.
        """
        mask = self._reset_mask(options)
        seeds = [seed + i for i in range(self.num_envs)] if isinstance(seed, int) else seed
        if seeds is not None:
            if len(seeds) != self.num_envs:
                raise ValueError(f"seed must hold {self.num_envs} seeds, got {len(seeds)}")
            super().reset(seed=seeds[0])
        for i, own in enumerate(seeds or ()):
            # Generators take time to make, and only conditions are drawn.
            if mask[i] and own is not None and self.task.num_conditions:
                self._generators[i] = seeding.np_random(own)[0]
        self._begin(mask, self.task.chosen_condition(options))
        self._begun |= mask
        self._look()
        return self._observation(), self._infos(mask)

    def step(
        self, actions: Any
    ) -> tuple[dict[str, Any], np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Emits one token in every environment.

        Raises:
            IllegalTokenError: an action is no token id, or a forbidden one; nothing was emitted.
            gymnasium.error.ResetNeeded: no sequence has begun, or one has ended and autoreset is
                disabled.
        """
        disabled = self.autoreset_mode is AutoresetMode.DISABLED
        if not self._begun.all() or (disabled and self._over.any()):
            raise gymnasium.error.ResetNeeded("a sequence has ended: call reset() first")
        acting = ~self._over
        emitted, fined = self._legal(actions, acting)
        rows = np.flatnonzero(acting & ~fined)
        self._tokens[rows, self._lengths[rows]] = emitted[rows]
        self._lengths[rows] += 1
        self._last[rows] = emitted[rows]
        self._begin(~acting)
        eos = -1 if self.task.eos_id is None else self.task.eos_id
        ended = acting & ~fined & (emitted == eos)
        full = acting & ~fined & ~ended & (self._lengths == self.task.max_length)
        self._over = ended | full | fined
        before = np.where(acting, self._potentials, 0.0)
        self._look()
        rewards = np.where(acting, self._potentials - before, 0.0)
        infos = self._infos(np.ones(self.num_envs, dtype=bool))
        if self._over.any():
            self._finish(self._over.copy(), ended, fined, rewards, infos)
        ended = ended | fined
        if self.task.limit_terminates:
            return self._observation(), rewards, ended | full, np.zeros_like(full), infos
        return self._observation(), rewards, ended, full, infos

    def render(self) -> tuple[str | np.ndarray, ...] | None:
        """Each prefix as text or as a picture, as `render_mode` says."""
        if self.render_mode is None:
            warn_of_no_mode()
            return None
        texts = (
            self.task.text(tokens, int(length))
            for tokens, length in zip(self._tokens, self._lengths, strict=True)
        )
        return tuple(rendered(text, self.render_mode) for text in texts)

    def _finish(
        self,
        over: np.ndarray,
        ended: np.ndarray,
        fined: np.ndarray,
        rewards: np.ndarray,
        infos: dict[str, Any],
    ) -> None:
        """Judges the sequences that are `over` [N]; fills in `rewards` [N] and `infos`."""
        if fined.any():
            assert self.task.penalty is not None
            rewards[fined] += self.task.penalty
        rows, values = np.flatnonzero(over & ~fined), None
        if len(rows):
            total, values = self.task.score(
                self._tokens[rows], self._lengths[rows], ended[rows], self._conditions[rows]
            )
            rewards[rows] += total
        same_step = self.autoreset_mode is AutoresetMode.SAME_STEP
        about_the_end = self._infos(over) if same_step else infos
        if values is not None:
            spread = np.zeros((self.num_envs, values.shape[1]), dtype=values.dtype)
            spread[rows] = values
            about_the_end |= {"token_rewards": spread, "_token_rewards": over & ~fined}
        if not same_step:
            return
        seen = self._observation()
        last = np.full(self.num_envs, None, dtype=object)
        for i in np.flatnonzero(over):
            last[i] = {name: part[i] for name, part in seen.items()}
        infos |= {"final_obs": last, "_final_obs": over.copy()}
        infos |= {"final_info": about_the_end, "_final_info": over.copy()}
        self._begin(over)
        self._look_at(np.flatnonzero(over))
        infos |= self._infos(np.ones(self.num_envs, dtype=bool))

    def _begin(self, mask: np.ndarray, condition: int | None = None) -> None:
        """Empty sequences where `mask` [N] is True, with a given or a drawn condition."""
        if not mask.any():
            return
        self._tokens[mask] = self.task.pad_id
        self._lengths[mask] = 0
        self._last[mask] = self.task.bos_id
        self._over[mask] = False
        self._conditions[mask] = condition or 0
        if condition is None and self.task.num_conditions:
            for i in np.flatnonzero(mask):
                generator = self._generators[i] or seeding.np_random()[0]
                self._generators[i] = generator
                self._conditions[i] = generator.integers(self.task.num_conditions)

    def _look(self) -> None:
        """Finds the masks and the potentials of the prefixes."""
        self._masks = self.task.masks(self._tokens, self._lengths, self._over)
        self._potentials = self.task.potentials(
            self._tokens, self._lengths, self._conditions, self._over
        )

    def _look_at(self, rows: np.ndarray) -> None:
        """As `_look`, of the environments `rows` alone: nothing else is asked about again."""
        tokens, lengths, over = self._tokens[rows], self._lengths[rows], self._over[rows]
        if self.task.constraint is not None:
            masks = np.array(self._masks)
            masks[rows] = self.task.masks(tokens, lengths, over)
            self._masks = masks
        self._potentials[rows] = self.task.potentials(tokens, lengths, self._conditions[rows], over)

    def _legal(self, actions: Any, acting: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The actions as int64 [N], checked where `acting` [N] is True, and who pays a penalty."""
        tokens = np.asarray(actions)
        if tokens.shape != (self.num_envs,) or not np.issubdtype(tokens.dtype, np.integer):
            raise IllegalTokenError(
                f"actions must be {self.num_envs} integers, got {tokens.dtype} {list(tokens.shape)}"
            )
        inside = (tokens >= 0) & (tokens < self.task.vocab_size)
        good = inside & (self._masks[np.arange(self.num_envs), np.where(inside, tokens, 0)] != 0)
        fined = acting & ~good
        for i in np.flatnonzero(fined):
            try:
                self.task.legal(tokens[i], self._masks[i])
            except IllegalTokenError as error:
                raise IllegalTokenError(f"environment {i}: {error}") from None
        return tokens.astype(np.int64), fined

    def _observation(self) -> dict[str, Any]:
        seen = {
            "last_token": self._last.copy(),
            "position": self._lengths.copy(),
            "tokens": self._tokens.copy(),
        }
        return {**seen, **self.task.shown(self._tokens, self._lengths, self._conditions)}

    def _infos(self, mask: np.ndarray) -> dict[str, Any]:
        """The info of the environments where `mask` [N] is True, as gymnasium batches it."""
        masks = self._masks.copy()
        masks[~mask] = 0
        return {"action_mask": masks, "_action_mask": mask.copy()}

    def _reset_mask(self, options: dict[str, Any] | None) -> np.ndarray:
        mask = (options or {}).get("reset_mask")
        if mask is None:
            return np.ones(self.num_envs, dtype=bool)
        if not isinstance(mask, np.ndarray) or mask.dtype != bool or mask.shape != (self.num_envs,):
            raise ValueError(f"options['reset_mask'] must be a bool array [{self.num_envs}]")
        return mask
