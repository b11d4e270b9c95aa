"""Settings of the discriminator's judgement as a reward."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..checks import choice
from .base import RewardTerm

__all__ = ["FORMS", "DiscriminatorTerm"]

FORMS = (
    "log_odds", "probability", "minimax", "non_saturating", "least_squares", "relativistic",
    "pairwise", "relativistic_average", "penalty", "centred", "ranking",
)  # fmt: skip
"""Rewards of the rows of `models.gan_losses`; hinge, wasserstein, difference have log_odds's."""


@dataclass
class DiscriminatorTerm(RewardTerm):
    """The discriminator's judgement.

    Attributes:
        form: its logit (log_odds), the probability D that a sequence is real (probability: the
            paper's), -log(1 - D) (minimax), log D (non_saturating), -(logit - 1)^2 / 2
            (least_squares), how far it is above real sequences (relativistic,
            relativistic_average), the probability that it is taken for the real one of a pair
            with a real sequence (pairwise: TextGAIL's), D - 1 (penalty: SentiGAN's), 2 D - 1
            (centred: ScratchGAN's; of every prefix, if the discriminator judges every token), or
            the log of the rank among real sequences by its features (ranking: RankGAN's).
        precision: of the discriminator while it scores rollouts: fp32, or bf16 (numbers of 16 bits
            where that saves time).
    """

    builds: ClassVar[str] = "seqgan.rewards.gan:discriminator_reward"
    needs_discriminator = True
    objective = False

    name: str = "discriminator"
    form: str = "log_odds"
    precision: str = "fp32"

    def __post_init__(self) -> None:
        super().__post_init__()
        choice(self, "form", FORMS)
        choice(self, "precision", ("fp32", "bf16"))
