"""The members of an ensemble in a run: trained, kept, resumed, taken from other runs."""

from __future__ import annotations

import shlex
import shutil
import signal

import pytest
import torch

from rollout import Sequences
from seqgan import TextGenerator
from seqgan.cli.main import main
from seqgan.config.decoding import Decoding
from seqgan.data.prompts import Questions
from seqgan.errors import ConfigError
from seqgan.models import Ensemble, load_generator
from seqgan.runs.run_directory import RunDirectory
from seqgan.runs.saver import read_checkpoint
from seqgan.training.decoding import decode

from ..signals import send
from ..tiny import OF_POLICY_GRADIENT, TINY, differences, outcome, without, without_report


def tiny(method: str = "ratio") -> list[str]:
    """The tiny run's flags that the method has."""
    kept = without(TINY, "--critic", *OF_POLICY_GRADIENT)
    return ["--method", method, *kept, "--ensemble.refresh", "2", "--evaluation.control", "true"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ratio") / "whole"
    with pytest.MonkeyPatch.context() as patch:
        without_report(patch)
        assert main(["run", *tiny(), "--output_dir", str(folder)]) == 0
    return folder


def test_members_differ_and_are_kept(whole):
    models = [load_generator(whole / "members" / str(n) / "generator") for n in (1, 2)]
    first, second = (model.head.weight for model in models)
    assert not torch.equal(first, second)


def test_members_of_a_run_choose_among_its_samples(whole, tmp_path):
    ours = TextGenerator.from_run(whole)
    place = RunDirectory.open(whole).checkpoint("finetuned")
    parts = read_checkpoint(place).parts["refresh"]["members"]
    members = [load_generator(whole / "members" / str(n) / "generator") for n in (1, 2)]
    ensemble = Ensemble(members)
    ensemble.load_state_dict(parts)  # trained against the policy in the rounds
    every = generate_all(ours, 40)
    with torch.no_grad():
        ratio = [ensemble.eval()(every).log_prob.sum(1), ours.policy(every).log_prob.sum(1)]
    best = (ratio[0] - ratio[1]).view(10, 4).argmax(1) + 4 * torch.arange(10)
    wanted = ours.codec.texts(every.select(best))
    assert ours.sample(10, rescore=4, rescore_beta=1e6, seed=2) == wanted
    assert ours.sample(10, best_of=4, best_by="discriminator", seed=2) == wanted
    assert all(each.log_odds is None for each in ours.samples(2))  # there is no discriminator
    ours.save_pretrained(tmp_path / "alone")
    with pytest.raises(ConfigError, match=r"--rescore: this model has none; .* \(--method ratio\)"):
        TextGenerator.from_pretrained(tmp_path / "alone").sample(1, rescore=2)


def test_the_command_knows_the_members_of_a_run(whole, capsys):
    """They choose among samples, or are sampled from as one."""
    capsys.readouterr()
    assert main(["sample", str(whole), "--number", "3", "--rescore", "4"]) == 0
    assert capsys.readouterr().out.splitlines() == TextGenerator.from_run(whole).sample(
        3, rescore=4
    )
    words = ["sample", str(whole), "--model", "members", "--number", "5"]
    assert main(words) == 0
    ours = TextGenerator.from_run(whole)
    drawn = decode(ours.by_members().policy, Decoding(), Questions(), 5)
    lines = capsys.readouterr().out.splitlines()
    assert lines == ours.codec.texts(drawn) != ours.sample(5)
    word = lines[0].split()[0]
    assert main([*words, "--forbid", word, "--jsonl"]) == 0
    assert f'"{word} ' not in capsys.readouterr().out


def generate_all(model: TextGenerator, count: int) -> Sequences:
    """The candidates that a model draws with seed 2."""
    return decode(model.policy, Decoding(seed=2), Questions(), count)


def test_a_run_that_is_ended_in_every_phase_resumes_exactly(whole, tmp_path, capsys, monkeypatch):
    without_report(monkeypatch)
    parts = tmp_path / "parts"
    command = ["run", *tiny(), "--output_dir", str(parts)]
    # 8 steps of MLE and of each of 2 members, 3 rounds of 2 steps of the policy and 2 of the
    # members, and those of the control
    for step in (5, 5, 8, 5, 4, 6, 7):
        with monkeypatch.context() as patch:
            send(patch, signal.SIGTERM, step)
            capsys.readouterr()
            assert main(command) == 128 + signal.SIGTERM
        command = shlex.split(capsys.readouterr().err.split("resume with: ")[1])[1:]
    assert main(command) == 0
    assert not differences(outcome(whole), outcome(parts))
    for number in ("1", "2"):
        place = f"members/{number}/generator.safetensors"
        assert (whole / place).read_bytes() == (parts / place).read_bytes()


def test_models_of_other_runs_may_be_the_members(whole, tmp_path, monkeypatch, capsys):
    without_report(monkeypatch)
    runs = ["--ensemble.runs", str(whole), "--evaluation.control", "false", "--seed", "1"]
    command = ["run", *tiny(), *runs]
    one = ["--corpus.split_seed", "0", "--output_dir", str(tmp_path / "one")]
    assert main([*command, *one]) == 0
    kept = load_generator(tmp_path / "one" / "members" / "1" / "generator")
    place = whole / "checkpoints" / (whole / "checkpoints" / "mle").read_text().strip()
    assert torch.equal(kept.head.weight, load_generator(place / "generator").head.weight)
    assert not (tmp_path / "one" / "members" / "2").exists()
    capsys.readouterr()
    assert main([*command, "--output_dir", str(tmp_path / "two")]) == 2
    error = capsys.readouterr().err
    assert "--ensemble.runs" in error and "--corpus.split_seed" in error
    assert not (tmp_path / "two").exists()
    noisy = ["--generator.noise", "2", *one[:2], "--output_dir", str(tmp_path / "three")]
    assert main([*command, *noisy]) == 2
    assert "--generator.noise 0, and this run has 2" in capsys.readouterr().err
    assert not (tmp_path / "three").exists()


def test_a_member_that_is_lost_is_an_error_that_says_what_to_do(whole, tmp_path, capsys):
    copy = tmp_path / "copy"
    shutil.copytree(whole, copy)
    shutil.rmtree(copy / "members" / "2")
    (copy / "results.json").unlink()
    assert main(["run", "--resume", str(copy)]) == 2
    assert "--overwrite" in capsys.readouterr().err
