"""The tables of molecules: made from results, and the page holds what they give."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.molecule_settings import EVALUATION, GOALS, KEPT, TUNINGS
from benchmarks.molecule_tables import OUTPUT, PAGE, TABLES, filled, goal_table
from benchmarks.molecules import arm_seconds, command
from seqgan.cli.parsing import parse
from seqgan.config import FinetuneConfig
from seqgan.evaluation.reward_rows import TITLES


def row(name, reward, valid, calls):
    return {
        "name": name, "reward": reward, "low": reward - 0.01, "high": reward + 0.01, "unique": 0.99,
        "novel": 0.9, "kl": 2.0, "calls": calls, "terms": {"qed": reward, "validity": valid},
    }  # fmt: skip


def test_the_table_of_rewards():
    seeds = [
        {
            "seed": seed, "settings": KEPT, "processor_seconds": 100 + seed,
            "objective": {
                "label": "better",
                "rows": [row("mle", 0.4, 0.5, 0), row("finetuned", 0.6 + 0.2 * seed, 0.8, 9600)],
            },
        }
        for seed in range(2)
    ]  # fmt: skip
    other = {**seeds[0], "settings": "imitated"}
    lines = goal_table({"seeds": [*seeds, other]}, "jnk3").splitlines()
    assert len(lines) == 7 and lines[0].startswith("| model | JNK3, 0 if invalid | valid |")
    assert lines[2].startswith("| MLE | 0.400 [0.390, 0.410] | 50.0% [46.9%, 53.1%] | 0.800 |")
    assert lines[3].startswith("| fine-tuned, `once` | 0.700 [0.590, 0.810] |")
    assert lines[3].endswith("| 2.0 | 2 | 9,600 |")
    assert lines[4].startswith("| fine-tuned, `imitated` | 0.600 [0.590, 0.610] |")
    assert "`once` better, better; `imitated` better." in lines[6] and "100 to 101 s" in lines[6]


def test_the_seconds_of_each_arm_are_those_between_its_lines():
    log = [{"stage": "mle", "time": 1.0}]
    log += [{"stage": "validation", "time": time} for time in (10.0, 20.0, 35.5)]
    log += [{"stage": "verdict", "time": time} for time in (40.0, 47.0, 60.0, 61.0)]
    found = arm_seconds(log)
    assert found == {"finetuned": 25.5, "best-of-n": 7.0, "best-tenth": 13.0}
    seed = {
        "seed": 0, "settings": KEPT, "processor_seconds": 9, "arm_seconds": found,
        "objective": {
            "label": "worse", "rows": [row(name, 0.5, 0.5, 1) for name in TITLES],
        },
    }  # fmt: skip
    content = {"seeds": [seed], "commands": {KEPT: "seqgan finetune --run mle"}}
    lines = goal_table(content, "qed").splitlines()
    assert lines[0].endswith("| reward calls | seconds |")
    assert [line.split("|")[-2].strip() for line in lines[2:6]] == ["", "7", "13", "26"]
    assert lines[-1] == "`once`, seed 0: `seqgan finetune --run mle`"


def test_the_command_is_that_of_settings_that_were_measured():
    seed = {
        "seed": 0, "settings": "remembered", "processor_seconds": 70.2,
        "objective": {"label": "better", "rows": [row(name, 0.5, 0.5, 1) for name in TITLES]},
    }  # fmt: skip
    commands = {KEPT: "seqgan finetune --method rloo", "remembered": "seqgan finetune --method x"}
    lines = goal_table({"seeds": [seed], "commands": commands}, "jnk3").splitlines()
    assert lines[-1] == "`remembered`, seed 0: `seqgan finetune --method x`"
    assert lines[-3].endswith("all arms and metrics: 70 s.")


def test_a_page_is_filled_between_its_marks():
    page = (
        "a\n<!-- molecules: qed -->\nold\n<!-- end -->\nb\n<!-- molecules: mask -->\n<!-- end -->\n"
    )
    found = filled(page, {"qed": "NEW"})
    assert found.startswith("a\n<!-- molecules: qed -->\n\nNEW\n\n<!-- end -->\nb")
    assert filled(found, {"qed": "NEW"}) == found and "old" not in found


MEASURED = [
    name for name, (file, _) in TABLES.items() if (OUTPUT / f"molecules-{file}.json").exists()
]


@pytest.mark.parametrize("name", MEASURED)
def test_the_page_has_the_tables_of_the_results(name):
    file, table = TABLES[name]
    content = json.loads((OUTPUT / f"molecules-{file}.json").read_text())
    page = PAGE.read_text(encoding="utf-8")
    assert filled(page, {name: table(content)}) == page


@pytest.mark.parametrize("name", TUNINGS)
def test_the_command_says_what_a_seed_does(name, tmp_path, monkeypatch):
    stored = {"data": "a.smi", "method": "seqgan-logodds", "corpus": {"tokenizer": "smiles"}}
    folder = "seqgan.runs.run_directory.RunDirectory"
    monkeypatch.setattr(f"{folder}.open", classmethod(lambda cls, path: cls(Path(path))))
    monkeypatch.setattr(f"{folder}.config", lambda self: dict(stored))
    words = command(tmp_path, 3, name).split()
    assert words[:2] == ["seqgan", "finetune"]
    found = parse("finetune", words[2:])
    assert isinstance(found, FinetuneConfig) and found.seed == 3
    expected = FinetuneConfig(**{**stored, **TUNINGS[name], "run": str(tmp_path), "seed": 3})
    assert found.algorithm == expected.algorithm and found.adversarial == expected.adversarial
    assert [term.name for term in found.rewards] == [
        each.partition(":")[0] for each in GOALS["qed"][1]
    ]
    assert EVALUATION["num_samples"] >= 1_000
