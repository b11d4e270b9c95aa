"""Ways from a line of text to tokens, and back.

The built-in tokenizers give the same tokens back when a text they wrote is read again:
``tokenize(detokenize(tokenize(text))) == tokenize(text)``. All tokenizers keep the words that stand
for special tokens (``<unk>``, ``[UNK]``, ...) whole; see `SpecialWords`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from ...config.dotted import import_dotted
from ...config.names import TOKENIZER_FILES, TOKENIZERS, check_tokenizer
from ...errors import ConfigError, DataError, MissingExtraError, SeqganError
from ..pretrained_files import tokenizer_of
from .molecules import Selfies, Smiles
from .special import SpecialWords
from .vocabulary import SPECIAL_TOKENS, UNK

__all__ = [
    "Characters",
    "HuggingFaceTokenizer",
    "Integers",
    "Spaces",
    "Tokenizer",
    "UserTokenizer",
    "make_tokenizer",
    "save_tokenizer",
    "saved_tokenizer",
]

FLAG, FILE = "--corpus.tokenizer", "tokenizer.json"
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")


class Tokenizer(Protocol):
    """Protocol of a tokenizer of your own.

    Attributes:
        name: what reports and configurations call it.
    """

    name: str

    def tokenize(self, text: str) -> list[str]:
        """The tokens of one line; each a non-empty string."""
        ...

    def detokenize(self, tokens: Sequence[str]) -> str:
        """A line of text out of tokens, for people to read."""
        ...


class Spaces:
    """Words as the text separates them: by blanks of any kind (tabs too) and number."""

    name = "spaces"

    def __init__(self, special: SpecialWords | None = None):
        self._special = special or SpecialWords()

    def tokenize(self, text: str) -> list[str]:
        """The pieces between the blanks of `text`."""
        pieces = text.split()
        return self._special.read(pieces) if self._special.in_text(text) else pieces

    def detokenize(self, tokens: Sequence[str]) -> str:
        """The tokens with one blank between any two."""
        return " ".join(tokens)


class Characters:
    """Unicode code points, blanks among them.

    A letter with a combining accent is two tokens, an emoji with a skin tone as well. Where the
    characters of a file are already separated by blanks, use `Spaces`.
    """

    name = "characters"

    def __init__(self, special: SpecialWords | None = None):
        self._special = special or SpecialWords()

    def tokenize(self, text: str) -> list[str]:
        """The code points of `text`."""
        return self._special.cut(text, list) if self._special.in_text(text) else list(text)

    def detokenize(self, tokens: Sequence[str]) -> str:
        """The tokens without anything between them."""
        return "".join(tokens)


class Integers:
    """Whole numbers of up to 18 digits, separated by blanks; ``+07`` and ``7`` are one token."""

    name = "integers"

    def __init__(self, special: SpecialWords | None = None):
        self._special = special or SpecialWords()

    def tokenize(self, text: str) -> list[str]:
        """The numbers of `text`, in their shortest decimal form, and its special words.

        Raises:
            DataError: a piece of the text is no such number.
        """
        if self._special.in_text(text):
            pieces = self._special.read(text.split())
            return [piece if piece in SPECIAL_TOKENS else self._number(piece) for piece in pieces]
        return [self._number(piece) for piece in text.split()]

    def _number(self, piece: str) -> str:
        if not _INTEGER.fullmatch(piece):
            raise DataError(
                f"{piece[:40]!r} is not a whole number of up to 18 digits; the tokenizer "
                "'integers' takes nothing else (the tokenizer 'spaces' takes any words)"
            )
        return str(int(piece))

    def detokenize(self, tokens: Sequence[str]) -> str:
        """The numbers with one blank between any two."""
        return " ".join(tokens)


class HuggingFaceTokenizer:
    """A tokenizer file of the Hugging Face library ``tokenizers``, or a model's .gguf file.

    Its special tokens are not added, and its own padding and truncation are switched off. Where
    it normalises (lower case, accents) the text it writes is the normalised one. Its own token for
    what it does not know is read as ``<unk>``.

    Args:
        path: a ``tokenizer.json`` or a ``.gguf`` file.
        flag: what named it, for messages.
        special: words that stand for special tokens.
        name: what reports and configurations call it; None: its path.

    Attributes:
        content: the text of the ``tokenizer.json``, which a run's folder keeps.

    Raises:
        MissingExtraError: the package ``tokenizers`` (or ``gguf``) is not installed.
        DataError: the file is missing or holds no tokenizer.
    """

    def __init__(
        self,
        path: str,
        flag: str = FLAG,
        special: SpecialWords | None = None,
        name: str | None = None,
    ):
        if not os.path.isfile(path):
            raise DataError(f"{flag}: there is no file {path}")
        try:
            import tokenizers
        except ImportError as error:
            raise MissingExtraError("tokenizers", "lm", f"the tokenizer file {path}") from error
        try:
            self._tokenizer = tokenizers.Tokenizer.from_str(_content(path, flag))
        except SeqganError:
            raise
        except Exception as error:  # the library raises bare Exceptions
            raise DataError(f"{flag}: {path} holds no tokenizer: {error}") from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self.content: str = self._tokenizer.to_str()
        self._special, self._size = special or SpecialWords(), self._tokenizer.get_vocab_size()
        self._tokenizer.add_special_tokens(list(self._special))  # keeps them whole
        unknown = _unknown_token(json.loads(self._tokenizer.to_str())["model"])
        self._unknown = None if unknown is None else self._tokenizer.token_to_id(unknown)
        self.name = name or path

    def tokenize(self, text: str) -> list[str]:
        """The tokens of `text` as the file spells them."""
        found = self._tokenizer.encode(text, add_special_tokens=False)
        # Some models spell what they do not know as the text does; its id tells.
        pairs = zip(found.ids, found.tokens, strict=True)
        unknown = SPECIAL_TOKENS[UNK]
        return self._special.read(
            [unknown if number == self._unknown else token for number, token in pairs]
        )

    def ids(self, tokens: Sequence[str]) -> tuple[int, ...]:
        """The file's own id of each token; -1 for one that it lacks."""
        found = [self._tokenizer.token_to_id(token) for token in tokens]
        return tuple(-1 if each is None or each >= self._size else each for each in found)

    def vocabulary(self) -> list[str]:
        """The file's tokens in the order of their ids, without those that are no text."""
        added = self._tokenizer.get_added_tokens_decoder()
        marks = {token.content for token in added.values() if token.special}
        ids = self._tokenizer.get_vocab(with_added_tokens=True)
        own = [token for token, number in ids.items() if number < self._size]
        left_out = marks.union(SPECIAL_TOKENS)
        return sorted(
            (token for token in own if token and token not in left_out), key=ids.__getitem__
        )

    def detokenize(self, tokens: Sequence[str]) -> str:
        """The text that the file's decoder makes of `tokens`; without one, blanks between them."""
        decoder = self._tokenizer.decoder
        return " ".join(tokens) if decoder is None else str(decoder.decode(list(tokens)))


def _content(path: str, flag: str) -> str:
    """The text of a ``tokenizer.json``, read or made out of a model's file.

    Raises:
        DataError: the model's file has none.
    """
    if path.endswith(".gguf"):
        content = tokenizer_of(path, flag)
        if content is None:
            raise DataError(f"{flag}: {path} holds no tokenizer of the library tokenizers")
        return content
    with open(path, encoding="utf-8") as stream:
        return stream.read()


def _unknown_token(model: dict[str, Any]) -> str | None:
    """The token that a model of the library gives for what it does not know."""
    if "unk_token" in model:
        return model["unk_token"] or None
    if model.get("unk_id") is not None:  # of the kind Unigram
        return str(model["vocab"][model["unk_id"]][0])
    return None


class UserTokenizer:
    """A tokenizer of the user's own, its answers checked.

    Args:
        name: the dotted path it was found under.
        inner: an object with `tokenize` and `detokenize`.
        flag: what named it, for messages.
        special: words that stand for special tokens; `inner` sees what stands between them.

    Raises:
        ConfigError: `inner` lacks one of the two.
    """

    def __init__(
        self, name: str, inner: Any, flag: str = FLAG, special: SpecialWords | None = None
    ):
        for method in ("tokenize", "detokenize"):
            if not callable(getattr(inner, method, None)):
                raise ConfigError(
                    f"{flag} {name}: {type(inner).__name__} has no method {method!r}; "
                    "a tokenizer has tokenize(str) -> list[str] and detokenize(list[str]) -> str"
                )
        self.name = name
        self._inner = inner
        self._special = special or SpecialWords()

    def tokenize(self, text: str) -> list[str]:
        """The tokens of `text`.

        Raises:
            DataError: the user's code failed, or gave something else than non-empty strings.
        """
        if self._special.in_text(text):
            return self._special.read(self._special.cut(text, self._checked))
        return self._checked(text)

    def _checked(self, text: str) -> list[str]:
        tokens = self._ask(self._inner.tokenize, text)
        if not isinstance(tokens, (list, tuple)):
            raise DataError(
                f"tokenizer {self.name}: tokenize gave {type(tokens).__name__}, not a list of str"
            )
        for token in tokens:
            if not isinstance(token, str) or not token:
                raise DataError(
                    f"tokenizer {self.name}: tokenize gave the token {token!r}; tokens are "
                    "non-empty strings"
                )
        return list(tokens)

    def detokenize(self, tokens: Sequence[str]) -> str:
        """The text of `tokens`.

        Raises:
            DataError: the user's code failed, or gave something else than a string.
        """
        text = self._ask(self._inner.detokenize, list(tokens))
        if not isinstance(text, str):
            raise DataError(
                f"tokenizer {self.name}: detokenize gave {type(text).__name__}, not str"
            )
        return text

    def _ask(self, method: Callable[[Any], Any], argument: Any) -> Any:
        try:
            return method(argument)
        except Exception as error:
            raise DataError(
                f"tokenizer {self.name} failed: {type(error).__name__}: {error}"
            ) from error


def make_tokenizer(name: str, flag: str = FLAG, unknown: str | None = None) -> Tokenizer:
    """The tokenizer that a setting names.

    Args:
        name: ``spaces``, ``words`` (NLTK's word tokenizer), ``characters``, ``integers``,
            ``smiles`` or ``selfies``; the path of a Hugging Face ``tokenizer.json`` or of a model's
            ``.gguf``; or ``package.module:Name`` (or ``package.module.Name``), a class or function
            that is called without arguments, or a tokenizer object. Modules in the working
            directory are found.
        flag: the setting, for messages.
        unknown: a word that stands for unknown ones, besides ``<unk>`` and its other spellings.

    Raises:
        ConfigError: there is no such tokenizer, or the module does not hold one.
        MissingExtraError, DataError: as in `HuggingFaceTokenizer`.
    """
    special = SpecialWords(() if unknown is None else (unknown,))
    if name == "words":
        from .words import Words

        return Words(special)
    builtin: dict[str, Callable[[SpecialWords], Tokenizer]] = {
        "spaces": Spaces,
        "characters": Characters,
        "integers": Integers,
        "smiles": Smiles,
        "selfies": Selfies,
    }
    if name in builtin:
        return builtin[name](special)
    if name.endswith(TOKENIZER_FILES):
        return HuggingFaceTokenizer(name, flag, special)
    check_tokenizer(flag, name)
    return _user_tokenizer(name, flag, special)


def _user_tokenizer(name: str, flag: str, special: SpecialWords) -> Tokenizer:
    found = import_dotted(name, flag)
    if isinstance(found, type) or not hasattr(found, "tokenize"):
        if not callable(found):
            raise ConfigError(
                f"{flag} {name}: this is {found!r:.60}, neither a tokenizer nor "
                "something to call for one"
            )
        try:
            found = found()
        except Exception as error:
            raise ConfigError(
                f"{flag} {name}: calling it without arguments failed: "
                f"{type(error).__name__}: {error}"
            ) from error
    return UserTokenizer(name, found, flag, special)


def save_tokenizer(tokenizer: Tokenizer, folder: Path) -> str:
    """Writes the file of a tokenizer that has one into a folder; returns the tokenizer's name."""
    if isinstance(tokenizer, HuggingFaceTokenizer):
        (folder / FILE).write_text(tokenizer.content, encoding="utf-8")
    return tokenizer.name


def saved_tokenizer(name: str, folder: Path) -> Tokenizer:
    """The tokenizer that a saved model names, if it is built in or a file: nothing is imported.

    Raises:
        ConfigError: it is neither.
        DataError: its file is damaged.
    """
    if name.endswith(TOKENIZER_FILES) and (folder / FILE).is_file():
        return HuggingFaceTokenizer(str(folder / FILE), "--tokenizer", name=name)
    if name not in TOKENIZERS:
        raise ConfigError(
            f"{folder}: the tokenizer {name!r} is not built in; "
            "name it with --tokenizer (in Python: tokenizer=...) to use it"
        )
    return make_tokenizer(name)
