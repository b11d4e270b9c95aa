"""Tunes generators of the same number of parameters on a suite's data, each with the same budget.

    python -m benchmarks.tuning --data_dir data --output benchmarks/results/tuning-coco-iid.json

LSTM and Transformer of about as many parameters (the vocabulary's included) are trained with each
of a few learning rates and dropouts, for 600 steps, measured six times; the setting with the
lowest validation NLL is the network's. The settings of the arms `mle-lstm` and
`mle-transformer` in `benchmarks/suites/coco-iid.yaml` come from here. Trials that are in the output
file already are not done again.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from seqgan.config.recipes import merge
from seqgan.data.dataset import Dataset
from seqgan.models import make_generator
from seqgan.runs.files import write_json, write_text
from seqgan.seeding import derive_seed
from seqgan.training.pretrain import pretrain
from seqgan.training.runtime import Runtime, make_accelerator

from .cell import suite_data
from .continued import begun
from .files import data_folder, find_files
from .suite_files import load_suite

__all__ = ["NETWORKS", "main", "table"]

NETWORKS: dict[str, dict[str, Any]] = {
    "lstm": {"architecture": "lstm", "embedding": 128, "hidden": 256},
    "transformer": {"architecture": "transformer", "width": 160, "layers": 3, "heads": 4},
}
RATES = {"lstm": (0.002, 0.005, 0.01), "transformer": (0.001, 0.002, 0.004)}
DROPOUTS = (0.2, 0.4)
WARMUP = {"lstm": 0, "transformer": 100}
BUDGET: dict[str, Any] = {"pretrain": {"epochs": 6, "epoch_steps": 100, "patience": 6}}
"""Of each trial, on top of the suite's settings."""


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--data_dir", help="folder with the public files")
    parser.add_argument("--suite", default="coco-iid")
    parser.add_argument("--tiny", action="store_true", help="sizes of a test")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    content = begun(options.output, "trials", suite=options.suite, budget=BUDGET)
    suite = load_suite(options.suite)
    found = find_files(suite, data_folder(options.data_dir))
    settings = merge(suite.settings("standard", 0), BUDGET)
    if options.tiny:
        tiny = {"corpus": {"num_train": 40}, "pretrain": {"epochs": 1}}
        settings = merge(suite.settings("smoke", 0), tiny)
    done = {(each["network"], each["learning_rate"], each["dropout"]) for each in content["trials"]}
    with tempfile.TemporaryDirectory(prefix="seqgan-tuning-") as work:
        size = "smoke" if options.tiny else "standard"
        data = suite_data(suite, size, settings, found, Path(work))[1]
        for network in NETWORKS:
            for rate, dropout in itertools.product(RATES[network], DROPOUTS):
                if (network, rate, dropout) in done:
                    continue
                trial = _trial(network, rate, dropout, settings, data)
                content["trials"].append(trial)
                write_json(options.output, content)
                print(json.dumps(trial), flush=True)
    text = table(content["trials"])
    write_text(options.output.with_suffix(".md"), text)
    print(text)


def _trial(
    network: str, rate: float, dropout: float, settings: dict[str, Any], data: Dataset
) -> dict[str, Any]:
    """One training, and its best validation NLL."""
    from seqgan.config.reading import run_config

    optimizer = {"learning_rate": rate, "warmup_steps": WARMUP[network]}
    own = {
        **{key: value for key, value in settings.items() if key != "generator"},
        "generator": {**NETWORKS[network], "dropout": dropout},
    }
    config = run_config(merge(own, {"pretrain": {"optimizer": optimizer}}), "the trial")
    model = make_generator(config.generator, data.spec, derive_seed(config.seed, "generator"))
    begun = time.process_time()
    runtime = Runtime(make_accelerator("cpu", trackers=()), config.seed)
    work = pretrain(model, data.train, data.validation, config.pretrain, runtime)
    return {
        "network": network,
        "learning_rate": rate,
        "dropout": dropout,
        "parameters": sum(each.numel() for each in model.parameters()),
        "validation_nll": round(work.best_nll, 4),
        "processor_seconds": round(time.process_time() - begun, 1),
    }


def table(trials: list[dict[str, Any]]) -> str:
    """The trials in Markdown, the best of each network marked."""
    best = {
        network: min(
            (each["validation_nll"] for each in trials if each["network"] == network), default=None
        )
        for network in NETWORKS
    }
    lines = ["| network | parameters | learning rate | dropout | validation NLL | |"]
    lines.append("|---|---|---|---|---|---|")
    for each in trials:
        chosen = "best" if each["validation_nll"] == best[each["network"]] else ""
        lines.append(
            f"| {each['network']} | {each['parameters']:,} | {each['learning_rate']} | "
            f"{each['dropout']} | {each['validation_nll']:.4f} | {chosen} |"
        )
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
