"""The reinforcement-learning core: tokens, policies, rewards, action values and losses.

It knows nothing of files, corpora, command lines or GANs.
"""

from .environments.agent import PolicyAgent
from .compiled import CompiledPolicy
from .generate import generate
from .lagged import LaggedPolicy
from .losses import (
    clipped_surrogate_loss,
    entropy_bonus,
    kl_to_reference,
    nll_loss,
    reinforce_loss,
)
from .monte_carlo import action_values
from .policy import Policy, Prefixes, State, TokenScores
from .returns import (
    Baseline,
    LeaveOneOutBaseline,
    MeanBaseline,
    MovingAverageBaseline,
    NoBaseline,
    advantages,
    discounted_returns,
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
from .sampling import Sampler
from .sequences import Sequences

__all__ = [
    "Baseline",
    "CompiledPolicy",
    "ConstantReward",
    "DiscriminatorReward",
    "LaggedPolicy",
    "LeaveOneOutBaseline",
    "MeanBaseline",
    "MixtureReward",
    "MovingAverageBaseline",
    "NoBaseline",
    "ObjectiveReward",
    "Policy",
    "PolicyAgent",
    "Prefixes",
    "RandomReward",
    "Reward",
    "RewardError",
    "Sampler",
    "Sequences",
    "State",
    "TokenScores",
    "action_values",
    "advantages",
    "clipped_surrogate_loss",
    "discounted_returns",
    "entropy_bonus",
    "generate",
    "kl_to_reference",
    "make_baseline",
    "nll_loss",
    "reinforce_loss",
]
