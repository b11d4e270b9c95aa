"""The batches in which a discriminator judges: small on a CPU, by memory on other devices."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rollout import DiscriminatorReward, Sequences


class Judge(nn.Module):
    """The first token is the logit; more than `room` sequences at once are too many."""

    def __init__(self, room: int, error: type[Exception] = torch.OutOfMemoryError):
        super().__init__()
        self.room, self.error = room, error
        self.seen: list[int] = []

    def forward(self, sequences: Sequences) -> torch.Tensor:
        self.seen.append(len(sequences))
        if len(sequences) > self.room:
            raise self.error("too many")
        return sequences.tokens[:, 0].float()


def batch(count: int) -> Sequences:
    return Sequences(torch.arange(count)[:, None], torch.ones(count, dtype=torch.int64))


def test_on_a_cpu():
    judge = Judge(10_000)
    DiscriminatorReward(judge)(batch(1_200))
    assert judge.seen == [512, 512, 176]


def test_elsewhere_all_at_once_or_half_as_many_until_memory_is_enough(monkeypatch):
    monkeypatch.setattr("rollout.devices._FREE_TO_READ", ())
    judge = Judge(300)
    reward = DiscriminatorReward(judge, "log_odds")
    assert reward(batch(1_000)).tolist() == list(range(1_000))
    assert judge.seen == [1_000, 500, 250, 250, 250, 250]
    judge.seen.clear()
    reward(batch(400))  # it knows by now
    assert judge.seen == [250, 150]
    judge.seen.clear()
    DiscriminatorReward(judge, batch_size=2)(batch(3))
    assert judge.seen == [2, 1]


def repeated(count: int, distinct: int) -> Sequences:
    """`count` sequences, `distinct` of them different; what comes after their ends is not read."""
    first = torch.arange(count) % distinct
    return Sequences(torch.stack([first, torch.arange(count)], 1), torch.ones_like(first))


def test_equal_sequences_are_judged_once_where_they_are_many(monkeypatch):
    judge = Judge(10_000)
    DiscriminatorReward(judge)(repeated(100, 7))
    assert judge.seen == [7]
    monkeypatch.setattr("rollout.devices._FREE_TO_READ", ())
    monkeypatch.setattr("rollout.sequences._MANY", 100)
    judge.seen.clear()
    reward = DiscriminatorReward(judge, "log_odds")
    for count, distinct in ((100, 7), (99, 7), (100, 95), (300, 1)):
        assert reward(repeated(count, distinct)).tolist() == [i % distinct for i in range(count)]
    assert judge.seen == [7, 99, 100, 1]


@pytest.mark.parametrize("judge", [Judge(0), Judge(2, RuntimeError)])
def test_other_errors_and_no_memory_at_all_are_raised(judge, monkeypatch):
    monkeypatch.setattr("rollout.devices._FREE_TO_READ", ())
    with pytest.raises(judge.error, match="too many"):
        DiscriminatorReward(judge)(batch(4))
