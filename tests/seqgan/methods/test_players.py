"""The players and rewards of the methods, driven where the answer is known."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from benchmarks.arms import Recorder
from rollout import TRANSFORMS, ConstantReward, DiscriminatorReward, RandomReward, Sequences
from rollout.modules import frozen_copy
from seqgan.config import CNN, CriticConfig, PolicyGradient, RunConfig
from seqgan.config.algorithms import Evolution, SelfPlay
from seqgan.config.discriminators.language_model import LanguageModel
from seqgan.config.generators.leak import Leak
from seqgan.data.codec import IdCodec
from seqgan.data.prompts import NoPrompts
from seqgan.data.spec import TokenSpec
from seqgan.errors import NonFiniteLossError
from seqgan.models import Ensemble, make_discriminator, make_generator
from seqgan.models.gan_losses import GAN_LOSSES
from seqgan.rewards.build import build_reward
from seqgan.rewards.gan import GANReward
from seqgan.rewards.ingredients import Ingredients
from seqgan.rewards.ratio import RatioReward
from seqgan.rewards.terms import Term, Terms
from seqgan.training.control import NoiseGradient
from seqgan.training.distill import Distillation
from seqgan.training.mediator import Mediation
from seqgan.training.mle_loss import RealBatch, mle_term
from seqgan.training.players import Materials
from seqgan.training.policy_gradient import PolicyGradient as PolicyUpdates
from seqgan.training.processes import Part
from seqgan.training.ratio import RatioUpdates
from seqgan.training.runtime import Runtime, make_accelerator
from seqgan.training.self_play import SelfPlayUpdates

from ...small import ids, lstm
from ..training.test_ratio import alone
from .fine_tuning import evolving

P = torch.tensor([0.6, 0.3, 0.1])
"""The data's probabilities of three tokens, each a sequence."""
Q = torch.tensor([0.1, 0.3, 0.6])
"""The policy's probabilities of the same tokens."""


def three_tokens(probs: torch.Tensor):
    """A policy that says one of three tokens, with these probabilities."""
    policy = lstm(3, 1, 0, None, 0, 2, 2)
    with torch.no_grad():
        policy.head.weight.zero_()
        policy.head.bias.copy_(probs.log())
    return policy


def data() -> Sequences:
    """Ten sequences with the frequencies P."""
    return Sequences.from_lists([[0]] * 6 + [[1]] * 3 + [[2]], pad_id=0)


def density(policy) -> torch.Tensor:
    """Its probabilities of the three sequences."""
    every = Sequences.from_lists([[0], [1], [2]], pad_id=0)
    return policy.eval()(every).log_prob[:, 0].exp().detach()


def test_cots_mediator_learns_the_mixture():
    policy = three_tokens(Q).eval()
    config = CriticConfig(
        batch_size=500, rounds_learning_rate=0.05, optimizer={"weight_decay": 0.0}
    )
    player = Mediation(
        three_tokens(Q), policy, data(), config, Runtime(make_accelerator("cpu"), 0)
    )  # fmt: skip
    player.steps(60)
    assert torch.allclose(density(player.model), (P + Q) / 2, atol=0.04)
    assert torch.allclose(density(policy), Q)


def test_cots_policy_descends_its_divergence_from_the_mediator():
    policy, mediator = three_tokens(Q), three_tokens((P + Q) / 2).requires_grad_(False)
    materials = Materials(
        policy, frozen_copy(policy), RatioReward(Ensemble([mediator]), policy), None, data(),
        NoPrompts(), Runtime(make_accelerator("cpu"), 0), ensemble=Ensemble([mediator]),
    )  # fmt: skip
    work = RatioUpdates(RunConfig(method="cot").algorithm, materials)
    loss, *_ = work.loss(alone(data(), 0))
    (slope,) = torch.autograd.grad(loss, policy.head.bias)
    # q = .1 .3 .6 and m = .35 .3 .35: log q/m = -1.2528, 0, .5390, whose mean is KL = .1981;
    # q (log q/m - KL), which is the gradient of 2 JSD(p, q) as well
    assert slope.tolist() == pytest.approx([-0.1451, -0.0594, 0.2045], abs=2e-4)


def test_psi_mle_makes_data_of_samples():
    """Samples of q with weights D / (1 - D) have the expectations of p, and the policy learns p."""
    policy, odds = three_tokens(Q), (P / Q).log()
    recipe = RunConfig(method="psi-mle")
    assert recipe.algorithm.beta == 1 and recipe.rewards[0].form == "log_odds"
    config = replace(
        recipe.algorithm, samples=4000, refresh=0, real_share=0.0, batch_size=500,
        optimizer=replace(recipe.algorithm.optimizer, learning_rate=0.05, decay_steps=60),
    )  # fmt: skip
    player = Distillation(
        config,
        Materials(
            policy, frozen_copy(policy), lambda samples: odds[samples.tokens[:, 0]], None, data(),
            NoPrompts(), Runtime(make_accelerator("cpu"), 0),
        ),
    )  # fmt: skip
    first = player.pool().tokens[:, 0]
    shares = torch.stack([player.weights[first == token].sum() for token in range(3)]) / 4000
    assert torch.allclose(shares, P, atol=0.03)
    player.steps(60)
    assert torch.allclose(density(policy), P, atol=0.04)


def test_dgsans_policy_learns_the_data_beyond_its_former_self():
    policy = three_tokens(Q)
    config = SelfPlay(batch_size=1000, refresh=30, optimizer={"learning_rate": 0.05})
    player = SelfPlayUpdates(
        config,
        Materials(
            policy, frozen_copy(policy), ConstantReward(0.0), None, data(), NoPrompts(),
            Runtime(make_accelerator("cpu"), 0),
        ),
    )  # fmt: skip
    player.steps(1)
    assert torch.allclose(density(player.old), Q)
    player.steps(29)
    begun = (density(policy) - P).abs().sum()
    assert torch.allclose(density(player.old), Q)
    player.steps(60)
    assert (density(player.old) - P).abs().sum() < (Q - P).abs().sum() / 2
    assert (density(policy) - P).abs().sum() < begun + 0.1
    assert torch.allclose(density(policy), P, atol=0.06)
    with torch.no_grad():  # the best state is put back
        policy.head.bias.copy_(Q.log())
    player.soften()
    assert torch.equal(density(player.old), density(policy))


def test_metaex_gans_samples_are_the_explorers_and_its_gain_the_policys():
    policy = three_tokens(Q)
    settings = PolicyGradient(
        rollouts=0, batch_size=400, explorer_rate=0.05, importance_cap=10.0, baseline="mean"
    )  # fmt: skip
    runtime = Recorder(make_accelerator("cpu"), 0)
    materials = Materials(
        policy, frozen_copy(policy), ConstantReward(0.5), None, data(), NoPrompts(), runtime
    )  # fmt: skip
    player = PolicyUpdates(settings, materials)
    with torch.no_grad():
        player.explorer.policy.head.bias.copy_(P.log())
    batch, _ = player._batch()
    shares = torch.bincount(batch.whole.tokens[:, 0], minlength=3) / 400
    assert torch.allclose(shares, P, atol=0.08)
    assert torch.allclose(batch.old.log_prob[:, 0], P[batch.mine.tokens[:, 0]].log(), atol=1e-5)
    gains = iter([torch.tensor(0.2), torch.tensor(0.5)])
    player._own_mean_reward = lambda: next(gains)
    paid, learn = [], player.explorer.learn
    player.explorer.learn = lambda batch, gain: (paid.append(gain.item()), learn(batch, gain))
    player.steps(1)
    assert paid == [pytest.approx(0.3)]
    assert runtime.lines["adversarial"][-1]["gain"] == pytest.approx(0.3)
    assert player.sampling() is None  # the discriminator is trained against the policy itself


def exploring(reward, rate: float = 0.05) -> PolicyUpdates:
    """A player with an explorer."""
    policy = three_tokens(Q)
    settings = PolicyGradient(
        rollouts=0, batch_size=40, explorer_rate=rate, importance_cap=10.0, baseline="mean"
    )  # fmt: skip
    runtime = Recorder(make_accelerator("cpu"), 0)
    return PolicyUpdates(
        settings, Materials(policy, frozen_copy(policy), reward, None, data(), NoPrompts(), runtime)
    )


def test_metaex_gans_gain_is_not_measured_by_its_own_samples():
    """A standardised mean over its own samples is 0; by those of the step it rises with P(0)."""
    reward = Terms([Term("first", 1.0, lambda s: (s.tokens[:, 0] == 0).float(), "standardise")])
    player = exploring(reward)
    player._batch()
    centre = reward.terms[0].centre
    before = player._own_mean_reward()
    with torch.no_grad():
        player.policy.head.bias.copy_(P.log())
    assert player._own_mean_reward() - before > 0.5
    assert reward.terms[0].centre is centre
    player.steps(1)
    assert player.calls == 40 + 3 * 40 + 2 * 40 and reward.take_calls() == 0


def test_a_loss_of_the_explorer_that_is_not_finite_ends_the_training():
    player = exploring(ConstantReward(0.5))
    player.steps(1)
    assert "explorer_loss" in player.runtime.lines["adversarial"][-1]
    player.explorer.level.fill_(math.nan)
    with pytest.raises(NonFiniteLossError, match="lower --algorithm.explorer_rate"):
        player.steps(1)


def test_a_memory_is_judged_again_by_one_process_each():
    judge, asked = exploring(ConstantReward(0.5)).judge, []

    def reward(sequences):
        asked.append(sequences.to_lists())
        return sequences.lengths.float()

    judge.reward = reward
    judge.runtime.processes.part = lambda total: Part(1, total - 1, total)
    judge.runtime.processes.gather = lambda values, part: (values, part)
    assert judge.again(data().select(slice(5, 8)))[1] == Part(1, 2, 3)
    assert asked == [[[1], [1]]]


def test_a_reward_per_token_is_that_of_its_prefix():
    judge = make_discriminator(LanguageModel(embedding=2, hidden=3), ids(4), 0).eval()
    batch = Sequences.from_lists([[1, 2, 3], [3, 1, 2]], pad_id=0)
    reward = GANReward(DiscriminatorReward(judge, "log_odds"), "centred", batch)
    logits = judge(batch).detach()
    for t in range(3):
        odds = logits[:, : t + 1].sum(1)
        expected = 2 * odds.sigmoid() - 1
        assert torch.allclose(reward(batch)[:, t].float(), expected, atol=1e-6)


def test_organ_pays_half_of_the_discriminator_and_half_of_the_objective():
    spec = TokenSpec(5, 0, None, 0, 3, ())
    judge = make_discriminator(CNN(embedding=2, widths=[1], filters=[2]), ids(5), 0).eval()
    with torch.no_grad():
        judge.output.weight.zero_()
        judge.output.bias.fill_(math.log(3))  # D = 3 / 4
    real = Sequences.from_lists([[1, 2, 3]], pad_id=0)
    given = Ingredients(real, IdCodec(spec), 0, judge)
    reward = build_reward(RunConfig(method="organ").rewards, given)
    found = reward(Sequences.from_lists([[1, 2, 3], [1, 2, 4]], pad_id=0))
    assert found.tolist() == pytest.approx([0.5 * 3 / 4, 0.5 * 3 / 4 + 0.5])


def test_catgans_children_get_each_loss_at_each_temperature():
    player = evolving(
        Evolution(batch_size=4, losses=["log_odds", "minimax"], within_labels=False)
    )  # fmt: skip
    seen, original = [], player.update

    def spy(temperature):
        seen.append((player.loss, temperature))
        return original(temperature)

    player.update = spy
    player.step()
    now = player.settings.temperature
    assert seen == [
        (GAN_LOSSES[name], pytest.approx(now * factor))
        for name in ("log_odds", "minimax")
        for factor in (1.0, 0.8)
    ]


def test_a_child_without_a_fitness_is_no_parent():
    player = evolving(Evolution(batch_size=4, diversity_weight=0.5))
    player.discriminator.output.bias.data.fill_(math.nan)
    assert player.fitness() == -math.inf


def leak():
    chosen = Leak(embedding=3, hidden=4, goal=2, horizon=2, leaked=3, widths=[1, 2], filters=[2, 2])
    policy = make_generator(chosen, ids(5, 6), 0).eval()
    policy.see(make_discriminator(CNN(embedding=3, widths=[1, 2], filters=[2, 2]), ids(5, 6), 9))
    return policy


def test_leakgans_mle_term_trains_the_manager_too():
    policy = leak()
    batch = Sequences.from_lists([[1, 2, 3, 4], [4, 4, 1]], pad_id=0)
    scores = policy(batch)
    nll = -(scores.log_prob * batch.mask).sum() / 7
    own = policy.own_loss(batch, batch.mask.float())
    assert own.abs() > 1e-3
    term = mle_term(policy, RealBatch(batch, Part(0, 2, 2)))
    assert term.item() == pytest.approx((nll + own).item(), rel=1e-5)


@pytest.mark.parametrize("widths", [[1, 2], [3], [2, 5]])
def test_leakgans_eye_sees_each_prefix_as_the_discriminator_does(widths):
    """Grown token by token, or for all prefixes at once: as the whole network on each prefix."""
    settings = CNN(embedding=3, widths=widths, filters=[4] * len(widths), dropout=0.0)
    judge = make_discriminator(settings, ids(6, 7), 3).eval()
    chosen = Leak(leaked=3, widths=widths, filters=[4] * len(widths), hidden=4, goal=2)
    eye = make_generator(chosen, ids(6, 7), 0).eval()
    eye.see(judge)
    rows = torch.randint(0, 6, (20, 7), generator=torch.Generator().manual_seed(0))
    shown = judge.embedding(rows).detach()
    at_once = eye.eye.all_prefixes(shown)
    state = eye.eye.begin(20)
    for t in range(8):
        given = shown[:, t - 1] if t else torch.full((20, 3), 9.0)  # what BOS is does not matter
        grown, state = eye.eye.step(given, state)
        wanted = torch.zeros(20, at_once.shape[2])
        if t:
            wanted = judge.features(Sequences(rows[:, :t], torch.full((20,), t)))
        assert torch.allclose(grown, wanted, atol=1e-5), t
        assert torch.allclose(at_once[:, t], wanted, atol=1e-5), t


def test_leakgans_worker_has_its_own_reward_and_the_manager_the_discriminators():
    policy, settings = leak(), PolicyGradient(rollouts=0, batch_size=3, transform="rank")
    data = Sequences.from_lists([[1, 2, 3, 4], [4, 4, 1, 2]], pad_id=0)
    runtime = Runtime(make_accelerator("cpu"), 0)
    materials = Materials(
        policy, frozen_copy(policy), RandomReward(1), None, data, NoPrompts(), runtime
    )  # fmt: skip
    player = PolicyUpdates(settings, materials)
    batch, _ = player._batch()
    assert torch.allclose(batch.advantage, policy.own_reward(batch.mine))
    assert not torch.allclose(batch.reward_advantage, batch.advantage)
    scores = policy(batch.mine)
    worker = -(scores.log_prob * batch.advantage).sum() / 3
    manager = policy.own_loss(batch.mine, batch.reward_advantage)
    per_sequence = batch.mine.lengths.sum() / 3
    loss = player._loss(batch, torch.zeros(()), None, None)
    assert loss.item() == pytest.approx((worker + manager * per_sequence).item(), rel=1e-4)
    noise = NoiseGradient(settings, materials, 0.1)
    assert noise.own_reward(batch.mine) is None  # the control's tokens have the noise


def test_leakgans_manager_is_shared_by_tokens():
    policy = leak()
    rows, weights = [[1, 2, 3, 4, 1, 2], [4, 4, 1], [2, 3]], torch.full((3, 6), 0.5)
    whole = Sequences.from_lists(rows, pad_id=0)
    wanted = policy.own_loss(whole, weights).item()
    found = 0.0
    for part in (Part(0, 1, 3), Part(1, 2, 3)):
        mine = whole.select(part.rows)
        found += part.of_tokens(policy.own_loss(mine, weights[part.rows]), whole.mask).item()
    assert found == pytest.approx(wanted, rel=1e-5)


def test_leakgans_manager_follows_the_rank_of_the_reward():
    policy = leak()
    batch = Sequences.from_lists([[1, 2, 3, 4], [4, 4, 1, 2]], pad_id=0)
    values = torch.tensor([5.0, 1.0])[:, None].expand(2, 4)
    weights = TRANSFORMS["rank"](values, batch.mask, None)
    # ranks 1 and 2 of 2: sigmoid(16 (0.5 - 1/2)) and sigmoid(16 (0.5 - 1))
    assert weights[:, 0].tolist() == pytest.approx([1 / (1 + math.exp(8)), 1 / 2][::-1])
    each = [
        policy.own_loss(batch, torch.eye(2)[row][:, None].expand(2, 4)).item() for row in (0, 1)
    ]
    shares = torch.tensor(each) * weights[:, 0]
    assert policy.own_loss(batch, weights).item() == pytest.approx(shares.sum().item(), abs=1e-5)
