"""Conditional generation: is the answer what was asked for, by MLE and after fine-tuning?

    python -m benchmarks.conditional --output benchmarks/results/conditional.json

Three tasks: letters in two styles (a grammar), a toy translation (a grammar of pairs), and the
definitions of nouns and verbs in WordNet (real text). For each a small generator is trained by MLE
and fine-tuned with a discriminator that sees the condition. A label is found by a classifier that
learns from real sequences that the generator has not seen; its accuracy on real test sequences
stands beside it. Translations are greedy and compared with the test split's by sacreBLEU; there are
so few pairs to learn from that a small network makes mistakes.

Runs that are in the output file already are not done again, so the command continues where it was
ended.
"""

from __future__ import annotations

import argparse
import math
import shutil
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seqgan.config import RunConfig
from seqgan.config.recipes import merge
from seqgan.evaluation.significance import student_mean
from seqgan.metrics.catalogue import JENSEN_SHANNON
from seqgan.pipeline import run
from seqgan.runs.files import write_json, write_text

from .continued import begun

__all__ = ["SIZES", "TASKS", "main", "table"]

COMMON: dict[str, Any] = {
    "size": "quick",
    "device": "cpu",
    "trackers": [],
    "pretrain": {"optimizer": {"learning_rate": 0.01}},
    "discriminator": {"embedding": 32, "hidden": 32},
    "rewards": [{"name": "discriminator", "form": "log_odds"}],
    "algorithm": {"rollouts": 2, "batch_size": 64},
    "critic": {"steps": 200, "measure_every": 100},
    "adversarial": {"rounds": 8, "measure_every": 4},
}
TASKS: dict[str, dict[str, Any]] = {
    "styles": {
        "data": "styles",
        "corpus": {
            "num_train": 2_000, "num_validation": 300, "num_heldout": 300, "num_test": 500,
        },
        "generator": {"embedding": 32, "hidden": 64},
        "pretrain": {"epochs": 20},
    },
    "translation": {
        "data": "translation",
        "corpus": {
            "num_train": 500, "num_validation": 300, "num_heldout": 300, "num_test": 500,
        },
        "generator": {"embedding": 32, "hidden": 64},
        "pretrain": {"epochs": 20},
    },
    "wordnet": {
        "data": "wordnet",
        "corpus": {
            "label": "pos", "num_train": 4_000, "validation_share": 0.02, "heldout_share": 0.02,
            "test_share": 0.04,
        },
        "generator": {"embedding": 64, "hidden": 96},
        "pretrain": {"epochs": 12},
        "algorithm": {"rollouts": 0, "group_size": 8, "baseline": "leave_one_out"},
    },
}  # fmt: skip
"""Settings of each task, on top of what all have in common."""
SEEDS = {"styles": 3, "translation": 3, "wordnet": 3}
OF_SAMPLES = ("bleu-4", "self-bleu-4")
"""Scores of samples beside any real sequences; of pairs they would compare other questions."""
SIZES: dict[str, dict[str, Any]] = {
    "tiny": {
        "corpus": {"num_train": 60},
        "generator": {"embedding": 8, "hidden": 8},
        "pretrain": {"epochs": 1},
        "critic": {"steps": 2, "measure_every": 1},
        "algorithm": {"batch_size": 8},
        "adversarial": {"rounds": 1, "measure_every": 1, "critic_steps": 1},
        "evaluation": {"num_samples": 20, "sweep_samples": 20, "resamples": 20},
    },
    "small": {
        "evaluation": {
            "num_samples": 500, "sweep_samples": 500, "temperatures": [0.8, 1.0, 1.2],
            "control": False,
        },
    },
}  # fmt: skip
MODELS = ("real", "mle", "finetuned")
ASKED = ("label-accuracy", "pair-bleu", "pair-chrf")
IN_NATS = (JENSEN_SHANNON, "nll")
QUALITY = (JENSEN_SHANNON, "parses", "nll", "bleu-4", "self-bleu-4")


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--task", choices=TASKS, help="this task alone")
    parser.add_argument("--seeds", type=int, help="seeds of every task")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    content = begun(options.output, size=options.size)
    done = {(each["task"], each["seed"]) for each in content["runs"]}
    for task in [options.task] if options.task else TASKS:
        for seed in range(options.seeds or SEEDS[task]):
            if (task, seed) not in done:
                content["runs"].append(_run(task, seed, options.size))
                write_json(options.output, content)
                print(f"{task}, seed {seed}: {content['runs'][-1]['seconds']:.0f} s", flush=True)
    text = table(content["runs"])
    write_text(options.output.with_suffix(".md"), text)
    print(text)


def _run(task: str, seed: int, size: str) -> dict[str, Any]:
    """One run, and the scores that say if its answers are what was asked for."""
    settings = merge(merge(COMMON, TASKS[task]), SIZES[size])
    begun, spent, folder = time.perf_counter(), time.process_time(), tempfile.mkdtemp()
    try:
        result = run(RunConfig(**settings, seed=seed, output_dir=str(Path(folder) / "run")))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    scores = {
        model: {
            score.name: {"value": score.value, "interval": score.interval, "n": score.n}
            for score in found
            if score.name.partition("@")[0] in (*ASKED, *QUALITY)
            and not (task == "translation" and score.name in OF_SAMPLES)
        }
        for model, found in result.scores.items()
        if model in MODELS
    }
    signatures = [
        score.signature for score in result.scores["mle"] if score.name.startswith("pair-")
    ]
    return {
        "task": task, "seed": seed, "seconds": round(time.perf_counter() - begun, 1),
        "processor_seconds": round(time.process_time() - spent, 1), "scores": scores,
        "signatures": signatures,
    }  # fmt: skip


def table(runs: list[dict[str, Any]]) -> str:
    """The scores in Markdown: means over the seeds, with Student's interval of the mean.

    With one seed the interval is that of the score, over sequences.
    """
    lines = []
    for task in dict.fromkeys(each["task"] for each in runs):
        mine = [each for each in runs if each["task"] == task]
        plural = "s" * (len(mine) > 1)
        lines += [
            f"**{task}**, {len(mine)} seed{plural}",
            "",
            "| score | real | MLE | fine-tuned |",
        ]
        lines.append("|---|---|---|---|")
        names = [
            name for each in mine for model in MODELS for name in each["scores"].get(model, {})
        ]
        for name in _ordered(names):
            most = math.inf if name.partition("@")[0] in IN_NATS else 1.0
            cells = [_cell([each["scores"].get(model, {}).get(name) for each in mine], most)
                     for model in MODELS]  # fmt: skip
            lines.append(f"| {name} | {' | '.join(cells)} |")
        lines.append("")
        if mine[0]["signatures"]:
            lines += ["```text", *mine[0]["signatures"], "```", ""]
    return "\n".join(lines)


def _ordered(names: Iterable[str]) -> list[str]:
    """The names once each: what was asked for first, then the quality."""
    order = [*ASKED, *QUALITY]
    return sorted(dict.fromkeys(names), key=lambda name: order.index(name.partition("@")[0]))


def _cell(found: list[dict[str, Any] | None], most: float) -> str:
    """Mean over seeds and its interval, within 0 and `most`; nothing where there is no score."""
    known = [each for each in found if each is not None]
    if not known:
        return ""
    values = [each["value"] for each in known]
    mean = float(np.mean(values))
    if len(values) > 1:
        _, low, high, _ = student_mean(values)
    elif known[0]["interval"] is not None:
        low, high = known[0]["interval"]
    else:
        return f"{mean:.3f}"
    return f"{mean:.3f} [{max(low, 0.0):.3f}, {min(high, most):.3f}]"


if __name__ == "__main__":
    main()
