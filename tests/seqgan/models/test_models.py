"""Generators and discriminators: exactness, padding, saving."""

from __future__ import annotations

import json
import math

import pytest
import torch

from rollout import Sequences, action_values, generate
from rollout.policy import Policy
from seqgan.config import DISCRIMINATORS, GENERATORS
from seqgan.config.components import build
from seqgan.config.discriminators.mlp import MLP
from seqgan.config.generators.gru import GRU
from seqgan.errors import CheckpointError
from seqgan.models import Generator, load_model, save_model
from seqgan.models.build import shapes_alone

from ...small import bilstm, cnn, ids, lstm, small


def make_policy(layers=1, eos=2, forbidden=(0, 1)) -> Generator:
    torch.manual_seed(0)
    return lstm(
        vocab_size=12, max_length=7, bos_id=1, eos_id=eos, pad_id=0, embedding=6, hidden=8,
        layers=layers, dropout=0.3, forbidden=forbidden, initial_scale=0.7,
    ).eval()  # fmt: skip


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("layers", [1, 2])
def test_fast_paths_equal_the_defaults_of_the_contract(layers):
    policy = make_policy(layers)
    batch = generate(policy, 9, rng=seeded(0))
    fast, plain = policy(batch), Policy.forward(policy, batch)
    assert torch.allclose(fast.log_prob, plain.log_prob, atol=1e-5)
    assert torch.allclose(fast.entropy, plain.entropy, atol=1e-5)
    assert torch.allclose(policy.logits(batch), Policy.logits(policy, batch), atol=1e-5)
    rows, positions = torch.tensor([3, 0, 3]), torch.tensor([0, 1, 2])
    ours = policy.branch(policy.prefix_states(batch), rows, positions)
    theirs = policy.branch(Policy.prefix_states(policy, batch), rows, positions)
    for a, b in zip(ours, theirs, strict=True):
        assert torch.allclose(a[0], b[0], atol=1e-6) and torch.allclose(a[1], b[1], atol=1e-6)


def test_forbidden_tokens_are_never_emitted():
    policy = make_policy()
    tokens = generate(policy, 300, rng=seeded(0))
    emitted = tokens.tokens[tokens.mask]
    assert not ((emitted == 0) | (emitted == 1)).any()
    free = generate(make_policy(forbidden=()), 300, rng=seeded(0))
    assert ((free.tokens == 1) & free.mask).any()


def test_gradients_are_finite_with_forbidden_tokens():
    policy = make_policy().train()
    batch = generate(policy, 9, rng=seeded(0))
    scores = policy(batch)
    (scores.log_prob.sum() + scores.entropy.sum()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in policy.parameters())


def test_tempered_generator_shares_what_it_can_and_agrees():
    policy = make_policy()
    cold = policy.tempered(0.5)
    assert cold.embedding is policy.embedding and cold.head is not policy.head
    batch = generate(cold, 9, rng=seeded(0))
    plain = Policy.tempered(policy, 0.5)
    assert torch.allclose(cold(batch).log_prob, plain(batch).log_prob, atol=1e-5)
    assert policy.head.weight.requires_grad


def test_action_values_on_a_network_agree_between_chunk_sizes():
    policy = make_policy()
    batch = generate(policy, 6, rng=seeded(0))

    def reward(sequences):
        return (sequences.tokens * sequences.mask).sum(1).float()

    a, b = (
        action_values(policy, batch, reward, 4, rng=seeded(1), chunk_size=size)
        for size in (3, 1000)
    )
    assert (a - b).abs().max() < 1e-4


@pytest.mark.parametrize("kind", ["cnn", "bilstm"])
class TestDiscriminators:
    def make(self, kind):
        torch.manual_seed(0)
        if kind == "cnn":
            return cnn(12, 5, (1, 3, 6), (4, 4, 4)).eval()
        return bilstm(12, 5, 7).eval()

    def test_padding_never_changes_a_score(self, kind):
        judge = self.make(kind)
        rows = [[3, 4, 5], [6], [7, 8, 9, 10, 11, 3, 4]]
        batch = Sequences.from_lists(rows, pad_id=0)
        alone = torch.cat([judge(Sequences.from_lists([row], pad_id=0)) for row in rows])
        wide = Sequences.from_lists(rows, pad_id=5, width=15)
        assert torch.allclose(judge(batch), alone, atol=1e-5)
        assert torch.allclose(judge(wide), alone, atol=1e-5)

    def test_order_and_length_matter(self, kind):
        judge = self.make(kind)
        batch = Sequences.from_lists([[3, 4, 5], [5, 4, 3], [3, 4]], pad_id=0)
        assert len(set(judge(batch).tolist())) == 3

    def test_forward_embedded_is_forward_after_the_embedding(self, kind):
        judge = self.make(kind)
        batch = Sequences.from_lists([[3, 4, 5], [6]], pad_id=0)
        embedded = judge.embedding(batch.tokens).detach().requires_grad_()
        logits = judge.forward_embedded(embedded, batch.lengths)
        assert torch.allclose(logits, judge(batch))
        gradient = torch.autograd.grad(logits.sum(), embedded)[0]
        assert gradient[0].abs().sum() > 0 and gradient[1, 1:].abs().sum() == 0

    def test_it_learns_a_plain_difference(self, kind):
        judge = self.make(kind).train()
        optimizer = torch.optim.Adam(judge.parameters(), 0.02)
        rng = seeded(0)
        for _ in range(60):
            tokens = torch.randint(3, 12, (32, 6), generator=rng)
            tokens[:16, 2] = 3
            tokens[16:][tokens[16:] == 3] = 4
            batch = Sequences(tokens, torch.full((32,), 6))
            labels = torch.cat([torch.ones(16), torch.zeros(16)])
            loss = torch.nn.functional.binary_cross_entropy_with_logits(judge(batch), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        assert ((judge.eval()(batch) > 0) == (labels > 0)).float().mean() > 0.9

    def test_saving_gives_the_same_model_back(self, kind, tmp_path):
        judge = self.make(kind)
        save_model(judge, tmp_path / "judge")
        again = load_model(tmp_path / "judge")
        batch = Sequences.from_lists([[3, 4, 5], [6]], pad_id=0)
        assert torch.equal(judge(batch), again(batch)) and not again.training


def test_the_papers_cnn_has_its_1720_filters():
    judge = cnn(50)
    assert judge.widths == (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20)
    assert judge.output.in_features == 1720
    with pytest.raises(ValueError, match="2 widths but 1"):
        cnn(50, widths=(1, 2), filters=(3,))


def test_a_generator_comes_back_from_disk(tmp_path):
    policy = make_policy(layers=2)
    save_model(policy, tmp_path / "generator")
    again = load_model(tmp_path / "generator")
    batch = generate(policy, 5, rng=seeded(0))
    assert torch.equal(batch.tokens, generate(again, 5, rng=seeded(0)).tokens)
    assert torch.equal(policy(batch).log_prob, again(batch).log_prob)


def test_damaged_models_are_named(tmp_path):
    path = tmp_path / "generator"
    with pytest.raises(CheckpointError, match=r"generator\.json: no such file"):
        load_model(path)
    save_model(make_policy(), path)
    weights = path.with_suffix(".safetensors")
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_model(path)
    weights.write_bytes(whole)
    description = json.loads(path.with_suffix(".json").read_text())
    for change, message in [
        ({"settings": {"architecture": "lsmt"}}, "'lsmt' is none of lstm.*did you mean 'lstm'"),
        ({"format": 99}, r"generator\.json: not a model of format 2$"),
        ({"format": 1}, r"generator\.json: not a model of format 2; version 0\.1 reads it$"),
        ({"kind": "generater"}, "does not fit"),
        ({"settings": {**description["settings"], "hidden": 9}}, "does not fit"),
        ({"settings": {"size": 3}}, "unknown setting 'generator.size'"),
        ({"spec": {**description["spec"], "vocab_size": 13}}, "does not fit"),
        ({"spec": {**description["spec"], "bos_id": 12}}, "does not fit"),
        ({"spec": {}}, "does not fit"),
    ]:
        path.with_suffix(".json").write_text(json.dumps({**description, **change}))
        with pytest.raises(CheckpointError, match=message):
            load_model(path)


def test_the_mlp_sees_no_order():
    torch.manual_seed(0)
    judge = build(MLP(embedding=4, hidden=5), ids(12)).eval()
    a, b, c = judge(Sequences.from_lists([[3, 4, 5], [5, 3, 4], [3, 4]], pad_id=0)).tolist()
    assert a == pytest.approx(b, abs=1e-6) and a != pytest.approx(c, abs=1e-4)


def test_the_mlp_by_hand():
    """Two tokens with embeddings 1 and -2: mean -0.5, maximum 1, so relu(-0.5 + 3) * 2 - 1 = 4."""
    judge = build(MLP(embedding=1, hidden=1), ids(2)).eval()
    with torch.no_grad():
        judge.embedding.weight.copy_(torch.tensor([[1.0], [-2.0]]))
        judge.hidden[0].weight.copy_(torch.tensor([[1.0, 3.0]]))
        judge.hidden[0].bias.zero_()
        judge.output.weight.fill_(2.0)
        judge.output.bias.fill_(-1.0)
    assert judge(Sequences.from_lists([[0, 1]], pad_id=0)).item() == pytest.approx(4.0)


def test_the_gru_by_hand():
    """One unit, zero weights and biases: the gates are 1/2 and the state stays 0.

    With the new state's bias at 1 it is tanh(1) / 2 after one token, and
    tanh(1) / 2 + tanh(1) / 4 after two.
    """
    policy = build(GRU(embedding=1, hidden=1, dropout=0.0), ids(3))
    with torch.no_grad():
        for parameter in policy.gru.parameters():
            parameter.zero_()
        policy.gru.bias_ih_l0[2] = 1.0
    one, state = policy.advance(torch.tensor([0]), policy.initial_state(1))
    two, _ = policy.advance(torch.tensor([2]), state)
    assert one.item() == pytest.approx(math.tanh(1) / 2)
    assert two.item() == pytest.approx(math.tanh(1) * 3 / 4)


@pytest.mark.parametrize(
    ("kind", "name"),
    [("generator", n) for n in ("lstm", "transformer")]
    + [("discriminator", n) for n in ("cnn", "bilstm")],
)
def test_shapes_alone_are_made_without_a_random_number(kind, name, monkeypatch):
    settings = small({"generator": GENERATORS, "discriminator": DISCRIMINATORS}[kind][name])
    wanted = {key: each.shape for key, each in build(settings, ids(30)).state_dict().items()}

    def drawn(*_, **__):
        raise AssertionError("a number was drawn, and torch's compiler imported for it")

    monkeypatch.setattr(torch.nn.init, "_no_grad_normal_", drawn)
    monkeypatch.setattr(torch.nn.init, "_no_grad_uniform_", drawn)
    with shapes_alone():
        model = build(settings, ids(30))
    assert {key: each.shape for key, each in model.state_dict().items()} == wanted
    assert all(each.device.type == "meta" for each in model.parameters())
