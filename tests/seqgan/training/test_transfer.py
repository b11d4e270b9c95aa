"""Training that begins with the generator of another run, on other data."""

from __future__ import annotations

import json
import shlex
import shutil
import signal
from pathlib import Path

import pytest

from seqgan.cli.main import main
from seqgan.cli.parsing import parse
from seqgan.config import RunConfig
from seqgan.errors import ConfigError
from seqgan.runs.run_directory import RunDirectory
from seqgan.training import transfer

from ..signals import send
from ..tiny import TINY_WORK, weights, without_report

ANIMALS = ("dog", "cat", "bird", "horse", "cow")
DEEDS = ("runs", "sits", "eats", "sleeps")


def lines(*words: str) -> str:
    found = [f"a {animal} {deed} {word}" for animal in ANIMALS for deed in DEEDS for word in words]
    return "\n".join(found) + "\n"


@pytest.fixture(scope="module")
def first(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("transfer")
    (folder / "a.txt").write_text(lines("here", "there", "now", "then"))
    (folder / "b.txt").write_text(lines("here now", "there then", "then here"))
    (folder / "c.txt").write_text(lines("elsewhere", "anywhere", "nowhere"))
    with pytest.MonkeyPatch.context() as patch:
        without_report(patch)
        words = ["--data", str(folder / "a.txt"), *TINY_WORK, "--corpus.max_length", "8"]
        assert main(["pretrain", *words, "--output_dir", str(folder / "a")]) == 0
    return folder


@pytest.fixture(autouse=True)
def no_report(monkeypatch):
    without_report(monkeypatch)


def test_mle_goes_on_with_other_data(first, tmp_path, capsys, monkeypatch):
    """The other run is read once; when its weights are taken, it may go."""
    path, source, read = tmp_path / "ab", tmp_path / "source", []
    shutil.copytree(first / "a", source)
    words = ["--run", str(source), "--data", str(first / "b.txt"), *TINY_WORK]
    words += ["--corpus.max_length", "8", "--pretrain.optimizer.learning_rate", "1e-7"]
    with monkeypatch.context() as patch:
        send(patch, signal.SIGTERM, 2)
        load = transfer.load_generator
        patch.setattr(transfer, "load_generator", lambda place: read.append(place) or load(place))
        words = ["pretrain", *words, "--output_dir", str(path)]
        assert main(words) == 128 + signal.SIGTERM
    assert len(read) == 1 and source in read[0].parents
    shutil.rmtree(source)
    command = shlex.split(capsys.readouterr().err.split("resume with: ")[1])[1:]
    assert main(command) == 0
    before, after = weights(first / "a", "mle"), weights(path, "mle")
    assert all((before[name] - after[name]).abs().max() < 1e-4 for name in before)
    config = RunDirectory(path).config()
    assert config["generator"] == RunDirectory(first / "a").config()["generator"]
    vocabularies = {(run / "vocabulary.json").read_text() for run in (first / "a", path)}
    assert len(vocabularies) == 1
    assert main(["evaluate", "--run", str(path)]) == 0  # it has the vocabulary itself
    assert main(["finetune", "--run", str(path), "--output_dir", str(tmp_path / "tuned")]) == 0


def test_other_data_are_cut_as_those_of_the_first_run(tmp_path, capsys):
    """By its tokenizer, without a flag; another one makes <unk> of what the model knows."""
    for name, more in (
        ("a", "CCO CCN CCC CCF COC CNC CCCO CCCN CCOC CCNC CCCF CCOF"),
        ("b", "CO CN CF OCC NCC OC NC FC FCC COCO CNCN CFCF"),
    ):
        (tmp_path / f"{name}.smi").write_text("\n".join(more.split()) + "\n")
    words = ["--corpus.test_share", "0.2", "--corpus.min_count", "1", *TINY_WORK]
    words += ["--pretrain.epochs", "1"]
    a, b, c = (str(tmp_path / name) for name in "abc")
    cut = ["--corpus.tokenizer", "characters", "--corpus.max_length", "9"]
    assert main(["pretrain", "--data", f"{a}.smi", *words, *cut, "--output_dir", a]) == 0
    again = ["pretrain", "--run", a, "--data", f"{b}.smi", *words]
    found = parse("pretrain", again[1:])
    assert (found.corpus.tokenizer, found.corpus.max_length) == ("characters", 9)
    assert main([*again, "--corpus.tokenizer", "words", "--output_dir", c]) == 2
    line = f"--corpus.tokenizer: words, and {a} was trained on tokens of characters; set --corpus"
    assert line in capsys.readouterr().err
    assert not Path(c).exists()
    assert main([*again, "--output_dir", b]) == 0
    vocabularies = [(Path(run) / "vocabulary.json").read_text() for run in (a, b)]
    assert vocabularies[0] == vocabularies[1]


def test_tokenizer_files_are_compared_by_their_content(first, tmp_path):
    """The same file may lie at two places; another file is another tokenizer."""
    tokenizers = pytest.importorskip("tokenizers", reason="needs the extra lm")
    run, files = tmp_path / "run", [tmp_path / name for name in ("a.json", "b.json", "c.json")]
    for file, words in zip(files, ("dog cat", "dog cat", "cat dog"), strict=True):
        vocabulary = {word: number for number, word in enumerate(words.split())}
        tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary)).save(str(file))
    shutil.copytree(first / "a", run)
    shutil.copy(files[0], run / "tokenizer.json")
    config = run / "config.yaml"
    text = config.read_text()
    assert text.count("tokenizer: words") == 1
    config.write_text(text.replace("tokenizer: words", f"tokenizer: {files[0]}"))
    files.append(run / "tokenizer.json")
    settings = [
        RunConfig(data="x.txt", corpus={"tokenizer": str(file)}, pretrain={"run": str(run)})
        for file in files
    ]
    for number in (0, 1, 3):
        transfer.check_tokenizer(settings[number])
    with pytest.raises(ConfigError, match=f"c.json, and .* set --corpus.tokenizer {files[3]}"):
        transfer.check_tokenizer(settings[2])


def test_fine_tuning_on_other_data(first, tmp_path, capsys):
    path = tmp_path / "tuned"
    words = ["finetune", "--run", str(first / "a"), "--data", str(first / "b.txt")]
    assert main([*words, "--output_dir", str(path)]) == 2
    assert "to go on training on other data, add --transfer" in capsys.readouterr().err
    assert not path.exists()
    assert main([*words, "--transfer", "--output_dir", str(path)]) == 0
    assert json.loads((path / "results.json").read_text())["source"] == str(first / "b.txt")
    assert all(map(bool, [weights(path, "finetuned"), main(["evaluate", "--run", str(path)]) == 0]))


def test_fine_tuning_on_other_data_resumes(first, tmp_path, capsys, monkeypatch):
    path = tmp_path / "tuned"
    words = ["finetune", "--run", str(first / "a"), "--data", str(first / "b.txt"), "--transfer"]
    with monkeypatch.context() as patch:
        send(patch, signal.SIGTERM, 5)
        assert main([*words, "--output_dir", str(path)]) == 128 + signal.SIGTERM
    command = shlex.split(capsys.readouterr().err.split("resume with: ")[1])[1:]
    assert main(command) == 0
    assert (path / "results.json").is_file()


def test_models_that_rewards_name_are_looked_at_first(first, tmp_path, capsys):
    path, part = tmp_path / "no", tmp_path / "part"
    shutil.copytree(first / "a", part)
    shutil.rmtree(part / "checkpoints")
    for model, message in (
        (tmp_path / "none", "no run there"),
        (part, "the run has no checkpoint 'mle' yet"),
        (first / "a", "has another vocabulary than"),
    ):
        reward = f"{{name: likelihood, model: {model}}}"
        words = ["run", "--data", str(first / "c.txt"), *TINY_WORK, "--rewards", reward]
        assert main([*words, "--output_dir", str(path)]) == 2
        line = capsys.readouterr().err.splitlines()[-1]
        assert f"error: --rewards: likelihood: model: {model}" in line and message in line
    assert not path.exists()


def test_vocabularies_must_fit(first, tmp_path, capsys):
    path = tmp_path / "no"
    words = ["--run", str(first / "a"), "--data", str(first / "c.txt"), "--output_dir", str(path)]
    assert main(["finetune", *words, "--transfer"]) == 2
    (line,) = [x for x in capsys.readouterr().err.splitlines() if "error" in x]
    assert "c.txt does not fit the vocabulary of" in line
    assert "knows neither 'elsewhere' and 2 other tokens nor a token for unknown ones" in line
    assert main(["pretrain", *words, *TINY_WORK, "--corpus.max_length", "9"]) == 2
    assert "set --corpus.max_length 8" in capsys.readouterr().err and not path.exists()
    grammar = ["pretrain", "--run", str(first / "a"), "--data", "grammar", *TINY_WORK]
    assert main([*grammar, "--output_dir", str(path)]) == 2
    assert "only a text file can take another run's vocabulary" in capsys.readouterr().err
