"""`seqgan-bench speed`: rollouts, scoring and training steps against the plain way and the machine.

Every ratio is taken within one run, the two sides in turn. The plain way (`tests/plain.py`, part of
a checkout) does a part of each operation, and its time is scaled up: its cost is proportional to
the number of rollouts, sequences and steps. Epochs are scaled up from a part of their steps on
both sides.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from rich.console import Console

from rollout.completion import default_chunk_size
from seqgan.config.discriminators.cnn import PAPER_FILTERS, PAPER_WIDTHS
from seqgan.config.settings import Settings
from seqgan.errors import ConfigError
from seqgan.models.discriminators.base import multiplies_bfloat16
from seqgan.runs.run_directory import write_json, write_text
from seqgan.terminal import say

from ..results import shareable
from .machine import Timer, gemm_rate, memory_rate, peak_memory
from .processes import sharing
from .scaling import eos_halves, memory_limits, scaling, stratification
from .tables import markdown
from .transformer import transformer
from .workload import PlainWorkload, Sizes, Workload, plain_reference

__all__ = ["SpeedConfig", "measure"]

PARTS = ("operations", "scaling", "memory", "stratified")
MORE_PARTS = (*PARTS, "processes", "transformer")


@dataclass
class SpeedConfig(Settings):
    """Times of rollouts, scoring and training steps.

    Attributes:
        device: cpu or cuda.
        parts: what is measured: operations, scaling, memory, stratified. Two have to be asked for:
            processes, the steps of a run by one process and by several; transformer, that
            generator with and without its cache, and beside torch's own layers.
        repeats: repetitions of every operation, of which the median counts.
        plain_share: the plain way does this share of an operation, scaled up.
        epoch_share: the toolkit does this share of an epoch's steps, scaled up.
        processes: how many share the work in the part of that name.
        tiny: sizes that take a second and say nothing, to see that it runs.
        output: the figures are written to this name with .json and .md; none: the terminal only.
        seed: of models and samples.
    """

    device: str = "cpu"
    parts: tuple[str, ...] = PARTS
    repeats: int = 5
    plain_share: float = 0.0625
    epoch_share: float = 0.125
    processes: int = 2
    tiny: bool = False
    output: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.device not in ("cpu", "cuda"):
            raise ConfigError(f"--device: {self.device!r} is neither cpu nor cuda")
        for part in self.parts:
            if part not in MORE_PARTS:
                raise ConfigError(f"--parts: {part!r} is none of {', '.join(MORE_PARTS)}")
        if not 2 <= self.processes <= 1_000:
            raise ConfigError(f"--processes: {self.processes} is not in 2 .. 1,000")
        if self.repeats < 1:
            raise ConfigError(f"--repeats: {self.repeats} is below 1")
        for name in ("plain_share", "epoch_share"):
            if not 0 < getattr(self, name) <= 1:
                raise ConfigError(f"--{name}: {getattr(self, name)} is not in (0, 1]")


TINY = Sizes(200, 6, 4, 2, 16, 2, 2, 4, 0.02)


class Operation(NamedTuple):
    """One line of the main table.

    Attributes:
        name: what is done.
        ours: does it by the toolkit.
        scale: what the time of `ours` is multiplied by.
        plain: does a part of it the plain way; None: there is no plain reference.
        plain_scale: what the time of `plain` is multiplied by.
        operations: multiplications and additions that it takes at least.
        bytes: bytes that it reads and writes at least.
    """

    name: str
    ours: Callable[[], object]
    scale: float
    plain: Callable[[], object] | None
    plain_scale: float
    operations: float
    bytes: float


def measure(config: SpeedConfig, console: Console) -> dict[str, Any]:
    """Runs the measurements, prints the tables, and writes the figures.

    Raises:
        ConfigError: the device is not there.
    """
    if config.device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device: 'cuda' asked for, but torch sees no CUDA device")
    device = torch.device(config.device)
    timer = Timer(device)
    work = Workload(TINY if config.tiny else Sizes(), device, config.seed)
    result = {"format": 1, "command": shareable(sys.argv), "seed": config.seed}
    result["machine"] = describe(device, work)
    result["gemm"], result["memory_rate"] = gemm_rate(timer), memory_rate(timer)
    if "operations" in config.parts:
        result["operations"] = operations(config, work, timer, result, console)
    if "scaling" in config.parts:
        result["scaling"] = scaling(work, timer, config.tiny)
        result["eos"] = eos_halves(work, timer)
    if "memory" in config.parts:
        result["memory"] = memory_limits(work, config.tiny)
    if "stratified" in config.parts:
        result["stratified"] = stratification(work, config.tiny)
    if "processes" in config.parts:
        result["processes"] = sharing(
            work.sizes, config.device, config.seed, config.repeats, config.processes
        )
    if "transformer" in config.parts:
        result["transformer"] = transformer(device, timer, config.seed, config.repeats, config.tiny)
    if device.type == "cuda":
        result["losses"] = losses(work)
    text = markdown(result)
    say(console, text)
    if config.output is not None:
        write_json(Path(config.output + ".json"), result)
        write_text(Path(config.output + ".md"), text + "\n")
    return result


def describe(device: torch.device, work: Workload) -> dict[str, Any]:
    """The machine, and what the engine chose for it."""
    name = platform.processor() or platform.machine()
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    elif Path("/proc/cpuinfo").is_file():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
        name = models[0] if models else name
    return {
        "device": name,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "chunk_rows": default_chunk_size(work.generator, device),
        "bfloat16": multiplies_bfloat16(device),
        "plain": "tests/plain.py" if plain_reference() is not None else None,
    }


def operations(
    config: SpeedConfig, work: Workload, timer: Timer, rates: dict[str, Any], console: Console
) -> list[dict[str, Any]]:
    """The main table."""
    rows = []
    for each in _operations(config, work):
        console.print(f"{each.name} ...", highlight=False)
        works = [each.ours] if each.plain is None else [each.ours, each.plain]
        each.ours()  # memory and libraries are warm
        ours, *plain = timer.medians(works, config.repeats)
        ours *= each.scale
        least = max(each.operations / rates["gemm"], each.bytes / rates["memory_rate"])
        rows.append(
            {
                "name": each.name,
                "seconds": ours,
                "plain_seconds": plain[0] * each.plain_scale if plain else None,
                "share_of_limit": least / ours,
                "peak_bytes": peak_memory(each.ours, work.device),
            }
        )
    by_name = {row["name"]: row for row in rows}
    for kind in ("fp32", "bf16"):
        parts = [by_name[f"generator step, {kind}"], by_name["discriminator epoch"]]
        plain_parts = [part["plain_seconds"] for part in parts]
        total = {
            "name": f"whole round, {kind} (the sum of both)",
            "seconds": sum(part["seconds"] for part in parts),
            "plain_seconds": None if None in plain_parts else sum(plain_parts),
        }
        shares = sum(part["share_of_limit"] * part["seconds"] for part in parts)
        total["share_of_limit"] = shares / total["seconds"]
        total["peak_bytes"] = None
        rows.append(total)
    return rows


def _operations(config: SpeedConfig, work: Workload) -> list[Operation]:
    sizes, hidden = work.sizes, work.hidden
    module = plain_reference() if work.device.type == "cpu" else None
    plain = None if module is None else PlainWorkload(work, module)

    def of(whole: int, run: Callable[[PlainWorkload, int], None]) -> tuple[Any, float]:
        parts = max(1, round(config.plain_share * whole))
        return (None if plain is None else partial(run, plain, parts)), whole / parts

    def steps(whole: int, run: Callable[[int], None]) -> tuple[Any, float]:
        parts = max(1, round(config.epoch_share * whole))
        return partial(run, parts), whole / parts

    # A token: the LSTM's two products and the logits.
    token = 2 * (8 * hidden * hidden + hidden * sizes.vocabulary)
    judged = sizes.batch * (1 + sizes.rollouts * (sizes.length - 1))
    score, train = judge_work(sizes)
    rolls = of(sizes.rollouts, PlainWorkload.rollouts)
    rewards = of(sizes.rollouts, PlainWorkload.rewards)
    epoch = 3 * sizes.mle_steps * sizes.batch * sizes.length * token
    weights = sum(p.numel() for p in work.judge.parameters())
    rows = [
        Operation("rollouts", work.rollouts, 1, *rolls, sizes.tokens() * token, 0),
        Operation(
            f"sampling {sizes.samples:,} sequences",
            lambda: work.sampled(sizes.samples),
            1,
            *of(sizes.samples // sizes.batch, lambda p, n: p.sample(n * sizes.batch)),
            sizes.samples * sizes.length * token,
            0,
        ),
    ]
    for kind in ("fp32", "bf16"):
        for name, run in (("rewards", work.rewards), ("generator step", work.generator_step)):
            rows.append(
                Operation(
                    f"{name}, {kind}",
                    partial(run, kind),
                    1,
                    *rewards,
                    sizes.tokens() * token + judged * score,
                    0,
                )
            )
    rows += [
        Operation(
            f"MLE epoch, {sizes.mle_steps * sizes.batch:,} x {sizes.length} tokens",
            *steps(sizes.mle_steps, work.mle),
            *of(sizes.mle_steps, PlainWorkload.mle),
            epoch,
            0,
        ),
        Operation(
            "discriminator epoch",
            *steps(sizes.judge_steps, work.judge_training),
            *of(sizes.judge_steps, PlainWorkload.judge_training),
            sizes.judge_steps * 2 * sizes.judge_batch * train,
            # Weights, gradients and two moments are read, and all but the gradients written.
            sizes.judge_steps * 7 * 4 * weights,
        ),
    ]
    return rows


def judge_work(sizes: Sizes) -> tuple[float, float]:
    """Operations that the CNN takes at least for a sequence: scoring, and a training step.

    Scoring looks the convolutions up and only adds them; the rest are the highway's two products.
    Training multiplies every window with what lies of it inside the sequence, and the highway
    three times.
    """
    filters = [max(1, round(count * sizes.filter_share)) for count in PAPER_FILTERS]
    highway = 2 * 2 * sum(filters) ** 2
    inside = sum(
        count * min(width, sizes.length - start)
        for width, count in zip(PAPER_WIDTHS, filters, strict=True)
        for start in range(sizes.length)
    )
    return highway + inside, 3 * highway + 2 * 64 * inside


def losses(work: Workload) -> dict[str, float]:
    """The same losses on this device and on the CPU, and their difference."""
    here = _losses(work)
    other = Workload(work.sizes, torch.device("cpu"), work.seed, work.hidden)
    other.generator.load_state_dict(work.generator.state_dict())
    other.judge.load_state_dict(work.judge.state_dict())
    other.batch = work.batch.to("cpu")
    there = _losses(other)
    largest = max(abs(a - b) for a, b in zip(here, there, strict=True))
    return {"nll": here[0], "mean_logit": here[1], "largest_difference_to_cpu": largest}


@torch.no_grad()
def _losses(work: Workload) -> tuple[float, float]:
    scores = work.generator(work.batch)
    logit = work.judge.eval()(work.batch).mean()
    work.judge.train()
    return -float(scores.log_prob.mean()), float(logit)
