"""Runs beside each other: marks worked out by hand, other data, and the files."""

from __future__ import annotations

import csv
import io
import json
import shlex
from dataclasses import asdict
from pathlib import Path

import pytest

from seqgan.cli.main import main
from seqgan.config import RunConfig
from seqgan.report.side_by_side import side_by_side
from seqgan.runs.run_directory import FORMAT, RunDirectory

A, B, C = 0, 1, 2
# direction, then value and interval of three runs, and which of them are best
SCORES = {
    "nll": ("lower", [(2.0, 1.9, 2.1), (2.05, 1.95, 2.15), (2.5, 2.4, 2.6)], {A, B}),
    "bleu-4": ("higher", [(0.5, 0.45, 0.55), (0.7, 0.65, 0.75), (0.6, 0.58, 0.64)], {B}),
    "unique": ("higher", [(0.9, 0.8, 1.0), (0.95, 0.85, 1.0), (0.97, 0.9, 1.0)], set()),
    "entropy": ("none", [(1.0, 0.9, 1.1), (2.0, 1.9, 2.1), (3.0, 2.9, 3.1)], set()),
    "fed": ("lower", [(1.0,), (1.0,), (2.0,)], {A, B}),
    "js": ("lower", [(0.3, 0.2, 0.4), (0.1, 0.05, 0.15), None], {B}),
}


def score(name: str, place: int, **signature: object) -> list[dict]:
    direction, values, _ = SCORES[name]
    if values[place] is None:
        return []
    value, *interval = values[place]
    parts = {"metric": name, "n": 100, "seed": place, "version": f"0.{place}", **signature}
    return [{
        "name": name, "value": value, "interval": interval or None, "n": 100,
        "direction": direction, "signature": "|".join(f"{k}:{v}" for k, v in parts.items()),
    }]  # fmt: skip


def run(folder: Path, place: int, data: str = "abc", **signature: object) -> RunDirectory:
    """A finished run, made by hand."""
    made = RunDirectory.create(folder / "abc"[place], asdict(RunConfig()), overwrite=False)
    scores = [each for name in SCORES for each in score(name, place, **signature)]
    results = {
        "format": FORMAT, "source": "lines.txt", "seed": place, "scores": {"mle": [], "real": []},
        "verdict": {"label": "better"} if place else None,
    }  # fmt: skip
    results["scores"]["finetuned" if place else "mle"] = scores
    (made.path / "results.json").write_text(json.dumps(results))
    (made.path / "data.json").write_text(json.dumps({"fingerprint": data}))
    return made


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path()


def printed(capsys, command: str) -> str:
    capsys.readouterr()
    assert main(shlex.split(command)) == 0
    return str(capsys.readouterr().out)


def test_the_best_respects_direction_and_interval(here):
    found = side_by_side([run(here, place) for place in (A, B, C)])
    assert found.best == {name: best for name, (_, _, best) in SCORES.items()}
    assert not found.warnings
    assert [column.model for column in found.columns] == ["mle", "finetuned", "finetuned"]


def test_the_table_marks_them(here, capsys):
    for place in (A, B, C):
        run(here, place)
    shown = printed(capsys, "compare a b c")
    row = next(line for line in shown.splitlines() if "held-out NLL" in line)
    assert "2.000 ± 0.100 *" in row and "2.050 ± 0.100 *" in row and "2.500 ± 0.100 *" not in row
    assert "best: better than some other run" in shown and "warning" not in shown


def test_different_data_are_said_and_nothing_is_best(here, capsys):
    run(here, A), run(here, B), run(here, C, data="other")
    shown = " ".join(printed(capsys, "compare a b c --output t.json").split())
    assert "warning: Different data: a, b on lines.txt (abc); c on lines.txt (other)." in shown
    assert "*" not in shown
    content = json.loads(Path("t.json").read_text())
    assert len(content["warnings"]) == 1
    assert not any(score["best"] for run in content["runs"] for score in run["scores"])


def test_scores_that_were_measured_differently_are_not_ranked(here, capsys):
    run(here, A), run(here, B, n=200)
    shown = " ".join(printed(capsys, "compare a b").split())
    assert "warning: Measured differently in these runs" in shown and "nll, bleu-4" in shown
    assert not any(side_by_side([RunDirectory(n) for n in "ab"]).best.values())


def test_markdown_csv_and_json(here, capsys):
    for place in (A, B, C):
        run(here, place)
    for ending in ("md", "csv", "json"):
        printed(capsys, f"compare a b c --output out/table.{ending}")
    lines = Path("out/table.md").read_text(encoding="utf-8").splitlines()
    assert "|  | a | b | c |" in lines
    assert "| BLEU-4 ↑ | 0.500 ± 0.050 | **0.700 ± 0.050** | 0.600 ± 0.030 |" in [
        line.replace("bleu-4", "BLEU-4") for line in lines
    ]
    assert "| data | lines.txt | lines.txt | lines.txt |" in lines
    rows = list(csv.DictReader(io.StringIO(Path("out/table.csv").read_text())))
    assert len(rows) == 3 * len(SCORES) - 1
    found = {(row["run"], row["metric"]): row for row in rows}
    assert (found["b", "js"]["value"], found["b", "js"]["low"], found["b", "js"]["best"]) == (
        "0.1", "0.05", "True",
    )  # fmt: skip
    assert found["a", "fed"]["low"] == "" and found["a", "nll"]["model"] == "mle"
    content = json.loads(Path("out/table.json").read_text())
    assert [each["run"] for each in content["runs"]] == ["a", "b", "c"]
    one = {score["name"]: score for score in content["runs"][1]["scores"]}
    assert one["bleu-4"]["best"] and one["bleu-4"]["interval"] == [0.65, 0.75]
    assert not one["unique"]["best"]


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("table.txt", "--output: table.txt ends in none of .md, .csv, .json"),
        ("there.md", "--output: there.md exists already"),
    ],
)
def test_outputs_that_cannot_be(here, capsys, output, message):
    run(here, A), run(here, B)
    Path("there.md").write_text("mine")
    assert main(["compare", "a", "b", "--output", output]) == 2
    assert message in capsys.readouterr().err
    assert Path("there.md").read_text() == "mine"
