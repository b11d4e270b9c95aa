"""The one door through which a model is sampled: questions, samples, all processes together.

Shapes: B sequences, T tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rollout import Policy, Sampler, Sequences, generate
from rollout.completion import policy_device
from rollout.graphs import Graphs
from rollout.sequences import map_tree

from ..data.prompts import NoPrompts, Prompt, Prompts
from ..models.generator import prompted
from .processes import Processes

__all__ = ["MOST_SAMPLES", "Samples", "draw"]

MOST_SAMPLES = 100_000
"""Samples to train on if their number follows that of the training sequences: as many as there are
would take hours to draw if those are millions."""

_NOTHING, _DEFAULT = NoPrompts(), Sampler()


@dataclass(frozen=True)
class Samples:
    """Samples of a policy.

    Attributes:
        sequences: the samples, with the condition that they were asked for.
        prompt: what they were asked for.
    """

    sequences: Sequences
    prompt: Prompt

    @property
    def chosen(self) -> Tensor:
        """Bool [B, T]: the tokens that the policy chose itself, those after the prefix."""
        mask, prefix = self.sequences.mask, self.prompt.prefix
        if prefix is None:
            return mask
        places = torch.arange(mask.shape[1], device=mask.device)
        return mask & (places >= prefix.lengths[:, None])


def draw(
    policy: Policy,
    count: int,
    rng: torch.Generator,
    prompts: Prompts = _NOTHING,
    *,
    sampler: Sampler = _DEFAULT,
    processes: Processes | None = None,
    graphs: Graphs | None = None,
) -> Samples:
    """Samples `count` sequences.

    Args:
        policy: the model.
        count: how many.
        rng: of the questions and of the answers; on the CPU.
        prompts: what it is asked for.
        sampler: temperature, top-k, top-p.
        processes: those that share the work: each samples its part, and all get the whole; None:
            this one does it alone.
        graphs: recordings of earlier draws, see `rollout.generate`.

    Raises:
        rollout.ConditionError: there is a condition, and the policy reads none.
    """
    prompt = _moved(prompted(policy, prompts).draw(count, rng), policy_device(policy))
    if processes is None or processes.count == 1:
        rows = slice(0, count)
    else:
        rows = processes.part(count).rows
    mine = generate(
        policy,
        rows.stop - rows.start,
        sampler=sampler,
        rng=rng,
        condition=map_tree(lambda each: each[rows], prompt.condition),
        prefix=None if prompt.prefix is None else prompt.prefix.select(rows),
        row_offset=rows.start,
        graphs=graphs,
    )
    whole = mine if processes is None else processes.whole(mine, count, prompt.condition)
    return Samples(whole, prompt)


def _moved(prompt: Prompt, device: torch.device) -> Prompt:
    """The same questions on a device."""
    return Prompt(
        map_tree(lambda each: each.to(device), prompt.condition),
        None if prompt.prefix is None else prompt.prefix.to(device),
        None if prompt.groups is None else prompt.groups.to(device),
    )
