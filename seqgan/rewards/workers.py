"""Worker processes that call a reward function, and are ended if a call takes too long."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .calls import CallFailed, Numbers

__all__ = ["Pools", "Workers"]


class Workers:
    """Processes that call one function, each one batch at a time.

    Columns and values go as JSON through pipes; nothing is pickled. A worker whose call takes too
    long is killed, and another one takes its place.

    Args:
        name: dotted path of the function.
        count: processes.
        timeout: seconds that a call may take; 0: no limit.
    """

    def __init__(self, name: str, count: int, timeout: float):
        self.name, self.count, self.timeout = name, count, timeout
        self._idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        for _ in range(count):
            self._idle.put(_Worker(name, timeout))
        self._threads = ThreadPoolExecutor(count)

    def map(self, batches: Sequence[Mapping[str, list[Any]]]) -> list[Numbers | CallFailed]:
        """Values of each batch, in order, or the reason why there are none."""
        return list(self._threads.map(self._ask, batches))

    def _ask(self, columns: Mapping[str, list[Any]]) -> Numbers | CallFailed:
        worker = self._idle.get()
        try:
            return worker.ask(columns)
        except CallFailed as error:
            return error
        finally:
            self._idle.put(worker)


class Pools:
    """The workers of a run: terms, stages and the verdict share those of a function."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, int, float], Workers] = {}

    def workers(self, name: str, count: int, timeout: float) -> Workers:
        """The workers that call a function, made when they are first asked for.

        Args:
            name: dotted path of the function.
            count: processes.
            timeout: seconds that a call may take; 0: no limit.
        """
        key = (name, count, timeout)
        if key not in self._made:
            self._made[key] = Workers(*key)
        return self._made[key]


class _Worker:
    def __init__(self, name: str, timeout: float):
        self.name, self.timeout = name, timeout
        self._process: subprocess.Popen[str] | None = None
        self._end = weakref.finalize(self, int)  # nothing to end yet

    def ask(self, columns: Mapping[str, list[Any]]) -> Numbers:
        process = self._process or self._start()
        assert process.stdin is not None and process.stdout is not None
        late = threading.Event()
        timer = threading.Timer(self.timeout, _kill, (process, late)) if self.timeout else None
        try:
            process.stdin.write(json.dumps(columns) + "\n")
            process.stdin.flush()
            if timer is not None:
                timer.start()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            if timer is not None:
                timer.cancel()
        if late.is_set() or not line:
            process.kill()
            code, self._process = process.wait(), None
            if late.is_set():
                raise CallFailed(f"took longer than {self.timeout:g} seconds")
            raise CallFailed(f"ended its process (exit code {code})")
        answer = json.loads(line)
        if "values" not in answer:
            raise CallFailed(answer["reason"], answer["row"])
        values: Numbers = answer["values"]
        return values

    def _start(self) -> subprocess.Popen[str]:
        """A fresh process, which finds the modules that this one finds."""
        paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
        command = [sys.executable, "-m", "seqgan.rewards.worker", self.name, str(self.timeout)]
        self._process = process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8",
            env={**os.environ, "PYTHONPATH": paths},
        )  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()  # ready
        self._end.detach()
        self._end = weakref.finalize(self, process.kill)
        return process


def _kill(process: subprocess.Popen[str], late: threading.Event) -> None:
    late.set()
    process.kill()
