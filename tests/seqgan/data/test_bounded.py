"""No more real sequences are measured than the settings allow, and always the same ones."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from seqgan.cli.main import main
from seqgan.config import EvaluationConfig, FileCorpus
from seqgan.data.bounded import bounded
from seqgan.data.dataset import fingerprint
from seqgan.data.sources import load_data
from seqgan.data.text.rows import TokenRows, chosen_rows
from seqgan.evaluation.comparison import Sweep
from seqgan.evaluation.models import Evaluator

KINDS = ("red", "blue", "old", "new", "big")
LINES = [f"a {a} {b} {c} sits {d} ." for a in KINDS for b in KINDS for c in KINDS for d in KINDS]
CORPUS = FileCorpus(tokenizer="spaces", min_count=1, test_share=0.2, validation_share=0.1)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    file = tmp_path_factory.mktemp("data") / "lines.txt"
    file.write_text("\n".join(LINES))
    return str(file)


@pytest.fixture(scope="module")
def data(path):
    return load_data(path, CORPUS)


def words(data, split):
    return [" ".join(row) for row in data.real_tokens(split)]


def test_what_does_not_exceed_the_limits_is_left_as_it_is(data):
    assert bounded(data, EvaluationConfig()) is data
    assert bounded(data, EvaluationConfig(num_real=0, num_validation=0)) is data
    assert bounded(data, EvaluationConfig(num_real=125, num_validation=62)) is data


def test_a_limit_is_kept_and_the_training_split_is_not_touched(data):
    config = EvaluationConfig(num_real=50, num_validation=20)
    small = bounded(data, config)
    assert [len(getattr(small, name)) for name in ("validation", "heldout", "test")] == [20, 20, 50]
    assert small.train is data.train
    assert {name: split.get("measured") for name, split in small.report["splits"].items()} == {
        "train": None, "validation": 20, "heldout": 20, "test": 50,
    }  # fmt: skip
    line = "50 of 125 test sequences, drawn at random (--evaluation.num_real"
    assert line in small.report_lines[-1] and len(data.report_lines) + 1 == len(small.report_lines)
    assert bounded(small, config) is small
    # ids and words are of the same sequences, which stand in the order of the file
    assert words(small, "test") == data.codec.texts(small.test)
    places = [words(data, "test").index(line) for line in words(small, "test")]
    assert places == sorted(places) and len(set(places)) == 50 and places != list(range(50))


def test_all_seeds_measure_on_the_same_part_of_a_test_set(path):
    config = EvaluationConfig(num_real=50, num_validation=20)
    corpus = FileCorpus(tokenizer="spaces", min_count=1, validation_share=0.1)
    splits = [load_data(path, corpus, test_data=path, seed=seed) for seed in (0, 1)]
    first, second = (words(bounded(data, config), "test") for data in splits)
    assert first == second and len(first) == 50
    assert words(splits[0], "train") != words(splits[1], "train")
    names = [Sweep(data, config, seed).test_set for seed, data in enumerate(splits)]
    assert names[0] == names[1]


def test_whoever_measures_keeps_to_the_limits(data):
    config = EvaluationConfig(num_real=50, num_validation=20, resamples=20, num_samples=30)
    evaluator, sweep = Evaluator(data, config, 3), Sweep(data, config, 3)
    assert len(evaluator.references) == 50 and evaluator.references == sweep.references
    assert torch.equal(evaluator.data.test.tokens, sweep.data.test.tokens)
    scores = {score.name: score for score in evaluator.real()}
    assert scores["bleu-4"].n == 40  # validation and held-out sequences together
    assert "refs:test, real others/50" in scores["bleu-4"].signature


def test_a_run_says_what_it_measured(path, tmp_path, capsys):
    run = tmp_path / "run"
    arguments = ["run", "--data", path, "--size", "smoke", "--corpus.num_train", "0"]
    arguments += ["--corpus.tokenizer", "spaces", "--output_dir", str(run)]
    arguments += ["--evaluation.num_real", "40", "--evaluation.num_validation", "10"]
    assert main(arguments) == 0
    measured = "Measured on 10 of 31 validation, 10 of 31 heldout, 40 of 62 test sequences"
    assert measured in " ".join(capsys.readouterr().out.split())
    results = json.loads((run / "results.json").read_text())
    assert results["data"]["splits"]["test"]["measured"] == 40
    scores = {score["name"]: score for score in results["scores"]["mle"]}
    assert scores["nll"]["n"] == 40 and "refs:test/40" in scores["bleu-2"]["signature"]
    assert len((run / "samples" / "real.txt").read_text().splitlines()) == 40
    assert "of these measured" in (run / "report.md").read_text()
    # the fingerprint is that of all the data, whatever is measured of it
    whole = load_data(path, FileCorpus(tokenizer="spaces"))
    assert json.loads((run / "data.json").read_text())["fingerprint"] == fingerprint(whole)


def test_rows_are_read_when_they_are_asked_for():
    asked = []

    def read(rows):
        asked.extend(rows.tolist())
        return [[int(row)] for row in rows]

    rows = TokenRows(25_000, read)
    assert len(rows) == 25_000 and asked == []
    assert rows[3] == [3] and rows[-1] == [24_999] and rows[5:8] == [[5], [6], [7]]
    assert chosen_rows(rows, [9, 2]) == [[9], [2]] == chosen_rows(list(rows), np.array([9, 2]))
    with pytest.raises(IndexError):
        rows[25_000]
    assert [row[0] for row in rows] == list(range(25_000))
    assert chosen_rows(rows, []) == []
