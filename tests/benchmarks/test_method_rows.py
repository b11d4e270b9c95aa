"""Verdicts in the pages of the methods and in ``seqgan methods``: from results, never typed."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from benchmarks import method_rows
from benchmarks.arm_names import arms_of, named_arms
from benchmarks.changes import changed
from benchmarks.cli import main
from benchmarks.method_index import command, indexed
from benchmarks.method_rows import (
    NOTHING,
    filled,
    page_of,
    page_row,
    published,
    rows_by_method,
)
from benchmarks.overview import _other_settings
from benchmarks.results import read_results
from benchmarks.settings import RunSettings
from benchmarks.suite_files import load_suite, suite_names
from seqgan.cli.main import main as seqgan
from seqgan.cli.methods import outcome
from seqgan.cli.parsing import parse_settings
from seqgan.config.methods import method_names, method_results, read_method

DOCS = method_rows.DOCS
RESULTS = Path(method_rows.__file__).parent / "results"
FAMILY = [
    "catgan", "coldgan", "cot", "dgsan", "distill", "dpgan", "jsdgan", "leakgan", "maligan",
    "metaex-gan", "minimax-gan", "organ", "pg-bleu", "psi-mle", "rankgan", "relgan",
    "scheduled-sampling", "scratchgan", "sentigan", "seqgan", "textgail",
]  # fmt: skip
OWN_REWARDS = ["grpo", "ppo", "reinvent", "rloo"]
"""Methods for rewards of a user's own, which are no arms of the suites."""
HEADINGS = [
    "Equations", "What we follow", "What we change or leave out", "Settings", "Logged figures",
    "Published figures", "Our row", "Verdict",
]  # fmt: skip


@pytest.mark.parametrize("name", [*FAMILY, *OWN_REWARDS])
def test_every_method_has_a_page_with_its_parts_and_a_paper(name):
    page = page_of(name)
    assert page is not None
    text = page.read_text(encoding="utf-8")
    assert filled(text, method_results().get(name, [])) == text
    assert "<!-- published:" in text and f"seqgan run --method {name} " in text
    assert [part for part in HEADINGS if f"\n## {part}" not in text] == []
    assert ("<!-- our row -->" if name in FAMILY else "<!-- counting:") in text
    # made from the row, not typed
    assert ("## Verdict\n\n<!-- verdict -->\n" in text) is (name in FAMILY)
    method = read_method(name)
    assert method.year and method.link.startswith("https://") and f"({method.link})" in text


def test_the_page_of_the_ratio_has_its_row_too():
    text = page_of("ratio").read_text(encoding="utf-8")
    assert "<!-- our row -->" in text
    assert [part for part in HEADINGS[3:] if f"\n## {part}" not in text] == []
    assert filled(text, method_results().get("ratio", [])) == text


def test_the_index_has_every_method_with_a_command_that_parses():
    text = (DOCS / "methods.md").read_text(encoding="utf-8")
    assert indexed(text, method_results()) == text
    known = {arm.name for arm in load_suite("grammar").arms("standard", 0)}
    for name in method_names():
        words = shlex.split(command(name))
        if name in OWN_REWARDS:
            assert words[:3] == ["python", "-m", "benchmarks.policy_methods"]
            continue
        assert words[:2] == ["seqgan-bench", "run"]
        settings = parse_settings("seqgan-bench run", RunSettings, words[2:], "", "suites")
        assert {"mle", name, f"{name}-random"} <= arms_of(settings.arms, known)
        assert {*settings.suites} <= {*suite_names()} and settings.data_dir == "data"
    assert "mle-relational" in command("catgan") and "mle-leak" in command("leakgan")
    # what stands above the table, with the arms that it names besides, is the command of each row
    above = text.split("<!-- methods -->")[1].split("\n| method |")[0]
    for name in {*method_names()} - {*OWN_REWARDS}:
        besides = re.search(rf"[(;] ?`{name}`: ([^;)]*)", above)
        arms = {"mle", name, f"{name}-random"}
        arms |= {*re.findall(r"`([\w-]+)`", besides[1])} if besides else set()
        named = shlex.split(command(name))
        assert {*named[named.index("--arms") + 1].split(",")} == arms, name
    plain = re.search(r"`(seqgan-bench run .*? --arms mle,NAME,.*?)`", above)[1]
    assert plain.replace("NAME", "ratio") == command("ratio")
    assert f"`{command('rloo')}`" in above
    assert all(f"`{name}`" in above.split("Those of")[1] for name in OWN_REWARDS)
    rows = {"cot": [{"label": "worse", "suite": "grammar", "seeds": [0, 1]}]}
    assert "| worse on grammar (2 seeds) |" in indexed(text, rows)


def test_the_set_of_the_family_has_all_of_it():
    arms = named_arms("family", [load_suite("grammar")])
    assert {*FAMILY, *(f"{name}-random" for name in FAMILY)} <= arms


def test_committed_verdicts_are_those_of_the_committed_results():
    folders = [place for place in (RESULTS / "standard", RESULTS / "full") if place.is_dir()]
    results = [each for place in folders for each in read_results(place)]
    assert method_results() == rows_by_method(results)
    assert {*method_results()} <= {*method_names()}


def test_rows_come_from_results(tmp_path, monkeypatch):
    verdict = {
        "difference": -0.02, "draws": [-0.03, -0.02, -0.01] * 50, "metric": "js",
        "finetuned": 0.98, "mle": 1.0, "practical": 0.001,
    }  # fmt: skip
    source = next((RESULTS / "smoke" / "grammar").rglob("seqgan.json"))
    found = json.loads(source.read_text())
    found["verdict"] |= {k: v for k, v in verdict.items() if k in found["verdict"]}
    place = tmp_path / "results" / "grammar" / "standard" / "seed-0"
    place.mkdir(parents=True)
    (place / "seqgan.json").write_text(json.dumps({**found, "size": "standard"}))
    (row,) = rows_by_method(read_results(tmp_path / "results"))["seqgan"]
    assert (row["suite"], row["seeds"], row["size"]) == ("grammar", [0], "standard")
    assert row["label"] in page_row([row]) and row["difference"] in page_row([row])
    assert "grammar (1 seeds)" in outcome([row])
    assert rows_by_method([found]) == {}  # smoke tells nothing
    docs = tmp_path / "docs"
    (docs / "methods").mkdir(parents=True)
    (docs / "methods.md").write_text("<!-- methods -->\n<!-- /methods -->\n")
    page = docs / "methods" / "seqgan.md"
    page.write_text(
        "a\n<!-- our row -->\nold\n<!-- /our row -->\nb\n<!-- verdict -->\nold\n<!-- /verdict -->\n"
    )
    monkeypatch.setattr(method_rows, "DOCS", docs)
    monkeypatch.setattr(method_rows, "RESULTS", tmp_path / "results.json")
    assert main(["methods", str(tmp_path / "results")]) == 0
    assert row["label"] in page.read_text()
    assert f"By our table: {row['label']} on grammar (1 seeds)." in page.read_text()
    assert f"{row['label']} on grammar" in (docs / "methods.md").read_text()
    assert json.loads((tmp_path / "results.json").read_text()) == {"seqgan": [row]}


def test_a_row_names_the_settings_that_are_not_the_methods_own(capsys, monkeypatch):
    arms = {arm.name: arm for arm in load_suite("grammar").arms("standard", 0)}

    def result(name, **method):
        return {"arm": name, "size": "standard", "config": arms[name].config, "method": method}

    assert changed(result("rankgan")) == [
        "critic.steps 600 (4000)", "critic.measure_every 100 (200)",
        "critic.batch_size 64 (128)", "algorithm.optimizer.learning_rate 0.001 (0.0003)",
        "adversarial.rounds 100 (40)",
        "adversarial.patience 0 (5)", "adversarial.measure_every 10 (2)",
        "adversarial.critic_steps 3 (10)",
    ]  # fmt: skip
    assert "page of each method names them: rankgan." in _other_settings([result("rankgan")])[0]
    assert _other_settings([result("mle")]) == []
    assert changed(result("psi-mle")) == [
        "critic.steps 600 (4000)",
        "critic.measure_every 100 (200)",
        "critic.batch_size 64 (128)",
    ]
    relgan = changed(result("relgan", own_start=True))
    assert not any(line.startswith(("generator", "pretrain")) for line in relgan)
    assert "discriminator.representations 16 (64)" in relgan
    row = {
        "suite": "grammar", "size": "standard", "metric": "js", "seeds": [0], "difference": "+1",
        "interval": "", "p": "", "against_control": "", "label": "worse", "changed": relgan,
    }  # fmt: skip
    other = {**row, "suite": "coco-iid", "changed": []}
    shown = page_row([row, other])
    assert f"(grammar standard): `{', '.join(relgan)}`." in shown
    assert "(coco-iid standard): none." in shown
    monkeypatch.setattr("seqgan.cli.methods.method_results", lambda: {"relgan": [row, other]})
    assert seqgan(["methods", "relgan"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "measured on grammar with (its own in brackets): " in printed
    assert "discriminator.representations 16 (64)" in printed and "on coco-iid with" not in printed


def test_nothing_is_made_up():
    assert page_row([]) == NOTHING and outcome([]) == "not run"
    assert "8.247" in published("RankGAN") and "†" in published("RankGAN")
    assert published("no such method").startswith("No published figure")


def test_the_command_lists_them(capsys):
    assert seqgan(["methods"]) == 0
    printed = capsys.readouterr().out
    for name in FAMILY:
        method = read_method(name)
        assert f"{name}, {method.year}: {method.title}" in printed and method.link in printed
    assert seqgan(["methods", "cot"]) == 0
    printed = capsys.readouterr().out
    assert "name: mediator" in printed and "seqgan run --method cot" in printed
    assert seqgan(["methods", "cott"]) == 2
    assert "did you mean 'cot'" in capsys.readouterr().err
