"""A run that is ended at any moment goes on as if nothing had been."""

from __future__ import annotations

import json
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from seqgan.cli.main import main
from seqgan.evaluation.models import Evaluator
from seqgan.runs.resume import other_environment
from seqgan.runs.run_directory import RunDirectory

from ..signals import send
from ..tiny import STEPS, TINY, TINY_WORK, differences, outcome, weights, without_report

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def no_report(monkeypatch):
    without_report(monkeypatch)


@pytest.fixture(scope="module")
def calm(tmp_path_factory) -> Path:
    """A run that nobody disturbs."""
    path = tmp_path_factory.mktemp("runs") / "calm"
    with pytest.MonkeyPatch.context() as patch:
        without_report(patch)
        assert main(["run", *TINY, "--output_dir", str(path)]) == 0
    return path


def ended(arguments: list[str], number: int, step: int, capsys) -> list[str]:
    """Runs a command until a signal ends it, and returns the command that it names."""
    capsys.readouterr()
    with pytest.MonkeyPatch.context() as patch:
        send(patch, number, step)
        assert main(arguments) == 128 + number
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(f"seqgan: stopped by {signal.Signals(number).name} after ")
    words = shlex.split(error.split("resume with: ")[1])
    assert words[0] == "seqgan"
    return words[1:]


@pytest.fixture(scope="module")
def stopped(tmp_path_factory) -> Path:
    """A run that was ended in its second round, with a checkpoint after each step."""
    path = tmp_path_factory.mktemp("runs") / "stopped"
    with pytest.MonkeyPatch.context() as patch:
        send(patch, signal.SIGTERM, 19)
        arguments = ["run", *TINY, "--output_dir", str(path), "--checkpoint.every_steps", "1"]
        assert main(arguments) == 143
    return path


@pytest.fixture
def interrupted(stopped, tmp_path) -> Path:
    """A copy of that run."""
    return Path(shutil.copytree(stopped, tmp_path / "interrupted"))


def test_signals_finish_the_step_and_say_how_to_go_on(calm, tmp_path, capsys, monkeypatch):
    path = tmp_path / "an interrupted run"
    command = ["run", *TINY, "--output_dir", str(path)]
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    # in the first epoch, before the discriminator's second measurement, in a round, after a
    # round, in the control's first round, after its second
    steps, phase = 0, ""
    for number, step in (
        (signal.SIGINT, 3), (signal.SIGTERM, 9), (signal.SIGINT, 3), (signal.SIGTERM, 4),
        (signal.SIGINT, 5), (signal.SIGTERM, 1),
    ):  # fmt: skip
        command = ended(command, number, step, capsys)
        assert command == ["run", "--resume", str(path)]
        steps += step
        state = json.loads((path / f"checkpoints/step-{steps:08d}/state.json").read_text())
        phase = f"{phase} {state['phase']}"
        assert state["steps"] == steps
    assert phase.split() == ["pretrain", "critic", *["adversarial"] * 2, *["control"] * 2]
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers
    with monkeypatch.context() as patch:  # in the evaluation, which has no steps
        patch.setattr(Evaluator, "real", lambda self: signal.raise_signal(signal.SIGTERM))
        assert main(command) == 143
    assert not (path / "results.json").exists()
    assert f"resume with: seqgan run --resume '{path}'" in capsys.readouterr().err
    assert main(command) == 0
    assert "Going on from" in capsys.readouterr().out
    assert not differences(outcome(calm), outcome(path))


def test_before_the_first_checkpoint_the_run_begins_again(calm, tmp_path, capsys, monkeypatch):
    path = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(
            "seqgan.pipeline.running.pretrain", lambda *_: signal.raise_signal(signal.SIGINT)
        )
        assert main(["run", *TINY, "--output_dir", str(path)]) == 130
    command = shlex.split(capsys.readouterr().err.split("resume with: ")[1])[1:]
    assert command[-2:] == ["--resume", "auto"]
    assert main(["run", *TINY, "--output_dir", str(path), "--resume", "true"]) == 2
    assert "has no checkpoint; --resume auto starts it again" in capsys.readouterr().err
    assert main(command) == 0
    assert not differences(outcome(calm), outcome(path))


def test_a_second_signal_quits_at_once():
    code = """
import signal, sys, time
from seqgan.training.interruption import Interruption

with Interruption(sys.exit) as interruption:
    interruption.patient = True
    print("ready", flush=True)
    while True:
        time.sleep(0.01)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        cwd=ROOT,
    )  # fmt: skip
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None and process.stderr.readline() == (
        "SIGINT: finishing this step and saving a checkpoint; a second one quits at once\n"
    )
    process.send_signal(signal.SIGTERM)
    assert process.wait(120) == -signal.SIGTERM  # which a shell shows as 143
    process.stdout.close()
    process.stderr.close()


def test_damaged_checkpoints_are_passed_over(calm, interrupted, capsys):
    folder = interrupted / "checkpoints"
    latest = folder / "step-00000019" / "training.safetensors"
    content = bytearray(latest.read_bytes())
    content[len(content) // 2] ^= 1
    latest.write_bytes(content)
    assert main(["run", *TINY, "--output_dir", str(interrupted), "--resume", "auto"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "step-00000019: damaged: training.safetensors does not match its checksum" in printed
    assert f"Going on from {folder}/step-00000018" in printed
    assert not differences(outcome(calm), outcome(interrupted))


def test_where_all_are_damaged(interrupted, capsys):
    for file in (interrupted / "checkpoints").glob("*/state.json"):
        file.write_bytes(file.read_bytes()[:100])
    before = sorted(interrupted.rglob("*"))
    assert main(["run", "--resume", str(interrupted)]) == 2
    assert "the run has no checkpoint" in capsys.readouterr().err
    assert sorted(interrupted.rglob("*")) == before


def test_one_of_the_checkpoints_by_its_path(calm, interrupted, capsys):
    place = interrupted / "checkpoints" / (interrupted / "checkpoints/mle").read_text().strip()
    assert main(["run", "--resume", str(place), "--checkpoint.keep", "5"]) == 0
    assert f"Going on from {place}" in " ".join(capsys.readouterr().out.split())
    assert not differences(outcome(calm), outcome(interrupted))
    (place / "state.json").unlink()
    assert main(["run", "--resume", str(place)]) == 2
    assert f"{place.name}: damaged: state.json is missing" in capsys.readouterr().err


def test_a_log_that_was_ended_within_a_line(calm, interrupted):
    with open(interrupted / "metrics.jsonl", "a") as file:
        file.write('{"stage": "adversarial", "step": 99}\n{"stage": "adve')
    (interrupted / "events.out.tfevents.later").write_bytes(b"x")
    (interrupted / "checkpoints" / ".writing-x").mkdir()
    (interrupted / ".results.json.abc").write_text("half")
    assert main(["run", "--resume", str(interrupted)]) == 0
    assert not differences(outcome(calm), outcome(interrupted))
    assert not [p for p in interrupted.rglob("*") if p.name.startswith(".")]


def test_a_finished_run_is_evaluated_again(calm, tmp_path):
    path = tmp_path / "again"
    shutil.copytree(calm, path)
    (path / "results.json").unlink()
    assert main(["run", "--resume", str(path)]) == 0
    assert not differences(outcome(calm), outcome(path))


def test_a_run_in_two_commands_resumes_each_with_its_own(calm, tmp_path, capsys):
    mle, tuned = tmp_path / "mle", tmp_path / "tuned"
    command = ended(["pretrain", *TINY, "--output_dir", str(mle)], signal.SIGINT, 3, capsys)
    assert command == ["pretrain", "--resume", str(mle)]
    assert main(command) == 0
    arguments = ["finetune", "--run", str(mle), "--output_dir", str(tuned)]
    command = ended(arguments, signal.SIGINT, 8, capsys)
    assert command == ["finetune", "--resume", str(tuned)]
    assert main(["run", "--resume", str(tuned)]) == 2
    assert f"seqgan finetune --resume {tuned}" in capsys.readouterr().err
    assert main(command) == 0
    for name, run in (("mle", mle), ("mle", tuned), ("finetuned", tuned), ("latest", tuned)):
        one, other = weights(calm, name), weights(run, name)
        assert all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seed", "1"], "--seed: 1 is not what the run in RUN was started with (0)"),
        (["--generator.hidden", "64"], "--generator.hidden: 64 is not what the run in RUN was"),
        (["--data", "styles"], "--data: 'styles' is not what the run in RUN was started with"),
        (["--overwrite", "true"], "--overwrite replaces a run and --resume continues it"),
        (["--resume", ""], "--resume: an empty name"),
        (["--resume", "nowhere"], "--resume: nowhere: neither a run nor one of its checkpoints"),
        (["--output_dir", "other"], "--resume: other: no run there; --resume auto would begin"),
    ],
)
def test_what_cannot_go_on(calm, capsys, monkeypatch, tmp_path, arguments, message):
    monkeypatch.chdir(tmp_path)
    before = {p: p.stat().st_mtime_ns for p in calm.rglob("*")}
    base = ["run", *TINY, "--output_dir", str(calm), "--resume", "true"]
    assert main([*base, *arguments]) == 2
    error = capsys.readouterr().err
    assert message.replace("RUN", str(calm)) in error and error.count("\n") == 1
    assert {p: p.stat().st_mtime_ns for p in calm.rglob("*")} == before
    assert not list(tmp_path.iterdir())


def test_resume_needs_a_folder(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for value in ("auto", "true"):
        assert main(["run", *TINY, "--resume", value]) == 2
        assert "--resume: expects --output_dir" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_more_than_pretrained_is_not_pretraining(calm, capsys):
    assert main(["pretrain", "--resume", str(calm)]) == 2
    assert (
        f"has passed pretraining; resume it with: seqgan run --resume {calm}"
        in capsys.readouterr().err
    )


def test_data_that_have_changed(tmp_path, capsys):
    lines = [f"the {a} cat {b} the {c} mat" for a in "abcdef" for b in "ghijkl" for c in "mnopq"]
    corpus = tmp_path / "words.txt"
    corpus.write_text("\n".join(lines))
    path = str(tmp_path / "run")
    arguments = ["run", "--data", str(corpus), "--corpus.min_count", "1", *TINY_WORK]
    ended([*arguments, "--output_dir", path], signal.SIGINT, 2, capsys)
    corpus.write_text("\n".join([*lines, "one more line"]))
    assert main(["run", "--resume", path]) == 2
    assert f"words.txt is not what the run at {path} was trained on" in capsys.readouterr().err


def test_the_steps_that_the_tests_count_on(calm):
    assert (calm / "checkpoints" / "latest").read_text().startswith(f"step-{STEPS:08d}")


def kills(*options: str, timeout: int) -> str:
    """`kill_and_resume` in a process of its own, and what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.seqgan.kill_and_resume", *options],
        cwd=ROOT, capture_output=True, text=True, timeout=timeout,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the same to the bit: results, " in done.stdout
    return done.stdout


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_killed_twice_and_resumed():
    assert kills("--kills", "2", "--fork", "--tiny", timeout=300).count("killed: ") == 2


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_killed_ten_times_with_rewards_of_ones_own():
    """In stages, with memory, filter, value head, budget and a worker."""
    found = kills("--kills", "10", "--fork", "--rewards", timeout=1100)
    assert found.count("killed: ") == 10 and "killed: adversarial" in found


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_killed_twenty_times_and_resumed():
    assert kills("--kills", "20", timeout=1700).count("killed: ") == 20


def test_another_machine_is_noticed(tmp_path):
    run = RunDirectory.create(tmp_path / "run", {}, overwrite=False)
    assert other_environment(run) == []
    path = run.path / "environment.json"
    before = json.loads(path.read_text())
    changed = {**before, "threads": 99, "packages": {**before["packages"], "torch": "1.0"}}
    del changed["processor"], changed["packages"]["numpy"]
    path.write_text(json.dumps(changed))
    found = other_environment(run)
    for start in ("threads was 99 and is", "torch was 1.0 and is", "processor was unknown and is"):
        assert sum(line.startswith(start) for line in found) == 1
    assert any(line.startswith("numpy was unknown and is") for line in found) and len(found) == 4
    path.write_text("{")
    assert "cannot be read" in other_environment(run)[0]
