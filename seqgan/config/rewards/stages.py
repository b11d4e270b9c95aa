"""Settings of the stages of a reward."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...errors import ConfigError
from ..checks import require, sizes
from ..settings import Settings, settings_from
from . import reward_terms
from .base import RewardTerm

__all__ = ["StageConfig", "of_stages", "reward_stages"]


@dataclass
class StageConfig(Settings):
    """A stage: terms of the reward until something is reached.

    Attributes:
        rewards: the terms.
        steps: generator steps at most; 0: no limit.
        least: generator steps at least.
        reward: mean reward of a step's samples that ends the stage; none: only `steps` does.
    """

    group = "stages: "

    rewards: list[RewardTerm] = field(default_factory=list)
    steps: int = 0
    least: int = 0
    reward: float | None = None

    def __post_init__(self) -> None:
        self.rewards = reward_terms(self.rewards)
        super().__post_init__()
        sizes(self, "steps", "least", least=0)
        require(
            self.steps > 0 or self.reward is not None,
            "--stages: a stage ends by its steps or its reward; give it one of them",
        )


def reward_stages(given: Any) -> list[StageConfig]:
    """Stages from instances or mappings.

    Raises:
        ConfigError: one cannot be read.
    """
    if isinstance(given, (Mapping, StageConfig)):
        given = [given]
    if not isinstance(given, (list, tuple)):
        raise ConfigError(f"--stages: {given!r:.80} is not a list of stages")
    found = []
    for each in given:
        if not isinstance(each, (Mapping, StageConfig)):
            raise ConfigError(
                f"--stages: {each!r:.80} is not a stage: give '{{rewards: [NAME], steps: N}}'"
            )
        found.append(settings_from(StageConfig, each) if isinstance(each, Mapping) else each)
    return found


def of_stages(stages: Iterable[StageConfig]) -> list[RewardTerm]:
    """The terms of all stages, in their order."""
    return [term for stage in stages for term in stage.rewards]
