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
import resource
import time
from collections.abc import Callable
from functools import partial
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

__all__ = ["filled", "goal_table", "mask_table", "settings_table"]

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
GOALS = {
    "qed": ("QED", ["qed", "validity:0"]),
    "jnk3": ("JNK3", ["benchmarks.forest:jnk3", "validity:0"]),
}
"""For each goal its title and rewards. The first is wanted, and 0 for a text that is no molecule;
validity is only measured."""
ROUNDS = {"rounds": 10, "generator_steps": 15, "measure_every": 2, "patience": 0}
"""150 steps of 64 samples, and 250 samples for each of six measurements: 11,100 reward calls."""
TUNINGS: dict[str, dict[str, Any]] = {
    "once": {
        "method": "rloo",
        "algorithm": {"batch_size": 64, "kl_weight": 0.02, "optimizer": {"learning_rate": 0.001}},
        "adversarial": ROUNDS,
    },
    "reused": {
        "method": "rloo",
        "algorithm": {
            "batch_size": 64, "loss": "clipped", "updates": 4, "kl_weight": 0.01,
            "optimizer": {"learning_rate": 0.001},
        },
        "adversarial": ROUNDS,
    },
    "remembered": {
        "method": "reinvent",
        "algorithm": {
            "batch_size": 64, "updates": 3, "replay": {"size": 100, "batch": 32},
            "diversity": {"bucket": 1}, "optimizer": {"learning_rate": 0.001},
        },
        "adversarial": ROUNDS,
    },
    "imitated": {
        "method": "distill",
        "algorithm": {
            "beta": 20.0, "samples": 1600, "refresh": 100, "real_share": 0.0,
            "optimizer": {"learning_rate": 0.001, "schedule": "constant"},
        },
        "adversarial": {**ROUNDS, "generator_steps": 60},
    },
}  # fmt: skip
"""Settings of the fine-tuning by name, on top of those of the pretrained run, with as many reward
calls each: every batch used once, every batch used four times, REINVENT's loss and memory with
every batch used three times, and MLE on the policy's own samples weighted by exp(20 QED), six times
1,600 of them."""
KEPT = "once"
"""The settings of the table of models."""


def command(folder: Path, seed: int, name: str = KEPT, goal: str = "qed") -> str:
    """The command line that does what a seed does with settings of `TUNINGS`."""
    tuning = TUNINGS[name]
    flags = " ".join(_flags({key: tuning[key] for key in ("algorithm", "adversarial")}))
    return (
        f"seqgan finetune --run {folder.name} --method {tuning['method']} --rewards "
        f"{' '.join(GOALS[goal][1])} {flags} --seed {seed}"
    )


def _flags(settings: dict[str, Any], before: str = "--") -> list[str]:
    """The settings as flags of the command line."""
    found = []
    for key, value in settings.items():
        if isinstance(value, dict):
            found += _flags(value, f"{before}{key}.")
        else:
            found.append(f"{before}{key} {value}")
    return found


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
    before, begin = _seconds(), time.perf_counter()
    finetune(FinetuneConfig(**settings), run, console)
    results = RunDirectory.open(place).results()
    names = ("validity", "unique-molecules", "novel-molecules", "internal-diversity", "qed")
    return {
        "seed": seed,
        "settings": name,
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


def _columns(goal: str) -> str:
    title = GOALS[goal][0]
    return (
        f"{title}, 0 if invalid | valid | {title} of valid ones | distinct | new | KL from MLE, "
        "nats | reward calls |"
    )


RULE = "|---|---:|---:|---:|---:|---:|---:|---:|"


def goal_table(content: dict[str, Any], goal: str) -> str:
    """Models by their mean reward over the seeds, in Markdown."""
    seeds = [each for each in content["seeds"] if each["settings"] == KEPT]
    lines = [_line(title, found) for name, title in TITLES.items() if (found := _rows(seeds, name))]
    labels = ", ".join(each["objective"]["label"] for each in seeds)
    seconds = [each["processor_seconds"] for each in seeds]
    return "\n".join(
        [
            f"| model | {_columns(goal)}", RULE, *lines, "",
            f"{len(seeds)} seeds of fine-tuning from one MLE run ({MOLECULES:,} molecules): means "
            "over the seeds; in brackets the ends of their 95% intervals, the lowest and the "
            f"highest. Verdicts: {labels}. Processor time of a seed, all arms and metrics: "
            f"{min(seconds):.0f} to {max(seconds):.0f} s.",
        ]
    )  # fmt: skip


def settings_table(content: dict[str, Any]) -> str:
    """Fine-tuned models of seed 0 by their settings, and the best of n, in Markdown."""
    seeds = [each for each in content["seeds"] if each["seed"] == 0]
    lines = [
        _line(f"`{name}`", found)
        for name in TUNINGS
        if (found := _rows([x for x in seeds if x["settings"] == name], "finetuned"))
    ]
    return "\n".join([f"| settings | {_columns('qed')}", RULE, *lines])


def _rows(seeds: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """The rows of a model in all seeds."""
    return [row for each in seeds for row in each["objective"]["rows"] if row["name"] == name]


def _line(title: str, rows: list[dict[str, Any]]) -> str:
    """A line of a table: means over the seeds."""
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
    return "| " + " | ".join(cells) + " |"


def _mean(values: Any) -> float:
    found = list(values)
    return sum(found) / len(found)


TABLES: dict[str, tuple[str, Callable[[dict[str, Any]], str]]] = {
    **{goal: (goal, partial(goal_table, goal=goal)) for goal in GOALS},
    "settings": ("qed", settings_table),
    "mask": ("mask", mask_table),
}
"""For each table the file of results that it is made from, and its maker."""


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
