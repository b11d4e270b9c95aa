"""The settings of a command that come from files: of `--config`, of a run that is gone on from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ..config import FileCorpus, RewardTerm, RunConfig
from ..config.imports import dotted_names
from ..config.methods import DEFAULT_METHOD, OBJECTIVE_METHOD
from ..config.reading import read_settings, run_config
from ..config.recipes import GROUPS, merge
from ..config.rewards import reward_terms
from ..config.rewards.stages import of_stages, reward_stages
from ..config.settings import Settings, flat
from ..config.unnamed import unnamed_method
from ..errors import ConfigError

__all__ = ["given_rewards", "stored_settings"]

CUT = ("tokenizer", "max_length", "eos")
"""Settings of the corpus that a run which begins with another one takes over from it."""
REPLACED_BY_A_METHOD = (
    "discriminator", "critic", "rewards", "ensemble", "algorithm", "adversarial", "evaluation",
)  # fmt: skip
"""Groups of a run that fine-tuning by another method or size does not take over."""


def stored_settings(kind: type[Settings], typed: Mapping[str, str], command: str) -> dict[str, Any]:
    """The settings that come from files: of a run that is fine-tuned or resumed, of --config."""
    content: dict[str, Any] = {}
    of_file = read_settings(Path(typed["config"])) if "config" in typed else {}
    if not issubclass(kind, RunConfig):
        return of_file
    _refuse_names_alone(typed, of_file)
    run = typed.get("run", of_file.get("run"))
    chosen = {"method", "size"} & ({*typed} | {*of_file})
    if command == "finetune" and run:
        from ..runs.run_directory import RunDirectory

        directory = RunDirectory.open(str(run))
        content = directory.config()
        run_config(content, str(directory.path / "config.yaml"))  # errors name its file
        replaced = set(REPLACED_BY_A_METHOD) if chosen else set()
        if "method" not in chosen:
            rewards = given_rewards(typed, of_file)
            if _another_method(content, {**flat(of_file), **typed}, *rewards):
                replaced |= {"method", *REPLACED_BY_A_METHOD}
            elif _now_objective(content, *rewards):
                replaced |= {"method", "algorithm"}
        content = {k: v for k, v in content.items() if k not in replaced}
    group = of_file.get("pretrain")
    begun = typed.get("pretrain.run", group.get("run") if isinstance(group, dict) else None)
    if begun and command in ("run", "pretrain"):
        content = _as_begun(str(begun), typed.get("data", of_file.get("data", "")))
    content |= _resumed(str(typed.get("resume", of_file.get("resume", ""))), command)
    if not (typed.get("trust") == "true" or of_file.get("trust") is True):
        _refuse_imports(content, {*typed, *flat(of_file), *of_file})
    return merge(content, of_file)


def _as_begun(run: str, data: str) -> dict[str, Any]:
    """The settings of the run that training begins with which say how other data are cut."""
    from ..config.data import corpus_kind
    from ..runs.run_directory import RunDirectory

    directory = RunDirectory.open(run)
    found = directory.config()
    kinds = {corpus_kind(found.get("data", "grammar")), corpus_kind(data or "grammar")}
    if kinds != {FileCorpus}:
        return {}
    corpus = {name: found["corpus"][name] for name in CUT if name in found["corpus"]}
    return {"data": data, "corpus": corpus}


def given_rewards(
    typed: Mapping[str, str], of_file: Mapping[str, Any]
) -> tuple[list[RewardTerm], list[RewardTerm]]:
    """The terms of the reward and of its stages that the user gives, typed or in a file."""
    try:
        rewards, stages = (
            yaml.safe_load(typed[name]) if name in typed else of_file.get(name)
            for name in ("rewards", "stages")
        )
    except yaml.YAMLError:
        return [], []  # the parser says what is wrong
    return reward_terms(rewards) if rewards else [], of_stages(reward_stages(stages or []))


def _now_objective(
    content: Mapping[str, Any], rewards: list[RewardTerm], stages: list[RewardTerm]
) -> bool:
    """Tells if rewards that say what is wanted, in all stages, take the place of a run's others.

    Its updates were for those: rollouts, say, of which each would be a call.
    """
    before = reward_terms(content["rewards"]) if content.get("rewards") else []
    return (
        unnamed_method({}, rewards, stages) == OBJECTIVE_METHOD
        and not all(term.objective for term in before)
    )  # fmt: skip


def _another_method(
    content: Mapping[str, Any], given: Mapping[str, Any], rewards: list[RewardTerm],
    stages: list[RewardTerm],
) -> bool:  # fmt: skip
    """Tells if settings ask for another method than the default one that a run has.

    A run that was pretrained has some method, whether one was named or not.
    """
    return content.get("method") == DEFAULT_METHOD != unnamed_method(given, rewards, stages)


def _refuse_imports(content: Mapping[str, Any], given: set[str]) -> None:
    """Refuses to import what the folder of a run names, which may be a stranger's.

    Args:
        content: the settings of the run.
        given: names of the settings that the user gives.
    """
    kept = {key: value for key, value in content.items() if key not in given}
    for setting, name in dotted_names(kept):
        if "." not in setting or setting not in given:  # groups are kept as a whole
            none = " ('[]' for none)" if setting == "stages" else ""
            raise ConfigError(
                f"--{setting}: {name} is named by the settings of another run, which may be a "
                f"stranger's: --trust imports it, or name your own --{setting}{none}"
            )


def _refuse_names_alone(typed: Mapping[str, str], of_file: Mapping[str, Any]) -> None:
    """Refuses another method or size for a file that has the settings of the first one itself."""
    groups = [name for name in GROUPS if name in of_file]
    for name in ("method", "size"):
        if groups and name in typed and name in of_file and typed[name] != of_file[name]:
            raise ConfigError(
                f"--{name} {typed[name]}: {typed['config']} is for the {name} {of_file[name]} and "
                f"sets {', '.join(groups)} itself; take out of it what --{name} shall decide, and "
                f"its {name}"
            )


def _resumed(resume: str, command: str) -> dict[str, Any]:
    """The settings that the run of ``--resume PATH`` was started with; empty for auto and true."""
    if resume.lower() in ("auto", "true", "false", ""):
        return {}
    from ..runs.resume import run_folder
    from ..runs.run_directory import RunDirectory

    folder = run_folder(resume)
    assert folder is not None
    directory = RunDirectory.open(folder)
    settings = directory.config()
    run_config(settings, str(directory.path / "config.yaml"))
    if command != "finetune" and settings.pop("run", None) is not None:
        raise ConfigError(f"--resume: {folder} is fine-tuned: seqgan finetune --resume {folder}")
    return settings
