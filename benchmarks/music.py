"""Irish jigs asked for by key: MLE, fine-tuned by the share of notes in key, and real tunes.

``python -m benchmarks.music``, with the options of `single_run`. Needs the extra ``[music]``.
Writes scores, the verdict, piano rolls of samples, and the first sample of the fine-tuned model
that has 16 bars, as MIDI.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seqgan.data.music.codec import MusicCodec, piano_roll
from seqgan.data.music.midi import write_midi
from seqgan.pipeline import RunResult
from seqgan.runs.files import write_json

from .single_run import options_of, single_run

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
    options = options_of(__doc__)
    result, texts, facts = single_run("music", SETTINGS, SHOWN, options)
    number = _keep_a_tune(result, texts, options.pictures)
    more = {
        "data": result.data.report,
        "labels": list(result.data.conditions.labels),
        "objective": result.results["objective"],
        "tune": {"sample": number, "text": texts[number]},
    }
    write_json(options.output, {**facts, **more})


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
