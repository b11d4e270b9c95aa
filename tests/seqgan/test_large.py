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


def peak(folder: Path, count: int) -> int:
    """The most memory in bytes that a run on `count` strings of 20 to 56 letters takes."""
    rng = random.Random(count)
    lines = ("".join(rng.choices("CNOSclnos()=123", k=rng.randint(20, 56))) for _ in range(count))
    path = folder / f"{count}.txt"
    path.write_text("\n".join(lines))
    arguments = [
        "run", "--data", str(path), "--output_dir", str(folder / f"run-{count}"), "--size",
        "smoke", "--corpus.num_train", "0", "--corpus.tokenizer", "characters",
        "--corpus.max_length", "60", "--pretrain.epoch_steps", "20", "--critic.negatives",
        "500", "--evaluation.num_real", "500", "--evaluation.num_validation", "200",
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", RUN, *arguments], cwd=ROOT, capture_output=True, text=True
    )
    code, kilobytes = done.stdout.split()[-2:]
    assert code == "0", done.stderr[-2000:]
    return int(kilobytes) * 1024


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is in /proc")
def test_a_million_and_a_half_sequences_fit_into_4_gb(tmp_path):
    small, large = peak(tmp_path, 20_000), peak(tmp_path, 220_000)
    a_sequence = (large - small) / 200_000
    # the ids alone are 8 bytes a column, 57 of them, so it cannot be less
    assert 57 * 8 < a_sequence < 1_800, a_sequence
    assert small + 1_580_000 * a_sequence < 4 * 1024**3
