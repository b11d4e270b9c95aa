"""Settings of the generator's updates in the rounds: a file per algorithm, a line in the table."""

from __future__ import annotations

from ..components import Component
from .base import AlgorithmConfig, PolicyOptimizer
from .distill import Distill
from .evolution import Evolution
from .likelihood import Likelihood
from .parts import DiversityConfig, ReplayConfig, ValueConfig
from .policy_gradient import PolicyGradient
from .ratio import Ratio
from .relaxed import Relaxed
from .self_play import SelfPlay

__all__ = [
    "ALGORITHMS", "AlgorithmConfig", "Distill", "DiversityConfig", "Evolution", "Likelihood",
    "PolicyGradient", "PolicyOptimizer", "Ratio", "Relaxed", "ReplayConfig", "SelfPlay",
    "ValueConfig",
]  # fmt: skip

ALGORITHMS: dict[str, type[Component]] = {
    "policy_gradient": PolicyGradient,
    "ratio": Ratio,
    "distill": Distill,
    "relaxed": Relaxed,
    "evolution": Evolution,
    "likelihood": Likelihood,
    "self_play": SelfPlay,
}
