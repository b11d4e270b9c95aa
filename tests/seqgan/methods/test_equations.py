"""The equations of the methods, on literal numbers."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch.nn.functional import softplus

from rollout import TRANSFORMS, Sequences, TokenScores, discounted_returns
from seqgan.config import CNN, CriticConfig, PolicyGradient, RunConfig
from seqgan.config.algorithms import Evolution
from seqgan.config.discriminators.language_model import LanguageModel
from seqgan.config.generators.leak import Leak
from seqgan.config.rewards import BleuTerm
from seqgan.data.codec import IdCodec
from seqgan.data.prompts import Beginnings
from seqgan.data.spec import TokenSpec
from seqgan.models import make_discriminator, make_generator
from seqgan.models.gan_losses import GAN_LOSSES
from seqgan.models.hierarchy import within_labels
from seqgan.models.ranking import log_rank, ranking_loss
from seqgan.rewards.ingredients import Ingredients
from seqgan.rewards.texts import Bleu
from seqgan.training.explorer import Explorer
from seqgan.training.likelihood import jensen_shannon_weights
from seqgan.training.mle_loss import RealBatch, mle_term, own_inputs
from seqgan.training.pair_loss import PairLoss
from seqgan.training.policy_gradient import OWN_SHARE
from seqgan.training.policy_loss import PolicyBatch, policy_loss
from seqgan.training.processes import Part
from seqgan.training.runtime import Runtime, make_accelerator
from seqgan.training.self_play import log_ratio

from ...small import ids, lstm
from .fine_tuning import evolving


def log(*numbers: float) -> torch.Tensor:
    return torch.tensor(numbers).log()


def batch_of(new, old, advantage) -> tuple[TokenScores, PolicyBatch]:
    """A batch of two sequences of two tokens, by the probabilities of their tokens."""
    tokens = Sequences(torch.zeros(2, 2, dtype=torch.int64), torch.tensor([2, 2]))
    before = TokenScores(torch.tensor(old).log(), torch.zeros(2, 2))
    now = TokenScores(torch.tensor(new).log().requires_grad_(), torch.zeros(2, 2))
    part = Part(0, 2, 2)
    values = torch.tensor(advantage)
    made = PolicyBatch(
        tokens, part, tokens, tokens.mask, values, before, None, values[:, 0], 2, values
    )  # fmt: skip
    return now, made


def test_maligan_weights_and_beginnings():
    # D / (1 - D) = 3, 1 and 4 in one group, 1 and 1 in the other: n r / sum r - 1
    odds = log(3, 1, 4, 1, 1)[:, None].expand(5, 2)
    groups = torch.tensor([0, 0, 0, 7, 7])
    weights = TRANSFORMS["maligan"](odds, torch.ones(5, 2, dtype=torch.bool), groups)
    assert weights[:, 0].tolist() == pytest.approx([9 / 8 - 1, 3 / 8 - 1, 12 / 8 - 1, 0, 0])
    real = Sequences.from_lists([[5, 6, 7], [8, 9]], pad_id=0)
    drawn = Beginnings(real, 2).draw(8, torch.Generator().manual_seed(0)).prefix
    assert {tuple(row) for row in drawn.to_lists()} == {(5, 6), (8,)}  # never a whole sequence


def test_rankgans_score_loss_and_reward():
    # cosines of s with the reference u: 1, 0; of the rivals with u: 0, 1; gamma = log 2
    s, u = torch.tensor([[2.0, 0.0], [0.0, 3.0]]), torch.tensor([[1.0, 0.0]])
    rivals = torch.tensor([[0.0, 1.0], [5.0, 0.0]])
    # 2 / (2 + 1 + 2) and 1 / (1 + 1 + 2)
    assert log_rank(s, u, rivals, math.log(2)).exp().tolist() == pytest.approx([2 / 5, 1 / 4])
    # by two references the scores are averaged: 1 / (1 + 3) and 2 / (2 + 3) of the first
    two = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    score = log_rank(s[:1], two, rivals, math.log(2)).exp().item()
    assert score == pytest.approx((1 / 4 + 2 / 5) / 2)
    # references: the first real one; real: the second, among generated ones; and the other way
    real, generated = (
        torch.tensor(rows).double() for rows in ([[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0]])
    )  # fmt: skip
    e = math.exp(10)
    expected = -math.log(e / (e + 1)) - math.log(1 - 1 / (1 + e))
    assert ranking_loss(real, generated).item() == pytest.approx(expected, rel=1e-6)
    reward = GAN_LOSSES["ranking"].reward(generated, real)
    assert reward.tolist() == pytest.approx([math.log(1 / (1 + e))], rel=1e-5)


def test_pg_bleus_reward_is_bleu():
    real = Sequences.from_lists([[3, 4, 5, 6]], pad_id=0)
    codec = IdCodec(TokenSpec(9, 0, None, 0, 6, ()))
    term = RunConfig(method="pg-bleu").rewards[0]
    assert isinstance(term, BleuTerm) and not term.objective
    reward = Bleu(BleuTerm(order=2), Ingredients(real, codec, 0))
    # 3 of 4 unigrams, 2 of 3 bigrams
    found = reward(Sequences.from_lists([[3, 4, 5, 8]], pad_id=0))
    assert found.item() == pytest.approx((3 / 4 * 2 / 3) ** 0.5)


def test_scheduled_sampling_gives_own_tokens_as_inputs():
    policy = lstm(5, 3, 0, None, 0, 4, 4).eval()
    with torch.no_grad():  # it says 4 whatever came before
        policy.head.weight.zero_()
        policy.head.bias.copy_(torch.tensor([0.0, 0.0, 0.0, 0.0, 1e4]))
    real = Sequences.from_lists([[1, 2, 3]], pad_id=0)
    choices = torch.tensor([[0.1, 0.9, 0.2]])
    inputs = own_inputs(policy, real, 0.5, torch.full((1, 3), 0.5), choices)
    assert inputs.to_lists() == [[4, 2, 4]]


def test_jsdgans_weights():
    # N = 4: p = 1/4 and 1/12; -p log(p / (p + 1/4)) = log(2) / 4 and log(4) / 12
    weights = jensen_shannon_weights(log(1 / 4, 1 / 12), 4)
    raw = [math.log(2) / 4, math.log(4) / 12]
    assert weights.tolist() == pytest.approx([2 * each / sum(raw) for each in raw])
    # its gradient is that of the divergence: p over 3 sequences, 2 of them training data
    logits = torch.tensor([0.3, -0.2, 0.5], dtype=torch.float64, requires_grad=True)
    p, data = logits.softmax(0), torch.tensor([0.5, 0.5, 0.0]).double()
    mixed = (p + data) / 2
    of_data = (data[:2] * (data[:2] / mixed[:2]).log()).sum()
    divergence = (of_data + (p * (p / mixed).log()).sum()) / 2
    (slope,) = torch.autograd.grad(divergence, logits, retain_graph=True)
    (likelihood,) = torch.autograd.grad(
        (jensen_shannon_weights(p[:2].log(), 2) * p[:2].log()).sum(), logits
    )
    assert torch.allclose(slope / slope.norm(), -likelihood / likelihood.norm())


def test_dgsans_logit_and_its_optimum():
    policy = lstm(4, 2, 0, None, 0, 4, 4).eval()
    batch = Sequences.from_lists([[1, 2], [3, 3]], pad_id=0)
    own = policy(batch).log_prob.sum(1).detach()
    assert torch.allclose(log_ratio(policy, batch, own), torch.zeros(2))
    assert torch.allclose(log_ratio(policy, batch, own - log(2, 4)), log(2, 4))
    # with q = p the cross-entropy of data p against samples of q_old has no slope
    p, old = torch.tensor([0.6, 0.3, 0.1]), torch.tensor([0.2, 0.3, 0.5])
    logits = p.log().requires_grad_()
    odds = logits.log_softmax(0) - old.log()
    loss = (p * softplus(-odds) + old * softplus(odds)).sum()
    (slope,) = torch.autograd.grad(loss, logits)
    assert slope.abs().max() < 1e-6


def test_coldgans_importance_weights():
    chosen = PolicyGradient(
        rollouts=0, temperature=0.7, importance_cap=2.0, baseline="none"
    )  # fmt: skip
    recipe = RunConfig(method="coldgan").algorithm
    assert recipe.nucleus < 1 and recipe.importance_cap == 1 / OWN_SHARE  # no weight is cut
    # pi / pi_cold: 1/2, 1, 4 -> 2, 1; advantages 1 and 3
    now, batch = batch_of([[0.2, 0.5], [0.8, 0.1]], [[0.4, 0.5], [0.2, 0.1]], [[1.0, 1], [3, 3]])
    loss = policy_loss(now, batch, chosen)
    expected = -(0.5 * math.log(0.2) + math.log(0.5) + 6 * math.log(0.8) + 3 * math.log(0.1)) / 2
    assert loss.item() == pytest.approx(expected)
    for name in ("temperature", "nucleus"):
        with pytest.raises(ValueError, match=f"{name} 0.7: .* --algorithm.importance_cap 2"):
            PolicyGradient(**{name: 0.7})
    with pytest.raises(ValueError, match="nucleus: 0 is not above 0"):
        PolicyGradient(nucleus=0, importance_cap=2)


def test_metaex_gans_explorer_is_paid_for_the_gain():
    recipe = RunConfig(method="metaex-gan").algorithm
    assert recipe.explorer_rate > 0 and recipe.importance_cap > 0
    policy, runtime = lstm(3, 1, 0, None, 0, 2, 2), Runtime(make_accelerator("cpu"), 0)
    explorer = Explorer(policy, recipe.optimizer, 0.1, runtime, "adversarial", None)
    whole = Sequences.from_lists([[0], [2]], pad_id=0)
    old, part = explorer.policy(whole), Part(0, 2, 2)
    batch = PolicyBatch(
        whole, part, whole, whole.mask, torch.zeros(2, 1), old, None, torch.zeros(2), 1,
        torch.zeros(2, 1),
    )  # fmt: skip
    # - gain times the mean of log q_e, whatever each sample's own reward was
    loss = explorer._loss(batch, torch.tensor(0.4))
    assert loss.item() == pytest.approx(-0.4 * old.log_prob.mean().item(), rel=1e-5)
    explorer.learn(batch, torch.tensor(0.4))
    assert explorer.level.item() == pytest.approx(0.4)
    explorer.learn(batch, torch.tensor(0.2))
    assert explorer.level.item() == pytest.approx(0.3)
    with pytest.raises(ValueError, match="explorer_rate 0.1: .* --algorithm.importance_cap 2"):
        PolicyGradient(explorer_rate=0.1)


def test_textgails_ratio_of_whole_sequences():
    chosen = PolicyGradient(rollouts=0, loss="whole_sequence", clip=0.2, baseline="none")
    # ratios of the sequences: 0.55 * 0.5 / 0.25 = 1.1, and 0.9 * 0.6 / 0.25 = 2.16, clipped to 1.2
    now, batch = batch_of([[0.55, 0.5], [0.9, 0.6]], [[0.5, 0.5]] * 2, [[2.0, 2], [1, 1]])
    assert policy_loss(now, batch, chosen).item() == pytest.approx(-(2 * 1.1 + 1.2) / 2)
    # the pairwise discriminator: a softmax over both logits
    pair = GAN_LOSSES["relativistic"].discriminator(log(3), log(2))
    assert pair.item() == pytest.approx(-math.log(3 / 5))
    # the reward: the probability of being taken for the real one, 2 / 5
    recipe = RunConfig(method="textgail")
    form = recipe.rewards[0].form
    assert GAN_LOSSES[form].reward(log(2), log(3)).item() == pytest.approx(2 / 5)
    # standardised over sequences, however long: rewards 1 and 3 of 1 and 3 tokens, mean 2, spread 1
    mask = torch.tensor([[True, False, False], [True, True, True]])
    values = torch.tensor([1.0, 3.0])[:, None].expand(2, 3)
    found = TRANSFORMS[recipe.algorithm.transform](values, mask, None)
    assert found.tolist() == [[-1, 0, 0], [1, 1, 1]]


def test_the_likelihood_beside_it_per_token_or_per_sequence():
    policy = lstm(5, 3, 0, None, 0, 4, 4).eval()
    whole = Sequences.from_lists([[1, 2, 3], [4]], pad_id=0)
    real, log_prob = RealBatch(whole, Part(0, 2, 2)), policy(whole).log_prob.sum()
    assert mle_term(policy, real).item() == pytest.approx(-log_prob.item() / 4)
    assert mle_term(policy, real, "sequence").item() == pytest.approx(-log_prob.item() / 2)
    assert RunConfig(method="textgail").algorithm.mle_per == "sequence"


def test_dpgans_logit_is_the_cross_entropy():
    judge = make_discriminator(LanguageModel(embedding=2, hidden=3), ids(4), 0).eval()
    with torch.no_grad():
        judge.projection.weight.zero_()
        judge.projection.bias.copy_(torch.tensor([math.log(2), 0.0]))
        judge.embedding.weight.copy_(torch.tensor([[1.0, 0], [0, 0], [0, 5], [1, 9]]))
        judge.log_factor.fill_(math.log(3))
        judge.level.fill_(math.log(4))
    # p = 2/6, 1/6, 1/6, 2/6 whatever came before
    batch = Sequences.from_lists([[0, 1], [3]], pad_id=0)
    logits = judge(batch)
    expected = [[3 * math.log(3 / 4), 3 * math.log(6 / 4)], [3 * math.log(3 / 4), 0]]
    assert torch.allclose(logits, torch.tensor(expected), atol=1e-6)
    # the paper's: the surprise itself, as reward and in the discriminator's difference of means
    recipe = RunConfig(method="dpgan")
    assert not recipe.discriminator.scaled and recipe.rewards[0].form == "log_odds"
    plain = make_discriminator(LanguageModel(embedding=2, hidden=3, scaled=False), ids(4), 0).eval()
    names = {*plain.state_dict()}
    plain.load_state_dict({k: v for k, v in judge.state_dict().items() if k in names})
    surprise = [[math.log(3), math.log(6)], [math.log(3), 0]]
    assert torch.allclose(plain(batch), torch.tensor(surprise), atol=1e-6)
    loss = PairLoss(plain, recipe.critic, Runtime(make_accelerator("cpu"), 0))
    pairs = [batch.select(slice(0, 1)), batch.select(slice(1, 2))]  # real, generated
    found = loss(pairs, Part(0, 1, 1), None, None).item()
    assert found == pytest.approx(math.log(3) - (math.log(3) + math.log(6)) / 2)
    # words 1 and 5, mean 3: (1 + 5) * 3 and 5 * 3; a sentence of one word 2: 2 * 2
    mask = torch.tensor([[True, True], [True, False]])
    to_go = discounted_returns(torch.tensor([[1.0, 5.0], [2.0, 9.0]]), mask, 1.0)
    values = TRANSFORMS[recipe.algorithm.transform](to_go, mask, None)
    assert values.tolist() == [[18, 15], [4, 0]]


def labelled(rows: list[list[int]], labels: list[int]) -> Sequences:
    given = Sequences.from_lists(rows, pad_id=0)
    return replace(given, condition={"label": torch.tensor(labels)})


def test_sentigans_penalty_and_organs_mixture():
    odds = log(3, 1 / 4)  # D = 3/4, 1/5
    assert GAN_LOSSES["penalty"].reward(odds, odds).tolist() == pytest.approx([-1 / 4, -4 / 5])
    # the generator's loss: sum_t G(y_t) V with the penalty V, not log G: .2 * 3 + .5 * 1, .8 + .1
    chosen = RunConfig(method="sentigan")
    assert chosen.rewards[0].form == "penalty" and chosen.discriminator.label_classes
    now, batch = batch_of([[0.2, 0.5], [0.8, 0.1]], [[0.5, 0.5]] * 2, [[-3.0, -1], [-1, -1]])
    loss = policy_loss(now, batch, replace(chosen.algorithm, rollouts=0))
    assert loss.item() == pytest.approx((0.6 + 0.5 + 0.8 + 0.1) / 2)


def test_sentigans_discriminator_has_a_class_for_each_label_and_one_for_samples():
    spec = ids(5)._replace(labels=2)
    settings = CNN(embedding=2, widths=[1], filters=[2], label_classes=True)
    judge = make_discriminator(settings, spec, 0).eval()
    assert judge.classes == 3 and not hasattr(judge, "labels") and not judge.calibrated
    with torch.no_grad():  # probabilities 2/6, 1/6, 3/6 of label 0, label 1, generated
        judge.output.weight.zero_()
        judge.output.bias.copy_(log(2, 1, 3))
    pairs = [labelled([[1, 2]], [0]), labelled([[3, 4]], [1])]
    # D of the own label: 2/6, so odds 2/4, and 1/6: 1/5
    assert judge(pairs[0]).exp().item() == pytest.approx(1 / 2)
    assert judge(pairs[1]).exp().item() == pytest.approx(1 / 5)
    loss = PairLoss(judge, CriticConfig(), Runtime(make_accelerator("cpu"), 0))
    found = loss(pairs, Part(0, 1, 1), None, None).item()
    assert found == pytest.approx(-(math.log(2 / 6) + math.log(3 / 6)) / 2)
    alone = make_discriminator(settings, ids(5), 0)  # without labels an output of its own
    assert alone.classes == 0 and alone.output.out_features == 1 and alone.calibrated
    terms = RunConfig(method="organ").rewards
    assert [each.name for each in terms] == ["discriminator", "novelty"]
    assert [each.weight for each in terms] == [0.5, 0.5]


def test_the_windows_of_a_network_with_classes_explain_its_log_odds():
    """Responses are linear in the embeddings: the slope along them is the sum of all shares."""
    settings = CNN(embedding=2, widths=[1], filters=[8], label_classes=True)
    judge = make_discriminator(settings, ids(5)._replace(labels=2), 0).eval().double()
    with torch.no_grad():
        judge.embedding.weight.mul_(5.0)
        judge.output.weight.mul_(5.0)
        slopes = []
        for label in (0, 1):
            given, step = labelled([[1, 2, 3]], [label]), 1e-4
            embedded = judge.embedding(given.tokens)
            up, down = (
                judge.forward_embedded(embedded * scale, given.lengths, given.condition).item()
                for scale in (1 + step, 1 - step)
            )
            slopes.append((up - down) / (2 * step))
            shares = sum(window.share for window in judge.windows(given)[0])
            assert shares == pytest.approx(slopes[-1], rel=1e-3)
    assert abs(slopes[0] - slopes[1]) > 0.1


def test_scratchgans_discounted_returns():
    # D of the prefixes 3/4, 1/4: rewards 2 D - 1 = .5, -.5; returns .5 - .23 * .5, -.5
    rewards = GAN_LOSSES["centred"].reward(log(3, 1 / 3), log(1))[None]
    assert rewards.tolist() == [pytest.approx([0.5, -0.5])]
    returns = discounted_returns(rewards, torch.ones(1, 2, dtype=torch.bool), 0.23)
    assert returns.tolist() == [pytest.approx([0.5 - 0.23 * 0.5, -0.5])]
    assert RunConfig(method="scratchgan").algorithm.discount == 0.23


def test_the_minimax_gans_loss():
    # log(1 - D) of odds 3 and 1 / 4: D = 3/4, 1/5
    loss = GAN_LOSSES["minimax"].generator(log(1, 1), log(3, 1 / 4))
    assert loss.item() == pytest.approx((math.log(1 / 4) + math.log(4 / 5)) / 2)
    chosen = RunConfig(method="minimax-gan")
    assert chosen.generator.noise and chosen.adversarial.start == "scratch"


def test_relgans_loss_temperature_and_representations():
    loss = GAN_LOSSES["relativistic"]
    assert loss.generator(log(3), log(2)).item() == pytest.approx(-math.log(2 / 5))
    chosen = RunConfig(method="relgan").algorithm
    assert (chosen.temperature, chosen.last_temperature) == (1, 0.01)
    assert chosen.schedule == "exponential"
    # one network on each representation, logits averaged
    settings = CNN(embedding=2, representations=3, widths=[1, 2], filters=[3, 3])
    judge = make_discriminator(settings, ids(5), 0).eval()
    alone = make_discriminator(CNN(embedding=2, widths=[1, 2], filters=[3, 3]), ids(5), 1).eval()
    batch = Sequences.from_lists([[1, 2, 3], [4, 0]], pad_id=0)
    state = {k: v for k, v in judge.state_dict().items() if k != "embedding.weight"}
    found = []
    for table in judge.embedding.weight.detach().split(2, 1):
        alone.load_state_dict({**state, "embedding.weight": table})
        found.append(alone(batch))
    assert torch.allclose(judge(batch), torch.stack(found).mean(0), atol=1e-6)
    # the loss is taken of the logit of each, of pairs of one representation
    assert RunConfig(method="relgan").discriminator.loss_of_each and judge.views == 1
    judge.views = 3
    critic = PairLoss(judge, RunConfig(method="relgan").critic, Runtime(make_accelerator("cpu"), 0))
    pairs = [batch.select(slice(0, 1)), batch.select(slice(1, 2))]
    each = [logits[1] - logits[0] for logits in found]
    expected = softplus(torch.stack(each)).mean().item()
    assert critic(pairs, Part(0, 1, 1), None, None).item() == pytest.approx(expected, rel=1e-5)
    assert expected != pytest.approx(softplus(torch.stack(each).mean()).item(), rel=1e-5)


def test_catgans_losses_within_and_among_labels():
    real, generated = log(3, 1 / 4, 2), log(2, 1 / 9, 1, 5)
    own, theirs = torch.tensor([0, 0, 1]), torch.tensor([0, 1, 0, 2])  # no real one of label 2
    pair = lambda a, b: -math.log(a / (a + b))  # noqa: E731
    # label 0: 3 and 1/4 against 2 and 1; label 1: 2 against 1/9
    zero = (pair(3, 2) + pair(3, 1) + pair(1 / 4, 2) + pair(1 / 4, 1)) / 4
    found = within_labels("relativistic", real, generated, own, theirs)
    assert found.item() == pytest.approx(zero + pair(2, 1 / 9), rel=1e-6)
    # against means of the logits: odds sqrt(3/4) and sqrt 2 of label 0
    ahead = (pair(3, 2**0.5) + pair(1 / 4, 2**0.5)) / 2 + pair(2, 1 / 9)
    behind = (pair(0.75**0.5, 2) + pair(0.75**0.5, 1)) / 2 + pair(2, 1 / 9)
    found = within_labels("relativistic_average", real, generated, own, theirs)
    assert found.item() == pytest.approx(ahead + behind, rel=1e-6)
    # the discriminator's loss is the sum over both levels
    judge = make_discriminator(CNN(embedding=2, widths=[1], filters=[2]), ids(5), 0).eval()
    judge.conditional = True  # it would read the label, and does not here
    loss = PairLoss(judge, RunConfig(method="catgan").critic, Runtime(make_accelerator("cpu"), 0))
    pairs = [labelled([[1, 2], [3, 4]], [0, 1]), labelled([[2, 2], [4, 4]], [1, 0])]
    flat = loss(pairs, Part(0, 2, 2), None, None).item()
    loss.compares_labels = True
    logits = [judge(each) for each in pairs]
    more = within_labels(
        "relativistic_average", *logits, torch.tensor([0, 1]), torch.tensor([1, 0])
    )
    assert loss(pairs, Part(0, 2, 2), None, None).item() == pytest.approx(flat + more.item())
    # the authors' run: two losses, weight .001, three steps of the discriminator
    recipe = RunConfig(method="catgan")
    assert recipe.algorithm.losses == ["relativistic", "relativistic_average"]
    assert recipe.algorithm.diversity_weight == 0.001 and recipe.adversarial.critic_steps == 3
    with pytest.raises(ValueError, match="--algorithm.within_labels compares"):
        Evolution(losses=["minimax"])


def test_catgan_keeps_the_fittest_child():
    player = evolving(
        Evolution(
            batch_size=4, losses=["log_odds", "minimax"], within_labels=False, diversity_weight=0.1
        )
    )
    # sigmoid(f - mean f_real) = 1 / 2 with f = 0 everywhere; -log q = log 4 per token of 4
    assert player.fitness() == pytest.approx(1 / 2 + 0.1 * math.log(4), rel=1e-5)
    assert [*player.children] == [
        ("log_odds", 1.0), ("log_odds", 0.8), ("minimax", 1.0), ("minimax", 0.8),
    ]  # fmt: skip
    worth = iter([0.1, 0.7, 0.3, 0.2])
    player.fitness = lambda: next(worth)
    start = player.policy.head.bias.detach().clone()
    states = []
    original = player._state
    player._state = lambda: states.append(original()) or states[-1]
    player.step()
    kept = states[2]["policy"]["head.bias"]  # the parent's, the first child's, the second's
    assert torch.equal(player.policy.head.bias, kept) and len(states) == 3
    assert torch.equal(states[0]["policy"]["head.bias"], start)


def test_leakgans_goals_and_what_it_sees():
    spec = ids(5, 6)
    chosen = Leak(embedding=3, hidden=4, goal=2, horizon=2, leaked=3, widths=[1, 2], filters=[2, 2])
    policy = make_generator(chosen, spec, 0).eval()
    judge = make_discriminator(CNN(embedding=3, widths=[1, 2], filters=[2, 2]), spec, 9).eval()
    batch = Sequences.from_lists([[1, 2, 3, 4], [4, 4, 1, 2]], pad_id=0)
    before = policy(batch).log_prob
    policy.see(judge)
    assert not torch.equal(before, policy(batch).log_prob)
    _, leaked, goals = policy._passed(batch)
    assert (leaked[:, 0] == 0).all()  # nothing is written yet
    for t in (1, 2, 3):
        prefix = Sequences(batch.tokens[:, :t], torch.tensor([t, t]))
        assert torch.allclose(leaked[:, t], judge.features(prefix), atol=1e-6)
    assert torch.allclose(goals.norm(dim=-1), torch.ones(2, 4), atol=1e-5)
    assert torch.allclose(leaked[:, 4], judge.features(batch), atol=1e-6)
    # two tokens ahead: A cos(f_2 - f_0, g_0) to A cos(f_4 - f_2, g_2), over all 8 tokens
    weights = torch.tensor([[1.0, 2.0, 0.7, 9.0], [3.0, 0.5, 2.0, 9.0]])
    expected = 0.0
    for row in (0, 1):
        for t in (0, 1, 2):
            moved, goal = (leaked[row, t + 2] - leaked[row, t]), goals[row, t]
            expected -= weights[row, t] * (moved @ goal) / (moved.norm() * goal.norm()) / 8
    assert torch.allclose(policy.own_loss(batch, weights), expected, atol=1e-5)
    # the worker's reward: (cos(f_(t+1) - f_t, g_t) + cos(f_(t+1) - f_(t-1), g_(t-1))) / 2
    rewards = policy.own_reward(batch)
    for row in (0, 1):
        for t in range(4):
            each = [
                torch.cosine_similarity(leaked[row, t + 1] - leaked[row, u], goals[row, u], dim=0)
                for u in (t - 1, t)
                if u >= 0
            ]
            assert rewards[row, t].item() == pytest.approx(sum(each).item() / 2, abs=1e-5)
    # the worker's logits are O_t w_t: the output layer on products of its units and the goal
    assert policy.head.in_features == 4 * 2
    trained = {name for name, each in policy.named_parameters() if each.requires_grad}
    assert not any(name.startswith(("eye", "embedding.leaked")) for name in trained)
