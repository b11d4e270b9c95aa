"""The whole path: data, MLE pretraining, adversarial fine-tuning, comparison."""

from __future__ import annotations

import datetime
import itertools
import json
import os
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from rich.console import Console

from rollout import Policy, Sequences

from .config import RunConfig
from .config.reading import run_config
from .data.bounded import bounded
from .data.sources import Dataset, check_splits, fingerprint
from .errors import ConfigError, RunDirectoryError
from .evaluation.action_values import token_values
from .evaluation.answer import Answer, answer
from .evaluation.comparison import Compared, Comparison, Sweep, Swept, compare_with_control
from .evaluation.models import Evaluator, real_texts
from .evaluation.text_scores import check_available
from .metrics import Score
from .models import LSTMGenerator, load_generator, make_discriminator, make_generator
from .report import write_report
from .report.console import print_results
from .runs.places import data_of, not_its_data, with_files_found
from .runs.replacing import put_back, replacing
from .runs.resume import Say, check_same_settings, folder_of, resumes, rewind, starting_point
from .runs.run_directory import (
    DATA,
    LAST,
    LOG,
    PRETRAINING,
    RESULTS,
    RunDirectory,
    write_json,
    write_text,
)
from .runs.saver import Saved, Saver, read_checkpoint
from .seeding import derive_seed
from .terminal import say
from .training.adversarial import AdversarialTraining, fine_tune
from .training.control import Control, run_control
from .training.discriminate import DiscriminatorTraining, discriminate
from .training.pretrain import Convergence, convergence, pretrain
from .training.processes import Processes
from .training.runtime import Runtime, make_accelerator

__all__ = ["RunResult", "finetune", "pretrain_only", "run"]


@dataclass(frozen=True)
class RunResult:
    """What a run leaves in memory.

    Of several processes the main one alone measures: in the others there are no scores, no
    comparison and no results.

    Attributes:
        path: the run's folder.
        data: the data set, with no more sequences to measure on than the settings allow.
        mle: the pretrained policy.
        adversarial: the fine-tuned policy, or None.
        scores: for "mle", "adversarial" and "real" their scores.
        comparison: of the adversarial model with MLE: sweeps and verdict, or None.
        results: what `results.json` holds.
        answer: what it all comes to, or None where nothing was compared.
    """

    path: Path
    data: Dataset
    mle: LSTMGenerator
    adversarial: LSTMGenerator | None
    scores: dict[str, list[Score]]
    comparison: Comparison | None
    results: dict[str, Any]
    answer: Answer | None = None


def run(config: RunConfig, console: Console | None = None) -> RunResult:
    """Pretrains by MLE, fine-tunes adversarially, compares both, and writes the run's folder.

    Args:
        config: all settings.
        console: where progress and tables are shown; None: nowhere.

    Raises:
        SeqganError: a setting, the data, or the output folder is not as it should be; nothing is
            written then.
        RunInterrupted: SIGINT or SIGTERM came; the message says how to go on.
    """
    config = _files_found(config)
    runtime, data = _begin("run", config, console)
    with runtime.interruption:
        generator = _pretrained(config, data, runtime)
        return _adversarial_part(config, data, generator, runtime, runtime.run)


def pretrain_only(config: RunConfig, console: Console | None = None) -> RunResult:
    """MLE pretraining alone, and its scores."""
    config = _files_found(config)
    runtime, data = _begin("pretrain", config, console)
    with runtime.interruption:
        generator = _pretrained(config, data, runtime)
        return _finish(config, data, runtime, {"mle": generator}, runtime.run)


def finetune(
    config: RunConfig,
    pretrained: RunDirectory | str | os.PathLike[str],
    console: Console | None = None,
) -> RunResult:
    """Adversarial fine-tuning of the generator of another run, compared with it.

    Args:
        config: all settings; the data must be those of the pretrained run.
        pretrained: the run whose MLE generator is taken, or its folder.
        console: where progress and tables are shown; None: nowhere.
    """
    _check_config(config)
    pretrained = _source(config, pretrained)
    generator = load_generator(pretrained.checkpoint("mle") / "generator")
    trained = run_config(pretrained.config(), str(pretrained.path / "config.yaml"))
    config = _on_data_of(config, trained, pretrained)
    if config.generator != trained.generator:
        raise ConfigError(
            f"--generator: {pretrained.path} holds a generator of other settings; leave them out"
        )
    ended = _convergence(pretrained)  # an error of its log comes now, not after hours
    runtime, data = _begin("finetune", config, console, pretrained)
    with runtime.interruption:
        generator.to(runtime.device)
        runtime.hold(runtime=runtime, generator=generator)
        if not runtime.past("pretrain"):
            if runtime.processes.is_main and runtime.run is not None:
                write_json(runtime.run.path / PRETRAINING, ended._asdict())
            _keep_pretrained(runtime)
        return _adversarial_part(config, data, generator, runtime, pretrained)


def _source(config: RunConfig, pretrained: RunDirectory | str | os.PathLike[str]) -> RunDirectory:
    """The run that the generator comes from; a resumed run has kept that generator itself.

    Raises:
        ConfigError: the resumed run was fine-tuned from another one.
    """
    path = folder_of(config)
    if path is None or not resumes(config, path) or not (path / "checkpoints" / "mle").is_file():
        return RunDirectory.open(pretrained)
    own = RunDirectory.open(path)
    try:
        other = RunDirectory.open(pretrained)
    except RunDirectoryError:  # it was moved away, and is not needed
        return own
    begun, given = (
        load_generator(run.checkpoint("mle") / "generator").state_dict() for run in (own, other)
    )
    if begun.keys() != given.keys() or any(not torch.equal(begun[k], given[k]) for k in begun):
        raise ConfigError(f"--run: {path} was fine-tuned from another run than {other.path}")
    return own


def _files_found(config: RunConfig) -> RunConfig:
    """The settings; if a run is resumed, with the places where its files are now."""
    _check_config(config)
    path = folder_of(config)
    if path is None or not resumes(config, path):
        return config
    return with_files_found(config, RunDirectory.open(path))


def _on_data_of(config: RunConfig, trained: RunConfig, pretrained: RunDirectory) -> RunConfig:
    """The settings with the split seed of the pretrained run, and the places of its files."""
    split_seed = trained.corpus.data_seed(trained.seed)
    if config.corpus.split_seed is None and config.seed != split_seed:
        config = replace(config, corpus=replace(config.corpus, split_seed=split_seed))
    return with_files_found(config, pretrained)


def default_folder(data: str) -> Path:
    """A new folder: ``runs/`` and a name made of the data and the time."""
    now = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    path = first = Path("runs") / f"{Path(data).stem or 'run'}-{now}"
    for number in itertools.count(2):
        if not path.exists():
            break
        path = first.with_name(f"{first.name}-{number}")
    return path


def _begin(
    command: str,
    config: RunConfig,
    console: Console | None,
    pretrained: RunDirectory | None = None,
) -> tuple[Runtime, Dataset]:
    """Reads the data and makes the run's folder; nothing is written before all of it is right.

    Args:
        command: what goes on with the run: run, pretrain or finetune.
        config: all settings.
        console: where progress is shown, by the main process.
        pretrained: the run that is fine-tuned, whose data are taken.
    """
    # Fails before anything is written.
    accelerator = make_accelerator(config.device, config.precision, trackers=config.trackers)
    processes = Processes(accelerator)
    if console is None or not processes.is_main:
        console = Console(quiet=True)
    name, going_on = processes.agree(lambda: _place(config))
    path = Path(name)
    check_available(config.evaluation)
    data, whole = _read(config, pretrained or (RunDirectory(path) if going_on else None))
    if pretrained is not None and whole != pretrained.data_fingerprint():
        raise ConfigError(
            f"{not_its_data(config, pretrained)}; name the place of its data with --data PATH, and "
            "leave the --corpus settings as they were"
        )
    if processes.agree(lambda: whole) != whole:
        raise ConfigError(
            f"--data: process {processes.index} finds other sequences in {config.data} than the "
            "main process; give all of them the same files"
        )
    saved = None
    if going_on:
        saved = _saved(command, config, path, whole, processes, partial(say, console))
    processes.wait()
    directory, is_main = RunDirectory(path), processes.is_main
    # An old run is not lost before it is known that the new one can begin.
    with replacing(path, LAST) if is_main and saved is None else nullcontext():
        if is_main and saved is not None:
            rewind(directory, saved, partial(say, console))
        elif is_main:
            RunDirectory.create(path, _stored(config), config.overwrite or going_on)
            _describe(directory, data, whole)
        if is_main:
            accelerator = make_accelerator(config.device, config.precision, path, config.trackers)
        saver = Saver(directory.checkpoints, config.checkpoint, saved)
        runtime = Runtime(accelerator, config.seed, directory, console, saver, command)
        runtime.begin_tracking()
    data = bounded(data, config.evaluation)
    for line in data.report_lines:
        runtime.say(line)
    return runtime, data


def _check_config(config: object) -> None:
    if not isinstance(config, RunConfig):
        raise ConfigError(
            f"settings must be a RunConfig, got {type(config).__name__}; "
            "RunConfig(data=..., corpus={...}) makes one"
        )


def _stored(config: RunConfig) -> dict[str, Any]:
    """The settings as the run's folder keeps them."""
    return asdict(replace(config, output_dir=None, overwrite=False, resume=False))


def _place(config: RunConfig) -> tuple[str, bool]:
    """The run's folder, and whether it holds a run to go on with; it is free otherwise."""
    path = folder_of(config) or default_folder(config.data)
    going_on = resumes(config, path)
    if going_on:
        check_same_settings(RunDirectory.open(path), _stored(config))
    else:
        put_back(path)
        RunDirectory.check_free(path, config.overwrite)
    return str(path), going_on


def _saved(
    command: str, config: RunConfig, path: Path, whole: str, processes: Processes, say: Say
) -> Saved | None:
    """The checkpoint that all processes go on from, which the main one finds."""
    found = starting_point(command, config, path, whole, say) if processes.is_main else None
    place = processes.agree(lambda: None if found is None else str(found.place))
    return found if place is None or found is not None else read_checkpoint(Path(place))


def _read(config: RunConfig, run: RunDirectory | None) -> tuple[Dataset, str]:
    """The data, of a run if there is one, and the fingerprint of all of them."""
    data = data_of(config, run)
    check_splits(data)
    return data, fingerprint(data)


def _describe(directory: RunDirectory, data: Dataset, whole: str) -> None:
    """Writes what a run is trained on."""
    vocabulary = data.decoder.vocabulary
    if vocabulary is not None:
        vocabulary.save(directory.path / "vocabulary.json")
    content = {
        "fingerprint": whole,
        "vocabulary": None if vocabulary is None else vocabulary.fingerprint(),
        "report": data.report,
    }
    write_json(directory.path / DATA, content)


def _pretrained(config: RunConfig, data: Dataset, runtime: Runtime) -> LSTMGenerator:
    """The generator after MLE; from a checkpoint, where the run goes on behind that."""
    generator = make_generator(config.generator, data.spec, derive_seed(config.seed, "generator"))
    runtime.hold(runtime=runtime, generator=generator)
    if not runtime.past("pretrain"):
        pretrain(generator, data.train, data.validation, config.pretrain, runtime)
        _keep_pretrained(runtime)
    return generator.to(runtime.device)


def _keep_pretrained(runtime: Runtime) -> None:
    runtime.enter("pretrained")
    runtime.save("mle")


def _convergence(run: RunDirectory | None) -> Convergence:
    """The state of MLE, by the log of the run that it was trained in.

    A run that was itself fine-tuned from another has no such log; it has kept what was found.

    Raises:
        RunDirectoryError: the log, or what was kept, is damaged.
    """
    assert run is not None
    if (kept := run.path / PRETRAINING).is_file():
        try:
            return Convergence(**json.loads(kept.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise RunDirectoryError(f"{kept}: cannot be read ({error})") from None
    try:
        lines = [line for line in run.read_log() if line["stage"] == "mle"]
        history = {line["epoch"]: line["validation_nll"] for line in lines}
    except (ValueError, KeyError, TypeError) as error:
        raise RunDirectoryError(f"{run.path / LOG}: cannot be read ({error})") from None
    settings = run_config(run.config(), str(run.path / "config.yaml")).pretrain
    return convergence([history[epoch] for epoch in sorted(history)], settings)


def _adversarial_part(
    config: RunConfig,
    data: Dataset,
    generator: LSTMGenerator,
    runtime: Runtime,
    pretrained: RunDirectory | None,
) -> RunResult:
    """Discriminator, rounds and comparison; `pretrained` is the run that MLE was trained in."""
    discriminator = make_discriminator(
        config.discriminator, data.spec.vocab_size, derive_seed(config.seed, "discriminator")
    )
    if runtime.past("discriminate"):  # it takes up its state when the rounds begin
        judge = DiscriminatorTraining(
            discriminator, data.train, data.heldout, config.discriminate, runtime
        )
    else:
        judge = discriminate(
            discriminator, generator, data.train, data.heldout, config.discriminate, runtime
        )
    sweep = Sweep(data, config.evaluation, config.seed)
    runtime.hold(sweep=sweep)
    if not runtime.past("discriminate"):  # otherwise it was settled before
        runtime.processes.agree(lambda: sweep.settle(generator))

    def validate(policy: Policy, round_number: int) -> dict[str, float]:
        return sweep.validate(policy)

    work = fine_tune(generator, judge, config.adversarial, validate, runtime)
    if not runtime.past("adversarial"):
        runtime.save("best")
    control = _control(config, work, sweep, runtime)
    models = {"mle": cast(LSTMGenerator, work.reference), "adversarial": generator}
    return _finish(config, data, runtime, models, pretrained, Tuned(work, sweep, control))


def _control(
    config: RunConfig, method: AdversarialTraining, sweep: Sweep, runtime: Runtime
) -> Control | None:
    """The same fine-tuning with a random reward; None where it is switched off."""
    if not config.evaluation.control:
        return None
    half = sweep.halved()

    def validate(policy: Policy, round_number: int) -> dict[str, float]:
        return half.validate(policy)

    return run_control(method, validate, runtime, half)


@dataclass(frozen=True)
class Tuned:
    """The results of fine-tuning that the comparison needs.

    Attributes:
        method: the adversarial rounds.
        sweep: what measures models at temperatures.
        control: the rounds with a random reward, or None.
    """

    method: AdversarialTraining
    sweep: Sweep
    control: Control | None


def _finish(
    config: RunConfig,
    data: Dataset,
    runtime: Runtime,
    models: dict[str, LSTMGenerator],
    pretrained: RunDirectory | None,
    tuned: Tuned | None = None,
) -> RunResult:
    """Measures, compares, prints and writes; the same each time, so it may be ended and redone.

    That is the work of the main process; the others are done.
    """
    assert runtime.run is not None
    runtime.processes.part_ways()
    path, adversarial = runtime.run.path, models.get("adversarial")
    if not runtime.processes.is_main:
        return RunResult(path, data, models["mle"], adversarial, {}, None, {})
    runtime.interruption.patient = False
    evaluator = Evaluator(data, config.evaluation, config.seed)
    scores, drawn, samples = {}, {}, {"real": real_texts(data, "test")}
    said, compared = None, None
    found: dict[str, Any] = {}
    with runtime.progress("Evaluation", "parts", len(models) + 3) as bar:
        for name, model in models.items():
            scores[name], drawn[name] = evaluator.model(model, name)
            samples[name] = data.decoder.texts(drawn[name])
            bar.advance()
        if tuned is not None and tuned.control is not None:
            scores["control"], _ = evaluator.model(tuned.control.policy, "control")
        bar.advance()
        scores["real"] = evaluator.real()
        bar.advance()
        pretraining = _convergence(pretrained)
        if tuned is not None:
            compared = _compared(models, tuned)
            said = answer(
                compared, pretraining, config, tuned.method.summary(), len(data.test),
                scores["real"], tuned.control is not None and tuned.control.stopped,
            )  # fmt: skip
            found = _found(tuned, compared, said)
            found["action_values"] = _token_values(config, data, models, tuned, drawn)
    results = {
        "format": 1,
        "source": config.data,
        "seed": config.seed,
        "data": data.report,
        "pretraining": pretraining._asdict(),
        "adversarial": None,
        "control": None,
        "verdict": None,
        "scores": {name: [asdict(score) for score in rows] for name, rows in scores.items()},
        "sweep": None,
        "action_values": None,
        **found,
    }
    for name, lines in samples.items():
        write_text(path / "samples" / f"{name}.txt", "".join(f"{x}\n" for x in lines))
    write_json(path / RESULTS, results)
    shown = {name: lines[: config.evaluation.show] for name, lines in samples.items()}
    print_results(runtime.console, scores, shown, said)
    runtime.end_tracking()
    runtime.say(f"Report: {write_report(runtime.run)}")
    runtime.say(f"Run: {path}")
    comparison = None if compared is None else compared.method
    return RunResult(path, data, models["mle"], adversarial, scores, comparison, results, said)


def _compared(models: dict[str, LSTMGenerator], tuned: Tuned) -> Compared:
    """The method, its control and MLE, each with each."""
    mle = Swept(models["mle"], tuned.sweep)
    method, control = Swept(models["adversarial"], tuned.sweep), None
    if tuned.control is not None:
        control = Swept(tuned.control.policy, tuned.sweep.halved())
    return compare_with_control(mle, method, control)


def _found(tuned: Tuned, compared: Compared, said: Answer) -> dict[str, Any]:
    """The entries of `results.json` about method and control."""
    found = {
        "adversarial": tuned.method.summary(),
        "verdict": said.to_dict(),
        "sweep": compared.to_dict(),
    }
    if tuned.control is not None and said.control is not None and said.against_control is not None:
        found["control"] = {
            **tuned.control.summary(),
            "against_mle": said.control.to_dict(),
            "against_method": said.against_control.to_dict(),
        }
    return found


def _token_values(
    config: RunConfig,
    data: Dataset,
    models: dict[str, LSTMGenerator],
    tuned: Tuned,
    drawn: dict[str, Sequences],
) -> dict[str, Any]:
    """Action values of every token of some samples of the adversarial model."""
    assert tuned.method.judge is not None
    policy, samples = models["adversarial"], drawn["adversarial"]
    return token_values(policy, tuned.method.judge, samples, data.test, data.decoder, config.seed)
