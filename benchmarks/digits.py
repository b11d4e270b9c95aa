"""Handwritten digits asked for by label: how well a classifier reads them, and the verdict.

``python -m benchmarks.digits --method NAME``, with the options of `single_run`. Needs the extra
``[digits]``. Writes the scores of MLE, the fine-tuned model and real digits, the verdict, and
grids of samples. All methods have the same MLE model:

* ``seqgan-logodds``: against a discriminator, whose log-odds are the reward.
* ``ratio``: towards three other MLE models, whose log ratio to the policy is the reward.
* ``minimax-gan``: from noise, without MLE, which is there for the comparison alone.
"""

from __future__ import annotations

from typing import Any

from seqgan.runs.files import write_json

from .single_run import options_of, single_run

__all__ = ["SETTINGS", "main", "settings_of"]

SETTINGS: dict[str, Any] = {
    "data": "digits",
    "size": "quick",
    "device": "cpu",
    "trackers": [],
    "corpus": {"label": True},
    "generator": {"architecture": "lstm", "hidden": 192, "dropout": 0.3, "grid": True},
}
NOISE = 16
"""Numbers that the generator of a GAN from noise is given; no other reads any."""
METHODS = ("seqgan-logodds", "ratio", "minimax-gan")
SHOWN = (
    "nll", "entropy", "picture-distance", "class-accuracy", "class-confidence", "copied", "unique",
)  # fmt: skip


def settings_of(method: str) -> dict[str, Any]:
    """The settings of a run by this method."""
    settings = {**SETTINGS, "method": method}
    if method == "minimax-gan":
        settings["generator"] = {**SETTINGS["generator"], "noise": NOISE}
    return settings


def main() -> None:
    """The command line."""
    options = options_of(__doc__, METHODS)
    name, models = "digits", ["real", "mle", "finetuned"]
    if options.method != METHODS[0]:  # its real digits, and its MLE, are those of the first
        name, models = f"digits-{options.method}", ["finetuned"]
    result, _, facts = single_run(name, settings_of(options.method), SHOWN, options, models)
    assert result.answer is not None
    more = {
        "splits": result.data.report["splits"],
        "adversarial": result.results["adversarial"],
        "verdict": result.answer.label,
        "sentence": result.answer.sentence,
    }
    write_json(options.output, {**facts, **more})


if __name__ == "__main__":
    main()
