"""Each option of training against its absence, three seeds, on the caption grammar.

    python -m benchmarks.training_options --output training-options.json --smiles molecules.smi
    python -m benchmarks.training_options --only precision --output precision.json

A precision is measured like an option of MLE, by the NLL of test sequences (in 32 bits), on
``--device``; those that the device does not have are left out.

An option of MLE is measured by the NLL of test sequences, one of the discriminator by its held-out
gain against MLE's samples (nats per sequence), one of the rounds by the Jensen-Shannon divergence
from the grammar after them. A second task is letters in two styles beside the captions, measured by
the NLL of test captions; random SMILES need a file of molecules, and are left out without
``--smiles``. The difference is the option's value minus that of the same seed
without it. An option is named measurable if Student's interval of its mean difference over the
seeds does not hold 0; with three seeds that takes a large effect, and of many options one in twenty
would be so named by chance.

Runs that are in the output file already are not done again, so the command continues where it was
ended. After the first run of each kind it says how long all of them will take.
"""

from __future__ import annotations

import argparse
import functools
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from rollout import Sequences
from rollout.completion import policy_device
from rollout.modules import frozen_copy, own_copy
from seqgan.config import RunConfig
from seqgan.config.recipes import merge
from seqgan.data.dataset import Dataset
from seqgan.data.sources import run_data
from seqgan.evaluation.models import Evaluator
from seqgan.evaluation.significance import student_mean
from seqgan.evaluation.sweep import Sweep
from seqgan.metrics.catalogue import JENSEN_SHANNON
from seqgan.metrics.likelihood import token_nll
from seqgan.models import Generator, make_generator
from seqgan.runs.files import write_json, write_text
from seqgan.seeding import derive_seed
from seqgan.training.accelerators import set_matmul_precision
from seqgan.training.critic_pretraining import pretrain_critic
from seqgan.training.fine_tuning import FineTuning
from seqgan.training.pretrain import pretrain
from seqgan.training.runtime import Runtime, make_accelerator

from .continued import begun
from .training_data import SIZES, of_molecules, of_tasks

__all__ = ["OPTIONS", "SIZES", "Option", "main", "table"]


class Option(NamedTuple):
    """An option of training.

    Attributes:
        stage: key of `MEASURES`: what is trained with it, and how it is measured.
        settings: on top of the size's.
        devices: that have it.
    """

    stage: str
    settings: Mapping[str, Any]
    devices: tuple[str, ...] = ("cpu", "cuda")


def _mle(**settings: Any) -> Option:
    return Option("mle", {"pretrain": settings})


def _optimizer(**settings: Any) -> Option:
    return _mle(optimizer=settings)


def _augmented(*names: str) -> Option:
    return Option("discriminator", {"critic": {"augment": list(names)}})


def _plateau(metric: str) -> dict[str, Any]:
    return {"optimizer": {"schedule": "plateau", "plateau_metric": metric}}


OPTIONS: dict[str, Option] = {
    "Adam": _optimizer(name="adam", weight_decay=0.0),
    "RAdam": _optimizer(name="radam"),
    "Lookahead (5 steps)": _optimizer(lookahead_steps=5),
    "constant learning rate": _optimizer(schedule="constant"),
    "cosine schedule": _optimizer(schedule="cosine", decay_steps=1_500),
    "linear schedule": _optimizer(schedule="linear", decay_steps=1_500),
    "warm-up (100 steps)": _optimizer(warmup_steps=100),
    "plateau of the training NLL": _mle(**_plateau("train_nll")),
    "averaged weights (0.99)": _optimizer(average_decay=0.99),
    "label smoothing (0.1)": _mle(label_smoothing=0.1),
    "scheduled sampling (0.25)": _mle(scheduled_sampling=0.25, scheduled_sampling_steps=500),
    "bf16": Option("precision", {"precision": "bf16"}),
    "fp16": Option("precision", {"precision": "fp16"}, ("cuda",)),
    "TF32": Option("precision", {"matmul_precision": "high"}, ("cuda",)),
    "token dropout": _augmented("token_dropout"),
    "swapped neighbours": _augmented("swap"),
    "window crop": _augmented("window_crop"),
    "masked tokens": _augmented("mask"),
    "reversal": _augmented("reversal"),
    "a function of the user's (halves)": _augmented("benchmarks.training_data:halves"),
    "plateau of the held-out gain": Option("discriminator", {"critic": _plateau("heldout_gain")}),
    "smoothed label of real sequences (0.1)": Option(
        "discriminator", {"critic": {"label_smoothing": 0.1}}
    ),
    "averaged discriminator (0.99)": Option(
        "discriminator", {"critic": {"optimizer": {"average_decay": 0.99}}}
    ),
    "mixed loss (0.5)": Option("rounds", {"algorithm": {"mle_weight": 0.5}}),
    "averaged policy (0.9)": Option("rounds", {"algorithm": {"optimizer": {"average_decay": 0.9}}}),
    "plateau of the NLL": Option("rounds", {"algorithm": _plateau("nll")}),
    "a second task": Option("tasks", {}),
    "random SMILES": Option(
        "molecules", {"critic": {"augment": ["random_smiles"], "augment_generated": False}}
    ),
}
"""The options by name; the baseline of each stage is the size's own settings (AdamW, plateau)."""
BASELINE = "without"
MEASURES = {
    "mle": "test NLL, nats per token (lower is better)",
    "precision": "test NLL after MLE, nats per token (lower is better)",
    "discriminator": "held-out gain, nats per sequence (higher is better)",
    "rounds": "Jensen-Shannon after the rounds, nats per sequence (lower is better)",
    "tasks": "NLL of test captions, nats per token (lower is better)",
    "molecules": "held-out gain on molecules, nats per sequence (higher is better)",
}


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--size", choices=SIZES, default="quick")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", choices=MEASURES, help="options of one stage")
    parser.add_argument("--smiles", help="file with a SMILES string per line")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    fixed = {"size": options.size, "device": options.device, "smiles": options.smiles}
    content = begun(options.output, **fixed)
    stages = [options.only] if options.only else list(MEASURES)
    if options.smiles is None:
        stages = [stage for stage in stages if stage != "molecules"]
    jobs = [
        (stage, name, seed)
        for seed in range(options.seeds)
        for stage in stages
        for name in (BASELINE, *_names(stage, options.device))
    ]
    _work(jobs, content, options.output)
    text = table(content["runs"])
    write_text(options.output.with_suffix(".md"), text)
    print(text)


def _names(stage: str, device: str) -> list[str]:
    """The options of a stage that a device has."""
    return [
        name
        for name, option in OPTIONS.items()
        if option.stage == stage and device in option.devices
    ]


def _work(jobs: list[tuple[str, str, int]], content: dict[str, Any], output: Path) -> None:
    """Does the runs that are not in the file yet, and writes it after each."""
    runs = content["runs"]
    done = {(each["stage"], each["option"], each["seed"]) for each in runs}
    left = [job for job in jobs if job not in done]
    told = set()
    for number, (stage, name, seed) in enumerate(left):
        started = time.monotonic()
        value = _value(stage, name, seed, content)
        seconds = time.monotonic() - started
        runs.append({
            "stage": stage, "option": name, "seed": seed, "value": value,
            "seconds": round(seconds, 1),
        })  # fmt: skip
        write_json(output, content)
        print(f"{stage}, {name}, seed {seed}: {value:.4f} ({seconds:.0f} s)", flush=True)
        if stage not in told:
            told.add(stage)
            same = sum(each[0] == stage for each in left[number + 1 :])
            minutes = same * seconds / 60
            print(f"estimate: {same} more runs of {stage}, {minutes:.1f} minutes", flush=True)


def _value(stage: str, name: str, seed: int, content: Mapping[str, Any]) -> float:
    """The measurement of a run."""
    size, device = content["size"], content["device"]
    if stage == "tasks":
        more = {"size": "quick", "seed": seed, "device": device}
        config, data, test = of_tasks(name != BASELINE, SIZES[size], **more)
        return _nll(_trained(config, data), test)
    own = {} if name == BASELINE else OPTIONS[name].settings
    file = content["smiles"] if stage == "molecules" else None
    base = settings_of(size, file)
    config = RunConfig(seed=seed, device=device, **merge(base, own))
    if stage in ("mle", "precision"):
        data = run_data(config)
        return _nll(_trained(config, data), data.test)
    plain, data = _plain(seed, size, device, file)
    generator, runtime = own_copy(plain), _runtime(config)
    work = FineTuning(config, data, generator, frozen_copy(plain), runtime)
    if stage != "rounds":
        assert work.critic is not None
        pretrain_critic(work.critic, runtime)
        count = 2 * len(data.heldout)
        fresh = work.critic.draw(count, runtime.rng("benchmark", "fresh"), data.heldout)
        gain: float = work.critic.figures(fresh, fresh)["heldout_gain"]
        return gain
    work.run(Sweep(data, config.evaluation, seed).validate)
    scores, _ = Evaluator(data, config.evaluation, seed).model(generator, "tuned")
    return next(score.value for score in scores if score.name == JENSEN_SHANNON)


def _nll(model: Generator, test: Sequences) -> float:
    """The NLL of sequences in 32 bits, however the model was trained."""
    device = policy_device(model)
    set_matmul_precision(device, "highest")
    return token_nll(model, test.to(device))


def settings_of(size: str, smiles: str | None = None) -> dict[str, Any]:
    """The settings of a size, on the caption grammar or on a file of molecules."""
    found = {"size": "quick", **SIZES[size]}
    return found if smiles is None else of_molecules(found, smiles)


@functools.cache
def _plain(seed: int, size: str, device: str, smiles: str | None) -> tuple[Generator, Dataset]:
    """The generator after MLE without any option, from which later stages begin."""
    config = RunConfig(seed=seed, device=device, **settings_of(size, smiles))
    data = run_data(config)
    return _trained(config, data), data


def _trained(config: RunConfig, data: Dataset) -> Generator:
    """A generator after MLE."""
    seed = derive_seed(config.seed, "generator")
    generator = make_generator(config.generator, data.spec, seed)
    pretrain(generator, data.train, data.validation, config.pretrain, _runtime(config))
    return generator


def _runtime(config: RunConfig) -> Runtime:
    """Device and precision of a run."""
    accelerator = make_accelerator(config.device, config.precision, trackers=())
    set_matmul_precision(accelerator.device, config.matmul_precision)
    return Runtime(accelerator, config.seed)


def table(runs: list[dict[str, Any]]) -> str:
    """The options in Markdown: value, difference with its interval over seeds, and what it says."""
    lines = []
    for stage, measure in MEASURES.items():
        values = {(each["option"], each["seed"]): each["value"] for each in runs
                  if each["stage"] == stage}  # fmt: skip
        names = list(dict.fromkeys(name for name, _ in values))
        if not names:
            continue
        lines += [f"**{stage}**: {measure}", "", "| option | mean | difference | |"]
        lines.append("|---|---|---|---|")
        for name in names:
            seeds = [seed for other, seed in values if other == name and (BASELINE, seed) in values]
            mean = np.mean([values[name, seed] for seed in seeds])
            if name == BASELINE:
                lines.append(f"| {name} | {mean:.4f} | | |")
                continue
            differences = [values[name, seed] - values[BASELINE, seed] for seed in seeds]
            lines.append(f"| {name} | {mean:.4f} | {_difference(differences)} |")
        lines.append("")
    return "\n".join(lines)


def _difference(differences: list[float]) -> str:
    """Mean, interval over seeds, and if 0 lies outside it."""
    mean = float(np.mean(differences))
    if len(differences) < 2:
        return f"{mean:+.4f} | one seed"
    _, low, high, _ = student_mean(differences)
    found = "measurable" if low > 0 or high < 0 else "nothing measurable"
    return f"{mean:+.4f} [{low:+.4f}, {high:+.4f}] | {found}"


if __name__ == "__main__":
    main()
