"""Properties of every generator: a new one is tested as soon as it stands in the table."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch.utils._pytree import tree_leaves

from rollout import ConditionError, Sequences, action_values, generate
from rollout.modules import frozen_copy, own_copy
from rollout.policy import Policy
from seqgan.config import GENERATORS
from seqgan.data.codec import IdCodec
from seqgan.data.spec import TokenSpec
from seqgan.hub import TextGenerator
from seqgan.models import Generator, load_generator, make_generator, save_model

from ...recurrent_kernel import APART, use_double
from ...small import known_to_models, small

SPEC = known_to_models(
    TokenSpec(vocab_size=12, bos_id=1, eos_id=2, pad_id=0, max_length=7, forbidden=(0, 1))
)
TINY = known_to_models(
    TokenSpec(vocab_size=4, bos_id=3, eos_id=0, pad_id=0, max_length=3, forbidden=(3,))
)
"""Three tokens that can be emitted, of which one ends a sequence of three tokens at most."""
DRAWS = 20_000

pytestmark = [
    pytest.mark.parametrize("name", GENERATORS),
    pytest.mark.filterwarnings(f"error:{APART}"),
]


def make(name: str, spec: TokenSpec = SPEC, **settings) -> Generator:
    """A generator whose probabilities are far from equal."""
    generator = make_generator(small(GENERATORS[name], **settings), spec, seed=0).eval()
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.mul_(2.5)
    return generator


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def everything(policy: Generator) -> tuple[Sequences, torch.Tensor]:
    """All sequences of TINY, and their probabilities (float64) by single steps."""
    rows, weights = [], []
    for row in itertools.product(range(3), repeat=3):
        row = row[: row.index(0) + 1] if 0 in row else row
        if row in rows:
            continue
        state, last, weight = policy.initial_state(1), TINY.bos_id, 1.0
        for token in row:
            logits, state = policy.step(torch.tensor([last]), state)
            weight *= logits.detach().double().softmax(-1)[0, token].item()
            last = token
        rows.append(row)
        weights.append(weight)
    return Sequences.from_lists([list(row) for row in rows], pad_id=0), torch.tensor(
        weights
    ).double()


def test_what_is_fast_equals_single_steps(name):
    policy = make(name)
    batch = generate(policy, 9, rng=seeded(0))
    fast, plain = policy(batch), Policy.forward(policy, batch)
    assert torch.allclose(fast.log_prob, plain.log_prob, atol=1e-5)
    assert torch.allclose(fast.entropy, plain.entropy, atol=1e-5)
    assert torch.allclose(policy.logits(batch), Policy.logits(policy, batch), atol=1e-5)


def test_a_branch_goes_on_where_its_prefix_ends(name):
    policy = make(name)
    batch = generate(policy, 9, rng=seeded(0))
    rows, positions = torch.tensor([3, 0, 3, 8]), torch.tensor([0, 1, 2, 0])
    last = batch.tokens[rows, positions]
    ours, theirs = (
        policy.step(last, kind.branch(policy, kind.prefix_states(policy, batch), rows, positions))
        for kind in (type(policy), Policy)
    )
    assert torch.allclose(ours[0], theirs[0], atol=1e-5)
    again = [policy.step(torch.tensor([5] * 4), state)[0] for _, state in (ours, theirs)]
    assert torch.allclose(*again, atol=1e-5)


def test_rows_are_selected_and_joined(name):
    policy = make(name)
    tokens = torch.tensor([[1, 4, 6], [1, 5, 5], [1, 3, 9]])
    states = policy.initial_state(3)
    for column in tokens.unbind(1):
        logits, states = policy.step(column, states)
    order = torch.tensor([2, 0, 0])
    joined = policy.concat([policy.select(states, order[:2]), policy.select(states, order[2:])])
    new = torch.tensor([4, 7, 8, 9])
    picked = policy.step(new[order], joined)[0]
    assert torch.allclose(picked, policy.step(new[:3], states)[0][order], atol=1e-5)


def test_sequences_are_drawn_with_their_probabilities(name):
    """Chi-square over all sequences; 5 standard deviations above the mean is not chance."""
    policy = make(name, TINY)
    every, probabilities = everything(policy)
    assert probabilities.sum().item() == pytest.approx(1, abs=1e-5)
    keys = {tuple(row): i for i, row in enumerate(every.to_lists())}
    drawn = generate(policy, DRAWS, rng=seeded(3)).to_lists()
    counts = torch.bincount(torch.tensor([keys[tuple(row)] for row in drawn]), minlength=len(keys))
    expected = DRAWS * probabilities
    likely = expected >= 5
    chi_square = ((counts - expected)[likely] ** 2 / expected[likely]).sum().item()
    freedom = int(likely.sum()) - 1
    assert chi_square < freedom + 5 * (2 * freedom) ** 0.5
    log_probs = policy(every).log_prob.double().sum(1)
    assert torch.allclose(log_probs, probabilities.log(), atol=1e-4)


def test_rollouts_find_the_exact_values(name):
    policy = make(name, TINY)
    every, probabilities = everything(policy)
    rows = [tuple(row) for row in every.to_lists()]
    value_of = {row: float(row.count(1) + 2 * row[0]) for row in rows}

    def reward(sequences: Sequences) -> torch.Tensor:
        return torch.tensor([value_of[tuple(row)] for row in sequences.to_lists()])

    batch = every.select(torch.tensor([i for i, row in enumerate(rows) if len(row) == 3][:6]))
    values = action_values(policy, batch, reward, 3_000, rng=seeded(5))
    for row, found in zip(batch.to_lists(), values.tolist(), strict=True):
        for t in range(len(row)):
            fits = [i for i, each in enumerate(rows) if list(each[: t + 1]) == row[: t + 1]]
            weights = probabilities[fits] / probabilities[fits].sum()
            exact = float(weights @ torch.tensor([value_of[rows[i]] for i in fits]).double())
            assert found[t] == pytest.approx(exact, abs=0.12)


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_chunks_change_nothing(name, size):
    policy = make(name)
    whole = generate(policy, 12, rng=seeded(0))
    assert torch.equal(generate(policy, 12, rng=seeded(0), chunk_size=size).tokens, whole.tokens)

    def reward(sequences: Sequences) -> torch.Tensor:
        return (sequences.tokens * sequences.mask).sum(1).float()

    one, other = (
        action_values(policy, whole, reward, 4, rng=seeded(1), chunk_size=each)
        for each in (size, None)
    )
    assert (one - other).abs().max() < 1e-4


def test_a_prefix_is_continued(name):
    policy = make(name)
    drawn = generate(policy, 20, rng=seeded(0), prefix=[5, 4])
    assert (drawn.tokens[:, :2] == torch.tensor([5, 4])).all() and (drawn.lengths > 2).all()


def test_forbidden_tokens_are_never_emitted(name):
    policy = make(name)
    drawn = generate(policy, 300, rng=seeded(0))
    assert not torch.isin(drawn.tokens[drawn.mask], torch.tensor([0, 1])).any()
    fewer = generate(policy.withholding([5, 6]), 300, rng=seeded(0))
    assert not torch.isin(fewer.tokens[fewer.mask], torch.tensor([0, 1, 5, 6])).any()


@pytest.mark.parametrize("temperature", [0.001, 0.5, 2.0])
def test_temperatures_divide_the_logits(name, temperature):
    policy = make(name)
    batch = generate(policy, 9, rng=seeded(0))
    ours, plain = policy.tempered(temperature), Policy.tempered(policy, temperature)
    assert torch.allclose(ours(batch).log_prob, plain(batch).log_prob, rtol=1e-4, atol=1e-4)
    assert all(parameter.requires_grad for parameter in policy.parameters())


def test_gradients_are_finite_and_reach_every_parameter(name, monkeypatch):
    use_double(monkeypatch)
    policy = make(name)
    batch = generate(policy, 9, rng=seeded(0))
    for training in (True, False):
        policy.train(training).zero_grad()
        scores = policy(batch)
        (scores.log_prob.sum() + scores.entropy.sum()).backward()
        for parameter in policy.parameters():
            assert parameter.grad is not None and parameter.grad.isfinite().all()
            assert parameter.grad.abs().max() > 0


def test_dropout_works_in_training_alone(name):
    policy = make(name, dropout=0.5)
    batch = generate(policy, 9, rng=seeded(0))
    assert torch.equal(policy(batch).log_prob, policy(batch).log_prob)
    policy.train()
    torch.manual_seed(0)
    assert not torch.equal(policy(batch).log_prob, policy(batch).log_prob)


@pytest.mark.parametrize("copied", [own_copy, frozen_copy, lambda policy: policy.frozen_copy()])
def test_copies_are_apart(name, copied, monkeypatch):
    use_double(monkeypatch)
    policy = make(name)
    batch = generate(policy, 9, rng=seeded(0))
    other, before = copied(policy), policy(batch).log_prob.detach()
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.mul_(0.5)
    assert torch.allclose(other(batch).log_prob, before, atol=1e-6)
    assert not torch.allclose(policy(batch).log_prob, before, atol=1e-3)


def test_a_condition_is_read_or_refused(name):
    policy = make(name)
    condition = torch.zeros(4, dtype=torch.int64)
    assert not policy.conditional  # these token ids announce no condition
    with pytest.raises(ConditionError):
        generate(policy, 4, rng=seeded(0), condition=condition)
    batch = generate(policy, 4, rng=seeded(0))
    given = Sequences(batch.tokens, batch.lengths, batch.terminated, condition)
    for use in (policy, policy.logits, policy.prefix_states):
        with pytest.raises(ConditionError):
            use(given)


def test_it_comes_back_from_disk(name, tmp_path):
    policy = make(name)
    save_model(policy, tmp_path / "generator")
    again = load_generator(tmp_path / "generator")
    batch = generate(policy, 5, rng=seeded(0))
    assert torch.equal(batch.tokens, generate(again, 5, rng=seeded(0)).tokens)
    assert torch.equal(policy(batch).log_prob, again(batch).log_prob)
    assert again.settings == policy.settings and again.spec == policy.spec
    model = TextGenerator(policy, IdCodec(SPEC), {})
    model.save_pretrained(tmp_path / "hub")
    files = policy.settings.files
    base = getattr(policy.settings, files) if files else None
    again = TextGenerator.from_pretrained(tmp_path / "hub", base_model=base)
    assert again.sample(5) == model.sample(5)


def test_a_states_memory_is_what_it_says(name):
    policy = make(name)
    state = policy.initial_state(3)
    _, state = policy.step(torch.tensor([1, 1, 1]), state)
    held = sum(each.element_size() * each.numel() for each in tree_leaves(state))
    assert 4 * policy.vocab_size + held / 3 <= policy.row_bytes
