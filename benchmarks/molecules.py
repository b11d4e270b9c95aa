"""Molecules with a high drug-likeness (QED), beside what MLE gets for as many reward calls.

5,000 molecules of MOSES's training set are pretrained on once; then each seed is one
``seqgan finetune`` from that run, whose verdict brings best of n of MLE and MLE on the best tenth.

``python -m benchmarks.molecules qed --seeds 3`` writes `benchmarks/results/molecules-qed.json`;
``--settings`` names other settings of the fine-tuning, for the same file. ``jnk3`` instead of
``qed`` does the same for the predicted activity against JNK3 (see `forest`).
``python -m benchmarks.molecules mask`` samples the same MLE run with the constraint ``smiles`` and
without it (`molecules-mask.json`); ``python -m benchmarks.molecules tables`` fills the page
`docs/molecules.md`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from rollout import ConstrainedPolicy, Policy, generate
from seqgan.config import FinetuneConfig, RunConfig
from seqgan.data.codec import load_codec
from seqgan.data.smiles_prefixes import SmilesPrefixes
from seqgan.evaluation.reward_rows import TITLES
from seqgan.metrics.molecules import molecules
from seqgan.models import load_generator
from seqgan.pipeline import finetune, pretrain_only
from seqgan.runs.files import write_json
from seqgan.runs.run_directory import RESULTS, RunDirectory

from .continued import begun, facts
from .flags import flags_of
from .molecule_settings import GOALS, KEPT, MLE, MOLECULES, SAMPLED, TUNINGS
from .molecule_tables import OUTPUT, PAGE, TABLES, filled
from .prepared import written_molecules

__all__ = ["command", "main"]


def command(folder: Path, seed: int, name: str = KEPT, goal: str = "qed") -> str:
    """The command line that does what a seed does with settings of `TUNINGS`."""
    tuning = TUNINGS[name]
    chosen = flags_of({key: tuning[key] for key in ("algorithm", "adversarial")})
    flags = " ".join(f"{flag} {value}" for flag, value in chosen)
    return (
        f"seqgan finetune --run {folder.name} --method {tuning['method']} --rewards "
        f"{' '.join(GOALS[goal][1])} {flags} --seed {seed}"
    )


def pretrained(folder: Path, console: Console) -> Path:
    """The MLE run on the molecules, made if it is not there; returns its folder."""
    place = folder / "mle"
    if not (place / RESULTS).is_file():
        folder.mkdir(parents=True, exist_ok=True)
        data = written_molecules(folder / "molecules.smi", MOLECULES)
        settings: Any = {"data": data, "output_dir": str(place), "resume": "auto", **MLE}
        pretrain_only(RunConfig(**settings), console)
    return place


def tuned(run: Path, goal: str, seed: int, name: str, console: Console) -> dict[str, Any]:
    """Fine-tunes from a run with a seed and settings of `TUNINGS`; returns what is kept of it."""
    place = run.parent / f"{goal}-{name}-{seed}"
    settings: Any = {
        "data": str(run.parent / "molecules.smi"), "output_dir": str(place), "overwrite": True,
        "run": str(run), "seed": seed, "rewards": GOALS[goal][1], **MLE, **TUNINGS[name],
    }  # fmt: skip
    before, begin = time.process_time(), time.perf_counter()
    finetune(FinetuneConfig(**settings), run, console)
    results = RunDirectory.open(place).results()
    names = ("validity", "unique-molecules", "novel-molecules", "internal-diversity", "qed")
    return {
        "seed": seed,
        "settings": name,
        "seconds": round(time.perf_counter() - begin, 1),
        "processor_seconds": round(time.process_time() - before, 1),
        "arm_seconds": arm_seconds(RunDirectory.open(place).read_log()),
        "objective": results["objective"],
        "scores": {
            model: [score for score in scores if score["name"] in names]
            for model, scores in results["scores"].items()
        },
    }


def arm_seconds(log: Iterable[dict[str, Any]]) -> dict[str, float]:
    """Seconds of the wall clock that each arm of a fine-tuning took.

    Of the fine-tuned model: its rounds, with the choice of the state. Of the best of n: sampling
    and judging. Of MLE on the best tenth: judging the data, training, and its samples.

    Args:
        log: the lines of `metrics.jsonl`.
    """
    lines = list(log)
    chosen = [line["time"] for line in lines if line["stage"] == "validation"]
    ends = [line["time"] for line in lines if line["stage"] == "verdict"]
    found = {"finetuned": chosen[-1] - chosen[0]}
    if len(ends) == len(TITLES):
        found |= {"best-of-n": ends[1] - ends[0], "best-tenth": ends[2] - ends[1]}
    return {name: round(seconds, 1) for name, seconds in found.items()}


def objective(goal: str, folder: Path, seeds: int, names: list[str], output: Path) -> None:
    """Runs the seeds and settings that are not done; the results are written after each."""
    console = Console(stderr=True)
    run, place = pretrained(folder, console), output / f"molecules-{goal}.json"
    content = begun(
        place, "seeds", molecules=MOLECULES, rdkit=metadata.version("rdkit"),
        commands={name: command(run, 0, name, goal) for name in TUNINGS},
        pretraining=RunDirectory.open(run).results()["pretraining"],
    )  # fmt: skip
    done = {(each["settings"], each["seed"]) for each in content["seeds"]}
    for name in names:
        for seed in range(seeds):
            if (name, seed) not in done:
                content["seeds"].append(tuned(run, goal, seed, name, console))
                write_json(place, content)


def mask(folder: Path, output: Path) -> None:
    """Samples MLE without the constraint, and three times with it: its answers are remembered."""
    run = RunDirectory.open(pretrained(folder, Console(stderr=True)))
    policy = load_generator(run.checkpoint("mle") / "generator").emitting()
    codec: Any = load_codec(run.path, policy.spec)
    rule = SmilesPrefixes(codec)
    rows = [_sampled("none", policy, codec, 0)]
    for draw in range(3):
        known = len(rule._rows)
        row = _sampled("smiles", ConstrainedPolicy(policy, rule), codec, draw)
        rows.append({**row, "draw": draw + 1, "prefixes": len(rule._rows) - known})
    content = {
        **facts(samples=SAMPLED, rdkit=metadata.version("rdkit")), "rows": rows,
    }  # fmt: skip
    write_json(output / "molecules-mask.json", content)


def _sampled(name: str, policy: Policy, codec: Any, seed: int) -> dict[str, Any]:
    begin = time.process_time()
    drawn = generate(policy, SAMPLED, rng=torch.Generator().manual_seed(seed))
    seconds = time.process_time() - begin
    texts = codec.texts(drawn)
    valid = sum(each is not None for each in molecules(texts))
    return {
        "constraint": name, "valid": valid, "distinct": len({*texts}),
        "tokens": int(drawn.lengths.sum()), "processor_seconds": round(seconds, 2),
    }  # fmt: skip


def _read(place: Path) -> dict[str, Any] | None:
    if not place.is_file():
        return None
    found: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
    return found


def main() -> None:
    """Measures, or fills the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", choices=(*GOALS, "mask", "tables"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--settings", nargs="+", choices=TUNINGS, default=[KEPT])
    parser.add_argument("--folder", type=Path, default=Path("runs/molecules"))
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    if options.task in GOALS:
        objective(options.task, options.folder, options.seeds, options.settings, options.output)
        return
    if options.task == "mask":
        mask(options.folder, options.output)
        return
    found = {
        name: table(content)
        for name, (file, table) in TABLES.items()
        if (content := _read(options.output / f"molecules-{file}.json")) is not None
    }
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")


if __name__ == "__main__":
    main()
