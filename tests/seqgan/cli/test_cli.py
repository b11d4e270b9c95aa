"""Help, settings that can be printed and fed back, and the commands that need no run."""

from __future__ import annotations

import pytest
import torch
import yaml

from rollout import Sequences
from seqgan.cli.main import COMMANDS, main
from seqgan.cli.parsing import EXAMPLES, SETTINGS, presets
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
    assert main(["run", "--size", preset, "--print_config"]) == 0
    content = yaml.safe_load(capsys.readouterr().out)
    assert content["data"] == "grammar" and "learning_rate" in content["pretrain"]


def test_printed_settings_can_be_fed_back(capsys, tmp_path):
    arguments = ["run", "--size", "quick", "--seed", "5", "--adversarial.rounds", "3"]
    assert main([*arguments, "--print_config"]) == 0
    first = capsys.readouterr().out
    path = tmp_path / "settings.yaml"
    path.write_text(first)
    assert main(["run", "--config", str(path), "--print_config"]) == 0
    again = capsys.readouterr().out
    a, b = yaml.safe_load(first), yaml.safe_load(again)
    a.pop("preset"), b.pop("preset")
    assert a == b and a["seed"] == 5 and a["generator"]["hidden"] == 128


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
