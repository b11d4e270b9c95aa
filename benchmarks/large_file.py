"""Memory and time of `seqgan data` and `seqgan pretrain` on a file of 1.58 million molecules.

``python -m benchmarks.large_file`` reads MOSES's training set out of the package `molsets` with the
tokenizers ``smiles`` and ``selfies``, each command in a process of its own, and writes
`benchmarks/results/large-file.json` after each; ``python -m benchmarks.large_file tables`` fills
the page `docs/molecules.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from seqgan.runs.files import write_json

from .continued import begun
from .molecule_tables import OUTPUT, PAGE, filled
from .prepared import training_molecules

__all__ = ["large_table", "main"]

RESULTS = OUTPUT / "large-file.json"
TOKENIZERS = ("smiles", "selfies")
CORPUS = ["--corpus.column", "SMILES", "--corpus.max_length", "80", "--corpus.min_count", "1"]
COMMANDS: dict[str, list[str]] = {
    "data": ["--examples", "1"],
    "pretrain": [
        "--pretrain.epochs", "3", "--pretrain.epoch_steps", "100", "--generator.hidden", "128",
    ],
}  # fmt: skip
"""The commands with their flags; three epochs of 100 steps."""


def measured(command: str, tokenizer: str, folder: Path) -> dict[str, Any]:
    """Runs a command on the file; returns its peak memory and its times.

    Raises:
        SystemExit: the command failed.
    """
    flags = [*CORPUS, "--corpus.tokenizer", tokenizer, *COMMANDS[command]]
    place = ["--output_dir", str(folder / tokenizer)] if command == "pretrain" else []
    begin = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "seqgan", command, "--data", str(training_molecules()), *flags]
        + place,
        stdout=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"seqgan {command} ended with {status}")
    return {
        "command": f"seqgan {command} train.csv.gz {' '.join(flags)}",
        "task": command,
        "tokenizer": tokenizer,
        "peak_gb": round(used.ru_maxrss * 1024 / 1e9, 3),
        "processor_seconds": round(used.ru_utime + used.ru_stime, 1),
        "seconds": round(time.perf_counter() - begin, 1),
    }


def large_table(content: dict[str, Any]) -> str:
    """Peak memory and times in Markdown."""
    lines = ["| command | tokenizer | peak memory, GB | processor time, s |", "|---|---|---:|---:|"]
    for row in content["runs"]:
        lines.append(
            f"| `seqgan {row['task']}` | `{row['tokenizer']}` | {row['peak_gb']:.2f} | "
            f"{row['processor_seconds']:,.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measures, or fills the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", choices=("measure", "tables"), nargs="?", default="measure")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    if options.task == "tables":
        content = json.loads(options.output.read_text(encoding="utf-8"))
        page = filled(PAGE.read_text(encoding="utf-8"), {"large": large_table(content)})
        PAGE.write_text(page, encoding="utf-8")
        return
    content = begun(options.output)
    done = {(row["tokenizer"], row["task"]) for row in content["runs"]}
    with tempfile.TemporaryDirectory() as folder:
        for tokenizer in TOKENIZERS:
            for command in COMMANDS:
                if (tokenizer, command) not in done:
                    content["runs"].append(measured(command, tokenizer, Path(folder)))
                    write_json(options.output, content)


if __name__ == "__main__":
    main()
