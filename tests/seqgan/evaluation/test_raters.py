"""Raters of explanations, by hand; attention in the space that a page has."""

from __future__ import annotations

import pytest
import torch

from rollout import Sequences
from seqgan.config import DISCRIMINATORS, GENERATORS, CriticConfig
from seqgan.data.id_codec import IdCodec
from seqgan.evaluation.attention import SIDE, summary
from seqgan.evaluation.explain import explained
from seqgan.evaluation.raters import KINDS, DiscriminatorRater, RatioRater, RewardRater
from seqgan.models import Ensemble, make_generator
from seqgan.models.gan_losses import calibrated
from seqgan.rewards.ratio import RatioReward

from ...small import bilstm, ids, small

SPEC = ids(5, 4)
BATCH = Sequences(torch.tensor([[1, 2, 3], [2, 0, 0]]), torch.tensor([3, 1]))


def policy_of(seed: int):
    """A small LSTM."""
    return make_generator(small(GENERATORS["lstm"]), SPEC, seed=seed).eval()


def squares(sequences: Sequences) -> torch.Tensor:
    """The square of the sum of the tokens."""
    return torch.where(sequences.mask, sequences.tokens, 0).sum(1).float() ** 2


def test_a_reward_loses_what_a_token_has_added():
    rater = RewardRater(squares)
    assert rater(BATCH).tolist() == [36, 4]
    # (1 + 2 + 3)^2 minus 5^2, 4^2, 3^2; alone a token has nothing to be compared with.
    assert rater.shares(BATCH, rater(BATCH))["shares"].tolist() == [[11, 20, 27], [0, 0, 0]]
    assert RewardRater(squares, fixed=True).shares(BATCH, torch.zeros(2)) == {}


def test_nothing_is_judged_twice_nor_without_a_token():
    asked = []

    def counted(sequences: Sequences) -> torch.Tensor:
        asked.extend(sequences.to_lists())
        return squares(sequences)

    rater = RewardRater(counted)
    numbers = squares(BATCH)
    (found, _) = explained(
        policy_of(0), BATCH, IdCodec(SPEC), rater, rollouts=0, numbers=numbers
    )  # fmt: skip
    assert found.judged == 36 and found.shares == [11, 20, 27]
    assert asked == [[2, 3], [1, 3], [1, 2]]  # not the sequences themselves, and no empty one


def test_the_shares_of_a_ratio_are_its_tokens():
    policy, other = policy_of(0), policy_of(3)
    rater = RatioRater(RatioReward(Ensemble([other]), policy))
    with torch.no_grad():
        ratio = other(BATCH).log_prob - policy(BATCH).log_prob
    assert torch.allclose(rater.shares(BATCH, rater(BATCH))["shares"], ratio, atol=1e-5)
    assert torch.allclose(rater(BATCH), ratio.sum(1), atol=1e-5)
    found = explained(policy, BATCH, IdCodec(SPEC), rater, rollouts=2)
    for each, row, length in zip(found, ratio, (3, 1), strict=True):
        assert each.kind == "log_ratio" and each.judged == pytest.approx(float(row.sum()), abs=1e-4)
        assert each.values[-1] == pytest.approx(each.judged, abs=1e-4)  # nothing is left to come
        assert each.shares == pytest.approx(row[:length].tolist(), abs=1e-4)


def test_what_is_no_log_odds_is_not_called_so():
    model = bilstm(5)
    for loss, kind in [("minimax", "log_odds"), ("wasserstein", "score"), ("hinge", "score")]:
        right = calibrated(model, CriticConfig(loss=loss))
        assert DiscriminatorRater(model, None, right).kind == kind
    assert not calibrated(model, CriticConfig(label_smoothing=0.1))
    assert "odds" in KINDS["log_odds"].name and "real" not in " ".join(KINDS["score"])


def test_attention_is_kept_in_full_where_there_is_room():
    weights = torch.rand(2, 3, 5, 5).softmax(-1)
    found = summary(weights)
    assert (found.detail, found.tokens, found.looked_at) == ("heads", 1, 1)
    assert torch.allclose(torch.tensor(found.maps), weights, atol=1e-4)
    assert torch.allclose(torch.tensor(found.mean), weights.mean((0, 1)), atol=1e-4)


def test_less_is_kept_of_longer_sequences():
    weights = torch.rand(2, 3, 5, 5).softmax(-1)
    layers, whole = summary(weights, most=100), summary(weights, most=40)
    assert layers.detail == "layers" and whole.detail == "all"
    assert torch.allclose(torch.tensor(layers.maps), weights.mean(1, keepdim=True), atol=1e-4)
    long = summary(torch.rand(1, 1, SIDE + 3, SIDE + 3).softmax(-1))
    assert (long.tokens, len(long.mean), len(long.mean[0])) == (2, 62, 62)
    assert torch.allclose(torch.tensor(long.mean).sum(1), torch.ones(()), atol=1e-2)


def test_blocks_of_tokens_by_hand(monkeypatch):
    from seqgan.evaluation import attention

    monkeypatch.setattr(attention, "SIDE", 2)
    weights = torch.tensor([[1.0, 0, 0], [0.5, 0.5, 0], [0.2, 0.3, 0.5]])[None, None]
    found = summary(weights)
    # Rows: the mean of the first two, and the third; columns: sums over the same blocks.
    assert found.mean == [[1.0, 0.0], [0.5, 0.5]] and found.tokens == found.looked_at == 2


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_every_discriminator_is_a_rater(name):
    from seqgan.evaluation.attribution import baseline_of
    from seqgan.models import make_discriminator

    model = make_discriminator(
        small(DISCRIMINATORS[name]), SPEC, seed=1, codec=IdCodec(SPEC)
    ).eval()
    baseline = None if model.reads_text else baseline_of(model, BATCH)
    rater = DiscriminatorRater(model, baseline)
    found = explained(policy_of(0), BATCH, IdCodec(SPEC), rater, rollouts=1)
    assert [len(each.shares) for each in found] == [3, 1]
    assert bool(found[0].gradients) == (not model.reads_text)
