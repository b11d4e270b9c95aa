"""Settings that are not used: wrong ones are refused all the same, right ones are pointed out.

A setting of a component that was not chosen is refused with the name of the one that has it.
"""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from seqgan.cli.main import main
from seqgan.cli.parsing import parse
from seqgan.cli.unused import _rules
from seqgan.config import CNN, SOURCES, DataConfig, EvaluateConfig, FinetuneConfig, RunConfig
from seqgan.config.describe import every_setting
from seqgan.errors import ConfigError

WRONG = [
    ("run a.txt --corpus.tokenizer wrods", "--corpus.tokenizer: 'wrods'", "mean 'words'?"),
    ("data wordnet --corpus.tokenizer wrods", "--corpus.tokenizer: 'wrods'", "mean 'words'?"),
    ("data a.txt --corpus.tokenizer no.json", "--corpus.tokenizer: there is no file no.json"),
    ("data a.txt --corpus.tokenizer no.where:X", "cannot import 'no.where'"),
    ("data oracle --corpus.parameters no.npz", "no.npz: there is no such file"),
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
    for wrong in (
        {"data": "a.txt", "corpus": {"tokenizer": "wrods"}},
        {"evaluation": {"embedder": "usme3"}},
    ):
        with pytest.raises(ConfigError, match="did you mean"):
            RunConfig(**wrong)


OF_ANOTHER = [
    (
        "run --corpus.column text",
        "column: grammar has no such setting, a file and wordnet",
    ),
    (
        "run --data oracle --corpus.tokenizer words",
        "tokenizer: oracle has no such setting",
    ),
    ("data oracle --corpus.min_count 3", "--corpus.min_count: oracle has no such setting"),
    ("data a.txt --corpus.num_test 9", "num_test: a file has no such setting, grammar, oracle"),
    ("run a.txt --corpus.length 9", "--corpus.length: a file has no such setting, oracle has"),
    (
        "run --data oracle --corpus.max_length 9",
        "max_length: oracle has no such setting, a file, grammar",
    ),
    ("run --discriminator.filter_share .5", "filter_share: bilstm has no such setting, cnn has"),
    (
        "run --discriminator.architecture cnn --discriminator.hidden 9",
        "--discriminator.hidden: cnn has no such setting, bilstm",
    ),
    (
        "run --method seqgan --discriminator.hidden 9",
        "--discriminator.hidden: cnn has no such setting, bilstm",
    ),
]


@pytest.mark.parametrize(("command", "line"), OF_ANOTHER, ids=[c for c, _ in OF_ANOTHER])
def test_settings_of_another_component_are_refused(capsys, tmp_path, command, line):
    assert main(shlex.split(command)) == 2
    error = capsys.readouterr().err
    assert error.startswith("seqgan: error: --") and line in error and error.count("\n") == 1


def test_in_files_and_in_python_too(capsys, tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text("discriminator: {architecture: cnn, hidden: 9}\n")
    line = "--discriminator.hidden: cnn has no such setting, bilstm"
    assert main(["run", "--config", str(path)]) == 2
    assert line in capsys.readouterr().err
    with pytest.raises(ConfigError, match=line):
        RunConfig(discriminator={"architecture": "cnn", "hidden": 9})


POINTED_OUT = [
    ("data wordnet --corpus.field text", "--corpus.field: no effect with WordNet"),
    ("data a.txt --test_data b --corpus.test_share .2", "test_share: no effect with --test_data"),
    ("data oracle --corpus.parameters x.npz --corpus.hidden 9", "hidden: no effect with --corpus."),
    (
        "run --rewards random --critic.rounds_learning_rate 0.1",
        "--critic.rounds_learning_rate: no effect without a discriminator in --rewards",
    ),
    (
        "run --algorithm.updates 2 --algorithm.clip 0.3",
        "--algorithm.updates, --algorithm.clip: no effect without --algorithm.loss clipped",
    ),
    (
        "run --algorithm.rollouts 0 --algorithm.positions 2",
        "--algorithm.positions: no effect without rollouts",
    ),
    (
        "run --pretrain.early_stopping off --pretrain.patience 5",
        "--pretrain.patience: no effect without --pretrain.early_stopping",
    ),
    (
        "run --rewards qed --reward.workers 4 --reward.timeout 3",
        "--reward.workers, --reward.timeout: no effect without a function of your own in --rewards",
    ),
    (
        "run --rewards length --on_reward_error skip",
        "--on_reward_error: no effect without a function of your own or a term of molecules",
    ),
    ("run --reward.calls 9", "--reward.calls: no effect with rewards that compare with data"),
    (
        "run --rewards length discriminator --reward.verdict_calls 900",
        "--reward.verdict_calls: no effect where the verdict is not by the reward",
    ),
    (
        "run --method reinvent --algorithm.baseline mean --algorithm.transform rank",
        "--algorithm.baseline, --algorithm.transform: no effect with --algorithm.loss augmented",
    ),
    (
        "run --method grpo --algorithm.importance_cap 2",
        "--algorithm.importance_cap: no effect with --algorithm.loss clipped",
    ),
    (
        "run --algorithm.diversity.minimum 0.5",
        "--algorithm.diversity.minimum: no effect without --algorithm.diversity.filter",
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
    "run --size smoke",
    "run a.txt --size smoke",  # nobody asked for what a size brings
    "run --method seqgan",
    "run a.txt --corpus.column text --corpus.num_train 9 --corpus.max_length 20",
    "run --discriminator.architecture cnn --discriminator.filter_share .5",
    "run --algorithm.loss clipped --algorithm.updates 2 --output_dir x --overwrite",
    "run --method sentigan --algorithm.loss probability --algorithm.aggregation sequence_mean",
    "run --rewards qed validity:0 --on_reward_error skip --reward.calls 99 "
    "--reward.verdict_calls 900",
    "data oracle --corpus.num_test 9 --corpus.length 9",
    "data grammar --corpus.max_length 30 --seed 3",
]


@pytest.mark.parametrize("command", QUIET)
def test_and_no_others(capsys, command):
    name, *arguments = shlex.split(command)
    assert parse(name, arguments) is not None
    assert capsys.readouterr().err == ""


def test_settings_of_a_file_are_looked_at_and_its_defaults_are_not(capsys, tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text("algorithm: {rollouts: 0, positions: 3}\n")
    parse("run", ["--config", str(path)])
    assert capsys.readouterr().err == (
        "seqgan: warning: --algorithm.positions: no effect without rollouts\n"
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
    (tmp_path / "config.yaml").write_text("method: seqgan\npretrain: {epochs: 5}\n")
    assert parse("finetune", [str(tmp_path)]) is not None
    assert capsys.readouterr().err == ""
    assert parse("finetune", [str(tmp_path), "--pretrain.epochs", "7"]) is not None
    assert "--pretrain.epochs: no effect in fine-tuning" in capsys.readouterr().err


def test_the_rules_name_settings_that_exist():
    some = [RunConfig(data=data) for data in ("x", *SOURCES)]
    some += [RunConfig(discriminator=CNN()), FinetuneConfig(run="x"), DataConfig(source="wordnet")]
    some += [EvaluateConfig(run="x"), DataConfig(source="oracle", corpus={"parameters": "x.npz"})]
    for settings in some:
        every = every_setting(settings)
        assert all(set(names) <= {*every} for _, names in _rules(settings))
