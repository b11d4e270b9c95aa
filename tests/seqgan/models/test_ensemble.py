"""Ensembles as densities: sums over all sequences, and chunks against the plain way."""

from __future__ import annotations

import math

import pytest
import torch

from rollout import Sequences, generate
from rollout.divergences import COMBINATIONS
from rollout.policy import token_scores
from seqgan.models import Ensemble
from seqgan.models import token_divergence as module
from seqgan.models.token_divergence import Target, chunk_rows, token_divergence

from ...small import lstm

END = 2


def models(count: int, seed: int = 0) -> list:
    torch.manual_seed(seed)
    found = [
        lstm(4, 3, 3, END, 3, 5, 6, forbidden=(3,), initial_scale=0.8).double().eval()
        for _ in range(count)
    ]
    return found


def all_sequences() -> Sequences:
    rows: list[list[int]] = []

    def extend(row):
        if len(row) == 3 or row[-1:] == [END]:
            rows.append(row)
        else:
            for token in range(3):
                extend([*row, token])

    extend([])
    return Sequences.from_lists(rows, pad_id=3)


@pytest.mark.parametrize("how", COMBINATIONS)
def test_probabilities_of_all_sequences_add_up_to_one(how):
    ensemble = Ensemble(models(3), how, 0.3, temperature=0.7)
    every = all_sequences()
    assert len(every) == 15
    log_prob = ensemble(every).log_prob.sum(1)
    assert float(log_prob.exp().sum()) == pytest.approx(1, abs=1e-12)


def test_the_mixture_by_hand():
    members = models(2)
    every = all_sequences()
    wanted = sum(member(every).log_prob.exp() for member in members) / 2
    found = Ensemble(members)(every).log_prob.exp()
    torch.testing.assert_close(found[every.mask], wanted.detach()[every.mask])


@pytest.mark.parametrize("how", COMBINATIONS)
def test_all_ways_to_ask_for_a_probability_agree(how):
    ensemble, every = Ensemble(models(3), how, 0.3), all_sequences()
    plain = token_scores(ensemble.logits(every), every)
    found = ensemble(every)
    torch.testing.assert_close(found.log_prob, plain.log_prob.detach())
    torch.testing.assert_close(found.entropy, plain.entropy.detach())
    state, columns = ensemble.initial_state(len(every)), []
    before = torch.full((len(every),), 3)
    for tokens in every.tokens.unbind(1):
        logits, state = ensemble.step(before, state)
        columns.append(logits)
        before = tokens
    stepped = token_scores(torch.stack(columns, 1), every)
    torch.testing.assert_close(stepped.log_prob, plain.log_prob)


def test_samples_have_its_distribution():
    ensemble, every = Ensemble(models(3), "minimum"), all_sequences()
    probs = ensemble(every).log_prob.sum(1).exp()
    drawn = generate(ensemble, 20_000, rng=torch.Generator().manual_seed(0))
    counts = {}
    for row in drawn.to_lists():
        counts[tuple(row)] = counts.get(tuple(row), 0) + 1
    for row, prob in zip(every.to_lists(), probs.tolist(), strict=True):
        error = math.sqrt(prob * (1 - prob) / 20_000)
        assert abs(counts.get(tuple(row), 0) / 20_000 - prob) < 4.5 * error


def test_other_tokens_are_refused():
    with pytest.raises(ValueError, match="same token ids"):
        Ensemble([*models(1), lstm(5, 3, 3, END, 3, 5, 6).double()])


def plain_total(hidden, head, tokens, targets, weights, advantage):
    log_q = head(hidden).log_softmax(-1)
    finite = log_q.clamp(min=-1e30)
    total = -advantage * log_q.gather(1, tokens[:, None])[:, 0]
    for target in targets:
        log_p = target.log_probs(target.features).clamp(min=-1e30)
        if target.objective == "forward_kl":
            value = (log_p.exp() * (log_p - finite)).sum(1)
        else:
            value = (finite.exp() * (finite - log_p)).sum(1)
        total = total + target.weight * value
    return (total * weights).sum()


def test_chunks_have_the_value_and_gradients_of_the_plain_way(monkeypatch):
    monkeypatch.setattr(module, "_LEAST", 2)
    monkeypatch.setattr("rollout.devices.CACHE_BYTES", 1)
    policy, reference, *others = models(4)
    ensemble, every = Ensemble(others, "geometric"), all_sequences()
    rows = every.mask.flatten()
    assert len(list(chunk_rows(int(rows.sum()), 4, 2, rows.device))) > 10

    def head(features):
        return reference.head(features[0]).log_softmax(-1)

    targets = [
        Target([x.flatten(0, 1)[rows] for x in ensemble.features(every)], ensemble.log_probs),
        Target([reference.features(every).flatten(0, 1)[rows].detach()], head, "forward_kl", 0.3),
    ]
    tokens = every.tokens.flatten()[rows]
    rng = torch.Generator().manual_seed(0)
    weights, advantage = torch.randn(2, len(tokens), generator=rng, dtype=torch.float64)
    results = []
    for function in (token_divergence, plain_total):
        hidden = policy.features(every).flatten(0, 1)[rows]
        total = function(hidden, policy.head, tokens, targets, weights, advantage)
        total = total[0] if isinstance(total, tuple) else total
        gradients = torch.autograd.grad(3 * total, list(policy.parameters()))
        results.append([total.detach(), *gradients])
    for found, wanted in zip(*results, strict=True):
        torch.testing.assert_close(found, wanted)


def test_a_chunk_of_a_large_vocabulary_is_small():
    sizes = [rows.stop - rows.start for rows in chunk_rows(3840, 20_000, 4, torch.device("cpu"))]
    assert sum(sizes) == 3840
    arrays = 2 * 4 + 6
    assert max(sizes) * 20_000 * 4 * arrays < 100e6
