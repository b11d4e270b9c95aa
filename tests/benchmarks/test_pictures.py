"""The pictures of the docs: each has a program that makes it, by commands that are understood."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from PIL import Image

from benchmarks import pictures
from benchmarks.digits import METHODS
from seqgan.cli.main import main

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
RESULTS = {
    path.stem: json.loads(path.read_text()) for path in (ROOT / "benchmarks/results").glob("*.json")
}
RECORDED = {
    name: content["command"]
    for name, content in RESULTS.items()
    if str(content.get("command")).startswith("seqgan run ")
}
"""Runs whose result file has their command: a picture of the same name is of their samples."""


def test_every_picture_has_a_program_that_makes_it():
    others = {f"{name}-{model}" for name in ("digits", "music") for model in ("real", "mle")}
    others |= {"digits-finetuned", "music-finetuned", "music-tune"} | RECORDED.keys()
    others |= {f"digits-{method}-finetuned" for method in METHODS[1:]}
    there = {path.stem for path in (DOCS / "images").glob("*.png")}
    assert there <= pictures.PICTURES.keys() | others
    pages = "".join(path.read_text() for path in [ROOT / "README.md", *DOCS.rglob("*.md")])
    assert there == {Path(name).stem for name in re.findall(r"images/([\w-]+\.png)", pages)}


@pytest.mark.parametrize("name", [name for name, flags in pictures.RUNS.items() if flags])
def test_its_commands_are_understood(name, capsys):
    if name == "digits":
        pytest.importorskip("sklearn", reason="needs the extra digits")
    if name == "music":
        pytest.importorskip("symusic", reason="needs the extra music")
    assert main(["run", *shlex.split(pictures.RUNS[name]), "--print_config"]) == 0


def test_the_report_in_the_docs_is_the_one_that_make_demo_makes():
    assert f"seqgan run {pictures.RUNS['demo']} --output_dir" in (ROOT / "Makefile").read_text()


@pytest.mark.parametrize("name", RECORDED)
def test_the_command_of_a_recorded_run_stands_beside_its_picture(name):
    pages = [page.read_text() for page in DOCS.rglob("*.md")]
    (page,) = [text for text in pages if f"images/{name}.png" in text]
    assert RECORDED[name] in " ".join(page.replace("\\\n", " ").split())


def test_a_page_is_opened():
    page = '<body>\n<header></header><section id="a">A</section>\n<details>B</details></body>'
    assert "<details open>B" in pictures.opened(page, details=True)
    assert pictures.opened(page, '<section id="a"').startswith('<body>\n<main>\n<section id="a">A')


def test_a_run_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SystemExit, match="--use molecules=FOLDER"):
        pictures.main(["molecules-mle", "--runs", str(tmp_path), "--output", str(tmp_path)])


@pytest.mark.slow
def test_a_page_is_photographed(tmp_path):
    if not any(map(pictures.shutil.which, pictures.PROGRAMS)):
        pytest.skip("there is no Chromium")
    page, picture = tmp_path / "page.html", tmp_path / "picture.png"
    page.write_text("<body style='margin: 0; background: #ff0000'>text</body>")
    pictures.shoot(page, picture, pictures.Shot("demo", "page.html", 600, 500))
    taken = Image.open(picture).convert("RGB")
    assert taken.size == (600, 500) and taken.getpixel((599, 250)) == (255, 0, 0)
