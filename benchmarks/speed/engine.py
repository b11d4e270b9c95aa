"""`seqgan-bench speed`: rollouts, scoring and training steps against the plain way and the machine.

Every ratio is taken within one run, the two sides in turn. The plain way (`tests/plain.py`, part of
a checkout) does a part of each operation, and its time is scaled up: its cost is proportional to
the number of rollouts, sequences and steps. Epochs are scaled up from a part of their steps on
both sides.
"""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from rollout.completion import default_chunk_size
from seqgan.config.settings import Settings
from seqgan.errors import ConfigError
from seqgan.models.discriminators.base import multiplies_bfloat16
from seqgan.runs.run_directory import write_json, write_text
from seqgan.terminal import say

from ..results import shareable
from .evaluation import TINY as EVALUATION_TINY
from .evaluation import EvaluationSizes, evaluation
from .large import large
from .machine import Timer, gemm_rate, memory_rate
from .operations import Shares, operations
from .peer import Peer, beside
from .processes import sharing
from .scaling import eos_halves, memory_limits, scaling, stratification
from .tables import markdown
from .transformer import transformer
from .workload import TINY, Sizes, Workload, plain_reference

__all__ = ["SpeedConfig", "measure"]

PARTS = ("operations", "scaling", "memory", "stratified")
MORE_PARTS = (*PARTS, "processes", "transformer", "evaluation", "large")


@dataclass
class SpeedConfig(Settings):
    """Times of rollouts, scoring and training steps.

    Attributes:
        device: cpu or cuda.
        parts: what is measured: operations, scaling, memory, stratified. Others have to be asked
            for: processes, the steps of a run by one process and by several; transformer, that
            generator with and without its cache, and beside torch's own layers; evaluation, what
            takes the time at the end of a run; large, rollouts over 50,000 and 20,000 tokens.
        repeats: repetitions of every operation, of which the median counts.
        plain_share: the plain way does this share of an operation, scaled up.
        epoch_share: the toolkit does this share of an epoch's steps, scaled up.
        processes: how many share the work in the part of that name.
        peer: a checkout of TextGAN-PyTorch, which is timed beside the operations; none: no peer.
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
    peer: str | None = None
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
        if self.peer is not None and "operations" not in self.parts:
            raise ConfigError("--peer: it is timed beside the part operations: add it to --parts")
        if not 2 <= self.processes <= 1_000:
            raise ConfigError(f"--processes: {self.processes} is not in 2 .. 1,000")
        if self.repeats < 1:
            raise ConfigError(f"--repeats: {self.repeats} is below 1")
        for name in ("plain_share", "epoch_share"):
            if not 0 < getattr(self, name) <= 1:
                raise ConfigError(f"--{name}: {getattr(self, name)} is not in (0, 1]")


def measure(config: SpeedConfig, console: Console) -> dict[str, Any]:
    """Runs the measurements, prints the tables, and writes the figures.

    Raises:
        ConfigError: the device or the peer is not there.
    """
    if config.device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device: 'cuda' asked for, but torch sees no CUDA device")
    device = torch.device(config.device)
    timer = Timer(device)
    work = Workload(TINY if config.tiny else Sizes(), device, config.seed)
    peer = None if config.peer is None else Peer(config.peer, work)
    result = {"format": 1, "command": shareable(sys.argv), "seed": config.seed}
    result["machine"] = describe(device, work)
    result["gemm"], result["memory_rate"] = gemm_rate(timer), memory_rate(timer)
    if "operations" in config.parts:
        shares = Shares(config.plain_share, config.epoch_share, config.repeats)
        result["operations"] = rows = operations(shares, work, timer, result, console)
        if peer is not None:
            result["peer"] = beside(peer, rows, timer, config.repeats)
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
    if "evaluation" in config.parts:
        few = EVALUATION_TINY if config.tiny else EvaluationSizes()
        result["evaluation"] = evaluation(device, config.seed, few)
    if "large" in config.parts:
        result["large"] = large(device, timer, config.seed, config.repeats, config.tiny)
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
