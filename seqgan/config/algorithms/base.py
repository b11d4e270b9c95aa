"""Settings that all updates of the generator share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..components import Component
from ..optimizers import OptimizerConfig

__all__ = ["AlgorithmConfig", "PolicyOptimizer"]


@dataclass
class AlgorithmConfig(Component):
    """The update of the generator in the rounds."""

    group = "algorithm."
    selector = "name"

    listed: ClassVar[str] = "seqgan.config.algorithms:ALGORITHMS"


@dataclass
class PolicyOptimizer(OptimizerConfig):
    """The optimizer of the generator in the rounds."""

    group = "algorithm.optimizer."
    name: str = "adam"
    learning_rate: float = 3e-4
    weight_decay: float = 0.0
