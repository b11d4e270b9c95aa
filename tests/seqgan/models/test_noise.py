"""Generators that read noise: every architecture with such a setting."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch

from rollout import ConditionError, NucleusPolicy, Policy, Sequences, action_values, generate
from rollout.policy import TemperedPolicy
from seqgan.config import GENERATORS, PretrainConfig
from seqgan.config.decoding import Decoding
from seqgan.config.settings import hints
from seqgan.data.prompts import Grouped, Questions, WithNoise
from seqgan.data.spec import TokenSpec
from seqgan.evaluation.neighbours import excited_units
from seqgan.metrics.likelihood import NOISES, sequence_scores
from seqgan.models import Ensemble, make_discriminator, make_generator
from seqgan.models.conditions import with_noise, without_noise
from seqgan.training.decoding import decode
from seqgan.training.mle_loss import MLELoss
from seqgan.training.processes import Part
from seqgan.training.sampling import draw

from ...capture import NoCapture
from ...small import SIZES, small

SPEC = TokenSpec(vocab_size=12, bos_id=1, eos_id=2, pad_id=0, max_length=7, forbidden=(0, 1))
ABLE = [name for name, kind in GENERATORS.items() if "noise" in hints(kind)]


def make(name: str, seed: int = 0, **settings):
    settings = {"noise": 3} | settings
    policy = make_generator(small(GENERATORS[name], **settings), SPEC, seed=seed).eval()
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.mul_(2.5)
    return policy


def rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", ABLE)
def test_samples_come_with_the_noise_they_were_drawn_with(name):
    policy = make(name)
    drawn = draw(policy, 40, rng(0)).sequences
    assert drawn.condition["noise"].shape == (40, 3)
    fast, plain = policy(drawn), Policy.forward(policy, drawn)
    assert torch.allclose(fast.log_prob, plain.log_prob, atol=1e-5)
    other = Sequences(
        drawn.tokens, drawn.lengths, drawn.terminated, {"noise": drawn.condition["noise"].flip(0)}
    )
    assert not torch.allclose(policy(other).log_prob, fast.log_prob, atol=1e-2)
    assert torch.equal(draw(policy.tempered(0.5), 40, rng(0)).sequences.condition["noise"],
                       drawn.condition["noise"])  # fmt: skip


@pytest.mark.parametrize("name", ABLE)
def test_data_have_none_and_are_scored_with_what_their_tokens_fix(name):
    policy = make(name)
    data = without_noise(draw(policy, 30, rng(0)).sequences)
    assert data.condition is None
    whole = policy(data).log_prob.sum(1)
    alone = [policy(data.select(slice(i, i + 1)).trim()).log_prob.sum() for i in (0, 13)]
    assert torch.allclose(whole[[0, 13]], torch.stack(alone), atol=1e-5)
    policy.train()
    torch.manual_seed(0)
    assert not torch.allclose(policy(data).log_prob.sum(1), policy(data).log_prob.sum(1))


@pytest.mark.parametrize("name", ABLE)
def test_densities_are_those_of_a_mixture_over_shared_noise(name):
    """They sum to 1 over all sequences, and no sample counts as certain by its own noise."""
    tiny = TokenSpec(4, 3, 0, 0, 3, (3,))
    policy = make_generator(small(GENERATORS[name], noise=2), tiny, seed=0).eval()
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.mul_(2.5)
        policy.noise.weight.mul_(20)
    rows = [list(x) for x in itertools.product((1, 2), repeat=3)]
    rows += [[*x, 0] for n in range(3) for x in itertools.product((1, 2), repeat=n)]
    every = Sequences.from_lists(rows, 0)
    noise = torch.randn(NOISES, 2, generator=torch.Generator().manual_seed(0))
    given = torch.stack([
        policy(replace(every, condition={"noise": each.expand(len(rows), 2)})).log_prob.sum(1)
        for each in noise
    ]).double().detach()  # fmt: skip
    found = sequence_scores(policy, every)
    assert torch.allclose(found.log_prob.exp(), given.exp().mean(0), atol=1e-6)
    assert found.log_prob.exp().sum().item() == pytest.approx(1, abs=1e-5)
    assert torch.equal(found.entropy, -found.log_prob)
    drawn = draw(policy, 50, rng(0)).sequences
    own = policy(drawn).log_prob.sum(1)
    marginal = sequence_scores(policy, drawn).log_prob
    assert torch.equal(marginal, sequence_scores(policy, without_noise(drawn)).log_prob)
    assert not torch.allclose(own.double(), marginal, atol=1e-2)
    for behind in (TemperedPolicy(policy, 1.0), Ensemble([policy]), policy.tempered(1.0)):
        assert torch.allclose(sequence_scores(behind, drawn).log_prob, marginal, atol=1e-4)


@pytest.mark.parametrize("name", ABLE)
def test_rollouts_keep_the_noise(name):
    policy = make(name)
    drawn = draw(policy, 12, rng(0)).sequences
    seen = []

    def reward(sequences: Sequences) -> torch.Tensor:
        seen.append(sequences.condition["noise"])
        return sequences.tokens[:, -1].float()

    one, other = (
        action_values(policy, drawn, reward, 4, rng=rng(1), chunk_size=size) for size in (3, None)
    )
    assert torch.allclose(one, other, atol=1e-4)
    assert all(torch.isin(each, drawn.condition["noise"]).all() for each in seen)
    with pytest.raises(ConditionError, match="reads the part 'noise'"):
        generate(policy, 2)


def test_noise_of_data_is_normal_and_their_own():
    rows = torch.randint(3, 12, (4_000, 6), generator=rng(0))
    data = Sequences(rows, torch.full((4_000,), 6))
    noise = with_noise(data, 2, fresh=False).condition["noise"]
    assert noise.mean(0).abs().max() < 0.06 and (noise.std(0) - 1).abs().max() < 0.05
    assert torch.corrcoef(noise.T)[0, 1].abs() < 0.06
    wider = Sequences(torch.cat([rows, rows], 1), data.lengths)
    assert torch.equal(with_noise(wider, 2, fresh=False).condition["noise"], noise)
    assert len(noise.unique(dim=0)) == len(rows.unique(dim=0))


def test_every_sample_of_a_group_has_its_own_noise():
    prompt = WithNoise(Grouped(Questions([1]), 4), 2).draw(8, rng(0))
    assert prompt.groups.tolist() == [0] * 4 + [1] * 4
    assert len(prompt.condition["noise"].unique(dim=0)) == 8


def test_discriminators_are_not_shown_it():
    from seqgan.config import DISCRIMINATORS

    drawn = draw(make("lstm"), 5, rng(0)).sequences
    for kind in DISCRIMINATORS.values():
        judge = make_discriminator(small(kind), SPEC, seed=0).eval()
        assert torch.equal(judge(drawn), judge(without_noise(drawn)))


@pytest.mark.parametrize("name", [name for name in ABLE if "tied" in hints(GENERATORS[name])])
def test_a_tied_head_and_dropout_between_layers(name):
    policy = make(name, tied=True, dropout=0.5)
    assert policy.head.weight is policy.embedding.weight
    assert policy.head.in_features == SIZES.get("width" if name == "transformer" else "embedding")
    drawn = draw(policy, 9, rng(0)).sequences
    fast, plain = policy(drawn), Policy.forward(policy, drawn)
    assert torch.allclose(fast.log_prob, plain.log_prob, atol=1e-5)
    policy.train()
    torch.manual_seed(0)
    assert not torch.equal(policy(drawn).log_prob, policy(drawn).log_prob)


@pytest.mark.parametrize("settings", [
    {"label_smoothing": 0.1}, {"scheduled_sampling": 0.5, "scheduled_sampling_steps": 1},
], ids=str)  # fmt: skip
@pytest.mark.parametrize("name", ABLE)
def test_every_loss_of_maximum_likelihood_draws_noise(name, settings):
    policy = make(name).train()
    data = without_noise(draw(policy, 8, rng(0)).sequences)
    torch.manual_seed(0)
    losses = [
        MLELoss(PretrainConfig(**settings))(policy, data, Part(0, 8, 8), 5, rng(1))
        for _ in range(2)
    ]
    losses[0].backward()
    assert policy.noise.weight.grad.abs().max() > 0
    assert losses[0].item() != losses[1].item()  # the noise is another, all else the same


@pytest.mark.parametrize("name", ABLE)
def test_features_are_those_of_the_likelihood(name):
    policy = make(name)
    data = without_noise(draw(policy, 8, rng(0)).sequences)
    scores = policy.head.scores(policy.features(data), data)
    assert torch.equal(scores.log_prob, policy(data).log_prob)
    again = policy.features(policy.asked(data))
    assert torch.equal(again, policy.features(data))


def test_units_are_excited_by_the_noise_of_the_sequence_alone():
    policy = make("lstm")
    data = without_noise(draw(policy, 20, rng(0)).sequences)
    given = policy.asked(data)
    assert excited_units(policy, data, data) == excited_units(policy, given, given)


def test_an_ensemble_has_the_noise_of_its_members():
    members = [make("lstm", seed=seed) for seed in (0, 1)]
    ensemble = Ensemble(members)
    drawn = draw(ensemble, 20, rng(0)).sequences
    assert drawn.condition["noise"].shape == (20, 3)
    for given in (drawn, without_noise(drawn)):
        wanted = torch.stack([each(given).log_prob for each in members]).exp().mean(0)
        found = ensemble(given).log_prob.exp()
        assert torch.allclose(found[given.mask], wanted[given.mask], atol=1e-6)
    with pytest.raises(ValueError, match="as much noise as one another"):
        Ensemble([members[0], make("lstm", noise=2)])


def test_a_policy_in_front_of_others_is_asked_for_the_noise_too():
    policy = make("lstm")
    noise = draw(policy, 6, rng(0)).sequences.condition["noise"]
    behind = NucleusPolicy(TemperedPolicy(policy, 0.5), 0.9)
    assert torch.equal(draw(behind, 6, rng(0)).sequences.condition["noise"], noise)


@pytest.mark.parametrize("prefix", [(), (5,)])
def test_a_beam_search_goes_by_noise_of_its_own(prefix):
    policy, settings = make("lstm"), Decoding(beams=500, number=3, max_length=3, seed=4)
    found = decode(policy, settings, Questions(prefix), 3)
    noise = found.condition["noise"]
    assert torch.equal(noise, noise[:1].expand(3, -1)) and noise.abs().max() > 0
    log_prob = policy(found).log_prob[:, len(prefix) :].sum(1)
    assert log_prob.tolist() == sorted(log_prob.tolist(), reverse=True)
    free = Decoding(max_length=3, seed=4)
    many = decode(policy, free, Questions(prefix), 400)
    given = Sequences(
        many.tokens, many.lengths, many.terminated, {"noise": noise[:1].expand(400, -1)}
    )
    others = policy(given).log_prob[:, len(prefix) :].sum(1)
    assert others.max() <= log_prob[0] + 1e-5
    other = decode(policy, Decoding(beams=4, seed=5), Questions(prefix), 1)
    assert not torch.equal(other.condition["noise"], noise[:1])


def test_noise_that_tokens_fix_can_be_recorded(monkeypatch):
    monkeypatch.setattr("rollout.devices._FREE_TO_READ", ())
    data = Sequences(torch.arange(12).view(3, 4), torch.tensor([4, 2, 3]))
    with NoCapture():
        found = with_noise(data, 2, fresh=False).condition["noise"]
    assert found.shape == (3, 2)
