"""The rewards that the GAN losses are for policy gradient.

Shapes: B sequences, T tokens.
"""

from __future__ import annotations

from torch import Tensor

from rollout import DiscriminatorReward, Sequences

from ..models.gan_losses import GAN_LOSSES

__all__ = ["GANReward"]


class GANReward:
    """Reward of a sequence under a row of `GAN_LOSSES`.

    Args:
        judge: the discriminator's logits as a reward.
        name: of the row.
        real: real sequences, which the relativistic rewards compare with; the others read none.
    """

    def __init__(self, judge: DiscriminatorReward, name: str, real: Sequences):
        self.judge, self.real = judge, real
        self.loss = GAN_LOSSES[name]

    @property
    def per_token(self) -> bool:
        """True if the discriminator judges every token."""
        return self.judge.per_token

    @property
    def causal(self) -> bool:
        """True if a discriminator that judges every token looks at no later ones."""
        return self.judge.causal

    def __call__(self, sequences: Sequences) -> Tensor:
        """Rewards [B] (or [B, T]) of the sequences."""
        logits = self.judge(sequences)
        real = self.judge(self.real) if self.loss.relativistic else logits.new_zeros(1)
        return self.loss.reward(logits.flatten(), real.flatten()).view_as(logits)
