"""A generator that is saved, shared and read again."""

from __future__ import annotations

import json
import shutil
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
    for more, message in (
        ({"facts": ["a"]}, "facts: no model card can be made"),
        ({"facts": {"scores": [{"name": "nll"}]}}, "facts: no model card can be made"),
        ({"facts": {"verdict": "good"}}, "facts: no model card can be made"),
        ({"constraint": ["smiles"]}, "constraint: no name of one"),
    ):
        (tmp_path / "seqgan.json").write_text(json.dumps({"format": 2, **more}))
        with pytest.raises(CheckpointError, match=message):
            TextGenerator.from_pretrained(tmp_path)


def test_a_runs_settings_alone_never_cause_an_import(run, tmp_path, capsys):
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


def test_nothing_of_another_model_is_left(run, tmp_path):
    place = tmp_path / "model"
    push = ["push", "--run", str(run), "--to", str(place)]
    assert main(push) == 0 and (place / "discriminator.json").is_file()
    (place / "notes.txt").write_text("mine")
    assert main([*push, "--model", "mle", "--overwrite", "true"]) == 0
    names = {path.name for path in place.iterdir()}
    assert not any("discriminator" in name for name in names) and "notes.txt" in names
    alone = tmp_path / "alone"
    assert main([*push[:-1], str(alone), "--model", "mle"]) == 0
    assert names - {"notes.txt"} == {path.name for path in alone.iterdir()}
    assert (place / "README.md").read_text() == (alone / "README.md").read_text()


def test_the_card_has_the_version_that_trained_and_the_level_of_the_intervals(run, tmp_path):
    content = json.loads((run / "environment.json").read_text())
    ours = TextGenerator.from_run(run)
    assert ours.facts["version"] == content["seqgan-toolkit"]
    ours.facts |= {"version": "0.0.7", "confidence": 0.995}
    ours.save_pretrained(tmp_path / "model")
    TextGenerator.from_pretrained(tmp_path / "model").save_pretrained(tmp_path / "again")
    card = (tmp_path / "again" / "README.md").read_text()
    assert "with seqgan-toolkit 0.0.7 (" in card and "| 99.5% interval |" in card


@pytest.fixture
def ruled(run, tmp_path):
    """A copy of a run, as if it had been trained under a constraint."""

    def copy(constraint: str):
        place = shutil.copytree(run, tmp_path / "ruled", dirs_exist_ok=True)
        config = yaml.safe_load((place / "config.yaml").read_text())
        (place / "config.yaml").write_text(yaml.safe_dump(config | {"constraint": constraint}))
        return place

    return copy


def test_samples_keep_the_constraint_of_the_training(ruled, tmp_path, capsys):
    ours = TextGenerator.from_run(ruled("grammar"))
    ours.save_pretrained(tmp_path / "model")
    lines = ours.sample(20)
    assert lines == ours.sample(20, constraint="grammar") != ours.sample(20, constraint="none")
    assert TextGenerator.from_pretrained(tmp_path / "model").sample(20) == lines
    assert main(["sample", "--run", str(tmp_path / "ruled"), "--number", "20"]) == 0
    assert capsys.readouterr().out.splitlines() == lines


def test_samples_that_are_measured_keep_it_too(ruled, tmp_path, capsys, monkeypatch):
    references = tmp_path / "lines.txt"
    references.write_text("\n".join(TextGenerator.from_run(ruled("grammar")).sample(30)))
    kept = []
    monkeypatch.setattr(
        "seqgan.cli.commands.constrained", lambda policy, rule: kept.append(rule) or policy
    )
    flags = ["--references", str(references), "--num_samples", "20", "--resamples", "20"]
    command = ["evaluate", "--run", str(tmp_path / "ruled"), *flags]
    assert main(command) == 0 and all(kept) and kept
    kept.clear()
    assert main([*command, "--constraint", "none"]) == 0 and kept and not any(kept)


def test_a_constraint_of_a_strangers_is_named_first(ruled, tmp_path, capsys):
    place = ruled("antigravity:fly")
    TextGenerator.from_run(place).save_pretrained(tmp_path / "model")
    for folder in (place, tmp_path / "model"):
        assert main(["sample", "--run", str(folder), "--number", "1"]) == 2
        assert "constraint 'antigravity:fly' is not built in" in capsys.readouterr().err
        words = ["sample", "--run", str(folder), "--number", "1", "--constraint", "none"]
        assert main(words) == 0
    (tmp_path / "lines.txt").write_text("a b c\nd e f\n")
    words = ["evaluate", "--run", str(place), "--references", str(tmp_path / "lines.txt")]
    assert main(words) == 2
    assert "constraint 'antigravity:fly' is not built in" in capsys.readouterr().err
    assert "antigravity" not in sys.modules
