"""What ``--data`` names: a file of the user's, or a source whose density is known.

Whatever it is, training and evaluation see one thing, a `Dataset`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from rollout import Policy, Sequences, generate

from ..config import SOURCES, TOKENIZERS, CorpusConfig, RunConfig
from ..errors import ConfigError, DataError, did_you_mean
from ..seeding import derive_seed, rng_for
from .grammar.policy import GrammarPolicy
from .oracle import LSTMOracle
from .text.corpus import TextCorpus, corpus_from_lines, load_corpus
from .text.one_line import one_line
from .text.readers import near_file
from .text.rows import TokenRows
from .text.splits import LEAST, SPLITS
from .text.tokenizers import Tokenizer, make_tokenizer
from .text.vocabulary import Vocabulary

__all__ = [
    "Dataset",
    "Decoder",
    "Density",
    "TokenSpec",
    "check_splits",
    "fingerprint",
    "load_data",
    "run_data",
]


class TokenSpec(NamedTuple):
    """The token ids of a source, as a policy needs them.

    Attributes:
        vocab_size: V.
        bos_id: consumed before the first token.
        eos_id: ends a sequence, or None.
        pad_id: written after a sequence's end.
        max_length: largest number of tokens of a sequence, EOS counted.
        forbidden: ids that have probability 0: no split holds them.
        withheld: ids that are never emitted, since the training split lacks them, and yet have a
            probability, since another split holds them.
    """

    vocab_size: int
    bos_id: int
    eos_id: int | None
    pad_id: int
    max_length: int
    forbidden: tuple[int, ...]
    withheld: tuple[int, ...] = ()


class Density(Protocol):
    """A source that knows the probability of every sequence."""

    def log_prob(self, sequences: Sequences) -> Tensor:
        """Log-probability [B] in nats; -inf for what the source never emits."""


@dataclass(frozen=True)
class Decoder:
    """Token ids back into what people read.

    Attributes:
        vocabulary: token strings, or None where tokens are bare ids.
        tokenizer: joins token strings to a line.
        eos_id: the id left out at a sequence's end, or None.
    """

    vocabulary: Vocabulary | None
    tokenizer: Tokenizer
    eos_id: int | None

    def tokens(self, sequences: Sequences) -> list[list[Any]]:
        """The tokens of each sequence without EOS: strings, or ids where there are no strings."""
        rows = sequences.to_lists()
        if self.vocabulary is not None:
            return [self.vocabulary.decode(row) for row in rows]
        if self.eos_id is None:
            return rows
        return [row[:-1] if row and row[-1] == self.eos_id else row for row in rows]

    def rows(self, sequences: Sequences) -> TokenRows:
        """As `tokens`, made when they are read."""
        return TokenRows(
            len(sequences), lambda rows: self.tokens(sequences.select(torch.from_numpy(rows)))
        )

    def texts(self, sequences: Sequences) -> list[str]:
        """Each sequence as one line of text, whatever it holds; see `one_line`."""
        return [
            one_line(self.tokenizer.detokenize([str(token) for token in row]))
            for row in self.tokens(sequences)
        ]


@dataclass(frozen=True)
class Dataset:
    """Sequences of token ids in four splits, and what is known of their source.

    Attributes:
        source: what ``--data`` named.
        train: what generator and discriminator learn from.
        validation: for the choice of checkpoints and temperatures.
        heldout: real sequences that neither model is trained on, to measure the discriminator by.
        test: for the final figures, read once.
        spec: the token ids.
        decoder: ids back to text.
        real_tokens: the tokens of a split ("train", "test", ...) as its source has them, before
            unknown ones were replaced: what n-gram metrics compare with. A list, or something that
            makes them when they are read.
        density: the source's own density, or None.
        report: counts and warnings, as JSON has it.
        report_lines: the same for people.
    """

    source: str
    train: Sequences
    validation: Sequences
    heldout: Sequences
    test: Sequences
    spec: TokenSpec
    decoder: Decoder
    real_tokens: Callable[[str], Sequence[list[Any]]]
    density: Density | None = None
    report: dict[str, Any] = field(default_factory=dict)
    report_lines: list[str] = field(default_factory=list)


def fingerprint(data: Dataset) -> str:
    """A hash of all splits: equal for equal data, settings and seed."""
    digest = hashlib.sha256()
    for name in ("train", "validation", "heldout", "test"):
        split: Sequences = getattr(data, name)
        for part in (split.tokens, split.lengths):
            digest.update(np.ascontiguousarray(part.numpy()).data)
    tokens = data.decoder.vocabulary.tokens if data.decoder.vocabulary is not None else ()
    digest.update(repr(tokens).encode("utf-8", "backslashreplace"))
    return digest.hexdigest()[:16]


def load_data(
    source: str | os.PathLike[str],
    config: CorpusConfig,
    *,
    test_data: str | os.PathLike[str] | None = None,
    validation_data: str | os.PathLike[str] | None = None,
    seed: int = 0,
) -> Dataset:
    """Reads or draws the data that `source` names.

    Args:
        source: a file, or grammar, oracle, wordnet.
        config: tokenizer, limits, shares, sizes.
        test_data: a file with the test sequences (for a file).
        validation_data: a file with the validation sequences (for a file).
        seed: of the splits or of the draws, unless `config` has one.

    Raises:
        DataError: the source cannot be read or does not hold enough.
        ConfigError: settings that do not fit the source.
    """
    source, seed = os.fspath(source), config.data_seed(seed)
    _check_unused(source, config)
    if source in ("grammar", "oracle") or (source == "wordnet" and test_data):
        for flag, value in (("test_data", test_data), ("validation_data", validation_data)):
            if value is not None:
                raise ConfigError(f"--{flag}: {source} brings its own splits; leave it out")
    if source == "grammar":
        return _drawn(source, GrammarPolicy(max_length=max(21, config.max_length)), config, seed)
    if source == "oracle":
        return _drawn(source, _oracle(config, seed), config, seed)
    if source == "wordnet" and not Path(source).exists():
        from .wordnet import wordnet_lines

        return _text(source, corpus_from_lines(wordnet_lines(), config, name=source, seed=seed))
    if not Path(source).exists():
        near = did_you_mean(source, SOURCES) or near_file(Path(source))
        raise DataError(
            f"--data: {source}: no such file, and no source of that name{near}; "
            f"sources are {', '.join(SOURCES)}"
        )
    corpus = load_corpus(
        source, config, test_path=test_data, validation_path=validation_data, seed=seed
    )
    return _text(source, corpus)


def _check_unused(source: str, config: CorpusConfig) -> None:
    """Refuses names of files and tokenizers that are wrong, though this source needs none."""
    if source in ("grammar", "oracle") and config.tokenizer not in TOKENIZERS:
        make_tokenizer(config.tokenizer)
    place = config.oracle_parameters
    if place is not None and not Path(place).is_file():
        raise DataError(f"--corpus.oracle_parameters: {place}: there is no such file")


def run_data(config: RunConfig) -> Dataset:
    """The data of a run's settings; errors as of `load_data`."""
    return load_data(
        config.data,
        config.corpus,
        test_data=config.test_data,
        validation_data=config.validation_data,
        seed=config.seed,
    )


def _oracle(config: CorpusConfig, seed: int) -> LSTMOracle:
    if config.oracle_parameters is not None:
        return LSTMOracle.from_npz(config.oracle_parameters, config.oracle_length)
    return LSTMOracle.random(
        config.oracle_vocabulary,
        config.oracle_hidden,
        config.oracle_length,
        derive_seed(seed, "oracle"),
    )


def _text(source: str, corpus: TextCorpus) -> Dataset:
    vocabulary = corpus.vocabulary
    forbidden, withheld = _never_emitted(corpus)
    spec = TokenSpec(
        vocab_size=len(vocabulary),
        bos_id=vocabulary.bos_id,
        eos_id=vocabulary.eos_id,
        pad_id=vocabulary.pad_id,
        max_length=corpus.report.max_length,
        forbidden=forbidden,
        withheld=withheld,
    )
    return Dataset(
        source,
        corpus.train,
        corpus.validation,
        corpus.heldout,
        corpus.test,
        spec,
        Decoder(vocabulary, corpus.tokenizer, vocabulary.eos_id),
        corpus.token_rows,
        report=corpus.report.to_dict(),
        report_lines=corpus.report.lines(),
    )


def _never_emitted(corpus: TextCorpus) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The ids that no model of a corpus may emit: `forbidden` and `withheld` of its `TokenSpec`.

    A model knows nothing of a token that its training sequences lack. If no split holds it, it is
    impossible; otherwise it keeps a probability, without which the likelihood of that split would
    be 0. EOS may always be emitted: without it no sequence would end before the length limit.
    """
    vocabulary, size = corpus.vocabulary, len(corpus.vocabulary)
    seen = {
        name: torch.bincount(corpus.split(name).tokens.flatten(), minlength=size) > 0
        for name in SPLITS
    }
    lacking = ~seen["train"]
    lacking[vocabulary.eos_id] = False
    anywhere = torch.stack(list(seen.values())).any(0)
    never = {vocabulary.pad_id, vocabulary.bos_id}
    forbidden = never | set((lacking & ~anywhere).nonzero()[:, 0].tolist())
    withheld = set((lacking & anywhere).nonzero()[:, 0].tolist()) - never
    return tuple(sorted(forbidden)), tuple(sorted(withheld))


def check_splits(data: Dataset) -> None:
    """Refuses data with a split that is too small for what it is for.

    Raises:
        DataError: there is one; the message names all of them.
    """
    sizes = {name: len(getattr(data, name)) for name in SPLITS}
    small = [name for name in SPLITS if sizes[name] < LEAST[name]]
    if small:
        found = ", ".join(
            f"{sizes[name]} {name} sequences ({LEAST[name]} are needed)" for name in small
        )
        shares = " and ".join(f"--corpus.{name}_share" for name in small if name != "train")
        advice = f"give more data, or raise {shares}" if shares else "give more data"
        raise DataError(f"{data.source}: {found}: {advice}")


def _drawn(
    source: str, policy: GrammarPolicy | LSTMOracle, config: CorpusConfig, seed: int
) -> Dataset:
    """Four independent draws from a source with a density."""
    counts = {
        "train": config.num_train or 10_000,
        "validation": config.num_validation,
        "heldout": config.num_heldout,
        "test": config.num_test,
    }
    for name, count in counts.items():
        if not 4 <= count <= 10_000_000:
            raise ConfigError(f"--corpus.num_{name}: {count:,} is not in 4 .. 10,000,000")
    splits = {
        name: generate(policy, count, rng=rng_for(seed, source, name))
        for name, count in counts.items()
    }
    vocabulary = Vocabulary(policy.tokens) if isinstance(policy, GrammarPolicy) else None
    decoder = Decoder(vocabulary, make_tokenizer("spaces"), policy.eos_id)
    # The grammar's words are all possible, whether or not the training draws hold them.
    forbidden = () if vocabulary is None else (policy.pad_id, policy.bos_id, vocabulary.unk_id)
    spec = TokenSpec(
        policy.vocab_size, policy.bos_id, policy.eos_id, policy.pad_id, policy.max_length, forbidden
    )
    report = _drawn_report(policy, splits)
    sizes = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    lines = [f"{source}: independent draws: {sizes}"]
    if "entropy" in report:
        lines.append(
            f"{report['sentences']:,} distinct sentences, entropy {report['entropy']:.3f} nats "
            f"a sentence, {report['vocabulary_size']} token ids"
        )
    return Dataset(
        source,
        splits["train"],
        splits["validation"],
        splits["heldout"],
        splits["test"],
        spec,
        decoder,
        lambda name: decoder.rows(splits[name]),
        policy,
        report,
        lines,
    )


def _drawn_report(policy: Policy, splits: dict[str, Sequences]) -> dict[str, Any]:
    report: dict[str, Any] = {
        "vocabulary_size": policy.vocab_size,
        "max_length": policy.max_length,
        "splits": {
            name: {"sequences": len(split), "tokens": int(split.lengths.sum())}
            for name, split in splits.items()
        },
    }
    if isinstance(policy, GrammarPolicy):
        report["entropy"] = policy.entropy()
        report["sentences"] = policy.num_sentences()
    return report
