"""Reverse perplexity: how well a fresh small language model trained on samples predicts real data.

Zhao et al. 2018 ("Adversarially regularized autoencoders"). Samples that lack a part of the data
teach nothing of it, and samples that are wrong teach what is wrong, so both cost likelihood. The
model that learns is one recipe for all, that of `GENERATOR` and `TRAINING` below, and it sees
nothing but the samples: what it stops early on is a tenth of them.
"""

from __future__ import annotations

import torch
from accelerate import Accelerator

from rollout import Policy, Sequences

from ..config import LSTM, PretrainConfig
from ..config.pretrain import PretrainOptimizer
from ..data.dataset import TokenSpec
from ..errors import MetricError
from ..metrics.likelihood import SequenceScores, sequence_scores
from ..models import make_generator
from ..seeding import derive_seed, rng_for
from ..training.pretrain import pretrain
from ..training.runtime import Runtime

__all__ = ["GENERATOR", "TRAINING", "reverse_scores"]

GENERATOR = LSTM(embedding=64, hidden=128, dropout=0.3)
TRAINING = PretrainConfig(
    epochs=12, patience=1, batch_size=64, optimizer=PretrainOptimizer(learning_rate=0.01)
)
HELD_BACK = 0.1
"""Share of the samples to stop early on."""


def reverse_scores(
    samples: Sequences, real: Sequences, spec: TokenSpec, seed: int
) -> SequenceScores:
    """Real sequences under an LSTM that was trained on samples and nothing else.

    Args:
        samples: what the fresh model learns from; their number matters, so compare equal ones.
        real: the real sequences to be predicted.
        spec: the token ids of both.
        seed: of the fresh model and its training.

    Raises:
        MetricError: there are fewer than four samples.
    """
    if len(samples) < 4:
        raise MetricError(f"reverse perplexity: {len(samples)} samples, four or more are needed")
    order = torch.randperm(len(samples), generator=rng_for(seed, "reverse", "split"))
    held_back = max(2, round(HELD_BACK * len(samples)))
    samples = samples.to("cpu")
    # An accelerator without arguments is the run's own: same device, same precision.
    runtime = Runtime(Accelerator(), derive_seed(seed, "reverse"))
    fresh = make_generator(GENERATOR, spec, derive_seed(seed, "reverse", "generator"))
    train, validation = samples.select(order[held_back:]), samples.select(order[:held_back])
    pretrain(fresh, train, validation, TRAINING, runtime)
    policy: Policy = fresh
    return sequence_scores(policy, real.to(runtime.device))
