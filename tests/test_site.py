"""The site of the docs: its groups, its tables against the code, and that it loads nothing."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from seqgan.cli.main import main
from seqgan.config.methods import DEFAULT_METHOD, method_names
from seqgan.report import words

from .seqgan.tiny import TINY, without_report

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
ALIKE = {
    "control": "adversarial", "control-validation": "validation", "again": "mle",
    "control-again": "mle",
}  # fmt: skip
"""Stages whose numbers are those of another."""
SMALL = [
    "--data", "grammar", "--size", "smoke", "--device", "cpu", "--corpus.num_train", "64",
    "--corpus.num_heldout", "20", "--corpus.num_validation", "20", "--corpus.num_test", "30",
    "--evaluation.num_samples", "30", "--evaluation.sweep_samples", "20",
    "--evaluation.resamples", "20",
]  # fmt: skip
"""Flags that every method has."""
ENDS = re.compile(r"_(error|low|high)$")


def pages(nav) -> list[str]:
    """The files that a navigation names."""
    if isinstance(nav, str):
        return [nav]
    parts = nav.values() if isinstance(nav, dict) else nav
    return [page for part in parts for page in pages(part)]


def test_every_page_stands_in_one_group():
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
    assert [name for group in nav for name in group] == [
        "Start", "Guides", "Methods", "Benchmarks", "Reference",
    ]  # fmt: skip
    found = pages(nav)
    assert sorted(found) == sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))


def test_every_method_has_its_row():
    text = (DOCS / "methods.md").read_text()
    by_use, every = text.split("## All methods\n")
    rows = re.findall(r"^\| `([\w-]+)` \|", every, re.MULTILINE)
    assert sorted(rows) == sorted(method_names()) and len(set(rows)) == len(rows)
    assert set(re.findall(r"`(\w[\w-]*)`", by_use)) <= {*rows}
    assert f"`{DEFAULT_METHOD}`, the default" in by_use


def test_every_headline_of_a_report_is_explained():
    text = (DOCS / "verdict.md").read_text()
    others = (words.HELPED, words.NO_BETTER_THAN_NOISE)
    for title in (*words.HEADLINES.values(), *others, words.PRETRAINED, words.UNFINISHED):
        assert f"| **{title}** |" in text, title
    for label in set(words.HEADLINES) - {"not judged against a control"}:
        assert f"| **{words.OWN}{label}** |" in text, label


def explained() -> dict[str, set[str]]:
    """The numbers of each stage that docs/log.md explains."""
    found: dict[str, set[str]] = {}
    stages: list[str] = []
    for line in (DOCS / "log.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("| ") or len(cells) < 3 or cells[0] == "stage":
            continue
        stages = re.findall(r"`([\w-]+)`", cells[0]) or (["all"] if cells[0] == "all" else stages)
        names = re.findall(r"`(\w+)`", cells[1])
        for stage in stages:
            known = found.setdefault(stage, set())
            twice = known & {*names} - found.get("all", set())
            assert not twice, f"{stage}: {twice} twice"
            known |= {*names}
            if cells[1] == "the numbers of `discriminator`":
                known.discard("discriminator")
                known |= found["discriminator"]
    return found


def unexplained(lines) -> set[str]:
    """Logged numbers without a row of their own."""
    known, lacking = explained(), set()
    for line in lines:
        stage = "mle" if line["stage"].startswith("member-") else line["stage"]
        stage = ALIKE.get(stage, stage)
        for name in line.keys() - known["all"]:
            bare = re.sub(r"^reward_.*?(_sd)?$", r"reward_NAME\1", ENDS.sub("", name))
            if bare not in known.get(stage, ()) and name not in known.get(stage, ()):
                lacking.add(f"{stage}/{name}")
    return lacking


def logged(tmp_path, monkeypatch, flags) -> list[dict]:
    """The lines of metrics.jsonl of a run with these flags."""
    without_report(monkeypatch)
    run = tmp_path / "run"
    assert main(["run", *flags, "--output_dir", str(run)]) == 0
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_a_number_that_is_not_explained_is_found():
    line = {"stage": "mle", "step": 1, "time": 2.0, "train_nll": 3.0}
    assert unexplained([line]) == set()
    assert unexplained([{**line, "sharpness": 1.0}]) == {"mle/sharpness"}
    assert unexplained([{**line, "stage": "dreams"}]) == {"dreams/train_nll"}
    health = {"stage": "health", "heldout_gain_low": 0.0, "unique_error": 0.1}
    assert unexplained([health, {"stage": "control", "reward_qed_sd": 1.0}]) == set()


def test_every_logged_number_is_explained(tmp_path, monkeypatch):
    lines = logged(tmp_path, monkeypatch, TINY)
    stages = {line["stage"] for line in lines}
    assert {"mle", "discriminator", "adversarial", "validation", "health", "control"} <= stages
    assert not unexplained(lines)


@pytest.mark.slow
@pytest.mark.parametrize("method", sorted({*method_names()} - {DEFAULT_METHOD}))
def test_every_logged_number_of_every_method_is_explained(method, tmp_path, monkeypatch):
    flags = ["--method", method, "--pretrain.epochs", "1", *SMALL]
    assert not unexplained(logged(tmp_path, monkeypatch, flags))


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("material") is None, reason="needs the extra docs (make docs)"
)
def test_the_site_is_built_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", str(tmp_path)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, env={"NO_MKDOCS_2_WARNING": "1"}
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    loads = re.compile(
        r"<(?:script|img|iframe)[^>]*src=\"?(https?:)?//|<link[^>]*href=\"?(https?:)?//"
    )
    for page in tmp_path.rglob("*.html"):
        assert not loads.search(page.read_text()), page
    for sheet in tmp_path.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(https?:)?//", sheet.read_text()), sheet
