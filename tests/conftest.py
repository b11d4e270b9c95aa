"""Settings for all tests."""

import os

# The tests work on tiny tensors, where a second thread costs more than it gives, and several of
# them run side by side: one thread here, and in the programs that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from pathlib import Path  # noqa: E402

import hypothesis  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402

torch.set_num_threads(1)
if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")  # kernels run in Triton's interpreter
# A machine may be slow, and a test must not depend on that.
hypothesis.settings.register_profile("no deadline", deadline=None)
hypothesis.settings.load_profile("no deadline")


@pytest.fixture(scope="session")
def smoke_run(tmp_path_factory) -> Path:
    """A run of the size smoke on the grammar, with its report; no test may change it."""
    from seqgan.cli.main import main

    path = tmp_path_factory.mktemp("smoke") / "run"
    command = "run --method seqgan-logodds --data grammar --size smoke"
    assert main([*command.split(), "--output_dir", str(path)]) == 0
    return path
