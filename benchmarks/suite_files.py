"""Suites and methods from YAML files, those that come with the harness and a user's own."""

from __future__ import annotations

import copy
import functools
from pathlib import Path
from typing import Any

from seqgan.config import RunConfig
from seqgan.config.methods import read_method
from seqgan.config.reading import run_config
from seqgan.config.recipes import merge
from seqgan.errors import ConfigError, did_you_mean

from .files import DataFile, Use, read_files, read_use
from .reading import Mapping, check_keys, dotted, listed, mapping, read_yaml
from .settings import SIZES
from .suite import COMMON, Method, Suite, common

__all__ = ["REWARDS", "common_methods", "load_methods", "load_suite", "suite_names"]

FOLDER = Path(__file__).parent / "suites"
REWARDS = ("constant", "random")
"""Rewards of controls."""
KINDS = ("method", "control", "ceiling")
METHOD_GROUPS = ("discriminator", "critic", "rewards", "ensemble", "algorithm", "adversarial")
"""The settings that a method may have: data, MLE model and evaluation are the cell's."""
START_GROUPS = ("generator", "pretrain", *METHOD_GROUPS)
"""Groups of a method that begins with an MLE model of its own."""


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
    elif other in (shared := common()["methods"]):
        found = _completed(other, shared, COMMON.name)
    else:
        near = did_you_mean(str(other), [*rest, *shared])
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
def common_methods() -> dict[str, Method]:
    """The methods of the common file, by name."""
    return read_methods(common()["methods"], COMMON.name)
