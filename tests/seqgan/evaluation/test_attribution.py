"""Shares of tokens in log-odds, in closed form; windows and attention of networks."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn.functional import gelu

from rollout import Sequences, generate
from seqgan.config import DISCRIMINATORS, GENERATORS
from seqgan.data.dataset import random_rows
from seqgan.evaluation import attribution
from seqgan.evaluation.attribution import baseline_of, integrated_gradients, judged, occlusion
from seqgan.models import Discriminator, Generator, make_discriminator, make_generator
from seqgan.models.discriminators.base import sequence_log_odds

from ...small import bilstm, cnn, ids, small


class Linear(Discriminator):
    """Log-odds 3 + sum of w e_t."""

    def __init__(self, per_token=False):
        super().__init__(small(next(iter(DISCRIMINATORS.values()))), ids(4))
        self.embedding = nn.Embedding(4, 2)
        self.per_token = per_token
        with torch.no_grad():
            self.embedding.weight[:] = torch.tensor(
                [[0.0, 0.0], [1.0, 2.0], [3.0, -1.0], [5.0, 1.0]]
            )

    def forward_embedded(self, embeddings, lengths, condition=None):
        values = embeddings @ torch.tensor([2.0, -1.0])
        if self.per_token:
            return values
        inside = torch.arange(values.shape[1])[None, :] < lengths[:, None]
        return 3 + values.masked_fill(~inside, 0.0).sum(1)


OF_TOKENS = [name for name, kind in DISCRIMINATORS.items() if not kind.reads_text]
BATCH = Sequences(torch.tensor([[1, 2, 3], [2, 1, 0]]), torch.tensor([3, 2]))
BASELINE = torch.tensor([1.0, 0.0])
EXACT = torch.tensor([[-2.0, 5.0, 7.0], [5.0, -2.0, 0.0]])  # 2 x - y, minus the baseline's 2


@pytest.mark.parametrize("per_token", [False, True])
@pytest.mark.parametrize("method", [occlusion, integrated_gradients])
def test_a_linear_discriminator_in_closed_form(method, per_token):
    found = method(Linear(per_token), BATCH, BASELINE)
    assert torch.allclose(found, EXACT, atol=1e-5)


def test_the_baseline_is_the_mean_embedding_of_the_tokens():
    # Tokens 1, 2, 3, 2, 1: (1 + 3 + 5 + 3 + 1) / 5 and (2 - 1 + 1 - 1 + 2) / 5
    assert baseline_of(Linear(), BATCH).tolist() == pytest.approx([13 / 5, 3 / 5])


def test_all_explanations_of_a_run_have_one_baseline(monkeypatch):
    monkeypatch.setattr(attribution, "SOME", 1)
    data = SimpleNamespace(train=BATCH)
    row = BATCH.select(random_rows(data, "train")[:1])
    found = attribution.training_baseline(Linear(), data)
    assert found.tolist() == pytest.approx(baseline_of(Linear(), row).tolist())
    assert found.tolist() != pytest.approx(baseline_of(Linear(), BATCH).tolist())


@pytest.mark.parametrize("name", OF_TOKENS)
def test_integrated_gradients_sum_to_the_difference(name):
    torch.manual_seed(0)
    model = make_discriminator(small(DISCRIMINATORS[name]), ids(9), seed=1).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.5)
    batch = Sequences(torch.randint(9, (3, 6)), torch.tensor([6, 4, 1]))
    baseline = baseline_of(model, batch)
    found = integrated_gradients(model, batch, baseline, steps=150).sum(1)
    with torch.no_grad():
        embeddings = model.embedding(batch.tokens)
        whole = judged(model, embeddings, batch.lengths, None)
        empty = judged(model, baseline.expand_as(embeddings), batch.lengths, None)
    assert (whole - empty).abs().max() > 0.01
    assert torch.allclose(
        found, whole - empty, atol=0.01 * float((whole - empty).abs().max()) + 1e-4
    )


@pytest.mark.parametrize("name", OF_TOKENS)
def test_occlusion_is_the_difference_of_two_judgements(name):
    torch.manual_seed(0)
    model = make_discriminator(small(DISCRIMINATORS[name]), ids(9), seed=1).eval()
    batch = Sequences(torch.randint(9, (2, 5)), torch.tensor([5, 3]))
    whole = sequence_log_odds(model)
    # The baseline is the embedding of token 7: occluding is writing 7.
    found = occlusion(model, batch, model.embedding.weight[7].detach())
    for place in range(5):
        tokens = batch.tokens.clone()
        tokens[:, place] = 7
        other = Sequences(tokens, batch.lengths)
        expected = (whole(batch) - whole(other)).detach() * (place < batch.lengths)
        assert torch.allclose(found[:, place], expected, atol=1e-5)


def test_a_filter_finds_its_window():
    model = cnn(6, 6, [1, 2], [1, 1], dropout=0.0).eval()
    with torch.no_grad():
        model.embedding.weight[:] = torch.eye(6)
        for parameter in (*model.convolutions.parameters(), *model.highway.parameters()):
            parameter.zero_()
        model.gate.weight.zero_()
        model.gate.bias.fill_(-50.0)  # the highway carries its input through
        model.convolutions[0].weight[0, 4, 0] = 1.0  # one token: 4
        model.convolutions[1].weight[0, 2, 0] = model.convolutions[1].weight[0, 3, 1] = 2.0  # 2 3
        model.output.weight[:] = torch.tensor([[3.0, -1.0]])
    batch = Sequences(torch.tensor([[1, 4, 2, 3], [2, 3, 1, 1]]), torch.tensor([4, 4]))
    # Shares: weight of the output times response: 3 x 1 for token 4, -1 x 4 for the pair.
    first, second = model.windows(batch)
    assert [tuple(each) for each in first] == [(2, 2, -4.0), (1, 1, 3.0)]
    assert [tuple(each) for each in second] == [(0, 2, -4.0)]
    assert bilstm(6).windows(batch) == [[], []]


@pytest.mark.parametrize("name", GENERATORS)
def test_rows_of_attention_sum_to_one_and_look_back_only(name):
    policy = make_generator(small(GENERATORS[name]), ids(7, 5), seed=0).eval()
    batch = generate(policy, 3, rng=torch.Generator().manual_seed(0))
    weights = policy.attention_weights(batch)
    looks = type(policy).attention_weights is not Generator.attention_weights
    assert (weights is not None) == looks and (looks or name not in ("transformer", "pretrained"))
    if weights is not None:
        assert weights.shape[0] == 3 and weights.shape[3:] == (5, 5)
        assert torch.allclose(weights.sum(-1), torch.ones(()), atol=1e-5)
        assert (weights.triu(1) == 0).all()


SOURCED = ids(7, 5)._replace(source_vocab=4, source_length=3)
SOURCES = {"source": torch.tensor([[1, 2, 3], [2, 1, 0]]), "source_length": torch.tensor([3, 2])}


@pytest.mark.parametrize("name", ["lstm", "gru", "transformer"])
def test_attention_to_a_source_is_that_which_answers_it(name):
    policy = make_generator(small(GENERATORS[name]), SOURCED, seed=0).eval()
    rng = torch.Generator().manual_seed(0)
    batch = generate(policy, 2, rng=rng, condition=SOURCES)
    weights = policy.source_weights(batch)
    assert weights.shape[0] == 2 and weights.shape[3:] == (batch.tokens.shape[1], 3)
    assert torch.allclose(weights.sum(-1), torch.ones(()), atol=1e-5)
    assert (weights[1, ..., 2] == 0).all() and (weights[0] > 0).all()
    bare = make_generator(small(GENERATORS[name]), ids(7, 5), seed=0).eval()
    assert bare.source_weights(generate(bare, 2, rng=rng)) is None


def test_the_weights_of_a_block_mix_what_the_encoder_found():
    from seqgan.models.attention import Block, turn_at

    torch.manual_seed(0)
    block = Block(8, 2, 0.0, across=True).eval()
    inputs, turn = torch.randn(1, 4, 8), turn_at(torch.arange(4), 4, torch.zeros(1))
    memory, mask = block.memory(torch.randn(1, 3, 8)), torch.tensor([[True, True, False]])
    weights = block.source_weights(inputs, turn, memory, mask)
    value = memory.unflatten(-1, (2, 2, -1))[:, :, 1].transpose(1, 2)
    own = block.weights(inputs, turn, None) @ block._projected(inputs, turn)[2].transpose(1, 2)
    middle = inputs + block.mixed(own.transpose(1, 2).flatten(-2))
    middle = middle + block.found((weights @ value).transpose(1, 2).flatten(-2))
    expected = middle + block.output(gelu(block.hidden(block.hidden_norm(middle))))
    assert torch.allclose(block(inputs, turn, None, (memory, mask))[0], expected, atol=1e-6)


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_a_discriminator_looks_at_no_padding(name):
    model = make_discriminator(small(DISCRIMINATORS[name]), ids(7, 5), seed=0).eval()
    batch = Sequences(torch.tensor([[1, 2, 3, 4], [5, 6, 0, 0]]), torch.tensor([4, 2]))
    weights = model.attention_weights(batch)
    assert (weights is not None) == (name == "transformer")
    if weights is not None:
        assert torch.allclose(weights.sum(-1), torch.ones(()), atol=1e-5)
        assert (weights[1, :, :, :, 2:] == 0).all() and (weights[0] > 0).all()


def test_attention_weights_are_those_that_mix_the_values():
    from seqgan.models.attention import Block, turn_at

    torch.manual_seed(0)
    block = Block(8, 2, 0.0).eval()
    inputs, turn = torch.randn(1, 4, 8), turn_at(torch.arange(4), 4, torch.zeros(1))
    weights = block.weights(inputs, turn, None)
    value = block._projected(inputs, turn)[2].transpose(1, 2)
    expected = block._finished(inputs, (weights @ value).transpose(1, 2))
    assert torch.allclose(block(inputs, turn, None)[0], expected, atol=1e-6)
