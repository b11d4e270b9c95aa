"""Rules as a policy: the distribution by enumeration, samples and scores that belong together."""

from __future__ import annotations

import itertools

import pytest
import torch

from rollout import RuledPolicy, Rules, Sampler, Sequences, generate

from ..capture import NoCapture
from ..small import lstm
from .chains import Chain

EOS = 0


def exact(chain: Chain, rules: Rules) -> dict[tuple[int, ...], float]:
    """Every sequence with its probability, by the definition of the rules."""
    longest = min(chain.max_length, rules.max_length or chain.max_length)
    table = chain.table.detach().double()
    found: dict[tuple[int, ...], float] = {}

    def extend(row: tuple[int, ...], weight: float) -> None:
        if len(row) == longest or (row and row[-1] == EOS):
            found[row] = weight
            return
        logits = table[row[-1] if row else chain.bos_id].clone()
        for token in set(row):
            by = rules.repetition_penalty
            logits[token] = logits[token] / by if logits[token] > 0 else logits[token] * by
        for token in rules.forbidden:
            logits[token] = -torch.inf
        if len(row) < rules.min_length:
            logits[EOS] = -torch.inf
        for token, share in enumerate(logits.softmax(-1).tolist()):
            if share > 0:
                extend((*row, token), weight * share)

    extend((), 1.0)
    return found


CASES = [
    Rules(),
    Rules(repetition_penalty=1.7),
    Rules(repetition_penalty=0.5),
    Rules(forbidden=[2]),
    Rules(min_length=2),
    Rules(max_length=2),
    Rules(forbidden=[1], repetition_penalty=2.0, min_length=1, max_length=2),
]


@pytest.mark.parametrize("rules", CASES, ids=str)
def test_the_distribution_by_enumeration(rules):
    chain = Chain.random(4, 3, eos_id=EOS, seed=2)
    policy, expected = RuledPolicy(chain, rules), exact(chain, rules)
    assert sum(expected.values()) == pytest.approx(1)
    rows = Sequences.from_lists([list(row) for row in expected], pad_id=0)
    weights = torch.tensor(list(expected.values()))
    assert torch.allclose(policy(rows).log_prob.sum(1).exp(), weights, atol=1e-5)
    drawn = generate(policy, 20_000, rng=torch.Generator().manual_seed(0), chunk_size=7_000)
    place = {row: i for i, row in enumerate(expected)}
    counts = torch.bincount(
        torch.tensor([place[tuple(row)] for row in drawn.to_lists()]), minlength=len(place)
    )
    due = 20_000 * weights
    chi_square = ((counts - due)[due >= 5] ** 2 / due[due >= 5]).sum().item()
    freedom = int((due >= 5).sum()) - 1
    assert chi_square < freedom + 5 * (2 * max(1, freedom)) ** 0.5


def test_tokens_of_the_prefix_are_penalised_too():
    # all logits 1: after the prefix [2] with penalty 2, token 2 has 1/2 and the others 1
    policy = RuledPolicy(Chain(torch.ones(5, 4), 3), Rules(repetition_penalty=2.0))
    drawn = generate(
        policy, 40_000, rng=torch.Generator().manual_seed(1), prefix=[2], chunk_size=9_000
    )
    shares = torch.bincount(drawn.tokens[:, 1], minlength=4) / 40_000
    one, half = torch.tensor(1.0).exp(), torch.tensor(0.5).exp()
    expected = torch.stack([one, one, half, one]) / (3 * one + half)
    assert torch.allclose(shares, expected, atol=0.01)


def test_a_negative_logit_is_multiplied():
    policy = RuledPolicy(Chain(torch.full((4, 3), -1.0), 2), Rules(repetition_penalty=3.0))
    state = policy.initial_state(1)
    _, state = policy.step(torch.tensor([3]), state)
    logits, _ = policy.step(torch.tensor([1]), state)
    assert logits.tolist() == [[-1.0, -3.0, -1.0]]


def test_a_step_copies_nothing_from_the_host():
    inner = lstm(12, 5, 0, EOS, 0, 4, 6).to("meta")
    policy = RuledPolicy(inner, Rules(forbidden=[3], repetition_penalty=2.0, min_length=2))
    tokens = torch.zeros(4, dtype=torch.int64, device="meta")
    _, state = policy.step(tokens, policy.initial_state(4))  # here the rules are copied, once
    with NoCapture("meta"):
        policy.step(tokens, state)
        logits, _ = policy.step(tokens, policy.initial_state(4))
    assert logits.shape == (4, 12)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"repetition_penalty": 0.0}, "repetition_penalty must be above 0"),
        ({"min_length": -1}, "min_length must be 0 or more"),
        ({"max_length": 0}, "max_length 1 or more"),
        ({"min_length": 3, "max_length": 2}, r"min_length \(3\) is above max_length \(2\)"),
    ],
)
def test_rules_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Rules(**settings)


def test_rules_that_leave_nothing_are_refused():
    chain = Chain.random(3, 4, eos_id=EOS)
    for rules in (Rules(forbidden=[0, 1, 2]), Rules(forbidden=[1, 2], min_length=1)):
        with pytest.raises(ValueError, match="forbid every token"):
            RuledPolicy(chain, rules)
    with pytest.raises(ValueError, match="above the policy's longest sequence, 4 tokens"):
        RuledPolicy(chain, Rules(min_length=5))


@pytest.mark.parametrize(("min_p", "kept"), [(0.3, [0, 1]), (0.25, [0, 1, 2]), (1.0, [0])])
def test_min_p_by_hand(min_p, kept):
    # probabilities 0.5, 0.25, 0.15, 0.1, of the largest 1, 0.5, 0.3 (float: a little more), 0.2
    probs = torch.tensor([[0.5, 0.25, 0.125, 0.125]])
    probs[0, 2:] = torch.tensor([0.14, 0.11])
    found, ids = Sampler(min_p=min_p).probabilities(probs.log())
    assert ids is None
    expected = torch.zeros(1, 4)
    expected[0, kept] = probs[0, kept] / probs[0, kept].sum()
    assert torch.allclose(found, expected, atol=1e-6)


def test_min_p_comes_after_top_k_and_top_p():
    probs = torch.tensor([[0.1, 0.4, 0.2, 0.3]])
    for sampler, kept in (
        (Sampler(top_k=3, min_p=0.6), [1, 3]),
        (Sampler(top_p=0.65, min_p=0.1), [1, 3]),
        (Sampler(temperature=0.5, min_p=0.3), [1, 3]),  # squares: 0.16, 0.09, 0.04, 0.01
    ):
        numbers = ((torch.arange(1_000) + 0.5) / 1_000)[None].double()
        drawn = sampler.sample(probs.log(), numbers)
        assert drawn.unique().tolist() == kept
        power = probs[0, kept] ** (1 / sampler.temperature)
        share = (drawn == kept[0]).float().mean().item()
        assert share == pytest.approx((power[0] / power.sum()).item(), abs=0.002)


def test_min_p_must_be_a_share():
    for wrong in (0.0, 1.5):
        with pytest.raises(ValueError, match="min_p must be above 0"):
            Sampler(min_p=wrong)


def test_no_rule_changes_nothing():
    chain = Chain.random(5, 4, eos_id=EOS, seed=3)
    ours, theirs = (
        generate(policy, 50, rng=torch.Generator().manual_seed(4))
        for policy in (RuledPolicy(chain, Rules()), chain)
    )
    assert torch.equal(ours.tokens, theirs.tokens)
    assert list(itertools.chain(*ours.to_lists()))
