"""The likelihood of a residual model where all of it can be summed."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from benchmarks.energies import _head
from benchmarks.residual import residual, residual_scores
from rollout import Sequences, generate
from seqgan.config import EvaluationConfig
from seqgan.data.prompts import NoPrompts
from seqgan.training.runtime import Runtime, make_accelerator
from seqgan.training.sampling import draw

from ..seqgan.models.test_ensemble import all_sequences, models


def zeros(sequences: Sequences) -> np.ndarray:
    return ((sequences.tokens == 0) & sequences.mask).sum(1).double().numpy()


def drawn_from(log_p: torch.Tensor, count: int, seed: int) -> Sequences:
    rng = torch.Generator().manual_seed(seed)
    rows = torch.multinomial(log_p.exp(), count, replacement=True, generator=rng)
    return all_sequences().select(rows)


def test_the_likelihood_is_the_exact_one_up_to_sampling():
    (policy,) = models(1, seed=3)
    every = all_sequences()
    log_p = policy(every).log_prob.detach().sum(1)
    truth = (log_p + torch.from_numpy(0.7 * zeros(every))).log_softmax(0)
    test, validation = drawn_from(truth, 1000, 1), drawn_from(truth, 4000, 2)
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
    assert nll.value == pytest.approx(entropy, abs=0.02)
    # With the factor that was fitted, log Z is known: all sequences are summed. It is estimated
    # from half of the samples.
    beta = float(gain.signature.split("beta:")[1].split("|")[0])
    f, q = torch.from_numpy(zeros(every)), log_p.double().exp()
    z = float((q * (beta * f).exp()).sum())
    variance = float((q * ((beta * f).exp() / z - 1).square()).sum()) / 4_000
    exact = beta * float(zeros(test).mean()) - float(np.log(z))
    assert abs(gain.value - exact) < 3.5 * variance**0.5 < 0.02
    # The bounds are one bias above and one below, each half of the variance of the estimate.
    low, high = (float(x) for x in gain.signature.split("bounds:")[1].split("|")[0].split("/"))
    assert high - low == pytest.approx(variance, rel=0.15)
    assert (low + high) / 2 == pytest.approx(gain.value, abs=1e-4)
    # Around them stands the error of both kinds of sequences: of log Z, and of the mean of beta f.
    error = (variance + beta**2 * float(zeros(test).var()) / len(test)) ** 0.5
    low, high = gain.interval
    assert high - low == pytest.approx(2 * 1.96 * error + variance, rel=0.15)
    assert (low + high) / 2 == pytest.approx(gain.value, abs=0.3 * error)
    low, high = nll.interval
    assert low < nll.value < high


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


def vectors(texts):
    return np.array([[float(len(text)), 1.0] for text in texts], dtype=np.float32)


def test_the_tokens_of_an_encoder_s_head_are_counted():
    (policy,) = models(1, seed=3)
    drawn = [generate(policy, 40, rng=torch.Generator().manual_seed(s)) for s in range(4)]
    data = SimpleNamespace(
        train=drawn[0], heldout=drawn[1], validation=drawn[2], test=drawn[3],
        prompts=lambda split="train": NoPrompts(),
        codec=SimpleNamespace(texts=lambda sequences: [str(x) for x in sequences.to_lists()]),
    )  # fmt: skip
    config = SimpleNamespace(evaluation=EvaluationConfig(num_samples=40))
    runtime = Runtime(make_accelerator("cpu"), seed=0)
    asked = {"encoder": f"{__name__}:vectors", "hidden": 0, "epochs": 3}
    residual(policy, data, config, runtime, "encoder", **asked)
    negatives = draw(policy, 40, runtime.rng("residual", "negatives"), NoPrompts()).sequences
    assert runtime.tokens == 3 * int(drawn[0].lengths.sum() + negatives.lengths.sum())


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
