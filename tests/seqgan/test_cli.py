"""What users get wrong ends in one clear line, exit code 2, no traceback, and nothing written."""

from __future__ import annotations

import pytest
import yaml

from seqgan.cli import COMMANDS, main
from seqgan.errors import SeqganError
from seqgan.parsing import EXAMPLES, SETTINGS, presets


def fails(capsys, arguments: list[str], message: str, program: str = "seqgan") -> None:
    """Runs a command that must fail, and checks how."""
    assert main(arguments) == 2
    printed = capsys.readouterr()
    error = printed.err.strip()
    assert error.startswith(f"{program}: error: ")
    assert "\n" not in error and "Traceback" not in error
    assert message in error, error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--data", "nothing.txt"], "--data: nothing.txt: no such file"),
        (["run", "--data", "gramar"], "did you mean 'grammar'?"),
        (["runn"], "unknown command 'runn' (did you mean 'run'?)"),
        (["run", "--dta", "x"], "unknown flag --dta (did you mean '--data'?)"),
        (["run", "--pretrain.epoch", "3"], "--pretrain.epoch"),
        (["run", "--preset", "quik"], "--preset: 'quik' is none of"),
        (["run", "--preset", "quik"], "did you mean 'quick'?"),
        (["run", "--pretrain.epochs", "many"], "pretrain.epochs"),
        (["run", "--pretrain.learning_rate", "-1"], "--pretrain.learning_rate: -1.0 is not"),
        (["run", "--evaluation.temperatures", "[0,1]"], "--evaluation.temperatures: [0.0, 1.0]"),
        (["run", "--corpus.too_long", "cut"], "--corpus.too_long: 'cut' is none of error"),
        (["run", "--adversarial.baseline", "meen"], "did you mean 'mean'?"),
        (["run", "--adversarial.rollouts", "1000000"], "rollouts: 1,000,000 is above 10,000"),
        (["run", "--pretrain.batch_size", "0"], "--pretrain.batch_size: 0 is below 1"),
        (["run", "--evaluation.num_samples", "1"], "--evaluation.num_samples: 1 is below 2"),
        (["run", "--output_dir", ""], "--output_dir: an empty name"),
        (["run", "extra"], "unrecognized arguments: extra"),
        (["run", "--data", "oracle", "--corpus.oracle_parameters", "no.npz"], "no.npz"),
        (["run", "--data", "oracle", "--test_data", "x"], "oracle brings its own splits"),
        (["data"], "source"),
        (["run", "--seed", "-1"], "--seed: -1 is not in"),
        (["run", "--device", "tpu"], "--device: 'tpu' is none of"),
        (["run", "--config", "missing.yaml"], "missing.yaml"),
        (["sample", "--run", "missing"], "missing: no run there"),
        (["sample", "--run", "missing", "--temperature", "0"], "--temperature: 0.0 is not above 0"),
        (["sample"], "run"),
        (["finetune", "--run", "missing"], "missing: no run there"),
        (["evaluate", "--run", "missing"], "missing: no run there"),
    ],
)
def test_one_clear_line(capsys, monkeypatch, tmp_path, arguments, message):
    monkeypatch.chdir(tmp_path)
    fails(capsys, arguments, message)
    assert not list(tmp_path.iterdir()), "something was written"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"one line only\n", "2"),
        (b"a b\nc \x00 d\n" * 20, "NUL"),
        ("caf\u00e9\n".encode() * 3 + b"\xff\n", "4"),
    ],
    ids=["empty", "one line", "binary", "not UTF-8"],
)
def test_files_that_are_no_corpus(capsys, monkeypatch, tmp_path, content, message):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "data.txt"
    path.write_bytes(content)
    fails(capsys, ["run", "--data", "data.txt"], "data.txt")
    fails(capsys, ["run", "--data", "data.txt"], message)
    assert list(tmp_path.iterdir()) == [path]


def test_a_run_is_never_overwritten_unless_asked(capsys, tmp_path):
    taken = tmp_path / "run"
    taken.mkdir()
    (taken / "config.yaml").write_text("seed: 1\n")
    (taken / "environment.json").write_text("{}")
    fails(capsys, ["run", "--output_dir", str(taken)], "already holds a run")
    (taken / "thesis.txt").write_text("years of work")
    overwrite = ["run", "--output_dir", str(taken), "--overwrite", "true"]
    fails(capsys, overwrite, "holds 'thesis.txt', which is no part of a run")
    (taken / "config.yaml").rename(taken / "diary.txt")
    fails(capsys, ["run", "--output_dir", str(taken)], "is not empty and holds no run")
    overwrite = ["run", "--output_dir", str(taken), "--overwrite", "true"]
    fails(capsys, overwrite, "is not empty and holds no run")
    assert (taken / "diary.txt").read_text() == "seed: 1\n"
    (tmp_path / "file").write_text("")
    fails(capsys, ["run", "--output_dir", str(tmp_path / "file")], "is a file")


def test_help_of_every_command(capsys):
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in COMMANDS)
    assert main([]) == 2
    for name in COMMANDS:
        assert main([name, "--help"]) == 0
        printed = capsys.readouterr().out
        assert "Example: seqgan" in " ".join(printed.split())
    assert main(["--version"]) == 0


def test_every_setting_has_a_help_text(capsys):
    from jsonargparse import ArgumentParser

    for command, settings in SETTINGS.items():
        parser = ArgumentParser()
        parser.add_class_arguments(settings)
        for action in parser._actions:
            flags = [flag for flag in action.option_strings if flag.startswith("--")]
            is_group = type(action).__name__ == "_ActionConfigLoad"
            if flags and not is_group and flags[0] not in ("--help",):
                assert action.help and action.help != "==SUPPRESS==", (command, flags)
    assert set(EXAMPLES) == set(SETTINGS) == set(COMMANDS)


@pytest.mark.parametrize("preset", presets())
def test_presets_parse_and_print(capsys, preset):
    assert main(["run", "--preset", preset, "--print_config"]) == 0
    content = yaml.safe_load(capsys.readouterr().out)
    assert content["data"] == "grammar" and "learning_rate" in content["pretrain"]


def test_printed_settings_can_be_fed_back(capsys, tmp_path):
    arguments = ["run", "--preset", "quick", "--seed", "5", "--adversarial.rounds", "3"]
    assert main([*arguments, "--print_config"]) == 0
    first = capsys.readouterr().out
    path = tmp_path / "settings.yaml"
    path.write_text(first)
    assert main(["run", "--config", str(path), "--print_config"]) == 0
    again = capsys.readouterr().out
    a, b = yaml.safe_load(first), yaml.safe_load(again)
    a.pop("preset"), b.pop("preset")
    assert a == b and a["seed"] == 5 and a["generator"]["hidden"] == 128


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("pretrain:\n  epoch: 3\n", "unknown setting 'pretrain.epoch' (did you mean 'epochs'?)"),
        ("sead: 3\n", "unknown setting 'sead' (did you mean 'seed'?)"),
        ("- a\n- b\n", "a list, not a mapping of settings"),
        ("a: [1\n", "line 2: not plain YAML"),
        ("data: !!python/object/apply:os.getcwd []\n", "not plain YAML"),
        ("pretrain: 3\n", "'pretrain' must be a group of settings"),
        ("pretrain:\n  epochs: many\n", "--pretrain.epochs: 'many' is not a whole number"),
        ("config_format: 99\n", "written by another version of the toolkit"),
    ],
)
def test_settings_files_that_are_refused(capsys, tmp_path, content, message):
    path = tmp_path / "settings.yaml"
    path.write_text(content)
    fails(capsys, ["run", "--config", str(path)], message)


def test_a_split_without_sequences_is_named(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "lines.txt"
    path.write_text("\n".join(f"{a} {b} {c}" for a in "abcdef" for b in "abcdef" for c in "abc"))
    arguments = ["run", "--data", "lines.txt", "--corpus.min_count", "1"]
    for name in ("validation", "heldout"):
        wrong = [*arguments, f"--corpus.{name}_share", "0"]
        fails(capsys, wrong, f"raise --corpus.{name}_share")
    assert list(tmp_path.iterdir()) == [path]


def test_debug_shows_where_an_error_arose(capsys):
    with pytest.raises(SeqganError, match="no such file"):
        main(["run", "--data", "nothing.txt", "--debug"])


def test_a_file_of_samples_is_scored(capsys, tmp_path):
    samples, references = tmp_path / "samples.txt", tmp_path / "references.txt"
    samples.write_text("a cat sat .\na dog ran .\na cat sat .\n")
    references.write_text("a cat sat .\nthe dog ran .\n")
    out = tmp_path / "scores.json"
    arguments = ["evaluate", "--samples", str(samples), "--references", str(references)]
    assert main([*arguments, "--training", str(references), "--output", str(out)]) == 0
    assert "bleu-4" in capsys.readouterr().out
    scores = {score["name"]: score for score in yaml.safe_load(out.read_text())["samples"]}
    # two sentences are copies; of the third all 4 words and 2 of 3 bigrams match
    assert scores["bleu-2"]["value"] == pytest.approx((2 + (2 / 3) ** 0.5) / 3)
    assert scores["copied"]["value"] == pytest.approx(2 / 3)
    assert scores["unique"]["value"] == pytest.approx(2 / 3)
    assert "tok:words" in scores["self-bleu-2"]["signature"]
    fails(capsys, [*arguments, "--num_samples", "9"], "has 3 sequences, --num_samples asks for 9")
    fails(capsys, [*arguments, "--bleu_tokenizer", "word"], "did you mean 'words'?")
    fails(capsys, ["evaluate", "--samples", str(samples)], "--samples and --references go together")
    fails(capsys, ["evaluate"], "give either --run DIR")
    samples.write_text("")
    fails(capsys, arguments, "samples.txt")


def test_data_is_shown_before_training(capsys, tmp_path):
    path = tmp_path / "lines.txt"
    path.write_text("\n".join(f"the {a} sat on the {b} mat" for a in "abcdef" for b in "uvwxyz"))
    assert main(["data", str(path), "--corpus.min_count", "1", "--examples", "1"]) == 0
    printed = capsys.readouterr().out
    assert "vocabulary" in printed and "train: the" in printed
    assert main(["data", "grammar", "--corpus.num_train", "20"]) == 0
    assert "entropy 14.210" in capsys.readouterr().out
    fails(capsys, ["data", "nothing.txt"], "nothing.txt: no such file")
