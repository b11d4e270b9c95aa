"""The command ``seqgan watch``, after its settings are read."""

from __future__ import annotations

import time

from rich.console import Console
from rich.live import Live

from ..config import WatchConfig
from ..report import write_report
from ..report.watching import frame, look
from ..runs.run_directory import RunDirectory

__all__ = ["watch"]


def watch(settings: WatchConfig, console: Console) -> int:
    """``seqgan watch``: ends with the run, or at Ctrl-C, which leaves the run alone."""
    directory = RunDirectory.open(settings.run)
    written: float | None = None
    try:
        with Live(console=console, auto_refresh=False) as live:
            while True:
                seen = look(directory)
                shown = frame(directory.path, seen, settings.samples, time.time())
                live.update(shown, refresh=True)
                now = time.monotonic()
                due = settings.report and (written is None or now - written >= settings.report)
                if due and not seen.finished:
                    write_report(directory, refresh=settings.report)
                    written = now
                if seen.finished or settings.once:
                    return 0
                time.sleep(settings.every)
    finally:
        if written is not None:  # nobody writes it again: the page must not go on to reload itself
            write_report(directory)
