"""Models from settings."""

from __future__ import annotations

import torch

from rollout.randomness import seed_everything

from ..config import DiscriminatorConfig, GeneratorConfig
from ..data.sources import TokenSpec
from .discriminators import (
    PAPER_FILTERS,
    PAPER_WIDTHS,
    BiLSTMDiscriminator,
    CNNDiscriminator,
    Discriminator,
)
from .lstm import LSTMGenerator

__all__ = ["make_discriminator", "make_generator"]


def make_generator(config: GeneratorConfig, spec: TokenSpec, seed: int) -> LSTMGenerator:
    """A generator with fresh parameters drawn from `seed`, for tokens as in `spec`."""
    with torch.random.fork_rng(devices=[]):
        seed_everything(seed)
        return LSTMGenerator(
            vocab_size=spec.vocab_size,
            max_length=spec.max_length,
            bos_id=spec.bos_id,
            eos_id=spec.eos_id,
            pad_id=spec.pad_id,
            embedding=config.embedding,
            hidden=config.hidden,
            layers=config.layers,
            dropout=config.dropout,
            forbidden=spec.forbidden,
            withheld=spec.withheld,
            initial_scale=config.initial_scale,
        )


def make_discriminator(config: DiscriminatorConfig, vocab_size: int, seed: int) -> Discriminator:
    """A discriminator with fresh parameters drawn from `seed`."""
    with torch.random.fork_rng(devices=[]):
        seed_everything(seed)
        if config.architecture == "bilstm":
            return BiLSTMDiscriminator(vocab_size, config.embedding, config.hidden, config.dropout)
        filters = [max(1, round(count * config.filter_share)) for count in PAPER_FILTERS]
        return CNNDiscriminator(vocab_size, config.embedding, PAPER_WIDTHS, filters, config.dropout)
