"""The table of samples with their rewards, while the policy is trained.

Shapes: B samples.
"""

from __future__ import annotations

from collections.abc import Mapping

from rich.markup import escape
from rich.table import Table
from torch import Tensor

from rollout import Sequences

from ..data.codec import Codec
from .callbacks import Sample, headings
from .runtime import SAMPLES, Runtime

__all__ = ["SampleTable"]


class SampleTable:
    """Shows some samples of a step with their rewards: terminal, log, trackers, callback.

    Args:
        codec: token ids to text.
        count: samples shown; 0: none.
        every: generator steps between two tables.
        runtime: terminal and log.
    """

    def __init__(self, codec: Codec, count: int, every: int, runtime: Runtime):
        self.codec, self.count, self.every, self.runtime = codec, count, every, runtime

    def show(
        self, step: int, sequences: Sequences, rewards: Tensor, each: Mapping[str, Tensor]
    ) -> None:
        """Shows the first samples of a batch, if it is time.

        Args:
            step: generator steps so far.
            sequences: the batch.
            rewards: [B].
            each: the values [B] of each term; NaN where it abstains.
        """
        due = self.count and step % self.every == 0
        if due and self.runtime.processes.is_main:
            self.present(step, sequences, rewards, each)

    def present(
        self, step: int, sequences: Sequences, rewards: Tensor | None, each: Mapping[str, Tensor],
        stage: str = SAMPLES,
    ) -> None:  # fmt: skip
        """Shows the first samples of a batch.

        Args:
            step: of the training.
            sequences: the batch.
            rewards: [B]; None: they have none.
            each: the values [B] of each term; NaN where it abstains.
            stage: of the log. Samples of the rounds are shown in the terminal and to the callback.
        """
        texts = self.codec.texts(sequences.select(slice(0, self.count)))
        columns = {name: values[: self.count].tolist() for name, values in each.items()}
        own = [None] * len(texts) if rewards is None else rewards[: self.count].tolist()
        samples = [
            Sample(text, reward, {name: _known(found[i]) for name, found in columns.items()})
            for i, (text, reward) in enumerate(zip(texts, own, strict=True))
        ]
        self.runtime.log_samples(step, samples, stage)
        if stage != SAMPLES:
            return
        if self.runtime.console.is_terminal and not self.runtime.console.quiet:
            self.runtime.console.print(_table(step, samples))
        self.runtime.callbacks.on_sample(step, samples)


def _known(value: float) -> float | None:
    return None if value != value else value


def _table(step: int, samples: list[Sample]) -> Table:
    """The table of the terminal, rewards first: lines of text are cut where the window ends."""
    table = Table(title=f"Samples of step {step}")
    for name in headings(samples):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("sample", overflow="ellipsis", no_wrap=True)
    for each in samples:
        table.add_row(*each.numbers(), escape(each.text))
    return table
