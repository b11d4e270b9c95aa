"""Memory of the exact estimator with a large vocabulary."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

WORK = """
import resource, sys
import torch
from rollout import Sequences
from rollout.modules import frozen_copy
from seqgan.config import LSTM, Ratio
from seqgan.data.prompts import NoPrompts
from seqgan.models import Ensemble, make_generator
from seqgan.rewards.ratio import RatioReward
from seqgan.training.players import Materials
from seqgan.training.processes import Part
from seqgan.training.ratio import RatioUpdates
from seqgan.training.ratio_batch import RatioBatch
from seqgan.training.runtime import Runtime, make_accelerator
from tests.small import ids

spec = ids(20_000, 40)
policy, *members = (make_generator(LSTM(), spec, seed) for seed in range(5))
ensemble = Ensemble(members, "minimum").requires_grad_(False)
tokens = torch.randint(1, 20_000, (96, 40))
batch = Sequences(tokens, torch.full((96,), 40))
runtime = Runtime(make_accelerator("cpu"), seed=0)
materials = Materials(policy, frozen_copy(policy), RatioReward(ensemble, policy), None, batch,
                      NoPrompts(), runtime, ensemble=ensemble)
work = RatioUpdates(Ratio(estimator=sys.argv[1], kl_weight=0.1), materials)
rows = torch.arange(96 * 40)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
loss, *_ = work.loss(RatioBatch(batch, batch.mask, Part(0, 96, 96), batch, rows))
loss.backward()
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print((after - before) / 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize("estimator", ["exact", "exact_to_go"])
def test_a_step_takes_less_than_a_gigabyte(estimator):
    """V 20,000, batch 96, T 40, K 4; the logits of the policy alone would be 307 MB."""
    pytest.importorskip("resource", reason="a system that is not POSIX")
    command = [sys.executable, "-c", WORK, estimator]
    root = Path(__file__).parents[3]
    found = subprocess.run(command, capture_output=True, text=True, cwd=root, check=True)
    megabytes = float(found.stdout)
    assert megabytes < 1000
