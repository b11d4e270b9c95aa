"""A policy whose steps go through `torch.compile`.

Compiling pays where a step is many small operations on a GPU, which spends its time launching them.
On a CPU a step of a recurrent policy is one large matrix product, and `seqgan-bench speed` finds
nothing to gain.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from .completion import policy_device
from .memory import is_out_of_memory
from .policy import Policy, State, TokenScores
from .sequences import Sequences
from .wrapped import WrappedPolicy

__all__ = ["CompiledPolicy"]


def warn_of_plain_steps(reason: str) -> None:
    """What follows where a policy cannot be compiled, unless the caller takes care of it."""
    warnings.warn(f"the policy runs uncompiled: {reason}", RuntimeWarning, stacklevel=4)


class CompiledPolicy(WrappedPolicy):
    """The same policy, its `step` compiled when it is first taken.

    Where that fails (no compiler for the device, an operation that is not supported), the policy
    goes on uncompiled. Results are those of the policy up to the rounding of its logits.

    Args:
        policy: the policy behind it. Its parameters may change in place, and are not copied.
        graphs: on a CUDA device replay each step as one CUDA graph, recorded once for every number
            of rows; it pays where numbers of rows come again (no EOS, or ``compact_every=0``).
        on_failure: called once with the reason where it cannot be compiled; by default it warns.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        graphs: bool = False,
        on_failure: Callable[[str], None] = warn_of_plain_steps,
    ):
        super().__init__(policy)
        self._graphs = graphs and policy_device(policy).type == "cuda"
        self._on_failure = on_failure
        mode = "reduce-overhead" if self._graphs else None
        self._compiled: Callable[..., Any] | None = torch.compile(
            policy.step, dynamic=True, mode=mode
        )

    def step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Logits [R, V] after one more token, and the new state."""
        if self._compiled is None:
            return self.policy.step(tokens, state)
        try:
            if not self._graphs:
                return self._compiled(tokens, state)
            torch.compiler.cudagraph_mark_step_begin()
            # The graph writes its next results to the same memory.
            return tree_map(_own, self._compiled(tokens, state))
        except Exception as error:  # a fault of the policy's own comes up again, uncompiled
            if is_out_of_memory(error):
                raise
            self._compiled = None
            reason = f"{type(error).__name__}: {error}"
        self._on_failure(reason.strip().splitlines()[0])
        return self.policy.step(tokens, state)

    def logits(self, sequences: Sequences) -> Tensor:
        """Logits [B, T, V] of the policy behind it."""
        return self.policy.logits(sequences)

    def forward(self, sequences: Sequences) -> TokenScores:
        """Log-probability and entropy [B, T] by the policy behind it."""
        return self.policy(sequences)


def _own(value: Any) -> Any:
    return value.clone() if isinstance(value, Tensor) else value
