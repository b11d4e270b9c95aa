"""The process that calls a reward function: ``python -m seqgan.rewards.worker MODULE:FUNCTION``.

It reads a line of JSON per call and writes one back. What the function prints goes to standard
error. It ends when the process that started it does, even in the middle of a call.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
from typing import Any

from ..config.dotted import import_dotted
from ..errors import ConfigError
from .calls import CallFailed, call

__all__ = ["main"]


def _read(calls: queue.Queue[dict[str, Any]]) -> None:
    for line in sys.stdin:
        calls.put(json.loads(line))
    os._exit(0)  # the function may still be at work


def main(name: str, timeout: str) -> None:
    """Answers calls until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the run, which saves its state
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    calls: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_read, args=(calls,), daemon=True).start()
    try:
        function = import_dotted(name, "--rewards")
    except ConfigError as error:
        answer: dict[str, Any] = {"reason": str(error), "row": None}
        function = None
    answers.write("ready\n")  # the time that imports take is not a call's
    answers.flush()
    while True:
        columns = calls.get()
        try:
            if function is not None:
                answer = {"values": call(function, columns, float(timeout))}
        except CallFailed as error:
            answer = {"reason": error.reason, "row": error.row}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
