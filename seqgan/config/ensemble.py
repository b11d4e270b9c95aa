"""Settings of the ensemble behind the ratio reward."""

from __future__ import annotations

from dataclasses import dataclass, field

from .checks import choice, positive, shares, sizes
from .settings import Settings

__all__ = ["EnsembleConfig"]

COMBINATIONS = ("mixture", "geometric", "minimum", "quantile")


@dataclass
class EnsembleConfig(Settings):
    """MLE models of the same data with other seeds, whose combined density the reward is made of.

    Attributes:
        size: members that are trained, with the settings of --generator and --pretrain; they are
            kept in the run's folder.
        runs: folders of runs on the same data whose MLE models are the members instead; none is
            trained then.
        combination: of the members' probabilities of the next token: mixture (their mean),
            geometric (mean), minimum (pessimistic: a token that one of them doubts is unlikely),
            quantile; all but the first are normalised again.
        quantile: of the combination: 0 is the minimum, 0.5 the median.
        temperature: of the combined density; below 1 sharpens it.
        refresh: steps that the members take in each round against samples of the policy, with the
            density ratio as the discriminator; 0: they stay as MLE made them.
        refresh_learning_rate: of these steps.
    """

    rare = ("refresh_learning_rate",)

    group = "ensemble."

    size: int = 3
    runs: list[str] = field(default_factory=list)
    combination: str = "mixture"
    quantile: float = 0.25
    temperature: float = 1.0
    refresh: int = 0
    refresh_learning_rate: float = 1e-4

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes(self, "size")
        choice(self, "combination", COMBINATIONS)
        shares(self, "quantile")
        positive(self, "temperature")
        sizes(self, "refresh", least=0)
        positive(self, "refresh_learning_rate", below=10)
