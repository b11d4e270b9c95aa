"""The sources of data: a dataclass of settings per kind, a line in `SOURCES`."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import ConfigError
from .corpus import CorpusConfig
from .drawn_corpus import GrammarCorpus, OracleCorpus, StylesCorpus, TranslationCorpus
from .file_corpus import FileCorpus
from .music_corpus import MusicCorpus, is_music
from .picture_corpus import PictureCorpus, is_pictures

__all__ = ["KINDS", "SOURCES", "check_corpus", "corpus_kind"]

SOURCES: dict[str, type[CorpusConfig]] = {
    "grammar": GrammarCorpus,
    "oracle": OracleCorpus,
    "wordnet": FileCorpus,
    "digits": PictureCorpus,
    "irish": MusicCorpus,
    "folksongs": MusicCorpus,
    "styles": StylesCorpus,
    "translation": TranslationCorpus,
}
"""The sources that need no file; every other name of data is a file's."""
KINDS: Mapping[str, type[CorpusConfig]] = {"a file": FileCorpus, **SOURCES}
"""All kinds, for messages."""


def corpus_kind(data: object) -> type[CorpusConfig]:
    """The dataclass of the settings of what `data` names: a source, or a file."""
    usual: type[CorpusConfig] = FileCorpus
    if is_pictures(str(data)):
        usual = PictureCorpus
    elif is_music(str(data)):
        usual = MusicCorpus
    return SOURCES.get(str(data), usual)


def check_corpus(data: object, corpus: CorpusConfig) -> None:
    """Requires settings of the kind that the source of the data has."""
    kind = corpus_kind(data)
    if not isinstance(corpus, kind):
        raise ConfigError(
            f"--corpus: settings of a {type(corpus).__name__} do not fit {data}: give a mapping or "
            f"{kind.__name__}(...)"
        )
