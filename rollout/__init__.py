"""The reinforcement-learning core: tokens, policies, rewards, action values and losses.

It knows nothing of files, corpora, command lines or GANs.
"""

from .beam import Beams, beam_search
from .coefficients import AdaptiveEntropy, AdaptiveKL
from .constraints import ConstrainedPolicy, Constraint, allowed_after, constrained
from .environments.agent import PolicyAgent
from .generate import generate
from .lagged import LaggedPolicy
from .losses import (
    AGGREGATIONS,
    aggregate,
    augmented_likelihood_loss,
    clipped_surrogate_loss,
    entropy_bonus,
    kl_to_reference,
    nll_loss,
    reinforce_loss,
    sequence_surrogate_loss,
    value_loss,
    weighted_nll_loss,
)
from .mixed import MixedPrecision
from .modules import without_dropout
from .monte_carlo import action_values
from .nucleus import NucleusMixture, NucleusPolicy
from .policy import Policy, Prefixes, State, TokenScores
from .prefix_values import PrefixValues
from .ratios import (
    LogPartition,
    WeightedMean,
    dpg_weights,
    effective_sample_size,
    importance_weights,
    log_partition,
    rejection_mask,
    resample,
    truncated_importance_weights,
    weighted_mean,
)
from .relaxed import (
    TEMPERATURE_SCHEDULES,
    gumbel_max,
    gumbel_noise,
    gumbel_noise_at,
    gumbel_softmax,
)
from .returns import (
    Baseline,
    LeaveOneOutBaseline,
    MeanBaseline,
    MovingAverageBaseline,
    NoBaseline,
    advantages,
    discounted_returns,
    gae,
    make_baseline,
)
from .rewards import (
    ConstantReward,
    DiscriminatorReward,
    MixtureReward,
    ObjectiveReward,
    RandomReward,
    Reward,
    RewardError,
)
from .rules import RuledPolicy, Rules
from .sampling import Sampler
from .sequences import ConditionError, Sequences
from .transforms import TRANSFORMS

__all__ = [
    "AGGREGATIONS",
    "AdaptiveEntropy",
    "AdaptiveKL",
    "Baseline",
    "Beams",
    "ConditionError",
    "ConstrainedPolicy",
    "Constraint",
    "ConstantReward",
    "DiscriminatorReward",
    "LaggedPolicy",
    "LeaveOneOutBaseline",
    "LogPartition",
    "MeanBaseline",
    "MixedPrecision",
    "MixtureReward",
    "MovingAverageBaseline",
    "NoBaseline",
    "NucleusMixture",
    "NucleusPolicy",
    "ObjectiveReward",
    "Policy",
    "PolicyAgent",
    "PrefixValues",
    "Prefixes",
    "RandomReward",
    "Reward",
    "RewardError",
    "RuledPolicy",
    "Rules",
    "Sampler",
    "Sequences",
    "State",
    "TEMPERATURE_SCHEDULES",
    "TRANSFORMS",
    "TokenScores",
    "WeightedMean",
    "action_values",
    "advantages",
    "allowed_after",
    "aggregate",
    "augmented_likelihood_loss",
    "beam_search",
    "clipped_surrogate_loss",
    "constrained",
    "discounted_returns",
    "dpg_weights",
    "effective_sample_size",
    "entropy_bonus",
    "gae",
    "generate",
    "gumbel_max",
    "gumbel_noise",
    "gumbel_noise_at",
    "gumbel_softmax",
    "importance_weights",
    "kl_to_reference",
    "log_partition",
    "make_baseline",
    "nll_loss",
    "reinforce_loss",
    "rejection_mask",
    "resample",
    "sequence_surrogate_loss",
    "truncated_importance_weights",
    "value_loss",
    "weighted_mean",
    "weighted_nll_loss",
    "without_dropout",
]
