"""Several processes: what they make together, and how they end."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from seqgan.cli.main import main
from seqgan.training.processes import Part, launcher

from ...small import tiny_language_model
from ..shared_generators import all_generators
from ..shared_seeds import all_ends
from ..shared_steps import shared_steps
from ..tiny import STEPS, TINY, outcome, weights, without_report

ROOT = Path(__file__).parents[3]
LAUNCH = [
    sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2",
    "--monitor-interval", "0.1", "-m",
]  # fmt: skip
pytestmark = pytest.mark.skipif(
    not torch.distributed.is_available() or not hasattr(signal, "SIGKILL"),
    reason="torch without gloo, or a system that is not POSIX",
)


def start(words: list[str]) -> subprocess.Popen:
    environment = {k: v for k, v in os.environ.items() if k not in ("RANK", "WORLD_SIZE")}
    return subprocess.Popen(
        [*LAUNCH, *words], cwd=ROOT, env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def launched(words: list[str], timeout: float = 400) -> tuple[int, str, str]:
    """Two processes: the launcher's exit code, and what all of them wrote."""
    process = start(words)
    try:
        out, error = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.terminate()
        raise AssertionError(f"does not end: {process.communicate()}") from None
    return process.returncode, out, error


def our_lines(error: str) -> list[str]:
    """What the toolkit says there; the launcher has words of its own."""
    return [line for line in error.splitlines() if line.startswith("seqgan: ")]


def test_the_parts_of_a_mean():
    mask = torch.arange(4)[None, :] < torch.tensor([4, 1, 2])[:, None]
    whole, one, none = Part(0, 3, 3), Part(1, 2, 3), Part(0, 0, 3)
    mean = torch.tensor(6.0)
    assert whole.of_sequences(mean) is mean and whole.of_tokens(mean, mask) is mean
    assert one.rows == slice(1, 3) and one.of_sequences(mean) == 4  # 2 sequences of 3
    assert one.of_tokens(mean, mask) == pytest.approx(6 * 3 / 7)  # 3 tokens of 7
    assert none.rows == slice(0, 1)
    assert none.of_sequences(mean) == 0 == none.of_tokens(mean, mask)


def test_the_words_to_go_on_with(monkeypatch):
    assert launcher() == ["seqgan"]
    for name, value in (("LOCAL_RANK", 0), ("WORLD_SIZE", 4), ("LOCAL_WORLD_SIZE", 4)):
        monkeypatch.setenv(name, str(value))
    assert launcher() == "torchrun --nproc_per_node 4 -m seqgan".split()
    monkeypatch.setenv("WORLD_SIZE", "8")
    assert " ".join(launcher()) == (
        "torchrun --nnodes 2 --rdzv_backend c10d --rdzv_endpoint HOST:29500 --nproc_per_node 4 "
        "-m seqgan"
    )


def test_what_is_the_work_of_one_process(monkeypatch, capsys, tmp_path):
    for name, value in (("RANK", 0), ("LOCAL_RANK", 0), ("WORLD_SIZE", 2), ("LOCAL_WORLD_SIZE", 2)):
        monkeypatch.setenv(name, str(value))
    assert main(["sample", "--run", str(tmp_path)]) == 2
    assert "seqgan sample runs in one process" in capsys.readouterr().err


def test_two_processes_are_one(tmp_path):
    code, _, error = launched(["tests.seqgan.shared_steps", str(tmp_path / "two")])
    assert code == 0, error
    one = shared_steps()
    two = load_file(tmp_path / "two.safetensors")
    assert set(two) == set(one.weights) and two["mle/head.weight"].dtype == torch.float64
    for name, value in one.weights.items():
        assert torch.allclose(value, two[name], rtol=0, atol=1e-6), name
    numbers, calls = json.loads((tmp_path / "two.json").read_text())
    assert numbers == pytest.approx(one.numbers, abs=1e-6)
    # 5 steps of 7 sequences, and 30 samples: each is judged once, in one of the processes
    assert calls == one.calls
    assert calls == {"PolicyGradient": [35] * 2, "RatioUpdates": [35] * 2, "Distillation": [30] * 2}
    moved = one.weights["other/head.weight"] - one.weights["mle/head.weight"]
    assert moved.abs().max() > 0.01  # there was something to be the same


@pytest.mark.slow
def test_two_processes_train_every_generator_as_one_does(tmp_path):
    file = tmp_path / "weights.safetensors"
    model = tiny_language_model()
    code, _, error = launched(["tests.seqgan.shared_generators", str(file), model])
    assert code == 0, error
    one, two = all_generators(model), load_file(file)
    assert one.keys() == two.keys()
    for key, value in one.items():
        assert torch.allclose(value.double(), two[key].double(), rtol=0, atol=1e-6), key


@pytest.mark.slow
def test_a_run_that_is_ended_and_goes_on_alone(tmp_path, monkeypatch, capsys):
    """A signal to one of two processes; then one process goes on."""
    path = tmp_path / "run"
    code, out, error = launched(
        ["tests.seqgan.shared_run", "signal", "1", "9", "run", *TINY, "--output_dir", str(path)]
    )
    assert code != 0
    (line,) = our_lines(error)
    place = f"{path}/checkpoints/step-00000010"  # the step that told the other process
    assert line == (
        f"seqgan: stopped by SIGTERM after 10 gradient steps; last good checkpoint: {place}; "
        f"resume with: torchrun --nproc_per_node 2 -m seqgan run --resume {path}"
    )
    assert out.count("MLE: 2 epochs") == 1  # one process speaks
    state = json.loads(Path(place, "state.json").read_text())
    assert state["phase"] == "critic" and state["steps"] == 10
    assert len(list(path.glob("events.out.tfevents*"))) == 1
    without_report(monkeypatch)
    assert main(["run", "--resume", str(path)]) == 0
    assert "warning: processes was 2 and is 1" in capsys.readouterr().out
    found = outcome(path)
    assert json.loads(found["results"])["verdict"]
    assert weights(path) and (path / "checkpoints/latest").read_text().startswith(
        f"step-{STEPS:08d}"
    )


CASES = {
    "a killed one": ("kill", "1", "12"),
    "a killed main one": ("kill", "0", "12"),
    "a broken reward": ("reward", "1", "14"),
    "a full disk": ("disk", "0", "12"),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_what_befalls_one_ends_all_and_the_run_goes_on(case, tmp_path, monkeypatch):
    path = tmp_path / "run"
    words = ["run", *TINY, "--output_dir", str(path), "--checkpoint.every_steps", "1"]
    code, _, error = launched(["tests.seqgan.shared_run", *CASES[case], *words])
    assert code != 0
    (line,) = {*our_lines(error)}  # of a reward both processes say the same
    assert line.startswith("seqgan: error: ")
    if case == "a broken reward":
        assert "raised ZeroDivisionError: no reward today" in line
    else:
        what = "checkpoint cannot be written" if case == "a full disk" else "another process"
        assert what in line
        good = re.search(r"last good checkpoint: \S+/step-000000(\d\d)", line)
        assert good is not None and int(good[1]) in (11, 12)
        assert line.endswith(
            f"resume with: torchrun --nproc_per_node 2 -m seqgan run --resume {path}"
        )
    assert not (path / "results.json").exists()
    without_report(monkeypatch)
    assert main(["run", "--resume", str(path)]) == 0
    assert (path / "results.json").is_file()
    assert not [p for p in path.rglob("*") if p.name.startswith(".")]


@pytest.mark.slow
def test_a_signal_to_the_launcher(tmp_path):
    path = tmp_path / "run"
    long = ["--pretrain.epochs", "100000", "--pretrain.early_stopping", "false"]
    process = start(["seqgan", "run", *TINY, *long, "--output_dir", str(path)])
    until = time.monotonic() + 300
    while not (path / "metrics.jsonl").exists() and time.monotonic() < until:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=200)
    lines = our_lines(error)
    assert len(lines) == 1 and lines[0].startswith("seqgan: stopped by SIGINT after ")
    assert len(list((path / "checkpoints").glob("step-*"))) == 1


@pytest.mark.slow
def test_two_processes_end_within_the_spread_of_seeds(tmp_path, capsys):
    """With dropout and in 32 bits, where they are not the same."""
    seeds = 8
    code, _, error = launched(
        ["tests.seqgan.shared_seeds", str(seeds), str(tmp_path / "two.json")], timeout=500
    )
    assert code == 0, error
    shared = json.loads((tmp_path / "two.json").read_text())
    alone, _ = all_ends(seeds)
    for name in alone[0]:
        one, two = ([each[name] for each in runs] for runs in (alone, shared))
        apart = statistics.mean(two) - statistics.mean(one)
        spread = math.hypot(statistics.stdev(one), statistics.stdev(two)) / math.sqrt(2)
        with capsys.disabled():
            print(
                f"{name}: {statistics.mean(one):.4f} by one process, {statistics.mean(two):.4f} by "
                f"two; standard deviation over seeds {spread:.4f}"
            )
        assert one != two
        assert abs(apart) < 3 * spread * math.sqrt(2 / seeds), name  # three standard errors


@pytest.mark.slow
def test_a_run_begun_alone_goes_on_with_two(tmp_path):
    path = tmp_path / "run"
    assert main(["pretrain", *TINY, "--output_dir", str(path)]) == 0
    words = ["tests.seqgan.shared_run", "none", "0", "0", "run", "--resume", str(path)]
    code, out, error = launched(words)
    assert code == 0, error
    assert "warning: processes was 1 and is 2" in out and out.count("Going on from") == 1
    assert json.loads((path / "results.json").read_text())["verdict"]


@pytest.mark.slow
def test_a_whole_run_and_a_wrong_one(tmp_path):
    path = tmp_path / "run"
    words = ["seqgan", "run", *TINY, "--output_dir", str(path)]
    code, out, error = launched(words)
    assert code == 0, error
    assert out.count("Verdict") == 1 and out.count("Report: ") == 1
    assert json.loads((path / "results.json").read_text())["verdict"]
    assert (path / "report.html").is_file()
    assert not [p for p in path.rglob("*") if p.name.startswith(".")]
    before = {p: p.stat().st_mtime_ns for p in path.rglob("*")}
    code, _, error = launched(words)  # the folder is not free: all of them come to that end
    (line,) = our_lines(error)
    assert code != 0 and "already holds a run" in line
    assert {p: p.stat().st_mtime_ns for p in path.rglob("*")} == before
