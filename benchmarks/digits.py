"""Handwritten digits asked for by label: how well a classifier reads them, and the verdict.

    python -m benchmarks.digits --output benchmarks/results/digits.json --pictures docs/images

Needs the extra ``[digits]``. Writes the scores of MLE, the fine-tuned model and real digits, the
verdict, and grids of samples.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from seqgan.config import RunConfig
from seqgan.pipeline import run
from seqgan.runs.files import write_json

from .results import machine

__all__ = ["main"]

SETTINGS: dict[str, Any] = {
    "data": "digits",
    "size": "quick",
    "device": "cpu",
    "trackers": [],
    "corpus": {"label": True},
    "generator": {"architecture": "lstm", "hidden": 192, "dropout": 0.3, "grid": True},
}
SHOWN = ("nll", "entropy", "picture-distance", "class-accuracy", "class-confidence", "copied")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        path, begun = Path(folder) / "run", time.perf_counter()
        result = run(RunConfig(**SETTINGS, seed=options.seed, output_dir=str(path)))
        seconds, spent = time.perf_counter() - begun, time.process_time()
        for name in ("real", "mle", "finetuned"):
            source = path / "samples" / f"{name}.png"
            shutil.copy(source, options.pictures / f"digits-{name}.png")
    scores = {
        model: {
            score.name: {"value": score.value, "interval": score.interval, "n": score.n}
            for score in found
            if score.name in SHOWN
        }
        for model, found in result.scores.items()
    }
    assert result.answer is not None
    environment = {key: value for key, value in machine().items() if key != "command"}
    write_json(
        options.output,
        {
            "command": f"python -m benchmarks.digits --seed {options.seed}",
            "environment": environment,
            "seed": options.seed,
            "settings": SETTINGS,
            "seconds": round(seconds, 1),
            "processor_seconds": round(spent, 1),
            "splits": result.data.report["splits"],
            "scores": scores,
            "verdict": result.answer.label,
            "sentence": result.answer.sentence,
        },
    )


if __name__ == "__main__":
    main()
