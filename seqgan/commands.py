"""What each command of the command line does, once its settings are read."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from rollout import Sampler, generate

from .config import (
    CompareConfig,
    DataConfig,
    EvaluateConfig,
    FinetuneConfig,
    ReportConfig,
    RunConfig,
    SampleConfig,
)
from .data.sources import Decoder, load_data
from .errors import CheckpointError, ConfigError, did_you_mean
from .evaluate import Evaluator
from .evaluate_file import file_scores
from .hub import directory_decoder
from .models import LSTMGenerator, load_model
from .pipeline import finetune as finetune_run
from .pipeline import pretrain_only
from .pipeline import run as full_run
from .report import write_report
from .seeding import rng_for
from .settings import run_config
from .tables import print_results, runs_table
from .training.run_directory import RunDirectory, write_json, write_text
from .training.runtime import make_accelerator

__all__ = ["compare", "data", "evaluate", "finetune", "pretrain", "report", "run", "sample"]


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
    finetune_run(settings, RunDirectory.open(Path(settings.run)), console)
    return 0


def sample(settings: SampleConfig, console: Console) -> int:
    """``seqgan sample``."""
    _check_output(settings.output)
    directory = RunDirectory.open(Path(settings.run))
    device = make_accelerator(settings.device).device
    policy = _load(directory, settings.model).to(device)
    sampler = Sampler(settings.temperature, settings.top_k, settings.top_p)
    decoder = directory_decoder(directory, policy, settings.tokenizer)
    prefix = _prefix(settings.prefix, decoder, policy)
    rng = rng_for(settings.seed, "sample")
    drawn = generate(policy, settings.number, sampler=sampler, rng=rng, prefix=prefix)
    lines = decoder.texts(drawn)
    if settings.output is None:
        for line in lines:
            print(line)
    else:
        write_text(Path(settings.output), "".join(f"{line}\n" for line in lines))
    return 0


def evaluate(settings: EvaluateConfig, console: Console) -> int:
    """``seqgan evaluate``."""
    _check_output(settings.output)
    if settings.run is None:
        return _evaluate_file(settings, console)
    directory = RunDirectory.open(Path(settings.run))
    config = run_config(directory.config(), str(directory.path / "config.yaml"))
    if settings.num_samples is not None:
        config.evaluation.num_samples = settings.num_samples
    seed = config.seed if settings.seed is None else settings.seed
    data = load_data(
        config.data,
        config.corpus,
        test_data=config.test_data,
        validation_data=config.validation_data,
        seed=config.seed,
    )
    evaluator = Evaluator(data, config.evaluation, seed)
    device = make_accelerator(config.device).device
    scores, shown = {}, {}
    for title, name in (("mle", "mle"), ("adversarial", "best")):
        if (directory.path / "checkpoints" / name).is_file():
            policy = _load(directory, name).to(device)
            scores[title], drawn = evaluator.model(policy, title)
            shown[title] = data.decoder.texts(drawn)[: config.evaluation.show]
    if not scores:
        raise CheckpointError(f"{directory.path}: the run has no finished model yet")
    scores["real"] = evaluator.real()
    print_results(console, scores, shown, None)
    if settings.output is not None:
        content = {name: [asdict(score) for score in found] for name, found in scores.items()}
        write_json(Path(settings.output), content)
    return 0


def _check_output(output: str | None) -> None:
    """Refuses an output file that is there already, before any work is done."""
    if output is not None and Path(output).exists():
        raise ConfigError(f"--output: {output} exists already; give another name")


def _evaluate_file(settings: EvaluateConfig, console: Console) -> int:
    """Scores of a file of samples."""
    scores = file_scores(settings)
    print_results(console, {"samples": scores}, {}, None)
    if settings.output is not None:
        write_json(Path(settings.output), {"samples": [asdict(score) for score in scores]})
    return 0


def compare(settings: CompareConfig, console: Console) -> int:
    """``seqgan compare``."""
    console.print(runs_table([RunDirectory.open(Path(run)) for run in settings.runs]))
    return 0


def report(settings: ReportConfig, console: Console) -> int:
    """``seqgan report``."""
    path = write_report(RunDirectory.open(Path(settings.run)))
    console.print(f"Report: {path}", markup=False, highlight=False, soft_wrap=True)
    return 0


def data(settings: DataConfig, console: Console) -> int:
    """``seqgan data``."""
    found = load_data(
        settings.source,
        settings.corpus,
        test_data=settings.test_data,
        validation_data=settings.validation_data,
        seed=settings.seed,
    )
    for line in found.report_lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    for name in ("train", "validation", "heldout", "test"):
        split = getattr(found, name)
        shown = split.select(slice(0, settings.examples))
        for line in found.decoder.texts(shown) if len(shown) else []:
            console.print(f"{name}: {line}", markup=False, highlight=False, soft_wrap=True)
    return 0


def _prefix(text: str, decoder: Decoder, policy: LSTMGenerator) -> list[int] | None:
    """The token ids of a prefix.

    Raises:
        ConfigError: a word that the vocabulary does not hold, or too many of them.
    """
    tokens = decoder.tokenizer.tokenize(text)
    if not tokens:
        return None
    if decoder.vocabulary is None:
        bad = [token for token in tokens if not token.isdigit() or int(token) >= policy.vocab_size]
        ids = [] if bad else [int(token) for token in tokens]
    else:
        vocabulary = decoder.vocabulary
        bad = [token for token in tokens if token not in vocabulary]
        ids = vocabulary.encode(tokens, eos=False)
    if bad:
        near = did_you_mean(bad[0], decoder.vocabulary.tokens[4:] if decoder.vocabulary else [])
        raise ConfigError(f"--prefix: {bad[0]!r} is not in the run's vocabulary{near}")
    if len(ids) >= policy.max_length:
        raise ConfigError(
            f"--prefix: {len(ids)} tokens leave nothing to generate: the longest sequence has "
            f"{policy.max_length}"
        )
    return ids


def _load(directory: RunDirectory, name: str) -> LSTMGenerator:
    """The generator of a checkpoint; "best" is the pretrained one where there is no other."""
    if name == "best" and not (directory.path / "checkpoints" / "best").is_file():
        name = "mle"
    model: LSTMGenerator = load_model(directory.checkpoint(name) / "generator")
    return model
