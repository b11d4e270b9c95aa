"""Irish jigs asked for by key: MLE, fine-tuned by the share of notes in key, and real tunes.

    python -m benchmarks.music --output benchmarks/results/music.json --pictures docs/images

Needs the extra ``[music]``. Writes scores, the verdict, piano rolls of samples, and the first
sample of the fine-tuned model that has 16 bars, as MIDI.
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
from seqgan.data.music.codec import MusicCodec, piano_roll
from seqgan.data.music.midi import write_midi
from seqgan.pipeline import RunResult, run
from seqgan.runs.files import write_json

from .results import machine

__all__ = ["main"]

BARS = 16
SETTINGS: dict[str, Any] = {
    "data": "irish",
    "method": "rloo",
    "size": "quick",
    "rewards": [{"name": "in_key"}],
    "device": "cpu",
    "trackers": [],
    "corpus": {"label": True, "meter": "6/8", "bars": BARS},
    "generator": {"architecture": "lstm", "hidden": 160, "dropout": 0.3},
    "pretrain": {"epochs": 40, "batch_size": 32},
    "evaluation": {"sweep_samples": 300, "num_samples": 200},
}
SHOWN = (
    "nll", "pitch-class-distance", "pitch-classes", "scale-consistency", "key-accuracy",
    "note-density", "bar-repetition", "bars", "repetition-4", "longest-copied", "copied", "unique",
)  # fmt: skip


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
            shutil.copy(source, options.pictures / f"music-{name}.png")
        texts = (path / "samples" / "finetuned.txt").read_text(encoding="utf-8").splitlines()
    number = _keep_a_tune(result, texts, options.pictures)
    environment = {key: value for key, value in machine().items() if key != "command"}
    write_json(
        options.output,
        {
            "command": f"python -m benchmarks.music --seed {options.seed}",
            "environment": environment,
            "seed": options.seed,
            "settings": SETTINGS,
            "seconds": round(seconds, 1),
            "processor_seconds": round(spent, 1),
            "data": result.data.report,
            "labels": list(result.data.conditions.labels),
            "scores": {
                model: {
                    score.name: {"value": score.value, "interval": score.interval, "n": score.n}
                    for score in found
                    if score.name in SHOWN
                }
                for model, found in result.scores.items()
            },
            "objective": result.results["objective"],
            "tune": {"sample": number, "text": texts[number]},
        },
    )


def _keep_a_tune(result: RunResult, texts: list[str], folder: Path) -> int:
    """Writes the first sample of `BARS` bars or more as MIDI and picture; returns its number."""
    codec = result.data.codec
    assert isinstance(codec, MusicCodec)
    for number, text in enumerate(texts):
        (tune,) = codec.tunes_of([text.split()])
        if len(tune.meters) >= BARS:
            (folder / "music-tune.mid").write_bytes(write_midi([tune]))
            (folder / "music-tune.png").write_bytes(piano_roll([tune]))
            return number
    raise SystemExit(f"no sample has {BARS} bars")


if __name__ == "__main__":
    main()
