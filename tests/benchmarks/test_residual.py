"""The likelihood of a residual model where all of it can be summed."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from benchmarks.residual import _head, residual_scores
from rollout import Sequences, generate
from seqgan.config import EvaluationConfig
from seqgan.data.prompts import NoPrompts
from seqgan.training.runtime import Runtime, make_accelerator

from ..seqgan.models.test_ensemble import all_sequences, models


def zeros(sequences: Sequences) -> np.ndarray:
    return ((sequences.tokens == 0) & sequences.mask).sum(1).double().numpy()


def drawn_from(log_p: torch.Tensor, count: int, seed: int) -> Sequences:
    rng = torch.Generator().manual_seed(seed)
    rows = torch.multinomial(log_p.exp(), count, replacement=True, generator=rng)
    return all_sequences().select(rows)


def test_the_exact_likelihood_lies_between_the_bounds():
    (policy,) = models(1, seed=3)
    every = all_sequences()
    log_p = policy(every).log_prob.detach().sum(1)
    truth = (log_p + torch.from_numpy(0.7 * zeros(every))).log_softmax(0)
    test, validation = drawn_from(truth, 4000, 1), drawn_from(truth, 4000, 2)
    data = SimpleNamespace(
        test=test, validation=validation, prompts=lambda split="train": NoPrompts()
    )
    config = SimpleNamespace(evaluation=EvaluationConfig(num_samples=8000))
    runtime = Runtime(make_accelerator("cpu"), seed=0)
    nll, gain = residual_scores(policy, data, config, runtime, zeros)
    assert "beta:0.7" in nll.signature or "beta:0.6" in nll.signature
    # With the true energy and factor it is the entropy of the truth, up to sampling.
    length = float(test.lengths.double().mean())
    entropy = -float((truth.exp() * truth).sum()) / length
    assert nll.interval[0] <= nll.value <= nll.interval[1]
    assert nll.value == pytest.approx(entropy, abs=0.02)
    plain = -float((truth.exp() * log_p).sum()) / length
    assert gain.value == pytest.approx((plain - entropy) * length, abs=0.03)
    assert gain.interval[0] <= gain.value <= gain.interval[1]


def test_a_head_on_vectors_finds_what_there_is():
    rng = torch.Generator().manual_seed(0)
    shift = torch.tensor([1.0, 0, 0, 0])
    real, other = (torch.randn(600, 4, generator=rng) + s for s in (shift, -shift))
    held = tuple(torch.randn(200, 4, generator=rng) + s for s in (shift, -shift))
    runtime = Runtime(make_accelerator("cpu"), seed=0)
    for hidden in (0, 16):
        head = _head((real, other), held, hidden, 10, runtime)
        right = [(head(held[0])[:, 0] > 0).float().mean(), (head(held[1])[:, 0] < 0).float().mean()]
        assert min(right) > 0.7


def test_samples_of_the_policy_have_no_gain():
    (policy,) = models(1, seed=3)
    draw = [generate(policy, 2000, rng=torch.Generator().manual_seed(s)) for s in (1, 2)]
    data = SimpleNamespace(
        test=draw[0], validation=draw[1], prompts=lambda split="train": NoPrompts()
    )
    config = SimpleNamespace(evaluation=EvaluationConfig(num_samples=4000))
    runtime = Runtime(make_accelerator("cpu"), seed=0)
    _, gain = residual_scores(policy, data, config, runtime, zeros)
    assert abs(gain.value) < 0.01
