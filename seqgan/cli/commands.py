"""The commands of the command line, after their settings are read."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from rollout import constrained

from ..config import (
    CompareConfig,
    DataConfig,
    EvaluateConfig,
    EvaluationConfig,
    FileCorpus,
    FinetuneConfig,
    OracleCorpus,
    ReportConfig,
    RunConfig,
    SampleConfig,
)
from ..config.reading import run_config
from ..data.bounded import bounded
from ..data.codec import Codec
from ..data.constraints import own_constraint
from ..data.dataset import fingerprint
from ..data.sources import check_splits, load_data
from ..data.text.one_line import read_line
from ..data.text.readers import Record, plain_lines
from ..errors import CheckpointError, ConfigError, DataError
from ..evaluation.models import Evaluator
from ..evaluation.samples import References, file_scores
from ..hub import DESCRIPTION, JUDGE, TextGenerator, run_codec
from ..metrics import Score
from ..models import Generator, load_discriminator, load_generator
from ..pipeline import finetune as finetune_run
from ..pipeline import pretrain_only
from ..pipeline import run as full_run
from ..report import write_report
from ..report.console import print_results
from ..report.side_by_side import WRITERS, as_table, side_by_side
from ..runs.places import check_imports, data_of, not_its_data, with_files_found
from ..runs.run_directory import RunDirectory, write_json, write_text
from ..seeding import rng_for
from ..terminal import say
from ..training.progress import make_progress
from ..training.runtime import make_accelerator
from ..training.sampling import draw
from .completion import completion
from .explain import explain
from .methods import methods
from .sharing import pull, push, reading_of
from .watch import watch

__all__ = [
    "compare", "completion", "data", "evaluate", "explain", "finetune", "methods", "pretrain",
    "pull", "push", "report", "run", "sample", "watch",
]  # fmt: skip

Models = dict[str, Generator]


def run(settings: RunConfig, console: Console) -> int:
    """``seqgan run``."""
    full_run(settings, console)
    return 0


def pretrain(settings: RunConfig, console: Console) -> int:
    """``seqgan pretrain``."""
    pretrain_only(settings, console)
    return 0


def finetune(settings: FinetuneConfig, console: Console) -> int:
    """``seqgan finetune``."""
    finetune_run(settings, settings.run, console)
    return 0


def sample(settings: SampleConfig, console: Console) -> int:
    """``seqgan sample``."""
    _check_output(settings.output)
    model = _sampled(settings)
    codec = model.codec
    sources = None if settings.source is None else plain_lines(settings.source, "--source")
    if settings.output is not None and Path(settings.output).suffix == codec.suffix != ".txt":
        model.show(settings, Path(settings.output), sources)
        return 0
    if settings.jsonl or (settings.output or "").endswith(".jsonl"):
        lines = [_as_json(each._asdict()) for each in model.decode(settings, sources)]
    else:
        lines = model.lines(settings, sources)
    if settings.output is None:
        for line in lines:
            print(line)
    else:
        write_text(Path(settings.output), "".join(f"{line}\n" for line in lines))
    return 0


def _sampled(settings: SampleConfig) -> TextGenerator:
    """The model to sample from: of a run, or of a folder that `seqgan pull` wrote."""
    device, folder = make_accelerator(settings.device).device, Path(settings.run)
    if (folder / DESCRIPTION).is_file():
        return TextGenerator.from_pretrained(folder, **reading_of(settings)).to(device)
    directory = RunDirectory.open(folder)
    members = settings.model == "members"
    place = directory.checkpoint(directory.final("finetuned" if members else settings.model))
    policy = load_generator(place / "generator", device, settings.base_model)
    codec, conditions = run_codec(directory, policy, settings.tokenizer)
    judge = load_discriminator(place / JUDGE, codec, device, settings.base_encoder)
    config = directory.config()
    rule = str(config.get("constraint", "none"))
    model = TextGenerator(policy, codec, {}, judge, conditions, rule, config, directory)
    return model.by_members() if members else model


def _as_json(values: dict[str, Any]) -> str:
    """One line of JSON, without what is not there."""
    known = {name: value for name, value in values.items() if value is not None}
    return json.dumps(known, ensure_ascii=False, allow_nan=False)


def evaluate(settings: EvaluateConfig, console: Console) -> int:
    """``seqgan evaluate``."""
    _check_output(settings.output)
    scores: dict[str, list[Score]]
    shown: dict[str, list[str]]
    if settings.run is None:
        scores, shown = file_scores(settings, partial(say, console)), {}
    else:
        scores, shown = _run_scores(settings, RunDirectory.open(settings.run), console)
    print_results(console, scores, shown, None)
    if settings.output is not None:
        content = {name: [asdict(score) for score in found] for name, found in scores.items()}
        write_json(Path(settings.output), content)
    return 0


def _run_scores(
    settings: EvaluateConfig, directory: RunDirectory, console: Console
) -> tuple[dict[str, list[Score]], dict[str, list[str]]]:
    """Scores and first samples of each model of a run."""
    config = run_config(directory.config(), str(directory.path / "config.yaml"))
    config.evaluation = _with(config.evaluation, settings)
    if settings.seed is None:
        settings = replace(settings, seed=config.seed)
    device = make_accelerator(settings.device or config.device).device
    models = {
        name: _load(directory, name).to(device)
        for name in ("mle", "finetuned")
        if directory.has(name)
    }
    if not models:
        raise CheckpointError(
            f"{directory.path}: the run has no finished model yet; resume it first"
        )
    # This also keeps a stranger's settings from causing an import.
    codec, conditions = run_codec(directory, next(iter(models.values())), settings.tokenizer)
    if settings.references is not None and conditions:
        answered = " and ".join(conditions.parts)
        raise ConfigError(
            f"--references: the models of {directory.path} answer {answered}; leave it out to "
            "measure them on the run's own data"
        )
    if settings.references is not None:
        return _against_references(settings, config, codec, models, console)
    return _against_own_data(settings, config, directory, models)


def _against_own_data(
    settings: EvaluateConfig, config: RunConfig, directory: RunDirectory, models: Models
) -> tuple[dict[str, list[Score]], dict[str, list[str]]]:
    """All scores, with the run's own test split."""
    if settings.tokenizer is not None and isinstance(config.corpus, FileCorpus):
        config.corpus.tokenizer = settings.tokenizer
    names = ("data", "test_data", "validation_data", "constraint")
    given = {name: getattr(settings, name) for name in names}
    config = replace(config, **{name: value for name, value in given.items() if value is not None})
    if settings.corpus.parameters is not None and isinstance(config.corpus, OracleCorpus):
        config.corpus.parameters = settings.corpus.parameters
    check_imports(config, directory, _own(settings))
    config = with_files_found(config, directory, {"evaluation.judge": "judge"})
    data = data_of(config, directory)
    if fingerprint(data) != directory.data_fingerprint():
        raise DataError(
            f"{not_its_data(config, directory)}; name the place of its data with --data PATH, or "
            "set --references FILE"
        )
    assert settings.seed is not None
    data = bounded(data, config.evaluation)
    evaluator = Evaluator(data, config.evaluation, settings.seed, "--")
    scores, shown = {}, {}
    for title, policy in _with_progress(models):
        if policy.vocab_size != data.spec.vocab_size:
            raise CheckpointError(
                f"{directory.path}: the generator has {policy.vocab_size:,} token ids, the data "
                f"{data.spec.vocab_size:,}: it was trained with another vocabulary"
            )
        scores[title], drawn = evaluator.model(policy, title)
        shown[title] = data.codec.texts(drawn)[: config.evaluation.show]
    scores["real"] = evaluator.real()
    return scores, shown


def _own(settings: EvaluateConfig) -> dict[str, str]:
    """Settings of a run that import code unless the user names them, each with its flag."""
    flags = {}
    if settings.tokenizer is None:
        flags["corpus.tokenizer"] = "--tokenizer"
    if settings.constraint is None:
        flags["constraint"] = "--constraint"
    if settings.embedder == "none":
        flags["evaluation.embedder"] = "--embedder"
    if not settings.metrics:
        flags["evaluation.metrics"] = "--metrics"
    return flags


def _against_references(
    settings: EvaluateConfig,
    config: RunConfig,
    codec: Codec,
    models: Models,
    console: Console,
) -> tuple[dict[str, list[Score]], dict[str, list[str]]]:
    """Scores that need only lines of text: samples against any file of real ones."""
    own = codec.cut
    settings = replace(
        settings,
        resamples=config.evaluation.resamples,
        corpus=replace(settings.corpus, tokenizer=settings.corpus.tokenizer or own),
    )
    assert settings.seed is not None
    rule = own_constraint(config.constraint, settings.constraint, codec, str(settings.run))
    against = References(settings, partial(say, console))
    scores, shown = {}, {}
    for title, policy in _with_progress(models):
        rng = rng_for(settings.seed, "samples", title)
        drawn = draw(constrained(policy.emitting(), rule), config.evaluation.num_samples, rng)
        lines = codec.texts(drawn.sequences)
        records = [Record(read_line(line), number) for number, line in enumerate(lines, start=1)]
        scores[title] = against.scores(records, f"samples of {title}")
        shown[title] = lines[: config.evaluation.show]
    real = against.real(config.evaluation.num_samples)
    return scores | ({"real": real} if real else {}), shown


def _with_progress(models: Models) -> Iterator[tuple[str, Generator]]:
    """The models one by one; shows on standard error how many are done, if that takes long."""
    console = Console(stderr=True)
    with make_progress(console, "Evaluation", "models", len(models), at_once=False) as progress:
        for title, policy in models.items():
            yield title, policy
            progress.advance()


def _with(evaluation: EvaluationConfig, settings: EvaluateConfig) -> EvaluationConfig:
    """A run's own settings with the changes that the command line asks for."""
    changes: dict[str, Any] = {}
    for name in ("num_samples", "resamples"):
        if (value := getattr(settings, name)) is not None:
            changes[name] = value
    if settings.embedder != "none":
        changes["embedder"] = settings.embedder
    if settings.metrics:
        changes["metrics"] = settings.metrics
    if settings.judge != "none":
        changes |= {"judge": settings.judge, "judge_samples": settings.judge_samples}
    for name in ("mauve", "reverse_perplexity"):
        if getattr(settings, name):
            changes[name] = True
    return replace(evaluation, **changes)


def _check_output(output: str | None) -> None:
    """Refuses a place for an output file that cannot be written, before any work is done."""
    if output is None:
        return
    place = Path(output)
    if place.exists():
        raise ConfigError(f"--output: {output} exists already; choose another name")
    above = next(folder for folder in place.absolute().parents if folder.exists())
    if not above.is_dir():
        raise ConfigError(f"--output: {output}: {above} is a file, not a folder")
    if not os.access(above, os.W_OK):
        raise ConfigError(f"--output: {output}: the folder {above} cannot be written to")


def compare(settings: CompareConfig, console: Console) -> int:
    """``seqgan compare``."""
    _check_output(settings.output)
    found = side_by_side([RunDirectory.open(run) for run in settings.runs])
    console.print(as_table(found))
    for warning in found.warnings:
        say(console, f"warning: {warning}")
    if settings.output is not None:
        path = Path(settings.output)
        write_text(path, WRITERS[path.suffix.lower()](found))
    return 0


def report(settings: ReportConfig, console: Console) -> int:
    """``seqgan report``."""
    path = write_report(RunDirectory.open(settings.run))
    say(console, f"Report: {path}")
    return 0


def data(settings: DataConfig, console: Console) -> int:
    """``seqgan data``."""
    _check_output(settings.output)
    found = load_data(
        settings.source,
        settings.corpus,
        test_data=settings.test_data,
        validation_data=settings.validation_data,
        seed=settings.seed,
    )
    check_splits(found)
    for line in found.report_lines:
        say(console, line)
    for name in ("train", "validation", "heldout", "test"):
        split = getattr(found, name)
        shown = split.select(slice(0, settings.examples))
        for line in found.codec.texts(shown) if len(shown) else []:
            say(console, f"{name}: {line}")
    if settings.output is not None:
        lines = found.codec.texts(found.train)
        write_text(Path(settings.output), "".join(f"{line}\n" for line in lines))
        say(console, f"Written: {settings.output}, the {len(lines):,} training sequences")
    return 0


def _load(directory: RunDirectory, name: str) -> Generator:
    """The generator of a checkpoint; "finetuned" is the pretrained one if there is no other."""
    return load_generator(directory.checkpoint(directory.final(name)) / "generator")
