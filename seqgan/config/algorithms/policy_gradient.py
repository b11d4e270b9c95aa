"""Settings of policy gradient."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from ..checks import choice, not_negative, positive, require, shares, sizes
from .base import AlgorithmConfig, PolicyOptimizer

__all__ = ["PolicyGradient"]

TRANSFORMS = ("none", "maligan", "rank", "standardise", "group_standardise", "group_centre")
BASELINES = ("none", "mean", "leave_one_out", "moving_average")
LOSSES = ("reinforce", "clipped")


@dataclass
class PolicyGradient(AlgorithmConfig):
    """Policy gradient on action values from Monte Carlo rollouts (Yu et al. 2017).

    Attributes:
        name: kind of update.
        batch_size: sequences per step.
        rollouts: completions of every prefix; 0: no rollouts, every token gets the reward of its
            complete sequence.
        positions: prefixes are completed at every so many tokens; 1: at all.
        stratified: spread the first random numbers of a prefix's rollouts evenly.
        rollout_update_rate: the rollouts are run by a copy of the generator that keeps this share
            of itself in each round (0.8 in the SeqGAN code); 0: by the generator itself.
        group_size: samples for each question, which baseline and transform compare with each other
            alone; 1: all samples of a step are compared.
        transform: of the action values, before the baseline: none, maligan (the weights of Che et
            al. 2017, from log-odds), rank (LeakGAN's sigmoid of the rank), standardise (mean 0,
            spread 1 over the batch), group_standardise (in each group, as GRPO), group_centre (as
            Dr. GRPO).
        baseline: subtracted from the action values: none, mean, leave_one_out, moving_average.
        loss: reinforce, or clipped (the surrogate of PPO, over `updates` updates per batch).
        updates: gradient updates on each batch of samples (clipped).
        clip: the probability ratio counts within 1 - clip and 1 + clip (clipped).
        entropy_weight: weight of the policy's mean entropy per token, in nats.
        kl_weight: weight of the KL divergence to the pretrained policy, in nats per sequence.
        mle_weight: weight of the MLE loss per token of as many real sequences, added to each
            update.
        optimizer: of the generator.
    """

    rare = (
        "positions",
        "stratified",
        "group_size",
        "transform",
        "clip",
        "updates",
        "rollout_update_rate",
        "mle_weight",
    )

    builds: ClassVar[str] = "seqgan.training.policy_gradient:PolicyGradient"
    name: str = "policy_gradient"
    batch_size: int = 64
    rollouts: int = 4
    positions: int = 1
    stratified: bool = True
    rollout_update_rate: float = 0.0
    group_size: int = 1
    transform: str = "none"
    baseline: str = "leave_one_out"
    loss: str = "reinforce"
    updates: int = 1
    clip: float = 0.2
    entropy_weight: float = 0.0
    kl_weight: float = 0.0
    mle_weight: float = 0.0
    optimizer: PolicyOptimizer = field(default_factory=PolicyOptimizer)

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes(self, "batch_size", "positions", "updates", "group_size")
        require(
            self.batch_size % self.group_size == 0,
            f"--{self.group}batch_size ({self.batch_size}) must be a multiple of "
            f"{self.group}group_size ({self.group_size})",
        )
        sizes(self, "rollouts", least=0)
        choice(self, "transform", TRANSFORMS)
        choice(self, "baseline", BASELINES)
        choice(self, "loss", LOSSES)
        shares(self, "rollout_update_rate")
        positive(self, "clip")
        not_negative(self, "entropy_weight", "kl_weight", "mle_weight")

    def as_policy_gradient(self) -> PolicyGradient:
        """These settings themselves."""
        return self
