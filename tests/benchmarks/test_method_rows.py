"""Verdicts in the pages of the methods and in ``seqgan methods``: from results, never typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import method_rows
from benchmarks.cli import main
from benchmarks.method_rows import (
    NOTHING,
    changed,
    filled,
    page_of,
    page_row,
    published,
    rows_by_method,
)
from benchmarks.results import read_results
from benchmarks.suite import load_suite, named_arms
from seqgan.cli.main import main as seqgan
from seqgan.cli.methods import outcome
from seqgan.config.methods import method_names, method_results, read_method

RESULTS = Path(method_rows.__file__).parent / "results"
FAMILY = [
    "catgan", "coldgan", "cot", "dgsan", "dpgan", "jsdgan", "leakgan", "maligan", "minimax-gan",
    "organ", "pg-bleu", "psi-mle", "rankgan", "relgan", "scheduled-sampling", "scratchgan",
    "sentigan", "seqgan", "textgail",
]  # fmt: skip
HEADINGS = ["Equations", "What we follow", "What we change or leave out", "Settings"]


@pytest.mark.parametrize("name", FAMILY)
def test_every_method_of_the_family_has_a_page_an_arm_and_a_paper(name):
    page = page_of(name)
    assert page is not None
    text = page.read_text(encoding="utf-8")
    assert filled(text, method_results().get(name, [])) == text
    assert "<!-- our row -->" in text and "<!-- published:" in text
    if name != "seqgan":  # a page of its own kind
        parts = [*HEADINGS, "Logged figures", "Published figures", "Our row", "Verdict"]
        assert all(f"\n## {part}" in text for part in parts)
        assert f"seqgan run --method {name} " in text
    method = read_method(name)
    assert method.link.startswith("https://") and method.year and method.link in text + method.link


def test_the_page_of_the_ratio_has_its_row_too():
    text = page_of("ratio").read_text(encoding="utf-8")
    assert "<!-- our row -->" in text
    assert filled(text, method_results().get("ratio", [])) == text


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
    page = docs / "methods" / "seqgan.md"
    page.write_text("a\n<!-- our row -->\nold\n<!-- /our row -->\nb\n")
    monkeypatch.setattr(method_rows, "DOCS", docs)
    monkeypatch.setattr(method_rows, "RESULTS", tmp_path / "results.json")
    assert main(["methods", str(tmp_path / "results")]) == 0
    assert row["label"] in page.read_text()
    assert json.loads((tmp_path / "results.json").read_text()) == {"seqgan": [row]}


def test_a_row_names_the_settings_that_are_not_the_methods_own(capsys, monkeypatch):
    arms = {arm.name: arm for arm in load_suite("grammar").arms("standard", 0)}

    def result(name, **method):
        return {"arm": name, "size": "standard", "config": arms[name].config, "method": method}

    assert changed(result("rankgan")) == [
        "critic.steps 600 (4000)", "critic.measure_every 100 (200)",
        "algorithm.optimizer.learning_rate 0.001 (0.0003)", "adversarial.rounds 100 (40)",
        "adversarial.patience 0 (5)", "adversarial.measure_every 10 (2)",
        "adversarial.critic_steps 5 (10)",
    ]  # fmt: skip
    assert changed(result("psi-mle")) == [
        "critic.steps 600 (4000)",
        "critic.measure_every 100 (200)",
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
    assert published("no such method").startswith("None")


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
