"""Tokenizers of molecules; those of SMILES need no package."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqgan.config import FileCorpus
from seqgan.data.sources import load_data
from seqgan.data.text import molecules
from seqgan.data.text.tokenizers import make_tokenizer
from seqgan.errors import DataError, MissingExtraError

SMILES = make_tokenizer("smiles")
MOLECULES = ["CC(=O)Oc1ccccc1C(=O)O", "N[C@@H](C)C(=O)O", "ClCCBr", "C%12CC%12", "F/C=C/F"]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("ClCCBr", ["Cl", "C", "C", "Br"]),
        ("N[C@@H](C)[O-]", ["N", "[C@@H]", "(", "C", ")", "[O-]"]),
        ("C%12CC%12", ["C", "%12", "C", "C", "%12"]),
        ("c1cc[nH]c1", ["c", "1", "c", "c", "[nH]", "c", "1"]),
        ("[C", ["[", "C"]),  # cut off
        ("C<unk>Cl", ["C", "<unk>", "Cl"]),
        ("", []),
    ],
)
def test_smiles_are_cut_at_atoms_and_bonds(text, tokens):
    assert SMILES.name == "smiles" and SMILES.tokenize(text) == tokens
    assert SMILES.detokenize(tokens) == text


@given(text=st.text(alphabet="CNOclBr[]()=#@+-%123Hn", max_size=30))
def test_nothing_of_a_text_is_lost(text):
    tokens = SMILES.tokenize(text)
    assert "".join(tokens) == text and all(tokens)


@pytest.mark.parametrize("name", ["smiles", "selfies"])
def test_white_space_is_refused(name):
    if name == "selfies":
        pytest.importorskip("selfies", reason="the extra molecules is not installed")
    with pytest.raises(DataError, match="holds white space.*--corpus.format smi"):
        make_tokenizer(name).tokenize("CCO ethanol")


def test_selfies_stand_for_smiles():
    pytest.importorskip("selfies", reason="the extra molecules is not installed")
    tokenizer = make_tokenizer("selfies")
    assert tokenizer.tokenize("CC=O") == ["[C]", "[C]", "[=O]"]
    assert tokenizer.detokenize(["[C]", "[C]", "[=O]"]) == "CC=O"
    assert tokenizer.detokenize(["[C]", "[=O]", "[=O]", "[C]"]) == "C=O"  # oxygen has two bonds
    for text in MOLECULES:
        tokens = tokenizer.tokenize(text)
        assert tokenizer.tokenize(tokenizer.detokenize(tokens)) == tokens
    unknown = ["[C]", "<unk>", "[=O]"]
    assert tokenizer.tokenize(tokenizer.detokenize(unknown)) == unknown
    with pytest.raises(DataError, match="'C\\(' has no SELFIES"):
        tokenizer.tokenize("C(")


def test_selfies_say_what_is_missing(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "selfies", None)
    with pytest.raises(MissingExtraError, match=r"needs the package 'selfies'.*\[molecules\]"):
        molecules.Selfies()


@pytest.mark.parametrize("suffix", ["smi", "csv"])
def test_files_of_molecules(tmp_path, suffix):
    lines = [f"{text}{'C' * n}" for n in range(12) for text in MOLECULES[:3]]
    path = tmp_path / f"a.{suffix}"
    head, rows = "SMILES,SPLIT\n", [f"{line},train\n" for line in lines]
    if suffix == "smi":
        head, rows = "# a comment\n", [f"{line} number-{i}\n" for i, line in enumerate(lines)]
    path.write_text(head + "".join(rows))
    column = {"column": "SMILES"} if suffix == "csv" else {}
    corpus = FileCorpus(tokenizer="smiles", min_count=1, **column)
    data = load_data(path, corpus, seed=0)
    assert data.codec.cut == "smiles"
    assert {"Cl", "Br", "[C@@H]"} <= {*data.codec.vocabulary.tokens}
    assert {*data.codec.texts(data.train)} <= {*lines}
