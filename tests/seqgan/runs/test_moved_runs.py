"""A run is used from another folder, with its data elsewhere, or without them."""

from __future__ import annotations

import json
import shlex
import shutil
import signal
import sys
from pathlib import Path

import pytest
import torch

from seqgan.cli.main import main
from seqgan.runs.run_directory import RunDirectory
from seqgan.training import begin

from ..failing import fails
from ..signals import send
from ..tiny import weights, without_report

LINES = [f"the {a} cat {b} the {c} mat" for a in "abcdef" for b in "ghijkl" for c in "mnopq"]
TINY = (
    "--size smoke --device cpu --corpus.min_count 1 --corpus.num_train 60 "
    "--generator.hidden 8 --generator.embedding 8 "
    "--pretrain.epochs 1 --critic.steps 2 --critic.measure_every 1 "
    "--adversarial.rounds 2 --adversarial.measure_every 1 --algorithm.batch_size 8 "
    "--evaluation.num_samples 10 --evaluation.sweep_samples 10 --evaluation.resamples 5 "
    "--evaluation.temperatures [0.9,1.0] --checkpoint.every_minutes 0 --trackers []"
)


def do(command: str) -> None:
    assert main(shlex.split(command)) == 0, command


def refused(command: str, capsys) -> str:
    """The one line that a command ends in."""
    return fails(capsys, shlex.split(command))


def scores(path: Path, flags: str) -> dict:
    do(f"evaluate {flags} --output {path}")
    return json.loads(path.read_text())


@pytest.fixture(autouse=True)
def no_report(monkeypatch):
    without_report(monkeypatch)


@pytest.fixture(scope="module")
def old(tmp_path_factory) -> Path:
    """A folder with data, a pretrained run and a full one, all named by relative paths."""
    folder = tmp_path_factory.mktemp("old")
    (folder / "data").mkdir()
    (folder / "data" / "lines.txt").write_text("\n".join(LINES))
    (folder / "data" / "test.txt").write_text("\n".join(LINES[::7]))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        without_report(patch)
        files = "--data data/lines.txt --test_data data/test.txt"
        do(f"pretrain {files} {TINY} --output_dir runs/mle")
        do(f"run {files} {TINY} --output_dir runs/full")
    return folder


@pytest.fixture
def moved(old, tmp_path, monkeypatch) -> Path:
    """The runs on another machine, where the data are elsewhere and have other names."""
    shutil.copytree(old / "runs", tmp_path / "runs")
    (tmp_path / "texts").mkdir()
    shutil.copy(old / "data" / "lines.txt", tmp_path / "texts" / "a.txt")
    shutil.copy(old / "data" / "test.txt", tmp_path / "texts" / "b.txt")
    for run in (tmp_path / "runs").iterdir():
        environment = json.loads((run / "environment.json").read_text())
        assert environment["folder"] == str(old)
        (run / "environment.json").write_text(json.dumps({**environment, "folder": "/none"}))
    monkeypatch.chdir(tmp_path)
    return tmp_path


FILES = "--data texts/a.txt --test_data texts/b.txt"


def test_from_another_folder(old, tmp_path, monkeypatch):
    """A folder whose files are still where they were when the run was begun."""
    monkeypatch.chdir(old)
    before = scores(tmp_path / "before.json", "--run runs/full")
    monkeypatch.chdir(tmp_path)
    assert scores(tmp_path / "after.json", f"--run {old}/runs/full") == before
    do(f"finetune --run {old}/runs/mle --output_dir tuned")
    monkeypatch.chdir("/")
    assert scores(tmp_path / "tuned.json", f"--run {tmp_path}/tuned")["mle"] == before["mle"]


def test_evaluating_elsewhere(old, moved, monkeypatch, capsys):
    monkeypatch.chdir(old)
    before = scores(moved / "before.json", "--run runs/full")
    monkeypatch.chdir(moved)
    error = refused("evaluate --run runs/full", capsys)
    assert "data/lines.txt: the file that the run was trained on is not there" in error
    assert "--data PATH" in error
    error = refused("evaluate --run runs/full --data texts/a.txt", capsys)
    assert "data/test.txt: " in error and "--test_data PATH" in error
    assert scores(moved / "after.json", f"--run runs/full {FILES}") == before
    error = refused("evaluate --run runs/full --data texts/b.txt --test_data texts/b.txt", capsys)
    assert "--data: texts/b.txt is not what the run at runs/full was trained on" in error
    assert "--data goes with --run alone" in refused(
        "evaluate --samples texts/a.txt --references texts/b.txt --data texts/a.txt", capsys
    )


def test_fine_tuning_elsewhere(old, moved, capsys):
    error = refused("finetune --run runs/mle --output_dir runs/tuned", capsys)
    assert "data/lines.txt: the file" in error and "--data PATH" in error
    wrong = "--data texts/b.txt --test_data texts/b.txt"
    error = refused(f"finetune --run runs/mle --output_dir runs/tuned {wrong}", capsys)
    assert "--data: texts/b.txt is not what the run at runs/mle was trained on" in error
    other = f"--corpus.num_train 59 {FILES}"
    error = refused(f"finetune --run runs/mle --output_dir runs/tuned {other}", capsys)
    assert "texts/a.txt is not what the run at runs/mle" in error and "--corpus settings" in error
    assert not Path("runs/tuned").exists()
    do(f"finetune --run runs/mle --output_dir runs/tuned {FILES}")
    one, other = (weights(run, "finetuned") for run in (Path("runs/tuned"), old / "runs" / "full"))
    assert all(torch.equal(one[key], other[key]) for key in one)


def interrupt(command: str, step: int) -> None:
    """Ends a command after that many gradient steps."""
    with pytest.MonkeyPatch.context() as patch:
        send(patch, signal.SIGTERM, step)
        assert main(shlex.split(command)) == 143


def test_resuming_elsewhere(old, moved, capsys):
    interrupt(f"finetune --run runs/mle --output_dir runs/tuned {FILES}", 4)
    shutil.rmtree("runs/mle")  # it has kept the generator that it began with
    for name in ("a.txt", "b.txt"):
        shutil.move(f"texts/{name}", name)
    error = refused("finetune --resume runs/tuned", capsys)
    assert "texts/a.txt: the file" in error and "--data PATH" in error
    error = refused("finetune --resume runs/tuned --data b.txt --test_data b.txt", capsys)
    assert "--data: b.txt is not what the run at runs/tuned was trained on" in error
    do("finetune --resume runs/tuned --data a.txt --test_data b.txt")
    ended, whole = (
        json.loads((run / "results.json").read_text())["pretraining"]
        for run in (Path("runs/tuned"), old / "runs" / "full")
    )
    assert ended == whole and ended["state"] != "unknown"
    one, other = (weights(run, "finetuned") for run in (Path("runs/tuned"), old / "runs" / "full"))
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_another_runs_generator_is_not_taken_on_resuming(moved, capsys):
    do(f"pretrain {FILES} {TINY} --seed 4 --corpus.split_seed 0 --output_dir runs/other")
    interrupt(f"finetune --run runs/mle --output_dir runs/tuned {FILES}", 4)
    error = refused(
        f"finetune --run runs/other --output_dir runs/tuned --resume true {FILES}", capsys
    )
    assert "--seed: 4 is not what" in error or "was fine-tuned from another run" in error


def edit_config(run: Path, old: str, new: str) -> None:
    text = (run / "config.yaml").read_text()
    assert old in text
    (run / "config.yaml").write_text(text.replace(old, new))


def test_other_files_of_a_run_are_found_or_named(moved, capsys):
    edit_config(Path("runs/full"), "judge: none", "judge: models/judge.gguf")
    error = refused(f"evaluate --run runs/full {FILES}", capsys)
    assert "models/judge.gguf: the file" in error and "name its place with --judge PATH" in error
    error = refused(f"evaluate --run runs/full {FILES} --judge x.gguf", capsys)
    assert "x.gguf: the file" in error
    error = refused(f"run --resume runs/full {FILES}", capsys)
    assert "name its place with --evaluation.judge PATH" in error


def test_a_strangers_embedder_causes_no_import(moved, capsys):
    edit_config(Path("runs/full"), "embedder: none", "embedder: antigravity:fly")
    error = refused(f"evaluate --run runs/full {FILES}", capsys)
    assert "embedder 'antigravity:fly' is not built in; name it with --embedder" in error
    assert "antigravity" not in sys.modules


def test_what_needs_no_data_never_touches_them(moved, capsys, monkeypatch):
    shutil.rmtree("texts")
    monkeypatch.undo()
    monkeypatch.chdir(moved)
    do("sample --run runs/full --number 3")
    do("report --run runs/mle")
    do("compare runs/full runs/mle")
    assert Path("runs/mle/report.html").is_file()


@pytest.mark.slow
def test_fine_tuning_with_other_seeds(old, tmp_path, monkeypatch, capsys):
    """The splits stay those of the pretrained run, and everything else is drawn anew."""
    monkeypatch.chdir(old)
    for seed in (5, 6):
        do(f"finetune --run runs/mle --seed {seed} --output_dir {tmp_path}/{seed}")
    runs = {seed: RunDirectory.open(tmp_path / str(seed)) for seed in (5, 6)}
    runs[0] = RunDirectory.open("runs/full")
    assert len({run.data_fingerprint() for run in runs.values()}) == 1
    assert {seed: run.results()["seed"] for seed, run in runs.items()} == {0: 0, 5: 5, 6: 6}
    logs = {
        seed: [{**line, "time": 0} for line in run.read_log() if line["stage"] == "discriminator"]
        for seed, run in runs.items()
    }
    assert logs[0] and logs[0] != logs[5] != logs[6] != logs[0]
    key = next(iter(weights(Path("runs/mle"))))
    assert torch.equal(weights(runs[5].path, "mle")[key], weights(Path("runs/mle"))[key])
    interrupt(f"finetune --run runs/mle --seed 7 --output_dir {tmp_path}/7", 4)
    do(f"finetune --resume {tmp_path}/7")
    assert RunDirectory.open(tmp_path / "7").data_fingerprint() == runs[0].data_fingerprint()


def test_the_split_seed_is_the_datas_alone(old, monkeypatch, capsys):
    monkeypatch.chdir(old)
    shown = []
    for seeds in ("--seed 3", "--seed 1 --corpus.split_seed 3", "--corpus.split_seed 3"):
        capsys.readouterr()
        do(f"data data/lines.txt --corpus.min_count 1 {seeds}")
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1] == shown[2]
    do("data data/lines.txt --corpus.min_count 1")
    assert capsys.readouterr().out != shown[0]


def test_runs_begun_in_the_same_second_get_folders_of_their_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = begin.default_folder("lines.txt")
    first.mkdir(parents=True)
    again = begin.default_folder("lines.txt")
    assert not again.exists() and again.parent == Path("runs")
