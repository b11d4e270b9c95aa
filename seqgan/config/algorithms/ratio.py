"""Settings of the updates towards a density ratio."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from ..checks import choice, not_negative, require, sizes
from .base import AlgorithmConfig, PolicyOptimizer
from .policy_gradient import PolicyGradient

__all__ = ["Ratio"]

OBJECTIVES = ("reverse_kl", "jensen_shannon", "forward_kl")
ESTIMATORS = ("exact", "exact_to_go", "reinforce")
SAMPLES = ("policy", "members")


@dataclass
class RatioOptimizer(PolicyOptimizer):
    """The optimizer of the generator in the rounds."""

    learning_rate: float = 2e-3
    schedule: str = "cosine"


@dataclass
class Ratio(AlgorithmConfig):
    """Updates towards an ensemble of MLE models: the reward is log p_ensemble - log q per token.

    With any other reward, or more terms, the estimator is reinforce, with the rewards from each
    token on and a leave-one-out baseline.

    Attributes:
        name: kind of update.
        objective: divergence that is descended: reverse_kl, KL(policy, ensemble);
            jensen_shannon, with the mixture of both; forward_kl, KL(ensemble, policy).
        estimator: of its gradient: exact (the expectation over the next token, at the prefixes of
            the samples), exact_to_go (besides, what a token does to the divergences after it:
            the whole gradient), reinforce (from the sampled tokens alone).
        samples: the sequences that the prefixes are taken from: the policy's (on policy), or the
            members' in turn (off policy, for exact).
        batch_size: sequences per step.
        kl_weight: weight of the KL divergence to the pretrained policy, in nats per sequence.
        mle_weight: weight of the negative log-likelihood, in nats per token, of as many training
            sequences, without dropout.
        optimizer: of the generator.
    """

    builds: ClassVar[str] = "seqgan.training.ratio:RatioUpdates"
    name: str = "ratio"
    objective: str = "reverse_kl"
    estimator: str = "exact"
    samples: str = "policy"
    batch_size: int = 256
    kl_weight: float = 0.0
    mle_weight: float = 0.0
    optimizer: RatioOptimizer = field(default_factory=RatioOptimizer)

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes(self, "batch_size")
        choice(self, "objective", OBJECTIVES)
        choice(self, "estimator", ESTIMATORS)
        choice(self, "samples", SAMPLES)
        not_negative(self, "kl_weight", "mle_weight")
        require(
            self.samples == "policy" or self.estimator == "exact",
            f"--{self.group}samples members: the estimator {self.estimator} needs the policy's own "
            f"samples; take --{self.group}estimator exact",
        )

    def as_policy_gradient(self) -> PolicyGradient:
        """REINFORCE with the same batches and optimizer: the control's updates."""
        return PolicyGradient(
            batch_size=self.batch_size, rollouts=0, kl_weight=self.kl_weight,
            mle_weight=self.mle_weight, optimizer=self.optimizer,
        )  # fmt: skip
