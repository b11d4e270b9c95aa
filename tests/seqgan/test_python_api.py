"""The Python interface takes what Python users pass: dicts, paths, text, numpy's numbers."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from rollout import generate
from seqgan import RunConfig, TextGenerator, finetune, pretrain_only
from seqgan.config import LSTM, EvaluateConfig, FileCorpus, SampleConfig
from seqgan.data.sources import load_data
from seqgan.errors import CheckpointError, ConfigError, RunDirectoryError
from seqgan.models import load_generator, load_model, save_model
from seqgan.report import write_report
from seqgan.runs.run_directory import RunDirectory

from .tiny import without_report

TINY = {
    "corpus": {"num_train": 20, "num_validation": 4, "num_heldout": 8, "num_test": 10},
    "generator": {"embedding": 4, "hidden": 4},
    "discriminator": {"embedding": 4, "hidden": 4},
    "pretrain": {"epochs": 1},
    "critic": {"steps": 1, "measure_every": 1, "batch_size": 4},
    "adversarial": {"rounds": 1, "critic_steps": 1}, "algorithm": {"batch_size": 4},
    "evaluation": {
        "num_samples": 10, "sweep_samples": 10, "resamples": 5, "temperatures": (0.9, 1),
    },
    "device": "cpu", "trackers": [],
}  # fmt: skip


def test_nested_dicts_become_settings():
    config = RunConfig(data="a.txt", corpus={"tokenizer": "words"}, generator={"hidden": 8}, seed=3)
    assert config.corpus == FileCorpus(tokenizer="words")
    assert config.generator == LSTM(hidden=8)
    assert RunConfig(**asdict(config)) == config


def leaves(content):
    """The values in nested settings."""
    if isinstance(content, dict):
        content = list(content.values())
    if isinstance(content, list):
        return [leaf for each in content for leaf in leaves(each)]
    return [content]


def test_values_of_a_near_kind_are_taken_as_they_are_meant():
    config = RunConfig(
        data=Path("a/b.txt"), output_dir=Path("runs/x"), resume=Path("runs/x"), seed=np.int64(3),
        corpus={"tokenizer": Path("tok.json"), "test_share": np.float32(0.25)},
        evaluation={"temperatures": (1, np.float64(0.5))}, trackers=(np.str_("wandb"),),
    )  # fmt: skip
    assert (config.data, config.output_dir, config.resume) == ("a/b.txt", "runs/x", "runs/x")
    assert config.corpus.tokenizer == "tok.json" and config.corpus.test_share == 0.25
    assert config.evaluation.temperatures == [0.5, 1] and config.trackers == ["wandb"]
    # As settings files are written: nothing but plain values.
    kinds = {type(value) for value in leaves(asdict(config))}
    assert kinds <= {str, int, float, bool, type(None)}
    assert type(config.seed) is int and type(config.trackers[0]) is str
    assert SampleConfig(run=Path("r"), output=Path("o")).output == "o"
    assert EvaluateConfig(samples=Path("s"), references=Path("r")).samples == "s"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"corpus": {"tokeniser": "words"}}, "unknown setting 'corpus.tokeniser' .*'tokenizer'"),
        ({"corpus": {3: 4}}, "unknown setting 'corpus.3'"),
        ({"corpus": None}, "--corpus: None is not a group of settings: .* FileCorpus"),
        ({"corpus": "words"}, "--corpus: 'words' is not a group of settings"),
        ({"corpus": LSTM()}, "--corpus: LSTM.* is not a group"),
        ({"corpus": {"max_length": 20.5}}, "--corpus.max_length: 20.5 is not a whole number"),
        ({"data": "x", "corpus": {"test_share": "1"}}, "--corpus.test_share: '1' is not a number"),
        ({"data": "a.txt", "corpus": {"field": 3}}, "--corpus.field: 3 is not text or none"),
        ({"generator": {"hidden": True}}, "--generator.hidden: True is not a whole number"),
        ({"evaluation": {"temperatures": 1.0}}, "temperatures: 1.0 is not a list, each .* number"),
        ({"evaluation": {"mauve": "yes"}}, "--evaluation.mauve: 'yes' is not true or false"),
        ({"seed": "0"}, "--seed: '0' is not a whole number"),
        ({"data": None}, "--data: None is not text"),
        ({"data": ["a.txt"]}, "--data: .'a.txt'. is not text"),
        ({"trackers": "wandb"}, "--trackers: 'wandb' is not a list"),
        ({"resume": 3}, "--resume: 3 is not true or false or text"),
    ],
)
def test_what_cannot_be_meant_is_one_clear_error(settings, message):
    with pytest.raises(ConfigError, match=message) as caught:
        RunConfig(**settings)
    assert "\n" not in str(caught.value)


def test_a_mapping_is_no_config(tmp_path):
    for call in (lambda: pretrain_only({"data": "grammar"}), lambda: finetune({}, tmp_path)):
        with pytest.raises(ConfigError, match="settings must be a RunConfig, got dict"):
            call()


def test_folders_and_files_may_be_text_or_paths(tmp_path, monkeypatch):
    without_report(monkeypatch)
    pretrain_only(RunConfig(output_dir=tmp_path / "mle", **TINY))
    tuned = finetune(RunConfig(output_dir=str(tmp_path / "b"), **TINY), str(tmp_path / "mle"))
    assert tuned.path == tmp_path / "b" and "verdict" in tuned.results
    for kind in (str, Path):
        directory = RunDirectory.open(kind(tuned.path))
        assert RunDirectory(kind(tuned.path)).results() == directory.results()
        generator = TextGenerator.from_run(kind(tuned.path))
        generator.save_pretrained(kind(tmp_path / kind.__name__))
        found = TextGenerator.from_pretrained(kind(tmp_path / kind.__name__))
        assert found.sample(3) == generator.sample(3)
        place = kind(directory.checkpoint("finetuned") / "generator")
        save_model(load_model(place), kind(tmp_path / "copy"))
        copy = load_generator(kind(tmp_path / "copy"))
        assert len(generate(copy, 3, rng=torch.Generator().manual_seed(0))) == 3


@pytest.mark.parametrize("kind", [str, Path, RunDirectory])
def test_a_report_is_written_of_text_or_a_path(tmp_path, kind):
    RunDirectory.create(tmp_path / "run", asdict(RunConfig()), overwrite=False)
    assert write_report(kind(tmp_path / "run")) == tmp_path / "run" / "report.html"


def test_data_may_be_named_by_a_path(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("".join(f"a{i} b{i % 7}\n" for i in range(60)))
    config = FileCorpus(min_count=1)
    assert load_data(file, config, test_data=file).source == str(file)


@pytest.mark.parametrize("what", [None, 3, {"run": "x"}])
def test_what_is_no_folder_is_said_so(what):
    with pytest.raises(RunDirectoryError, match="is not the folder of a run"):
        finetune(RunConfig(), what)


def test_a_model_that_is_nowhere_is_one_clear_error(tmp_path):
    for name in (tmp_path / "missing", "no/such/model", "someone/model"):
        with pytest.raises(
            CheckpointError, match=f"^{re.escape(str(name))}: no such folder, and"
        ) as err:
            TextGenerator.from_pretrained(name, local_files_only=True)
        assert "\n" not in str(err.value)
