"""Two families of models between which there is nothing to choose, though no two are alike.

The source is a Markov chain that is its own mirror image: exchanging every even token with the odd
one after it changes nothing. A method's models are the mirror images of the baseline's, so their
divergence from the source, their likelihood and their entropy are the same. On a test set they
differ, in the same direction for all training seeds.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from rollout import generate
from seqgan.config import EvaluationConfig
from seqgan.data.codec import IdCodec
from seqgan.data.dataset import Dataset, TokenSpec
from seqgan.evaluation.comparison import Verdict, compare_swept
from seqgan.evaluation.sweep import Sweep, Swept
from tests.rollout.chains import Chain

VOCAB, LENGTH = 12, 8
CONFIG = EvaluationConfig(
    temperatures=[0.7, 1.0, 1.4, 2.0], num_samples=200, sweep_samples=150, resamples=300
)


class Known(Chain):
    """A chain that is a source: its sequences have a known probability."""

    def log_prob(self, sequences):
        return self(sequences).log_prob.detach().double().sum(1)


class Quick(Sweep):
    """A sweep without n-gram scores, which no verdict needs."""

    def _surface(self, samples):
        return {}

    def real(self):
        return {}


def mirror(table: Tensor) -> Tensor:
    """The logits [V + 1, V] of a chain's mirror image."""
    order = torch.arange(VOCAB) ^ 1
    return table[torch.cat([order, torch.tensor([VOCAB])])][:, order]


@cache
def tables() -> tuple[Tensor, Tensor]:
    """The logits of the source, and what the baseline has wrong."""
    rng = torch.Generator().manual_seed(0)
    source, wrong = (torch.randn(VOCAB + 1, VOCAB, generator=rng) for _ in range(2))
    return source + mirror(source), 0.4 * wrong


def data_set(test_seed: int, known: bool, size: int) -> Dataset:
    """Splits drawn from the source."""
    source = Known(tables()[0], LENGTH)
    splits = {
        name: generate(source, count, rng=torch.Generator().manual_seed(10 * test_seed + i))
        for i, (name, count) in enumerate(
            {"train": 4, "validation": size, "heldout": 4, "test": size}.items()
        )
    }
    codec = IdCodec(TokenSpec(VOCAB, VOCAB, None, 0, LENGTH, ()))
    return Dataset(
        "mirrored", *splits.values(), codec, lambda name: codec.rows(splits[name]),
        source if known else None,
    )  # fmt: skip


def verdict(
    data: Dataset, seed: int, *, spread: float = 0.03, gain: float = 0.0,
    config: EvaluationConfig = CONFIG,
) -> Verdict:  # fmt: skip
    """A method against a baseline.

    Args:
        data: from `data_set`.
        seed: of what training leaves to chance, and of samples and bootstrap.
        spread: of the logits over training seeds.
        gain: share of what the baseline has wrong that the method has right.
        config: of the evaluation.
    """
    source, wrong = tables()
    rng = torch.Generator().manual_seed(seed)
    chance = [spread * torch.randn(source.shape, generator=rng) for _ in range(2)]
    mle = Chain(source + wrong + chance[0], LENGTH)
    method = Chain(mirror(source + (1 - gain) * wrong + chance[1]), LENGTH)
    sweep = Quick(data, config, seed)
    return compare_swept(Swept(mle, sweep), Swept(method, sweep), variants=False).verdict
