"""The benchmark of conditional generation: its table by hand, and each task on a tiny size."""

from __future__ import annotations

import json

import pytest

from benchmarks.conditional import TASKS, main, table


def score(value: float, low: float, high: float) -> dict:
    return {"value": value, "interval": [low, high], "n": 10}


def test_a_table_by_hand():
    runs = [
        {
            "task": "styles", "seed": seed, "signatures": ["a|b"],
            "scores": {
                "real": {"label-accuracy": score(1.0, 0.9, 1.0)},
                "mle": {"label-accuracy": score(value, 0.1, 0.2), "js": score(0.5, 0.4, 0.6)},
            },
        }
        for seed, value in enumerate((0.9, 1.0))
    ]  # fmt: skip
    lines = table(runs).splitlines()
    # mean 0.95, error 0.05, t 12.706 with one degree of freedom
    assert "| label-accuracy | 1.000 [1.000, 1.000] | 0.950 [0.315, 1.000] |  |" in lines
    assert "| js |  | 0.500 [0.500, 0.500] |  |" in lines and "```text\na|b\n```" in table(runs)
    assert lines[0] == "**styles**, 2 seeds"
    assert "| js |  | 0.500 [0.400, 0.600] |  |" in table(runs[:1]).splitlines()


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_every_task_runs_and_continues(task, tmp_path):
    out = tmp_path / "found.json"
    arguments = ["--output", str(out), "--size", "tiny", "--task", task, "--seeds", "1"]
    main(arguments)
    (found,) = json.loads(out.read_text())["runs"]
    assert {"mle", "finetuned"} <= set(found["scores"])
    wanted = "pair-bleu" if task == "translation" else "label-accuracy"
    assert 0 <= found["scores"]["finetuned"][wanted]["value"] <= 1
    main(arguments)
    assert json.loads(out.read_text())["runs"] == [found]  # nothing is done again
