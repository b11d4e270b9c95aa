"""Rules of cuDNN for recurrent models, shown without a GPU: see `recurrent_kernel`."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from rollout import LaggedPolicy, Policy, generate, without_dropout
from rollout.modules import frozen_copy, own_copy
from seqgan.config import LSTM, BiLSTM, CriticConfig, GrammarCorpus, PretrainConfig
from seqgan.data.sources import load_data
from seqgan.models import Generator, make_discriminator, make_generator
from seqgan.training import policy_gradient
from seqgan.training.critic_pretraining import CriticPretraining
from seqgan.training.pretrain import Pretraining
from seqgan.training.runtime import Runtime, make_accelerator

from ...recurrent_kernel import APART, EVALUATION, SECOND, use_double
from ...small import bilstm
from ..rounds import Work, control_of, work_of
from ..settings import changed, run_settings

ROUNDS = run_settings(
    batch_size=6, rollouts=2, critic_steps=1, rollout_update_rate=0.5, kl_weight=0.1,
    entropy_weight=0.1, critic=CriticConfig(batch_size=6),
)  # fmt: skip


@pytest.fixture
def calls(monkeypatch):
    return use_double(monkeypatch)


@pytest.fixture(scope="module")
def data():
    corpus = GrammarCorpus(num_train=40, num_validation=10, num_heldout=20, num_test=4)
    return load_data("grammar", corpus, seed=1)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class GruPolicy(nn.Module, Policy):
    """A policy of a user's own, with dropout in each place that a module may have it."""

    def __init__(self, spec):
        super().__init__()
        self.vocab_size, self.max_length = spec.vocab_size, spec.max_length
        self.bos_id, self.eos_id, self.pad_id = spec.bos_id, spec.eos_id, spec.pad_id
        self.embedding = nn.Embedding(spec.vocab_size, 6)
        self.gru = nn.GRU(6, 8, 2, dropout=0.5)
        self.drop = nn.Dropout(0.5)
        self.output = nn.Linear(8, spec.vocab_size)

    def initial_state(self, batch_size, condition=None):
        return torch.zeros(batch_size, 2, 8)

    def step(self, tokens, state):
        out, state = self.gru(self.embedding(tokens)[None], state.transpose(0, 1).contiguous())
        out = nn.functional.dropout(self.drop(out[0]), 0.5, self.training)
        return self.output(out), state.transpose(0, 1)


def training_of(generator, data, **changes) -> Work:
    runtime = Runtime(make_accelerator("cpu"), seed=3)
    judge = make_discriminator(BiLSTM(embedding=6, hidden=6), data.spec, 0)
    return work_of(generator, judge, data, changed(ROUNDS, **changes), runtime)


pytestmark = pytest.mark.filterwarnings(f"error:{APART}")


class TestTheDouble:
    @pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
    def test_it_refuses_gradients_in_evaluation_mode(self, calls, kind):
        layer, inputs = kind(2, 3), torch.randn(4, 1, 2)
        layer(inputs)[0].sum().backward()
        layer.eval()
        with torch.no_grad():
            layer(inputs)
        with pytest.raises(RuntimeError, match=EVALUATION):
            layer(inputs)[0].sum().backward()
        packed = nn.utils.rnn.pack_sequence([torch.randn(2, 2), torch.randn(1, 2)])
        with pytest.raises(RuntimeError, match=EVALUATION):
            layer(packed)[0].data.sum().backward()
        with torch.backends.cudnn.flags(enabled=False):
            layer(inputs)[0].sum().backward()
        assert calls == [(True, 0.0)] + 3 * [(False, 0.0)]

    def test_it_warns_of_weights_that_lie_apart(self, calls):
        layer, inputs = nn.LSTM(2, 3), torch.randn(4, 1, 2)
        layer.load_state_dict(nn.LSTM(2, 3).state_dict())
        layer(inputs)
        with pytest.raises(UserWarning, match=APART):
            copy.deepcopy(layer)(inputs)
        own_copy(layer)(inputs)

    def test_it_has_no_second_derivative(self, calls):
        inputs = torch.randn(4, 1, 2, requires_grad=True)
        out = nn.LSTM(2, 3)(inputs)[0].sum()
        with pytest.raises(RuntimeError, match=SECOND):
            torch.autograd.grad(out, inputs, create_graph=True)


class TestWithoutDropout:
    def test_outputs_of_evaluation_mode_with_gradients(self, calls, data):
        policy = GruPolicy(data.spec)
        batch = data.train.select(slice(0, 5))
        with torch.no_grad():
            expected = policy.eval()(batch).log_prob
        policy.train().drop.eval()  # a part that is frozen stays so
        with without_dropout(policy):
            scores = policy(batch)
        assert torch.equal(scores.log_prob, expected)
        scores.log_prob.sum().backward()
        assert policy.gru.weight_hh_l1.grad.abs().max() > 0
        assert policy.training and policy.gru.training and not policy.drop.training
        assert policy.gru.dropout == 0.5

    def test_everything_comes_back_after_an_error(self, data):
        policy = GruPolicy(data.spec).eval()
        with pytest.raises(ZeroDivisionError), without_dropout(policy.tempered(0.5)):
            assert policy.gru.training and policy.gru.dropout == 0 and not policy.drop.training
            raise ZeroDivisionError
        assert not policy.gru.training and policy.gru.dropout == 0.5


@pytest.mark.parametrize("layers", [1, 2])
class TestTrainings:
    def make(self, data, layers) -> Generator:
        config = LSTM(embedding=6, hidden=8, layers=layers, dropout=0.5)
        return make_generator(config, data.spec, 0)

    def test_mle_and_the_discriminator(self, calls, data, layers):
        generator = self.make(data, layers)
        runtime = Runtime(make_accelerator("cpu"), seed=3)
        mle = PretrainConfig(batch_size=16)
        Pretraining(generator, data.train, data.validation, mle, runtime).epoch()
        assert (True, 0.5 if layers > 1 else 0.0) in calls  # dropout between layers
        critic = training_of(generator, data).critic
        del calls[:]
        critic.train_until(2, CriticPretraining(critic).negatives)
        assert calls.count((True, 0.0)) == 4  # two directions, two steps

    @pytest.mark.parametrize("loss", ["reinforce", "clipped"])
    def test_the_policy_gradient(self, calls, data, layers, loss, monkeypatch):
        work = training_of(self.make(data, layers), data, loss=loss, updates=2)
        seen = []
        original = policy_gradient.policy_loss

        def spy(scores, batch, config):
            seen.append((scores.log_prob.detach(), batch.old.log_prob, batch.mine))
            return original(scores, batch, config)

        monkeypatch.setattr(policy_gradient, "policy_loss", spy)
        before = [parameter.detach().clone() for parameter in work.generator.parameters()]
        sampled_by = own_copy(work.generator)
        work.round()
        pretrained = own_copy(work.reference).requires_grad_(True)
        control_of(pretrained, work).steps(1)
        now, old, batch = seen[0]
        # No dropout: the probabilities that the tokens had when they were sampled.
        assert torch.allclose(now, old, atol=1e-6)
        with torch.no_grad():
            by_steps = Policy.forward(sampled_by, batch).log_prob
        assert torch.allclose(now, by_steps, atol=1e-5)
        assert len(seen) == 2 * (2 if loss == "clipped" else 1)
        moved = [
            not torch.equal(a, b)
            for a, b in zip(before, work.generator.parameters(), strict=True)
        ]  # fmt: skip
        assert all(moved)
        assert not any(module.training for module in work.generator.modules())


def test_the_policy_gradient_of_a_policy_of_ones_own(calls, data):
    policy = GruPolicy(data.spec)
    work = training_of(policy, data)
    before = policy.gru.weight_hh_l1.detach().clone()
    work.round()
    assert not torch.equal(before, policy.gru.weight_hh_l1)
    assert {dropout for _, dropout in calls} == {0.0, 0.5}
    in_training = [dropout for training, dropout in calls if training]
    assert in_training and not any(in_training)


class TestModelsInEvaluationMode:
    def test_the_generator(self, calls, data):
        config = LSTM(embedding=6, hidden=8, layers=2, dropout=0.5)
        policy = make_generator(config, data.spec, 0).eval()
        batch = generate(policy, 5, rng=seeded(0))
        policy(batch).log_prob.sum().backward()
        assert policy.lstm.weight_hh_l1.grad.abs().max() > 0 and not policy.lstm.training

    def test_saliency_and_a_gradient_penalty(self, calls):
        torch.manual_seed(0)
        judge = bilstm(9, 4, 5, dropout=0.5).eval()
        lengths = torch.tensor([4, 2])
        embedded = torch.randn(2, 4, 4, requires_grad=True)
        logits = judge.forward_embedded(embedded, lengths)
        (saliency,) = torch.autograd.grad(logits.sum(), embedded)
        assert saliency[1, :2].abs().min() > 0 and not saliency[1, 2:].any()
        with torch.backends.cudnn.flags(enabled=False):
            again = judge.forward_embedded(embedded, lengths)
        (gradient,) = torch.autograd.grad(again.sum(), embedded, create_graph=True)
        assert torch.allclose(gradient, saliency, atol=1e-6)
        (gradient.flatten(1).norm(dim=1) - 1).square().mean().backward()
        assert judge.ahead.weight_hh_l0.grad.abs().max() > 0


class TestCopies:
    @pytest.mark.parametrize("copied", [own_copy, frozen_copy, lambda m: LaggedPolicy(m).policy])
    def test_their_weights_are_put_together(self, copied, data, monkeypatch):
        seen = []
        monkeypatch.setattr(nn.RNNBase, "flatten_parameters", lambda self: seen.append(self))
        policy = GruPolicy(data.spec).train()
        del seen[:]
        other = copied(policy)
        assert seen == [other.gru] and other.gru is not policy.gru
        assert torch.equal(other.gru.weight_hh_l1, policy.gru.weight_hh_l1)

    def test_a_frozen_one_has_no_dropout_and_no_gradients(self, data):
        policy = GruPolicy(data.spec).train()
        other = frozen_copy(policy)
        assert policy.training and not any(module.training for module in other.modules())
        assert not any(parameter.requires_grad for parameter in other.parameters())
        assert all(parameter.requires_grad for parameter in policy.parameters())
