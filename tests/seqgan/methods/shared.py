"""The rounds of some methods, by as many processes as there are; the main one keeps the weights."""

from __future__ import annotations

import sys

import torch
from safetensors.torch import save_file

from seqgan.config import GrammarCorpus
from seqgan.data.sources import load_data

from .fine_tuning import settings, tuned, weights

METHODS = (
    "jsdgan", "dgsan", "cot", "psi-mle", "leakgan", "maligan", "coldgan", "relgan", "textgail",
    "minimax-gan", "metaex-gan",
)  # fmt: skip
"""Methods with a player, a network, a loss or a prompt of their own.

CatGAN and RankGAN compare a sequence with the mean, or the rank, among their process's own rows: so
their rounds are others with two.
"""


def all_weights() -> dict[str, torch.Tensor]:
    """The policy's parameters after the rounds of each method."""
    torch.set_default_dtype(torch.float64)
    try:
        corpus = GrammarCorpus(num_train=40, num_validation=8, num_heldout=10, num_test=4)
        data = load_data("grammar", corpus, seed=0)
        quiet = {"dropout": 0.0}  # each process drops units of its own rows
        found = {}
        for name in METHODS:
            config = settings(name, generator=quiet, discriminator=quiet)
            found[name] = weights(tuned(config, data)[0])
        return found
    finally:
        torch.set_default_dtype(torch.float32)


if __name__ == "__main__":
    made = all_weights()
    if torch.distributed.get_rank() == 0:
        save_file(made, sys.argv[1])
