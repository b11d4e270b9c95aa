"""The reinforcement-learning core: tokens, policies, rewards, action values and losses.

It knows nothing of files, corpora, command lines or GANs.
"""

from .agent import PolicyAgent
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
from .modules import without_dropout
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
from .sampling import Sampler
from .sequences import Sequences
from .transforms import TRANSFORMS

__all__ = [
    "TRANSFORMS",
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
    "gae",
    "entropy_bonus",
    "generate",
    "kl_to_reference",
    "make_baseline",
    "nll_loss",
    "reinforce_loss",
    "without_dropout",
]
