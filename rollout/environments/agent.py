"""A policy of ours acting in an environment, one token a step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..completion import policy_device
from ..modules import evaluating
from ..policy import Policy, State
from ..randomness import UniformStream
from ..sampling import Sampler
from ..sequences import select_tree

__all__ = ["PolicyAgent"]

_DEFAULT = Sampler()


class PolicyAgent:
    """Acts in `TokenGenerationEnv` or `TokenGenerationVectorEnv` as a policy would generate.

    It keeps the policy's state of every environment, one `Policy.step` an action, and begins
    anew wherever an observation does, so that it works with every autoreset mode. It has to see
    every observation in turn. Its episodes are distributed as `generate`'s sequences are.

    Args:
        policy: what predicts the next token; used in evaluation mode (no dropout).
        sampler: temperature, top-k, top-p.
        rng: the source of randomness (one number per action is drawn from it); None: torch's
            default.
        condition: the environment's own `condition`, for a policy that takes one.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        sampler: Sampler = _DEFAULT,
        rng: torch.Generator | None = None,
        condition: Any = None,
    ):
        self.policy, self.sampler, self.rng = policy, sampler, rng
        self.condition = condition
        self._state: State = None
        self._expected: Tensor | None = None

    @torch.no_grad()
    def act(
        self, observation: Mapping[str, Any], action_mask: np.ndarray | None = None
    ) -> int | np.ndarray:
        """The next token after an observation.

        Args:
            observation: of a single environment or of N.
            action_mask: ``info["action_mask"]``, [V] or [N, V]: tokens where it is 0 are not drawn,
                which the policy may otherwise not know.

        Returns:
            A token id, or int64 [N].

        Raises:
            ValueError: an observation is not the one after the last it has seen.
        """
        device = policy_device(self.policy)
        positions = torch.from_numpy(np.atleast_1d(observation["position"])).to(device)
        last = torch.from_numpy(np.atleast_1d(observation["last_token"])).to(device)
        # A full sequence is over and its action ignored: the policy need not look beyond its end.
        fresh = (positions == 0) | (positions >= self.policy.max_length)
        self._follow(positions, fresh)
        with evaluating(self.policy):
            self._renew(fresh, observation.get("condition"))
            last = torch.where(fresh, self.policy.bos_id, last)
            logits, self._state = self.policy.step(last, self._state)
        if action_mask is not None:
            allowed = torch.from_numpy(np.atleast_2d(action_mask)).to(device) != 0
            logits = logits.masked_fill(~allowed, -torch.inf)
        stream = UniformStream(self.rng, device)
        uniforms = stream.uniforms(stream.rows(torch.arange(len(last), device=device)), 0)
        tokens = self.sampler.sample(logits, uniforms).cpu().numpy()
        return tokens if np.ndim(observation["position"]) else int(tokens[0])

    def _follow(self, positions: Tensor, fresh: Tensor) -> None:
        """Makes sure that the states kept are those of the observation's prefixes."""
        expected = self._expected
        if expected is None or len(expected) != len(positions):
            expected = torch.full_like(positions, -1)
        lost = ~fresh & (positions != expected)
        if lost.any():
            raise ValueError(
                f"PolicyAgent is at position {int(positions[lost][0])} of a sequence whose "
                "beginning it has not seen: it must act on every observation in turn"
            )
        self._expected = torch.where(fresh, 0, positions) + 1

    def _renew(self, fresh: Tensor, conditions: Any) -> None:
        """Initial states for the rows that are `fresh` [N]."""
        if not fresh.any():
            return
        rows = fresh.nonzero()[:, 0]
        condition = None
        if self.condition is not None:
            chosen = torch.from_numpy(np.atleast_1d(conditions)).to(rows.device)[rows]
            condition = select_tree(self.condition, chosen)
        begun = self.policy.initial_state(len(rows), condition)
        if len(rows) == len(fresh):
            self._state = begun
            return
        places = torch.arange(len(fresh), device=rows.device)
        places[rows] = len(fresh) + torch.arange(len(rows), device=rows.device)
        self._state = self.policy.select(self.policy.concat([self._state, begun]), places)
