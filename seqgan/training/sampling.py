"""Samples and their rewards: the one door through which a model is sampled, and the one judge.

All processes work together: each samples and judges its part, and all get the whole.

Shapes: B sequences, T tokens, K terms.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

import rollout
from rollout import Policy, Sampler, Sequences, generate
from rollout.completion import policy_device
from rollout.graphs import Graphs
from rollout.rewards import checked_values, reward_values
from rollout.sequences import map_tree

from ..data.prompts import NoPrompts, Prompt, Prompts
from ..errors import RewardError
from ..models.generator import prompted
from ..rewards.stages import Stages
from ..rewards.terms import Terms, mean_and_spread, of_sequences
from ..runs.state import Stateful
from .players import Materials
from .processes import Part, Processes

__all__ = ["MOST_SAMPLES", "Judge", "Judged", "Samples", "draw", "spread_over"]

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


@dataclass(frozen=True)
class Judged:
    """The reward of a batch.

    Attributes:
        mine: of this process's part: [rows], or [rows, T] of a reward per token.
        scores: of all sequences [B].
        each: for each term its values [B], not shaped nor weighted, NaN where it abstains; empty
            for a reward without terms.
    """

    mine: Tensor
    scores: Tensor
    each: Mapping[str, Tensor]

    def figures(self) -> dict[str, Tensor]:
        """Means and spreads for the log."""
        figures = {"mean_reward": self.scores.mean()}
        for name, found in self.each.items():
            mean, deviation = mean_and_spread(found)
            figures |= {f"reward_{name}": mean, f"reward_{name}_sd": deviation}
        return figures


class Judge:
    """The reward of a run with its budget, its stages and its table of samples.

    Args:
        materials: of the player.

    Attributes:
        reward: the reward now.
        calls: sequences that were judged, in all processes.
    """

    def __init__(self, materials: Materials):
        self.runtime, self.reward = materials.runtime, materials.reward
        self.stages, self.table = materials.stages, materials.table
        self.budget, self.calls = materials.calls, 0

    @property
    def stage(self) -> int:
        """The number of the stage now, from 1."""
        return 1 if self.stages is None else self.stages.number + 1

    @property
    def settled(self) -> bool:
        """Tells if the reward is the last one."""
        return self.stages is None or self.stages.ended

    @property
    def done(self) -> bool:
        """Tells if as many sequences were judged as may be."""
        return 0 < self.budget <= self.calls

    def affordable(self, count: int, *, again: bool = True) -> int:
        """The number of sequences, at most `count`, that the budget allows to judge once.

        Args:
            count: wished for.
            again: they were judged already, before any other; otherwise what was judged so far is
                taken off.
        """
        if not self.budget:
            return count
        left = self.budget if again else self.budget - self.calls
        return min(count, max(1, left))

    def __call__(
        self, whole: Sequences, part: Part, mine: Sequences, *, measures: bool = True
    ) -> Judged:
        """Judges a batch: each process its rows, once.

        Args:
            whole: B sequences.
            part: of this process.
            mine: its rows of them.
            measures: the shape "standardise" goes by mean and spread of these sequences from now
                on; otherwise they are judged by those that it goes by already.

        Raises:
            RewardError: the reward fails in one of the processes; the state is saved.
        """
        gather = self.runtime.processes.gather
        if not isinstance(self.reward, Terms):
            with self.together():
                values = reward_values(self.reward, mine)
            return Judged(values, gather(of_sequences(values), part), {})
        with self.together():
            found = self.reward.judge(mine)
        each = gather(torch.stack([of_sequences(values) for values in found], 1), part).unbind(1)
        if measures:
            self.reward.begin(each)
        if self.runtime.processes.count > 1:
            self.reward.remember(whole, each)
        with self.together():
            values = checked_values(self.reward, mine, self.reward.joined(mine, found))
        names = [term.name for term in self.reward.terms]
        scores = gather(of_sequences(values), part)
        return Judged(values, scores, dict(zip(names, each, strict=True)))

    @property
    def moves(self) -> bool:
        """Tells if a sequence may be worth something else at another step."""
        return not isinstance(self.reward, Terms) or self.reward.moves

    def again(self, sequences: Sequences) -> Tensor:
        """Rewards [B] of sequences that were judged before: each process its rows, once."""
        processes = self.runtime.processes
        part = processes.part(len(sequences))
        with self.together():
            values = reward_values(self.reward, sequences.select(part.rows))
        return processes.gather(of_sequences(values), part)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Judging in each process by itself; if one fails, all of them end.

        Raises:
            RewardError: the reward fails in one of them; the state is saved.
        """
        failed: rollout.RewardError | None = None
        try:
            yield
        except rollout.RewardError as error:
            failed = error
        processes = self.runtime.processes
        reason = processes.first_told(None if failed is None else str(failed))
        if reason is None:
            return
        if not processes.is_main:
            processes.wait()  # the main one saves the state
        left = self.runtime.saved_before()
        if processes.is_main:
            processes.wait()
        raise RewardError(f"the reward: {reason}{left}") from failed

    def end_step(self, step: int, whole: Sequences, judged: Judged) -> None:
        """Counts the calls of a step in all processes, and shows its samples if it is time.

        Args:
            step: generator steps so far.
            whole: the samples.
            judged: their rewards.
        """
        self.count_calls()
        if self.table is not None:
            self.table.show(step, whole, judged.scores, judged.each)

    def count_calls(self) -> None:
        """Counts what was judged since the last time, in all processes."""
        source = self.stages or self.reward
        if isinstance(source, (Terms, Stages)):
            calls = source.take_calls()
            if self.runtime.processes.count > 1:
                every = torch.tensor(float(calls), device=self.runtime.device)
                self.runtime.processes.add_up(every)
                calls = int(every)
            self.calls += calls

    def next_stage(self, mean_reward: float) -> bool:
        """Counts a step of the stage; tells if another reward judges from the next one on."""
        if self.stages is None or not self.stages.after(mean_reward):
            return False
        self.reward = self.stages.reward
        return True

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint."""
        return {"calls": self.calls, **{k: v.state_dict() for k, v in self._parts().items()}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores it."""
        self.calls = int(state["calls"])
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        if self.stages is not None:
            self.reward = self.stages.reward

    def _parts(self) -> dict[str, Stateful]:
        if self.stages is not None:
            return {"stages": self.stages}
        return {"reward": self.reward} if isinstance(self.reward, Terms) else {}


def spread_over(values: Tensor, mask: Tensor) -> Tensor:
    """Standard deviation of values [B, T] over the tokens of a mask [B, T]."""
    # The mask is multiplied in: taking its tokens out would make the host wait.
    weights = mask.to(values.dtype)
    count = weights.sum().clamp(min=1)
    mean = (values * weights).sum() / count
    return (((values - mean) * weights) ** 2).sum().div(count).sqrt()
