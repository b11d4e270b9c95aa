"""Kernels and rollouts on a GPU, against the ways that all devices have."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from rollout import Sampler, Sequences, action_values, generate
from rollout.graphs import Graphs
from rollout.kernels import fused_sampling_works
from rollout.randomness import seeded_generator
from seqgan.config import LSTM
from seqgan.data.spec import TokenSpec
from seqgan.models import make_generator

__all__ = ["endings", "sampling", "shapes"]

EXACT, ROUNDED = 0.999, 0.8
"""Share of draws that are those of float64: with products of float32, and of TF32."""
STANDARD_ERRORS = 4.0


class Draws(NamedTuple):
    """Features [R, H], an output layer [V, H] with bias [V], uniforms, and a temperature.

    Token 0 is forbidden.
    """

    features: Tensor
    weight: Tensor
    bias: Tensor
    uniforms: Tensor
    temperature: float

    def log_probs(self) -> Tensor:
        """Log-probabilities [R, V] in float64."""
        logits = self.features.double() @ self.weight.double().t() + self.bias.double()
        return (logits / self.temperature).log_softmax(-1)


def make_draws(
    device: str, rows: int, hidden: int, vocabulary: int, count: int, temperature: float
) -> Draws:
    """Random ones; `count` draws per row."""
    rng = seeded_generator(0)
    features = torch.randn(rows, hidden, generator=rng)
    weight = torch.randn(vocabulary, hidden, generator=rng) * 2 / math.sqrt(hidden)
    bias = torch.randn(vocabulary, generator=rng) * 0.1
    bias[0] = -torch.inf
    uniforms = torch.rand(rows, count, generator=rng, dtype=torch.float64)
    on = torch.device(device)
    return Draws(features.to(on), weight.to(on), bias.to(on), uniforms.to(on), temperature)


def shapes(device: str, tiny: bool) -> str:
    """Draws of the kernel in many sizes, against float64.

    Raises:
        AssertionError: too few are those of float64, they are drawn too often from likely or from
            unlikely tokens, or a forbidden token is drawn.
    """
    if not fused_sampling_works(torch.device(device)):
        return _without_kernel(device)
    sizes = [(32, 100)] if tiny else itertools.product((32, 512, 2_048), (100, 5_000, 200_000))
    least = {"highest": 1.0, "high": 1.0, "bfloat16": 1.0}
    for hidden, vocabulary in sizes:
        for count, temperature in ((1, 1.0), (4, 0.7)):
            draws = make_draws(device, 512, hidden, vocabulary, count, temperature)
            for precision in ("highest", "high"):
                with _products(precision):
                    share = check(draws, EXACT if precision == "highest" else ROUNDED)
                least[precision] = min(least[precision], share)
            halves = draws._replace(
                features=draws.features.bfloat16(), weight=draws.weight.bfloat16()
            )
            least["bfloat16"] = min(least["bfloat16"], check(halves, EXACT))
    shown = ", ".join(f"{name} {share:.2%}" for name, share in least.items())
    return f"as in float64 at least: {shown}"


def check(draws: Draws, least: float) -> float:
    """The share of draws that are those of float64.

    Raises:
        AssertionError: it is below `least`, or the tokens are not drawn as often as they should.
    """
    from rollout.kernels.sampling import sample

    drawn = sample(*draws)
    log_probs = draws.log_probs()
    exact = torch.searchsorted(log_probs.exp().cumsum(-1), draws.uniforms).clamp_(
        max=log_probs.shape[1] - 1
    )
    share = float((drawn == exact).double().mean())
    rows, hidden = draws.features.shape
    where = f"V {len(draws.weight):,}, H {hidden:,}, {draws.uniforms.shape[1]} draws of {rows} rows"
    if share < least:
        raise AssertionError(f"{where}: only {share:.2%} of the draws are those of float64")
    off = surprise(log_probs, drawn)
    if not abs(off) < STANDARD_ERRORS or bool((drawn == 0).any()):
        raise AssertionError(f"{where}: log-probabilities {off:.1f} standard errors off")
    return share


def surprise(log_probs: Tensor, drawn: Tensor) -> float:
    """Standard errors by which drawn tokens [R, N] are likelier than tokens of [R, V] should be."""
    probs, finite = log_probs.exp(), log_probs.clamp(min=-1e3)
    mean = (probs * finite).sum(-1, keepdim=True)
    variance = (probs * (finite - mean) ** 2).sum(-1)
    gap = log_probs.gather(1, drawn) - mean
    return float(gap.sum() / (variance.sum() * drawn.shape[1]).sqrt())


def sampling(device: str, tiny: bool) -> str:
    """Times of the kernel and of the plain way."""
    draws = make_draws(device, *((8, 16, 100) if tiny else (19_456, 32, 5_000)), 1, 1.0)
    features, weight, bias, uniforms, _ = draws

    def plain() -> Tensor:
        logits = torch.nn.functional.linear(features, weight, bias)
        return Sampler().sample(logits, uniforms)

    if not fused_sampling_works(torch.device(device)):
        return _without_kernel(device) + f"; plain {1e3 * seconds(plain, device):.2f} ms"
    from rollout.kernels.sampling import sample

    share = check(draws, EXACT)
    times = [1e3 * seconds(each, device) for each in (partial(sample, *draws), plain)]
    return f"{share:.2%} as in float64; {times[0]:.2f} ms, plain {times[1]:.2f} ms"


def endings(device: str, tiny: bool) -> str:
    """Rollouts with EOS: ended rows dropped on the way, or all rows to the end as one graph."""
    size, length, batch, rollouts = (100, 6, 4, 2) if tiny else (5_000, 32, 64, 16)
    policy = make_generator(LSTM(), TokenSpec(size, 1, 2, 0, length, (0, 1)), 0).to(device).eval()
    with torch.no_grad():  # sequences end after half of the length
        policy.head.bias[2] = math.log(2 * size / length)
    given, failures = generate(policy, batch, rng=seeded_generator(0)), list[str]()

    def lengths(sequences: Sequences) -> Tensor:
        return sequences.lengths.float()

    def values(compact_every: int | None, graphs: Graphs | None) -> Tensor:
        return action_values(
            policy, given, lengths, rollouts, rng=seeded_generator(1),
            compact_every=compact_every, graphs=graphs,
        )  # fmt: skip

    ways = [partial(values, None, None), partial(values, 0, Graphs(on_failure=failures.append))]
    for _ in range(3):  # shapes are recorded at their third time
        found = [way() for way in ways]
    times = [seconds(way, device) for way in ways]
    if failures:
        raise RuntimeError(failures[0])
    apart = float((found[0] - found[1]).abs().mean())
    if apart > 0.05:  # rounding may draw another token now and then
        raise AssertionError(f"values differ by {apart:.2f} tokens on average")
    return f"ended rows dropped {times[0]:.4f} s, one graph {times[1]:.4f} s"


def seconds(work: Callable[[], object], device: str) -> float:
    """Time of one call, the mean of ten after three."""

    def wait() -> None:
        if device == "cuda":
            torch.cuda.synchronize()

    for _ in range(3):
        work()
    wait()
    start = time.perf_counter()
    for _ in range(10):
        work()
    wait()
    return (time.perf_counter() - start) / 10


@contextmanager
def _products(precision: str) -> Iterator[None]:
    """Products of float32 matrices, exact ("highest") or of TF32 ("high")."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _without_kernel(device: str) -> str:
    if device == "cuda":
        raise RuntimeError("the kernel does not run here: is Triton installed?")
    return "no kernel on this device"
