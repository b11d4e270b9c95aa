"""The command line in one of several processes, and what may befall it.

``python -m torch.distributed.run ... -m tests.seqgan.shared_run FAULT PROCESS STEP run ...`` lets
FAULT (``none``, ``kill``, ``signal``, ``reward``, ``disk`` or ``nan``) come over process PROCESS
after STEP gradient steps. The figures of the report, which take most of the time, are left out.
"""

from __future__ import annotations

import os
import resource
import signal
import sys

import torch

from seqgan.cli.main import main
from seqgan.pipeline import finishing
from seqgan.training.runtime import Runtime
from seqgan.training.sampling import Judge


def befall(fault: str) -> None:
    """What happens to this process now."""
    if fault == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif fault == "signal":
        signal.raise_signal(signal.SIGTERM)
    elif fault == "disk":
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    elif fault == "reward":

        def broken(sequences: object) -> torch.Tensor:
            raise ZeroDivisionError("no reward today")

        Judge.reward = property(lambda self: broken, lambda self, value: None)


def watch(fault: str, step: int) -> None:
    """Waits for that step."""
    original = Runtime.pause

    def pause(self: Runtime) -> None:
        if self.steps_done == step:
            befall(fault)
        original(self)

    Runtime.pause = pause


if __name__ == "__main__":
    torch.set_num_threads(1)
    fault, process, step, *arguments = sys.argv[1:]
    sys.argv = ["seqgan", *arguments]
    finishing.write_report = lambda run: run.path
    if process == os.environ["RANK"]:
        watch(fault, int(step))
    sys.exit(main())
