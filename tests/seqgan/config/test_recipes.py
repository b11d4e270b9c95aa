"""Methods and sizes: every shipped file is read, and the order in which settings win."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path

import pytest
import yaml

import seqgan
from seqgan.cli.parsing import parse
from seqgan.config import (
    ALGORITHMS,
    CNN,
    DISCRIMINATORS,
    GENERATORS,
    SOURCES,
    BiLSTM,
    DiscriminatorTerm,
    FileCorpus,
    GeneratorConfig,
    PretrainConfig,
    RunConfig,
)
from seqgan.config.components import Component, build
from seqgan.config.methods import FOLDER, SIZES, method_names, read_method
from seqgan.config.settings import Settings, flat, hints, settings_from
from seqgan.data.dataset import TokenSpec
from seqgan.errors import ConfigError
from seqgan.models import Discriminator, Generator

from ...small import known_to_models, small

CONTENT = {path.stem: yaml.safe_load(path.read_text()) for path in FOLDER.glob("*.yaml")}
TABLES: dict[str, dict[str, type[Settings]]] = {
    "corpus": {"a file": FileCorpus, **SOURCES},
    "generator": dict(GENERATORS),
    "discriminator": dict(DISCRIMINATORS),
    "algorithm": dict(ALGORITHMS),
}


def kinds(group: str) -> list[type[Settings]]:
    """The dataclasses that a group of a run may have."""
    return list(TABLES.get(group, {"": hints(RunConfig)[group]}).values())


def test_every_shipped_file_is_a_method_or_the_sizes():
    assert {*method_names(), "sizes"} == {*CONTENT}
    assert method_names()[0] == RunConfig().method and tuple(CONTENT["sizes"]) == SIZES
    root = Path(seqgan.__file__).parent
    assert {*root.rglob("*.yaml")} == {*FOLDER.glob("*.yaml")}


@pytest.mark.parametrize("data", ["captions.txt", *SOURCES])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", method_names())
def test_every_method_is_complete_at_every_size(name, size, data):
    method = read_method(name)
    assert method.title and method.about and {*method.sizes} <= {*SIZES}
    config = RunConfig(method=name, size=size, data=data)
    for group, content in method.settings.items():
        if group != "rewards":
            own = {**method.sizes.get(size, {}).get(group, {})}
            assert {*content, *own} <= {*vars(getattr(config, group))}, group
    # what is stored of a run makes it again
    assert RunConfig(**asdict(config)) == config


@pytest.mark.parametrize("size", SIZES)
def test_every_setting_of_a_size_is_one_of_some_component(size):
    for group, content in CONTENT["sizes"][size].items():
        for key in content:
            assert any(key in hints(kind) for kind in kinds(group)), f"{size}: {group}.{key}"


def test_later_layers_win():
    plain, quick = RunConfig(), RunConfig(size="quick")
    assert (plain.generator.hidden, quick.generator.hidden) == (256, 128)
    method = RunConfig(method="seqgan", size="quick")
    assert isinstance(method.discriminator, CNN)
    assert method.generator.hidden == 32  # of the method at this size
    assert method.adversarial.rounds == 10  # of the size, on top of the method's 60
    assert RunConfig(method="seqgan", size="full").adversarial.rounds == 200
    given = RunConfig(method="seqgan", size="quick", generator={"hidden": 7})
    assert given.generator.hidden == 7 and given.generator.embedding == 32


def test_a_method_says_nothing_of_a_component_that_the_user_replaces():
    own = RunConfig(method="seqgan", discriminator={"architecture": "bilstm"})
    assert own.discriminator == BiLSTM()
    assert RunConfig(method="seqgan").discriminator.filter_share == 0.5
    # what a size says applies to the component that has it
    assert RunConfig(size="smoke", discriminator={"architecture": "cnn"}).discriminator == CNN(
        embedding=16
    )


@pytest.mark.parametrize(
    ("settings", "method"),
    [
        ({}, "ratio"),
        ({"algorithm": {"objective": "jensen_shannon"}}, "ratio"),
        ({"rewards": ["ratio"]}, "ratio"),
        ({"pretrain": {"epochs": 3}}, "ratio"),
        ({"discriminator": {"architecture": "cnn"}}, "seqgan-logodds"),
        ({"critic": {"steps": 7}}, "seqgan-logodds"),
        ({"algorithm": {"rollouts": 2}}, "seqgan-logodds"),
        ({"algorithm": {"name": "relaxed"}}, "seqgan-logodds"),
        ({"rewards": ["ratio", "discriminator"]}, "seqgan-logodds"),
        ({"constraint": "grammar"}, "seqgan-logodds"),
        ({"adversarial": {"critic_steps": 3}}, "seqgan-logodds"),
        ({"adversarial": {"rounds": 3}}, "ratio"),
        ({"generator": {"architecture": "transformer"}}, "ratio"),
        ({"generator": {"architecture": "pretrained", "model": "gpt2"}}, "seqgan-logodds"),
        ({"stages": [{"rewards": ["discriminator"], "steps": 3}]}, "seqgan-logodds"),
        ({"rewards": ["length"]}, "rloo"),
        ({"rewards": ["length"], "discriminator": {"architecture": "cnn"}}, "rloo"),
    ],
)
def test_the_method_of_a_run_that_names_none(settings, method):
    assert RunConfig(**settings).method == method
    flags = [
        f"--{name}={value if isinstance(value, str | int) else json.dumps(value)}"
        for name, value in flat(settings).items()
    ]
    assert parse("run", flags).method == method


def test_training_that_goes_on_from_another_run_has_no_members_of_fresh_weights():
    assert RunConfig(pretrain={"run": "runs/other"}).method == "seqgan-logodds"
    assert RunConfig(pretrain=PretrainConfig(run="runs/other")).method == "seqgan-logodds"
    assert RunConfig(pretrain=PretrainConfig(epochs=3)).method == "ratio"


def test_the_paper_and_the_default_differ_where_they_should():
    paper, ours = RunConfig(method="seqgan", size="full"), RunConfig(method="seqgan-logodds")
    assert paper.rewards == [DiscriminatorTerm(form="probability")]
    assert ours.rewards == [DiscriminatorTerm()]
    assert (paper.algorithm.baseline, ours.algorithm.baseline) == ("none", "leave_one_out")
    assert paper.algorithm.rollout_update_rate == 0.8 and paper.algorithm.rollouts == 16
    assert not (paper.pretrain.early_stopping or paper.adversarial.early_stopping)
    assert paper.pretrain.optimizer.schedule == "constant"
    assert paper.critic.steps == 23_500 and paper.discriminator.filter_share == 1.0
    # 50 sets of 10,000 fresh samples, 3 epochs of 313 batches of 64, half of them real
    assert paper.critic.fresh_every == 470 and paper.critic.steps == 50 * 470
    assert paper.discriminator.output_l2 == 0.2 and paper.algorithm.optimizer.clip_norm == 5
    # their optimizer of the discriminator clips nothing
    assert paper.critic.optimizer.clip_norm >= 1e5
    assert paper.critic.optimizer.learning_rate == paper.critic.rounds_learning_rate == 1e-4
    cpu = RunConfig(method="seqgan")
    assert (cpu.adversarial.rounds, cpu.adversarial.critic_steps) == (60, 20)
    assert cpu.discriminator.filter_share == 0.5


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "sqgan"}, "--method: 'sqgan' is none of .*did you mean 'seqgan'"),
        ({"size": "smok"}, "--size: 'smok' is none of smoke, .*did you mean 'smoke'"),
        ({"generator": {"architecture": "lstn"}}, "--generator.architecture: 'lstn' is none of"),
        ({"algorithm": {"name": "ppo"}}, "--algorithm.name: 'ppo' is none of policy_gradient"),
        (
            {"discriminator": {"architecture": "cnn", "hidden": 3}},
            "cnn has no .*, bilstm, .* and .* have$",
        ),
        ({"generator": {"hiden": 3}}, "unknown setting 'generator.hiden' .*did you mean 'hidden'"),
        ({"pretrain": {"optimizer": {"lr": 3}}}, "unknown setting 'pretrain.optimizer.lr'"),
        ({"rewards": [{"name": "rnadom"}]}, "--rewards: name: 'rnadom' is none of"),
        ({"rewards": 3}, "--rewards: 3 is not a list of terms"),
        ({"config_format": 1}, "config_format: 1: .* version 0.1, which still reads them"),
        ({"config_format": 9}, "config_format: 9: .* another version; this version reads format 2"),
    ],
)
def test_wrong_choices_are_one_clear_line(settings, message):
    with pytest.raises(ConfigError, match=message) as caught:
        RunConfig(**settings)
    assert "\n" not in str(caught.value)


SPEC = known_to_models(TokenSpec(9, 0, 1, 0, 6, (0,)))


@pytest.mark.parametrize("kind", [*GENERATORS.values(), *DISCRIMINATORS.values()])
def test_every_component_is_built_from_its_settings_and_named_by_them(kind):
    table = kind.table()
    name = next(name for name, each in table.items() if each is kind)
    settings = small(kind)
    assert getattr(settings, kind.selector) == name
    model = build(settings, SPEC)
    assert isinstance(model, (Generator, Discriminator))
    assert model.settings is settings and model.spec == SPEC


def test_the_tables_hold_components_with_flags_of_their_group():
    for group in ("generator", "discriminator", "algorithm"):
        for kind in TABLES[group].values():
            assert issubclass(kind, Component) and kind.group == f"{group}."
            assert fields(kind)[0].name == kind.selector


@pytest.mark.parametrize("odd", [None, 3, "x", [1]])
def test_settings_that_are_no_mapping_are_one_clear_line(odd):
    with pytest.raises(ConfigError, match="^generator.: .* is not a mapping$"):
        settings_from(GeneratorConfig, odd)


@pytest.mark.parametrize("odd", [["lstm"], {"a": 1}, 3, 1.5, True, None])
@pytest.mark.parametrize(
    "place",
    [
        "method", "size", "data", "generator.architecture", "discriminator.architecture",
        "algorithm.name", "rewards.name",
    ],
)  # fmt: skip
def test_a_name_of_another_kind_is_one_clear_line(place, odd):
    group, _, name = place.partition(".")
    content = {group: {name: odd} if name else odd}
    if group == "rewards":
        content = {group: [{name: odd}]}
    with pytest.raises(ConfigError) as caught:
        settings_from(RunConfig, content)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("rewards", [["length"], ["ratio", "length"], ["ratio:0.5"]])
def test_what_needs_the_ratio_alone_is_refused_with_other_rewards(rewards):
    for name, value in (("objective", "forward_kl"), ("samples", "members")):
        with pytest.raises(ConfigError, match=f"{name}: {value} needs --rewards ratio alone, .* "):
            RunConfig(method="ratio", rewards=rewards, algorithm={name: value})
    with pytest.raises(ConfigError, match="estimator: exact_to_go needs .* it is reinforce"):
        RunConfig(method="ratio", rewards=rewards, algorithm={"estimator": "exact_to_go"})
    RunConfig(method="ratio", rewards=rewards)
    whole = {"objective": "forward_kl", "estimator": "exact_to_go"}
    assert all(RunConfig(method=name, algorithm=whole).ratio_alone for name in ("ratio", "cot"))


def test_a_refresh_needs_the_ratio_alone():
    with pytest.raises(ConfigError, match="--ensemble.refresh trains .* take that reward"):
        RunConfig(method="ratio", rewards=["ratio", "discriminator"], ensemble={"refresh": 3})
    with pytest.raises(ConfigError, match="--ensemble.refresh"):
        RunConfig(method="cot", ensemble={"refresh": 3})  # there is no ensemble
    assert RunConfig(method="ratio", ensemble={"refresh": 3}).ensemble.refresh == 3


def test_stages_leave_steps_for_the_last_reward():
    def staged(rounds, *stages):
        each = [{"rewards": ["length"], **stage} for stage in stages]
        adversarial = {"rounds": rounds, "generator_steps": 4}
        return RunConfig(rewards=["novelty"], stages=each, adversarial=adversarial)

    with pytest.raises(ConfigError, match=r"--stages take 40 .* have 40 .*rounds 11 or more"):
        staged(10, {"steps": 30}, {"reward": 1.0, "least": 10})
    staged(11, {"steps": 30}, {"reward": 1.0, "least": 10})
    staged(10, {"reward": 0.9, "steps": 500})  # the reward may end it before


def test_a_geometric_mean_takes_no_values_below_0():
    def joined(**term):
        return RunConfig(rewards=[{"name": "length", **term}], reward={"mean": "geometric"})

    with pytest.raises(ConfigError, match="length are below with the shape standardise"):
        joined(shape="standardise")
    with pytest.raises(ConfigError, match="small values, take '{shape: sigmoid}' with low above"):
        joined(weight=-1)
    joined(shape="sigmoid", low=5.0, high=1.0)
    with pytest.raises(ConfigError, match=r"low: 5\.0 is not below high: 1\.0"):
        joined(shape="step", low=5.0, high=1.0)


def test_stages_are_checked_as_the_rewards_are():
    stage = {"rewards": ["length"], "steps": 3}
    with pytest.raises(ConfigError, match="--stages are for --algorithm.name policy_gradient"):
        RunConfig(method="ratio", rewards=["ratio"], stages=[stage])
    wrong = {"rewards": ["length:-1"], "steps": 3}
    with pytest.raises(ConfigError, match="expects weights of 0 or above"):
        RunConfig(rewards=["length"], stages=[wrong], reward={"mean": "geometric"})
    judged = {"rewards": [{"name": "discriminator", "form": "probability"}], "steps": 3}
    with pytest.raises(ConfigError, match="causal_lstm judges every token"):
        RunConfig(
            rewards=["length"], stages=[judged], discriminator={"architecture": "causal_lstm"}
        )


@pytest.mark.parametrize("size", [size for size in SIZES if size != "smoke"])
@pytest.mark.parametrize("name", method_names())
def test_schedules_fit_the_rounds_and_are_never_cut_short(name, size):
    config = RunConfig(method=name, size=size)
    total = config.adversarial.rounds * config.adversarial.generator_steps
    algorithm = config.algorithm
    ends = []
    if algorithm.optimizer.schedule in ("cosine", "linear"):
        assert algorithm.optimizer.decay_steps == total
        ends.append(total)
    if getattr(algorithm, "last_temperature", 0) and algorithm.schedule != "constant":
        ends.append(algorithm.temperature_steps)
    if getattr(algorithm, "real_prefix", 0):
        ends.append(algorithm.real_prefix * algorithm.real_prefix_steps)
    if getattr(algorithm, "scheduled_sampling", 0):
        ends.append(algorithm.scheduled_sampling_steps)
    assert all(end <= total for end in ends)
    assert not ends or config.adversarial.patience == 0


FEW_CRITIC_STEPS = [
    name
    for name, each in CONTENT.items()
    if each.get("settings", {}).get("critic", {}).get("steps", 1e9) <= 100
]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", FEW_CRITIC_STEPS)
def test_no_size_trains_a_discriminator_longer_than_its_method_means(name, size):
    meant = CONTENT[name]["settings"]
    config = RunConfig(method=name, size=size)
    assert config.critic.steps <= meant["critic"]["steps"]
    rate = meant.get("pretrain", {}).get("optimizer", {}).get("learning_rate")
    assert rate is None or config.pretrain.optimizer.learning_rate == rate
