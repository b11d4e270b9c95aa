"""Suites as files: all of them are read, and what is wrong in one is said in one line."""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
import yaml

from benchmarks.arm_names import arm_set, chosen_arms, named_arms
from benchmarks.arms import Lab
from benchmarks.cli import COMMANDS, main
from benchmarks.score_cells import compute_columns
from benchmarks.settings import SIZES
from benchmarks.suite import COMMON, Arm, Method, merge
from benchmarks.suite_files import common_methods, load_suite, read_methods, suite_names
from seqgan.config import RunConfig
from seqgan.config.dotted import import_dotted
from seqgan.config.methods import DEFAULT_METHOD
from seqgan.config.reading import run_config
from seqgan.config.rewards import reward_terms
from seqgan.data.sources import run_data
from seqgan.errors import ConfigError
from seqgan.training.members import member_sizes


def fails(capsys, arguments: list[str], *messages: str) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("seqgan-bench: error: ") and "\n" not in error, error
    for message in messages:
        assert message in error, error


OWN_START = (
    "mle-papers", "seqgan-papers", "seqgan-papers-constant", "seqgan-papers-random", "mle-larger",
    "mle-averaged", "mle-small", "ratio-small", "mle-lstm", "mle-transformer", "ratio-transformer",
    "mle-noise", "mle-relational", "mle-leak",
    *(f"{name}{end}" for name in ("minimax-gan", "relgan", "catgan", "leakgan")
      for end in ("", "-random")),
    *(f"seqgan-papers-{g}-{d}-{k}" for g, d, k in ((1, 1, 10), (30, 1, 30), (100, 1, 10))),
)  # fmt: skip
PAPERS = ("mle-papers", "seqgan-papers", "seqgan-papers-constant", "seqgan-papers-random")


def test_the_suites_of_the_harness():
    names = [
        *("coco", "coco-iid", "coco-iid-usem3", "coco-test-iid", "digits", "grammar"),
        *("grammar-100k", "grammar-1k", "news", "oracle20", "oracle40", "organ", "quatrains"),
        *("smiles", "styles", "wordnet"),
    ]
    assert suite_names() == names
    for name in names:
        suite = load_suite(name)
        assert suite.title and suite.about and set(suite.sizes) == set(SIZES)
        for size in SIZES:
            arms = suite.arms(size, 3)
            assert [arm.name for arm in chosen_arms(arms, None)] == [
                *("mle", "mle-continued", "mle-cooled", "seqgan", "seqgan-constant"),
                *("seqgan-random", "seqgan-logodds", "seqgan-logodds-random"),
                *(PAPERS if name == "oracle20" else ()),
                *("training-copy", "real"),
            ]
            shared = {**arms[0].config}
            for arm in arms:
                config = run_config(arm.config, name)
                assert config.seed == 3
                # The cell's, not a method's, unless it begins with a model of its own.
                groups = ("data", "corpus", "generator", "pretrain", "evaluation")
                other = {group for group in groups if arm.config[group] != shared[group]}
                assert other <= {"generator", "pretrain"}
                assert bool(other) is (arm.name in OWN_START)


def test_the_docs_name_every_set_and_every_start_of_its_own():
    text = (Path(__file__).parents[2] / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    section = text.split("## The arms")[1].split("## Reading the tables")[0]
    starts, arms = section.split("| arm |", 1)
    rows = " ".join(line.split(" | ")[0] for line in arms.splitlines())
    sets = yaml.safe_load(COMMON.read_text(encoding="utf-8"))["sets"]
    assert [name for name in sets if f"`{name}`" not in rows] == []
    methods = [name for name in OWN_START if not name.endswith(("-random", "-constant"))]
    variants = [name for name in methods if name.startswith("seqgan-papers-")]
    assert [x for x in {*methods} - {*variants} if f"`{x}`" not in starts] == []
    assert [name for name in variants if f"`{name}`" not in rows] == []


def test_the_main_arms_are_common_to_all_suites():
    common = {f"{name}{end}" for name, method in common_methods().items()
              for end in ("", *(f"-{reward}" for reward in method.controls))}  # fmt: skip
    assert {*arm_set("main")} <= common | {"mle", "training-copy", "real"}
    assert {DEFAULT_METHOD, f"{DEFAULT_METHOD}-random", "seqgan", "ratio"} <= {*arm_set("main")}


def test_controls_repeat_the_training_with_another_reward():
    arms = {arm.name: arm for arm in load_suite("oracle20").arms("standard", 0)}
    method = arms["seqgan"].config
    for reward in ("constant", "random"):
        control = arms[f"seqgan-{reward}"]
        assert control.kind == "control" and control.control_of == "seqgan"
        assert [term["name"] for term in control.config["rewards"]] == [reward]
        assert {**control.config, "rewards": method["rewards"]} == method


def test_an_arm_that_says_half_the_rate_has_it():
    arms = {arm.name: arm for arm in load_suite("grammar").arms("standard", 0)}
    rates = {name: arm.config["algorithm"]["optimizer"]["learning_rate"]
             for name, arm in arms.items() if arm.method is not None}  # fmt: skip
    halved = [name for name, arm in arms.items() if "half the rate" in arm.title]
    assert "ratio-reinforce" in halved
    assert all(rates[name] == rates["ratio"] / 2 for name in halved)


def test_a_suite_like_another_says_only_what_differs(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("like: grammar\ntitle: mine\nsizes: {standard: {pretrain: {patience: 9}}}\n")
    ours, theirs = load_suite(str(path)), load_suite("grammar")
    assert (ours.title, ours.about, ours.config) == ("mine", theirs.about, theirs.config)
    one, other = (suite.settings("standard", 0) for suite in (ours, theirs))
    assert one == {**other, "pretrain": {**other["pretrain"], "patience": 9}}


def test_a_method_like_another_says_only_what_differs():
    arms = {arm.name: arm for arm in load_suite("oracle20").arms("standard", 0)}
    one, other = (arms[name].config for name in ("seqgan", "seqgan-papers"))
    counts = {"rounds": 60, "critic_steps": 20, "measure_every": 4}
    assert other["adversarial"] == {**one["adversarial"], **counts}
    assert other["critic"] == {**one["critic"], "steps": 1500, "measure_every": 250}
    assert other["generator"] == arms["mle-papers"].config["generator"] != one["generator"]


PAPER = ("generator", "pretrain", "algorithm", "critic")
"""Groups in which the arms that begin as the papers did have the recipe's own settings."""


def test_the_arms_of_the_papers_begin_and_go_on_as_the_authors_did():
    arms = {arm.name: arm.config for arm in load_suite("oracle20").arms("standard", 0)}
    papers, recipe = arms["seqgan-papers"], asdict(RunConfig(method="seqgan"))
    assert {name: papers[name] for name in PAPER} == {name: recipe[name] for name in PAPER}
    assert papers["pretrain"]["epochs"] == 120 and papers["generator"]["initial_scale"] == 0.1
    for name in PAPERS:
        assert arms[name]["pretrain"] == papers["pretrain"]


def test_methods_with_a_loss_for_each_label_have_a_suite_with_labels():
    suite = load_suite("styles")
    arms = {arm.name: run_config(arm.config, "styles") for arm in suite.arms("standard", 0)}
    assert run_data(run_config(suite.settings("smoke", 0), "styles")).spec.labels == 2
    assert arms["sentigan"].discriminator.label_classes and arms["catgan"].algorithm.within_labels


LIKELIHOOD = {
    "scheduled-sampling": 1000, "jsdgan": 1000, "cot": 400, "psi-mle": 400, "dgsan": 400,
    "distill": 400,
}  # fmt: skip
"""Updates of the methods that learn by likelihood or exactly over the next token."""
SCRATCH = {"scratchgan": 200, "minimax-gan": 400}
"""Updates of the methods that have no MLE behind them."""


@pytest.mark.parametrize("name", ["grammar", "oracle20", "coco-iid", "news"])
def test_the_methods_of_the_family_have_one_budget(name):
    suite = load_suite(name)
    arms = {arm.name: run_config(arm.config, name) for arm in suite.arms("standard", 0)}
    family = {x: arms[x] for x in arm_set("family") if x in common_methods() and x[:3] != "mle"}
    assert {*LIKELIHOOD, *SCRATCH, "seqgan", "seqgan-logodds", "relgan", "leakgan"} <= {*family}
    own = {"relgan": 100, "catgan": 100, "scratchgan": 100, "minimax-gan": 100}
    for name, config in family.items():
        batches = config.adversarial.rounds * config.adversarial.generator_steps
        updates = batches * getattr(config.algorithm, "updates", 1)
        between = config.adversarial.measure_every * updates / config.adversarial.rounds
        assert config.adversarial.patience == 0, name
        if name in {**LIKELIHOOD, **SCRATCH}:
            assert updates == {**LIKELIHOOD, **SCRATCH}[name]
        elif name != "ratio":
            assert (updates, batches * config.algorithm.batch_size, between) == (100, 6400, 10)
            assert config.algorithm.optimizer.learning_rate == 0.001
            critic = config.adversarial.rounds * config.adversarial.critic_steps
            assert critic == (500 if name == "relgan" else 300)
        if any(term.needs_discriminator for term in config.rewards):
            assert config.critic.steps == own.get(name, 600), name
            assert name in own or config.critic.batch_size == 64, name


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["grammar", "oracle20", "coco-iid"])
def test_beside_a_method_with_a_network_of_its_own_stands_mle_of_it(name, size):
    arms = {arm.name: arm.config for arm in load_suite(name).arms(size, 0)}
    rates = {"relgan": 0.001, "catgan": 0.001, "leakgan": 0.005}
    for method, mle in {
        "minimax-gan": "mle-noise", "relgan": "mle-relational", "catgan": "mle-relational",
        "leakgan": "mle-leak",
    }.items():  # fmt: skip
        for group in ("generator", "pretrain"):  # so they have one start
            assert arms[mle][group] == arms[method][group]
        optimizer = arms[method]["pretrain"]["optimizer"]
        if method in rates:  # the recipe's, whatever the suite says
            own = RunConfig(method=method).pretrain.optimizer
            assert optimizer["learning_rate"] == rates[method] == own.learning_rate
            assert optimizer["weight_decay"] == own.weight_decay


def test_the_settings_of_figure_3_differ_by_their_counts_alone():
    # steps on the discriminator in a round are d sets of k epochs, and 15 epochs have 2,345 steps
    # at full and 20 at standard (seqgan-papers: g 1, d 5, k 3)
    for size, steps in (("standard", 20), ("full", 2_345)):
        arms = {arm.name: arm.config for arm in load_suite("oracle20").arms(size, 0)}
        papers = arms["seqgan-papers"]
        assert papers["adversarial"]["critic_steps"] == steps
        for g, d, k in ((1, 1, 10), (30, 1, 30), (100, 1, 10)):
            arm = arms[f"seqgan-papers-{g}-{d}-{k}"]
            rounds, critic = arm["adversarial"], arm["critic"]
            assert rounds["generator_steps"] == g
            assert rounds["critic_steps"] == round(steps * d * k / 15)
            assert critic["fresh_every"] == round(2_345 * k / 15)
            counts = ("rounds", "generator_steps", "critic_steps", "measure_every")
            kept = {name: papers["adversarial"][name] for name in counts}
            assert {**arm, "adversarial": {**rounds, **kept}, "critic": papers["critic"]} == papers
            assert {**critic, "fresh_every": 470} == papers["critic"]
    assert named_arms("figure-3", [load_suite("oracle20")]) <= {*arms}


def test_a_method_is_like_another_of_its_file_or_a_common_one():
    own = {
        "seqgan": {"like": "seqgan", "title": "mine"},  # the common one
        "wide": {"like": "seqgan", "config": {"critic": {"batch_size": 9}}},
        "wider": {"like": "wide", "title": "wider"},
        "round": {"like": "about"},
        "about": {"like": "round"},
    }
    first = {name: own[name] for name in ("seqgan", "wide", "wider")}
    found = read_methods(first, "here")
    assert [each.title for each in found.values()] == ["mine", "mine", "wider"]
    assert found["wider"].config == {"critic": {"batch_size": 9}}
    assert found["wider"].controls == ("constant", "random")
    with pytest.raises(ConfigError, match=r"methods\.\w+\.like: no method"):
        read_methods(own, "here")


def test_a_method_with_a_start_of_its_own_begins_with_that_model():
    corpus = {"num_train": 40, "num_validation": 20, "num_heldout": 20, "num_test": 20}
    small = {"data": "grammar", "corpus": corpus, "pretrain": {"epochs": 1}}
    shared = run_config(small | {"generator": {"hidden": 8}}, "test")
    own = run_config(small | {"generator": {"hidden": 12}}, "test")
    lab = Lab(shared, run_data(shared))
    lab.begin()
    for own_start, config, hidden in ((False, shared, 8), (True, own, 12)):
        method = Method("m", "m", call="benchmarks.baselines:unchanged", own_start=own_start)
        arm = Arm("m", "m", "method", {}, method)
        first, second = (lab.model(arm, config)[0] for _ in range(2))
        assert first.lstm.hidden_size == hidden
        assert first is not second  # a copy each, of one start
        assert torch.equal(first.head.weight, second.head.weight)
    (member,) = lab.starts(own).members(1)
    assert member.lstm.hidden_size == 12 and lab.starts(own) is not lab.starts(shared)


def leaking(name: str, **groups):
    """Settings of LeakGAN's generator, tiny, with one round of a method."""
    return run_config(
        {
            "data": "grammar", "method": name, "size": "smoke", "pretrain": {"epochs": 1},
            "corpus": {"num_train": 40, "num_validation": 20, "num_heldout": 20, "num_test": 20},
            "critic": {"steps": 2, "measure_every": 1, "batch_size": 8},
            "algorithm": {"batch_size": 4},
            "adversarial": {"rounds": 1, "generator_steps": 1, "critic_steps": 1}, **groups,
        },
        "test",
    )  # fmt: skip


def test_the_control_of_a_generator_that_reads_the_discriminator_sees_it(tmp_path):
    config = leaking("leakgan", algorithm={"batch_size": 4, "rollouts": 1})
    method = Method("leakgan", "leakgan", own_start=True, recipe="leakgan")
    arm = Arm("leakgan", "leakgan", "method", asdict(config), method)
    lab = Lab(config, run_data(config), folder=tmp_path)
    with pytest.raises(ConfigError, match="remove the result of leakgan"):
        lab.control(arm, config, 0.1)
    _, record = lab.model(arm, config)
    judge = lab._judges["leakgan"]
    alone = Lab(config, lab.data, folder=tmp_path)  # the control is resumed alone
    noise, _ = alone.control(arm, config, record["spread"])
    assert torch.equal(noise.embedding.leaked, judge.embedding.weight)


def test_the_way_out_of_a_discriminator_that_is_not_there_works(tmp_path):
    """The policy alone, as it was kept once, is removed and made again with its discriminator."""
    config = leaking("leakgan", algorithm={"batch_size": 4, "rollouts": 1})
    arm = Arm(
        "leakgan", "leakgan", "method", asdict(config), Method("leakgan", "l", own_start=True)
    )
    data = run_data(config)
    Lab(config, data, folder=tmp_path).model(arm, config)
    policy = tmp_path / "policies" / "leakgan"
    for part in policy.glob("discriminator.*"):
        part.unlink()
    lab = Lab(config, data, folder=tmp_path)
    record = lab.model(arm, config)[1]  # read
    with pytest.raises(ConfigError, match="and policies/leakgan beside it"):
        lab.control(arm, config, record["spread"])
    shutil.rmtree(policy)
    Lab(config, data, folder=tmp_path).model(arm, config)
    Lab(config, data, folder=tmp_path).control(arm, config, record["spread"])


def tiny(**groups):
    """Tiny settings on the grammar, with one round."""
    return run_config(
        {
            "data": "grammar", "size": "smoke", "pretrain": {"epochs": 1},
            "generator": {"hidden": 8, "embedding": 8}, "discriminator": {"embedding": 4},
            "corpus": {"num_train": 40, "num_validation": 20, "num_heldout": 20, "num_test": 20},
            "critic": {"steps": 1, "measure_every": 1, "batch_size": 8},
            "adversarial": {"rounds": 1, "generator_steps": 1, "critic_steps": 1}, **groups,
        },
        "test",
    )  # fmt: skip


def test_an_arm_that_trains_its_members_leaves_those_of_the_others_alone():
    config = tiny(
        method="ratio", algorithm={"batch_size": 4}, ensemble={"size": 2, "refresh": 2},
        adversarial={"rounds": 1, "generator_steps": 1, "early_stopping": False},
    )  # fmt: skip
    lab = Lab(config, run_data(config))
    arm = Arm("ratio-refresh", "r", "method", asdict(config), Method("ratio-refresh", "r"))
    before = copy.deepcopy([each.state_dict() for each in lab.members(arm, config)])
    assert len(before) == 2
    lab.model(arm, config)
    for old, member in zip(before, lab.members(arm, config), strict=True):
        assert all(torch.equal(old[name], part) for name, part in member.state_dict().items())


def test_the_control_of_a_method_is_the_same_from_its_own_arm(tmp_path):
    """A method without a control of any reward: its control's arm says what is trained."""
    relaxed = {"name": "relaxed", "batch_size": 4}
    config = tiny(algorithm=relaxed)
    method = Method("relgan", "r", controls=("random",))
    plain = asdict(config)
    noise = {**plain, "rewards": [asdict(*reward_terms("random"))]}
    noise["algorithm"] = asdict(config.algorithm.as_policy_gradient())
    data = run_data(config)
    lab = Lab(config, data, folder=tmp_path)
    arm = Arm("relgan", "r", "method", plain, method)
    assert lab.model(arm, config)[1]["calls"] == 4  # a batch; no `Judge` counts them
    first, _ = lab.control(arm, config, 0.1)
    own = Arm("relgan-random", "r", "control", noise, method, "relgan")
    again = Lab(config, data, folder=tmp_path)  # resumed by another process
    second, _ = again.control(own, run_config(copy.deepcopy(noise), "test"), 0.1)
    assert torch.equal(first.head.weight, second.head.weight)


@pytest.mark.parametrize(
    "other", [{"call": "benchmarks.baselines:cooled"}, {"members": 2}, {"own_start": True}]
)
def test_a_policy_of_another_function_or_other_members_is_not_read(tmp_path, other):
    config = tiny()
    facts = {"call": "benchmarks.baselines:unchanged"}
    lab = Lab(config, run_data(config), folder=tmp_path)
    lab.begin()
    lab.model(Arm("m", "m", "method", {}, Method("m", "m", **facts)), config)
    with pytest.raises(ConfigError, match=r"trained with other settings or data \(method\)"):
        lab.model(Arm("m", "m", "method", {}, Method("m", "m", **{**facts, **other})), config)


@pytest.mark.parametrize("lost", ["method", "operations"])
def test_a_policy_that_lacks_a_fact_is_refused_and_can_be_made_again(tmp_path, lost):
    """As an earlier version wrote it."""
    config = tiny()
    arm = Arm("m", "m", "method", {}, Method("m", "m", call="benchmarks.baselines:unchanged"))
    lab = Lab(config, run_data(config), folder=tmp_path)
    lab.begin()
    lab.model(arm, config)
    path = tmp_path / "policies" / "m" / "training.json"
    record = json.loads(path.read_text())
    del record[lost]
    path.write_text(json.dumps(record))
    with pytest.raises(ConfigError, match=f"did not note its {lost}: remove that folder"):
        lab.model(arm, config)
    shutil.rmtree(path.parent)
    assert lab.model(arm, config)[1]["method"] == arm.facts()


def test_what_begins_afresh_has_no_mle_training_behind_it():
    config = leaking("minimax-gan", generator={"hidden": 8, "noise": 2})
    lab = Lab(config, run_data(config))
    arm = Arm("m", "m", "method", asdict(config), Method("m", "m", own_start=True))
    found = lab.compute(arm, config, {"seconds": 3.0, "tokens": 7.0, "operations": 9.0})
    assert (found.seconds, found.tokens) == (3.0, 7.0) and not lab._starts


def test_later_settings_win_and_groups_are_merged():
    assert merge({"a": {"x": 1, "y": [1]}, "b": 2}, {"a": {"y": [2]}}, {"b": 3}) == {
        "a": {"x": 1, "y": [2]},
        "b": 3,
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"titel": "x"}, "unknown key 'titel' (did you mean 'title'?)"),
        ({"like": "coco-idd"}, "like: no suite 'coco-idd' (did you mean 'coco-iid'"),
        ({"config": {"pretrian": {}}}, "unknown setting 'pretrian' (did you mean 'pretrain'?)"),
        ({"config": {"pretrain": {"epoch": 2}}}, "did you mean 'epochs'?"),
        ({"config": {"pretrain": {"epochs": 0}}}, "--pretrain.epochs: 0 is below 1"),
        ({"config": {"seed": 1}}, "'seed' is given on the command line"),
        ({"config": [1]}, "a list, not a mapping"),
        ({"sizes": {"smok": {}}}, "unknown key 'smok' (did you mean 'smoke'?)"),
        ({"sizes": {"smoke": {"corpus": {"num_tran": 3}}}}, "did you mean 'num_train'?"),
        ({"use": {"data": {"file": "x"}}}, "no file 'x' under files"),
        ({"use": {"dta": {}}}, "unknown key 'dta' (did you mean 'data'?)"),
        ({"files": {"x": {"sha": "0"}}}, "unknown key 'sha' (did you mean 'sha256'?)"),
        ({"methods": {"m": {"config": {"pretrain": {}}}}}, "'pretrain' is not a method's to set"),
        ({"methods": {"m": {"like": "seqgn"}}}, "no method 'seqgn' (did you mean 'seqgan'?)"),
        ({"methods": {"m": {"own_start": "yes"}}}, "'yes' is neither true nor false"),
        ({"methods": {"m": {"controls": ["constnt"]}}}, "did you mean 'constant'?"),
        ({"methods": {"m": {"call": "nothing"}}}, "'nothing' is not of the form"),
        ({"methods": {"m": {"kind": "good"}}}, "'good' is none of method, control, ceiling"),
        ({"methods": {"m": {"call": "a:b", "controls": ["random"]}}}, "not ours to change"),
        ({"metrics": "a:b"}, "metrics: a str, not a list"),
        ({"metrics": ["nothing.there:x"]}, "nothing.there:x: cannot import"),
        ({"source": "benchmarks.suite:nothing"}, "has no 'nothing'"),
    ],
)
def test_what_is_wrong_in_a_suite(capsys, tmp_path, monkeypatch, change, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.yaml").write_text(yaml.safe_dump({"config": {"data": "grammar"}} | change))
    fails(capsys, ["run", "own.yaml", "--size", "smoke"], message)
    assert [path.name for path in tmp_path.iterdir()] == ["own.yaml"], "something was written"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rnu"], "unknown command 'rnu' (did you mean 'run'?)"),
        (["run", "oracle2"], "no suite 'oracle2' (did you mean 'oracle20'?)"),
        (["run", "missing.yaml"], "missing.yaml: cannot be read"),
        (["run", "grammar", "--size", "smokey"], "did you mean 'smoke'?"),
        (["run", "grammar", "--seeds", "0,a"], "--seeds: '0,a'"),
        (["run", "grammar", "--jobs", "0"], "--jobs: 0 is not in"),
        (["run", "grammar", "--jbos", "1"], "did you mean '--jobs'?"),
        (["run", "grammar", "--data_dir", "nowhere"], "--data_dir: nowhere: no such folder"),
        (["run", "grammar", "--methods", "no.yaml"], "no.yaml: cannot be read"),
        (["run", "coco"], "coco_train.txt"),
        (["table", "nowhere"], "nowhere: no such folder"),
        (["table", "."], "no results below it"),
        (["plot", "nowhere"], "nowhere: no such folder"),
        (["compare", "a", "b", "c"], "one or two folders of results, not 3"),
        (["list", "--data_dir", "nowhere"], "--data_dir: nowhere: no such folder"),
    ],
)
def test_one_clear_line(capsys, monkeypatch, tmp_path, arguments, message):
    monkeypatch.delenv("SEQGAN_DATA_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    fails(capsys, arguments, message)
    assert not list(tmp_path.iterdir()), "something was written"


def test_a_missing_file_is_described_and_a_wrong_one_refused(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("SEQGAN_DATA_DIR", str(tmp_path))
    facts = ("https://github.com/geek-ai/Texygen", "licence: MIT", "sha256 2c0fd1f0", "--data_dir")
    fails(capsys, ["run", "coco", "--size", "smoke"], "coco_train.txt", *facts)
    (tmp_path / "coco_train.txt").write_text("something else\n")
    digest = hashlib.sha256(b"something else\n").hexdigest()
    fails(capsys, ["run", "coco", "--size", "smoke"], "is another file than the suite's", digest)


def test_the_list(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("SEQGAN_DATA_DIR", str(tmp_path))
    assert main(["list"]) == 0
    printed = capsys.readouterr().out
    assert "quatrains: Chinese quatrains" in printed and "not found: see --data_dir" in printed


@pytest.mark.parametrize("command", list(COMMANDS))
def test_help_and_every_commands_parts(capsys, command):
    assert main([command, "--help"]) == 0
    assert f"Example: {COMMANDS[command].example}" in " ".join(capsys.readouterr().out.split())
    assert callable(import_dotted(COMMANDS[command].function, "command"))


def test_members_have_the_network_of_the_arm_that_is_named():
    arms = {arm.name: arm for arm in load_suite("grammar").arms("standard", 0)}
    assert arms["ratio"].members is None  # as the model that it begins with
    assert arms["ratio-small"].members == arms["mle"].config != arms["ratio-small"].config
    larger = arms["ratio-larger"]
    assert larger.members["generator"] == arms["mle-larger"].config["generator"]
    assert larger.config["generator"] == arms["mle"].config["generator"]
    assert "distillation" in larger.title


def test_members_of_an_arm_that_is_not_there(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("like: grammar\nmethods: {x: {like: ratio, members_of: mle-largr}}\n")
    with pytest.raises(ConfigError, match="members_of: no arm 'mle-largr' .did you mean 'mle-la"):
        load_suite(str(path))


def test_a_policy_smaller_than_its_members_says_who_they_are():
    corpus = {"num_train": 40, "num_validation": 20, "num_heldout": 20, "num_test": 20}
    small = {"data": "grammar", "corpus": corpus, "pretrain": {"epochs": 1}, "method": "ratio"}
    shared = run_config(small | {"generator": {"hidden": 8}}, "test")
    large = run_config(small | {"generator": {"hidden": 12}}, "test")
    lab = Lab(shared, run_data(shared))
    lab.begin()
    config = {**asdict(large), "rewards": [asdict(term) for term in large.rewards]}
    plain = {k: v for k, v in config.items() if k not in ("output_dir", "overwrite")}
    arm = Arm("m", "m", "method", {}, Method("m", "m"), None, plain)
    members = lab.members(arm, shared)
    assert [each.lstm.hidden_size for each in members] == [12, 12, 12]
    start = lab.start(arm, shared)
    assert start.lstm.hidden_size == 8
    found = member_sizes(members, start)
    assert found["policy_parameters"] == sum(each.numel() for each in start.parameters())
    assert len(found["parameters"]) == 3 and min(found["parameters"]) > found["policy_parameters"]
    tokens = lab.compute(arm, shared, {"seconds": 1.0, "tokens": 7.0, "operations": 2.0})
    one = lab.starts(shared).first()[1]["tokens"]
    assert tokens.tokens == 4 * one + 7  # a start, three members, and its own
    columns = compute_columns([[{"compute": tokens._asdict(), "members": found}], [{}]])
    assert columns["members × parameters, M"][0].endswith("(distillation)")
    assert columns["members × parameters, M"][1] == ""
