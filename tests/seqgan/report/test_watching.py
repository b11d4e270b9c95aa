"""A run while it goes: curves as text, a log that is being written, the report that reloads."""

from __future__ import annotations

import json

import pytest
from rich.console import Console

from seqgan.cli import watch as module
from seqgan.cli.main import main
from seqgan.config import WatchConfig
from seqgan.report.watching import CURVES, frame, look, sparkline
from seqgan.runs.run_directory import FORMAT, RunDirectory

CONFIG = "config_format: 2\ndata: grammar\nseed: 0\n"


@pytest.fixture
def run(tmp_path):
    """A run that has just begun its rounds; its last line is not written to the end."""
    lines = [
        {"stage": "mle", "step": 1, "time": 1, "train_nll": 3.0, "validation_nll": 3.0, "epoch": 1},
        {"stage": "mle", "step": 2, "time": 2, "train_nll": 2.5, "validation_nll": 2.0, "epoch": 2},
        {"stage": "adversarial", "step": 1, "time": 3.0, "mean_reward": -0.5, "entropy": 1.0},
        {"stage": "samples", "step": 1, "time": 3.0, "samples": [
            {"text": "a [red] cat", "reward": -0.25, "terms": {}}, {"text": "b", "reward": 1.0},
        ]},
    ]  # fmt: skip
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "environment.json").write_text("{}")
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "metrics.jsonl").write_text(text + '{"stage": "mle", "st')
    return tmp_path


def test_bars_by_hand():
    assert sparkline([0.0, 7.0, 3.5]) == "▁█▅"  # round(3.5) is 4, the fifth bar
    assert sparkline([2.0, 2.0]) == "▁▁" and sparkline([]) == ""
    assert sparkline([1.0, float("nan"), 2.0]) == "▁█"
    assert sparkline([float(i) for i in range(100)], 4) == "▁▃▆█"  # 24, 49, 74, 99


def test_a_line_that_is_being_written_is_left_out(run):
    seen = look(RunDirectory.open(run))
    assert seen.steps == 4 and not seen.finished and seen.verdict is None
    assert seen.curves[("mle", "validation_nll")] == [3.0, 2.0]
    assert [each["text"] for each in seen.samples] == ["a [red] cat", "b"]


def test_the_terminal_shows_curves_samples_and_rewards(run):
    console = Console(width=100, record=True, quiet=False, file=open(run / "out", "w"))
    console.print(frame(run, look(RunDirectory.open(run)), 1, now=3.0 + 599))
    text = console.export_text()
    assert "MLE: validation NLL" in text and "█▁" in text and "2.0000" in text
    assert "-0.250  a [red] cat" in text and "1.000  b" not in text and "Nothing new" not in text


SETTINGS = "--config RUN/config.yaml --output_dir RUN --resume auto"


@pytest.mark.parametrize(
    ("settings", "made_by", "checkpoint", "command"),
    [
        ("", "run", True, "run --resume RUN"),
        ("", "pretrain", True, "pretrain --resume RUN"),
        ("run: runs/mle\n", "finetune", True, "finetune --resume RUN"),
        ("rewards: [my.own:words]\n", "run", True, "run --resume RUN --trust"),
        ("", "run", False, f"run {SETTINGS}"),
    ],
)
def test_a_run_that_is_silent_may_have_ended(run, settings, made_by, checkpoint, command):
    (run / "config.yaml").write_text(CONFIG + settings)
    (run / "environment.json").write_text(json.dumps({"command": ["seqgan", made_by]}))
    if checkpoint:
        (run / "checkpoints" / "step-00000003").mkdir(parents=True)
        (run / "checkpoints" / "latest").write_text("step-00000003")
    console = Console(width=400, record=True, quiet=False, file=open(run / "out", "w"))
    console.print(frame(run, look(RunDirectory.open(run)), 0, now=3.0 + 720))
    text, wanted = console.export_text(), command.replace("RUN", str(run))
    assert f"Nothing new for 12 minutes. If the run has ended: seqgan {wanted}\n" in text


def test_a_line_that_is_cut_behind_a_bracket_is_left_out(run):
    cut = '{"stage": "samples", "step": 9, "samples": [{"text": "a", "reward": 1.0}'
    lines = (run / "metrics.jsonl").read_text().rpartition("\n")[0]
    (run / "metrics.jsonl").write_text(f"{lines}\n{cut}")
    assert look(RunDirectory.open(run)).steps == 4


def test_members_have_a_curve_and_mle_has_samples(run):
    lines = [
        {"stage": "member-1", "step": 1, "time": 4.0, "validation_nll": 2.0},
        {"stage": "member-2", "step": 1, "time": 5.0, "validation_nll": 1.0},
        {"stage": "mle-samples", "step": 1, "time": 6.0, "samples": [
            {"text": "c", "reward": None, "terms": {}}]},
    ]  # fmt: skip
    text = (run / "metrics.jsonl").read_text().rpartition("\n")[0]
    more = "".join(f"\n{json.dumps(line)}" for line in lines)
    (run / "metrics.jsonl").write_text(f"{text}{more}\n")
    seen = look(RunDirectory.open(run))
    assert seen.curves[("member", "validation_nll")] == [2.0, 1.0]
    console = Console(width=100, record=True, quiet=False, file=open(run / "out", "w"))
    console.print(frame(run, seen, 1, now=7.0))
    assert "          c" in console.export_text()


def test_the_command_looks_once_and_writes_the_report(run, capsys):
    assert main(["watch", str(run), "--once", "true", "--report", "30"]) == 0
    assert "rounds: mean reward" in capsys.readouterr().out
    assert 'http-equiv="refresh"' not in (run / "report.html").read_text()


@pytest.mark.parametrize("end", ["the run ends", "Ctrl-C"])
def test_the_report_reloads_itself_until_the_command_ends(run, monkeypatch, end):
    seen = []

    def sleep(seconds):
        seen.append((run / "report.html").read_text())
        if end == "Ctrl-C":
            raise KeyboardInterrupt
        whole = (run / "metrics.jsonl").read_text().rpartition("\n")[0]
        (run / "metrics.jsonl").write_text(whole)
        (run / "results.json").write_text(json.dumps({"format": FORMAT}))

    monkeypatch.setattr(module.time, "sleep", sleep)
    settings, console = WatchConfig(run=str(run), report=30), Console(quiet=True)
    if end == "Ctrl-C":
        with pytest.raises(KeyboardInterrupt):
            module.watch(settings, console)
    else:
        assert module.watch(settings, console) == 0
    assert len(seen) == 1 and '<meta http-equiv="refresh" content="30">' in seen[0]
    assert 'http-equiv="refresh"' not in (run / "report.html").read_text()


@pytest.mark.parametrize("flags", [["--every", "0"], ["--report", "3"], ["--samples", "-1"]])
def test_what_is_refused(run, flags, capsys):
    assert main(["watch", str(run), "--once", "true", *flags]) == 2
    assert flags[0] in capsys.readouterr().err


def test_every_curve_is_explained_in_the_docs():
    from ...test_site import explained

    known = explained()
    for stage, name in CURVES:
        assert (
            name in known[{"control-validation": "validation", "member": "mle"}.get(stage, stage)]
        )
