"""Memory of a whole run, as it grows with the number of sequences."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUN = """
import re, sys
from pathlib import Path
from seqgan.cli.main import main

code = main(sys.argv[1:])
# What getrusage gives counts the process that this one was started from as well.
print(code, re.search("VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


PIECES = ("C", "CC(C)C", "C(=O)N", "OCC", "Cc1ccc(cc1)", "CN(C)C", "CC(F)C")


def letters(rng: random.Random) -> str:
    return "".join(rng.choices("CNOSclnos()=123", k=rng.randint(20, 56)))


def molecule(rng: random.Random) -> str:
    return "".join(rng.choices(PIECES, k=rng.randint(4, 9)))


def peak(folder: Path, count: int, command: str, tokenizer: str) -> int:
    """The most memory in bytes that a command on `count` strings of some 20 to 60 letters takes."""
    rng = random.Random(count)
    write = letters if tokenizer == "characters" else molecule
    path = folder / f"{count}.txt"
    path.write_text("\n".join(write(rng) for _ in range(count)))
    arguments = [
        command, "--data", str(path), "--output_dir", str(folder / f"run-{count}"), "--size",
        "smoke", "--corpus.num_train", "0", "--corpus.tokenizer", tokenizer,
        "--corpus.max_length", "80", "--pretrain.epoch_steps", "20",
        "--evaluation.num_real", "500", "--evaluation.num_validation", "200",
    ]  # fmt: skip
    if command == "run":
        arguments += ["--critic.negatives", "500"]
    done = subprocess.run(
        [sys.executable, "-c", RUN, *arguments], cwd=ROOT, capture_output=True, text=True
    )
    code, kilobytes = done.stdout.split()[-2:]
    assert code == "0", done.stderr[-2000:]
    return int(kilobytes) * 1024


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is in /proc")
@pytest.mark.parametrize(
    ("command", "tokenizer"),
    [("run", "characters"), ("pretrain", "smiles"), ("pretrain", "selfies")],
)
def test_a_million_and_a_half_sequences_fit_into_4_gb(command, tokenizer, tmp_path):
    if tokenizer == "selfies":
        pytest.importorskip("selfies", reason="the extra molecules is not installed")
    small, large = (peak(tmp_path, count, command, tokenizer) for count in (20_000, 120_000))
    a_sequence = (large - small) / 100_000
    # the ids alone are 8 bytes a column, 40 of them at least, so it cannot be less
    assert 40 * 8 < a_sequence < 1_800, a_sequence
    assert small + 1_580_000 * a_sequence < 4 * 1024**3
