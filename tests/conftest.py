"""Settings for all tests."""

import torch

# The tests work on tiny tensors, where a second thread costs more than it gives.
torch.set_num_threads(1)
