"""Models that read source sequences: every one that names "source" among what it reads."""

from __future__ import annotations

import pytest
import torch
from torch.utils._pytree import tree_leaves

from rollout import ConditionError, Policy, Sequences, action_values, beam_search, generate
from rollout.sequences import select_tree
from seqgan.config import DISCRIMINATORS, GENERATORS
from seqgan.config.components import named
from seqgan.config.decoding import Decoding
from seqgan.data.prompts import Questions
from seqgan.data.spec import TokenSpec
from seqgan.models import load_model, make_discriminator, make_generator, save_model
from seqgan.models.cache import Shared
from seqgan.training.decoding import decode

from ...recurrent_kernel import use_double
from ...small import small

SPEC = TokenSpec(
    vocab_size=12, bos_id=1, eos_id=2, pad_id=0, max_length=7, forbidden=(0, 1),
    labels=2, source_vocab=9, source_length=6,
)  # fmt: skip
READING = [name for name, kind in GENERATORS.items() if "source" in named(kind.builds).reads]
JUDGES = [name for name, kind in DISCRIMINATORS.items() if "source" in named(kind.builds).reads]


def make(name: str, **settings):
    policy = make_generator(small(GENERATORS[name], **settings), SPEC, seed=0).eval()
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.mul_(2.5)
    return policy


def judge(name: str):
    return make_discriminator(small(DISCRIMINATORS[name]), SPEC, seed=0).eval()


def asked(rows: int, width: int = 6, seed: int = 0) -> dict[str, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    return {
        "label": torch.arange(rows) % 2,
        "source": torch.randint(3, 9, (rows, width), generator=rng),
        "source_length": torch.randint(1, width + 1, (rows,), generator=rng),
    }


def rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_some_read_sources():
    assert {"lstm", "gru", "transformer"} <= set(READING) and {*DISCRIMINATORS} == {*JUDGES}


@pytest.mark.parametrize("name", READING)
def test_what_is_fast_equals_single_steps(name):
    policy = make(name)
    batch = generate(policy, 9, rng=rng(0), condition=asked(9))
    fast, plain = policy(batch), Policy.forward(policy, batch)
    assert torch.allclose(fast.log_prob, plain.log_prob, atol=1e-5)
    rows, positions = torch.tensor([3, 0, 3, 8]), torch.tensor([0, 1, 2, 0])
    ours, theirs = (
        policy.step(
            batch.tokens[rows, positions],
            kind.branch(policy, kind.prefix_states(policy, batch), rows, positions),
        )[0]
        for kind in (type(policy), Policy)
    )
    assert torch.allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("name", READING)
def test_the_source_counts_and_its_padding_does_not(name):
    policy = make(name)
    condition = asked(6)
    batch = generate(policy, 6, rng=rng(0), condition=condition)
    before = policy(batch).log_prob
    after = torch.arange(9) >= condition["source_length"][:, None]
    wider = torch.cat([condition["source"], condition["source"][:, :3]], 1)
    padded = {**condition, "source": wider.masked_fill(after, 7)}
    other = Sequences(batch.tokens, batch.lengths, batch.terminated, padded)
    assert torch.allclose(policy(other).log_prob, before, atol=1e-5)
    alone = policy(batch.select(slice(2, 3))).log_prob
    assert torch.allclose(alone[0], before[2], atol=1e-5)
    turned = {**condition, **{k: condition[k].flip(0) for k in ("source", "source_length")}}
    changed = policy(Sequences(batch.tokens, batch.lengths, None, turned)).log_prob
    assert (changed - before).abs().max() > 1e-3


@pytest.mark.parametrize("name", READING)
def test_rollouts_share_what_was_encoded(name):
    policy = make(name)
    batch = generate(policy, 6, rng=rng(0), condition=asked(6))
    state = policy.prefix_states(batch)
    branched = policy.branch(state, torch.tensor([0, 4]), torch.tensor([0, 0]))
    many = policy.select(branched, torch.arange(2).repeat_interleave(40))
    joined = policy.concat([many, branched])
    (memory,) = (part for part in joined if isinstance(part, Shared))
    assert len(memory.rows) == 82 and len(memory.pool[0]) == 6
    (own,) = (part for part in policy.initial_state(6, asked(6)) if isinstance(part, Shared))
    assert own.of_rows(0) is own.pool[0]  # each row has its own source: nothing is copied
    apart = policy.concat([policy.initial_state(n, asked(n, n + 2, seed=n)) for n in (1, 2)])
    bos = torch.full((3,), policy.bos_id)
    wanted = [
        policy.step(bos[:n], policy.initial_state(n, asked(n, n + 2, seed=n)))[0] for n in (1, 2)
    ]
    assert torch.allclose(policy.step(bos, apart)[0], torch.cat(wanted), atol=1e-5)


@pytest.mark.parametrize("name", READING)
def test_chunks_change_nothing(name):
    policy = make(name)
    batch = generate(policy, 6, rng=rng(0), condition=asked(6))
    again = generate(policy, 6, rng=rng(0), condition=asked(6), chunk_size=2)
    assert torch.equal(batch.tokens, again.tokens)
    seen = []

    def reward(sequences: Sequences) -> torch.Tensor:
        seen.append(sequences.condition["source"])
        return (sequences.tokens * sequences.mask).sum(1).float()

    one, other = (
        action_values(policy, batch, reward, 3, rng=rng(1), chunk_size=size) for size in (2, None)
    )
    assert torch.allclose(one, other, atol=1e-4) and len(seen[0]) >= 6


@pytest.mark.parametrize("name", READING)
def test_gradients_reach_every_parameter(name, monkeypatch):
    use_double(monkeypatch)
    policy = make(name)
    batch = generate(policy, 9, rng=rng(0), condition=asked(9))
    policy(batch).log_prob.sum().backward()
    for key, parameter in policy.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), key
        assert parameter.grad.abs().max() > 0, key


@pytest.mark.parametrize("name", READING)
def test_a_missing_source_is_an_error_and_the_memory_is_counted(name):
    policy = make(name)
    with pytest.raises(ConditionError, match="reads the part 'source' of a condition"):
        generate(policy, 2, condition={"label": torch.zeros(2, dtype=torch.int64)})
    state = policy.initial_state(3, asked(3))
    held = sum(each.element_size() * each.numel() for each in tree_leaves(state))
    assert 4 * policy.vocab_size + held / 3 <= policy.row_bytes


@pytest.mark.parametrize("name", JUDGES)
def test_a_discriminator_sees_the_source(name):
    ours, condition = judge(name), asked(2)
    condition["label"] = torch.zeros(2, dtype=torch.int64)
    batch = Sequences.from_lists([[3, 4, 5], [3, 4, 5]], pad_id=0)
    scores = ours(Sequences(batch.tokens, batch.lengths, None, condition))
    assert (scores[0] - scores[1]).abs().max() > 1e-5
    wider = {**condition, "source": torch.nn.functional.pad(condition["source"], (0, 4), value=7)}
    assert torch.allclose(ours(Sequences(batch.tokens, batch.lengths, None, wider)), scores,
                          atol=1e-5)  # fmt: skip
    one = Sequences(batch.tokens, batch.lengths, None, condition).select(slice(0, 1))
    assert torch.allclose(ours(one)[0], scores[0], atol=1e-5)
    with pytest.raises(ConditionError):
        ours(batch)


@pytest.mark.parametrize("name", [*READING, *JUDGES])
def test_it_comes_back_from_disk(name, tmp_path):
    for model in ([make(name)] if name in READING else []) + (
        [judge(name)] if name in JUDGES else []
    ):
        save_model(model, tmp_path / "model")
        ours, theirs = model.state_dict(), load_model(tmp_path / "model").state_dict()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)


@pytest.mark.parametrize("name", READING)
def test_it_learns_to_copy_the_source(name):
    """A toy translation: the target is the source, token by token."""
    spec = TokenSpec(9, 1, 2, 0, 4, (0, 1), source_vocab=9, source_length=4)
    torch.manual_seed(0)
    policy = make_generator(
        GENERATORS[name](**{**SMALL, "dropout": 0.0} if name == "transformer" else {
            "embedding": 16, "hidden": 32, "dropout": 0.0}), spec, seed=0,
    )  # fmt: skip
    optimizer = torch.optim.Adam(policy.parameters(), 0.006)
    for step in range(250):
        rows = torch.randint(3, 9, (64, 3), generator=rng(step))
        tokens = torch.cat([rows, torch.full((64, 1), 2)], 1)
        lengths = torch.full((64,), 4)
        batch = Sequences(tokens, lengths, None, {"source": tokens, "source_length": lengths})
        loss = -policy(batch).log_prob.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    test = select_tree(batch.condition, torch.arange(64))
    drawn = generate(policy.eval(), 64, rng=rng(0), condition=test)
    assert (drawn.tokens == tokens).all(1).float().mean() > 0.5  # by chance: 0.005


SMALL = {"width": 32, "layers": 2, "heads": 2}


def test_beam_searches_of_many_sources_take_no_more_memory_than_a_few(monkeypatch):
    policy, condition = make("lstm"), asked(7)
    whole = decode(policy, Decoding(beams=4), Questions(condition=condition), 2)
    seen = []

    def noted(policy, beams, *, questions, **more):
        seen.append(questions)
        return beam_search(policy, beams, questions=questions, **more)

    monkeypatch.setattr("seqgan.training.decoding.default_chunk_size", lambda *_: 13)
    monkeypatch.setattr("seqgan.training.decoding.beam_search", noted)
    parts = decode(policy, Decoding(beams=4), Questions(condition=condition), 2)
    assert seen == [3, 3, 1] and parts.to_lists() == whole.to_lists()
    assert all(torch.equal(parts.condition[name], each) for name, each in whole.condition.items())
