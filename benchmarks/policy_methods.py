"""Steps that each policy-gradient method needs on the token-counting task.

The reward is the share of one token among eight of six kinds, so the best return is 1. A method has
reached 95% of it when the mean reward of a step's samples has.
``python -m benchmarks.policy_methods`` writes `benchmarks/results/policy-methods.md`.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch

from rollout import Sequences
from rollout.modules import frozen_copy
from seqgan.config import LSTM, PolicyGradient, RunConfig
from seqgan.config.algorithms import DiversityConfig, ReplayConfig
from seqgan.data.prompts import NoPrompts
from seqgan.data.spec import TokenSpec
from seqgan.models import make_generator
from seqgan.training.callbacks import Callbacks
from seqgan.training.players import Materials
from seqgan.training.policy_gradient import PolicyGradient as Player
from seqgan.training.runtime import Runtime, make_accelerator

__all__ = ["METHODS", "Reached", "counting_player", "work_to_reach"]

OUTPUT = Path(__file__).parent / "results" / "policy-methods.md"
MOST = 500
"""Steps after which a method has failed."""
METHODS: dict[str, tuple[str, dict[str, object]]] = {
    "REINFORCE": ("rloo", {"baseline": "none"}),
    "REINFORCE, moving average": ("rloo", {"baseline": "moving_average"}),
    "RLOO": ("rloo", {}),
    "RLOO, 3 updates, corrected": ("rloo", {"updates": 3, "importance_cap": 2.0}),
    "RLOO with a memory": ("rloo", {"replay": ReplayConfig(size=20, batch=8)}),
    "rollouts (2 per prefix)": ("rloo", {"rollouts": 2}),
    "GRPO": ("grpo", {}),
    "DAPO": ("grpo", {"clip_high": 0.28, "aggregation": "token_mean"}),
    "Dr. GRPO": ("grpo", {"transform": "group_centre", "aggregation": "constant"}),
    "GSPO": ("grpo", {"loss": "sequence"}),
    "PPO": ("ppo", {}),
    "REINVENT": ("reinvent", {"sigma": 60.0, "replay": ReplayConfig(size=1, batch=1)}),
}
"""The method's file, and what is changed. A memory of many must hold sequences that are not the
best where only one is, so REINVENT's holds one here."""


class Reached(NamedTuple):
    """The work until a method has reached its return.

    Attributes:
        steps: batches of samples.
        updates: gradient steps of the policy.
        calls: sequences that the reward has judged, completions of prefixes among them.
    """

    steps: int
    updates: int
    calls: int


class Ones:
    """The reward: the share of token 1 in each sequence; counts the sequences."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, sequences: Sequences) -> torch.Tensor:
        """Rewards [B]."""
        self.calls += len(sequences)
        return (sequences.tokens == 1).float().mean(1)


def counting_player(name: str, seed: int, callbacks: Callbacks, reward: Ones) -> Player:
    """The player of a method, with a small LSTM that has learnt nothing."""
    method, changes = METHODS[name]
    settings = RunConfig(method=method).algorithm
    assert isinstance(settings, PolicyGradient)
    settings = replace(
        settings, batch_size=32, kl_weight=0.0, diversity=DiversityConfig(),
        optimizer=replace(settings.optimizer, learning_rate=0.02), **changes,  # type: ignore[arg-type]
    )  # fmt: skip
    spec = TokenSpec(vocab_size=6, bos_id=0, eos_id=None, pad_id=0, max_length=8, forbidden=())
    policy = make_generator(LSTM(embedding=8, hidden=16, dropout=0.0), spec, seed)
    nothing = Sequences(torch.zeros(1, 8, dtype=torch.int64), torch.tensor([8]))
    runtime = Runtime(make_accelerator("cpu"), seed=seed, callbacks=callbacks)
    return Player(
        settings,
        Materials(policy, frozen_copy(policy), reward, None, nothing, NoPrompts(), runtime),
    )


def work_to_reach(name: str, seed: int, share: float = 0.95) -> Reached | None:
    """Work until the mean reward of a step's samples is `share`; None: more steps than `MOST`."""
    rewards: list[float] = []
    told = Callbacks(on_step=lambda step, figures: rewards.append(figures["mean_reward"]))
    reward = Ones()
    player = counting_player(name, seed, told, reward)
    for step in range(MOST + 1):  # a step samples before it updates
        before = Reached(step, player.learner.step, reward.calls)
        player.step()
        if rewards[-1] >= share:
            return before
    return None


def row(name: str, found: list[Reached | None], seconds: float) -> str:
    """A method's line of the table, from the work of each seed."""
    known = [each for each in found if each is not None]
    if not known:
        return f"| {name} | - | not reached | - | - | {seconds:.1f} |"
    steps = [each.steps for each in known]
    lost = len(found) - len(known)
    spread = f"{min(steps)} to {max(steps)}" + (f", {lost} of {len(found)} not" if lost else "")
    medians = [f"{statistics.median(column):,g}" for column in zip(*known, strict=True)]
    return f"| {name} | {medians[0]} | {spread} | {medians[1]} | {medians[2]} | {seconds:.1f} |"


def main() -> None:
    """Measures all methods and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    torch.set_num_threads(1)
    lines = [
        "# Policy-gradient methods on the token-counting task",
        "",
        f"Steps of 32 samples until their mean reward is 95% of the best, Adam at 0.02, "
        f"{options.seeds} seeds: median and range. A step may take several gradient steps "
        "(updates), and a rollout judges completions too (reward calls), so the medians of both "
        "stand beside. One task and one learning rate: the table shows that every method learns, "
        "not which is best elsewhere.",
        "",
        f"`python -m benchmarks.policy_methods --seeds {options.seeds}`, torch "
        f"{torch.__version__}, Python {platform.python_version()}, {platform.machine()}, one "
        "thread.",
        "",
        "| method | median steps | range | median updates | median reward calls | "
        "processor seconds for all seeds |",
        "|---|---:|---|---:|---:|---:|",
    ]
    for name in METHODS:
        start = time.process_time()
        found = [work_to_reach(name, seed) for seed in range(options.seeds)]
        lines.append(row(name, found, time.process_time() - start))
        print(lines[-1], file=sys.stderr, flush=True)
    options.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
