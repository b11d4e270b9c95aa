"""Result files that are gone on with, and the commands that they name."""

from __future__ import annotations

import json
import sys

import pytest

from benchmarks.continued import begun, facts
from benchmarks.results import shareable
from benchmarks.training_options import main


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"python": "2.7"}, "rows of another python (2.7; now"),
        ({"git": {"commit": "0", "changed": False}}, "rows of another git"),
        ({}, "rows of another size (tiny; now quick)"),
    ],
)
def test_rows_of_two_machines_are_not_mixed(tmp_path, capsys, other, message):
    content = {**facts(size="quick" if other else "tiny"), "runs": []}
    content["environment"] |= other
    path = tmp_path / "found.json"
    path.write_text(json.dumps(content))
    with pytest.raises(SystemExit) as stopped:
        main(["--output", str(path), "--seeds", "1", "--size", "quick"])
    assert stopped.value.code == 2 and message in capsys.readouterr().err
    assert json.loads(path.read_text()) == content


def test_a_file_is_gone_on_with_by_the_same(tmp_path):
    path = tmp_path / "found.json"
    new = begun(path, "trials", suite="coco", budget={"epochs": [3]})
    assert new["trials"] == []
    new["trials"].append(7)
    path.write_text(json.dumps(new))
    assert begun(path, "trials", suite="coco", budget={"epochs": [3]}) == new


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["/venv/bin/seqgan-bench", "run", "coco"], "seqgan-bench run coco"),
        (["/x/benchmarks/cli.py", "list"], "seqgan-bench list"),
        (
            ["/x/benchmarks/music.py", "--output", "/tmp/a.json", "--pictures=/x/images"],
            "python -m benchmarks.music --output a.json --pictures=images",
        ),
    ],
)
def test_commands_are_written_without_folders(words, wanted):
    assert " ".join(shareable(words)) == wanted


def test_the_command_is_the_one_that_was_given(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/a/benchmarks/tuning.py", "--output", "/b/c.json"])
    assert facts()["command"] == "python -m benchmarks.tuning --output c.json"
