"""Help, settings that can be printed and fed back, and the commands that need no run."""

from __future__ import annotations

import pytest
import torch
import yaml

from rollout import Sequences
from seqgan.cli import commands
from seqgan.cli.main import COMMANDS, main
from seqgan.config import DISCRIMINATORS
from seqgan.config.describe import every_setting
from seqgan.config.methods import SIZES, method_names
from seqgan.data.grammar.policy import GrammarPolicy
from seqgan.data.text.vocabulary import Vocabulary
from seqgan.data.text.words import Words

from ..failing import fails


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


@pytest.mark.parametrize("command", COMMANDS)
def test_every_setting_has_a_help_text(capsys, command):
    about = COMMANDS[command]
    for name, setting in every_setting(about.settings).items():
        assert setting.about, name
    assert about.example.startswith(f"seqgan {command} ") and callable(getattr(commands, command))
    assert main([command, "--help", "all"]) == 0
    everything = capsys.readouterr().out
    assert "more settings" not in everything


@pytest.mark.parametrize("method", method_names())
def test_the_help_of_a_run_fits_into_200_lines(capsys, monkeypatch, method):
    monkeypatch.setenv("COLUMNS", "100")
    assert main(["run", "--method", method, "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) < 200 and max(map(len, lines)) <= 100


def test_flags_after_help_choose_the_settings_too(capsys):
    found = []
    for line in ("--method seqgan --help", "--help --method seqgan", "--help all --method seqgan",
                 "--method seqgan --help=all", "--help"):  # fmt: skip
        assert main(["run", *line.split()]) == 0
        found.append(capsys.readouterr().out)
    assert found[0] == found[1] != found[4] and found[2] == found[3] != found[0]
    fails(capsys, ["run", "--help", "--mehtod", "seqgan"], "did you mean '--method'?")


@pytest.mark.parametrize("more", [[], ["--method", "seqgan"], ["--data", "oracle"], ["x.txt"]])
def test_the_help_of_a_run_hides_only_the_rare(capsys, monkeypatch, more):
    monkeypatch.setenv("COLUMNS", "100")
    assert main(["run", *more, "--help"]) == 0
    short = capsys.readouterr().out.splitlines()
    assert len(short) < 200 and max(map(len, short)) <= 100
    assert main(["run", *more, "--help", "all"]) == 0
    whole = capsys.readouterr().out

    def flags(text):
        return [line.split()[0] for line in text if line.startswith("  --")]

    hidden = set(flags(whole.splitlines())) - set(flags(short))
    assert f"--help all shows {len(hidden)} more settings" in "\n".join(short)
    assert main(["run", *more, "--print_config"]) == 0
    content = yaml.safe_load(capsys.readouterr().out)
    every = {f"--{group}" for group, inner in content.items() if not isinstance(inner, dict)}
    for group, inner in content.items():
        if isinstance(inner, dict):
            for name, value in inner.items():
                under = value if isinstance(value, dict) else {"": None}
                every |= {f"--{group}.{name}.{x}".rstrip(".") for x in under}
    assert set(flags(whole.splitlines())) == every


def test_help_lists_the_chosen_components(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    assert main(["run", "--method", "seqgan-logodds", "--help"]) == 0
    assert "--discriminator.hidden" in (printed := capsys.readouterr().out)
    assert "--discriminator.filter_share" not in printed and "--corpus.num_test" in printed
    whole = "".join(printed.split())
    assert f"--discriminator.architecture{'|'.join(DISCRIMINATORS)}" in whole
    assert "--size smoke|quick|standard|full " in printed and "--method ratio|" in printed
    assert main(["run", "x.txt", "--discriminator.architecture", "cnn", "--help"]) == 0
    assert "--discriminator.hidden" not in (printed := capsys.readouterr().out)
    assert "--discriminator.filter_share" in printed and "--corpus.num_test" not in printed


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("method", method_names())
def test_methods_and_sizes_parse_and_print(capsys, method, size):
    assert main(["run", "--method", method, "--size", size, "--print_config"]) == 0
    content = yaml.safe_load(capsys.readouterr().out)
    assert (content["method"], content["size"]) == (method, size)
    assert content["data"] == "grammar" and "learning_rate" in content["pretrain"]["optimizer"]


def test_printed_settings_can_be_fed_back(capsys, tmp_path):
    arguments = ["run", "--size", "quick", "--seed", "5", "--adversarial.rounds", "3"]
    assert main([*arguments, "--print_config"]) == 0
    first = capsys.readouterr().out
    path = tmp_path / "settings.yaml"
    path.write_text(first)
    assert main(["run", "--config", str(path), "--print_config"]) == 0
    again = capsys.readouterr().out
    assert first == again
    content = yaml.safe_load(first)
    assert content["size"] == "quick" and content["seed"] == 5
    assert content["generator"]["hidden"] == 128 and content["adversarial"]["rounds"] == 3


def test_another_size_of_printed_settings_is_refused(capsys, tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text("size: quick\ngenerator: {hidden: 9}\n")
    assert main(["run", "--config", str(path), "--size", "quick", "--print_config"]) == 0
    capsys.readouterr()
    assert main(["run", "--config", str(path), "--size", "smoke"]) == 2
    error = capsys.readouterr().err
    assert f"--size smoke: {path} is for the size quick and sets generator itself" in error
    path.write_text("generator: {hidden: 9}\n")  # what a user writes by hand goes with any size
    assert main(["run", "--config", str(path), "--size", "smoke", "--print_config"]) == 0
    content = yaml.safe_load(capsys.readouterr().out)
    assert (content["generator"]["hidden"], content["pretrain"]["epochs"]) == (9, 2)


def test_a_file_of_samples_is_scored(capsys, tmp_path):
    samples, references = tmp_path / "samples.txt", tmp_path / "references.txt"
    samples.write_text("a cat sat .\na dog ran .\na cat sat .\n")
    references.write_text("a cat sat .\nthe dog ran .\n")
    out = tmp_path / "scores.json"
    arguments = ["evaluate", "--samples", str(samples), "--references", str(references)]
    assert main([*arguments, "--training", str(references), "--output", str(out)]) == 0
    assert "BLEU-4" in capsys.readouterr().out
    scores = {score["name"]: score for score in yaml.safe_load(out.read_text())["samples"]}
    # two sentences are copies; of the third all 4 words and 2 of 3 bigrams match
    assert scores["bleu-2"]["value"] == pytest.approx((2 + (2 / 3) ** 0.5) / 3)
    assert scores["copied"]["value"] == pytest.approx(2 / 3)
    assert scores["unique"]["value"] == pytest.approx(2 / 3)
    assert "tok:words" in scores["self-bleu-2"]["signature"]
    fails(capsys, [*arguments, "--num_samples", "9"], "has 3 sequences, --num_samples asks for 9")
    fails(capsys, [*arguments, "--bleu_tokenizer", "word"], "did you mean 'words'?")
    fails(
        capsys, ["evaluate", "--samples", str(samples)], "--samples expects --references FILE too"
    )
    fails(capsys, ["evaluate"], "expected either --run DIR")
    samples.write_text("")
    fails(capsys, arguments, "samples.txt")


def test_a_source_can_be_written_to_a_file_that_is_data_again(capsys, tmp_path):
    out = tmp_path / "folder" / "captions.txt"
    arguments = ["data", "grammar", "--corpus.num_train", "50", "--examples", "1"]
    assert main([*arguments, "--output", str(out)]) == 0
    printed = capsys.readouterr().out
    lines = out.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 50 and f"train: {lines[0]}\n" in printed
    assert f"Written: {out}, the 50 training sequences" in printed
    policy = GrammarPolicy(max_length=40)
    words = Vocabulary(policy.tokens)
    for line in lines:  # whole sentences of the grammar, in words that it has
        tokens = Words().tokenize(line)
        assert all(token in words for token in tokens)
        ids = [*words.encode(tokens, eos=True)]
        sequence = Sequences(torch.tensor([ids]), torch.tensor([len(ids)]))
        assert torch.isfinite(policy.log_prob(sequence)).all()
    fails(capsys, [*arguments, "--output", str(out)], "exists already; choose another name")
    assert main(["data", str(out), "--corpus.min_count", "1"]) == 0
    assert "50 lines" in capsys.readouterr().out


def test_data_is_shown_before_training(capsys, tmp_path):
    path = tmp_path / "lines.txt"
    path.write_text("\n".join(f"the {a} sat on the {b} mat" for a in "abcdef" for b in "uvwxyz"))
    assert main(["data", str(path), "--corpus.min_count", "1", "--examples", "1"]) == 0
    printed = capsys.readouterr().out
    assert "vocabulary" in printed and "train: the" in printed
    assert main(["data", "grammar", "--corpus.num_train", "20"]) == 0
    assert "entropy 14.210" in capsys.readouterr().out
    fails(capsys, ["data", "nothing.txt"], "nothing.txt: no such file")
