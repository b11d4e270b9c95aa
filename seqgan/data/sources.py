"""Sources that ``--data`` names: a file of the user's, or one whose density is known.

Whatever it is, training and evaluation see one thing, a `Dataset`.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import torch

from rollout import generate

from ..config import (
    SOURCES,
    CorpusConfig,
    FileCorpus,
    GrammarCorpus,
    MusicCorpus,
    OracleCorpus,
    PictureCorpus,
    RunConfig,
)
from ..config.data import check_corpus
from ..config.drawn_corpus import DrawnCorpus, StylesCorpus, TranslationCorpus
from ..config.names import MOLECULES
from ..errors import ConfigError, DataError, did_you_mean
from ..seeding import derive_seed, rng_for
from .codec import Codec, IdCodec, WordCodec
from .constraints import build_constraint
from .dataset import Dataset, drawn_report
from .grammar.policy import GrammarPolicy
from .grammar.styles import load_styles
from .grammar.translation import load_translation
from .molecule_codec import MoleculeCodec
from .oracle import LSTMOracle
from .spec import TokenSpec
from .text.corpus import TextCorpus, corpus_from_lines, load_corpus
from .text.readers import near_file
from .text.splits import LEAST, SPLITS
from .text.tokenizers import HuggingFaceTokenizer, make_tokenizer
from .text.vocabulary import SPECIAL_TOKENS, Vocabulary

__all__ = [
    "check_splits",
    "load_data",
    "run_data",
]


def load_data(
    source: str | os.PathLike[str],
    config: CorpusConfig,
    *,
    test_data: str | os.PathLike[str] | None = None,
    validation_data: str | os.PathLike[str] | None = None,
    seed: int = 0,
    vocabulary: Vocabulary | None = None,
) -> Dataset:
    """Reads or draws the data that `source` names.

    Args:
        source: a file, or one of the names in `config.data.SOURCES`.
        config: tokenizer, limits, shares, sizes.
        test_data: a file with the test sequences (for a file).
        validation_data: a file with the validation sequences (for a file).
        seed: of the splits or of the draws, unless `config` has one.
        vocabulary: one to use for a text instead of making one.

    Raises:
        DataError: the source cannot be read or does not hold enough.
        ConfigError: settings that do not fit the source.
    """
    source, seed = os.fspath(source), config.data_seed(seed)
    check_corpus(source, config)
    if isinstance(config, DrawnCorpus) or (source == "wordnet" and test_data):
        for flag, value in (("test_data", test_data), ("validation_data", validation_data)):
            if value is not None:
                raise ConfigError(f"--{flag}: {source} brings its own splits; leave it out")
    if vocabulary is not None and (source == "wordnet" or not isinstance(config, FileCorpus)):
        raise ConfigError(f"--data: {source}: only a text file can take another run's vocabulary")
    if isinstance(config, GrammarCorpus):
        return _drawn(source, GrammarPolicy(max_length=config.max_length), config, seed)
    if isinstance(config, OracleCorpus):
        return _drawn(source, _oracle(config, seed), config, seed)
    if isinstance(config, StylesCorpus):
        return load_styles(config, seed)
    if isinstance(config, TranslationCorpus):
        return load_translation(config, seed)
    test, validation = (None if x is None else os.fspath(x) for x in (test_data, validation_data))
    if isinstance(config, PictureCorpus):
        from .pictures import load_pictures

        return load_pictures(source, config, test, validation, seed)
    if isinstance(config, MusicCorpus):
        from .music.source import load_music

        return load_music(source, config, test, validation, seed)
    assert isinstance(config, FileCorpus)
    if source == "wordnet" and not Path(source).exists():
        return _text(source, _wordnet(config, seed))
    if not Path(source).exists():
        near = did_you_mean(source, SOURCES) or near_file(Path(source))
        raise DataError(
            f"--data: {source}: no such file, and no source of that name{near}; "
            f"sources are {', '.join(SOURCES)}"
        )
    corpus = load_corpus(
        source,
        config,
        test_path=test_data,
        validation_path=validation_data,
        seed=seed,
        vocabulary=vocabulary,
    )
    return _text(source, corpus)


def run_data(config: RunConfig, vocabulary: Vocabulary | None = None) -> Dataset:
    """The data of a run's settings; errors as of `load_data`.

    Args:
        config: the settings.
        vocabulary: as of `load_data`.
    """
    data = load_data(
        config.data,
        config.corpus,
        test_data=config.test_data,
        validation_data=config.validation_data,
        seed=config.seed,
        vocabulary=vocabulary,
    )
    return replace(data, constraint=build_constraint(config.constraint, data.codec))


def _wordnet(config: FileCorpus, seed: int) -> TextCorpus:
    """WordNet's definitions and examples; with labels, the definitions of nouns and of verbs."""
    from .wordnet import wordnet_definitions, wordnet_lines

    if config.tasks:
        raise ConfigError("--corpus.tasks: goes with a file of yours, not with WordNet")
    if config.source is not None:
        raise ConfigError("--corpus.source: WordNet has no source texts; leave it out")
    if config.label is None:
        return corpus_from_lines(wordnet_lines(), config, name="wordnet", seed=seed)
    if config.label != "pos":
        raise ConfigError(f"--corpus.label: {config.label!r}: the label of WordNet is pos")
    lines, labels = zip(*wordnet_definitions(), strict=True)
    return corpus_from_lines(lines, config, name="wordnet", seed=seed, labels=labels)


def _oracle(config: OracleCorpus, seed: int) -> LSTMOracle:
    if config.parameters is not None:
        if not Path(config.parameters).is_file():
            raise DataError(f"--corpus.parameters: {config.parameters}: there is no such file")
        return LSTMOracle.from_npz(config.parameters, config.length)
    return LSTMOracle.random(
        config.vocabulary, config.hidden, config.length, derive_seed(seed, "oracle")
    )


def _text(source: str, corpus: TextCorpus) -> Dataset:
    vocabulary = corpus.vocabulary
    forbidden, withheld = _never_emitted(corpus)
    spec = TokenSpec(
        vocab_size=len(vocabulary),
        bos_id=vocabulary.bos_id,
        eos_id=vocabulary.eos_id if corpus.eos else None,
        pad_id=vocabulary.pad_id,
        max_length=corpus.report.max_length,
        forbidden=forbidden,
        withheld=withheld,
        model_ids=_model_ids(corpus),
    )
    spec = corpus.conditions.announced(spec)
    kind = MoleculeCodec if corpus.tokenizer.name in MOLECULES else WordCodec
    return Dataset(
        source,
        corpus.train,
        corpus.validation,
        corpus.heldout,
        corpus.test,
        kind(vocabulary, corpus.tokenizer, spec),
        corpus.token_rows,
        report=corpus.report.to_dict(),
        report_lines=[*corpus.report.lines(), *corpus.conditions.lines(corpus.train.condition)],
        conditions=corpus.conditions,
    )


def _model_ids(corpus: TextCorpus) -> tuple[int, ...]:
    """The ids of the tokenizer file that a corpus was cut by; nothing for other tokenizers."""
    if not isinstance(corpus.tokenizer, HuggingFaceTokenizer):
        return ()
    return corpus.tokenizer.ids(corpus.vocabulary.tokens)


def _never_emitted(corpus: TextCorpus) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The ids that no model of a corpus may emit: `forbidden` and `withheld` of its `TokenSpec`.

    A model knows nothing of a token that its training sequences lack, unless the vocabulary is that
    of a pretrained one. If no split holds it, it is
    impossible; otherwise it keeps a probability, without which the likelihood of that split would
    be 0. EOS may always be emitted, if there is one: without it no sequence would end before the
    length limit.
    """
    vocabulary, size = corpus.vocabulary, len(corpus.vocabulary)
    seen = {
        name: torch.bincount(corpus.split(name).tokens.flatten(), minlength=size) > 0
        for name in SPLITS
    }
    lacking = ~seen["train"]
    if corpus.whole:  # a pretrained model knows them
        lacking[len(SPECIAL_TOKENS) :] = False
    if corpus.eos:
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


def _drawn_codec(policy: GrammarPolicy | LSTMOracle) -> Codec:
    """The grammar's words, or the bare ids of the oracle."""
    ids = (policy.vocab_size, policy.bos_id, policy.eos_id, policy.pad_id, policy.max_length)
    if not isinstance(policy, GrammarPolicy):
        return IdCodec(TokenSpec(*ids, ()))
    # The grammar's words are all possible, whether or not the training draws hold them.
    spec = TokenSpec(*ids, (policy.pad_id, policy.bos_id, policy.unk_id))
    return WordCodec(Vocabulary(policy.tokens), make_tokenizer("spaces"), spec)


def _drawn(
    source: str, policy: GrammarPolicy | LSTMOracle, config: DrawnCorpus, seed: int
) -> Dataset:
    """Four independent draws from a source with a density."""
    counts = config.counts
    splits = {
        name: generate(policy, count, rng=rng_for(seed, source, name))
        for name, count in counts.items()
    }
    codec = _drawn_codec(policy)
    report = drawn_report(codec.spec, splits)
    sizes = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    lines = [f"{source}: independent draws: {sizes}"]
    if isinstance(policy, GrammarPolicy):
        report |= {"entropy": policy.entropy(), "sentences": policy.num_sentences()}
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
        codec,
        lambda name: codec.rows(splits[name]),
        policy,
        report,
        lines,
    )
