"""Progress of long work, at terminals of several widths and without one."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console
from rich.text import Text

from seqgan.training import progress as progress_module
from seqgan.training.progress import Bar, Lines, make_progress
from seqgan.training.runtime import Runtime, make_accelerator

NOTE = "validation NLL 3.210, best 3.198 nats per token"


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self):
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def frame(width: int) -> str:
    """The output at a terminal of some width after 12 of 40 epochs of 9 seconds each."""
    console = Console(width=width, force_terminal=True, file=io.StringIO(), color_system="256")
    clock = Clock()
    bar = Bar(console, "MLE pretraining", "epochs", 40, clock=clock)
    clock.now += 12 * 9
    bar.update(12, NOTE)
    with console.capture() as shown:
        console.print(bar._bar.get_renderable())
    return Text.from_ansi(shown.get()).plain.removesuffix("\n")


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_bar_count_and_time_left_are_whole_at_every_width(width):
    shown = frame(width)
    assert "\n" not in shown and len(shown) <= width
    # 28 epochs of 9 s are left: 252 s.
    assert "MLE pretraining" in shown and "12/40 epochs" in shown and "0:04:12 left" in shown
    bar = max(8, min(40, width // 5))
    assert sum(shown.count(piece) for piece in "━╸╺") == bar
    if width >= 120:
        assert NOTE in shown
    else:
        assert "…" in shown and NOTE[: 4 if width == 60 else 17] in shown


def test_a_very_narrow_terminal_still_gets_one_line():
    shown = frame(30)
    assert "\n" not in shown and len(shown) <= 30


def test_time_left_counts_down_between_updates():
    clock = Clock()
    bar = Lines(lambda line: None, "Adversarial", "rounds", 10, done=4, clock=clock)
    assert bar.left() == "-:--:--"
    clock.now += 60
    bar.update(6)  # 2 of the remaining 6 rounds in 60 s: 4 rounds, 120 s, are left
    assert bar.left() == "0:02:00" and bar.elapsed() == "0:01:00"
    clock.now += 45
    assert bar.left() == "0:01:15"
    clock.now += 1_000  # two rounds at a time: those after the next update are still to come
    assert bar.left() == "0:01:00"
    bar.update(10)
    assert bar.left() == "0:00:00"


def test_lines_come_at_most_every_ten_seconds_and_within_long_units():
    clock, lines = Clock(), []
    with Lines(lines.append, "MLE pretraining", "epochs", 1_000, clock=clock) as bar:
        assert lines == ["MLE pretraining: 0/1,000 epochs"]
        for epoch in range(1, 31):  # 30 epochs of 1 s
            clock.now += 1
            bar.update(epoch, NOTE)
        assert [line.split(" epochs")[0][17:] for line in lines[1:]] == [
            "1/1,000",
            "11/1,000",
            "21/1,000",
        ]
        assert lines[1] == f"MLE pretraining: 1/1,000 epochs, 0:00:01 elapsed, 0:16:39 left; {NOTE}"
        del lines[:]
        for step in range(600):  # an epoch of 60 s; the last line came 9 s before it began
            clock.now += 0.1
            bar.beat(f"gradient step {step + 1}")
        steps = [int(line.rsplit(" ", 1)[1]) for line in lines]
        assert len(steps) == 3 and steps[0] in (110, 111) and steps[1] - steps[0] in (200, 201)


@pytest.mark.parametrize("dumb", [False, True])
def test_without_a_capable_terminal_there_are_plain_lines(monkeypatch, dumb):
    monkeypatch.setenv("TERM", "dumb" if dumb else "xterm-256color")
    file = io.StringIO()
    console = Console(width=80, force_terminal=dumb, file=file)
    with make_progress(console, "Evaluation", "parts", 4) as progress:
        progress.advance("x" * 200)
    first, second = file.getvalue().splitlines()
    assert first == "Evaluation: 0/4 parts"
    assert re.match(r"Evaluation: 1/4 parts, \d:\d\d:\d\d", second)
    assert second.endswith("; " + "x" * 200)
    assert "\x1b" not in file.getvalue()


def test_colours_follow_the_environment(monkeypatch):
    shown = {}
    for no_color in (False, True):
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.delenv("NO_COLOR", raising=False)
        if no_color:
            monkeypatch.setenv("NO_COLOR", "1")
        file = io.StringIO()
        console = Console(width=80, force_terminal=True, file=file)
        with make_progress(console, "Evaluation", "parts", 4) as progress:
            progress.advance()
        shown[no_color] = file.getvalue()
        assert "Evaluation" in shown[no_color] and "4 parts" in shown[no_color]
    colour = "\x1b[38;5;"
    assert colour in shown[False] and colour not in shown[True]


def test_a_quiet_console_shows_nothing():
    file = io.StringIO()
    with make_progress(
        Console(quiet=True, force_terminal=True, file=file), "A", "b", 4
    ) as progress:
        progress.advance()
    assert file.getvalue() == ""


def test_training_steps_show_signs_of_life(monkeypatch):
    monkeypatch.setattr(progress_module, "BEAT_SECONDS", 0.0)
    file = io.StringIO()
    runtime = Runtime(make_accelerator("cpu"), 0, console=Console(file=file, width=80))
    with runtime.progress("MLE pretraining", "epochs", 3):
        runtime.steps_done = 1_234
        runtime.pause()
    runtime.pause()  # the stage is over
    first, second = file.getvalue().splitlines()
    assert first == "MLE pretraining: 0/3 epochs"
    assert second.endswith("elapsed, -:--:-- left; gradient step 1,234")
