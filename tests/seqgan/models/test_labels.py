"""Labels reach every model that reads them: step by step, in rollouts, and from the disk."""

from __future__ import annotations

import pytest
import torch

from rollout import ConditionError, Sequences, action_values, beam_search, generate
from rollout.policy import Policy
from seqgan.config import DISCRIMINATORS, GENERATORS
from seqgan.config.components import named
from seqgan.data.spec import TokenSpec
from seqgan.models import load_model, make_discriminator, make_generator, save_model
from seqgan.models.gan_losses import gradient_penalty

from ...small import small

SPEC = TokenSpec(12, 1, 2, 0, 7, (0, 1), labels=3)
TINY = TokenSpec(4, 3, 0, 0, 3, (3,), labels=2)
READING = [name for name, each in GENERATORS.items() if "label" in named(each.builds).reads]
JUDGES = [name for name, each in DISCRIMINATORS.items() if "label" in named(each.builds).reads]
KINDS = {name: named(DISCRIMINATORS[name].builds) for name in JUDGES}
WHOLE = [name for name, kind in KINDS.items() if not kind.per_token and not kind.reads_text]
LABELS = torch.tensor([0, 1, 2, 2, 1, 0, 0, 1, 2])


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def judge(name: str):
    return make_discriminator(small(DISCRIMINATORS[name]), SPEC, seed=0).eval()


def make(name: str, spec: TokenSpec = SPEC):
    policy = make_generator(small(GENERATORS[name]), spec, seed=0).eval()
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.mul_(2.5)
    return policy


def test_some_read_labels():
    assert {"lstm", "gru"} <= set(READING) and {"bilstm", "cnn", "mlp"} <= set(JUDGES)


@pytest.mark.parametrize("name", READING)
def test_what_is_fast_equals_single_steps(name):
    policy = make(name)
    batch = generate(policy, 9, rng=seeded(0), condition={"label": LABELS})
    fast, plain = policy(batch), Policy.forward(policy, batch)
    assert torch.allclose(fast.log_prob, plain.log_prob, atol=1e-5)
    rows, positions = torch.tensor([3, 0, 3, 8]), torch.tensor([0, 1, 2, 0])
    last = batch.tokens[rows, positions]
    ours, theirs = (
        policy.step(last, kind.branch(policy, kind.prefix_states(policy, batch), rows, positions))[
            0
        ]
        for kind in (type(policy), Policy)
    )
    assert torch.allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("name", READING)
def test_each_label_has_its_own_distribution(name):
    """The same uniforms, another label: other sequences; and their likelihoods belong to it."""
    policy = make(name, TINY)
    drawn = {}
    for label in (0, 1):
        labels = torch.full((20_000,), label)
        drawn[label] = generate(policy, 20_000, rng=seeded(1), condition={"label": labels})
        rows = torch.unique(drawn[label].tokens, dim=0)
        shares = (drawn[label].tokens[:, None] == rows[None]).all(2).float().mean(0)
        found = [row[: row.index(0) + 1] if 0 in row else row for row in rows.tolist()]
        every = Sequences.from_lists(found, pad_id=0)
        asked = Sequences(every.tokens, every.lengths, None, {"label": labels[: len(rows)]})
        exact = policy(asked).log_prob.sum(1).exp()
        assert (shares - exact).abs().max() < 5 * 0.5 / 20_000**0.5
    assert (drawn[0].tokens != drawn[1].tokens).any(1).float().mean() > 0.1


@pytest.mark.parametrize("name", READING)
def test_chunks_beams_and_rollouts_carry_the_label(name):
    policy = make(name)
    condition = {"label": LABELS}
    whole = generate(policy, 9, rng=seeded(0), condition=condition)
    cut = generate(policy, 9, rng=seeded(0), condition=condition, chunk_size=2)
    assert torch.equal(whole.tokens, cut.tokens)

    def reward(sequences: Sequences) -> torch.Tensor:
        return sequences.condition["label"].float()

    values = action_values(policy, whole, reward, 2, rng=seeded(1))
    assert torch.equal(values, torch.where(whole.mask, LABELS[:, None].float(), 0.0))
    together = beam_search(policy, 3, questions=3, condition={"label": torch.arange(3)})
    for label in range(3):
        alone = beam_search(policy, 3, condition={"label": torch.tensor([label])})
        mine = together.sequences.select(slice(3 * label, 3 * label + 3))
        assert mine.to_lists() == alone.sequences.to_lists()


@pytest.mark.parametrize("name", READING)
def test_a_missing_label_is_an_error(name):
    policy = make(name)
    with pytest.raises(ConditionError, match="reads the part 'label' of a condition, and none"):
        generate(policy, 2)
    assert policy.conditional and not make(name, SPEC._replace(labels=0)).conditional
    assert policy.row_bytes > make(name, SPEC._replace(labels=0)).row_bytes


@pytest.mark.parametrize("name", READING)
def test_without_labels_the_network_is_what_it_was(name):
    with_none, plain = make(name, SPEC._replace(labels=0)), make(name, TokenSpec(*SPEC[:6]))
    ours, theirs = with_none.state_dict(), plain.state_dict()
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)
    assert not any("labels" in key for key in ours)


@pytest.mark.parametrize("name", [*READING, *JUDGES])
def test_it_comes_back_from_disk(name, tmp_path):
    model = make(name) if name in READING else judge(name)
    save_model(model, tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert again.spec == SPEC
    ours, theirs = model.state_dict(), again.state_dict()
    assert "labels.weight" in ours and all(torch.equal(ours[k], theirs[k]) for k in ours)


@pytest.mark.parametrize("name", JUDGES)
def test_a_discriminator_sees_the_label(name):
    ours = judge(name)
    batch = Sequences.from_lists([[3, 4, 5], [3, 4, 5], [3, 4, 5]], pad_id=0)
    asked = Sequences(batch.tokens, batch.lengths, None, {"label": torch.tensor([0, 1, 1])})
    scores = ours(asked)
    assert torch.allclose(scores[1], scores[2], atol=1e-6)
    assert (scores[0] - scores[1]).abs().max() > 1e-4
    assert torch.allclose(ours.log_odds(asked, batch_size=2), scores, atol=1e-5)
    with pytest.raises(ConditionError):
        ours(batch)


@pytest.mark.parametrize("name", WHOLE)
def test_the_gradient_penalty_is_taken_under_the_label(name):
    ours = judge(name)
    batch = Sequences.from_lists([[3, 4, 5], [5, 3, 4], [4, 4, 3]], pad_id=0)
    embedded, shares = ours.embedding(batch.tokens), torch.tensor([0.2, 0.5, 0.9])
    found = [
        gradient_penalty(
            ours, embedded, batch.lengths, embedded.flip(0), batch.lengths, shares,
            condition={"label": torch.full((3,), label)},
        )
        for label in (0, 1)
    ]  # fmt: skip
    assert found[0].isfinite() and found[1].isfinite() and found[0] != found[1]
