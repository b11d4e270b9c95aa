"""Settings of policy gradient."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from .base import AlgorithmConfig, PolicyOptimizer
from .checks import check_policy_gradient
from .parts import DiversityConfig, ReplayConfig, ValueConfig

__all__ = ["PolicyGradient"]


@dataclass
class PolicyGradient(AlgorithmConfig):
    """Policy gradient on action values from Monte Carlo rollouts (Yu et al. 2017).

    Attributes:
        name: kind of update.
        batch_size: sequences per step.
        rollouts: completions of every prefix; 0: every token gets the reward of its sequence.
        positions: prefixes are completed at every so many tokens; 1: at all.
        stratified: spread the first random numbers of a prefix's rollouts evenly.
        rollout_update_rate: the rollouts are run by a copy of the generator that keeps this share
            of itself in each round (0.8 in the SeqGAN code); 0: by the generator itself.
        temperature: of the policy while it samples what both models are trained on (ColdGAN); below
            1 samples are nearer to its modes. 1: as it is. With reinforce it takes importance_cap.
        nucleus: each of these tokens is drawn by top-p of this number, but for a tenth of them,
            drawn from the whole policy, so that none is impossible (ColdGAN). 1: all are.
        explorer_rate: learning rate of a second policy, which draws the samples and is rewarded for
            what the policy gains by learning from them (MetaEx-GAN); 0: there is none. It takes
            reinforce and importance_cap.
        discount: of the rewards that come later, from 0 to 1 (without rollouts); 1: all count.
        real_prefix: tokens of a training sequence that every sample begins with, at first
            (MaliGAN); they are trained by MLE, and one fewer is given every real_prefix_steps.
        real_prefix_steps: steps until the prefix is one token shorter.
        group_size: samples for each question, which baseline and transform compare with each other
            alone; 1: all samples of a step are compared.
        transform: of the action values, before the baseline (of the advantages, with the baseline
            value): none, maligan (the weights of Che et al. 2017, from log-odds), rank (LeakGAN's
            sigmoid of the rank), of_sentence (times the mean reward per token of the sequence:
            DPGAN's), standardise (mean 0, spread 1 over the batch), group_standardise
            (in each group, as GRPO), group_centre (as Dr. GRPO).
        baseline: subtracted from the action values: none, mean, leave_one_out, moving_average, or
            value (a value head, without rollouts).
        loss: reinforce; probability (of a token, in the place of its logarithm: SentiGAN's);
            clipped (the surrogate of PPO), sequence (the same with one ratio per sequence, GSPO),
            whole_sequence (with the ratio itself, not its root: TextGAIL); augmented (REINVENT's
            likelihood, towards prior * exp(sigma reward)).
        aggregation: of the tokens' losses: sequence_sum, sequence_mean (GRPO), token_mean (DAPO),
            constant (Dr. GRPO).
        updates: gradient updates on each batch of samples; with reinforce it takes importance_cap.
        clip: the probability ratio counts within 1 - clip and 1 + clip (clipped and its kin).
        clip_high: the same above 1 (DAPO: 0.28); none: as below.
        importance_cap: largest importance weight, per token, of samples that an older or a colder
            policy has drawn (reinforce); 0: they are not corrected.
        sigma: nats per unit of reward (augmented).
        entropy_weight: weight of the policy's mean entropy per token, in nats.
        entropy_target: the weight follows this entropy, nats per token; none: it stays.
        kl_weight: weight of the KL divergence to the pretrained policy, in nats per sequence.
        kl_target: the weight follows this divergence, nats per sequence; none: it stays.
        kl_estimator: k2 (its gradient is that of the divergence), or k3 (GRPO's).
        mle_weight: of the negative log-likelihood of as many training sequences, without dropout.
        mle_per: token (nats per token), or sequence: as the losses of policy gradient are added up.
        value: the value head.
        replay: the memory of the best sequences.
        diversity: the filter against repetitions.
        optimizer: of the generator.
    """

    rare = (
        "positions", "stratified", "group_size", "transform", "clip", "updates",
        "temperature", "nucleus", "explorer_rate", "discount", "real_prefix", "real_prefix_steps",
        "rollout_update_rate", "aggregation", "clip_high", "importance_cap", "sigma",
        "entropy_target", "kl_target", "kl_estimator", "mle_weight", "mle_per",
    )  # fmt: skip

    builds: ClassVar[str] = "seqgan.training.policy_gradient:PolicyGradient"
    name: str = "policy_gradient"
    batch_size: int = 64
    rollouts: int = 4
    positions: int = 1
    stratified: bool = True
    rollout_update_rate: float = 0.0
    temperature: float = 1.0
    nucleus: float = 1.0
    explorer_rate: float = 0.0
    discount: float = 1.0
    real_prefix: int = 0
    real_prefix_steps: int = 20
    group_size: int = 1
    transform: str = "none"
    baseline: str = "leave_one_out"
    loss: str = "reinforce"
    aggregation: str = "sequence_sum"
    updates: int = 1
    clip: float = 0.2
    clip_high: float | None = None
    importance_cap: float = 0.0
    sigma: float = 128.0
    entropy_weight: float = 0.0
    entropy_target: float | None = None
    kl_weight: float = 0.0
    kl_target: float | None = None
    kl_estimator: str = "k2"
    mle_weight: float = 0.0
    mle_per: str = "token"
    value: ValueConfig = field(default_factory=ValueConfig)
    replay: ReplayConfig = field(default_factory=ReplayConfig)
    diversity: DiversityConfig = field(default_factory=DiversityConfig)
    optimizer: PolicyOptimizer = field(default_factory=PolicyOptimizer)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_policy_gradient(self)

    def as_policy_gradient(self) -> PolicyGradient:
        """These settings themselves."""
        return self
