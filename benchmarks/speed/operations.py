"""Rollouts, scoring and gradient steps: the main table of `seqgan-bench speed`.

On devices that have CUDA graphs each is timed thrice: one operation after another, as graphs, and
as graphs with products of TF32.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from rich.console import Console

from rollout.graphs import records_on
from seqgan.config.discriminators.cnn import PAPER_FILTERS, PAPER_WIDTHS

from .machine import Timer, peak_memory
from .workload import PlainWorkload, Sizes, Workload, plain_reference

__all__ = ["Shares", "judge_work", "operations", "ways"]


class Shares(NamedTuple):
    """Parts of an operation that are done, whose time is scaled up.

    Attributes:
        plain: of all, by the plain way.
        epoch: of an epoch's steps, by the toolkit.
        repeats: of which the median counts.
    """

    plain: float
    epoch: float
    repeats: int


class Operation(NamedTuple):
    """One line of the main table.

    Attributes:
        name: what is done.
        ours: does it by the toolkit.
        scale: what the time of `ours` is multiplied by.
        plain: does a part of it the plain way; None: there is no plain reference.
        plain_scale: what the time of `plain` is multiplied by.
        operations: multiplications and additions that it takes at least.
        bytes: bytes that it reads and writes at least.
    """

    name: str
    ours: Callable[[], object]
    scale: float
    plain: Callable[[], object] | None
    plain_scale: float
    operations: float
    bytes: float


def ways(work: Workload) -> list[tuple[str, Workload]]:
    """The ways of a device to do the work, the first one without graphs, by what names them."""
    if not records_on(work.device):
        return [("", work)]
    return [
        ("", replace(work, graphs=False)),
        (", graphs", work),
        (", graphs, TF32", replace(work, matmul_precision="high")),
    ]


def operations(
    shares: Shares, work: Workload, timer: Timer, rates: dict[str, Any], console: Console
) -> list[dict[str, Any]]:
    """The main table.

    Args:
        shares: how much of it is done.
        work: of the usual way.
        timer: of its device.
        rates: "gemm" and "memory_rate" of the machine, per second.
        console: shows how far it is.
    """
    rows: list[dict[str, Any]] = []
    for way, workload in ways(work):
        # The plain way has none of these: it is timed beside the first.
        module = plain_reference() if not rows else None
        plain = None if module is None else PlainWorkload(workload, module)
        first = {row["name"]: row for row in rows}
        for each in _operations(shares, workload, plain):
            console.print(f"{each.name}{way} ...", highlight=False)
            with workload.products():
                row = _row(each, workload, timer, rates, shares.repeats)
            if way and each.name in first:
                row["plain_seconds"] = first[each.name]["plain_seconds"]
            rows.append({**row, "name": each.name + way})
        rows += _rounds(rows, way)
    return rows


def _row(
    each: Operation, work: Workload, timer: Timer, rates: dict[str, Any], repeats: int
) -> dict[str, Any]:
    """Seconds, share of the machine's limit and memory of an operation."""
    for _ in range(work.warm_calls):  # memory and libraries are warm, and graphs recorded
        each.ours()
    works = [each.ours] if each.plain is None else [each.ours, each.plain]
    ours, *plain = timer.medians(works, repeats)
    ours *= each.scale
    least = max(each.operations / rates["gemm"], each.bytes / rates["memory_rate"])
    return {
        "seconds": ours,
        "plain_seconds": plain[0] * each.plain_scale if plain else None,
        "share_of_limit": least / ours,
        "peak_bytes": peak_memory(each.ours, work.device),
    }


def _rounds(rows: list[dict[str, Any]], way: str) -> list[dict[str, Any]]:
    """Whole rounds, by their parts."""
    by_name, found = {row["name"]: row for row in rows}, []
    for kind in ("fp32", "bf16"):
        parts = [by_name[f"generator step, {kind}{way}"], by_name[f"discriminator epoch{way}"]]
        plain_parts = [part["plain_seconds"] for part in parts]
        total: dict[str, Any] = {
            "name": f"whole round, {kind}{way} (the sum of both)",
            "seconds": sum(part["seconds"] for part in parts),
            "plain_seconds": None if None in plain_parts else sum(plain_parts),
        }
        shares = sum(part["share_of_limit"] * part["seconds"] for part in parts)
        total["share_of_limit"] = shares / total["seconds"]
        total["peak_bytes"] = None
        found.append(total)
    return found


def _operations(shares: Shares, work: Workload, plain: PlainWorkload | None) -> list[Operation]:
    sizes, hidden = work.sizes, work.hidden

    def of(whole: int, run: Callable[[PlainWorkload, int], None]) -> tuple[Any, float]:
        parts = max(1, round(shares.plain * whole))
        return (None if plain is None else partial(run, plain, parts)), whole / parts

    def steps(whole: int, run: Callable[[int], None]) -> tuple[Any, float]:
        parts = max(1, round(shares.epoch * whole))
        return partial(run, parts), whole / parts

    # A token: the LSTM's two products and the logits.
    token = 2 * (8 * hidden * hidden + hidden * sizes.vocabulary)
    judged = sizes.batch * (1 + sizes.rollouts * (sizes.length - 1))
    score, train = judge_work(sizes)
    rolls = of(sizes.rollouts, PlainWorkload.rollouts)
    rewards = of(sizes.rollouts, PlainWorkload.rewards)
    epoch = 3 * sizes.mle_steps * sizes.batch * sizes.length * token
    weights = sum(p.numel() for p in work.judge.parameters())
    rows = [
        Operation("rollouts", work.rollouts, 1, *rolls, sizes.tokens() * token, 0),
        Operation(
            f"sampling {sizes.samples:,} sequences",
            lambda: work.sampled(sizes.samples),
            1,
            *of(sizes.samples // sizes.batch, lambda p, n: p.sample(n * sizes.batch)),
            sizes.samples * sizes.length * token,
            0,
        ),
    ]
    for kind in ("fp32", "bf16"):
        for name, run in (("rewards", work.rewards), ("generator step", work.generator_step)):
            rows.append(
                Operation(
                    f"{name}, {kind}",
                    partial(run, kind),
                    1,
                    *rewards,
                    sizes.tokens() * token + judged * score,
                    0,
                )
            )
    rows += [
        Operation(
            f"MLE epoch, {sizes.mle_steps * sizes.batch:,} x {sizes.length} tokens",
            *steps(sizes.mle_steps, work.mle),
            *of(sizes.mle_steps, PlainWorkload.mle),
            epoch,
            0,
        ),
        Operation(
            "discriminator epoch",
            *steps(sizes.judge_steps, work.judge_training),
            *of(sizes.judge_steps, PlainWorkload.judge_training),
            sizes.judge_steps * 2 * sizes.judge_batch * train,
            # Weights, gradients and two moments are read, and all but the gradients written.
            sizes.judge_steps * 7 * 4 * weights,
        ),
    ]
    return rows


def judge_work(sizes: Sizes) -> tuple[float, float]:
    """Operations that the CNN takes at least for a sequence: scoring, and a training step.

    Scoring looks the convolutions up and only adds them; the rest are the highway's two products.
    Training multiplies every window with what lies of it inside the sequence, and the highway
    three times.
    """
    filters = [max(1, round(count * sizes.filter_share)) for count in PAPER_FILTERS]
    highway = 2 * 2 * sum(filters) ** 2
    inside = sum(
        count * min(width, sizes.length - start)
        for width, count in zip(PAPER_WIDTHS, filters, strict=True)
        for start in range(sizes.length)
    )
    return highway + inside, 3 * highway + 2 * 64 * inside
