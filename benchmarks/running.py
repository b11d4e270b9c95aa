"""Runs cells, several at a time where asked."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed

from seqgan.errors import SeqganError

from .cell import CellJob, run_cell

__all__ = ["cores", "run_jobs"]


class CellError(SeqganError):
    """Cells failed; the others are done."""


def cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_jobs(jobs: list[CellJob], workers: int) -> None:
    """Runs all cells; one that fails does not keep the others from being done.

    Raises:
        CellError: names the cells that failed, and why.
    """
    failed = [error for error in _outcomes(jobs, workers) if error is not None]
    if failed:
        rest = f" (and {len(failed) - 1} more cells failed)" if len(failed) > 1 else ""
        raise CellError(failed[0] + rest)


def _outcomes(jobs: list[CellJob], workers: int) -> Iterator[str | None]:
    if workers == 1 or len(jobs) == 1:
        yield from map(_run, jobs)
        return
    # Not forked: torch's threads do not survive it.
    context = multiprocessing.get_context("spawn")
    count = min(workers, len(jobs))
    with ProcessPoolExecutor(count, mp_context=context, initializer=_end_with_parent) as pool:
        for done in as_completed([pool.submit(_run, job) for job in jobs]):
            yield done.result()


def _run(job: CellJob) -> str | None:
    """Runs a cell; returns what went wrong, since not every error can travel to the parent."""
    try:
        run_cell(job, lambda text: print(text, flush=True))
    except SeqganError as error:
        text = f"{job.place}: {error}"
        print(f"failed: {text}", file=sys.stderr, flush=True)
        return text
    return None


def _end_with_parent() -> None:
    """A worker whose parent was killed ends too, instead of waiting for work for ever."""

    def watch() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
