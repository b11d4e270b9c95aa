"""Files of a few lines: ``data`` and ``run`` accept and refuse the same ones."""

from __future__ import annotations

import json
import random

import pytest

from seqgan.cli.main import main
from tests.seqgan.tiny import without_report

SMALLEST = 10


def tried(capsys, command, path, *flags):
    """The exit code of a command, and what it says is wrong."""
    code = main([command, *(["--data"] if command == "run" else []), str(path), *flags])
    return code, capsys.readouterr().err.replace(str(path), "FILE")


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """A run ends where its data are read; what comes then costs time."""
    monkeypatch.setattr(
        "seqgan.pipeline.running._pretrained", lambda *_: pytest.skip("not reached")
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("lines", "flags", "message"),
    [
        (["the same line"] * 500, [], "FILE: 500 lines, 1 distinct: 10 distinct ones are the"),
        ([f"line {i}" for i in range(SMALLEST - 1)], [], "FILE: 9 lines, 9 distinct: 10 distinct"),
        ([f"a{i} b{i}" for i in range(9)], [], "no token of FILE occurs 2 times"),
        ([f"line {i}" for i in range(40)], ["--corpus.heldout_share", "0"],
         "FILE: 0 heldout sequences (4 are needed): give more data, or raise --corpus.heldout_"),
        ([f"line {i}" for i in range(40)], ["--corpus.heldout_share=0", "--corpus.test_share=0"],
         "0 heldout sequences (4 are needed), 0 test sequences (2 are needed)"),
        ([f"a{i // 2}b" for i in range(40)], [], "holds no token of the splits"),
    ],
)  # fmt: skip
def test_data_and_run_refuse_the_same_files(capsys, quick, lines, flags, message):
    path = quick / "a.txt"
    path.write_text("\n".join(lines) + "\n")
    found = [tried(capsys, command, path, *flags) for command in ("data", "run")]
    assert found[0] == found[1] and found[0][0] == 2 and message in found[0][1]


@pytest.mark.parametrize("count", [SMALLEST, 30, 300])
def test_data_and_run_accept_the_same_files(capsys, monkeypatch, tmp_path, count):
    """Ten distinct lines are enough, and a size's number of sequences is no demand."""
    path = tmp_path / "a.txt"
    path.write_text("".join(f"word{i} is w{i % 7} and v{i % 5}\n" for i in range(count)))
    assert tried(capsys, "data", path) == (0, "")
    if count == SMALLEST:
        without_report(monkeypatch)
        flags = ["--size", "smoke", "--output_dir", str(tmp_path / "run"), "--device", "cpu"]
        capsys.readouterr()
        assert main(["run", "--data", str(path), *flags]) == 0
        printed = capsys.readouterr().out
        report = json.loads((tmp_path / "run" / "results.json").read_text())["data"]
        assert [split["sequences"] for split in report["splits"].values()] == [2, 2, 4, 2]
        for text in ("unknown tokens (<unk>) are ", "too few to tell models apart"):
            assert text in " ".join(report["warnings"]) and text in printed


def test_samples_have_one_line_per_sequence(capsys, tmp_path):
    """Sequences with line ends in them are learned, sampled, written and measured."""
    rng = random.Random(0)
    path, run, out = tmp_path / "a.csv", tmp_path / "run", tmp_path / "samples.txt"
    rows = ["".join(rng.choices("ab\n ", k=6)) for _ in range(60)]
    path.write_text("text\n" + "".join(f'"{row}"\n' for row in rows))
    flags = ["--data", str(path), "--corpus.column", "text", "--corpus.tokenizer", "characters"]
    assert main(["pretrain", *flags, "--size", "smoke", "--output_dir", str(run)]) == 0
    assert main(["sample", "--run", str(run), "--number", "50", "--output", str(out)]) == 0
    lines = out.read_text(encoding="utf-8").split("\n")
    assert len(lines) == 51 and lines[-1] == "" and any("\u2424" in line for line in lines)
    for name in ("real", "mle"):
        written = (run / "samples" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
        sizes = json.loads((run / "results.json").read_text())["data"]["splits"]
        assert len(written) == sizes["test"]["sequences"]
    cut = [f"--{name} characters".split() for name in ("bleu_tokenizer", "self_bleu_tokenizer")]
    real = str(run / "samples" / "real.txt")
    scores = tmp_path / "scores.json"
    arguments = ["evaluate", "--samples", str(out), "--references", real, *cut[0], *cut[1]]
    assert main([*arguments, "--resamples", "9", "--output", str(scores)]) == 0
    (length,) = [s for s in json.loads(scores.read_text())["samples"] if s["name"] == "length"]
    assert length["n"] == 50
