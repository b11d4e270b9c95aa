"""Texygen's published BLEU and self-BLEU of its models' samples, figure by figure."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from nltk.tokenize import NLTKWordTokenizer

from seqgan.metrics import bleu, self_bleu

SHARED = Path(__file__).resolve().parents[3].parent / "shared"
TABLES = SHARED / "golden" / "texygen_tables.json"
TOLERANCE = 0.0015

pytestmark = pytest.mark.skipif(
    not TABLES.is_file(), reason=f"the published samples are not there: {TABLES}"
)


def lines(path):
    return path.read_text(encoding="utf-8").splitlines()


@pytest.fixture(scope="module")
def test_captions():
    tokenize = NLTKWordTokenizer().tokenize
    return [tokenize(line) for line in lines(SHARED / "data" / "coco_test.txt")]


@pytest.mark.parametrize("model", ["mle", "seq", "leakgan"])
def test_texygen_tables(model, test_captions):
    tables = json.loads(TABLES.read_text(encoding="utf-8"))
    samples = lines(SHARED / "golden" / f"texygen_coco_{model}.txt")
    tokenize = NLTKWordTokenizer().tokenize
    forward = bleu([tokenize(line) for line in samples], test_captions, 5)
    own = self_bleu([line.split() for line in samples], 5)
    for order, published in tables["bleu_vs_coco_test"][model].items():
        assert forward[int(order)] == pytest.approx(published, abs=TOLERANCE), f"BLEU-{order}"
    for order, published in tables["self_bleu"][model].items():
        assert own[int(order)] == pytest.approx(published, abs=TOLERANCE), f"self-BLEU-{order}"


def test_the_command_gives_them_too(tmp_path, capsys):
    from seqgan.cli.main import main

    published = json.loads(TABLES.read_text(encoding="utf-8"))
    out = tmp_path / "scores.json"
    arguments = ["--samples", str(SHARED / "golden" / "texygen_coco_mle.txt"), "--resamples", "2"]
    arguments += ["--references", str(SHARED / "data" / "coco_test.txt"), "--output", str(out)]
    assert main(["evaluate", *arguments, "--self_bleu_tokenizer", "spaces"]) == 0
    found = {score["name"]: score["value"] for score in json.loads(out.read_text())["samples"]}
    for table, name in (("bleu_vs_coco_test", "bleu"), ("self_bleu", "self-bleu")):
        for order, value in published[table]["mle"].items():
            assert found[f"{name}-{order}"] == pytest.approx(value, abs=TOLERANCE), (name, order)
