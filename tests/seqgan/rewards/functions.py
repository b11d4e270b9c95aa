"""Reward functions of a user, in TRL's convention."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

CALLS: list[dict] = []


def long(completions, **kwargs):
    CALLS.append({"completions": completions, **kwargs})
    return [len(text.split()) for text in completions]


def tokens(completion_ids):
    return [float(sum(ids)) for ids in completion_ids]


def abstains(completions, prompts):
    assert prompts == [""] * len(completions)
    return [None if "the" in text.split() else 1.0 for text in completions]


def raises(completions):
    return [1 / (len(text.split()) - 3) for text in completions]


def not_a_number(completions):
    return [float("nan") if len(text.split()) == 3 else 1.0 for text in completions]


def too_few(completions):
    return [1.0] * (len(completions) - 1)


def nothing(completions):
    return None


def hangs(completions):
    for text in completions:
        if len(text.split()) == 3:
            Path(os.environ["HANGING"]).write_text(str(os.getpid()))
            threading.Event().wait()
    return [2.0] * len(completions)


def dies(completions):
    os._exit(7)


async def awaited(completions):
    await asyncio.sleep(0)
    return [3.0] * len(completions)


WAITING: list[int] = []


async def meets(completions):
    """Returns when another call of it has begun as well."""
    WAITING.append(len(completions))
    while len(WAITING) < 2:
        await asyncio.sleep(0)
    return [4.0] * len(completions)


def known_answers(completions, answer, **kwargs):
    """Compares with a column, as is usual with GRPOTrainer."""
    return [float(text == right) for text, right in zip(completions, answer, strict=True)]


async def sleeps(completions):
    await asyncio.Event().wait()


VALUE = 3
