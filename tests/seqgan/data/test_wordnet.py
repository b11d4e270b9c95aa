import zipfile

import pytest

from seqgan.data import wordnet
from seqgan.data.text.words import Words
from seqgan.data.wordnet import wordnet_definitions, wordnet_glosses, wordnet_lines
from seqgan.errors import DataError

LICENCE = "  1 This is a | licence\n"
FILES = {
    "data.adj": '00000001 00 a 01 able 0 000 | having the means; "Able to swim"; "she was able"\n',
    "data.adv": "00000001 00 r 01 ably 0 000 | with skill (rare)  \n",
    "data.noun": '00000001 00 n 01 swim 0 000 | the act of swimming: "the swim"\n',
    "data.verb": "00000001 00 v 01 swim 0 000 | Having the means\n",
}


@pytest.fixture
def folder(tmp_path):
    for name, content in FILES.items():
        (tmp_path / name).write_text(LICENCE + content)
    return tmp_path


def test_glosses(folder):
    assert list(wordnet_glosses(folder)) == [
        *("having the means", "Able to swim", "she was able", "with skill (rare)"),
        *("the act of swimming:", "the swim", "Having the means"),
    ]


def test_glosses_of_a_zip_file(folder, tmp_path):
    path = tmp_path / "wordnet.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in FILES:
            archive.write(folder / name, f"wordnet/{name}")
    assert list(wordnet_glosses(path)) == list(wordnet_glosses(folder))


def test_lines_are_common_and_of_some_length(folder):
    everything = wordnet_lines(folder, most_frequent=100, shortest=1, longest=9)
    assert everything == [
        *("having the means", "able to swim", "she was able", "with skill (rare)"),
        *("the act of swimming:", "the swim"),
    ]
    assert wordnet_lines(folder, most_frequent=100, shortest=3, longest=3) == everything[:3]
    # The three most frequent words are "the", "able" and "swim".
    assert wordnet_lines(folder, most_frequent=3, shortest=1, longest=9) == ["the swim"]


def test_missing_files(folder, tmp_path, monkeypatch):
    (folder / "data.noun").unlink()
    with pytest.raises(DataError, match="does not hold WordNet's data.noun"):
        list(wordnet_glosses(folder))
    (tmp_path / "bad.zip").write_text("no zip")
    with pytest.raises(DataError, match="does not hold WordNet's data.adj"):
        list(wordnet_glosses(tmp_path / "bad.zip"))
    monkeypatch.setattr(wordnet, "_places", lambda: [tmp_path / "none", tmp_path / "none.zip"])
    with pytest.raises(DataError, match="apt-get install wordnet-base"):
        list(wordnet_glosses())


def test_wordnet_itself():
    try:
        lines = wordnet_lines()
    except DataError as error:
        pytest.skip(f"WordNet is not installed: {error}")
    lengths = [len(Words().tokenize(line)) for line in lines[:1000]]
    assert min(lengths) >= 5 and max(lengths) <= 32
    assert len(lines) == len(set(lines))
    assert 25_000 < len(lines) < 35_000
    assert "we were at last able to buy a car" in lines


def test_definitions_have_their_part_of_speech(folder):
    found = wordnet_definitions(folder, shortest=1)
    assert found == [("the act of swimming:", "noun"), ("having the means", "verb")]
    with open(folder / "data.noun", "a") as file:
        file.write("00000002 00 n 01 means 0 000 | having the means\n")
    assert wordnet_definitions(folder, shortest=1) == [("the act of swimming:", "noun")]
