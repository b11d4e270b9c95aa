"""The error of scoring in bf16, with a bound that follows from the format alone.

A number of bf16 has 8 significant bits, so rounding moves it by at most U = 2^-8 of itself. To
first order, roundings x (1 + d) of numbers x move a logit z by the sum of dz/dx x d. The roundings
are independent and each |d| is at most U, so by Hoeffding's inequality that sum is below
6 U sqrt(sum of (dz/dx x)^2) but for a chance of 3e-8. Here dz/dx x is the derivative by a factor
that is 1, at every number that may be rounded: in the tables of responses and their sums on every
CPU, and in the products where the CPU has instructions for them.

Both kinds of CPU are tested on each: only the answer to the question for the instructions differs.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from rollout import DiscriminatorReward, Sequences
from seqgan.models.discriminators import base
from seqgan.models.discriminators import cnn as cnn_module
from seqgan.models.discriminators.base import Discriminator
from seqgan.models.discriminators.bilstm import BiLSTMDiscriminator
from seqgan.models.discriminators.cnn import CNNDiscriminator

from ...small import bilstm, cnn

U = 2.0**-8
INSTRUCTIONS = pytest.mark.parametrize(
    "instructions", [True, False], ids=["with instructions", "without"]
)


@pytest.fixture(autouse=True)
def cpu(request, monkeypatch) -> None:
    """A CPU with or without instructions for bf16."""
    answer = request.node.callspec.params["instructions"]
    for module in (base, cnn_module):
        monkeypatch.setattr(module, "multiplies_bfloat16", lambda device: answer)


def batch_of(count: int, length: int, vocabulary: int) -> Sequences:
    rng = torch.Generator().manual_seed(1)
    lengths = torch.randint(1, length + 1, (count,), generator=rng)
    lengths[0] = length
    return Sequences(torch.randint(vocabulary, (count, length), generator=rng), lengths)


class Rounded:
    """Numbers that may be rounded: each is multiplied by a factor of its own, which is 1."""

    def __init__(self) -> None:
        self.factors: list[Tensor] = []

    def __call__(self, numbers: Tensor, is_rounded: bool = True) -> Tensor:
        if not is_rounded:
            return numbers
        self.factors.append(torch.ones_like(numbers).requires_grad_())
        return numbers * self.factors[-1]

    def bound(self, logit: Tensor) -> float:
        """The largest distance that the roundings may move `logit`."""
        found = torch.autograd.grad(logit, self.factors)
        return 6 * U * float(sum(each.square().sum() for each in found)) ** 0.5


def cnn_logit(judge: CNNDiscriminator, tokens: Tensor, products: bool) -> tuple[Tensor, float]:
    """The logit of one sequence in float64, and how far bf16 may move it."""
    r = Rounded()
    distinct, numbers = tokens.unique(return_inverse=True)
    embedded = judge.embedding.weight[distinct]
    pooled = []
    for convolution, width in zip(judge.convolutions, judge.widths, strict=True):
        table = r(torch.einsum("de,few->dwf", embedded, convolution.weight))
        sums = []
        for start in range(len(tokens)):
            window = numbers[start : start + width]
            sums.append(table[window, torch.arange(len(window))].sum(0))
        largest = r(torch.stack(sums)).amax(0)
        if width < max(judge.widths):
            largest = largest.clamp(min=0.0)
        pooled.append((largest + convolution.bias).relu())
    features = torch.cat(pooled)
    inputs = r(features, products)
    gate = r(inputs @ r(judge.gate.weight, products).t() + r(judge.gate.bias, products), products)
    changed = r(
        inputs @ r(judge.highway.weight, products).t() + r(judge.highway.bias, products), products
    )
    gate = gate.sigmoid()
    features = gate * changed.relu() + (1 - gate) * features
    logit = features @ judge.output.weight[0] + judge.output.bias[0]
    return logit.detach(), r.bound(logit)


def lstm(layer: torch.nn.LSTM, inputs: list[Tensor], r: Rounded) -> Iterator[Tensor]:
    """The outputs of an LSTM layer, all that its steps make rounded."""
    of_input, of_state, *biases = (r(weight) for weight in layer.all_weights[0])
    h = c = torch.zeros_like(of_state[0])
    for x in inputs:
        gates = r(r(of_input @ x + biases[0]) + r(of_state @ h + biases[1]))
        i, f, g, o = gates.chunk(4)
        i, f, g, o = r(i.sigmoid()), r(f.sigmoid()), r(g.tanh()), r(o.sigmoid())
        c = r(r(f * c) + r(i * g))
        h = r(o * r(c.tanh()))
        yield h


def bilstm_logit(
    judge: BiLSTMDiscriminator, tokens: Tensor, products: bool
) -> tuple[Tensor, float]:
    """The logit of one sequence in float64, and how far bf16 may move it."""
    r = Rounded()
    embedded = [r(each) for each in judge.embedding.weight[tokens]]
    ahead = torch.stack([*lstm(judge.ahead, embedded, r)])
    back = torch.stack([*lstm(judge.back, embedded[::-1], r)]).flip(0)
    states = torch.cat([ahead, back], dim=1)
    pooled = torch.cat([states.mean(0), states.amax(0)])
    logit = pooled @ judge.output.weight[0] + judge.output.bias[0]
    return logit.detach(), r.bound(logit) if products else 0.0


def log_odds(judge: Discriminator, batch: Sequences, precision: str) -> Tensor:
    return DiscriminatorReward(judge, "log_odds", precision=precision)(batch)


@INSTRUCTIONS
@pytest.mark.parametrize("kind", ["cnn", "bilstm"])
def test_no_logit_moves_farther_than_its_roundings_may(kind, instructions):
    torch.manual_seed(0)
    judge: Discriminator = bilstm(30, 8, 8)
    if kind == "cnn":
        judge = cnn(30, 16, (1, 2, 5, 12), (20, 30, 30, 20))
    batch = batch_of(100, 20, 30)
    half = log_odds(judge, batch, "bf16")
    single = log_odds(judge, batch, "fp32")
    judge.double()
    logit_of = cnn_logit if kind == "cnn" else bilstm_logit
    for row, tokens in enumerate(batch.to_lists()):
        exact, bound = logit_of(judge, torch.tensor(tokens), instructions)
        assert abs(float(single[row]) - float(exact)) < 1e-5
        assert abs(float(half[row]) - float(exact)) <= bound + 1e-5
        assert bound < 0.05
    moved = float((half - single).abs().max())
    assert (moved > 1e-4) == (instructions or kind == "cnn")


@INSTRUCTIONS
@pytest.mark.parametrize(
    ("kind", "typical", "largest"), [("cnn", 0.0014, 0.008), ("bilstm", 0.0004, 0.001)]
)
def test_what_it_costs_a_judge_of_the_default_size(kind, typical, largest, instructions):
    """The changes of probabilities, as docs/speed.md has them."""
    torch.manual_seed(0)
    judge: Discriminator = cnn(200) if kind == "cnn" else bilstm(200)
    with torch.no_grad():  # as far from 1/2 as a trained one
        judge.output.weight *= 10
    batch = batch_of(300, 20, 200)
    half, single = (log_odds(judge, batch, each).sigmoid() for each in ("bf16", "fp32"))
    moved = (half - single).abs()
    if kind == "bilstm" and not instructions:
        assert torch.equal(half, single)
    else:
        assert typical / 1.5 < moved.square().mean().sqrt() < 1.5 * typical
        assert largest / 1.5 < moved.max() < 1.5 * largest
    assert single.std() > 0.05
