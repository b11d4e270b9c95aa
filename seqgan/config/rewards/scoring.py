"""Settings of the reward as a whole: how terms are joined, and how functions are called."""

from __future__ import annotations

from dataclasses import dataclass

from ..checks import choice, require, sizes
from ..settings import Settings

__all__ = ["RewardConfig"]


@dataclass
class RewardConfig(Settings):
    """The terms of the reward together, and calls of your own functions.

    Attributes:
        mean: how the terms are joined: sum (of weight times value), mean (the same, divided by the
            sum of the weights), geometric (weighted geometric mean, of values of 0 or above).
        workers: processes that call your functions; 0: the run's own process, where a call cannot
            be interrupted.
        timeout: seconds that one call of a function may take, in a worker or as an async function;
            0: no limit.
        batch: sequences per call of a function, at most; 0: all at once, shared by the workers.
        cache: repeated sequences are judged once; off: a function is asked every time.
        calls: sequences that may be judged to make the model: at most half of them on validation,
            where each measurement then takes fewer samples, the rest in training. The rounds end
            after the step that reaches it (distill: samples are no more than that). Of functions
            the distinct sequences count. 0: no limit.
        verdict_calls: sequences that the verdict may judge besides: at most half of them are
            samples of the models, at most a tenth explains some, the others are the choice among
            samples of MLE and among training sequences; 0: as many as the model had for each.
    """

    rare = ("workers", "timeout", "batch", "cache", "calls", "verdict_calls")

    group = "reward."

    mean: str = "sum"
    workers: int = 0
    timeout: float = 0.0
    batch: int = 0
    cache: bool = True
    calls: int = 0
    verdict_calls: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        choice(self, "mean", ("sum", "mean", "geometric"))
        sizes(self, "workers", "batch", "calls", "verdict_calls", least=0)
        require(
            self.verdict_calls == 0 or self.verdict_calls >= 120,
            f"--reward.verdict_calls: {self.verdict_calls} is below 120, 20 samples of each model",
        )
        require(self.workers <= 256, f"--reward.workers: {self.workers} is above 256")
        require(
            0 <= self.timeout < 1e6,
            f"--reward.timeout: {self.timeout} is not 0 or above and below 10^6",
        )
