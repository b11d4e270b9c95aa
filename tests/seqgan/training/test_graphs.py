"""Gradient steps that are recorded, by a double of CUDA's graphs: what they do is what steps do."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from rollout import DiscriminatorReward, MixedPrecision, Sequences
from rollout.modules import frozen_copy
from seqgan.config import (
    LSTM,
    CriticConfig,
    GrammarCorpus,
    OptimizerConfig,
    PolicyGradient,
    PretrainConfig,
    Ratio,
    Relaxed,
)
from seqgan.config.algorithms import Evolution
from seqgan.data.prompts import NoPrompts
from seqgan.data.sources import load_data
from seqgan.data.spec import TokenSpec
from seqgan.errors import ConfigError, NonFiniteLossError
from seqgan.models import Ensemble, Generator, make_generator
from seqgan.rewards.ratio import RatioReward
from seqgan.runs.state import pack, unpack
from seqgan.training import policy_gradient
from seqgan.training.accelerators import set_matmul_precision
from seqgan.training.critic import Critic
from seqgan.training.evolution import EvolutionUpdates
from seqgan.training.learner import Learner
from seqgan.training.players import Materials
from seqgan.training.pretrain import Pretraining
from seqgan.training.ratio import RatioUpdates
from seqgan.training.relaxed import RelaxedUpdates
from seqgan.training.runtime import Runtime, make_accelerator

from ...capture import use_recorded_graphs
from ...small import bilstm, cnn, lstm
from ...synchronisation import NoReading
from ..settings import run_settings

EOS = 2
READS = (
    "__bool__", "__float__", "__index__", "__int__", "cpu", "item", "numpy", "tolist",
)  # fmt: skip
"""Methods of a tensor by which the host comes to know what is in it."""


@pytest.fixture
def recorded(monkeypatch):
    return use_recorded_graphs(monkeypatch)


def runtime(graphs: bool) -> Runtime:
    return Runtime(make_accelerator("cpu"), seed=0, graphs=graphs)


def sequences(count: int, seed: int = 0, longest: int = 12) -> Sequences:
    rng = torch.Generator().manual_seed(seed)
    tokens = torch.randint(3, 30, (count, 12), generator=rng)
    return Sequences(tokens, torch.randint(1, longest + 1, (count,), generator=rng))


def generator():
    torch.manual_seed(1)
    return lstm(30, 12, 1, EOS, 0, 6, 8, dropout=0.3, forbidden=(0, 1))


def pretraining(graphs: bool, **settings: Any) -> Pretraining:
    optimizer = {"schedule": "cosine", "decay_steps": 20, "warmup_steps": 3}
    config = PretrainConfig(epochs=2, batch_size=8, optimizer=optimizer, **settings)
    return Pretraining(generator(), sequences(44), sequences(9, 1), config, runtime(graphs))


def critic(graphs: bool, judge: Any, **settings: Any) -> Critic:
    config = CriticConfig(batch_size=6, steps=4, **settings)
    real, held = sequences(40), sequences(9, 1)
    return Critic(judge, generator().eval(), real, held, config, runtime(graphs))


def player(graphs: bool, **settings: Any) -> policy_gradient.PolicyGradient:
    torch.manual_seed(3)
    reward = DiscriminatorReward(cnn(30, 5, (1, 2), (4, 4)))
    made = policy_gradient.PolicyGradient(
        PolicyGradient(batch_size=6, **{"rollouts": 2, **settings}),
        Materials(
            generator=generator(), reference=generator().eval(), reward=reward,
            discriminator=None, train=sequences(40), prompts=NoPrompts(), runtime=runtime(graphs),
        ),
    )  # fmt: skip
    return made


def same(one: Any, other: Any, tolerance: float = 1e-6) -> None:
    for mine, theirs in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.allclose(mine, theirs, atol=tolerance), (mine - theirs).abs().max()


@pytest.mark.parametrize("settings", [{}, {"label_smoothing": 0.1}], ids=str)
def test_epochs_of_mle(recorded, settings):
    works = [pretraining(graphs, **settings) for graphs in (False, True)]
    for work in works:
        while not work.finished:
            work.epoch()
    same(works[0].generator, works[1].generator)
    assert works[0].history == pytest.approx(works[1].history, abs=1e-6)
    assert works[0].learner.rate == pytest.approx(works[1].learner.rate)
    assert recorded.made >= 1 and recorded.replays >= 6


def test_an_interrupted_training_resumes(recorded):
    whole, first, second = (pretraining(True) for _ in range(3))
    for _ in range(2):
        whole.epoch()
    first.epoch()
    second.generator.load_state_dict(first.generator.state_dict())
    second.load_state_dict(first.state_dict())
    second.epoch()
    same(whole.generator, second.generator, 0.0)
    assert whole.history == second.history


@pytest.mark.parametrize("name", ["adam", "adamw", "radam"])
def test_counts_of_steps_are_resumed_on_the_device(recorded, name):
    """A recording reads nothing from the host; a checkpoint has all tensors there."""
    first, second = (
        Learner(torch.nn.Linear(2, 1), OptimizerConfig(name=name), runtime(graphs), "test", "")
        for graphs in (False, True)
    )
    first.update(lambda: first.model(torch.ones(3, 2)).sum())
    tensors, skeleton = pack(first.state_dict())
    for group in second.optimizer.param_groups:  # a device that is not the host
        group["params"] = [torch.nn.Parameter(each.data.to("meta")) for each in group["params"]]
    second.load_state_dict(unpack(skeleton, tensors))
    kept = [second.optimizer.state[each] for each in second.optimizer.param_groups[0]["params"]]
    assert len(kept) == 2 and all(each["step"].device.type == "meta" for each in kept)
    assert all(group["capturable"] for group in second.optimizer.param_groups)


def test_a_checkpoint_does_not_show_that_there_were_graphs(recorded):
    states = []
    for graphs in (False, True):
        work = pretraining(graphs)
        work.epoch()
        states.append(work.learner.state_dict()["optimizer"]["param_groups"])
    assert states[0] == states[1]


@pytest.mark.parametrize(
    ("kind", "settings"),
    [("cnn", {}), ("bilstm", {"loss": "wasserstein", "gradient_penalty": 10.0}), ("bilstm", {})],
)
def test_steps_of_the_critic(recorded, kind, settings):
    works = []
    for graphs in (False, True):
        torch.manual_seed(2)
        judge = cnn(30, 5, (1, 2), (4, 4)) if kind == "cnn" else bilstm(30, 5, 4, dropout=0.2)
        works.append(critic(graphs, judge, **settings))
    for work in works:
        work.train_until(14, sequences(50, 5))
        work.soften()  # the moments are cleared, and recordings with them
        work.train_until(20, sequences(50, 6, longest=6))
    same(works[0].trained, works[1].trained)
    assert recorded.replays >= 6


def test_real_and_generated_halves_have_one_width(recorded):
    """Else there would be as many shapes as pairs of widths."""
    torch.manual_seed(2)
    work = critic(True, cnn(30, 5, (1, 2), (4, 4)))
    rng = torch.Generator().manual_seed(0)
    real, samples = (
        Sequences(torch.randint(3, 30, (40, 30)), torch.randint(1, most, (40,), generator=rng))
        for most in (9, 31)
    )
    work.train = real
    widths = set()
    for work.learner.step in range(12):
        pairs, *_ = work._drawn(samples, [real.lengths, samples.lengths], None)
        widths.add(tuple(each.tokens.shape[1] for each in pairs))
    assert len(widths) > 1 and all(one == other for one, other in widths)


def test_a_step_of_the_policy_reads_the_device_once(recorded, monkeypatch):
    work, reads = player(True, kl_target=0.1, kl_weight=0.1), []
    for name in READS:
        read = getattr(torch.Tensor, name)
        monkeypatch.setattr(
            torch.Tensor, name, lambda each, read=read, name=name: reads.append(name) or read(each)
        )
    work.steps(4)
    del reads[:]
    with NoReading():
        work.steps(1)
    assert reads == ["tolist"]


def test_samples_and_rollouts_in_16_bits(monkeypatch):
    used = []
    for name in ("draw", "action_values"):
        work = getattr(policy_gradient, name)

        def noted(policy, *more, work=work, **how):
            used.append(policy)
            return work(policy, *more, **how)

        monkeypatch.setattr(policy_gradient, name, noted)
    for precision, kind in (("no", Generator), ("bf16", MixedPrecision)):
        made = player(False)
        made.runtime.sampling_precision = precision
        made.steps(1)
        assert len(used) == 2 and all(isinstance(each, kind) for each in used)
        assert isinstance(made.runtime.drawing(made.policy), kind)
        del used[:]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"kl_target": 0.1, "kl_weight": 0.1, "entropy_weight": 0.01},
        {"loss": "clipped", "updates": 2, "mle_weight": 0.5},
        {"rollouts": 0, "baseline": "value", "value": {"hidden": 4, "updates": 2}},
        {"rollouts": 0, "explorer_rate": 0.01, "importance_cap": 2.0},
    ],
    ids=str,
)
def test_steps_of_the_policy_gradient(recorded, settings):
    works = [player(graphs, **settings) for graphs in (False, True)]
    for work in works:
        work.steps(5)
    same(works[0].policy, works[1].policy)
    assert recorded.replays >= 3 and not works[1].learner.graphs.failed
    head = works[1].value_head
    if head is not None:
        same(works[0].value_head.network, head.network)
        assert recorded.replays >= 3 + 8 and not head.learner.graphs.failed
    explorer = works[1].explorer
    if explorer is not None:
        same(works[0].explorer.policy, explorer.policy)
        assert explorer.learner.replays >= 3 and not works[1].recordings.failed


def towards_an_ensemble(graphs: bool, own_reward: bool = False, **settings: Any) -> RatioUpdates:
    torch.manual_seed(5)
    policy, *members = (generator().eval() for _ in range(3))
    for member in members:
        with torch.no_grad():
            member.head.bias.add_(torch.randn(30))
    ensemble = Ensemble(members, "minimum").requires_grad_(False)
    reward: Any = RatioReward(ensemble, policy)
    if own_reward:
        reward = DiscriminatorReward(cnn(30, 5, (1, 2), (4, 4)))
    materials = Materials(
        policy, frozen_copy(policy), reward, None, sequences(40), NoPrompts(), runtime(graphs),
        ensemble=ensemble,
    )  # fmt: skip
    return RatioUpdates(Ratio(batch_size=6, **settings), materials)


@pytest.mark.parametrize(
    "settings",
    [
        {"estimator": "exact_to_go", "objective": "jensen_shannon", "kl_weight": 0.1},
        {"estimator": "exact", "mle_weight": 0.5},
        {"estimator": "reinforce", "kl_weight": 0.1},
        {"own_reward": True},
    ],
    ids=str,
)
def test_steps_towards_an_ensemble(recorded, settings):
    works = [towards_an_ensemble(graphs, **settings) for graphs in (False, True)]
    for work in works:
        work.steps(5)
    same(works[0].policy, works[1].policy)
    assert works[0].spread == pytest.approx(works[1].spread, abs=1e-5)
    assert recorded.replays >= 3 and not works[1].learner.graphs.failed


def judged(graphs: bool, noise: int = 0) -> Materials:
    spec = TokenSpec(30, 1, EOS, 0, 6, (0, 1))
    policy = make_generator(LSTM(embedding=6, hidden=8, noise=noise), spec, 0)
    torch.manual_seed(4)
    judge = bilstm(30, 5, 4)
    return Materials(
        policy, frozen_copy(policy), DiscriminatorReward(judge), judge, sequences(40),
        NoPrompts(), runtime(graphs),
    )  # fmt: skip


def through_samples(graphs: bool, noise: int, loss: str) -> RelaxedUpdates:
    settings = Relaxed(batch_size=6, loss=loss, temperature_steps=5, last_temperature=0.2)
    return RelaxedUpdates(settings, judged(graphs, noise))


@pytest.mark.parametrize(("noise", "loss"), [(0, "relativistic"), (2, "non_saturating")])
def test_steps_through_samples(recorded, noise, loss):
    works = [through_samples(graphs, noise, loss) for graphs in (False, True)]
    for work in works:
        work.steps(5)
    same(works[0].policy, works[1].policy)
    assert works[0].spread == pytest.approx(works[1].spread, abs=1e-5)
    assert works[1].temperature == pytest.approx(0.2)  # another one at every step
    assert recorded.replays >= 3 and not works[1].learner.graphs.failed


def evolved(graphs: bool) -> EvolutionUpdates:
    settings = Evolution(
        batch_size=6,
        temperature_factors=[1.0, 0.5],
        losses=["relativistic", "relativistic_average"],
    )
    return EvolutionUpdates(settings, judged(graphs))


def test_children_are_put_back_without_new_recordings(recorded):
    """One recording for each loss serves all children; their weights and moments stay in place."""
    works = [evolved(graphs) for graphs in (False, True)]
    for work in works:
        work.steps(6)
    same(works[0].policy, works[1].policy)
    learner = works[1].learner
    assert not learner.graphs.failed and recorded.made == 2 and learner.replays >= 15
    assert learner.rate == pytest.approx(works[0].learner.rate)


def test_a_loss_that_is_not_finite_is_seen(recorded):
    work = pretraining(True)
    work.epoch()
    with torch.no_grad():
        work.generator.head.bias.fill_(torch.nan)
    with pytest.raises(NonFiniteLossError):
        work.epoch()


def test_it_can_be_switched_off_and_is_off_elsewhere(recorded, monkeypatch):
    assert pretraining(False).learner.graphs is None
    monkeypatch.setattr("rollout.graphs._DEVICES", ("cuda",))
    assert pretraining(True).learner.graphs is None


def test_real_data_of_many_lengths_make_few_shapes(recorded):
    data = load_data("grammar", GrammarCorpus(num_train=60, num_validation=10), seed=1)
    assert data.train.lengths.unique().numel() > 5
    config = PretrainConfig(epochs=3, batch_size=10)
    torch.manual_seed(0)
    model = make_generator(LSTM(embedding=6, hidden=8), data.spec, 0)
    work = Pretraining(model, data.train, data.validation, config, runtime(True))
    for _ in range(3):
        work.epoch()
    assert recorded.made <= 3 and recorded.replays > 8


def test_the_settings_of_a_run(monkeypatch):
    seen = []
    monkeypatch.setattr(torch, "set_float32_matmul_precision", seen.append)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    for device, precision, allowed in (("cpu", "high", True), ("cuda", "highest", False)):
        set_matmul_precision(torch.device(device), precision)
        assert torch.backends.cudnn.allow_tf32 == allowed
    assert seen == ["highest"]
    assert run_settings(graphs=False).graphs is False
    for name in ("matmul_precision", "sampling_precision"):
        with pytest.raises(ConfigError, match=name):
            run_settings(**{name: "tf32"})
