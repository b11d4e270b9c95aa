"""A generator that is saved, shared and read again."""

from __future__ import annotations

import json
import sys

import pytest
import yaml

from seqgan import TextGenerator
from seqgan.cli.main import main
from seqgan.errors import CheckpointError, ConfigError, RunDirectoryError


@pytest.fixture(scope="module")
def run(smoke_run):
    return smoke_run


def test_it_comes_back_with_the_same_samples(run, tmp_path):
    ours = TextGenerator.from_run(run)
    ours.save_pretrained(tmp_path / "model")
    again = TextGenerator.from_pretrained(tmp_path / "model")
    assert again.sample(5) == ours.sample(5)
    assert again.sample(5, temperature=0.7, seed=1) != ours.sample(5)
    kinds = {path.suffix for path in (tmp_path / "model").iterdir()}
    assert kinds <= {".safetensors", ".json", ".md"}


def test_a_foreign_vocabulary_is_noticed(run, tmp_path):
    TextGenerator.from_run(run).save_pretrained(tmp_path)
    path = tmp_path / "vocabulary.json"
    content = json.loads(path.read_text())
    content["tokens"][4:] = reversed(content["tokens"][4:])
    path.write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match="not the vocabulary that the generator was trained"):
        TextGenerator.from_pretrained(tmp_path)


def test_the_card_carries_table_verdict_and_command(run, tmp_path):
    TextGenerator.from_run(run).save_pretrained(tmp_path)
    card = (tmp_path / "README.md").read_text()
    results = json.loads((run / "results.json").read_text())
    assert results["verdict"]["sentence"] in card
    for score in results["scores"]["finetuned"]:
        assert f"| {score['name']} | {score['value']:.4f} |" in card
    assert "library_name: seqgan-toolkit" in card and "```bash" in card


def test_mle_can_be_chosen(run):
    assert TextGenerator.from_run(run, "mle").facts["model"] == "mle"
    assert TextGenerator.from_run(run).facts["model"] == "finetuned"
    with pytest.raises(ConfigError, match="model: 'bset' is neither 'finetuned' nor 'mle'"):
        TextGenerator.from_run(run, "bset")


def test_a_strangers_folder_never_causes_an_import(run, tmp_path):
    TextGenerator.from_run(run).save_pretrained(tmp_path)
    path = tmp_path / "codec.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "tokenizer": "antigravity:fly"}))
    with pytest.raises(ConfigError, match="'antigravity:fly' is not built in"):
        TextGenerator.from_pretrained(tmp_path)
    spaces = TextGenerator.from_run(run).codec.tokenizer
    assert TextGenerator.from_pretrained(tmp_path, tokenizer=spaces).sample(1)


def test_damaged_folders_are_named(run, tmp_path):
    with pytest.raises(RunDirectoryError, match="no run there"):
        TextGenerator.from_run(tmp_path)
    with pytest.raises(CheckpointError, match=r"seqgan\.json: no such file"):
        TextGenerator.from_pretrained(tmp_path)
    (tmp_path / "seqgan.json").write_text("[]")
    with pytest.raises(CheckpointError, match="format 2"):
        TextGenerator.from_pretrained(tmp_path)


def test_a_runs_settings_alone_never_cause_an_import(run, tmp_path, capsys):
    import shutil

    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    codec = json.loads((copy / "codec.json").read_text())
    (copy / "codec.json").write_text(json.dumps({**codec, "tokenizer": "antigravity:fly"}))
    assert main(["sample", "--run", str(copy), "--number", "1"]) == 2
    assert "name it with --tokenizer" in capsys.readouterr().err
    assert main(["sample", "--run", str(copy), "--number", "1", "--tokenizer", "spaces"]) == 0
    with pytest.raises(ConfigError, match="not built in"):
        TextGenerator.from_run(copy)
    # The codec is a built-in one, and the settings name another.
    (copy / "codec.json").write_text(json.dumps(codec))
    config = yaml.safe_load((copy / "config.yaml").read_text())
    config |= {"data": "lines.txt", "corpus": {"tokenizer": "antigravity:fly"}}
    (copy / "config.yaml").write_text(yaml.safe_dump(config))
    for command in ("evaluate", "explain"):
        assert main([command, "--run", str(copy)]) == 2
        assert "tokenizer 'antigravity:fly' is not built in" in capsys.readouterr().err
    assert "antigravity" not in sys.modules
