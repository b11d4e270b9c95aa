"""An old run is lost only when the new one in its place has begun."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from seqgan.errors import RunDirectoryError
from seqgan.runs.replacing import DISCARDED, REPLACED, put_back, replacing
from seqgan.runs.run_directory import LAST, RunDirectory

OLD = {"config.yaml": "old", "environment.json": "{}", "metrics.jsonl": "old", "samples/a.txt": "a"}


@pytest.fixture
def run(tmp_path) -> Path:
    path = tmp_path / "run"
    for name, text in OLD.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text)
    return path


def files(path: Path) -> dict[str, str]:
    return {str(p.relative_to(path)): p.read_text() for p in path.rglob("*") if p.is_file()}


def begin(path: Path, *, fails: bool = False) -> None:
    with replacing(path, LAST):
        RunDirectory.create(path, {"seed": 1}, overwrite=True)
        (path / "samples").mkdir()
        if fails:
            raise KeyboardInterrupt


def test_a_new_run_that_begins_takes_the_place(run):
    begin(run)
    assert set(files(run)) == {"config.yaml", "environment.json"}
    assert files(run)["config.yaml"] == "seed: 1\n"
    assert sorted(p.name for p in run.iterdir()) == ["config.yaml", "environment.json", "samples"]


def test_one_that_does_not_leaves_the_old_one_as_it_was(run, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        begin(run, fails=True)
    assert files(run) == OLD and not (run / REPLACED).exists()
    with pytest.raises(KeyboardInterrupt):
        begin(tmp_path / "none" / "yet", fails=True)
    assert not (tmp_path / "none" / "yet").exists()


@pytest.mark.parametrize("moment", range(1, 6))
def test_a_process_that_is_killed_in_between_loses_nothing(run, monkeypatch, moment):
    # killed: what it would have tidied up stays as it is
    class Killed(BaseException):
        pass

    done = 0
    rename = Path.rename

    def dies(self, target):
        nonlocal done
        done += 1
        if done == moment:
            raise Killed
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", dies)
        patch.setattr("seqgan.runs.replacing.put_back", lambda path: None)
        patch.setattr("seqgan.runs.replacing._clear", lambda path: None)
        with pytest.raises(Killed):
            begin(run)
    assert not files(run) == OLD or moment == 1
    put_back(run)
    kept = files(run)
    assert {name: kept[name] for name in OLD} == OLD
    assert RunDirectory.holds_run(run)
    begin(run)
    assert files(run)["config.yaml"] == "seed: 1\n" and not (run / REPLACED).exists()


def test_what_a_process_that_was_killed_while_clearing_up_left_is_in_no_ones_way(run, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("seqgan.runs.replacing.shutil.rmtree", lambda path: None)
        begin(run)
    assert (run / DISCARDED).is_dir()
    RunDirectory.check_free(run, overwrite=True)
    begin(run)
    assert not list(run.glob(".*"))


def test_a_folder_that_cannot_be_changed_is_refused(run, monkeypatch):
    def full(self, *_):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(RunDirectoryError, match="run: No space left on device"):
        begin(run)
    assert files(run) == OLD
