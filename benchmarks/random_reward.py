"""The share of runs with a random reward that the verdict calls a success.

    python -m benchmarks.random_reward --data_dir data --output random-reward.json

Five seeds on each of four small data sets, at the size of ``--size quick``, with a random number
as the reward of the method itself. Such a run is right to say anything but *better*. Runs that are
in the output file already are not done again, so the command continues where it was ended.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from seqgan.config import RunConfig
from seqgan.config.recipes import merge
from seqgan.pipeline import run
from seqgan.runs.files import write_json

from .continued import begun

__all__ = ["main"]

LINES = 2_500
SOURCES = {
    "coco": ("coco_train.txt", {"tokenizer": "words"}),
    "news": ("emnlp_news_test.txt", {"tokenizer": "spaces", "max_length": 30, "too_long": "drop"}),
    "quatrains": ("quatrains.txt", {"tokenizer": "spaces"}),
    "grammar": (None, {"num_train": 2_000, "num_validation": 500, "num_test": 1_000}),
}
"""Data sets: a file of the data folder, of which the first lines are taken, or None for a source
that needs none; and how they are read."""
CHANGES = {
    "device": "cpu",
    "trackers": [],
    "rewards": ["random"],
    "critic": {"steps": 20, "measure_every": 20},
    "evaluation": {"num_samples": 1_000, "sweep_samples": 500},
}
"""On top of the size: the discriminator has no part in a random reward, and the samples are half
as many, so that a run takes a minute or two."""


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data_dir", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    content = begun(options.output)
    runs = content["runs"]
    for seed in range(options.seeds):
        for name in SOURCES:
            if any(each["data"] == name and each["seed"] == seed for each in runs):
                continue
            runs.append(_answer(name, seed, options.data_dir))
            print(_line(runs[-1]), flush=True)
            write_json(options.output, {**content, "summary": _summary(runs)})
    print(json.dumps(_summary(runs), indent=2))


def _answer(name: str, seed: int, folder: Path) -> dict[str, Any]:
    """One run, and what it says."""
    started = time.monotonic()
    file, corpus = SOURCES[name]
    with tempfile.TemporaryDirectory(prefix="random-reward-") as work:
        data = name
        if file is not None:
            data = str(Path(work) / file)
            with open(folder / file, encoding="utf-8") as lines:
                Path(data).write_text("".join(islice(lines, LINES)), encoding="utf-8")
        own = {"data": data, "seed": seed, "corpus": corpus, "output_dir": f"{work}/run"}
        result = run(RunConfig(size="quick", **merge(CHANGES, own))).results
    verdict, control = result["verdict"], result["control"]
    keys = ("label", "helped", "metric", "difference", "interval", "effect", "against_mle",
            "against_control", "mle_value")  # fmt: skip
    return {
        "data": name,
        "seed": seed,
        **{key: verdict[key] for key in keys},
        "pretraining": result["pretraining"]["state"],
        # what the headline would be if the reward did not give the run away
        "headline_but_for_the_reward": verdict["label"] == "better"
        and result["pretraining"]["state"] == "converged",
        "control_against_mle": control["against_mle"]["label"],
        "seconds": round(time.monotonic() - started, 1),
    }


def _line(found: dict[str, Any]) -> str:
    return (
        f"{found['data']} seed {found['seed']}: {found['label']} (MLE: {found['against_mle']}, "
        f"control: {found['against_control']}), difference {found['difference']}, MLE "
        f"{found['pretraining']}, {found['seconds']:.0f} s"
    )


def _summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Counts over all runs."""
    return {
        "runs": len(runs),
        "better than MLE alone": sum(each["against_mle"] == "better" for each in runs),
        "better": sum(each["label"] == "better" for each in runs),
        "headlines": sum(each["helped"] for each in runs),
        "headlines but for the reward": sum(each["headline_but_for_the_reward"] for each in runs),
        "MLE converged": sum(each["pretraining"] == "converged" for each in runs),
    }


if __name__ == "__main__":
    main()
