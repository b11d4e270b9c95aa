"""Beginnings of SMILES: masks agree with all strings of tiny alphabets."""

from __future__ import annotations

import itertools
import random

import pytest

from seqgan.data.spec import TokenSpec
from seqgan.data.text.tokenizers import make_tokenizer
from seqgan.data.text.vocabulary import Vocabulary
from seqgan.data.word_codec import WordCodec
from seqgan.errors import ConfigError

partialsmiles = pytest.importorskip("partialsmiles", reason="the extra molecules is not installed")

from seqgan.data.smiles_prefixes import SmilesPrefixes  # noqa: E402

REAL = [
    "CC(=O)Oc1ccccc1C(=O)O", "Cn1cnc2c1c(=O)n(C)c(=O)n2C", "O=C(Nc1ccc(F)cc1)c1cc[nH]c1",
    "CC1CCN(C(=O)c2ccc3[nH]ccc3c2)C1", "N#Cc1ccc(-c2csc(N)n2)cc1", "CS(=O)(=O)c1ccc(Cl)cc1Br",
    "C[C@@H](N)C(=O)[O-]", "O=[N+]([O-])c1ccccc1", "c1ccc2ccccc2c1", "C1CC2CC1CC2", "F/C=C/F",
]  # fmt: skip


def codec_of(symbols, longest, name="smiles") -> WordCodec:
    vocabulary = Vocabulary(["<pad>", "<bos>", "<eos>", "<unk>", *symbols])
    spec = TokenSpec(
        len(vocabulary), vocabulary.bos_id, vocabulary.eos_id, vocabulary.pad_id, longest, (0, 1)
    )
    return WordCodec(vocabulary, make_tokenizer(name), spec)


def parses(text, partial=False) -> bool:
    try:
        partialsmiles.ParseSmiles(text, partial=partial)
    except partialsmiles.Error:
        return False
    return True


def allowed_texts(rule, longest) -> set[str]:
    """All texts that end under the masks, with fewer than `longest` symbols."""
    found, ends = [()], set()
    for _ in range(longest):
        masks = rule([list(prefix) for prefix in found])
        ends |= {prefix for prefix, mask in zip(found, masks, strict=True) if mask[rule.eos]}
        found = [
            (*prefix, token)
            for prefix, mask in zip(found, masks, strict=True)
            for token in mask.nonzero()[0].tolist()
            if token != rule.eos
        ]
    assert not found  # no sequence is cut off by the limit
    return {"".join(rule.words[token] for token in prefix) for prefix in ends}


@pytest.mark.parametrize(
    ("symbols", "longest"),
    [("C=(O)", 7), ("C1=N(", 6), ("CO1()", 7), ("co1", 8), (["N", "[nH]", "c", "1"], 7)],
)
def test_ends_are_all_valid_texts_of_a_tiny_alphabet(symbols, longest):
    rule = SmilesPrefixes(codec_of([*symbols], longest), look=6, effort=10_000)
    every = (
        "".join(text)
        for length in range(longest)
        for text in itertools.product(symbols, repeat=length)
    )
    assert allowed_texts(rule, longest) == {text for text in every if text and parses(text)}


def test_what_ends_is_a_molecule_and_no_molecule_is_lost():
    chem = pytest.importorskip("rdkit.Chem", reason="the extra molecules is not installed")
    rdkit = pytest.importorskip("rdkit")
    rdkit.RDLogger.DisableLog("rdApp.*")
    symbols, longest = "CN=O1(", 6
    rule = SmilesPrefixes(codec_of([*symbols, ")"], longest), look=6, effort=10_000)
    texts = allowed_texts(rule, longest)
    read = {text: chem.MolFromSmiles(text) for text in texts}
    assert len(texts) > 100 and all(each is not None for each in read.values())
    found = {chem.MolToSmiles(each) for each in read.values()}
    every = ("".join(x) for n in range(1, longest) for x in itertools.product(symbols, repeat=n))
    possible = {chem.MolToSmiles(m) for text in every if (m := chem.MolFromSmiles(text))}
    assert {text for text in possible if parses(text) and {*text} <= {*symbols, ")"}} <= found


def test_shared_answers_are_those_of_each_beginning():
    tokenizer = make_tokenizer("smiles")
    symbols = sorted({symbol for text in REAL for symbol in tokenizer.tokenize(text)})
    rule = SmilesPrefixes(codec_of(symbols, 80))
    codec = codec_of(symbols, 80)
    beginnings = [codec.encode(text)[:n] for text in REAL for n in range(len(text))]
    rule(beginnings)  # from here on most answers are shared
    for prefix in random.Random(0).sample(beginnings, 40):
        (mask,) = rule([prefix])
        text = "".join(rule.words[token] for token in prefix)
        expected = [word != "" and parses(text + word, partial=True) for word in rule.words]
        expected[rule.eos] = parses(text)
        assert mask.tolist() == expected, text
    for text in REAL:
        row = [*codec.encode(text), rule.eos]
        masks = rule([row[:n] for n in range(len(row))])
        assert masks[range(len(row)), row].all(), text
    assert len(rule._masks) < len({tuple(each) for each in beginnings})


def test_characters_are_read_as_well():
    symbols = sorted({character for text in REAL for character in text})
    codec = codec_of(symbols, 80, "characters")
    rule = SmilesPrefixes(codec)
    for text in REAL[:7]:
        row = [*codec.encode(text), rule.eos]
        masks = rule([row[:n] for n in range(len(row))])
        assert masks[range(len(row)), row].all(), text


def test_where_nothing_can_follow_eos_may():
    rule = SmilesPrefixes(codec_of("C=", 9))
    assert rule([rule_prefix(rule, "C=")])[0].nonzero()[0].tolist() == [rule.words.index("C")]
    lost = SmilesPrefixes(codec_of("F=", 9))
    assert lost([rule_prefix(lost, "F=")])[0].nonzero()[0].tolist() == [lost.eos]


def rule_prefix(rule, text):
    return [rule.words.index(character) for character in text]


def test_other_tokens_are_refused():
    with pytest.raises(ConfigError, match="not spaces"):
        SmilesPrefixes(codec_of("C", 9, "spaces"))
    codec = codec_of("C", 9)
    codec.cut = "selfies"
    with pytest.raises(ConfigError, match="any sequence of its symbols is a molecule"):
        SmilesPrefixes(codec)
    codec = codec_of("C", 9)
    codec.spec = codec.spec._replace(eos_id=None)
    with pytest.raises(ConfigError, match="have to end in EOS"):
        SmilesPrefixes(codec)
