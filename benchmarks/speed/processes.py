"""Training steps by one process and by several that share each batch.

The configuration is the SeqGAN paper's (see `workload`); the steps are those of a run, with all
that goes with them. Each kind of start is a launch of its own: as a program it is what is launched.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from rollout import DiscriminatorReward
from seqgan.config import CriticConfig, PolicyGradient, PretrainConfig
from seqgan.config.algorithms import PolicyOptimizer
from seqgan.config.components import build
from seqgan.config.critic import CriticOptimizer
from seqgan.config.pretrain import PretrainOptimizer
from seqgan.data.prompts import NoPrompts
from seqgan.errors import ConfigError
from seqgan.training.critic import Critic
from seqgan.training.players import Materials
from seqgan.training.pretrain import Pretraining
from seqgan.training.runtime import Runtime, make_accelerator
from seqgan.training.sampling import draw

from .machine import Timer
from .workload import STILL, Sizes, Workload

__all__ = ["sharing"]


def sharing(sizes: Sizes, device: str, seed: int, repeats: int, count: int) -> list[dict[str, Any]]:
    """Steps by one process on all cores, on its share of them, and by `count` processes.

    Args:
        sizes: what is worked on.
        device: cpu or cuda; then each process has a GPU of its own.
        seed: of models and data.
        repeats: repetitions, of which the median counts.
        count: processes.

    Returns:
        For each kind of step "name", and for each start "processes", "threads", "seconds" a step
        and "tokens" a second.

    Raises:
        ConfigError: a launch failed.
    """
    cores = os.cpu_count() or 1
    share = max(1, cores // count)
    starts = dict.fromkeys([(1, cores), (1, share), (count, share)])
    settings = {"sizes": asdict(sizes), "device": device, "seed": seed, "repeats": repeats}
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for processes, threads in starts:
            place = Path(folder) / f"{processes}-{threads}.json"
            _launch(processes, threads, [json.dumps(settings), str(place)])
            rows += [
                {"processes": processes, "threads": threads, **row}
                for row in json.loads(place.read_text())
            ]
    return rows


def _launch(processes: int, threads: int, arguments: list[str]) -> None:
    launcher = [sys.executable]
    if processes > 1:
        launcher += ["-m", "torch.distributed.run", "--standalone"]
        launcher += ["--nproc_per_node", str(processes)]
    done = subprocess.run(
        [*launcher, "-m", "benchmarks.speed.processes", *arguments],
        env={**os.environ, "OMP_NUM_THREADS": str(threads)},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise ConfigError(f"--parts processes: {processes} cannot work together: {done.stderr}")


def _steps(settings: dict[str, Any]) -> tuple[list[dict[str, Any]], bool]:
    """Measurements of this process, and if it is the main one."""
    sizes, seed = Sizes(**settings["sizes"]), settings["seed"]
    runtime = Runtime(make_accelerator(settings["device"], trackers=()), seed)
    work = Workload(sizes, runtime.device, seed)
    timer, processes = Timer(runtime.device), runtime.processes
    few = work.real.select(slice(0, 4))
    epoch = work.sampled(sizes.batch * max(1, sizes.mle_steps // 32))
    still = PretrainOptimizer(learning_rate=STILL)
    pretrain = PretrainConfig(batch_size=sizes.batch, optimizer=still)
    mle = Pretraining(work.generator, epoch, few, pretrain, runtime)
    judging = CriticConfig(
        batch_size=sizes.judge_batch,
        optimizer=CriticOptimizer(learning_rate=STILL),
        rounds_learning_rate=STILL,
    )
    critic = Critic(work.judge, work.generator, work.real, few, judging, runtime)
    algorithm = PolicyGradient(
        batch_size=sizes.batch,
        rollouts=sizes.rollouts,
        optimizer=PolicyOptimizer(learning_rate=STILL),
    )
    reward = DiscriminatorReward(work.judge, "log_odds")
    policy = work.generator
    materials = Materials(policy, policy, reward, work.judge, work.real, NoPrompts(), runtime)
    player = build(algorithm, materials)
    judged = max(1, sizes.judge_steps // 32)
    kinds = [
        ("MLE step", mle.epoch, len(epoch) // sizes.batch, sizes.batch * sizes.length),
        ("generator step", player.step, 1, sizes.tokens()),
        (
            "discriminator step",
            lambda: critic.train_until(critic.learner.step + judged, work.real),
            judged,
            2 * sizes.judge_batch * sizes.length,
        ),
        (
            f"sampling {sizes.samples:,} sequences",
            lambda: draw(policy, sizes.samples, work.rng(), processes=processes),
            1,
            sizes.samples * sizes.length,
        ),
    ]
    rows = []
    for name, run, steps, tokens in kinds:
        run()  # memory and libraries are warm
        processes.wait()
        (seconds,) = timer.medians([run], settings["repeats"])
        rows.append({"name": name, "seconds": seconds / steps, "tokens": tokens * steps / seconds})
    is_main = processes.is_main
    processes.part_ways()
    return rows, is_main


def _work(settings: str, place: str) -> None:
    """The program that is launched."""
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    rows, is_main = _steps(json.loads(settings))
    if is_main:
        Path(place).write_text(json.dumps(rows))


if __name__ == "__main__":
    _work(*sys.argv[1:])
