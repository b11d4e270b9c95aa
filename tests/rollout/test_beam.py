"""Beam search against the list of all sequences."""

from __future__ import annotations

import pytest
import torch

from rollout import ConditionError, Policy, RuledPolicy, Rules, Sampler, beam_search, generate

from ..synchronisation import NoReading
from .chains import Chain
from .enumeration import enumerate_chain


@pytest.mark.parametrize("eos", [None, 1])
@pytest.mark.parametrize("penalty", [0.0, 0.7, 2.0])
def test_a_wide_beam_finds_the_best_in_order(eos, penalty):
    chain = Chain.random(3, 4, eos_id=eos, seed=5)
    every = enumerate_chain(chain)
    scores = every.probs.log() / every.sequences.lengths**penalty
    order = scores.argsort(descending=True)[:10]
    found = beam_search(chain, 27, length_penalty=penalty)
    rows, place = found.sequences.to_lists()[:10], every.sequences.to_lists()
    found_at = torch.tensor([place.index(row) for row in rows])
    assert len(set(found_at.tolist())) == 10
    assert torch.allclose(scores[found_at], scores[order], atol=1e-12)  # some are equally good
    assert torch.allclose(found.score[0, :10].double(), scores[order], atol=1e-5)
    assert torch.allclose(found.log_prob[0, :10].double(), every.probs[found_at].log(), atol=1e-5)
    ended = [eos is not None and row[-1] == eos for row in rows]
    assert found.sequences.terminated[:10].tolist() == ended


@pytest.mark.parametrize("seed", range(5))
def test_one_beam_is_greedy(seed):
    chain = Chain.random(6, 5, eos_id=2, seed=seed)
    greedy = generate(chain, 1, sampler=Sampler(top_k=1)).to_lists()
    found = beam_search(chain, 1)
    assert found.sequences.to_lists() == greedy
    assert found.log_prob.item() == pytest.approx(chain(found.sequences).log_prob.sum().item())


def test_the_better_beginning_is_not_always_the_better_sequence():
    # first 0 (0.6) or 1 (0.4); after 0 three equal tokens, after 1 token 2 for certain
    low = -50.0
    table = torch.tensor([[0.0, 0.0, 0.0], [low, low, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, low]])
    table[3, :2] = torch.tensor([0.6, 0.4]).log()
    chain = Chain(table, 2)
    assert beam_search(chain, 1).sequences.to_lists()[0][0] == 0
    found = beam_search(chain, 2)
    assert found.sequences.to_lists()[0] == [1, 2]
    assert found.log_prob[0].exp().tolist() == pytest.approx([0.4, 0.2], abs=1e-4)


def test_a_prefix_stands_at_the_beginning():
    chain = Chain.random(3, 4, eos_id=1, seed=5)
    every = enumerate_chain(chain)
    begins = [i for i, row in enumerate(every.sequences.to_lists()) if row[:2] == [2, 0]]
    best = max(begins, key=lambda i: every.probs[i].item())
    found = beam_search(chain, 9, prefix=[2, 0])
    assert found.sequences.to_lists()[0] == every.sequences.to_lists()[best]
    share = every.probs[best] / every.probs[begins].sum()
    assert found.log_prob[0, 0].exp().item() == pytest.approx(share.item(), abs=1e-5)


def test_rules_hold_in_the_search():
    chain = Chain.random(4, 4, eos_id=0, seed=2)
    policy = RuledPolicy(chain, Rules(forbidden=[3], repetition_penalty=1.5, min_length=2))
    found = beam_search(policy, 64)
    kept = found.log_prob[0].isfinite()
    sequences = found.sequences.select(kept)
    assert torch.allclose(policy(sequences).log_prob.sum(1), found.log_prob[0, kept], atol=1e-5)
    assert found.log_prob[0, kept].exp().sum().item() == pytest.approx(1, abs=1e-5)
    assert not (sequences.tokens == 3).any() and (sequences.lengths > 2).all()


class Asked(Policy):
    """Emits the token that it is asked for, or the next one with a smaller probability."""

    vocab_size, bos_id, eos_id, pad_id, max_length = 5, 5, None, 0, 3

    def initial_state(self, batch_size, condition=None):
        return condition

    def step(self, tokens, state):
        places = torch.arange(5)[None, :]
        wanted, other = places == state[:, None], places == (state[:, None] + 1) % 5
        return torch.where(wanted, 2.0, torch.where(other, 1.0, -20.0)), state


def test_each_question_has_beams_of_its_own():
    found = beam_search(Asked(), 2, questions=2, condition=torch.tensor([3, 1]))
    rows = found.sequences.to_lists()
    assert rows[0] == [3, 3, 3] and rows[2] == [1, 1, 1]
    assert sorted(rows[1]) == [3, 3, 4] and sorted(rows[3]) == [1, 1, 2]
    assert found.sequences.condition.tolist() == [3, 3, 1, 1]


def test_the_search_seldom_makes_the_host_wait(monkeypatch):
    chain = Chain.random(5, 7, eos_id=1, seed=3)
    wanted = beam_search(chain, 3)
    monkeypatch.setattr("rollout.devices._FREE_TO_READ", ())  # a CPU that is treated like a GPU
    with NoReading():
        found = beam_search(chain, 3)
    assert torch.equal(found.sequences.tokens, wanted.sequences.tokens)
    assert torch.equal(found.log_prob, wanted.log_prob)


def test_what_cannot_be_searched_is_refused():
    chain = Chain.random(3, 3)
    with pytest.raises(ValueError, match="beams and questions must be 1 or more"):
        beam_search(chain, 0)
    with pytest.raises(ValueError, match="prefix has 3 tokens, the longest sequence 3"):
        beam_search(chain, 1, prefix=[0, 1, 2])
    with pytest.raises(ValueError, match="length_penalty must be 0 or above"):
        beam_search(chain, 1, length_penalty=-1.0)
    chain.conditional = False
    with pytest.raises(ConditionError):
        beam_search(chain, 1, condition=torch.tensor([0]))
