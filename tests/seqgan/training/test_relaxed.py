"""The differentiable player: exact draws, exact gradients, every GAN loss."""

from __future__ import annotations

import shlex
import signal

import pytest
import torch
from scipy.stats import chisquare

from rollout import (
    TEMPERATURE_SCHEDULES,
    ConstantReward,
    DiscriminatorReward,
    Sequences,
    action_values,
    generate,
)
from rollout.modules import frozen_copy, own_copy
from rollout.randomness import UniformStream
from seqgan.cli.main import main
from seqgan.config import GENERATORS, BiLSTM, GrammarCorpus, Relaxed, RunConfig
from seqgan.config.algorithms.relaxed import LOSS_OF, SCHEDULES
from seqgan.config.discriminators.causal_lstm import CausalLSTM
from seqgan.data.sources import load_data
from seqgan.data.spec import TokenSpec
from seqgan.errors import ConfigError
from seqgan.models import make_discriminator, make_generator
from seqgan.models.gan_losses import GAN_LOSSES
from seqgan.training.fine_tuning import FineTuning
from seqgan.training.players import Materials
from seqgan.training.relaxed import RelaxedUpdates, relaxed_samples
from seqgan.training.runtime import Runtime, make_accelerator

from ...small import known_to_models, lstm, small
from ...synchronisation import NoReading
from ..rounds import noting
from ..signals import send
from ..tiny import OF_POLICY_GRADIENT, TINY, differences, outcome, without, without_report


def stream(seed: int = 0) -> UniformStream:
    return UniformStream(torch.Generator().manual_seed(seed), "cpu")


def test_names_are_those_of_the_tables():
    known = [name for name, row in GAN_LOSSES.items() if not row.features]
    assert [*LOSS_OF] == known and [*SCHEDULES] == [*TEMPERATURE_SCHEDULES]


@pytest.mark.parametrize("name", GENERATORS)
def test_tokens_are_exact_draws(name):
    spec = known_to_models(TokenSpec(5, 4, 0, 0, 3, (4,)))
    policy = make_generator(small(GENERATORS[name]), spec, seed=0).eval()
    with torch.no_grad():
        policy.head.weight.mul_(6.0)
        drawn = relaxed_samples(policy, torch.arange(8_000), stream(), 0.3, hard=True)
    sequences = drawn.sequences
    first = policy(Sequences.from_lists([[i] for i in range(4)], 0)).log_prob[:, 0]
    wanted = first.detach().double().softmax(0).numpy()
    counts = torch.bincount(sequences.tokens[:, 0], minlength=4)
    assert chisquare(counts, 8_000 * wanted).pvalue > 1e-6
    one_hot = torch.nn.functional.one_hot(sequences.tokens, 5)
    assert torch.equal(drawn.vectors[sequences.mask], one_hot[sequences.mask].float())
    ended = sequences.tokens[torch.arange(8_000), sequences.lengths - 1] == 0
    assert torch.equal(ended, sequences.terminated) and (sequences.lengths[~ended] == 3).all()
    assert torch.allclose(drawn.entropy[sequences.mask], policy(sequences).entropy[sequences.mask],
                          atol=1e-4)  # fmt: skip


def test_the_gradient_of_one_token_by_the_formula():
    """d/dz of w . softmax((z + g) / t) is s (w - w . s) / t, with the soft vector s, both ways."""
    policy = lstm(3, 1, 0, None, 0, 4, 4)
    weights = torch.tensor([0.5, -1.0, 2.0])
    found = []
    for hard in (False, True):
        policy.zero_grad()
        drawn = relaxed_samples(policy, torch.tensor([7]), stream(), 0.7, hard=hard)
        (drawn.vectors[0, 0] @ weights).backward()
        found.append((drawn.vectors.detach()[0, 0], policy.head.bias.grad.clone()))
    soft = found[0][0]
    wanted = soft * (weights - weights @ soft) / 0.7
    for _, gradient in found:
        assert torch.allclose(gradient, wanted, atol=1e-6)
    assert found[1][0].tolist() == torch.nn.functional.one_hot(soft.argmax(), 3).tolist()


def test_soft_samples_are_the_policys_own_draws():
    policy = lstm(5, 6, 0, 4, 0, 4, 4).eval()
    with torch.no_grad():
        policy.head.weight.mul_(9.0)
        soft, hard = (
            relaxed_samples(policy, torch.arange(50), stream(), 2.0, hard=each)
            for each in (False, True)
        )
    assert torch.equal(soft.sequences.tokens, hard.sequences.tokens)
    assert (soft.vectors.amax(-1) < 0.99).any()
    mask = soft.sequences.mask
    assert torch.allclose(soft.entropy[mask], policy(soft.sequences).entropy[mask], atol=1e-4)


@pytest.fixture(scope="module")
def data():
    corpus = GrammarCorpus(num_train=60, num_validation=10, num_heldout=20, num_test=4)
    return load_data("grammar", corpus, seed=0)


def player_of(data, architecture="lstm", **settings) -> RelaxedUpdates:
    kind = small(GENERATORS[architecture])
    policy = make_generator(kind, known_to_models(data.spec), 0)
    judge = make_discriminator(BiLSTM("bilstm", 6, 6), data.spec, 1)
    runtime = Runtime(make_accelerator("cpu"), seed=3)
    materials = Materials(
        policy, frozen_copy(policy), ConstantReward(0.0), judge, data.train, data.prompts(), runtime
    )
    optimizer = {"learning_rate": 3e-3}
    return RelaxedUpdates(Relaxed(batch_size=16, optimizer=optimizer, **settings), materials)


@pytest.mark.parametrize("estimator", ["straight_through", "soft"])
@pytest.mark.parametrize("loss", LOSS_OF)
def test_every_loss_raises_what_the_discriminator_says(data, loss, estimator):
    player = player_of(data, loss=loss, estimator=estimator)
    before = own_copy(player.policy)
    seen = player.discriminator
    judge = {key: value.clone() for key, value in seen.state_dict().items()}
    player.steps(6)
    odds = [
        seen(generate(each, 300, rng=torch.Generator().manual_seed(0))).mean().item()
        for each in (before, player.policy)
    ]
    assert odds[1] > odds[0]
    assert all(
        torch.equal(judge[key], value) for key, value in player.discriminator.state_dict().items()
    )
    assert all(
        each.requires_grad and each.grad is None for each in player.discriminator.parameters()
    )
    assert player.spread > 0


def test_the_mixed_loss_adds_the_nll_of_real_sequences(data, monkeypatch):
    losses, policy = {}, player_of(data).policy
    for weight in (0.0, 2.0):
        player = player_of(data, mle_weight=weight)
        rows = torch.randint(60, (16,), generator=player.runtime.rng("adversarial", "real", 0))
        real = data.train.select(rows)
        noting(monkeypatch, player, losses, weight)
        player.update(0.5)
    nll = -policy(real).log_prob.sum().item() / real.lengths.sum().item()
    assert losses[2.0] - losses[0.0] == pytest.approx(2 * nll, rel=1e-4)
    assert Relaxed(mle_weight=0.5).as_policy_gradient().mle_weight == 0.5  # the control's too


@pytest.mark.parametrize("architecture", GENERATORS)
def test_it_goes_on_where_it_was(data, architecture):
    whole, parts = (player_of(data, architecture) for _ in range(2))
    whole.steps(3)
    parts.steps(1)
    state, weights = parts.state_dict(), parts.policy.state_dict()
    other = player_of(data, architecture)
    other.policy.load_state_dict(weights)
    other.load_state_dict(state)
    other.steps(2)
    for one, two in zip(whole.policy.parameters(), other.policy.parameters(), strict=True):
        assert torch.equal(one, two)
    assert whole.temperature == other.temperature < 1 and whole.spread == other.spread


def test_logits_per_token_are_added_up_or_for_difference_their_mean_is_taken(data):
    player = player_of(data)
    judge = player.discriminator = make_discriminator(
        CausalLSTM("causal_lstm", 6, 6, dropout=0.0), data.spec, 1
    )
    real = data.train.select(torch.arange(5))
    logits = judge(real)
    for name, wanted in (
        ("hinge", logits.sum(1)),
        ("difference", logits.sum(1) / real.lengths),
    ):
        found = player._logits_of(real, GAN_LOSSES[name])
        assert torch.allclose(found[:, 0], wanted, atol=1e-6)


def test_the_temperature_falls(data):
    player = player_of(data, temperature=1.0, last_temperature=0.25, temperature_steps=4)
    assert player.temperature == 1
    player.steps(2)
    assert player.temperature == pytest.approx(0.5)
    player.steps(4)
    assert player.temperature == 0.25


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_nothing_waits_for_the_device(device, monkeypatch):
    monkeypatch.setattr("rollout.devices._FREE_TO_READ", ())
    spec = known_to_models(TokenSpec(30, 1, 2, 0, 5, (0, 1)))
    for name in GENERATORS:
        policy = make_generator(small(GENERATORS[name]), spec, 0).to(device)
        judge = make_discriminator(BiLSTM("bilstm", 6, 6), spec, 1).to(device)
        with NoReading():
            rows = torch.arange(4, device=device)
            drawn = relaxed_samples(policy, rows, UniformStream(None, device), 0.5, hard=True)
            drawn.vectors.sum().backward()
            reward = DiscriminatorReward(judge)
            values = action_values(policy, drawn.sequences, reward, 2, compact_every=0)
        assert values.shape == (4, 5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"algorithm": {"loss": "hinge"}}, "set --critic.loss hinge"),
        (
            {"algorithm": {"estimator": "soft"}, "critic": {"augment": ["swap"]}},
            "changes tokens, and with --algorithm.estimator soft",
        ),
        ({"rewards": ["length"]}, "takes the gradient of the discriminator"),
        ({"algorithm": {"loss": "hing"}}, "'hing' is none of .*did you mean 'hinge'"),
    ],
)
def test_what_does_not_go_together(settings, message):
    algorithm = {"name": "relaxed", **settings.get("algorithm", {})}
    with pytest.raises(ConfigError, match=message):
        RunConfig(**{**settings, "algorithm": algorithm})


@pytest.mark.slow
def test_a_run_ends_and_resumes(tmp_path, capsys, monkeypatch):
    without_report(monkeypatch)
    flags = [*without(TINY, *OF_POLICY_GRADIENT), "--algorithm.name", "relaxed"]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert main(["run", *flags, "--output_dir", str(whole)]) == 0
    command = ["run", *flags, "--output_dir", str(parts)]
    with monkeypatch.context() as patch:
        send(patch, signal.SIGTERM, 16)
        capsys.readouterr()
        assert main(command) == 128 + signal.SIGTERM
    command = shlex.split(capsys.readouterr().err.split("resume with: ")[1])[1:]
    assert main(command) == 0
    assert not differences(outcome(whole), outcome(parts))


def fine_tuning_of(data, estimator, architecture="bilstm"):
    config = RunConfig(
        data="grammar",
        generator={"architecture": "lstm", "embedding": 6, "hidden": 6},
        discriminator={"architecture": architecture, "embedding": 6, "hidden": 6, "dropout": 0.0},
        critic={"batch_size": 8},
        algorithm={"name": "relaxed", "estimator": estimator, "temperature_steps": 4},
    )
    policy = make_generator(config.generator, known_to_models(data.spec), 0)
    runtime = Runtime(make_accelerator("cpu"), seed=3)
    return FineTuning(config, data, policy, frozen_copy(policy), runtime)


def test_the_discriminator_of_soft_samples_learns_from_soft_samples(data, monkeypatch):
    """It is shown the vectors that the player draws at its temperature of now."""
    work = fine_tuning_of(data, "soft")
    player, critic = work.player, work.critic
    player.steps(3)
    wanted = player.relaxed(
        critic.runtime.processes.part(8), critic.runtime.rng("discriminator", "relaxed", 0)
    )
    assert (wanted.vectors.amax(-1) < 0.99).any()
    shown, plain = [], critic.trained.forward_embedded

    def noted(embedded, lengths, condition=None):
        shown.append((embedded.detach().clone(), lengths))
        return plain(embedded, lengths, condition)

    monkeypatch.setattr(critic.trained, "forward_embedded", noted)
    negatives = critic.draw(20, torch.Generator().manual_seed(0), critic.train)
    before = critic.trained.embedding.weight.detach().clone()
    critic.train_until(1, negatives)
    (embedded, lengths), generated = shown[0], wanted.sequences
    assert torch.equal(lengths[8:], generated.lengths)
    mask = generated.mask
    ours = embedded[8:, : mask.shape[1]][mask]
    assert torch.allclose(ours, (wanted.vectors @ before)[mask], atol=1e-6)


@pytest.mark.parametrize("architecture", ["bilstm", "causal_lstm"])
def test_relaxed_tokens_that_are_one_hot_are_tokens(data, architecture):
    """The critic's loss of vectors [R, T, V] is its loss of the tokens, the penalty as well."""
    work = fine_tuning_of(data, "straight_through", architecture)
    critic = work.critic
    assert critic.relaxed is None
    per_token = critic.trained.per_token  # for which there is no penalty
    critic.config.gradient_penalty = 0.0 if per_token else 3.0
    lengths = [critic.train.lengths] * 2
    pairs, part, uniforms, vectors = critic._drawn(critic.train, lengths, None)
    assert vectors is None and (uniforms is None) == per_token
    one_hot = torch.nn.functional.one_hot(pairs[1].tokens, data.spec.vocab_size).float()
    critic.trained.eval()
    with NoReading():
        losses = [
            critic.pair_loss(pairs, part, uniforms, each).detach() for each in (None, one_hot)
        ]
    assert float(losses[0]) == pytest.approx(float(losses[1]), rel=1e-5)
