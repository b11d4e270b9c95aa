"""A policy whose products are of 16 bits, for samples and rollouts."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch
from torch import Tensor

from .devices import autocast
from .policy import Policy, Prefixes, State, WrappedPolicy
from .sampling import Sampler
from .sequences import Sequences

__all__ = ["MixedPrecision"]


class MixedPrecision(WrappedPolicy):
    """A policy that predicts in 16 bits, on devices with mixed precision.

    Parameters and sums stay in 32 bits. Logits are rounded, so it is a slightly other distribution:
    what is drawn from it is not drawn from the policy behind it to the last digit. A discriminator
    that judges the samples is not touched. Two of them are equal if they stand in front of the same
    policy, so that recordings know them again.

    Args:
        policy: the policy behind it.
        dtype: bfloat16 or float16.
    """

    def __init__(self, policy: Policy, dtype: torch.dtype = torch.bfloat16):
        super().__init__(policy)
        self.dtype = dtype

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MixedPrecision):
            return NotImplemented
        return other.policy is self.policy and other.dtype == self.dtype

    def __hash__(self) -> int:
        return hash((id(self.policy), self.dtype))

    def step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Logits [R, V] and the new state."""
        with autocast(tokens.device, self.dtype):
            return self.policy.step(tokens, state)

    def sample_next(
        self, tokens: Tensor, state: State, uniforms: Tensor, sampler: Sampler
    ) -> tuple[Tensor, State]:
        """Tokens [R] or [R, N] and the new state, drawn as the policy behind it draws them."""
        with autocast(tokens.device, self.dtype):
            return self.policy.sample_next(tokens, state, uniforms, sampler)

    def drawing(self, device: torch.device) -> AbstractContextManager[None]:
        """One region of mixed precision around all steps: it rounds trained weights once."""
        return autocast(device, self.dtype)

    def prefix_states(self, sequences: Sequences) -> Prefixes:
        """The states after every prefix."""
        with autocast(sequences.device, self.dtype):
            return self.policy.prefix_states(sequences)

    def logits(self, sequences: Sequences) -> Tensor:
        """Logits [B, T, V]."""
        with autocast(sequences.device, self.dtype):
            return self.policy.logits(sequences)
