"""Handwritten digits asked for by label: how well a classifier reads them, and the verdict.

``python -m benchmarks.digits``, with the options of `single_run`. Needs the extra ``[digits]``.
Writes the scores of MLE, the fine-tuned model and real digits, the verdict, and grids of samples.
"""

from __future__ import annotations

from typing import Any

from seqgan.runs.files import write_json

from .single_run import options_of, single_run

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
    options = options_of(__doc__)
    result, _, facts = single_run("digits", SETTINGS, SHOWN, options)
    assert result.answer is not None
    more = {
        "splits": result.data.report["splits"],
        "verdict": result.answer.label,
        "sentence": result.answer.sentence,
    }
    write_json(options.output, {**facts, **more})


if __name__ == "__main__":
    main()
