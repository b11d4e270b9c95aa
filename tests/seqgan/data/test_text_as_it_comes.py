"""``seqgan data`` on the text that people have: docs/data.md says what becomes of it."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from seqgan.cli.main import main
from seqgan.config import FileCorpus
from seqgan.data.text.corpus import load_corpus

LINES = [
    f"a {kind} {being} sits on the {place} ."
    for kind in ("red", "blue", "green", "old", "new", "small")
    for being in ("cat", "dog", "bird", "horse")
    for place in ("mat", "sofa", "roof", "bench")
]
WORDS = 19  # a, 6 kinds, 4 beings, sits, on, the, 4 places, full stop
SPECIAL = 4


def shown(capsys, path: Path, content: str | bytes, *flags: str) -> str:
    """What ``seqgan data`` prints of a file with that content."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    capsys.readouterr()
    assert main(["data", str(path), "--corpus.min_count", "1", *flags]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    return printed.out.replace(str(path), "FILE")


def vocabulary(printed: str) -> int:
    found = re.search(r"vocabulary ([\d,]+)", printed)
    assert found is not None
    return int(found[1].replace(",", ""))


@pytest.fixture
def plain(capsys, tmp_path) -> str:
    return shown(capsys, tmp_path / "lines.txt", "\n".join(LINES) + "\n")


@pytest.mark.parametrize(
    "content",
    [
        "\r\n".join(LINES) + "\r\n",
        "\r".join(LINES),
        "\ufeff" + "\n".join(LINES),
        b"\xef\xbb\xbf" + "\r\n".join(LINES).encode(),
        "\n".join(LINES).replace(" ", "\t"),
        "\n".join(f"  {line.replace(' ', ' ' * 3)} \t " for line in LINES),
        "\n".join(LINES).replace(" ", "\u3000"),
        "\n".join(LINES).replace(" ", "\u00a0"),
        "\n".join(LINES).replace(" ", "\u2028"),
        "\n".join(LINES).replace(" ", "\x0b\x0c\x85"),
    ],
    ids=[
        "CRLF", "CR", "mark", "mark and CRLF", "tabs", "blanks", "wide blanks", "no-break blanks",
        "line separators", "vertical tabs and others",
    ],
)  # fmt: skip
@pytest.mark.parametrize("tokenizer", ["words", "spaces"])
def test_line_ends_and_blanks_change_nothing(capsys, tmp_path, content, tokenizer):
    flags = ("--corpus.tokenizer", tokenizer)
    plain = shown(capsys, tmp_path / "lines.txt", "\n".join(LINES), *flags)
    assert "FILE: 96 lines, 0 repeated" in plain and vocabulary(plain) == WORDS + SPECIAL
    printed = shown(capsys, tmp_path / "other.txt", content, *flags)
    assert printed.replace(" 96 with white space around (left out),", "") == plain


@pytest.mark.parametrize(
    ("cat", "dog"),
    [("🐈", "👩🏽\u200d💻"), ("قطة", "כלב"), ("cafe\u0301", "n\u0303u"), ("b\ufeffc", "c\u200bd")],
    ids=["emoji", "right to left", "combining", "invisible"],
)
def test_words_of_any_script_are_kept_as_they_are(capsys, tmp_path, plain, cat, dog):
    content = "\n".join(LINES).replace("cat", cat).replace("dog", dog)
    printed = shown(capsys, tmp_path / "other.txt", content, "--examples", "40")
    assert vocabulary(printed) == WORDS + SPECIAL
    trained = [line for line in printed.splitlines() if line.startswith("train: ")]
    assert sum(f" {cat} " in line for line in trained) > 5
    assert sum(f" {dog} " in line for line in trained) > 5


def test_composed_and_combining_letters_are_two_words(capsys, tmp_path):
    content = "\n".join(LINES).replace("cat", "caf\u00e9").replace("dog", "cafe\u0301")
    assert vocabulary(shown(capsys, tmp_path / "a.txt", content)) == WORDS + SPECIAL
    same = "\n".join(LINES).replace("cat", "caf\u00e9").replace("dog", "caf\u00e9")
    assert vocabulary(shown(capsys, tmp_path / "b.txt", same)) == WORDS - 1 + SPECIAL


def test_characters_are_code_points(tmp_path):
    lines = ["👩🏽\u200d💻"] * 3 + ["e\u0301 e"] * 3 + ["a\tb"] * 3 + ["\ufeff\u2028c"] * 3
    path = tmp_path / "a.txt"
    path.write_text("\n".join(lines), encoding="utf-8")
    corpus = load_corpus(
        path,
        FileCorpus(tokenizer="characters", validation_share=0, heldout_share=0, test_share=0),
    )
    # woman, skin tone, joiner, computer; e, accent, blank; a, tab, b; mark, line separator, c
    assert len(corpus.vocabulary) == 13 + SPECIAL
    # 3 times 4 + 4 + 3 + 3 code points, and an end for each of 12 sequences
    assert corpus.report.splits["train"].tokens == 54


def test_words_like_special_tokens_are_counted(capsys, tmp_path):
    content = "\n".join(LINES).replace("cat", "<eos>")
    printed = shown(capsys, tmp_path / "a.txt", content, "--corpus.tokenizer", "spaces")
    assert "24 words like '<unk>' or '<eos>' (read as <unk>)" in printed
    assert vocabulary(printed) == WORDS - 1 + SPECIAL


def test_a_line_of_a_megabyte(capsys, tmp_path):
    content = "\n".join([*LINES, "word " * 200_000])
    path = tmp_path / "lines.txt"
    dropped = shown(capsys, path, content, "--corpus.tokenizer", "spaces")
    assert "1 too long (left out; the longest has 200,001), 0 repeated" in dropped
    assert vocabulary(dropped) == WORDS + SPECIAL
    flags = ("--corpus.tokenizer", "characters", "--corpus.too_long", "truncate")
    cut = shown(capsys, path, content, *flags)
    assert "97 lines, 1 with white space around (left out), 1 too long (cut; the longest" in cut
    assert "the longest has 1,000,000)" in cut
    advice = re.search(r"--corpus.max_length (\d+) would keep 99% whole", cut)
    assert advice is not None  # and it is one that can be followed:
    kept = shown(capsys, path, content, *flags, f"--corpus.max_length={advice[1]}")
    assert "too long" not in kept
    assert main(["data", str(path), "--corpus.too_long", "error"]) == 2
    assert f"{path}, line 97: has 200001 tokens" in capsys.readouterr().err


@pytest.mark.slow
def test_a_million_lines(capsys, tmp_path):
    path = tmp_path / "million.txt"
    content = "".join(f"a cat number {i} sat on mat {i % 7919}.\n" for i in range(1_000_000))
    begin = time.process_time()
    printed = shown(capsys, path, content, "--corpus.tokenizer", "spaces")
    assert "FILE: 1,000,000 lines, 0 repeated" in printed
    assert re.search(r"train +800,000 ", printed) and re.search(r"test +100,000 ", printed)
    assert time.process_time() - begin < 120
