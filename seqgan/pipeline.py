"""The whole path: data, MLE pretraining, adversarial fine-tuning, comparison."""

from __future__ import annotations

import datetime
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

from rich.console import Console

from rollout import Policy

from .evaluation.comparison import Comparison, Sweep, Swept, compare_swept
from .config import RunConfig
from .data.bounded import bounded
from .data.sources import Dataset, fingerprint, run_data
from .errors import ConfigError, DataError
from .evaluation.models import Evaluator, real_texts
from .metrics import Score
from .models import LSTMGenerator, load_generator, make_discriminator, make_generator
from .report import write_report
from .seeding import derive_seed
from .config.reading import run_config
from .report.console import print_results
from .terminal import say
from .evaluation.text_scores import check_available
from .evaluation.action_values import token_values
from .training.adversarial import AdversarialTraining, fine_tune
from .training.discriminate import DiscriminatorTraining, discriminate
from .training.pretrain import pretrain
from .training.processes import Processes
from .runs.replacing import put_back, replacing
from .runs.resume import Say, check_same_settings, folder_of, resumes, rewind, starting_point
from .runs.run_directory import (
    DATA,
    LAST,
    RESULTS,
    RunDirectory,
    write_json,
    write_text,
)
from .training.runtime import Runtime, make_accelerator
from .runs.saver import Saved, Saver, read_checkpoint

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
        comparison: sweeps and verdict, or None.
        results: what `results.json` holds.
    """

    path: Path
    data: Dataset
    mle: LSTMGenerator
    adversarial: LSTMGenerator | None
    scores: dict[str, list[Score]]
    comparison: Comparison | None
    results: dict[str, Any]


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
    runtime, data = _begin("run", config, console)
    with runtime.interruption:
        generator = _pretrained(config, data, runtime)
        return _adversarial_part(config, data, generator, runtime)


def pretrain_only(config: RunConfig, console: Console | None = None) -> RunResult:
    """MLE pretraining alone, and its scores."""
    runtime, data = _begin("pretrain", config, console)
    with runtime.interruption:
        generator = _pretrained(config, data, runtime)
        return _finish(config, data, runtime, {"mle": generator})


def finetune(
    config: RunConfig, pretrained: RunDirectory, console: Console | None = None
) -> RunResult:
    """Adversarial fine-tuning of the generator of another run, compared with it.

    Args:
        config: all settings; the data must be those of the pretrained run.
        pretrained: the run whose MLE generator is taken.
        console: where progress and tables are shown; None: nowhere.
    """
    generator = load_generator(pretrained.checkpoint("mle") / "generator")
    trained = run_config(pretrained.config(), str(pretrained.path / "config.yaml"))
    if config.generator != trained.generator:
        raise ConfigError(
            f"--generator: {pretrained.path} holds a generator of other settings; leave them out"
        )
    runtime, data = _begin("finetune", config, console, pretrained.data_fingerprint())
    with runtime.interruption:
        generator.to(runtime.device)
        runtime.hold(runtime=runtime, generator=generator)
        if not runtime.past("pretrain"):
            _keep_pretrained(runtime)
        return _adversarial_part(config, data, generator, runtime)


def default_folder(data: str) -> Path:
    """``runs/`` and a name made of the data and the time."""
    now = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    return Path("runs") / f"{Path(data).stem or 'run'}-{now}"


def _begin(
    command: str, config: RunConfig, console: Console | None, wanted: str | None = None
) -> tuple[Runtime, Dataset]:
    """Reads the data and makes the run's folder; nothing is written before all of it is right.

    Args:
        command: what goes on with the run: run, pretrain or finetune.
        config: all settings.
        console: where progress is shown, by the main process.
        wanted: the fingerprint that the data must have, or None for any.
    """
    settings = asdict(replace(config, output_dir=None, overwrite=False, resume=False))
    # Fails before anything is written.
    accelerator = make_accelerator(config.device, config.precision, trackers=config.trackers)
    processes = Processes(accelerator)
    if console is None or not processes.is_main:
        console = Console(quiet=True)
    name, going_on = processes.agree(lambda: _place(config, settings))
    path = Path(name)
    check_available(config.evaluation)
    data, whole = _read(config, wanted)
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
            RunDirectory.create(path, settings, config.overwrite or going_on)
            _describe(directory, data, whole)
        if is_main:
            accelerator = make_accelerator(config.device, config.precision, path, config.trackers)
        saver = Saver(directory.checkpoints, config.checkpoint, saved)
        runtime = Runtime(accelerator, config.seed, directory, console, saver, command)
        runtime.begin_tracking()
    data = bounded(data, config.evaluation, config.seed)
    for line in data.report_lines:
        runtime.say(line)
    return runtime, data


def _place(config: RunConfig, settings: dict[str, Any]) -> tuple[str, bool]:
    """The run's folder, and whether it holds a run to go on with; it is free otherwise."""
    path = folder_of(config) or default_folder(config.data)
    going_on = resumes(config, path)
    if going_on:
        check_same_settings(RunDirectory.open(path), settings)
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


def _read(config: RunConfig, wanted: str | None) -> tuple[Dataset, str]:
    """The data, and the fingerprint of all of them, which must be the one that is wanted."""
    data = run_data(config)
    _check_splits(data)
    whole = fingerprint(data)
    if wanted is not None and whole != wanted:
        raise ConfigError(
            "--run: these are not the splits that the generator was trained on; give the data, "
            "--corpus settings and --seed of its run, or leave them out"
        )
    return data, whole


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


def _check_splits(data: Dataset) -> None:
    """Refuses data that leave a split too small for what it is for."""
    for name, least in (("train", 2), ("validation", 2), ("heldout", 4), ("test", 2)):
        found = len(getattr(data, name))
        if found < least:
            raise DataError(
                f"{data.source}: the {name} split has {found} sequences, {least} are needed: give "
                f"more data, or raise --corpus.{name}_share"
            )


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


def _adversarial_part(
    config: RunConfig, data: Dataset, generator: LSTMGenerator, runtime: Runtime
) -> RunResult:
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
    runtime.save("best")
    mle = cast(LSTMGenerator, work.reference)
    return _finish(config, data, runtime, {"mle": mle, "adversarial": generator}, work, sweep)


def _finish(
    config: RunConfig,
    data: Dataset,
    runtime: Runtime,
    models: dict[str, LSTMGenerator],
    training: AdversarialTraining | None = None,
    sweep: Sweep | None = None,
) -> RunResult:
    """Measures, compares, prints and writes; the same each time, so it may be ended and redone.

    That is the work of the main process; the others are done.
    """
    assert runtime.run is not None
    runtime.processes.part_ways()
    if not runtime.processes.is_main:
        path, tuned = runtime.run.path, models.get("adversarial")
        return RunResult(path, data, models["mle"], tuned, {}, None, {})
    runtime.interruption.patient = False
    evaluator = Evaluator(data, config.evaluation, config.seed)
    scores, drawn, samples = {}, {}, {"real": real_texts(data, "test")}
    with runtime.progress("Evaluation", len(models) + 2) as bar:
        for name, model in models.items():
            scores[name], drawn[name] = evaluator.model(model, name)
            samples[name] = data.decoder.texts(drawn[name])
            bar.advance(bar.task_ids[0])
        scores["real"] = evaluator.real()
        bar.advance(bar.task_ids[0])
        comparison = values = None
        if training is not None and sweep is not None:
            tuned, judge = models["adversarial"], training.discriminator.discriminator
            comparison = compare_swept(Swept(models["mle"], sweep), Swept(tuned, sweep))
            values = token_values(
                tuned, judge, drawn["adversarial"], data.test, data.decoder, config.seed
            )
    results = {
        "format": 1,
        "source": config.data,
        "seed": config.seed,
        "data": data.report,
        "adversarial": None if training is None else training.summary(),
        "verdict": None if comparison is None else comparison.verdict.to_dict(),
        "scores": {name: [asdict(score) for score in found] for name, found in scores.items()},
        "sweep": None if comparison is None else comparison.to_dict(),
        "action_values": values,
    }
    for name, lines in samples.items():
        write_text(runtime.run.path / "samples" / f"{name}.txt", "".join(f"{x}\n" for x in lines))
    write_json(runtime.run.path / RESULTS, results)
    shown = {name: lines[: config.evaluation.show] for name, lines in samples.items()}
    print_results(runtime.console, scores, shown, comparison)
    runtime.end_tracking()
    runtime.say(f"Report: {write_report(runtime.run)}")
    runtime.say(f"Run: {runtime.run.path}")
    return RunResult(
        runtime.run.path, data, models["mle"], models.get("adversarial"), scores, comparison,
        results,
    )  # fmt: skip
