"""Suites: what is trained and measured, in YAML.

A suite names its data, its settings at three sizes, and methods of its own. Methods that every
suite runs, and what the sizes have in common, stand in ``common.yaml``.
"""

from __future__ import annotations

import functools
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from seqgan.config import AlgorithmConfig, DiscriminatorConfig, GeneratorConfig, RunConfig
from seqgan.config.methods import DISCRIMINATOR_METHOD, read_method
from seqgan.config.reading import run_config
from seqgan.config.recipes import merge
from seqgan.config.rewards import reward_terms
from seqgan.config.settings import hints, settings_from
from seqgan.errors import ConfigError, did_you_mean

from .files import DataFile, Use
from .reading import Mapping, read_yaml

__all__ = ["COMMON", "Arm", "Method", "Suite", "common", "of_control"]

COMMON = Path(__file__).parent / "common.yaml"


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
        recipe: the method of ``seqgan run --method`` that it is; None: ``seqgan-logodds``.
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
        """The settings on top of what the size recommends.

        Of a method without a recipe the settings do not choose one, which could differ from size to
        size: it begins with the same one always.
        """
        shared = common()["sizes"].get(size, {})
        head: dict[str, Any] = {"size": size, "seed": seed, "method": DISCRIMINATOR_METHOD}
        if "data" in (uses := self.uses(size)):  # the kind of data decides on its settings
            head["data"] = self.files[uses["data"].file].name
        elif self.prepare is not None:
            head["data"] = f"{self.name}.txt"
        return merge(head, shared, self.config, self.sizes.get(size, {}))

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


@functools.cache
def common() -> Mapping:
    """The content of the common file."""
    return read_yaml(COMMON, COMMON.name)


def _plain(config: RunConfig) -> Mapping:
    """Settings as plain data, without what says where a run is written."""
    return {k: v for k, v in asdict(config).items() if k not in ("output_dir", "overwrite")}
