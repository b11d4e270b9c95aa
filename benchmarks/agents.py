"""Our trainer beside agents of stable-baselines3 on one task with a constraint.

Eight tokens out of ten, none smaller than the one before it; the reward counts how often a token is
followed by the next larger one, so the best return is 7. Ours is REINFORCE with a leave-one-out
baseline on whole sequences, MaskablePPO keeps to the mask of the environment, and plain PPO, which
knows no masks, pays for a forbidden token with the end of the episode and a penalty.
``python -m benchmarks.agents`` writes `benchmarks/results/agents.md`. Needs the extra [rl].
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rollout import (
    ConstrainedPolicy,
    Sequences,
    advantages,
    generate,
    make_baseline,
    reinforce_loss,
)
from seqgan.config import LSTM
from seqgan.data.spec import TokenSpec
from seqgan.models import make_generator

__all__ = ["BEST", "Trained", "never_smaller", "ours", "rises"]

OUTPUT = Path(__file__).parent / "results" / "agents.md"
ID, WORDS, LENGTH = "seqgan/TokenGeneration-v0", 10, 8
BEST = LENGTH - 1
JUDGED = 256
"""Sequences that an agent is judged by after its training, drawn as it draws them."""


class Trained(NamedTuple):
    """Outcome of a training.

    Attributes:
        score: mean return of its samples after training.
        tokens: that it emitted in training.
        seconds: of training.
    """

    score: float
    tokens: int
    seconds: float


def rises(sequences: Sequences) -> Tensor:
    """Number of tokens that are followed by the next larger one [B]."""
    tokens, mask = sequences.tokens, sequences.mask
    return ((tokens[:, 1:] == tokens[:, :-1] + 1) & mask[:, 1:]).sum(1).float()


def never_smaller(prefixes: list[list[int]]) -> list[list[bool]]:
    """No token may be smaller than the one before it."""
    return [[not row or token >= row[-1] for token in range(WORDS)] for row in prefixes]


def ours(tokens: int, seed: int) -> Trained:
    """A loop of one's own with `rollout`: sample, judge, one gradient step."""
    spec = TokenSpec(WORDS, bos_id=0, eos_id=None, pad_id=0, max_length=LENGTH, forbidden=())
    generator = make_generator(LSTM(embedding=32, hidden=64, dropout=0.0), spec, seed)
    policy = ConstrainedPolicy(generator, never_smaller)
    optimizer = torch.optim.Adam(generator.parameters(), lr=0.01)
    baseline, rng = make_baseline("leave_one_out"), torch.Generator().manual_seed(seed)
    start, emitted = time.perf_counter(), 0
    while emitted < tokens:
        batch = generate(policy, 64, rng=rng)
        values = rises(batch)[:, None].expand(-1, LENGTH)
        loss = reinforce_loss(
            policy(batch).log_prob, advantages(values, batch.mask, baseline), batch.mask
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        emitted += int(batch.lengths.sum())
    seconds = time.perf_counter() - start
    return Trained(float(rises(generate(policy, JUDGED, rng=rng)).mean()), emitted, seconds)


def maskable_ppo(tokens: int, seed: int) -> Trained:
    """The MaskablePPO of sb3-contrib, which finds the legal actions in the environment."""
    from sb3_contrib import MaskablePPO
    from sb3_contrib.common.maskable.evaluation import evaluate_policy

    return _agent(MaskablePPO, evaluate_policy, tokens, seed)


def ppo_with_penalty(tokens: int, seed: int) -> Trained:
    """The PPO of stable-baselines3; a forbidden token ends the episode and costs 1."""
    from stable_baselines3 import PPO
    from stable_baselines3.common.evaluation import evaluate_policy

    return _agent(PPO, evaluate_policy, tokens, seed, penalty=-1.0)


def _agent(
    algorithm: Any, evaluate: Callable[..., Any], tokens: int, seed: int, **more: float
) -> Trained:
    from stable_baselines3.common.env_util import make_vec_env

    task = {"reward": rises, "vocab_size": WORDS, "max_length": LENGTH, "limit_terminates": True,
            "constraint": never_smaller, **more}  # fmt: skip
    envs = make_vec_env(ID, n_envs=16, seed=seed, env_kwargs=task)
    model = algorithm(
        "MultiInputPolicy", envs, n_steps=64, batch_size=128, gamma=1.0, learning_rate=1e-3,
        ent_coef=0.01, seed=seed, device="cpu",
    )  # fmt: skip
    start = time.perf_counter()
    model.learn(total_timesteps=tokens)
    seconds = time.perf_counter() - start
    score, _ = evaluate(model, envs, n_eval_episodes=JUDGED, deterministic=False)
    return Trained(float(score), int(model.num_timesteps), seconds)


AGENTS: dict[str, Callable[[int, int], Trained]] = {
    "ours, leave-one-out": ours,
    "MaskablePPO, the mask": maskable_ppo,
    "PPO, penalty -1": ppo_with_penalty,
}


def main() -> None:
    """Trains every agent at every number of tokens and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--tokens", type=int, nargs="+", default=[16_384, 98_304])
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    torch.set_num_threads(1)
    lines = [
        "# One task, three agents",
        "",
        f"{LENGTH} tokens out of {WORDS}, none smaller than the one before it; the return counts "
        f"rises by one, at most {BEST}. Mean return of {JUDGED} sequences after training, mean of "
        f"{options.seeds} seeds and range. Learning rates and networks were tuned for none of "
        "them: the table shows that the environment teaches, not which agent is best.",
        "",
        f"`python -m benchmarks.agents --seeds {options.seeds} --tokens "
        f"{' '.join(map(str, options.tokens))}`, torch {torch.__version__}, Python "
        f"{platform.python_version()}, {platform.machine()}, one thread.",
        "",
        "| agent | tokens in training | mean return | range | share of the best | seconds |",
        "|---|---:|---:|---|---:|---:|",
    ]
    for tokens in options.tokens:
        for name, train in AGENTS.items():
            found = [train(tokens, seed) for seed in range(options.seeds)]
            scores = [each.score for each in found]
            mean, seconds = statistics.fmean(scores), statistics.fmean(x.seconds for x in found)
            lines.append(
                f"| {name} | {found[0].tokens:,} | {mean:.2f} | {min(scores):.2f} to "
                f"{max(scores):.2f} | {mean / BEST:.0%} | {seconds:.1f} |"
            )
            print(lines[-1], file=sys.stderr, flush=True)
    options.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    import seqgan  # noqa: F401 - registers the environment

    main()
