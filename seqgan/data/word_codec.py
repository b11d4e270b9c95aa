"""The codec of texts that a tokenizer cuts into tokens of a vocabulary."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from rollout import Sequences

from ..errors import CheckpointError, DataError, did_you_mean
from .id_codec import LineCodec
from .spec import TokenSpec
from .text.one_line import one_line
from .text.tokenizers import Tokenizer, save_tokenizer, saved_tokenizer
from .text.vocabulary import SPECIAL_TOKENS, UNK, Vocabulary

__all__ = ["VOCABULARY", "WordCodec"]

VOCABULARY = "vocabulary.json"


class WordCodec(LineCodec):
    """Tokens out of a vocabulary, cut and joined by a tokenizer.

    Args:
        vocabulary: token strings; the first four are special.
        tokenizer: cuts a line into token strings and joins them.
        spec: the token ids.
    """

    kind: ClassVar[str] = "words"

    def __init__(self, vocabulary: Vocabulary, tokenizer: Tokenizer, spec: TokenSpec):
        self.vocabulary, self.tokenizer, self.spec = vocabulary, tokenizer, spec
        self.cut = tokenizer.name
        self.unknown: str | None = SPECIAL_TOKENS[UNK]
        self.unknown_ids: tuple[int, ...] = (vocabulary.unk_id,)

    def encode(self, text: str) -> list[int]:
        """The token ids of a text, without EOS."""
        tokens = self.tokenizer.tokenize(text)
        if lacking := self.lacks(tokens):
            near = did_you_mean(str(lacking[0]), self.vocabulary.tokens[len(SPECIAL_TOKENS) :])
            raise DataError(f"{lacking[0]!r} is not in the vocabulary{near}")
        return self.vocabulary.encode(tokens, eos=False)

    def pieces(self, text: str) -> list[Hashable]:
        """The token strings of a text, unknown ones included."""
        return list(self.tokenizer.tokenize(text))

    def tokens(self, sequences: Sequences) -> list[list[Hashable]]:
        """The token strings of each sequence without EOS."""
        return [list(self.vocabulary.decode(row)) for row in sequences.to_lists()]

    def line(self, tokens: Sequence[Any]) -> str:
        """The line of text that tokens make."""
        return one_line(self.tokenizer.detokenize([str(token) for token in tokens]))

    def lacks(self, tokens: Sequence[Any]) -> list[Any]:
        """The tokens that are not in the vocabulary."""
        return [token for token in tokens if token not in self.vocabulary]

    def fingerprint(self) -> str:
        """A hash of the vocabulary."""
        return self.vocabulary.fingerprint()

    def save(self, folder: Path) -> dict[str, Any]:
        """Writes the vocabulary."""
        self.vocabulary.save(folder / VOCABULARY)
        return {"tokenizer": save_tokenizer(self.tokenizer, folder)}

    @classmethod
    def load(
        cls, folder: Path, spec: TokenSpec, content: Mapping[str, Any], tokenizer: Tokenizer | None
    ) -> WordCodec:
        """The codec that `save` wrote; `tokenizer` is used if the saved one is not built in."""
        path = folder / VOCABULARY
        if not path.is_file():
            raise CheckpointError(f"{path}: no such file; without it the tokens have no words")
        vocabulary = Vocabulary.load(path)
        if len(vocabulary) != spec.vocab_size:
            raise CheckpointError(
                f"{path}: {len(vocabulary):,} tokens, but the generator has {spec.vocab_size:,}: "
                "it was trained with another vocabulary"
            )
        name = str(content.get("tokenizer"))
        return cls(vocabulary, tokenizer or saved_tokenizer(name, folder), spec)
