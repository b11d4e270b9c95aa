"""Divergences of the next token, by hand and against autograd."""

from __future__ import annotations

import pytest
import torch

from rollout.divergences import COMBINATIONS, OBJECTIVES, combine, divergence, token_scores_of
from seqgan.config import ensemble
from seqgan.config.algorithms import ratio

FORBIDDEN = -torch.inf


def logs(*rows) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float64).log()


MEMBERS = logs((0.5, 0.3, 0.2), (0.1, 0.6, 0.3), (0.4, 0.4, 0.2))


@pytest.mark.parametrize(
    ("how", "quantile", "weights"),
    [
        ("mixture", 0.0, (1.0, 1.3, 0.7)),
        ("geometric", 0.0, (0.02 ** (1 / 3), 0.072 ** (1 / 3), 0.012 ** (1 / 3))),
        ("minimum", 0.0, (0.1, 0.3, 0.2)),
        ("quantile", 0.0, (0.1, 0.3, 0.2)),
        ("quantile", 0.5, (0.4, 0.4, 0.2)),
        ("quantile", 1.0, (0.5, 0.6, 0.3)),
        # halfway between the smallest and the median, on the scale of logarithms
        ("quantile", 0.25, (0.04**0.5, 0.12**0.5, 0.2)),
    ],
)
def test_combinations_by_hand(how, quantile, weights):
    wanted = torch.tensor(weights, dtype=torch.float64)
    found = combine(MEMBERS, how, quantile).exp()
    torch.testing.assert_close(found, wanted / wanted.sum())


@pytest.mark.parametrize("how", COMBINATIONS)
def test_a_token_that_nobody_emits_stays_impossible(how):
    members = torch.tensor([[0.0, 1.0, FORBIDDEN], [2.0, 1.0, FORBIDDEN]]).log_softmax(-1)
    found = combine(members, how, 0.3)
    assert found[2] == FORBIDDEN
    assert found.exp().sum() == pytest.approx(1)


@pytest.mark.parametrize("how", COMBINATIONS)
def test_one_member_is_itself(how):
    torch.testing.assert_close(combine(MEMBERS[:1], how, 0.4), MEMBERS[0])


def test_wrong_names_and_numbers_are_refused():
    with pytest.raises(ValueError, match="how must be one of"):
        combine(MEMBERS, "mean")
    with pytest.raises(ValueError, match="quantile must lie in"):
        combine(MEMBERS, "quantile", 1.5)
    with pytest.raises(ValueError, match="objective must be one of"):
        divergence(MEMBERS, MEMBERS, "kl")


def test_settings_name_what_there_is():
    assert ensemble.COMBINATIONS == COMBINATIONS
    assert ratio.OBJECTIVES == OBJECTIVES


def test_values_by_hand():
    q, p = logs((0.5, 0.5)), logs((0.9, 0.1))
    ratio_of_prefixes = torch.tensor([3.0], dtype=torch.float64).log()  # weights 3/4 and 1/4
    value, slope = divergence(q, p, "reverse_kl")
    assert float(value) == pytest.approx(0.510826)  # log .5 - (log .9 + log .1) / 2
    # .5 (log(.5 / .9) - .510826)
    assert slope[0].tolist() == pytest.approx([-0.549306, 0.549306], abs=1e-6)
    value, slope = divergence(q, p, "forward_kl")
    assert float(value) == pytest.approx(0.9 * 0.587787 - 0.1 * 1.609438, abs=1e-6)
    assert slope[0].tolist() == pytest.approx([-0.4, 0.4])
    value, _ = divergence(q, p, "jensen_shannon", ratio_of_prefixes)
    # m = (.8, .2): (log(.5 / .8) + log(.5 / .2)) / 4
    assert float(value) == pytest.approx(0.111572, abs=1e-6)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_gradients_are_those_of_autograd(objective):
    rng = torch.Generator().manual_seed(1)
    logits = torch.randn(5, 7, generator=rng, dtype=torch.float64)
    logits[:, 3] = FORBIDDEN
    log_p = torch.randn(5, 7, generator=rng, dtype=torch.float64)
    log_p[:, 3] = FORBIDDEN
    log_p = log_p.log_softmax(-1)
    before = torch.randn(5, generator=rng, dtype=torch.float64)
    logits.requires_grad_()
    log_q = logits.log_softmax(-1)
    kept = torch.arange(7) != 3
    q, p = log_q[:, kept], log_p[:, kept]
    if objective == "reverse_kl":
        wanted = (q.exp() * (q - p)).sum(-1)
    elif objective == "forward_kl":
        wanted = (p.exp() * (p - q)).sum(-1)
    else:
        weight = before.sigmoid()[:, None]
        mixture = (weight * p.exp() + (1 - weight) * q.exp()).detach()
        wanted = (q.exp() * (q - mixture.log())).sum(-1) / 2
    value, slope = divergence(log_q.detach(), log_p, objective, before)
    torch.testing.assert_close(value, wanted.detach())
    (gradient,) = torch.autograd.grad(wanted.sum(), logits)
    torch.testing.assert_close(slope, gradient)


def test_scores_of_single_tokens_are_those_of_the_row():
    q, p = MEMBERS[:2], MEMBERS[1:]
    before = torch.tensor([0.3, -2.0], dtype=torch.float64)
    for objective in ("reverse_kl", "jensen_shannon"):
        rows = token_scores_of(q, p, objective, before)
        one = token_scores_of(q[:, 1], p[:, 1], objective, before)
        torch.testing.assert_close(one, rows[:, 1])
