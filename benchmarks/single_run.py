"""One run as a measurement: its options, its pictures, and the facts that every result file has.

python -m benchmarks.digits --output benchmarks/results/digits.json --pictures docs/images
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from seqgan.config import RunConfig
from seqgan.pipeline import RunResult, run

from .continued import facts

__all__ = ["SingleRun", "options_of", "single_run"]


class SingleRun(NamedTuple):
    """A run that ended.

    Attributes:
        result: of the run.
        texts: the fine-tuned model's samples.
        facts: command, machine, seed, settings, times and scores, for the result file.
    """

    result: RunResult
    texts: list[str]
    facts: dict[str, Any]


def options_of(description: str | None, methods: Sequence[str] = ()) -> argparse.Namespace:
    """The options ``--output``, ``--pictures`` and ``--seed`` of the command line.

    Args:
        description: of the program.
        methods: choices of ``--method``, the default first; none: there is no such option.
    """
    parser = argparse.ArgumentParser(description=(description or "").split("\n")[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    if methods:
        parser.add_argument("--method", choices=methods, default=methods[0])
    return parser.parse_args()


def single_run(
    name: str, settings: dict[str, Any], shown: Sequence[str], options: argparse.Namespace,
    models: Sequence[str] = ("real", "mle", "finetuned"),
) -> SingleRun:  # fmt: skip
    """Runs settings once, on one thread, and keeps the pictures of samples.

    Args:
        name: of its pictures ``NAME-real.png``, ``-mle``, ``-finetuned``.
        settings: of the run.
        shown: the scores that are kept.
        options: as of `options_of`.
        models: whose samples are kept as pictures.
    """
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        path, begun = Path(folder) / "run", time.perf_counter()
        result = run(RunConfig(**settings, seed=options.seed, output_dir=str(path)))
        seconds, spent = time.perf_counter() - begun, time.process_time()
        samples = path / "samples"
        for model in models:
            shutil.copy(samples / f"{model}.png", options.pictures / f"{name}-{model}.png")
        texts = (samples / "finetuned.txt").read_text(encoding="utf-8").splitlines()
    scores = {
        model: {
            score.name: {"value": score.value, "interval": score.interval, "n": score.n}
            for score in found
            if score.name in shown
        }
        for model, found in result.scores.items()
    }
    found = facts(
        seed=options.seed, settings=settings, seconds=round(seconds, 1),
        processor_seconds=round(spent, 1), scores=scores,
    )  # fmt: skip
    return SingleRun(result, texts, found)
