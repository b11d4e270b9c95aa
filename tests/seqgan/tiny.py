"""A run of some seconds through all phases, for tests that need more than one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

TINY_WORK = [
    "--size", "smoke", "--device", "cpu",
    "--pretrain.batch_size", "16", "--pretrain.epochs", "2",
    "--critic.steps", "6", "--critic.measure_every", "3",
    "--critic.batch_size", "8", "--adversarial.rounds", "3",
    "--adversarial.measure_every", "2", "--algorithm.batch_size", "8",
    "--algorithm.baseline", "moving_average", "--algorithm.rollout_update_rate", "0.5",
    "--evaluation.num_samples", "30", "--evaluation.sweep_samples", "20",
    "--evaluation.temperatures", "[0.9,1.0]", "--evaluation.resamples", "20",
    "--checkpoint.every_minutes", "0",
]  # fmt: skip
TINY = [
    "--data", "grammar", "--corpus.num_train", "64", "--corpus.num_heldout", "20",
    "--corpus.num_validation", "20", "--corpus.num_test", "30",
    "--corpus.max_length", "21",  # the grammar's longest sentence: an untrained model writes no end
    *TINY_WORK,
]  # fmt: skip
OF_POLICY_GRADIENT = ("--algorithm.baseline", "--algorithm.rollout_update_rate")
"""Flags of `TINY` that other algorithms do not have."""
REWARDED = [
    "--rewards", "tests.seqgan.rewards.functions:long", "--reward.calls", "1000",
    "--reward.workers", "1", "--algorithm.rollouts", "0", "--algorithm.baseline", "value",
    "--algorithm.rollout_update_rate", "0", "--adversarial.generator_steps", "2",
    "--stages", "[{rewards: [{name: length, shape: standardise}], steps: 3}]",
    "--algorithm.replay.size", "9", "--algorithm.replay.batch", "4",
    "--algorithm.diversity.filter", "unique", "--algorithm.entropy_target", "2",
    "--algorithm.kl_target", "1",
]  # fmt: skip
"""A function of one's own in a worker, a stage before it, memory, filter, value head, budget."""
STEPS = 8 + 6 + 3 * (1 + 2) + 3 * 1
"""Gradient steps: MLE, discriminator, rounds, control. It can be ended after each, and go on."""


def without(words: list[str], *flags: str) -> list[str]:
    """Pairs of flag and value but for these flags, or all of a group such as ``--critic``."""
    groups = tuple(f"{flag}." for flag in flags)
    pairs = zip(words[::2], words[1::2], strict=True)
    kept = [each for each in pairs if each[0] not in flags and not each[0].startswith(groups)]
    return [word for each in kept for word in each]


def without_report(patch: pytest.MonkeyPatch) -> None:
    """The figures take most of the time of so small a run."""
    patch.setattr("seqgan.pipeline.finishing.write_report", lambda run: run.path)


def outcome(run: Path) -> dict[str, Any]:
    """What must not depend on how often a run was ended and resumed."""
    found: dict[str, Any] = {"results": (run / "results.json").read_text()}
    for name in ("latest", "mle", "finetuned"):
        place = run / "checkpoints" / (run / "checkpoints" / name).read_text().strip()
        for file in place.glob("*.safetensors"):
            found[f"{name}/{file.name}"] = file.read_bytes()
    for file in (run / "samples").iterdir():
        found[f"samples/{file.name}"] = file.read_text()
    log = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    found["metrics"] = [{k: v for k, v in line.items() if k != "time"} for line in log]
    found["events"] = _events(run)
    return found


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """The names of what is not the same in two outcomes."""
    return [name for name in {**one, **other} if one.get(name) != other.get(name)]


def weights(run: Path, name: str = "latest") -> dict[str, torch.Tensor]:
    """The generator of a run's checkpoint."""
    place = run / "checkpoints" / (run / "checkpoints" / name).read_text().strip()
    return load_file(place / "generator.safetensors")


def _events(run: Path) -> list[tuple[int, str, list[float]]]:
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    found = []
    for file in sorted(run.glob("events.out.tfevents*")):
        for event in EventFileLoader(str(file)).Load():
            for value in event.summary.value:
                found.append((event.step, value.tag, list(value.tensor.float_val)))
    return found
