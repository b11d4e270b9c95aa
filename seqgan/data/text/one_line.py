"""Any text as one line, and back: ``read_line(one_line(text)) == text``.

Files of samples have one sequence per line whatever the sequence holds. A line end within a text
is written as U+2424 (SYMBOL FOR NEWLINE), a carriage return as U+240D. White space at an end of the
text, which readers strip, is written as U+2420 (blank) and U+2409 (tab). All other characters that
some programs take for a line end, and those symbols themselves, are written as their code point in
hexadecimal between two U+241B (SYMBOL FOR ESCAPE). Ordinary text is written as it is, backslashes
included.
"""

from __future__ import annotations

import re

__all__ = ["one_line", "read_line"]

_SYMBOLS = {"\n": "\u2424", "\r": "\u240d", " ": "\u2420", "\t": "\u2409"}
_MEANINGS = {symbol: character for character, symbol in _SYMBOLS.items()}
_ESCAPE = "\u241b"
_WRITTEN = re.compile(
    "^\ufeff?\\s+|\\s+\\Z|^\ufeff|[\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029\u2424\u240d\u2420\u2409\u241b]"
)
_READ = re.compile("[\u2424\u240d\u2420\u2409]|\u241b([0-9a-f]{1,6})\u241b")


def one_line(text: str) -> str:
    """The text as one line, which `read_line` turns back."""
    return _WRITTEN.sub(lambda found: "".join(map(_symbol, found[0])), text)


def read_line(line: str) -> str:
    """The text that `one_line` wrote; a line without its symbols is the text itself."""
    return _READ.sub(_meaning, line)


def _symbol(character: str) -> str:
    return _SYMBOLS.get(character, f"{_ESCAPE}{ord(character):x}{_ESCAPE}")


def _meaning(found: re.Match[str]) -> str:
    if found[1] is None:
        return _MEANINGS[found[0]]
    code = int(found[1], 16)
    # No text that we wrote holds NUL, half a surrogate pair, or more than Unicode has.
    possible = 0 < code < 0xD800 or 0xE000 <= code <= 0x10FFFF
    return chr(code) if possible else found[0]
