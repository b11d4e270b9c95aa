"""Kills a run by SIGKILL at random moments, resumes it each time, and compares the outcome.

``python -m tests.seqgan.kill_and_resume --kills 20`` prints a line a kill, and what in the end is
equal to a run that nobody disturbed. With ``--fork`` the runs are forks of this process, which
has torch loaded already; without it each is a ``seqgan run`` of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from .tiny import REWARDED, TINY, differences, outcome

SETTINGS = [
    "--data", "grammar", "--size", "smoke", "--device", "cpu",
    "--corpus.num_train", "300", "--corpus.num_heldout", "60", "--corpus.num_validation", "60",
    "--pretrain.batch_size", "16", "--pretrain.epochs", "4",
    "--critic.steps", "40", "--critic.measure_every", "10",
    "--adversarial.rounds", "6", "--adversarial.measure_every", "2",
    "--algorithm.baseline", "moving_average", "--algorithm.rollout_update_rate", "0.8",
    "--adversarial.generator_steps", "2", "--adversarial.critic_steps", "3",
    "--algorithm.kl_weight", "0.01", "--adversarial.patience", "0",
    "--evaluation.num_samples", "100", "--evaluation.sweep_samples", "60",
    "--checkpoint.every_minutes", "0",
]  # fmt: skip


class Forked:
    """A command in a fork of this process."""

    def __init__(self, arguments: list[str]):
        self.ended = False
        self.pid = os.fork()
        if self.pid == 0:
            code = 1
            try:
                with open(os.devnull, "w") as nothing:
                    os.dup2(nothing.fileno(), 1)
                from seqgan.cli.main import main

                code = main(arguments)
            finally:
                os._exit(code)

    def wait(self, seconds: float) -> int | None:
        """The exit code, or None where it still runs."""
        until = time.monotonic() + seconds
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.ended = True
                return os.waitstatus_to_exitcode(status)
            if time.monotonic() >= until:
                return None
            time.sleep(0.002)

    def kill(self) -> None:
        """SIGKILL."""
        if not self.ended:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


class Spawned:
    """A command in a new interpreter, as a shell would start it."""

    def __init__(self, arguments: list[str]):
        code = "import sys; from seqgan.cli.main import main; sys.exit(main())"
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments], stdout=subprocess.DEVNULL
        )

    def wait(self, seconds: float) -> int | None:
        """The exit code, or None where it still runs."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()


def progress(run: Path) -> tuple[int, str]:
    """Gradient steps and phase of a run's latest checkpoint."""
    try:
        name = (run / "checkpoints" / "latest").read_text().strip()
        state = json.loads((run / "checkpoints" / name / "state.json").read_text())
    except FileNotFoundError:  # none yet, or removed while we looked
        return 0, "before the first checkpoint"
    return state["steps"], state["phase"]


def kill_and_resume(
    folder: Path, kills: int, seed: int, fork: bool, settings: list[str] = SETTINGS
) -> dict[str, int]:
    """Counts of kills by phase; fails where the outcomes differ."""
    start, rng = (Forked if fork else Spawned), random.Random(seed)
    calm, troubled = folder / "calm", folder / "troubled"
    began = time.monotonic()
    command = ["run", *settings]
    assert start([*command, "--output_dir", str(calm)]).wait(600) == 0
    whole = time.monotonic() - began
    print(f"a run that nobody disturbs takes {whole:.1f} s", flush=True)
    total = progress(calm)[0]
    counts: dict[str, int] = {}
    resumed = [*command, "--output_dir", str(troubled), "--resume", "auto"]
    # Spread over the steps of the run and over its evaluation, which has none.
    for target in sorted(rng.uniform(0, 1.3 * total) for _ in range(kills)):
        every = str(rng.choice([1, 2, 5, 9]))  # no result depends on where checkpoints fall
        process = start([*resumed, "--checkpoint.every_steps", every])
        until = time.monotonic() + rng.uniform(0.2, 1) * whole
        hasty = rng.random() < 0.2  # while it starts or goes back, whatever it has come to
        while not hasty and progress(troubled)[0] < min(target, total):
            if process.wait(0.01) is not None or time.monotonic() > until:
                break
        code = process.wait(rng.uniform(0, (0.1 if hasty or target > total else 0.003) * whole))
        if code is not None:
            assert code == 0, f"exit code {code}"
        process.kill()
        step, phase = progress(troubled)
        phase = "evaluation" if step == total else phase
        phase = phase if code is None else "had ended"
        counts[phase] = counts.get(phase, 0) + 1
        print(f"killed: {phase}, latest checkpoint at step {step} of {total}", flush=True)
    assert start(resumed).wait(600) == 0
    before = outcome(calm)
    different = differences(before, outcome(troubled))
    assert not different, f"not the same: {different}"
    leftovers = [str(p) for p in troubled.rglob("*") if p.name.startswith(".")]
    assert not leftovers, leftovers
    print(f"the same to the bit: {', '.join(before)}", flush=True)
    return counts


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fork", action="store_true")
    parser.add_argument("--tiny", action="store_true", help="a smaller run, without its report")
    parser.add_argument("--rewards", action="store_true", help="the same for a function as reward")
    options = parser.parse_args()
    if options.fork:
        import torch

        from seqgan.pipeline import finishing  # loaded once, before the forks

        torch.set_num_threads(1)
        if options.tiny or options.rewards:
            finishing.write_report = lambda run: run.path
    settings = TINY if options.tiny else SETTINGS
    if options.rewards:  # longer than the tiny run, so that most of it is in the rounds
        rounds = ["--adversarial.rounds", "9", "--evaluation.control", "false"]
        settings = [*TINY, *REWARDED, *rounds]
    with tempfile.TemporaryDirectory() as folder:
        counts = kill_and_resume(Path(folder), options.kills, options.seed, options.fork, settings)
    print(json.dumps(counts))


if __name__ == "__main__":
    main()
