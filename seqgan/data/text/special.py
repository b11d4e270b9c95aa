"""Words that stand for special tokens: no tokenizer cuts them, and all are read as one spelling."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from .vocabulary import SPECIAL_TOKENS, UNK

__all__ = ["SpecialWords"]

_SPELLINGS = {
    spelling: token
    for token in SPECIAL_TOKENS
    for name in (token.strip("<>"), token.strip("<>").upper())
    for spelling in (f"<{name}>", f"[{name.upper()}]")
}
"""``<unk>``, ``<UNK>`` and ``[UNK]`` for ``<unk>``, and so on."""


class SpecialWords:
    """The words that stand for special tokens in a text.

    Args:
        unknown: further words that stand for unknown ones.
    """

    def __init__(self, unknown: Iterable[str] = ()):
        self._tokens = {**_SPELLINGS, **dict.fromkeys(unknown, SPECIAL_TOKENS[UNK])}
        longest_first = sorted(self._tokens, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(_alone, longest_first)))

    def __iter__(self) -> Iterator[str]:
        return iter(self._tokens)

    def in_text(self, text: str) -> bool:
        """If the text holds one, as a word or within one."""
        return self._pattern.search(text) is not None

    def read(self, tokens: list[str]) -> list[str]:
        """The tokens, those that are special words in their one spelling."""
        return [self._tokens.get(token, token) for token in tokens]

    def cut(self, text: str, tokenize: Callable[[str], list[str]]) -> list[str]:
        """The special words of a text, and the tokens of what stands between them."""
        tokens, end = list[str](), 0
        for found in self._pattern.finditer(text):
            if between := text[end : found.start()]:
                tokens += tokenize(between)
            tokens.append(self._tokens[found[0]])
            end = found.end()
        return tokens + (tokenize(text[end:]) if end < len(text) else [])

    def hide(self, text: str, mark: str) -> str:
        """The text with each special word replaced by `mark` and the number of its token.

        Where it stands within a word, blanks part it from the rest.
        """

        def hidden(found: re.Match[str]) -> str:
            word = f"{mark}{SPECIAL_TOKENS.index(self._tokens[found[0]])}"
            left = " " if text[max(0, found.start() - 1) : found.start()].isalnum() else ""
            right = " " if text[found.end() : found.end() + 1].isalnum() else ""
            return left + word + right

        return self._pattern.sub(hidden, text)


def _alone(word: str) -> str:
    """A pattern for a special word; one of letters must not be a part of another word."""
    before = r"(?<!\w)" if word[0].isalnum() else ""
    after = r"(?!\w)" if word[-1].isalnum() else ""
    return f"{before}{re.escape(word)}{after}"
