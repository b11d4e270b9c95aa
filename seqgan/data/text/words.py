"""English words and punctuation the way NLTK cuts them, fast enough for large files.

`Words.tokenize` returns exactly what ``nltk.tokenize.NLTKWordTokenizer`` returns (the tokenizer
behind the BLEU figures of the literature); no ``nltk_data`` is needed. NLTK runs some thirty
regular expressions over a line, about 0.15 ms; since nearly all of them look at one
blank-separated piece of it at a time, the pieces are cut by NLTK once and remembered, and a line
whose cut may depend on more than its pieces goes to NLTK whole.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...errors import DataError
from .special import SpecialWords
from .vocabulary import SPECIAL_TOKENS

__all__ = ["Words"]

_PLAIN = re.compile(r"([A-Za-z0-9]+(?:[-.][A-Za-z0-9]+)*)('s)?([.,]?)")
_MARK = "xq0qx"
_HIDDEN = "xq1qx"
"""Stands for a special word while NLTK cuts the text: letters and digits, which it keeps whole."""
# A period counts as the sentence's last one where only these and blanks follow it.
_CLOSERS = "])}>\"'»”’"
# Quotes that NLTK reads in another way at the very start of a text.
_ODD_OPENINGS = ("''", '""', "\"''")
_CACHE_SIZE = 100_000
_LONGEST_PIECE = 100
_LONGEST_JOIN = 6
_IMPOSSIBLE = 1_000


class Words:
    """NLTK's word tokenizer: words, punctuation and clitics (``do n't``) are tokens.

    Blanks of any kind and number separate and are not kept. Double quotes become two backticks
    or two apostrophes, as NLTK has it; `detokenize` turns them back.

    Args:
        special: words that stand for special tokens and are kept whole; NLTK would cut them.
    """

    name = "words"

    def __init__(self, special: SpecialWords | None = None) -> None:
        # Importing nltk takes a second, which the other tokenizers do not have to pay.
        from nltk.tokenize import NLTKWordTokenizer
        from nltk.tokenize.treebank import TreebankWordDetokenizer

        self._special = special or SpecialWords()
        self._nltk = NLTKWordTokenizer()
        self._treebank = TreebankWordDetokenizer()
        self._inner: dict[str, list[str]] = {}
        self._final: dict[str, list[str]] = {}

    def tokenize(self, text: str) -> list[str]:
        """The tokens of `text`: those of ``NLTKWordTokenizer().tokenize(" ".join(text.split()))``.

        (NLTK itself takes a quote after a tab for a closing one, and after a blank for an
        opening one; here every blank is one plain blank first. A special word is cut like a word of
        letters in its place, and what NLTK leaves together with it is cut off.)

        Raises:
            DataError: NLTK gave up on the text (its regular expressions have a time limit).
        """
        if not self._special.in_text(text):
            return self._cut_text(text)
        mark = self._mark_for(text)
        tokens: list[str] = []
        for token in self._cut_text(self._special.hide(text, mark)):
            parts = [part for part in re.split(f"({mark}[0-3])", token) if part]
            for part in parts:
                if part[:-1] == mark:
                    tokens.append(SPECIAL_TOKENS[int(part[-1])])
                else:
                    tokens += self._cut(part, first=False, final=False) if parts[1:] else parts
        return tokens

    def _cut_text(self, text: str) -> list[str]:
        pieces = text.split()
        if len(pieces) < 2 or pieces[0].startswith(_ODD_OPENINGS) or not pieces[-1].strip(_CLOSERS):
            return self._whole(" ".join(pieces))
        found = [self._inner.get(piece) for piece in pieces]
        found[-1] = self._final.get(pieces[-1])
        cuts = self._learn(pieces, found) if None in found else found
        return [token for cut in cuts for token in cut or ()]

    def detokenize(self, tokens: Sequence[str]) -> str:
        """A text of which `tokenize` makes `tokens` again, where there is one.

        It is what NLTK's ``TreebankWordDetokenizer`` writes wherever that can be read back;
        otherwise (``Gov . Dean``, of which the former makes ``Gov. Dean``) the tokens are put
        together piece by piece.
        """
        tokens = list(tokens)
        text: str = self._treebank.detokenize(tokens)
        if self.tokenize(text) == tokens:
            return text
        pieced = self._piece_together(tokens)
        return pieced if self.tokenize(pieced) == tokens else text

    def _mark_for(self, text: str) -> str:
        """A placeholder for special words that the text does not hold."""
        mark = _HIDDEN
        while mark in text:
            mark += "q"
        return mark

    def _whole(self, text: str) -> list[str]:
        try:
            return list(self._nltk.tokenize(text))
        except TimeoutError as error:
            raise DataError(
                f"a text of {len(text)} characters takes NLTK's word tokenizer too long: "
                "cut it, or use --corpus.tokenizer spaces"
            ) from error

    def _learn(
        self, pieces: list[str], found: Sequence[list[str] | None], *, final: bool = True
    ) -> list[list[str]]:
        """The tokens of every piece of a line, the unknown ones cut and remembered.

        Args:
            pieces: the pieces of a line, or some of them.
            found: the tokens of each where they are known.
            final: whether the last of `pieces` is the last one of its line.
        """
        last = len(pieces) - 1 if final else len(pieces)
        cuts = [
            _cut_plain(piece, i == last, self._nltk.CONTRACTIONS2) if known is None else known
            for i, (piece, known) in enumerate(zip(pieces, found, strict=True))
        ]
        unknown = [i for i, cut in enumerate(cuts) if cut is None]
        # One call for all of them, a mark before each to tell their tokens apart.
        mark = _MARK
        while any(mark in pieces[i] for i in unknown):
            mark += "q"
        line = "".join(f"{mark} {pieces[i]} " for i in unknown)
        tokens = self._whole(line[:-1] if last in unknown else line + mark) if unknown else []
        marks = [at for at, token in enumerate(tokens) if token == mark] + [len(tokens)]
        for i, begin, end in zip(unknown, marks, marks[1:], strict=False):
            cuts[i] = tokens[begin + 1 : end]
        for i, (piece, known) in enumerate(zip(pieces, found, strict=True)):
            if known is None and len(piece) <= _LONGEST_PIECE:
                cache = self._final if i == last else self._inner
                if len(cache) >= _CACHE_SIZE:
                    cache.clear()
                cache[piece] = cuts[i] or []
        return [cut or [] for cut in cuts]

    def _piece_together(self, tokens: list[str]) -> str:
        """The pieces, of up to six tokens each, that give `tokens` back (dynamic programme)."""
        mark = self._mark_for(" ".join(tokens))
        hidden = {token: f"{mark}{number}" for number, token in enumerate(SPECIAL_TOKENS)}
        tokens = [hidden.get(token, token) for token in tokens]
        count = len(tokens)
        best: list[tuple[int, int, str]] = [(0, 0, "")] * (count + 1)  # cost, next start, piece
        for start in range(count - 1, -1, -1):
            choices = []
            for end in range(start + 1, min(start + _LONGEST_JOIN, count) + 1):
                if end > start + 1 and self._stand_apart(tokens[end - 2], tokens[end - 1]):
                    break
                for piece in _spellings(tokens[start:end]):
                    cut = self._cut(piece, first=start == 0, final=end == count)
                    cost = _cost(cut, tokens[start:end])
                    choices.append((cost + best[end][0], end, piece))
            best[start] = min(choices, key=lambda choice: choice[0])
        pieces = []
        start = 0
        while start < count:
            _, start, piece = best[start]
            pieces.append(piece)
        text = " ".join(pieces)
        for token, word in hidden.items():
            text = text.replace(word, token)
        return text

    def _stand_apart(self, left: str, right: str) -> bool:
        """Tells if two tokens are plain words, which saves most of the trials; not ``can not``."""
        plain = left.isalnum() and right.isalnum()
        return plain and self._cut(left + right, first=False, final=False) != [left, right]

    def _cut(self, piece: str, *, first: bool, final: bool) -> list[str]:
        """The tokens of a piece at its place in the text."""
        if first and piece.startswith(_ODD_OPENINGS):
            return self._whole(piece) if final else self._whole(f"{piece} x")[:-1]
        known = self._final.get(piece) if final else self._inner.get(piece)
        return known or self._learn([piece], [None], final=final)[0]


def _cut_plain(piece: str, final: bool, contractions: list[re.Pattern[str]]) -> list[str] | None:
    """The tokens of a piece of letters and digits, perhaps with a mark; None for other pieces.

    Only for speed: where many pieces are new (numbers, names), asking NLTK takes the time.
    """
    found = _PLAIN.fullmatch(piece)
    # A few words without punctuation are cut all the same (``cannot``).
    if not found or any(rule.search(f" {found[1]} ") for rule in contractions):
        return None
    if found[3] == "." and not final:
        return None if found[2] else [piece]
    return [part for part in found.groups() if part]


def _cost(cut: list[str], tokens: list[str]) -> int:
    """Cost of a piece: it must be read back; it should look natural."""
    if cut != tokens:
        return _IMPOSSIBLE * len(tokens)
    return sum(-1 if _belongs(a, b) else 1 for a, b in zip(tokens, tokens[1:], strict=False))


def _spellings(tokens: list[str]) -> list[str]:
    """The ways to write `tokens` without blanks: NLTK's quotes as they are, or as one mark."""
    plain = "".join(tokens)
    quoted = "".join('"' if token in ("``", "''") else token for token in tokens)
    return [plain] if plain == quoted else [quoted, plain]


def _belongs(left: str, right: str) -> bool:
    """Tells if English is printed without a blank between two tokens."""
    closing = right == "n't" or right[0] in ",.:;!?%)]}'" or right == "''"
    return closing or left in ("(", "[", "{", "$", "#", "``")
