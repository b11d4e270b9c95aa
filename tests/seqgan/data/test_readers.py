import csv
import gzip
import io
import itertools
import json
import random
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqgan.config import ReadingConfig
from seqgan.data.text import readers
from seqgan.data.text.one_line import read_line
from seqgan.data.text.readers import Record, file_kind, plain_lines, read_lines
from seqgan.errors import ConfigError, DataError


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        path = tmp_path / name
        content = content.encode() if isinstance(content, str) else content
        path.write_bytes(gzip.compress(content) if name.lower().endswith(".gz") else content)
        return str(path)

    return write


def read(path, *, notes=None, max_line=readers.MAX_LINE, **settings):
    return read_lines(path, ReadingConfig(**settings), notes=notes, max_line=max_line)


def texts(path, **settings):
    return [record.text for record in read(path, **settings)]


@pytest.mark.parametrize("name", ["a.txt", "a", "a.txt.gz", "A.TXT.GZ", "a.b.tok"])
def test_lines(write, name):
    path = write(name, "one\n\ntwo  \n three")
    assert list(read(path)) == [
        Record("one", 1),
        Record("", 2),
        Record("two", 3),
        Record("three", 4),
    ]
    assert texts(path, strip=False) == ["one", "", "two  ", " three"]


@pytest.mark.parametrize(
    "content",
    [b"a\nb\n", b"a\r\nb\r\n", b"a\rb\r", b"a\nb", b"a\rb\n", b"\xef\xbb\xbfa\r\nb"],
    ids=["lf", "crlf", "cr", "no end", "mixed", "bom"],
)
def test_line_ends(write, content):
    assert list(read_lines(write("a.txt", content))) == [Record("a", 1), Record("b", 2)]


def test_nothing_else_ends_a_line(write):
    line = "a\u2028b\u2029c\x0bd\x0ce\x85f\x1cg\x1dh\x1ei"
    assert texts(write("a.txt", line + "\nz")) == [line, "z"]


def test_only_the_first_byte_order_mark_goes(write):
    assert texts(write("a.txt", "\ufeff\ufeffa\n\ufeffb")) == ["\ufeffa", "\ufeffb"]


def test_any_script(write):
    lines = ["👍🏽 👨‍👩‍👧", "שלום עולם", "e\u0301\u0302", "\u202eabc", "漢字", "\ud7ff\ue000\uffff"]
    assert texts(write("a.txt", "\n".join(lines))) == lines


def test_json_lines(write):
    content = '\ufeff{"text": "one\\u00e9"}\r\n\n{"n": 1, "text": "two\\nlines"}\n{"text": ""}'
    for name in ("a.jsonl", "a.ndjson", "a.jsonl.gz"):
        found = list(read(write(name, content), field="text"))
        assert found == [Record("oneé", 1), Record("", 2), Record("two\nlines", 3), Record("", 4)]


def test_csv(write):
    content = '\ufeffid,text\r\n1,"a, ""b"""\r\n2,"two\r\nlines"\r\n\r\n3,c\r\n'
    for name in ("a.csv", "a.csv.gz"):
        found = list(read(write(name, content), column="text"))
        assert found == [
            Record('a, "b"', 2),
            Record("two\nlines", 3),
            Record("", 5),
            Record("c", 6),
        ]


BAD_UTF8 = b"good\ncaf\xe9\n"
CASES = [
    ("a.txt", b"", {}, "is empty$"),
    ("a.txt", b"\xef\xbb\xbf", {}, "is empty$"),
    ("a.txt.gz", b"", {}, "is empty$"),
    ("a.jsonl", b"", {"field": "t"}, "is empty$"),
    ("a.csv", b"", {"column": "t"}, "is empty$"),
    ("a.txt", b"a\nb\0c\n", {}, "line 2: holds a NUL byte"),
    ("a.txt", BAD_UTF8, {}, r"line 2: is not UTF-8 \(byte 0xe9 at character 4\).*iconv -f Latin-1"),
    ("a.txt", "a\nb".encode("utf-16"), {}, r"line 1: is not UTF-8 \(byte 0xff.*iconv -f UTF-16"),
    ("a.txt", "a\nb".encode("utf-16-le"), {}, "line 1: holds a NUL byte.*UTF-16"),
    ("a.txt", b"a\n\xed\xa0\x80\n", {}, "line 2: is not UTF-8"),
    ("a.txt", b"a\n\xc0\x80\n", {}, "line 2: is not UTF-8"),
    ("a.txt", b"\x89PNG\r\n\x1a\n", {}, "line 1: is not UTF-8"),
    ("a.jsonl", BAD_UTF8.replace(b"good", b"{}"), {"field": "t"}, "line 1: has no field 't'"),
    ("a.jsonl", b'{"t": ""}\nword\n', {"field": "t"}, "line 2: is not JSON: Expecting value"),
    ("a.jsonl", b'{"t": "', {"field": "t"}, "line 1: is not JSON"),
    ("a.jsonl", b"[" * 100_000, {"field": "t"}, "line 1: is not JSON"),
    ("a.jsonl", b'{"t": ' + b"1" * 5000 + b"}", {"field": "t"}, "line 1: "),
    ("a.jsonl", b'["t"]', {"field": "t"}, "line 1: is not a JSON object but list"),
    ("a.jsonl", b"7", {}, "line 1: is not a string but int; a sequence is a string or a list"),
    ("a.jsonl", b'{"text": ""}', {"field": "txt"}, "no field 'txt'.*did you mean 'text'"),
    ("a.jsonl", b'{"t": 7}', {"field": "t"}, "line 1: the field 't' is not a string but int"),
    ("a.jsonl", b'{"t": null}', {"field": "t"}, "not a string but NoneType"),
    ("a.jsonl", b'{"t": "\\u0000"}', {"field": "t"}, "line 1: the field 't' holds a NUL"),
    ("a.jsonl", b'{"t": "\\ud800"}', {"field": "t"}, "line 1: .* half a surrogate pair"),
    ("a.csv", b"id,text\n1,a\n", {"column": "txt"}, "no column 'txt'.*columns: id, text.*'text'"),
    ("a.csv", b"id;text\n1;a\n", {"column": "text"}, "columns are separated by commas"),
    ("a.csv", b"t,t\n1,a\n", {"column": "t"}, "line 1: has several columns 't'"),
    ("a.csv", b"\nt\n", {"column": "t"}, "line 1: is to name the columns, and is empty"),
    ("a.csv", b"t\n", {"column": "t"}, "has a header and no rows"),
    ("a.csv", b"i,t\n1,a\n2\n", {"column": "t"}, "line 3: has 1 columns, the header 2"),
    ("a.csv", b'i,t\n"1\n",a\n2,b,c\n', {"column": "t"}, "line 4: has 3 columns, the header 2"),
    ("a.csv", b'i,t\n1,a\n2,"b\n3,c\n', {"column": "t"}, "line 3: is no row of a table"),
    ("a.csv", b'i,t\n1,"a"b\n', {"column": "t"}, "line 2: is no row of a table"),
    ("a.csv", b"i,t\n1,\xe9\n", {"column": "t"}, "line 2: is not UTF-8"),
]


@pytest.mark.parametrize(("name", "content", "settings", "message"), CASES)
def test_refused_content(write, name, content, settings, message):
    path = write(name, content)
    with pytest.raises(DataError, match=message) as caught:
        list(read(path, **settings))
    assert path in str(caught.value)


def test_good_lines_come_before_the_bad_one(write):
    lines = read_lines(write("a.txt", BAD_UTF8))
    assert next(lines).text == "good"
    with pytest.raises(DataError):
        next(lines)


def test_missing_file(write, tmp_path):
    write("corpus.txt", "a")
    with pytest.raises(DataError, match="there is no file .*did you mean '.*corpus.txt'"):
        list(read_lines(tmp_path / "corpis.txt"))
    with pytest.raises(DataError, match="there is no file .*: there is no folder"):
        list(read_lines(tmp_path / "none" / "corpus.txt"))
    with pytest.raises(DataError, match="there is no file"):
        list(read(tmp_path / "other.jsonl", field="t"))
    with pytest.raises(DataError, match="cannot read .*Not a directory"):
        list(read_lines(tmp_path / "corpus.txt" / "a.txt"))
    with pytest.raises(DataError, match="cannot read .*null"):
        list(read_lines("a\0b"))
    with pytest.raises(DataError, match="cannot read .*File name too long"):
        list(read_lines("a" * 5000))


def test_folder(tmp_path):
    with pytest.raises(DataError, match="is a folder"):
        list(read_lines(tmp_path))


def test_unreadable_file(write, monkeypatch):
    path = write("a.txt", "a")

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    # The tests may run as root, who may read anything.
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataError, match="cannot read .*a.txt: Permission denied"):
        list(read_lines(path))


def test_file_that_fails_halfway(write, monkeypatch):
    class Failing(io.BytesIO):
        def read1(self, *_):
            raise OSError(5, "Input/output error")

    path = write("a.txt", "a")
    monkeypatch.setattr(Path, "open", lambda *_: Failing(b"a"))
    with pytest.raises(DataError, match="cannot read .*a.txt after line 0: .*Input/output error"):
        list(read_lines(path))


def test_setting_for_another_kind(write):
    with pytest.raises(ConfigError, match="--corpus.field t: no .jsonl or .json file was given"):
        list(read(write("a.txt", "a"), field="t"))
    with pytest.raises(ConfigError, match="--corpus.column t: no .csv or .tsv file was given"):
        list(read(write("a.jsonl", "{}"), field="t", column="t"))
    with pytest.raises(ConfigError, match="--header True: no .csv or .tsv or .smi file was given"):
        list(read_lines(write("a.txt", "a"), ReadingConfig(header=True), flags="--"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", '{"id": 1, "text": "a"}', r"--corpus.field NAME \(fields: id, text\)"),
        ("a.csv", "id,text\n", r"--corpus.column NAME \(columns: id, text\)"),
    ],
)
def test_missing_setting(write, name, content, message):
    with pytest.raises(ConfigError, match=message):
        list(read_lines(write(name, content)))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.parquet", "write a .csv file"),
        ("a.XLSX.gz", "a spreadsheet"),
        ("a.tar.gz", "an archive"),
        ("a.txt.bz2", "bzip2"),
    ],
)
def test_other_kinds(name, message):
    with pytest.raises(DataError, match=message):
        file_kind(name)


def test_gzip_that_is_none(tmp_path):
    path = tmp_path / "a.txt.gz"
    path.write_bytes(b"plain text\n")
    with pytest.raises(DataError, match="cannot read .*a.txt.gz after line 0: Not a gzipped"):
        list(read_lines(path))


def test_gzip_cut_short(tmp_path):
    noise = random.Random(0).choices("abcdefghij\n", k=100_000)
    packed = gzip.compress("".join(noise).encode())
    path = tmp_path / "a.txt.gz"
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(DataError, match=r"cannot read .* after line \d+: .*end-of-stream"):
        list(read_lines(path))
    path.write_bytes(packed[:500] + b"\0" * 100 + packed[600:])
    with pytest.raises(DataError, match="a.txt.gz"):
        list(read_lines(path))


def test_gzip_bomb(write):
    path = write("a.txt.gz", b"\n" * 200_000)
    assert Path(path).stat().st_size < 1_000
    assert sum(1 for _ in read_lines(path, max_bytes=200_000)) == 200_000
    with pytest.raises(DataError, match="holds more than 100000 bytes once unpacked"):
        for _ in read_lines(path, max_bytes=100_000):
            pass


def test_longest_line(write):
    path = write("a.txt", "abcde\nabcdef\n")
    assert texts(path, max_line=6) == ["abcde", "abcdef"]
    with pytest.raises(DataError, match="line 2: is longer than 5 characters"):
        texts(path, max_line=5)
    with pytest.raises(DataError, match="line 1: is longer than 5 characters"):
        texts(write("b.txt", "abcdef"), max_line=5)


def test_line_of_a_megabyte(write):
    long = "é漢 x" * 250_000
    assert texts(write("a.txt", f"a\n{long}\nb")) == ["a", long, "b"]
    assert texts(write("a.txt.gz", f"a\n{long}\nb")) == ["a", long, "b"]
    line = json.dumps({"t": long})
    assert texts(write("a.jsonl", line), field="t") == [long]
    limit = csv.field_size_limit()
    assert texts(write("a.csv", f"t\n{long}\n"), column="t") == [long]
    assert csv.field_size_limit() == limit


def test_endless_quote_stays_within_the_limit(write):
    path = write("a.csv", 't\n"' + "abc\n" * 1000)
    with pytest.raises(DataError, match="line 2: is no row of a table"):
        texts(path, column="t", max_line=100)


def test_lines_are_read_as_they_are_asked_for(write):
    path = write("a.txt", "some words in a line\n" * 200_000)
    tracemalloc.start()
    assert sum(len(text) for text, *_ in read_lines(path)) == 200_000 * 20
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 500_000


def test_reading_may_stop_early(write):
    for name in ("a.txt", "a.txt.gz"):
        lines = read_lines(write(name, "a\n" * 100_000))
        assert [text for text, *_ in itertools.islice(lines, 2)] == ["a", "a"]
        lines.close()


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("readers")


PIECES = st.sampled_from(
    [b"\n", b"\r", b"\0", b'"', b",", b"t", b'{"t": ', b"}", b"\xef\xbb\xbf", b"\xff\xfe", b"\\u"]
)
BYTES = st.binary() | st.lists(st.binary(max_size=3) | PIECES).map(b"".join)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("a.txt", {}),
        ("a.jsonl", {"field": "t"}),
        ("a.csv", {"column": "t"}),
        ("a.txt.gz", {}),
        ("packed.txt.gz", {}),
        ("packed.csv.gz", {"column": "t"}),
        ("a.tsv", {"column": "t"}),
        ("b.tsv", {"column_number": 1, "header": False}),
        ("a.json", {"field": "t"}),
        ("b.json", {}),
        ("a.smi", {}),
        ("a.fasta", {}),
    ],
)
@given(content=BYTES)
def test_bytes_raise_nothing_but_data_errors(scratch, name, settings, content):
    content = {"a.csv": b"t,u\n", "a.tsv": b"t\tu\n", "a.fasta": b">"}.get(name, b"") + content
    path = scratch / name
    path.write_bytes(gzip.compress(content) if name.startswith("packed") else content)
    try:
        found = list(read(path, **settings))
    except DataError as error:
        assert str(path) in str(error)
        return
    assert found
    for text, number, _ in found:
        text.encode("utf-8")
        assert "\0" not in text and number >= 1


@given(
    lines=st.lists(st.text(st.characters(exclude_characters="\n\r\0", codec="utf-8")), min_size=1)
)
def test_any_lines_come_back(scratch, lines):
    path = scratch / "lines.txt"
    path.write_bytes(("\ufeff" + "\n".join(lines) + "\n").encode())
    assert texts(path, strip=False) == list(map(read_line, lines))


@given(
    values=st.lists(st.text(st.characters(exclude_characters="\r\0", codec="utf-8")), min_size=1)
)
def test_any_values_come_back_from_json_and_csv(scratch, values):
    path = scratch / "values.jsonl"
    path.write_text("".join(json.dumps({"t": value}) + "\n" for value in values))
    assert texts(path, field="t", strip=False) == values
    path = scratch / "values.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["i", "t"])
        rows.writerows(enumerate(values))
    assert texts(path, column="t", strip=False) == values
    assert texts(path, column_number=2, header=True) == [value.strip() for value in values]


def test_plain_lines_name_no_flags_of_reading(write):
    assert plain_lines(write("a.txt", "a b\nc\n"), "--source") == ["a b", "c"]
    for name in ("a.csv", "a.tsv.gz", "a.json", "a.jsonl"):
        path = write(name, "x,y\na,b\n")
        with pytest.raises(DataError) as error:
            plain_lines(path, "--source")
        said = str(error.value)
        assert said.startswith(f"--source: {path} is read as ") and said.count("--") == 1


def test_default_limits():
    assert readers.MAX_LINE >= 10**6 and readers.MAX_BYTES >= 10**9
