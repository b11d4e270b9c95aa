"""The command ``seqgan explain``, after its settings are read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from rich.console import Console

import rollout
from rollout import Sequences
from rollout.sequences import select_tree

from ..config import ExplainConfig, FileCorpus
from ..config.reading import run_config
from ..data.codec import Codec
from ..data.conditions import Conditions
from ..data.dataset import Dataset, fingerprint
from ..data.prompts import Questions
from ..data.text.readers import plain_lines
from ..errors import CheckpointError, ConfigError, DataError, RewardError
from ..evaluation.explain import Explanation, explained, with_corpus
from ..evaluation.raters import KINDS
from ..hub import run_codec
from ..models import Generator, load_generator
from ..report.explaining import write_explanations
from ..runs.places import check_imports, data_of, not_its_data
from ..runs.run_directory import RunDirectory
from ..seeding import rng_for
from ..terminal import say
from ..training.runtime import make_accelerator
from ..training.sampling import draw
from .rating import rater_of

__all__ = ["explain"]

NONE = "none"


def explain(settings: ExplainConfig, console: Console) -> int:
    """``seqgan explain``."""
    directory = RunDirectory.open(settings.run)
    place = Path(settings.output) if settings.output is not None else directory.path / "explain"
    if place.exists() and not place.is_dir():
        raise ConfigError(f"--output: {place} is a file, not a folder")
    device = make_accelerator(settings.device).device
    name = directory.final(settings.model)
    checkpoint = directory.checkpoint(name)
    policy = load_generator(checkpoint / "generator", device)
    codec, conditions = run_codec(directory, policy, settings.tokenizer)
    data = _data(settings, directory)
    rater, remarks = rater_of(settings, directory, name, policy, codec, data, console)
    against, other = _other(settings, directory, name, policy, codec)
    sequences = _sequences(settings, policy, codec, conditions, data).to(device)
    try:
        found = explained(
            policy, sequences, codec, rater, None if other is None else other.to(device),
            seed=settings.seed, rollouts=settings.rollouts,
        )  # fmt: skip
    except rollout.RewardError as error:
        raise RewardError(f"the run's reward: {error}") from error
    found = with_corpus(
        found, policy, sequences, data, nearest_count=settings.nearest, units=settings.units
    )
    title = directory.path.resolve().name
    page = write_explanations(found, place, title, name, against, remarks)
    for remark in remarks:
        say(console, remark)
    for each in found[:3]:
        _print(each, console)
    say(console, f"Explanations: {page}")
    return 0


def _data(settings: ExplainConfig, directory: RunDirectory) -> Dataset:
    """The run's data; its real sequences are what tokens are compared with."""
    config = run_config(directory.config(), str(directory.path / "config.yaml"))
    config = replace(config, constraint="none")  # the model itself is explained
    if settings.data is not None:
        config = replace(config, data=settings.data)
    if settings.tokenizer is not None and isinstance(config.corpus, FileCorpus):
        config.corpus.tokenizer = settings.tokenizer
    flags = {} if settings.tokenizer is not None else {"corpus.tokenizer": "--tokenizer"}
    check_imports(config, directory, flags)
    data = data_of(config, directory)
    if fingerprint(data) != directory.data_fingerprint():
        raise DataError(
            f"{not_its_data(config, directory)}; name the place of its data with --data PATH"
        )
    return data


def _other(
    settings: ExplainConfig, directory: RunDirectory, name: str, policy: Generator, codec: Codec
) -> tuple[str, Generator | None]:
    """The model that is compared with, and its name; none if it is the same model."""
    asked = settings.against
    if asked == NONE:
        return asked, None
    if asked in ("mle", "finetuned"):
        if directory.final(asked) == name:
            return asked, None
        if not directory.has(asked):
            if asked == ExplainConfig.against:  # the default
                return asked, None
            raise ConfigError(f"--against: {directory.path} has no model {asked!r}")
        return asked, load_generator(directory.checkpoint(asked) / "generator")
    run = RunDirectory.open(asked)
    found = load_generator(run.checkpoint(run.final()) / "generator")
    words = run_codec(run, found, settings.tokenizer)[0]
    if found.spec != policy.spec or words.fingerprint() != codec.fingerprint():
        raise CheckpointError(f"--against: {asked} was trained with another vocabulary")
    return run.path.resolve().name, found


def _sequences(
    settings: ExplainConfig,
    policy: Generator,
    codec: Codec,
    conditions: Conditions,
    data: Dataset,
) -> Sequences:
    """The sequences to explain."""
    sampled, sources = settings.text is None and settings.file is None, None
    asks = not sampled or settings.condition is not None
    if "source" in policy.spec.condition and settings.source is None and asks:
        raise ConfigError(
            "--text, --file, --condition: the model answers source texts; give the one to answer "
            "with --source TEXT"
        )
    if settings.source is not None:
        sources = [settings.source]
    asked = None
    if settings.condition is not None or sources is not None or not sampled:
        asked = conditions.asked(settings.condition, sources)
    if sampled:
        rng = rng_for(settings.seed, "explain", "samples")
        prompts = data.prompts("test") if asked is None else Questions(condition=asked)
        return draw(policy.emitting(), settings.number, rng, prompts).sequences
    if settings.text is not None:
        found = _encoded([settings.text], policy, codec, "--text")
    else:
        assert settings.file is not None
        lines = plain_lines(settings.file, "--file")[: settings.number]
        found = _encoded(lines, policy, codec, settings.file)
    rows = torch.zeros(len(found), dtype=torch.int64)
    return Sequences(found.tokens, found.lengths, None, select_tree(asked, rows))


def _encoded(lines: list[str], policy: Generator, codec: Codec, where: str) -> Sequences:
    """Texts as sequences that end as the model's do."""
    spec, rows = policy.spec, []
    for number, line in enumerate(lines, start=1):
        name = where if len(lines) == 1 else f"{where}, line {number}"
        try:
            ids = codec.encode(line)
        except DataError as error:
            raise DataError(f"{name}: {error}") from None
        ids += [] if spec.eos_id is None else [spec.eos_id]
        if len(ids) > spec.max_length or (spec.eos_id is None and len(ids) != spec.max_length):
            wanted = "at most " if spec.eos_id is not None else ""
            raise DataError(
                f"{name}: {len(ids)} tokens, and the model has {wanted}{spec.max_length}"
            )
        if set(ids) & set(spec.forbidden):
            raise DataError(f"{name}: holds a token that no sequence of this model has")
        rows.append(ids)
    if not rows:
        raise DataError(f"{where}: no sequence")
    lengths = torch.tensor([len(row) for row in rows])
    tokens = torch.full((len(rows), int(lengths.max())), spec.pad_id)
    for row, ids in enumerate(rows):
        tokens[row, : len(ids)] = torch.tensor(ids)
    return Sequences(tokens, lengths)


def _print(found: Explanation, console: Console) -> None:
    """A sequence and its tokens in the terminal."""
    judged = ""
    if found.kind is not None:
        judged = f", {KINDS[found.kind].name} {found.judged:+.2f}"
    say(console, f"{found.text} ({sum(found.log_prob):.2f} nats{judged})")
    for row, token in enumerate(found.tokens):
        likely = ", ".join(
            f"{each.token} {each.probability:.2f}" for each in found.alternatives[row]
        )
        share = f"  share {found.shares[row]:+.3f}" if found.shares else ""
        say(console, f"  {token}  {found.log_prob[row]:.2f} nats{share}  [{likely}]")
