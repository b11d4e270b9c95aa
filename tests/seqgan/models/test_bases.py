"""Saved models that go on from pretrained ones: found by place, known by content."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from rollout import generate
from seqgan.cli.main import main
from seqgan.config import RunConfig
from seqgan.data.sources import run_data
from seqgan.errors import CheckpointError
from seqgan.hub import TextGenerator
from seqgan.models import load_generator, make_discriminator, make_generator, save_model

from ...small import tiny_encoder, tiny_language_model


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A model and its discriminator that go on from `base` and `judge`, in a folder `here`."""
    here = tmp_path / "here"
    shutil.copytree(tiny_language_model(), here / "base")
    shutil.copytree(tiny_encoder(), here / "judge")
    monkeypatch.chdir(here)
    config = RunConfig(
        data="base/text.txt",
        corpus={"tokenizer": "base/tokenizer.json", "validation_share": 0.2, "test_share": 0.2},
        generator={"architecture": "pretrained", "model": "base", "lora_rank": 2},
        discriminator={"architecture": "encoder", "encoder": "judge", "lora_rank": 2},
        algorithm={"rollouts": 0},
        evaluation={"embedder": "none"},
    )
    data = run_data(config)
    policy = make_generator(config.generator, data.spec, 0)
    judge = make_discriminator(config.discriminator, data.spec, 1, data.codec)
    facts = {
        "source": "text.txt", "scores": [], "verdict": None, "command": "seqgan run",
        "version": "0.2.0",
    }  # fmt: skip
    return TextGenerator(policy, data.codec, facts, judge)


def test_a_model_is_read_from_any_folder_and_only_upon_its_base(made, tmp_path, monkeypatch):
    save_model(made.policy, tmp_path / "model")
    there = tmp_path / "there"
    there.mkdir()
    monkeypatch.chdir(there)
    drawn = generate(made.policy, 8, rng=torch.Generator().manual_seed(0))
    wanted = made.policy(drawn).log_prob
    assert torch.equal(load_generator(tmp_path / "model")(drawn).log_prob, wanted)
    shutil.move(tmp_path / "here" / "base", there / "moved")
    with pytest.raises(CheckpointError, match=r"model base \(sha256 .*--base_model PATH"):
        load_generator(tmp_path / "model")
    assert torch.equal(load_generator(tmp_path / "model", base="moved")(drawn).log_prob, wanted)
    other = tiny_language_model("gpt2")
    with pytest.raises(CheckpointError, match="the weights in .* are not those of base"):
        load_generator(tmp_path / "model", base=other)


def test_a_shared_model_names_its_bases_and_no_folder(made, tmp_path, monkeypatch, capsys):
    place, kept = tmp_path / "shared", tmp_path / "kept"
    made.save_pretrained(place)
    for name in ("generator", "discriminator"):
        text = (place / f"{name}.json").read_text()
        assert str(tmp_path) not in text and len(json.loads(text)["base"]["sha256"]) == 64
    card = (place / "README.md").read_text()
    assert "The generator goes on from the pretrained model `base`" in card
    assert "with `--base_encoder PATH`" in card
    monkeypatch.chdir(tmp_path)
    pull = ["pull", "--model", str(place), "--to", str(kept)]
    assert main(pull) == 2
    error = capsys.readouterr().err
    assert "name its place with --base_model PATH" in error and "Traceback" not in error
    assert not Path(kept).exists()
    pull += ["--base_model", "here/base"]
    assert main(pull) == 2 and "--base_encoder PATH" in capsys.readouterr().err
    assert main([*pull, "--base_encoder", "here/judge"]) == 0
    assert (kept / "README.md").read_text() == card
    sample = ["sample", "--run", str(kept), "--number", "3", "--base_model", "here/base"]
    capsys.readouterr()
    assert main([*sample, "--base_encoder", "none"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
    ours = TextGenerator.from_pretrained(kept, base_model="here/base", base_encoder="here/judge")
    assert all(each.log_odds is not None for each in ours.samples(5))
