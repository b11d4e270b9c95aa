"""The value of a prefix, by completions of it: a potential for dense rewards.

Shapes: N prefixes, R rollouts of each.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor

from .generate import generate
from .policy import Policy
from .rewards import Reward, reward_values
from .sampling import Sampler
from .sequences import Key, Sequences, keys_of

__all__ = ["PrefixValues"]

REMEMBERED = 1 << 17
"""Prefixes whose values are kept; the oldest go first."""
_DEFAULT = Sampler()


class PrefixValues:
    """``V(y_1..t) = E[R(y) | y_1..t]`` under a policy, estimated by rollouts.

    As the `potential` of an environment it pays each step the difference of two values (Ng, Harada
    and Russell 1999, "Policy invariance under reward transformations"), so that the reward of the
    sequence is heard of at every token. A prefix is completed when it is first asked for and has
    the same value from then on, so the returns are exact whatever the estimates are.

    Args:
        policy: completes the prefixes.
        reward: judges what is complete.
        num_rollouts: completions of each prefix.
        rng: of the completions; None: torch's default.
        sampler: temperature, top-k, top-p.

    Raises:
        ValueError: fewer than one rollout.
    """

    def __init__(
        self,
        policy: Policy,
        reward: Reward,
        num_rollouts: int,
        *,
        rng: torch.Generator | None = None,
        sampler: Sampler = _DEFAULT,
    ):
        if num_rollouts < 1:
            raise ValueError(f"num_rollouts must be 1 or more, got {num_rollouts}")
        self.policy, self.reward, self.num_rollouts = policy, reward, num_rollouts
        self.rng, self.sampler = rng, sampler
        self._known: OrderedDict[Key, float] = OrderedDict()

    def __call__(self, prefixes: Sequences) -> Tensor:
        """Values [N] of prefixes, float32; a prefix that is complete has its reward.

        Raises:
            RewardError: the reward fails.
            ConditionError: prefixes with a condition, and a policy that reads none.
        """
        keys = keys_of(prefixes)
        new = {key: row for row, key in reversed([*enumerate(keys)]) if key not in self._known}
        rows = sorted(new.values())
        if rows:
            found = self._estimated(prefixes.select(torch.tensor(rows, device=prefixes.device)))
            self._known.update(zip((keys[row] for row in rows), found, strict=True))
        values = [self._known[key] for key in keys]
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return torch.tensor(values, device=prefixes.device)

    def _estimated(self, prefixes: Sequences) -> list[float]:
        """Mean rewards of the completions of each prefix."""
        count, device = self.num_rollouts, prefixes.device
        every = torch.arange(len(prefixes), device=device).repeat_interleave(count)
        begun = prefixes.select(every)
        whole = generate(
            self.policy, len(begun), prefix=begun, condition=begun.condition, rng=self.rng,
            sampler=self.sampler,
        )  # fmt: skip
        values = reward_values(self.reward, whole)
        total = values if values.ndim == 1 else values.sum(1)
        means: list[float] = total.view(len(prefixes), count).mean(1).tolist()
        return means
