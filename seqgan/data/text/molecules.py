"""Tokenizers of molecules: SMILES cut at atoms and bonds, and the same molecules in SELFIES."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...errors import DataError, MissingExtraError
from .special import SpecialWords
from .vocabulary import SPECIAL_TOKENS

__all__ = ["Selfies", "Smiles"]

_SMILES = re.compile(r"\[[^\[\]]*\]|Br|Cl|%[0-9]{2}|.", re.DOTALL)
_SELFIES = re.compile(r"\[[^\[\]]*\]|\.|[^\[\]. ]+|.", re.DOTALL)


class Smiles:
    """The symbols of SMILES (Weininger 1988): an atom in brackets is one, so are Br, Cl and %10.

    Any other character is a token of its own, so nothing is lost of a text that is no molecule.
    """

    name = "smiles"

    def __init__(self, special: SpecialWords | None = None):
        self._special = special or SpecialWords()

    def tokenize(self, text: str) -> list[str]:
        """The symbols of a SMILES string.

        Raises:
            DataError: it holds white space, which no SMILES string does.
        """
        if self._special.in_text(text):
            return self._special.cut(text, self._cut)
        return self._cut(text)

    def detokenize(self, tokens: Sequence[str]) -> str:
        """The symbols without anything between them."""
        return "".join(tokens)

    def _cut(self, text: str) -> list[str]:
        _check_blanks(text, self.name)
        return _SMILES.findall(text)


class Selfies:
    """The symbols of SELFIES (Krenn et al. 2020) of a molecule that is given as SMILES.

    Whatever symbols a model puts together, they decode to a molecule. Texts are SMILES on both
    sides, so that rewards and metrics need not know; they come back with double bonds instead of
    aromatic atoms.

    Raises:
        MissingExtraError: the package ``selfies`` is not installed.
    """

    name = "selfies"

    def __init__(self, special: SpecialWords | None = None):
        try:
            import selfies
        except ImportError as error:
            raise MissingExtraError("selfies", "molecules", "the tokenizer selfies") from error
        self._library, self._special = selfies, special or SpecialWords()

    def tokenize(self, text: str) -> list[str]:
        """The symbols of a SMILES string.

        A text with a special word was written by `detokenize`, and is SELFIES already.

        Raises:
            DataError: SELFIES cannot say it, or it holds white space.
        """
        if self._special.in_text(text):
            return self._special.cut(text, _SELFIES.findall)
        _check_blanks(text, self.name)
        if not text:
            return []
        try:
            encoded = self._library.encoder(text)
        except Exception as error:  # the library raises several kinds for what it cannot read
            reason = next(iter(str(error).split("\n")), "").strip()
            raise DataError(f"{text[:80]!r} has no SELFIES: {reason}") from error
        return list(self._library.split_selfies(encoded))

    def detokenize(self, tokens: Sequence[str]) -> str:
        """The SMILES string of the symbols; with a special token among them, the symbols."""
        text = "".join(tokens)
        if any(token in SPECIAL_TOKENS for token in tokens):
            return text
        return str(self._library.decoder(text))


def _check_blanks(text: str, name: str) -> None:
    if text.split() not in ([], [text]):
        raise DataError(
            f"{text[:40]!r} holds white space, which the tokenizer {name!r} has no use for: in a "
            ".smi file the first column is read (--corpus.format smi), in a table --corpus.column"
        )
