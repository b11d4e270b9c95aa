"""Settings for all tests."""

import os

# The tests work on tiny tensors, where a second thread costs more than it gives, and several of
# them run side by side: one thread here, and in the programs that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch  # noqa: E402

torch.set_num_threads(1)
