"""Files that are not one text per line: tables, JSON, SMILES files, FASTA."""

from __future__ import annotations

import gzip
import json

import pytest

from seqgan.config import ReadingConfig
from seqgan.data.text.columns import is_header
from seqgan.data.text.parsers import MAX_DOCUMENT
from seqgan.data.text.readers import Notes, Record, file_kind, read_lines
from seqgan.errors import ConfigError, DataError


@pytest.fixture
def read(tmp_path):
    """The records of a file of that name and content, and what else was met in it."""

    def read(name, content, **settings):
        path = tmp_path / name
        data = content.encode() if isinstance(content, str) else content
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        notes = Notes()
        return list(read_lines(path, ReadingConfig(**settings), notes=notes)), notes

    return read


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.tsv", "tsv"), ("a.TAB", "tsv"), ("a.smi.gz", "smi"), ("a.smiles", "smi"),
        ("a.fa", "fasta"), ("a.faa.gz", "fasta"), ("a.json", "json"), ("a.b", "lines"),
    ],
)  # fmt: skip
def test_the_name_says_the_format_unless_it_is_declared(name, kind):
    assert file_kind(name) == kind
    assert file_kind(name, "csv") == "csv"


def test_white_space_around_a_field_is_left_out_and_counted(read):
    content = 'smiles,logP\n"CCO\n",0.3\n" CN",0.1\nCCl,0.2\n'
    records, notes = read("a.csv", content, column="smiles")
    assert records == [Record("CCO", 2), Record("CN", 4), Record("CCl", 5)]
    assert notes.stripped == 2 and notes.header == "smiles, logP"
    kept, notes = read("a.csv", content, column="smiles", strip=False)
    assert [record.text for record in kept] == ["CCO\n", " CN", "CCl"] and notes.stripped == 0


NO_HEADER = '"3","title 0","first text"\n"2","title 1","next text"\n'


def test_a_table_without_a_header(read):
    records, notes = read("a.csv", NO_HEADER, column_number=3)
    assert records == [Record("first text", 1), Record("next text", 2)]
    assert notes.header == "none"
    declared, notes = read("a.csv", NO_HEADER, column_number=3, header=True)
    assert declared == [Record("next text", 2)] and notes.header == "3, title 0, first text"
    plain, _ = read("a.tsv", "good\tsome text\nbad\tother text\n", column_number=2, header=False)
    assert [record.text for record in plain] == ["some text", "other text"]


@pytest.mark.parametrize(
    ("name", "content", "settings", "message"),
    [
        ("a.csv", NO_HEADER, {"column": "3"}, "is this the name of a column, or its place.*header "
         "true if the first row .* or --corpus.column_number 3 for the place"),
        ("a.csv", "0,1\na,b\n", {"column": "0"}, "true if .* or --corpus.column_number N takes a"),
        ("a.csv", "id;text\n1;a\n", {}, "header false; columns are separated by commas"),
        ("a.csv", NO_HEADER, {"column": "title", "header": False}, "--corpus.column title: a table "
         "without a header has no names; --corpus.column_number N"),
        ("a.csv", NO_HEADER, {}, "name the column that holds the text: --corpus.column_number N "
         ".the first row: 1 '3', 2 'title 0', 3 'first text'"),
        ("a.csv", "id,text\n1,a\n", {}, "--corpus.column NAME .columns: id, text. or "
         "--corpus.column_number N"),
        ("a.csv", "CCO,x\nCCN,y\n", {"column_number": 1}, "does this row name the columns, or is "
         "it data .CCO, x.. Give --corpus.header true or --corpus.header false"),
        ("a.csv", "text\na\n", {"column_number": 2}, "has 1 column, --corpus.column_number is 2"),
        ("a.csv", "text\na\n", {"column_number": 0}, "--corpus.column_number: 0 is below 1"),
        ("a.csv", "text\na\n", {"column_number": 1, "column": "text"}, "give one of them"),
        ("a.tsv", "id\ttext\n1\ta\tb\n", {"column": "text"}, "line 2: has 3 columns, the header 2; "
         "a text that holds a tab"),
        ("a.tsv", "id,text\n1,a\n", {"column": "text"}, "columns are separated by tabs"),
        ("a.txt", "a\n", {"column_number": 1}, "--corpus.column_number 1: no .csv or .tsv file"),
        ("a.txt", "a\n", {"format": "table"}, "--corpus.format: 'table' is none of auto, lines"),
    ],
)  # fmt: skip
def test_what_a_table_leaves_open_is_asked_for(read, name, content, settings, message):
    with pytest.raises((ConfigError, DataError), match=message):
        read(name, content, **settings)


@pytest.mark.parametrize(
    ("first", "others", "header"),
    [
        (["3", "some text"], [], False),
        (["1.5e-3", "text"], [], False),
        (["smiles", "logP"], [["CCO", "0.3"], ["CN", "-1"]], True),
        (["good", "a film"], [["bad", "a book"], ["good", "a play"]], False),
        (["anything", "Text"], [["a", "b"]], True),
        (["CCO", "x"], [["CCN", "y"]], None),
    ],
)
def test_a_header_is_recognised(first, others, header):
    assert is_header(first, others) is header


def test_the_only_column_needs_no_name(read):
    records, notes = read("a.csv", "smiles\nCCO\nCN\n")
    assert [record.text for record in records] == ["CCO", "CN"] and notes.header == "smiles"


def test_quotes_in_a_table_with_tabs(read):
    content = 'id\ttext\n1\t"Hi" he said\n2\t"a ""b"" c"\n3\t"a"b"\n4\t"\n'
    records, _ = read("a.tsv", content, column="text")
    assert [record.text for record in records] == ['"Hi" he said', 'a "b" c', '"a"b"', '"']


def test_a_smiles_file(read):
    content = "# compounds\nSMILES\tID\nCCO\tC1\n\nC[N+](C)C C2 more\n# end\nCl\n"
    records, notes = read("a.smi", content)
    assert records == [Record("CCO", 3), Record("", 4), Record("C[N+](C)C", 5), Record("Cl", 7)]
    assert (notes.comments, notes.header) == (2, "SMILES, ID")
    records, notes = read("a.smi", "CCO C1\nCN C2\n")
    assert [record.text for record in records] == ["CCO", "CN"] and notes.header == "none"
    assert [record.text for record in read("a.smi", "CCO\nCN\n", header=True)[0]] == ["CN"]
    assert [record.text for record in read("a.smi", "SMILES\nCN\n", header=False)[0]] == [
        "SMILES", "CN",
    ]  # fmt: skip
    with pytest.raises(DataError, match="a.smi holds no sequence"):
        read("a.smi", "# nothing\n")


def test_fasta(read):
    content = "; a comment\n>one\nMKV\nLA A\n\n>two\n>three\nGG*\n"
    records, notes = read("a.fasta", content)
    assert records == [Record("MKVLAA", 2), Record("", 6), Record("GG*", 7)]
    assert notes.comments == 1
    with pytest.raises(DataError, match="a.fa, line 1: comes before the first line that begins"):
        read("a.fa", "MKV\n>one\n")


def test_lists_in_json(read):
    documents = [[60, -2, 7], "some text", ["C", "[nH]"], []]
    texts = ["60 -2 7", "some text", "C [nH]", ""]
    records, notes = read("a.json", json.dumps(documents))
    assert records == [Record(text, place) for place, text in enumerate(texts, start=1)]
    assert notes.listed
    lines, notes = read("a.jsonl", "\n".join(map(json.dumps, documents)))
    assert lines == records and notes.listed
    inside, _ = read("b.json", json.dumps([{"ids": [1, 2]}, {"ids": "3 4"}]), field="ids")
    assert [record.text for record in inside] == ["1 2", "3 4"]
    packed, notes = read("b.json.gz", json.dumps(["a b"]))
    assert packed == [Record("a b", 1)] and not notes.listed


@pytest.mark.parametrize(
    ("name", "content", "settings", "message"),
    [
        ("a.json", "[1, 2, 3]", {}, "one list of numbers, which is one sequence; write a list of"),
        ("a.json", '{"text": ["a"]}', {}, "holds an object, not a list of sequences"),
        ("a.json", '{"a": 1}\n{"a": 2}', {}, "Extra data.*: --corpus.format jsonl"),
        ("a.json", "[[1, 2.5]]", {}, "item 1: a list of tokens holds 2.5; tokens are strings or"),
        ("a.json", "[[true]]", {}, "item 1: a list of tokens holds True"),
        ("a.json", '[["New York"]]', {}, "item 1: the token 'New York' is empty or holds white"),
        ("a.json", '["a", [[1]]]', {}, "item 2: a list of tokens holds a list"),
        ("a.json", '[{"text": "a"}]', {}, "item 1: name the field that holds the text: --corp"),
        ("a.json", "[", {}, "is not a JSON document"),
        ("a.json", b"\xff", {}, "is not UTF-8"),
        ("a.json", "", {}, "is empty"),
        ("a.json", "[]", {}, "is empty"),
        ("a.jsonl", "[null]", {}, "line 1: a list of tokens holds None"),
    ],
)  # fmt: skip
def test_json_that_is_no_list_of_sequences(read, name, content, settings, message):
    with pytest.raises((ConfigError, DataError), match=message):
        read(name, content, **settings)


def test_a_json_document_that_is_too_large(tmp_path, monkeypatch):
    assert MAX_DOCUMENT >= 2**20
    monkeypatch.setattr("seqgan.data.text.parsers.MAX_DOCUMENT", 2**20)
    path = tmp_path / "a.json"
    path.write_text(json.dumps(["a" * 2**20]))
    with pytest.raises(DataError, match="more than 1 MiB.*write one JSON value per line"):
        list(read_lines(path))
