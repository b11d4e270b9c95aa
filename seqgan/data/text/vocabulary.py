"""Token strings and their ids.

Ids 0 to 3 are the special tokens ``<pad>``, ``<bos>``, ``<eos>`` and ``<unk>``; the ordinary
tokens follow by descending frequency, tokens of one frequency in the order of their code points,
so that the same counts give the same vocabulary whatever the order of the lines.

A word of the text that happens to be spelled like a special token is never taken for one: it is
read as ``<unk>``, and counts as unknown. So no text can end a sequence early or hide a token.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ...errors import ConfigError, DataError

__all__ = ["BOS", "EOS", "PAD", "SPECIAL_TOKENS", "UNK", "Vocabulary"]

SPECIAL_TOKENS = ("<pad>", "<bos>", "<eos>", "<unk>")
PAD, BOS, EOS, UNK = range(len(SPECIAL_TOKENS))

_FORMAT = "seqgan vocabulary"
_VERSION = 1


class Vocabulary:
    """The V tokens of a corpus, special tokens included, and their ids 0 .. V - 1.

    Make one with `build`, `from_counts`, `from_list` or `load`.

    Args:
        tokens: all V tokens, the four special ones first.
        source: what messages call the place the tokens come from.

    Attributes:
        tokens: the V token strings; a token's place is its id.
        pad_id: the id written after a sequence's end.
        bos_id: the id consumed before the first token.
        eos_id: the id that ends a sequence.
        unk_id: the id of every token that the vocabulary does not hold.

    Raises:
        DataError: `tokens` does not begin with the special tokens, holds no other, one twice, or
            one that is not a non-empty string without NUL that UTF-8 can write.
    """

    pad_id = PAD
    bos_id = BOS
    eos_id = EOS
    unk_id = UNK

    def __init__(self, tokens: Iterable[str], *, source: str = "the vocabulary"):
        self.tokens = tuple(tokens)
        _check(self.tokens, source)
        special = len(SPECIAL_TOKENS)
        self._ids = {token: i for i, token in enumerate(self.tokens[special:], start=special)}

    @classmethod
    def from_list(cls, tokens: Iterable[str]) -> Vocabulary:
        """A vocabulary of the ordinary `tokens` in the order given (ids from 4 on).

        Raises:
            DataError: a token stands twice, is spelled like a special one, or is no token.
        """
        return cls((*SPECIAL_TOKENS, *tokens))

    @classmethod
    def from_counts(
        cls, counts: Mapping[str, int], max_size: int = 0, min_count: int = 1
    ) -> Vocabulary:
        """The most frequent tokens of `counts`; those spelled like special ones are left out.

        Args:
            counts: how often each token occurs.
            max_size: most tokens to keep, the special ones not counted; 0 for all.
            min_count: rarer tokens are left out.

        Raises:
            ConfigError: `max_size` is negative or `min_count` below 1.
            DataError: no token is left.
        """
        if max_size < 0:
            raise ConfigError(f"--corpus.max_vocabulary: {max_size} is below 0")
        if min_count < 1:
            raise ConfigError(f"--corpus.min_count: {min_count} is below 1")
        frequent = [
            token
            for token, count in counts.items()
            if count >= min_count and token not in SPECIAL_TOKENS
        ]
        if not frequent:
            raise DataError(
                f"no token of the training data occurs {min_count} time(s) or more, so the "
                "vocabulary would be empty: lower --corpus.min_count, or give more data"
            )
        frequent.sort(key=lambda token: (-counts[token], token))
        return cls.from_list(frequent[: max_size or None])

    @classmethod
    def build(
        cls, token_lists: Iterable[Iterable[str]], max_size: int = 0, min_count: int = 1
    ) -> Vocabulary:
        """The vocabulary of tokenised texts; arguments and errors as in `from_counts`."""
        counts: Counter[str] = Counter()
        for tokens in token_lists:
            counts.update(tokens)
        return cls.from_counts(counts, max_size, min_count)

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: object) -> bool:
        return token in self._ids

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.tokens == other.tokens

    def __hash__(self) -> int:
        return hash(self.tokens)

    def __repr__(self) -> str:
        return f"Vocabulary({len(self)} tokens)"

    def encode(self, tokens: Iterable[str], *, eos: bool = True) -> list[int]:
        """The ids of `tokens`, then EOS unless `eos` is False; BOS and PAD are never given.

        A token the vocabulary does not hold becomes UNK, and so does one that is spelled like a
        special token.
        """
        ids = [self._ids.get(token, UNK) for token in tokens]
        return [*ids, EOS] if eos else ids

    def decode(self, ids: Iterable[int]) -> list[str]:
        """The tokens of `ids` up to the first EOS, PAD and BOS left out, UNK as ``<unk>``.

        Raises:
            DataError: an id is not among 0 .. V - 1.
        """
        tokens = []
        for number in map(int, ids):
            if number == EOS:
                break
            if not 0 <= number < len(self.tokens):
                raise DataError(
                    f"token id {number} is not in this vocabulary of {len(self)} tokens: "
                    "the ids come from another one"
                )
            if number not in (PAD, BOS):
                tokens.append(self.tokens[number])
        return tokens

    def fingerprint(self) -> str:
        """A hash of the tokens and their ids: equal for equal vocabularies."""
        text = "\n".join(json.dumps(token) for token in self.tokens)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the vocabulary as JSON (UTF-8); whoever reads `path` meanwhile sees no half file.

        Raises:
            DataError: the file cannot be written.
        """
        target = Path(path)
        content = {"format": _FORMAT, "version": _VERSION, "tokens": list(self.tokens)}
        # In the same folder, because a file can only be renamed within one file system.
        temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        try:
            with temporary.open("w", encoding="utf-8", newline="\n") as stream:
                json.dump(content, stream, ensure_ascii=False, indent=0)
                stream.write("\n")
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, target)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise DataError(f"cannot write the vocabulary {target}: {error.strerror}") from error

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Vocabulary:
        """The vocabulary that `save` wrote to `path`.

        Raises:
            DataError: there is no such file, or it does not hold a vocabulary.
        """
        content = _read_json(Path(path))
        if not isinstance(content, dict) or content.get("format") != _FORMAT:
            raise DataError(f"{path} is not a vocabulary file written by this toolkit")
        if content.get("version") != _VERSION:
            raise DataError(
                f"{path} is a vocabulary file of version {content.get('version')!r}; this "
                f"release reads version {_VERSION}"
            )
        tokens = content.get("tokens")
        if not isinstance(tokens, list):
            raise DataError(f"{path}: 'tokens' is not a list")
        return cls(tokens, source=str(path))


def _read_json(path: Path) -> Any:
    """Contents of a JSON file."""
    if path.exists() and not path.is_file():
        raise DataError(f"{path} is not a file, so it holds no vocabulary")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"cannot read the vocabulary {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8, so it holds no vocabulary") from error
    except ValueError as error:
        raise DataError(f"cannot read the vocabulary {str(path)!r}: {error}") from error
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON, so it holds no vocabulary: {error}") from error


def _check(tokens: tuple[Any, ...], source: str) -> None:
    """Raises a DataError unless `tokens` are those of a vocabulary."""
    special = len(SPECIAL_TOKENS)
    if tokens[:special] != SPECIAL_TOKENS:
        raise DataError(f"{source} does not begin with {' '.join(SPECIAL_TOKENS)}")
    if len(tokens) == special:
        raise DataError(f"{source} holds no token but the special ones")
    seen: dict[str, int] = {}
    for i, token in enumerate(tokens):
        if not isinstance(token, str):
            raise DataError(f"{source}: token {i} is not a string but {token!r:.40}")
        if token == "" or "\0" in token:
            raise DataError(f"{source}: token {i} is {'empty' if not token else 'holding NUL'}")
        first = seen.setdefault(token, i)
        if first != i:
            raise DataError(f"{source}: {token!r:.40} stands twice, as token {first} and {i}")
    try:
        "".join(tokens).encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(f"{source} holds half a surrogate pair, which is no text") from error
