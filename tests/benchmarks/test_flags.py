"""Nested settings as flags."""

from __future__ import annotations

from benchmarks.flags import flags_of


def test_flags_by_hand():
    settings = {"data": "a.txt", "pretrain": {"epochs": 3, "optimizer": {"name": "sgd"}},
                "evaluation": {"temperatures": [0.8, 1.0]}, "resume": True}  # fmt: skip
    assert flags_of(settings) == [
        ("--data", "a.txt"),
        ("--pretrain.epochs", "3"),
        ("--pretrain.optimizer.name", "sgd"),
        ("--evaluation.temperatures", "[0.8, 1.0]"),
        ("--resume", "true"),
    ]
