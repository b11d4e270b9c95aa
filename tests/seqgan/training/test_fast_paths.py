"""The fast forms of losses and scores against the plain ones, values and gradients."""

from __future__ import annotations

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.nn import functional

from rollout import (
    DiscriminatorReward,
    Policy,
    Sequences,
    action_values,
    generate,
    nll_loss,
    reinforce_loss,
)
from rollout.sequences import distinct_sequences
from seqgan.models import Generator
from seqgan.models.discriminators import windows
from seqgan.models.discriminators.cnn import CNNDiscriminator
from seqgan.models.discriminators.windows import Windows, window_max
from seqgan.models.token_loss import token_log_probs

from ... import plain
from ...small import cnn, lstm


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch_of(count: int, length: int, vocabulary: int, *, ragged: bool = True) -> Sequences:
    lengths = torch.full((count,), length)
    if ragged:
        lengths = torch.randint(1, length + 1, (count,), generator=seeded(1))
        lengths[0] = length
    return Sequences(torch.randint(vocabulary, (count, length), generator=seeded(2)), lengths)


def make_generator(vocabulary: int = 600) -> Generator:
    torch.manual_seed(0)
    return lstm(vocabulary, 9, 0, None, 0, 16, 16, initial_scale=0.5)


def make_judge(vocabulary: int = 60) -> CNNDiscriminator:
    torch.manual_seed(0)
    return cnn(vocabulary, 8, (1, 2, 5, 12), (3, 4, 5, 6), dropout=0.0)


def gradients(model: torch.nn.Module, loss: torch.Tensor) -> list[torch.Tensor]:
    model.zero_grad()
    loss.backward()
    return [parameter.grad.clone() for parameter in model.parameters()]


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr("rollout.devices.CACHE_BYTES", 8 * 5 * 600)  # five tokens


class TestTokenScores:
    def test_log_probability_and_entropy_by_hand(self):
        # logits 0, ln 2, ln 5 less a constant: probabilities 1/8, 2/8, 5/8
        bias = torch.tensor([1.0, 2.0, 5.0]).log() - 30
        log_prob, entropy = token_log_probs(
            torch.zeros(3, 1), torch.zeros(3, 1), bias, torch.tensor([0, 1, 2])
        )
        assert log_prob.tolist() == pytest.approx([-2.0794415, -1.3862944, -0.4700036], abs=5e-6)
        assert entropy.tolist() == pytest.approx([0.9002561] * 3, abs=5e-6)

    def test_the_mle_loss_and_its_gradients(self, small_chunks):
        generator, batch = make_generator(), batch_of(7, 9, 600)
        ours = nll_loss(generator(batch).log_prob, batch.mask)
        theirs = plain.nll(generator, batch)
        assert torch.allclose(ours, theirs, atol=1e-6)
        for mine, other in zip(
            gradients(generator, ours), gradients(generator, theirs), strict=True
        ):
            assert torch.allclose(mine, other, atol=1e-6)

    def test_tokens_of_different_weights_and_the_entropy(self, small_chunks):
        generator, batch = make_generator(), batch_of(7, 9, 600)
        weights = torch.randn(7, 9, generator=seeded(3))

        def loss(scores):
            return (
                reinforce_loss(scores.log_prob, weights, batch.mask)
                + (scores.entropy * weights.flip(0)).sum()
            )

        ours = gradients(generator, loss(generator(batch)))
        theirs = gradients(generator, loss(Policy.forward(generator, batch)))
        for mine, other in zip(ours, theirs, strict=True):
            assert torch.allclose(mine, other, atol=1e-4, rtol=1e-4)

    @pytest.mark.parametrize("chosen", [slice(0, 1), slice(1, 2), slice(0, 2)])
    def test_gradients_by_finite_differences(self, monkeypatch, chosen):
        monkeypatch.setattr("rollout.devices.CACHE_BYTES", 8 * 3 * 5)
        hidden, weight, bias = (
            torch.randn(*shape, dtype=torch.double, generator=seeded(4)).requires_grad_()
            for shape in ((7, 3), (5, 3), (5,))
        )
        tokens = torch.randint(5, (7,), generator=seeded(5))
        assert gradcheck(lambda *a: token_log_probs(*a, tokens)[chosen], (hidden, weight, bias))
        assert gradcheck(
            lambda *a: token_log_probs(*a, tokens)[chosen][0].sum(), (hidden, weight, bias)
        )

    def test_mixed_precision(self):
        weight = torch.randn(600, 16, generator=seeded(4)).requires_grad_()
        hidden = torch.randn(30, 16, generator=seeded(5)).requires_grad_()
        inputs = (hidden, weight, torch.zeros(600, requires_grad=True))
        tokens = torch.randint(600, (30,), generator=seeded(6))
        exact = token_log_probs(*inputs, tokens)
        with torch.autocast("cpu", torch.bfloat16):
            half = token_log_probs(*inputs, tokens)
        assert half[0].dtype == torch.float32
        for mine, other in zip(half, exact, strict=True):
            assert 0 < (mine - other).abs().max() < 0.1
        for loss in (lambda scores: scores[0].mean(), lambda scores: (scores[0] * scores[1]).sum()):
            of_half, of_exact = (
                torch.autograd.grad(loss(scores), inputs, retain_graph=True)
                for scores in (half, exact)
            )
            for mine, other in zip(of_half, of_exact, strict=True):
                assert (mine - other).norm() < 0.05 * other.norm()

    def test_no_logits_of_a_whole_batch_are_made(self, small_chunks):
        generator, batch = make_generator(), batch_of(7, 9, 600)
        largest = []

        class Watch(torch.utils._python_dispatch.TorchDispatchMode):
            def __torch_dispatch__(self, func, types, args=(), kwargs=None):
                out = func(*args, **(kwargs or {}))
                if isinstance(out, torch.Tensor):
                    largest.append(out.numel())
                return out

        with Watch():
            nll_loss(generator(batch).log_prob, batch.mask).backward()
        assert max(largest) <= max(2 * 5 * 600, 600 * 16)  # a chunk, or the weights


class TestCnn:
    @pytest.mark.parametrize("ragged", [False, True])
    @pytest.mark.parametrize("length", [4, 20])
    def test_logits_and_gradients_equal_conv1d_over_the_padding(self, length, ragged):
        judge, batch = make_judge(), batch_of(11, length, 60, ragged=ragged)
        ours, theirs = judge(batch), plain.cnn_logits(judge, batch)
        assert torch.allclose(ours, theirs, atol=1e-6)
        labels = torch.arange(11) % 2.0
        loss = functional.binary_cross_entropy_with_logits
        mine, other = (gradients(judge, loss(logits, labels)) for logits in (ours, theirs))
        for a, b in zip(mine, other, strict=True):
            assert torch.allclose(a, b, atol=1e-6)

    @pytest.mark.parametrize("width", [1, 3, 6, 9])
    def test_first_and_second_derivatives_by_finite_differences(self, width):
        lengths = torch.tensor([6, 2])
        inside = torch.arange(6)[None] < lengths[:, None]
        embeddings = torch.randn(2, 6, 2, dtype=torch.double, generator=seeded(0))
        embeddings = (embeddings * inside[..., None]).requires_grad_()
        weight = torch.randn(3, 2, width, dtype=torch.double, generator=seeded(1)).requires_grad_()
        inputs = (embeddings, weight)
        assert gradcheck(lambda e, w: window_max(e, lengths, w), inputs)
        assert gradgradcheck(lambda e, w: window_max(e, lengths, w), inputs)

    @pytest.mark.parametrize("ragged", [False, True])
    def test_scores_from_tables(self, monkeypatch, ragged):
        monkeypatch.setattr(windows, "_ROWS", 16)
        monkeypatch.setattr(windows, "_TABLE", 61 * 12 * 2)  # two filters at a time
        judge, batch = make_judge().eval(), batch_of(50, 20, 60, ragged=ragged)
        assert Windows(batch, judge.embedding.weight).pay
        with torch.no_grad():
            expected = plain.cnn_logits(judge, batch)
        assert torch.allclose(judge.log_odds(batch, 7), expected, atol=1e-6)
        few = batch.select(slice(0, 2))  # more distinct tokens than tables pay for
        assert not Windows(few, judge.embedding.weight).pay
        assert torch.allclose(judge.log_odds(few, 7), expected[:2], atol=1e-6)

    def test_scores_in_blocks(self, monkeypatch):
        from seqgan.models.discriminators import cnn as module

        judge, batch = make_judge().eval(), batch_of(50, 20, 60)
        whole = judge.log_odds(batch, 512)
        monkeypatch.setattr(module, "_BLOCK", 18 * 20)
        assert torch.allclose(judge.log_odds(batch, 512), whole, atol=1e-6)


def test_an_unknown_precision_of_the_scores():
    with pytest.raises(ValueError, match="precision must be one of fp32, bf16"):
        DiscriminatorReward(make_judge(), precision="fp8")


class Counting(torch.nn.Module):
    """A discriminator that counts what it is shown."""

    seen = 0

    def forward(self, sequences):
        self.seen += len(sequences)
        return (sequences.tokens * sequences.mask).sum(1).float()


def test_equal_sequences_are_judged_once():
    rows = [[1, 2], [3], [1, 2], [1, 2], [3, 0]]
    batch = Sequences.from_lists(rows, pad_id=0)
    judge = Counting()
    assert DiscriminatorReward(judge, "log_odds")(batch).tolist() == [3.0, 3.0, 3.0, 3.0, 3.0]
    assert judge.seen == 3
    few = batch.select(slice(0, 2))
    assert distinct_sequences(few) == (few, None)
    labelled = Sequences(batch.tokens, batch.lengths, condition=torch.arange(5))
    assert distinct_sequences(labelled) == (labelled, None)


def test_short_completions_cost_few_judgements():
    generator = lstm(5, 6, 0, 1, 0, 4, 4, forbidden=(0,))
    with torch.no_grad():
        generator.head.bias[1] = 1.0  # ends soon
    batch = generate(generator, 16, rng=seeded(0))
    judge = Counting()
    action_values(generator, batch, DiscriminatorReward(judge), 16, rng=seeded(1))
    completions = int((batch.lengths - 1).sum()) * 16
    assert completions > 200 and judge.seen < completions / 2
