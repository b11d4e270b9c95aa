"""Runs cells, several at a time where asked."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool

from .cell import CellJob, run_cell
from .failures import CellError, failed, forget

__all__ = ["cores", "run_jobs"]


def cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_jobs(jobs: list[CellJob], workers: int) -> None:
    """Runs all cells; one that fails does not keep the others from being done.

    Raises:
        CellError: names what failed, and why.
    """
    lines = [line for found in _outcomes(jobs, workers) for line in found]
    if lines:
        raise CellError(lines)


def _outcomes(jobs: list[CellJob], workers: int) -> Iterator[list[str]]:
    """For each cell the lines about what failed."""
    if workers == 1 or len(jobs) == 1:
        yield from map(_run, jobs)
        return
    # Not forked: torch's threads do not survive it.
    context = multiprocessing.get_context("spawn")
    count = min(workers, len(jobs))
    with ProcessPoolExecutor(count, mp_context=context, initializer=_end_with_parent) as pool:
        places = {pool.submit(_run, job): job.place for job in jobs}
        for done in as_completed(places):
            try:
                yield done.result()
            except BrokenProcessPool:
                yield [
                    f"{places[done]}: a worker process was killed, perhaps for lack of memory; "
                    "with fewer --jobs the same command needs less, and skips what is finished"
                ]


def _run(job: CellJob) -> list[str]:
    """Runs a cell; returns lines about failures, since not every error can travel to the parent."""
    try:
        forget(job.place)
        run_cell(job, lambda text: print(text, flush=True))
    except CellError as error:
        return error.lines
    except Exception as error:
        return [failed(job.place, None, error)]
    return []


def _end_with_parent() -> None:
    """A worker whose parent was killed ends too, instead of waiting for work for ever."""

    def watch() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
