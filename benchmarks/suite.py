"""Suites: what is trained and measured, in YAML.

A suite names its data, its settings at three sizes, and methods of its own. Methods that every
suite runs, and what the sizes have in common, stand in ``common.yaml``.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from seqgan.config import AlgorithmConfig, DiscriminatorConfig, GeneratorConfig, RunConfig
from seqgan.config.methods import read_method
from seqgan.config.reading import run_config
from seqgan.config.recipes import merge
from seqgan.config.rewards import reward_terms
from seqgan.config.settings import hints, settings_from
from seqgan.errors import ConfigError, did_you_mean

from .files import DataFile, Use, read_files, read_use
from .reading import Mapping, check_keys, dotted, listed, mapping, read_yaml
from .settings import SIZES

__all__ = [
    "REWARDS", "Arm", "Method", "Suite", "arm_set", "arms_of", "chosen_arms", "common_methods",
    "load_methods", "load_suite", "named_arms", "of_control", "suite_names",
]  # fmt: skip

FOLDER = Path(__file__).parent / "suites"
COMMON = Path(__file__).parent / "common.yaml"
REWARDS = ("constant", "random")
"""Rewards of controls."""
KINDS = ("method", "control", "ceiling")
METHOD_GROUPS = ("discriminator", "critic", "rewards", "ensemble", "algorithm", "adversarial")
"""The settings that a method may have: data, MLE model and evaluation are the cell's."""
START_GROUPS = ("generator", "pretrain", *METHOD_GROUPS)
"""Groups of a method that begins with an MLE model of its own."""


@dataclass(frozen=True)
class Method:
    """A composition of settings, or a function of the user's, that makes a model out of MLE's.

    Attributes:
        name: what result files and tables call it.
        title: what people call it.
        about: what it does.
        kind: method, control (a method that should show nothing), or ceiling (what a method is
            drawn towards).
        config: settings on top of the suite's.
        sizes: settings of a size on top of these.
        controls: the rewards it is run with besides its own: constant, random.
        call: dotted path of a function that returns the policy; None: fine-tuning as in `config`.
        arguments: keyword arguments of that function.
        own_start: it begins with an MLE model of its own, trained as its own settings have it. It
            is compared with the cell's tuned one all the same.
        recipe: the method of ``seqgan run --method`` that it is; None: the default one.
        members: MLE models with other seeds that the function is called with, as ``members``.
        members_of: the arm whose network these, or the members of its ensemble, have; None: the
            network that the method begins with.
        extra: it is run only if ``--arms`` names it.
        measure: dotted path of a function ``(mle, data, config, runtime, **arguments) -> scores``
            (or an `arms.Measured`) of something that is no policy: its arm has scores and no
            verdict; or None.
        rivals: arms that do with MLE what may explain the method's gain; tables set it beside them.
    """

    name: str
    title: str
    about: str = ""
    kind: str = "method"
    config: Mapping = field(default_factory=dict)
    sizes: dict[str, Mapping] = field(default_factory=dict)
    controls: tuple[str, ...] = ()
    call: str | None = None
    arguments: Mapping = field(default_factory=dict)
    own_start: bool = False
    recipe: str | None = None
    members: int = 0
    members_of: str | None = None
    extra: bool = False
    measure: str | None = None
    rivals: tuple[str, ...] = ()


@dataclass(frozen=True)
class Arm:
    """One model (or ceiling) of a cell.

    Attributes:
        name: of its result file.
        title: for people.
        kind: mle, method, control or ceiling.
        config: all settings, as plain data.
        method: what makes it, or None for MLE and ceilings.
        control_of: the method whose training it repeats with another reward, or None.
        members: all settings of the arm whose network its members have; None: its own.
    """

    name: str
    title: str
    kind: str
    config: Mapping
    method: Method | None = None
    control_of: str | None = None
    members: Mapping | None = None

    def facts(self) -> dict[str, Any] | None:
        """Facts of its method that are not in the settings; None if it has none."""
        method = self.method
        if method is None:
            return None
        own: dict[str, Any] = {"own_start": True} if method.own_start else {}
        if method.call is not None:
            own |= {"call": method.call, "arguments": method.arguments}
        if method.measure is not None:
            own |= {"measure": method.measure, "arguments": method.arguments}
        if method.members:
            own["members"] = method.members
        if self.members is not None:  # their network decides on what is trained
            own["members_network"] = {key: self.members[key] for key in ("generator", "pretrain")}
        return own or None


@dataclass(frozen=True)
class Suite:
    """A suite, as its YAML file and the common one have it.

    Attributes:
        name: of the file.
        title: what people call it.
        about: what it is.
        config: settings of all sizes.
        files: the public files it needs.
        use: what each of them (or some of its lines) is for.
        sizes: settings of each size, on top of the common ones.
        size_use: the same as `use`, of a size.
        methods: by name.
        source: dotted path of a function ``(config) -> Dataset``, or None.
        prepare: dotted path of a function ``(paths, folder) -> {role: path}`` that makes the data's
            files out of those the suite needs, or None.
        metrics: dotted paths of functions ``(samples, data) -> float``.
        columns: scores of its table, or None for the usual ones.
        published: its key in ``published.yaml``, or None.
    """

    name: str
    title: str
    about: str
    config: Mapping
    files: dict[str, DataFile]
    use: dict[str, Use]
    sizes: dict[str, Mapping]
    size_use: dict[str, dict[str, Use]]
    methods: dict[str, Method]
    source: str | None = None
    metrics: tuple[str, ...] = ()
    columns: tuple[str, ...] | None = None
    published: str | None = None
    prepare: str | None = None

    def uses(self, size: str) -> dict[str, Use]:
        """Contents of each role of the data at a size."""
        return {**self.use, **self.size_use.get(size, {})}

    def settings(self, size: str, seed: int) -> Mapping:
        """All settings of the cell's shared part, as plain data."""
        return _plain(run_config(self._given(size, seed), f"suite {self.name}"))

    def _given(self, size: str, seed: int) -> Mapping:
        """The settings on top of what the size recommends."""
        common = _common()["sizes"].get(size, {})
        head: dict[str, Any] = {"size": size, "seed": seed}
        if "data" in (uses := self.uses(size)):  # the kind of data decides on its settings
            head["data"] = self.files[uses["data"].file].name
        elif self.prepare is not None:
            head["data"] = f"{self.name}.txt"
        return merge(head, common, self.config, self.sizes.get(size, {}))

    def arms(self, size: str, seed: int) -> list[Arm]:
        """The arms of a cell, MLE first, ceilings last."""
        shared = self.settings(size, seed)
        arms = [Arm("mle", "MLE, tuned", "mle", shared)]
        for method in self.methods.values():
            own = self._own(method, size, seed, shared)
            members = self._members(method, size, seed, shared)
            arms.append(Arm(method.name, method.title, method.kind, own, method, None, members))
            for reward in method.controls:
                name, title = f"{method.name}-{reward}", f"{method.title}, {reward} reward"
                other = {**of_control(own), "rewards": [asdict(*reward_terms(reward))]}
                arms.append(Arm(name, title, "control", other, method, method.name, members))
        arms.append(Arm("training-copy", "copy of training data", "ceiling", shared))
        arms.append(Arm("real", "real test data", "ceiling", shared))
        return arms

    def _members(self, method: Method, size: str, seed: int, shared: Mapping) -> Mapping | None:
        """All settings of the arm whose network the members of a method have."""
        if method.members_of is None:
            return None
        if method.members_of == "mle":
            return shared
        if method.members_of not in self.methods:
            near = did_you_mean(method.members_of, ["mle", *self.methods])
            raise ConfigError(
                f"suite {self.name}: methods.{method.name}.members_of: no arm "
                f"{method.members_of!r}{near}"
            )
        return self._own(self.methods[method.members_of], size, seed, shared)

    def _own(self, method: Method, size: str, seed: int, shared: Mapping) -> Mapping:
        """All settings of a method: what the cell shares, and its recipe for the rest."""
        given = self._given(size, seed)
        if "algorithm" in given:  # another algorithm takes what it has of the suite's settings
            recipe = {} if method.recipe is None else read_method(method.recipe).settings
            kind = AlgorithmConfig.chosen(
                merge(recipe.get("algorithm", {}), method.config.get("algorithm", {}))
            )
            own = {key: each for key, each in given["algorithm"].items() if key in hints(kind)}
            given["algorithm"] = own
        kinds = {"generator": GeneratorConfig, "discriminator": DiscriminatorConfig}
        for group, base in kinds.items():  # and so does another network
            named, suite = method.config.get(group, {}), given.get(group, {})
            if base.selector in named:
                known = hints(base.chosen(named))
                given[group] = {key: each for key, each in suite.items() if key in known}
        given = merge(given, method.config, method.sizes.get(size, {}))
        if method.recipe is not None:
            given["method"] = method.recipe
        if not method.own_start:
            given |= {name: shared[name] for name in ("generator", "pretrain")}
        return _plain(run_config(given, f"suite {self.name}, {method.name}"))


def of_control(settings: Mapping) -> Mapping:
    """All settings of a method's control but its reward: with an algorithm that takes any."""
    algorithm = settings_from(AlgorithmConfig, settings["algorithm"])
    other = {key: value for key, value in settings.items() if key != "rewards"}
    if not algorithm.any_reward:
        other["algorithm"] = asdict(algorithm.as_policy_gradient())
    return other


def chosen_arms(arms: list[Arm], names: Collection[str] | None) -> list[Arm]:
    """The arms of these names; by default all but the extra ones."""
    if names is None:
        return [arm for arm in arms if arm.method is None or not arm.method.extra]
    return [arm for arm in arms if arm.name in names]


def named_arms(text: str, suites: list[Suite]) -> frozenset[str]:
    """The names of arms between commas, sets of the common file put in full.

    Raises:
        ConfigError: no suite has an arm of that name.
    """
    return arms_of(text, {arm.name for suite in suites for arm in suite.arms("standard", 0)})


def arms_of(text: str, known: Collection[str]) -> frozenset[str]:
    """As `named_arms`, of these arms."""
    sets: dict[str, list[str]] = _common().get("sets", {})
    found: set[str] = set()
    for name in (word.strip() for word in text.split(",")):
        if name in sets:
            found |= set(sets[name])
        elif name in known:
            found.add(name)
        else:
            near = did_you_mean(name, [*known, *sets])
            raise ConfigError(f"--arms: no arm or set {name!r}{near}; sets are {', '.join(sets)}")
    return frozenset(found)


def arm_set(name: str) -> list[str]:
    """The arms of a set of the common file."""
    return list(_common()["sets"][name])


def suite_names() -> list[str]:
    """The suites that come with the harness."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load_suite(name: str, more: dict[str, Method] | None = None) -> Suite:
    """A suite by name, or from a YAML file of the user's.

    Args:
        name: a name, or a path that ends in .yaml or .yml.
        more: methods besides those of the suite.

    Raises:
        ConfigError: there is no such suite, or a key or value of it is wrong.
    """
    if name.endswith((".yaml", ".yml")):
        path = Path(name)
    else:
        path = FOLDER / f"{name}.yaml"
        if name not in suite_names():
            near = did_you_mean(name, suite_names())
            raise ConfigError(
                f"no suite {name!r}{near}; suites are {', '.join(suite_names())}, or a .yaml file"
            )
        if not more:
            return _shipped(name)
    return _read_suite(path, more or {})


@functools.cache
def _shipped(name: str) -> Suite:
    """A suite that comes with the harness; its arms are many, and checked once."""
    return _read_suite(FOLDER / f"{name}.yaml", {})


def _read_suite(path: Path, more: dict[str, Method]) -> Suite:
    """The suite of a file, with all of its arms checked."""
    where = str(path) if path.parent != FOLDER else path.name
    content = _content(path, where)
    own = read_methods(content.get("methods", {}), where)
    files = read_files(content.get("files", {}), where)
    sizes, size_use = _sizes(content.get("sizes", {}), files, where)
    suite = Suite(
        path.stem,
        str(content.get("title", path.stem)),
        str(content.get("about", "")).strip(),
        settings(content.get("config", {}), where),
        files,
        read_use(content.get("use", {}), files, where),
        sizes,
        size_use,
        {**common_methods(), **own, **more},
        dotted(content.get("source"), f"{where}: source"),
        tuple(str(dotted(x, f"{where}: metrics")) for x in listed(content, "metrics", where)),
        tuple(map(str, listed(content, "columns", where))) if "columns" in content else None,
        content.get("published"),
        dotted(content.get("prepare"), f"{where}: prepare"),
    )
    for size in SIZES:
        for arm in suite.arms(size, 0):
            checked(arm.config, f"{where}, size {size}, {arm.name}")
    return suite


def _content(path: Path, where: str) -> Mapping:
    """A suite's file, with what it does not say itself from the suite that it is like."""
    content = read_yaml(path, where)
    known = (
        "title", "about", "config", "files", "use", "source", "metrics", "columns", "published",
        "methods", "sizes", "prepare", "like",
    )  # fmt: skip
    check_keys(content, known, where)
    if "like" not in content:
        return content
    other, names = content.pop("like"), suite_names()
    if other not in names:
        raise ConfigError(f"{where}: like: no suite {other!r}{did_you_mean(str(other), names)}")
    return merge(_content(FOLDER / f"{other}.yaml", f"{other}.yaml"), content)


def load_methods(path: str) -> dict[str, Method]:
    """Methods of a user's own file: a mapping of names, as under ``methods:`` of a suite."""
    return read_methods(read_yaml(Path(path), path), path)


def read_methods(content: Any, where: str) -> dict[str, Method]:
    """Methods from the mapping that holds them.

    One may be ``like`` another of the same mapping, or like a common one.
    """
    own = mapping(content, f"{where}: methods")
    return {name: _method(str(name), _completed(name, own, where), where) for name in own}


def _completed(name: Any, own: Mapping, where: str) -> Mapping:
    """The entry of `own` with this name, completed by the method that it is like."""
    place = f"{where}: methods.{name}"
    entry = mapping(own[name], place)
    if "like" not in entry:
        return entry
    other, rest = entry["like"], {k: v for k, v in own.items() if k != name}
    if other in rest:
        found = _completed(other, rest, where)
    elif other in (common := _common()["methods"]):
        found = _completed(other, common, COMMON.name)
    else:
        near = did_you_mean(str(other), [*rest, *common])
        raise ConfigError(f"{place}.like: no method {other!r}{near} here or in {COMMON.name}")
    # What a method is measured against is its own.
    base = {k: v for k, v in found.items() if k != "rivals"}
    return merge(base, {k: v for k, v in entry.items() if k != "like"})


def settings(content: Any, where: str, groups: tuple[str, ...] | None = None) -> Mapping:
    """Settings as a suite or method has them; `load_suite` checks them where they are used.

    Args:
        content: the mapping.
        where: for messages.
        groups: the only ones allowed, or None for all.
    """
    found = mapping(content, where)
    for key in found:
        if groups is not None and key not in groups:
            raise ConfigError(
                f"{where}: {key!r} is not a method's to set{did_you_mean(str(key), groups)}: the "
                f"arms of a cell share it; a method sets {', '.join(groups)}"
            )
        if key in ("seed", "output_dir", "overwrite"):
            raise ConfigError(f"{where}: {key!r} is given on the command line")
    return found


def checked(content: Mapping, where: str) -> RunConfig:
    """The settings; an error names the file, whatever it is about."""
    try:
        return run_config(copy.deepcopy(content), where)
    except ConfigError as error:
        text = str(error)
        raise ConfigError(text if text.startswith(where) else f"{where}: {text}") from None


def _method(name: str, entry: Mapping, where: str) -> Method:
    where = f"{where}: methods.{name}"
    known = (
        "title", "about", "kind", "config", "sizes", "controls", "call", "arguments", "rivals",
        "own_start", "like", "recipe", "members", "members_of", "extra", "measure",
    )  # fmt: skip
    check_keys(entry, known, where)
    recipe = entry.get("recipe")
    if recipe is not None:
        found = read_method(str(recipe))
        entry = {"title": found.title, "about": found.about, **entry}
    call = dotted(entry.get("call"), f"{where}.call")
    measure = dotted(entry.get("measure"), f"{where}.measure")
    kind = str(entry.get("kind", "method"))
    if kind not in KINDS:
        raise ConfigError(f"{where}.kind: {kind!r} is none of {', '.join(KINDS)}")
    controls = listed(entry, "controls", where) if "controls" in entry else []
    if "controls" not in entry and call is None and measure is None:
        controls = list(REWARDS)
    for reward in controls:
        if reward not in REWARDS:
            near = did_you_mean(str(reward), REWARDS)
            raise ConfigError(f"{where}.controls: {reward!r} is none of {', '.join(REWARDS)}{near}")
    if call is not None and controls:
        raise ConfigError(f"{where}.controls: a function's reward is not ours to change; leave out")
    sizes = mapping(entry.get("sizes", {}), f"{where}.sizes")
    check_keys(sizes, SIZES, f"{where}.sizes")
    own_start, extra = (_flag(entry, name, where) for name in ("own_start", "extra"))
    members = entry.get("members", 0)
    function = call is not None or measure is not None
    if type(members) is not int or not 0 <= members <= 100 or (members and not function):
        raise ConfigError(f"{where}.members: {members!r}: a number of models for a function")
    groups = START_GROUPS if own_start else METHOD_GROUPS
    return Method(
        name,
        str(entry.get("title", name)),
        str(entry.get("about", "")).strip(),
        kind,
        settings(entry.get("config", {}), f"{where}.config", groups),
        {k: settings(v, f"{where}.sizes.{k}", groups) for k, v in sizes.items()},
        tuple(controls),
        call,
        mapping(entry.get("arguments", {}), f"{where}.arguments"),
        own_start,
        recipe,
        members,
        None if entry.get("members_of") is None else str(entry["members_of"]),
        extra,
        measure,
        tuple(listed(entry, "rivals", where)) if "rivals" in entry else (),
    )


def _flag(entry: Mapping, name: str, where: str) -> bool:
    value = entry.get(name, False)
    if not isinstance(value, bool):
        raise ConfigError(f"{where}.{name}: {value!r} is neither true nor false")
    return value


def _sizes(
    content: Any, files: dict[str, DataFile], where: str
) -> tuple[dict[str, Mapping], dict[str, dict[str, Use]]]:
    """For each size its settings, and what it does with the files."""
    found, uses = {}, {}
    sizes = mapping(content, f"{where}: sizes")
    check_keys(sizes, SIZES, f"{where}: sizes")
    for size, entry in sizes.items():
        inner = mapping(entry, f"{where}: sizes.{size}")
        rest = {key: value for key, value in inner.items() if key != "use"}
        found[size] = settings(rest, f"{where}: sizes.{size}")
        uses[size] = read_use(inner.get("use", {}), files, f"{where}: sizes.{size}")
    return found, uses


@functools.cache
def _common() -> Mapping:
    return read_yaml(COMMON, COMMON.name)


@functools.cache
def common_methods() -> dict[str, Method]:
    """The methods of the common file, by name."""
    return read_methods(_common()["methods"], COMMON.name)


def _plain(config: RunConfig) -> Mapping:
    """Settings as plain data, without what says where a run is written."""
    return {k: v for k, v in asdict(config).items() if k not in ("output_dir", "overwrite")}
