"""How a line of text becomes tokens, and tokens a line again.

The built-in tokenizers give the same tokens back when a text they wrote is read again:
``tokenize(detokenize(tokenize(text))) == tokenize(text)``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from ...config import check_tokenizer
from ...config.dotted import import_dotted
from ...errors import ConfigError, DataError, MissingExtraError

__all__ = [
    "Characters",
    "HuggingFaceTokenizer",
    "Integers",
    "Spaces",
    "Tokenizer",
    "UserTokenizer",
    "make_tokenizer",
]

FLAG = "--corpus.tokenizer"
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")


class Tokenizer(Protocol):
    """What a tokenizer of your own provides.

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

    def tokenize(self, text: str) -> list[str]:
        """The pieces between the blanks of `text`."""
        return text.split()

    def detokenize(self, tokens: Sequence[str]) -> str:
        """The tokens with one blank between any two."""
        return " ".join(tokens)


class Characters:
    """Unicode code points, blanks among them.

    A letter with a combining accent is two tokens, an emoji with a skin tone as well. Where the
    characters of a file are already separated by blanks, use `Spaces`.
    """

    name = "characters"

    def tokenize(self, text: str) -> list[str]:
        """The code points of `text`."""
        return list(text)

    def detokenize(self, tokens: Sequence[str]) -> str:
        """The tokens without anything between them."""
        return "".join(tokens)


class Integers:
    """Whole numbers of up to 18 digits, separated by blanks; ``+07`` and ``7`` are one token."""

    name = "integers"

    def tokenize(self, text: str) -> list[str]:
        """The numbers of `text`, in their shortest decimal form.

        Raises:
            DataError: a piece of the text is no such number.
        """
        pieces = text.split()
        for piece in pieces:
            if not _INTEGER.fullmatch(piece):
                raise DataError(
                    f"{piece[:40]!r} is not a whole number of up to 18 digits; the tokenizer "
                    "'integers' takes nothing else (the tokenizer 'spaces' takes any words)"
                )
        return [str(int(piece)) for piece in pieces]

    def detokenize(self, tokens: Sequence[str]) -> str:
        """The numbers with one blank between any two."""
        return " ".join(tokens)


class HuggingFaceTokenizer:
    """A tokenizer file of the Hugging Face library ``tokenizers``.

    Its special tokens are not added, and its own padding and truncation are switched off. Where
    it normalises (lower case, accents) the text it writes is the normalised one.

    Args:
        path: a ``tokenizer.json``.
        flag: what named it, for messages.

    Raises:
        MissingExtraError: the package ``tokenizers`` is not installed.
        DataError: the file is missing or holds no tokenizer.
    """

    def __init__(self, path: str, flag: str = FLAG):
        if not os.path.isfile(path):
            raise DataError(f"{flag}: there is no file {path}")
        try:
            import tokenizers
        except ImportError as error:
            raise MissingExtraError("tokenizers", "lm", f"the tokenizer file {path}") from error
        try:
            self._tokenizer = tokenizers.Tokenizer.from_file(path)
        except Exception as error:  # the library raises bare Exceptions
            raise DataError(f"{flag}: {path} holds no tokenizer: {error}") from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self.name = path

    def tokenize(self, text: str) -> list[str]:
        """The tokens of `text` as the file spells them."""
        return list(self._tokenizer.encode(text, add_special_tokens=False).tokens)

    def detokenize(self, tokens: Sequence[str]) -> str:
        """The text that the file's decoder makes of `tokens`; without one, blanks between them."""
        decoder = self._tokenizer.decoder
        return " ".join(tokens) if decoder is None else str(decoder.decode(list(tokens)))


class UserTokenizer:
    """A tokenizer of the user's own, its answers checked.

    Args:
        name: the dotted path it was found under.
        inner: an object with `tokenize` and `detokenize`.
        flag: what named it, for messages.

    Raises:
        ConfigError: `inner` lacks one of the two.
    """

    def __init__(self, name: str, inner: Any, flag: str = FLAG):
        for method in ("tokenize", "detokenize"):
            if not callable(getattr(inner, method, None)):
                raise ConfigError(
                    f"{flag} {name}: {type(inner).__name__} has no method {method!r}; "
                    "a tokenizer has tokenize(str) -> list[str] and detokenize(list[str]) -> str"
                )
        self.name = name
        self._inner = inner

    def tokenize(self, text: str) -> list[str]:
        """The tokens of `text`.

        Raises:
            DataError: the user's code failed, or gave something else than non-empty strings.
        """
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


def make_tokenizer(name: str, flag: str = FLAG) -> Tokenizer:
    """The tokenizer that a setting names.

    Args:
        name: ``spaces``, ``words`` (NLTK's word tokenizer), ``characters`` or ``integers``; the
            path of a Hugging Face ``tokenizer.json``; or ``package.module:Name`` (or
            ``package.module.Name``), a class or function that is called without arguments, or a
            tokenizer object. Modules in the working directory are found.
        flag: the setting, for messages.

    Raises:
        ConfigError: there is no such tokenizer, or the module does not hold one.
        MissingExtraError, DataError: as in `HuggingFaceTokenizer`.
    """
    if name == "words":
        from .words import Words

        return Words()
    builtin: dict[str, Callable[[], Tokenizer]] = {
        "spaces": Spaces,
        "characters": Characters,
        "integers": Integers,
    }
    if name in builtin:
        return builtin[name]()
    if name.endswith(".json"):
        return HuggingFaceTokenizer(name, flag)
    check_tokenizer(flag, name)
    return _user_tokenizer(name, flag)


def _user_tokenizer(name: str, flag: str) -> Tokenizer:
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
    return UserTokenizer(name, found, flag)
