"""Molecules with a high drug-likeness (QED), beside what MLE gets for as many reward calls.

5,000 molecules of MOSES's training set are pretrained on once; then each seed is one
``seqgan finetune`` from that run, whose verdict brings best of n of MLE and MLE on the best tenth.

``python -m benchmarks.molecules qed --seeds 3`` writes `benchmarks/results/molecules-qed.json`,
``python -m benchmarks.molecules mask`` samples the same MLE run with the constraint ``smiles`` and
without it (`molecules-mask.json`); ``python -m benchmarks.molecules tables`` fills the page
`docs/molecules.md`.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from rollout import ConstrainedPolicy, Policy, generate
from seqgan.config import FinetuneConfig, RunConfig
from seqgan.data.codec import load_codec
from seqgan.data.smiles_prefixes import SmilesPrefixes
from seqgan.evaluation.objective import TITLES
from seqgan.metrics import wilson_interval
from seqgan.metrics.molecules import molecules
from seqgan.models import load_generator
from seqgan.pipeline import finetune, pretrain_only
from seqgan.runs.run_directory import RESULTS, RunDirectory

from .continued import begun, facts
from .prepared import written_molecules

__all__ = ["filled", "mask_table", "qed_table"]

HERE = Path(__file__).parent
OUTPUT, PAGE = HERE / "results", HERE.parent / "docs" / "molecules.md"
MOLECULES = 5_000
CORPUS = {"tokenizer": "smiles", "max_length": 64, "min_count": 1}
EVALUATION = {"num_samples": 1_000, "sweep_samples": 250, "resamples": 1_000}
MLE = {
    "corpus": CORPUS,
    "generator": {"architecture": "lstm", "embedding": 32, "hidden": 128, "dropout": 0.2},
    "pretrain": {"optimizer": {"learning_rate": 0.005}},
    "evaluation": EVALUATION,
}
"""Settings of the pretrained run."""
SAMPLED = 100
"""Samples with the constraint and without it."""
REWARDS = ["qed", "validity:0"]
"""QED is what is wanted, and 0 for a text that is no molecule; validity is only measured."""
TUNING = {
    "method": "rloo",
    "rewards": REWARDS,
    "algorithm": {"batch_size": 64, "kl_weight": 0.02, "optimizer": {"learning_rate": 0.001}},
    "adversarial": {"rounds": 10, "generator_steps": 15, "measure_every": 2, "patience": 0},
}
"""Settings of the fine-tuning, on top of those of the pretrained run."""


def command(folder: Path, seed: int) -> str:
    """The command line that does what a seed does."""
    return (
        f"seqgan finetune --run {folder.name} --method rloo --rewards qed validity:0 "
        "--algorithm.kl_weight 0.02 --algorithm.optimizer.learning_rate 0.001 "
        "--adversarial.rounds 10 --adversarial.generator_steps 15 --adversarial.measure_every 2 "
        f"--adversarial.patience 0 --seed {seed}"
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


def tuned(run: Path, seed: int, console: Console) -> dict[str, Any]:
    """Fine-tunes from a run with a seed; returns what is kept of it."""
    place = run.parent / f"qed-{seed}"
    settings: Any = {
        "data": str(run.parent / "molecules.smi"), "output_dir": str(place), "overwrite": True,
        "run": str(run), "seed": seed, **MLE, **TUNING,
    }  # fmt: skip
    before, begin = _seconds(), time.perf_counter()
    finetune(FinetuneConfig(**settings), run, console)
    results = RunDirectory.open(place).results()
    names = ("validity", "unique-molecules", "novel-molecules", "internal-diversity", "qed")
    return {
        "seed": seed,
        "seconds": round(time.perf_counter() - begin, 1),
        "processor_seconds": round(_seconds() - before, 1),
        "objective": results["objective"],
        "scores": {
            model: [score for score in scores if score["name"] in names]
            for model, scores in results["scores"].items()
        },
    }


def _seconds() -> float:
    """Seconds of the processor that this process has had, its threads' among them."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def qed(folder: Path, seeds: int, output: Path) -> None:
    """Runs the seeds that are not done; the results are written after each."""
    console = Console(stderr=True)
    run, place = pretrained(folder, console), output / "molecules-qed.json"
    content = begun(
        place, "seeds", molecules=MOLECULES, rdkit=metadata.version("rdkit"),
        one_seed=command(run, 0), pretraining=RunDirectory.open(run).results()["pretraining"],
    )  # fmt: skip
    done = {each["seed"] for each in content["seeds"]}
    for seed in range(seeds):
        if seed not in done:
            content["seeds"].append(tuned(run, seed, console))
            _write(place, content)


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
    _write(output / "molecules-mask.json", content)


def _sampled(name: str, policy: Policy, codec: Any, seed: int) -> dict[str, Any]:
    begin = _seconds()
    drawn = generate(policy, SAMPLED, rng=torch.Generator().manual_seed(seed))
    seconds = _seconds() - begin
    texts = codec.texts(drawn)
    valid = sum(each is not None for each in molecules(texts))
    return {
        "constraint": name, "valid": valid, "distinct": len({*texts}),
        "tokens": int(drawn.lengths.sum()), "processor_seconds": round(seconds, 2),
    }  # fmt: skip


def mask_table(content: dict[str, Any]) -> str:
    """Samples with the constraint and without it, in Markdown."""
    lines = [
        "| constraint | valid | distinct | processor time per sample, ms | new prefixes |",
        "|---|---:|---:|---:|---:|",
    ]
    count = content["samples"]
    for row in content["rows"]:
        low, high = wilson_interval(row["valid"] / count, count, 0.95)
        name = f"smiles, draw {row['draw']}" if "draw" in row else "none"
        lines.append(
            f"| {name} | {row['valid'] / count:.1%} [{low:.1%}, {high:.1%}] | "
            f"{row['distinct'] / count:.1%} | {1000 * row['processor_seconds'] / count:.1f} | "
            f"{row.get('prefixes', 0):,} |"
        )
    return "\n".join(lines)


def qed_table(content: dict[str, Any]) -> str:
    """Models by their mean reward over the seeds, in Markdown."""
    seeds, lines = content["seeds"], []
    for name, title in TITLES.items():
        rows = [row for each in seeds for row in each["objective"]["rows"] if row["name"] == name]
        if not rows:
            continue
        low, high = min(row["low"] for row in rows), max(row["high"] for row in rows)
        valid = [row["terms"]["validity"] for row in rows]
        ends = [wilson_interval(share, EVALUATION["num_samples"], 0.95) for share in valid]
        between = f"[{min(low for low, _ in ends):.1%}, {max(high for _, high in ends):.1%}]"
        qeds = [row["reward"] / max(v, 1e-9) for row, v in zip(rows, valid, strict=True)]
        cells = [
            title, f"{_mean(row['reward'] for row in rows):.3f} [{low:.3f}, {high:.3f}]",
            f"{_mean(valid):.1%} {between}", f"{_mean(qeds):.3f}",
            *(f"{_mean(row[key] for row in rows):.1%}" for key in ("unique", "novel")),
            f"{_mean(row['kl'] for row in rows):.1f}",
            f"{_mean(row['calls'] for row in rows):,.0f}",
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    head = (
        "| model | QED, 0 if invalid | valid | QED of valid ones | distinct | new | KL from MLE, "
        "nats | reward calls |"
    )
    labels = ", ".join(each["objective"]["label"] for each in seeds)
    seconds = [each["processor_seconds"] for each in seeds]
    return "\n".join(
        [
            head, "|---|---:|---:|---:|---:|---:|---:|---:|", *lines, "",
            f"{len(seeds)} seeds of fine-tuning from one MLE run ({MOLECULES:,} molecules): means "
            "over the seeds; in brackets the ends of their 95% intervals, the lowest and the "
            f"highest. Verdicts: {labels}. Processor time of a seed, all arms and metrics: "
            f"{min(seconds):.0f} to {max(seconds):.0f} s.",
        ]
    )  # fmt: skip


def _mean(values: Any) -> float:
    found = list(values)
    return sum(found) / len(found)


def filled(page: str, tables: dict[str, str]) -> str:
    """A page with its tables made again, from ``<!-- molecules: NAME -->`` to ``<!-- end -->``."""
    for name, table in tables.items():
        first = f"<!-- molecules: {name} -->\n"
        before, mark, rest = page.partition(first)
        _, end, after = rest.partition("<!-- end -->")
        page = f"{before}{mark}\n{table}\n\n{end}{after}" if mark and end else page
    return page


def _read(place: Path) -> dict[str, Any] | None:
    if not place.is_file():
        return None
    found: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
    return found


def _write(place: Path, content: dict[str, Any]) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Measures, or fills the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", choices=("qed", "mask", "tables"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path("runs/molecules"))
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    if options.task == "qed":
        qed(options.folder, options.seeds, options.output)
        return
    if options.task == "mask":
        mask(options.folder, options.output)
        return
    tables = {"qed": qed_table, "mask": mask_table}
    found = {
        name: table(content)
        for name, table in tables.items()
        if (content := _read(options.output / f"molecules-{name}.json")) is not None
    }
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")


if __name__ == "__main__":
    main()
