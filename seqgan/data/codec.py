"""Text to token ids, and token ids to what people look at.

Everything that knows which ids are special, how a line is cut, and how tokens join to a text stands
behind a codec. A data set brings one; a run's folder and a saved generator keep it.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

from rollout import Sequences

from ..errors import CheckpointError
from .id_codec import IdCodec
from .molecule_codec import MoleculeCodec
from .music.codec import MusicCodec
from .picture_codec import PictureCodec
from .spec import TokenSpec
from .text.tokenizers import Tokenizer
from .word_codec import WordCodec

__all__ = ["CODEC", "Codec", "IdCodec", "WordCodec", "load_codec", "save_codec"]

CODEC = "codec.json"


class Codec(Protocol):
    """Text <-> token ids <-> what people look at.

    Attributes:
        kind: name in `CODECS`.
        suffix: ending of the files that `show` writes.
        spec: the token ids.
        cut: name of the way a line is cut into tokens, for signatures.
        unknown: the token that stands for unknown ones in `tokens`; None: there are none.
        unknown_ids: the ids of unknown tokens.
    """

    kind: ClassVar[str]
    suffix: ClassVar[str]
    spec: TokenSpec
    cut: str
    unknown: str | None
    unknown_ids: tuple[int, ...]

    def encode(self, text: str) -> list[int]:
        """The token ids of a text, without EOS.

        Raises:
            DataError: a token that the vocabulary lacks.
        """

    def pieces(self, text: str) -> list[Hashable]:
        """The tokens of a text, those that the vocabulary lacks included.

        Raises:
            DataError: the text is none of this codec's.
        """

    def tokens(self, sequences: Sequences) -> list[list[Hashable]]:
        """The tokens of each sequence without EOS, for n-gram metrics."""

    def rows(self, sequences: Sequences) -> Sequence[list[Any]]:
        """As `tokens`, made when they are read."""

    def texts(self, sequences: Sequences) -> list[str]:
        """Each sequence as one line of text, whatever it holds."""

    def line(self, tokens: Sequence[Any]) -> str:
        """The line of text that tokens of real data make, unknown ones included."""

    def lacks(self, tokens: Sequence[Any]) -> list[Any]:
        """The tokens that have no id of their own."""

    def show(self, sequences: Sequences, place: Path) -> Path:
        """Writes sequences for people to look at; returns the file.

        Args:
            sequences: the sequences.
            place: of the file, without a suffix.
        """

    def picture(self, sequences: Sequences) -> bytes | None:
        """A PNG of sequences that people look at; None: they read them as text."""

    def fingerprint(self) -> str:
        """A hash that differs for codecs that give ids another meaning."""

    def save(self, folder: Path) -> dict[str, Any]:
        """Writes its files into a folder; returns what `load_codec` needs to know besides."""


CODECS: dict[str, Any] = {
    "words": WordCodec,
    "ids": IdCodec,
    "pictures": PictureCodec,
    "molecules": MoleculeCodec,
    "music": MusicCodec,
}


def save_codec(codec: Codec, folder: Path) -> None:
    """Writes a codec into a folder."""
    content = {"kind": codec.kind, "fingerprint": codec.fingerprint(), **codec.save(folder)}
    (folder / CODEC).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def load_codec(folder: Path, spec: TokenSpec, tokenizer: Tokenizer | None = None) -> Codec:
    """The codec that `save_codec` wrote into a folder.

    Args:
        folder: the folder; it may be a stranger's, and never causes an import.
        spec: the token ids of the generator that the codec belongs to.
        tokenizer: the one to use if the saved one is not built in.

    Raises:
        CheckpointError: a file is missing or damaged, or belongs to another generator.
        ConfigError: the tokenizer is not built in, and none is given.
    """
    path = folder / CODEC
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        kind = CODECS[content["kind"]]
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such file; without it tokens have no words") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: cannot be read ({error})") from None
    codec: Codec = kind.load(folder, spec, content, tokenizer)
    if codec.fingerprint() != content.get("fingerprint"):
        raise CheckpointError(
            f"{folder}: not the vocabulary that the generator was trained with, though it has as "
            "many tokens; put the right one back"
        )
    return codec
