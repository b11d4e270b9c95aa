"""Any text is one line in a file of samples, and is read back from it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqgan.data.text.one_line import one_line, read_line
from seqgan.data.text.readers import read_lines


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("C/C=C\\n1cccc1", "C/C=C\\n1cccc1"),
        ("ordinary text, as it is", "ordinary text, as it is"),
        ("OOCBr\n", "OOCBr\u2424"),
        ("a\r\nb", "a\u240d\u2424b"),
        (" a b\t", "\u2420a b\u2409"),
        ("a\u2028b\x85", "a\u241b2028\u241bb\u241b85\u241b"),
        ("written \u2424", "written \u241b2424\u241b"),
        ("\u241b41\u241b", "\u241b241b\u241b41\u241b241b\u241b"),
        ("\ufeffa", "\u241bfeff\u241ba"),
        ("", ""),
    ],
)
def test_by_hand(text, line):
    assert one_line(text) == line
    assert read_line(line) == text


@pytest.mark.parametrize(
    "line", ["\u241b0\u241b", "\u241bd800\u241b", "\u241b110000\u241b", "\u241bx"]
)
def test_what_nobody_wrote_is_text(line):
    assert read_line(line) == line


TEXTS = st.text(
    st.characters(exclude_characters="\0", codec="utf-8")
    | st.sampled_from("\n\r\x0b\x1c\x85\u2028\u2424\u240d\u2420\u241b \t\ufeff41")
)


@given(text=TEXTS)
def test_any_text_is_one_line_and_comes_back(text):
    line = one_line(text)
    assert len(line.splitlines()) <= 1 and line == line.strip()
    assert read_line(line) == text


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("lines")


@given(texts=st.lists(TEXTS, min_size=1))
def test_any_texts_come_back_from_a_file(scratch, texts):
    path = scratch / "samples.txt"
    path.write_text("".join(f"{one_line(text)}\n" for text in texts), encoding="utf-8")
    assert [record.text for record in read_lines(path)] == texts
