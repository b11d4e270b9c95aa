"""Training that begins with the generator of another run, on other data."""

from __future__ import annotations

import torch

from ..config import RunConfig
from ..config.names import TOKENIZER_FILES
from ..data.dataset import Dataset
from ..data.text.splits import SPLITS
from ..data.text.tokenizers import FILE, HuggingFaceTokenizer
from ..errors import ConfigError, DataError
from ..models import Generator, load_generator
from ..runs.resume import folder_of, resumes
from ..runs.run_directory import RunDirectory

__all__ = ["beginning", "check_fits", "check_tokenizer"]


def beginning(config: RunConfig) -> Generator | None:
    """The generator that training begins with; None: a new one.

    A run that is resumed has taken the weights, and needs the other run no more.

    Raises:
        RunDirectoryError, CheckpointError: the run is not there, or has no such generator.
    """
    if config.pretrain.run is None:
        return None
    path = folder_of(config)
    if path is not None and resumes(config, path):
        kept = RunDirectory.open(path).checkpoints.newest(lambda line: None)
        if kept is not None:
            return load_generator(kept / "generator")
    run = RunDirectory.open(config.pretrain.run)
    return load_generator(run.checkpoint("mle") / "generator")


def check_fits(model: Generator, config: RunConfig, data: Dataset) -> None:
    """Requires data that the generator of another run can emit.

    Args:
        model: the generator.
        config: all settings.
        data: the data set.

    Raises:
        ConfigError: sequences are too long for it.
        DataError: tokens that it lacks, or never emits.
    """
    where, longest = config.pretrain.run, data.spec.max_length
    if longest > model.max_length:
        raise ConfigError(
            f"--corpus.max_length: the sequences of {config.data} have up to {longest} tokens, "
            f"those of {where} at most {model.max_length}; set --corpus.max_length "
            f"{model.max_length}"
        )
    used = torch.zeros(model.vocab_size, dtype=torch.bool)
    for name in SPLITS:
        split = getattr(data, name)
        used[split.tokens[split.mask]] = True
    never = [token for token in model.spec.forbidden if used[token]]
    if not never:
        return
    codec = data.codec
    rows = (row for name in SPLITS for row in data.real_tokens(name))
    lacking = dict.fromkeys(token for row in rows for token in codec.lacks(row))
    words = list(lacking) or [f"token {token}" for token in never]
    more = f" and {len(words) - 1:,} other tokens" if len(words) > 1 else ""
    raise DataError(
        f"--data: {config.data} does not fit the vocabulary of {where}: the model knows neither "
        f"{words[0]!r}{more} nor a token for unknown ones; train a model on these data, or on both"
    )


def check_tokenizer(config: RunConfig) -> None:
    """Requires the tokenizer of the other run: its tokens mean something to the model.

    Raises:
        ConfigError: it is another one.
    """
    where = config.pretrain.run
    assert where is not None
    run = RunDirectory.open(where)
    theirs = run.config().get("corpus", {}).get("tokenizer")
    mine = getattr(config.corpus, "tokenizer", theirs)
    if theirs is None:
        return
    if all(str(name).endswith(TOKENIZER_FILES) for name in (mine, theirs)):
        # By its content: the same file may lie at two places, and another one in its place.
        theirs = str(run.path / FILE)
        same = HuggingFaceTokenizer(mine).content == HuggingFaceTokenizer(theirs).content
    else:
        same = mine == theirs
    if not same:
        raise ConfigError(
            f"--corpus.tokenizer: {mine}, and {where} was trained on tokens of {theirs}; set "
            f"--corpus.tokenizer {theirs}"
        )
