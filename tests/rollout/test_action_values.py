"""Action values against policies whose values are known."""

from __future__ import annotations

import pytest
import torch

from rollout import Policy, Sampler, Sequences, action_values, generate

from ..plain import action_values as plain_action_values
from .chains import Chain, count_of, exact_count_values

EOS = 0


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("eos", [None, EOS])
def test_closed_form_at_every_token(eos):
    chain = Chain.random(6, 7, eos)
    batch = generate(chain, 24, rng=seeded(1))
    count = 4000
    # the standard error of each value, from independent repetitions of 40 rollouts
    repeats = torch.stack(
        [action_values(chain, batch, count_of(3), 40, rng=seeded(100 + i)) for i in range(100)]
    ).double()
    values = repeats.mean(0)
    error = repeats.std(0) / 10
    exact = exact_count_values(chain, batch, 3)
    assert error.max() < 0.05 and (values - exact).abs().max() < 0.1
    assert ((values - exact).abs() <= 4 * error + 1e-9).all()
    once = action_values(chain, batch, count_of(3), count, rng=seeded(2)).double()
    assert ((once - exact).abs() <= 4 * error + 1e-6).all()


@pytest.mark.parametrize("eos", [None, EOS])
def test_agrees_with_the_plain_reference(eos):
    chain = Chain.random(5, 5, eos, seed=4)
    batch = generate(chain, 8, rng=seeded(1))
    plain = plain_action_values(chain, batch, count_of(2), 1500, seeded(3)).double()
    ours = action_values(chain, batch, count_of(2), 1500, rng=seeded(4)).double()
    # each has a standard error of at most 1.5 / sqrt(1500) = 0.039
    assert (plain - ours).abs().max() < 4 * 0.039 * 2**0.5


@pytest.mark.parametrize("eos", [None, EOS])
def test_reward_of_the_prefix_is_exact_with_one_rollout(eos):
    chain = Chain.random(6, 7, eos)
    batch = generate(chain, 16, rng=seeded(5))

    def first_token(sequences):
        return sequences.tokens[:, 0].float()

    values = action_values(chain, batch, first_token, 1, rng=seeded(0))
    expected = torch.where(batch.mask, first_token(batch)[:, None], 0.0)
    assert torch.equal(values, expected)


@pytest.mark.parametrize("stratified", [False, True])
@pytest.mark.parametrize("eos", [None, EOS])
def test_same_to_the_bit_for_every_chunk_size(eos, stratified):
    chain = Chain.random(6, 7, eos)
    batch = generate(chain, 9, rng=seeded(1))
    results = [
        action_values(
            chain, batch, count_of(3), 5, rng=seeded(3), stratified=stratified,
            chunk_size=size, compact_every=compact,
        )
        for size, compact in [(1, 1), (2, 1), (7, 1), (7, 3), (10_000, 1), (10_000, 0), (None, 4)]
    ]  # fmt: skip
    assert all(torch.equal(results[0], other) for other in results[1:])


@pytest.mark.parametrize("eos", [None, EOS])
def test_values_do_not_depend_on_the_other_sequences(eos):
    chain = Chain.random(6, 7, eos)
    batch = generate(chain, 8, rng=seeded(1))
    other = generate(chain, 8, rng=seeded(9))
    mixed = Sequences(
        torch.cat([batch.tokens[:4], other.tokens[4:]]),
        torch.cat([batch.lengths[:4], other.lengths[4:]]),
    )
    a = action_values(chain, batch, count_of(3), 5, rng=seeded(3))
    b = action_values(chain, mixed, count_of(3), 5, rng=seeded(3))
    assert torch.equal(a[:4], b[:4])
    assert not torch.equal(a[4:], b[4:])


def test_blocks_of_sequences_change_nothing(monkeypatch):
    chain = Chain.random(6, 7, EOS)
    batch = generate(chain, 9, rng=seeded(1))
    whole = action_values(chain, batch, count_of(3), 5, rng=seeded(3))
    monkeypatch.setattr("rollout.monte_carlo._MAX_TOKENS", 2 * 6 * 5 * 7)
    assert torch.equal(whole, action_values(chain, batch, count_of(3), 5, rng=seeded(3)))


@pytest.mark.parametrize("stratified", [False, True])
@pytest.mark.parametrize("eos", [None, EOS])
def test_shares_of_a_batch_are_together_the_whole(eos, stratified):
    chain = Chain.random(6, 7, eos)
    batch = generate(chain, 9, rng=seeded(1))

    def values(rows: slice, **more) -> torch.Tensor:
        return action_values(
            chain, batch.select(rows), count_of(3), 5, rng=seeded(3), stratified=stratified, **more
        )

    for budget in (None, 9 * 5 * 3):  # of all columns, and of 3
        whole = values(slice(None), max_completions=budget)
        shares = [
            values(slice(a, b), row_offset=a, batch_total=9, max_completions=budget)
            for a, b in ((0, 4), (4, 5), (5, 9))
        ]
        assert torch.equal(torch.cat(shares), whole)
    assert not torch.equal(values(slice(4, 9)), whole[4:])  # without its number


@pytest.mark.parametrize("wrong", [{"row_offset": -1}, {"row_offset": 2, "batch_total": 4}])
def test_a_share_lies_within_its_batch(wrong):
    chain = Chain.random(6, 7)
    batch = generate(chain, 3, rng=seeded(1))
    with pytest.raises(ValueError, match="row_offset must be 0 or more and batch_total at least"):
        action_values(chain, batch, count_of(3), 2, **wrong)
    with pytest.raises(ValueError, match="row_offset must be 0 or more, got -1"):
        generate(chain, 3, row_offset=-1)


@pytest.mark.parametrize("eos", [None, EOS])
def test_shares_of_samples_are_together_the_whole(eos):
    chain = Chain.random(6, 7, eos)
    start = Sequences.from_lists([[1, 2], [1], [3, 3, 4], [2], [4]], pad_id=0)
    for prefix in (None, [1, 2], start):
        whole = generate(chain, 5, rng=seeded(2), prefix=prefix)
        shares = []
        for a, b in ((0, 1), (1, 3), (3, 5)):
            own = prefix.select(slice(a, b)) if isinstance(prefix, Sequences) else prefix
            shares.append(generate(chain, b - a, rng=seeded(2), prefix=own, row_offset=a))
        assert torch.equal(torch.cat([share.tokens for share in shares]), whole.tokens)
        assert torch.equal(torch.cat([share.lengths for share in shares]), whole.lengths)


def test_completions_run_to_the_policys_length_not_the_batchs():
    # token 1 for ever: after a prefix of 2 the count of 1 is the whole length
    table = torch.full((3, 2), 0.0)
    table[:, 0] = -torch.inf
    chain = Chain(table, max_length=9)
    batch = Sequences.from_lists([[1, 1, 1]], pad_id=0)
    values = action_values(chain, batch, count_of(1), 2, rng=seeded(0))
    assert values.tolist() == [[9.0, 9.0, 3.0]]  # the last is the reward of the sequence itself


def test_positions_and_budget_take_the_next_estimated_value():
    chain = Chain.random(6, 7)
    batch = generate(chain, 4, rng=seeded(1))
    full = action_values(chain, batch, count_of(3), 3, rng=seeded(3))
    some = action_values(chain, batch, count_of(3), 3, rng=seeded(3), positions=[1, 4])
    assert torch.equal(some[:, [1, 4, 6]], full[:, [1, 4, 6]])
    assert torch.equal(some[:, 0], full[:, 1])
    assert torch.equal(some[:, 2], full[:, 4]) and torch.equal(some[:, 3], full[:, 4])
    assert torch.equal(some[:, 5], full[:, 6])
    scored = []

    def counting(sequences):
        scored.append(len(sequences))
        return count_of(3)(sequences)

    action_values(chain, batch, counting, 3, rng=seeded(3), max_completions=4 * 3 * 2)
    assert scored == [4, 24]  # the sequences themselves, then two columns
    with pytest.raises(ValueError, match="max_completions = 11 does not pay"):
        action_values(chain, batch, counting, 3, max_completions=11)
    with pytest.raises(ValueError, match=r"positions must lie in 0 \.\. 6"):
        action_values(chain, batch, counting, 3, positions=[7])


def test_rewards_per_token_count_from_the_token_on():
    chain = Chain(torch.tensor([[-torch.inf, 0.0]] * 3), max_length=4)
    batch = Sequences.from_lists([[1, 1, 1, 1]], pad_id=0)

    class Places:
        per_token = True

        def __call__(self, sequences):
            return torch.tensor([1.0, 10.0, 100.0, 1000.0]).expand(len(sequences), 4)

    values = action_values(chain, batch, Places(), 2, rng=seeded(0))
    assert values.tolist() == [[1111.0, 1110.0, 1100.0, 1000.0]]
    for positions in ([0, 2], []):  # a token's own reward comes on top of the next value
        some = action_values(chain, batch, Places(), 2, rng=seeded(0), positions=positions)
        assert torch.equal(some, values)


def test_stratified_rollouts_have_the_same_mean_and_no_larger_variance():
    chain = Chain.random(6, 6, EOS, seed=7)
    batch = generate(chain, 12, rng=seeded(1))
    exact = exact_count_values(chain, batch, 3)

    def repeated(stratified):
        return torch.stack(
            [
                action_values(
                    chain, batch, count_of(3), 8, rng=seeded(1000 + i), stratified=stratified
                )
                for i in range(400)
            ]
        ).double()

    plain, spread = repeated(False), repeated(True)
    error = spread.std(0) / 20
    assert ((spread.mean(0) - exact).abs() <= 4 * error + 1e-6).all()
    assert spread.var(0).sum() < 0.9 * plain.var(0).sum()


def test_the_sampler_shapes_the_rollouts():
    chain = Chain.random(6, 7)
    batch = generate(chain, 2, rng=seeded(1))
    greedy = action_values(chain, batch, count_of(3), 3, sampler=Sampler(top_k=1), rng=seeded(0))
    again = action_values(chain, batch, count_of(3), 1, sampler=Sampler(top_k=1), rng=seeded(5))
    assert torch.equal(greedy, again)  # one completion only, whatever the random numbers


def test_condition_reaches_policy_and_reward():
    class Fixed(Policy):
        """Emits the token its condition names."""

        vocab_size, bos_id, eos_id, pad_id, max_length = 5, 4, None, 0, 3

        def initial_state(self, batch_size, condition=None):
            return condition["token"]

        def step(self, tokens, state):
            logits = torch.full((len(tokens), 5), -torch.inf)
            return logits.scatter(1, state[:, None], 0.0), state

    condition = {"token": torch.tensor([1, 3]), "none": None}
    batch = generate(Fixed(), 2, condition=condition, rng=seeded(0))
    assert batch.tokens.tolist() == [[1, 1, 1], [3, 3, 3]]

    def matches(sequences):
        return (sequences.tokens == sequences.condition["token"][:, None]).all(1).float()

    assert action_values(Fixed(), batch, matches, 2).tolist() == [[1.0] * 3] * 2


def test_host_reads_are_counted_and_can_be_turned_off(monkeypatch):
    from rollout.completion import Flight

    flights = []
    start = Flight.__init__

    def spy(self, *args, **kwargs):
        start(self, *args, **kwargs)
        flights.append(self)

    monkeypatch.setattr(Flight, "__init__", spy)
    chain = Chain.random(6, 9, EOS)
    batch = generate(chain, 4, rng=seeded(1), compact_every=1)
    counts = {}
    for every in (0, 1, 4):
        flights.clear()
        action_values(chain, batch, count_of(3), 2, rng=seeded(0), compact_every=every)
        counts[every] = sum(flight.synchronisations for flight in flights)
    assert counts[0] == 0 and 0 < counts[4] <= 2 < counts[1] <= 8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_rollouts": 0}, "num_rollouts must be 1 or more"),
        ({"chunk_size": 0}, "chunk_size must be 1 or more"),
        ({"reward": lambda s: torch.zeros(3)}, r"must return a tensor of shape \[2\]"),
        ({"reward": lambda s: [0.0, 0.0]}, "returned list"),
    ],
)
def test_wrong_arguments_are_named(change, message):
    chain = Chain.random(4, 5)
    batch = generate(chain, 2, rng=seeded(0))
    arguments = {"reward": count_of(1), "num_rollouts": 2, **change}
    with pytest.raises(ValueError, match=message):
        action_values(chain, batch, **arguments)
