"""Runs on a GPU: all phases of training, whole runs, a resumed run."""

from __future__ import annotations

import io
import json
import math
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from rollout.graphs import records_on
from seqgan.cli.main import main as seqgan
from seqgan.training.learner import Learner

from ..language_model import flags_of, write_encoder, write_language_model
from .steps import deterministic

__all__ = ["differences", "graphs", "resumed", "smoke_run", "train"]

Row = dict[str, Any]
_BAD = (
    "no CUDA graph could be recorded",
    "memory is too small for a CUDA graph",
    "Triton's kernels do not run here",
)
"""Lines by which a run says that it goes on without what is to be checked."""
_GRAMMAR = [
    "--data", "grammar", "--corpus.num_train", "64", "--corpus.num_heldout", "20",
    "--corpus.num_validation", "20", "--corpus.num_test", "30",
]  # fmt: skip
_SMALL = [
    "--size", "smoke", "--evaluation.num_samples", "30", "--evaluation.sweep_samples", "20",
    "--evaluation.temperatures", "[0.9,1.0]", "--evaluation.resamples", "20",
    "--trackers", "[]",
    # A shape is recorded at its third time: every kind of step is taken more often.
    "--pretrain.batch_size", "16", "--adversarial.generator_steps", "4",
]  # fmt: skip
ADVERSARIAL = ["--method", "seqgan-logodds"]
"""A method with all kinds of steps."""
LOGGED = {
    ("mle", "validation_nll"): 1e-4,
    ("discriminator", "heldout_cross_entropy"): 1e-2,
    ("adversarial", "entropy"): 1e-2,
    ("validation", "nll"): 1e-3,
}
"""Numbers of a run's log, in nats, and how far two runs may be apart that differ in rounding."""
TRAINED = ("mle", "discriminator", "adversarial")
"""Stages of a run's log that tell of steps of training."""
MAIN = ("MLE pretraining", "discriminator", "adversarial")
"""Stages of a run whose steps have to be recorded."""


def train(device: str, words: list[str], folder: Path) -> str:
    """All phases of training with few steps, without the comparison at the end.

    Raises:
        AssertionError: there was no step of the rounds, or a number of the log is not finite.
    """
    control = ["--evaluation.control", "false", "--adversarial.measure_every", "2"]
    with patch("seqgan.pipeline.running.finish"), recorded() as found:
        short_run(device, [*control, *words], folder)
    steps = check_log(log_of(folder / "run"))
    shown = ", ".join(f"{name} {count}" for name, count in found().items())
    return f"{steps} steps of the rounds" + (f"; as graphs: {shown}" if shown else "")


def check_log(log: list[Row]) -> int:
    """The steps of the rounds in a log; each number of a stage of training has to be finite.

    Raises:
        AssertionError: one of them is not, or there are no steps.
    """
    for row in (each for each in log if each["stage"] in TRAINED):
        for name, value in row.items():
            if isinstance(value, float) and not math.isfinite(value):
                raise AssertionError(f"{row['stage']}/{name} is {value} at step {row['step']}")
    steps = sum(row["stage"] == "adversarial" for row in log)
    if not steps:
        raise AssertionError("no step of the rounds was logged")
    return steps


def graphs(device: str, folder: Path) -> str:
    """A run with and without graphs: the same log, and every kind of step was recorded.

    Raises:
        AssertionError: the logs differ, or a stage recorded nothing.
    """
    logs, times, counts = [], [], []
    for switch in ("true", "false"):
        start = time.perf_counter()
        words = [*ADVERSARIAL, "--graphs", switch, "--generator.dropout", "0.0"]
        with (
            patch("seqgan.pipeline.finishing.write_report", lambda run: run.path),
            recorded() as found,
        ):
            short_run(device, words, folder / switch)
        times.append(time.perf_counter() - start)
        counts.append(found())
        logs.append(log_of(folder / switch / "run"))
    if records_on(torch.device(device)):
        check_recorded(counts[0])
    found_apart = differences(*logs)
    for (stage, name), apart in found_apart.items():
        if apart > LOGGED[stage, name]:
            raise AssertionError(f"{stage}/{name} differs by {apart:.1e} nats")
    most = max(found_apart.values())
    shown = ", ".join(f"{count} of {name}" for name, count in counts[0].items()) or "none"
    return (
        f"log within {most:.0e} nats; steps as graphs: {shown}; {times[0]:.1f} s, without graphs "
        f"{times[1]:.1f} s"
    )


def check_recorded(found: dict[str, int]) -> None:
    """Requires that each of the main kinds of step was launched as a graph.

    Args:
        found: launches by stage.

    Raises:
        AssertionError: one of them never was.
    """
    missing = [name for name in MAIN if not found.get(name)]
    if missing:
        raise AssertionError(f"no step was recorded of: {', '.join(missing)}")


def differences(one: list[Row], other: list[Row]) -> dict[tuple[str, str], float]:
    """The largest difference between two logs of each number in `LOGGED`.

    Raises:
        AssertionError: a log lacks one of them, or has it more often than the other.
    """
    found = {}
    for stage, name in LOGGED:
        values = [[row[name] for row in log if row["stage"] == stage] for log in (one, other)]
        if not values[0] or len(values[0]) != len(values[1]):
            raise AssertionError(f"{stage}/{name}: {len(values[0])} and {len(values[1])} numbers")
        found[stage, name] = max(abs(x - y) for x, y in zip(*values, strict=True))
    return found


def smoke_run(device: str, method: str, folder: Path) -> str:
    """A run of the size smoke as a user would start it; its verdict."""
    words = ["--data", "grammar", "--size", "smoke", "--method", method, "--device", device]
    command("run", *words, "--output_dir", str(folder / "run"))
    results = json.loads((folder / "run" / "results.json").read_text(encoding="utf-8"))
    return str(results["verdict"]["label"])


def resumed(device: str, folder: Path) -> str:
    """A run that is resumed in its rounds ends with the same bits.

    Raises:
        AssertionError: weights of a checkpoint or numbers of the log are other ones.
    """
    words = [*ADVERSARIAL, "--checkpoint.every_steps", "1", "--checkpoint.keep", "100"]
    with deterministic(warn_only=True), warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with patch("seqgan.pipeline.running.finish"):
            short_run(device, words, folder)
            path = folder / "run"
            places = sorted(each for each in (path / "checkpoints").glob("step-*") if each.is_dir())
            place, before = places[2 * len(places) // 3], outcome(path)
            command("run", "--resume", str(place), "--device", device)
    after = outcome(path)
    other = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    loose = {str(each.message).partition(" does not have")[0] for each in warned
             if "deterministic" in str(each.message)}  # fmt: skip
    hint = f"; not deterministic: {', '.join(sorted(loose))}" if loose else ""
    if other:
        raise AssertionError(f"other bits after a resume: {', '.join(sorted(other))}{hint}")
    return f"the same bits from {place.name} on{hint}"


def outcome(path: Path) -> dict[str, object]:
    """Weights of the named checkpoints, and the log without its times."""
    found: dict[str, object] = {}
    for name in ("latest", "mle", "finetuned"):
        place = path / "checkpoints" / name
        if place.is_file():
            for file in (path / "checkpoints" / place.read_text().strip()).glob("*.safetensors"):
                found[f"{name}/{file.name}"] = file.read_bytes()
    found["log"] = [{k: v for k, v in row.items() if k != "time"} for row in log_of(path)]
    return found


def log_of(path: Path) -> list[Row]:
    """The rows of a run's log."""
    lines = (path / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@contextmanager
def recorded() -> Iterator[Any]:
    """Gives a function that counts the steps of learners made within that were graphs, by stage."""
    made: list[Learner] = []
    begin = Learner.__init__

    def noted(self: Learner, *arguments: Any, **more: Any) -> None:
        begin(self, *arguments, **more)
        made.append(self)

    def found() -> dict[str, int]:
        counts: dict[str, int] = {}
        for each in made:
            if each.graphs is not None:
                counts[each.stage] = counts.get(each.stage, 0) + each.replays
        return counts

    with patch.object(Learner, "__init__", noted):
        yield found


def short_run(device: str, words: list[str], folder: Path) -> None:
    """A run through all phases with few steps, into ``folder/run``."""
    data = _GRAMMAR
    if "pretrained" in words:  # it reads text that its own tokenizer has cut
        write_language_model(folder / "model")
        data = [*flags_of(folder / "model"), "--generator.model", str(folder / "model")]
    if any(each.endswith("encoder") for each in words):  # it begins with a pretrained one
        write_encoder(folder / "encoder")
        data = [*data, "--discriminator.encoder", str(folder / "encoder")]
    words = [*data, *_SMALL, *words, "--device", device, "--output_dir", str(folder / "run")]
    command("run", *words)


def command(*words: str) -> None:
    """A command of ``seqgan``; its output is shown if it fails.

    Raises:
        AssertionError: it fails, or goes on without graphs or kernels.
    """
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(out):
        code = seqgan(list(words))
    text = out.getvalue()
    bad = next((line for line in text.splitlines() if any(each in line for each in _BAD)), None)
    if code or bad:
        print(text)
        raise AssertionError(bad or f"exit code {code}: {text.strip().splitlines()[-1]}")
