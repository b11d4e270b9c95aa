"""Beginning, MLE and fine-tuning: what runs do until their models are there."""

from __future__ import annotations

import os
from dataclasses import replace

from rich.console import Console
from typing_extensions import Unpack

from rollout.modules import frozen_copy, own_copy

from ..config import FinetuneConfig, RunConfig
from ..config.reading import run_config
from ..config.reward_calls import announced, planned_calls
from ..data.constraints import check_allowed
from ..data.dataset import Dataset
from ..errors import ConfigError
from ..evaluation.comparison import Sweep
from ..evaluation.objective import Objective
from ..evaluation.text_scores import check_available
from ..models import Generator, load_generator, make_generator
from ..rewards.build import check_rewards
from ..runs.resume import folder_of
from ..runs.run_directory import PRETRAINING, RunDirectory, write_json
from ..seeding import derive_seed
from ..training.begin import begin, check_config, files_found, on_data_of, source_run
from ..training.callbacks import CallbackArguments, Callbacks
from ..training.control import run_control
from ..training.fine_tuning import FineTuning
from ..training.fresh import FreshSamples
from ..training.members import run_members
from ..training.pretrain import convergence_of, pretrain
from ..training.runtime import MLE_SAMPLES, Runtime
from ..training.sampling import MOST_SAMPLES
from ..training.showing import SampleTable
from ..training.transfer import beginning
from .finishing import RunResult, Tuned, finish

__all__ = ["finetune", "pretrain_only", "run"]


def run(
    config: RunConfig, console: Console | None = None, **callbacks: Unpack[CallbackArguments]
) -> RunResult:
    """Pretrains by MLE, fine-tunes adversarially, compares both, and writes the run's folder.

    Args:
        config: all settings.
        console: where progress and tables are shown; None: nowhere.
        **callbacks: `on_step`, `on_round`, `on_sample`, see `seqgan.training.callbacks`.

    Raises:
        SeqganError: a setting, the data, or the output folder is not as it should be; nothing is
            written then.
        RunInterrupted: SIGINT or SIGTERM came; the message says how to resume.
    """
    config, first = _with_beginning(files_found(config))
    check_available(config.evaluation)
    check_rewards(config.every_term(), config.reward, config.corpus.names())
    told = Callbacks(**callbacks)
    runtime, data = begin("run", config, console, callbacks=told, first=first)
    with runtime.interruption:
        generator = _pretrained(config, data, runtime, first)
        tuned = _fine_tuned(config, data, generator, runtime)
        return finish(config, data, runtime, tuned.models(), runtime.run, tuned)


def pretrain_only(config: RunConfig, console: Console | None = None) -> RunResult:
    """MLE pretraining alone, and its scores."""
    config, first = _with_beginning(files_found(config))
    check_available(config.evaluation)
    runtime, data = begin("pretrain", config, console, first=first)
    with runtime.interruption:
        generator = _pretrained(config, data, runtime, first)
        return finish(config, data, runtime, {"mle": generator}, runtime.run)


def finetune(
    config: RunConfig,
    pretrained: RunDirectory | str | os.PathLike[str],
    console: Console | None = None,
    **callbacks: Unpack[CallbackArguments],
) -> RunResult:
    """Adversarial fine-tuning of the generator of another run, compared with it.

    Args:
        config: all settings; the data must be those of the pretrained run.
        pretrained: the run whose MLE generator is taken, or its folder.
        console: where progress and tables are shown; None: nowhere.
        **callbacks: as of `run`.
    """
    check_config(config)
    check_rewards(config.every_term(), config.reward, config.corpus.names())
    pretrained = source_run(config, pretrained)
    generator = load_generator(pretrained.checkpoint("mle") / "generator")
    trained = run_config(pretrained.config(), str(pretrained.path / "config.yaml"))
    first = None
    if isinstance(config, FinetuneConfig) and config.transfer:
        first = generator
        resumed = folder_of(config) == pretrained.path  # which knows where it began
        began = trained.pretrain.run if resumed else str(pretrained.path)
        config = replace(config, pretrain=replace(config.pretrain, run=began))
    else:
        config = on_data_of(config, trained, pretrained)
    if config.generator != trained.generator:
        raise ConfigError(
            f"--generator: {pretrained.path} holds a generator of other settings; leave them out"
        )
    check_available(config.evaluation)
    ended = convergence_of(pretrained)  # an error of its log comes now, not after hours
    told = Callbacks(**callbacks)
    runtime, data = begin("finetune", config, console, pretrained, told, first)
    with runtime.interruption:
        generator.to(runtime.device)
        runtime.hold(runtime=runtime, generator=generator)
        if not runtime.past("pretrain"):
            if runtime.processes.is_main and runtime.run is not None:
                write_json(runtime.run.path / PRETRAINING, ended._asdict())
            _keep_pretrained(runtime)
        tuned = _fine_tuned(config, data, generator, runtime)
        return finish(config, data, runtime, tuned.models(), pretrained, tuned)


def _with_beginning(config: RunConfig) -> tuple[RunConfig, Generator | None]:
    """The generator of another run that training begins with, and the settings with its own."""
    first = beginning(config)
    return (config, None) if first is None else (replace(config, generator=first.settings), first)


def _pretrained(
    config: RunConfig, data: Dataset, runtime: Runtime, generator: Generator | None
) -> Generator:
    """The generator after MLE, begun from the given one; from a checkpoint, if there is one."""
    if generator is None:
        seed = derive_seed(config.seed, "generator")
        generator = make_generator(config.generator, data.spec, seed)
    runtime.hold(runtime=runtime, generator=generator)
    if not runtime.past("pretrain"):
        table = SampleTable(data.codec, config.evaluation.show, 1, runtime)
        show = FreshSamples(table, data, MLE_SAMPLES)
        pretrain(generator, data.train, data.validation, config.pretrain, runtime, show)
        _keep_pretrained(runtime)
    return generator.to(runtime.device)


def _keep_pretrained(runtime: Runtime) -> None:
    runtime.enter("pretrained")
    runtime.save("mle")


def _fine_tuned(config: RunConfig, data: Dataset, generator: Generator, runtime: Runtime) -> Tuned:
    """Plays the rounds and the control, or what is left of them."""
    reference = frozen_copy(generator)
    runtime.hold(reference=reference)
    ensemble = run_members(config, data, runtime)
    work = FineTuning(config, data, generator, reference, runtime, ensemble)
    if config.for_objective:
        reward, planned = work.reward(config.rewards), planned_calls(config)
        runtime.say(announced(config, generator.max_length, min(len(data.train), MOST_SAMPLES)))
        objective = Objective(
            reward, reference, data, config.evaluation, config.seed, planned.validation,
            runtime.saved_before,
        )  # fmt: skip
        runtime.hold(objective=objective)
        runtime.processes.agree(objective.settle)
        return Tuned(work, work.run(objective.validate), None, objective, None, None)
    check_allowed(data)
    sweep = Sweep(data, config.evaluation, config.seed)
    runtime.hold(sweep=sweep)
    if not runtime.past("critic"):  # otherwise it was settled before
        runtime.processes.agree(lambda: sweep.settle(reference))
    rounds, control, noise = work.run(sweep.validate), None, None
    if config.evaluation.control:
        half = sweep.halved()
        noise = own_copy(reference).requires_grad_(True)
        spread = work.player.spread
        control = run_control(
            noise, reference, spread, config, data, half.validate, runtime, half,
            discriminator=work.discriminator,
        )  # fmt: skip
    return Tuned(work, rounds, sweep, None, control, noise)
