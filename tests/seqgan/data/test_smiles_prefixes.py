"""Beginnings of SMILES: masks agree with all strings of tiny alphabets."""

from __future__ import annotations

import gzip
import importlib.util
import itertools
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from rollout import ConstrainedPolicy, generate
from seqgan.config import LSTM
from seqgan.data.open_systems import can_become_aromatic
from seqgan.data.spec import TokenSpec
from seqgan.data.text.tokenizers import make_tokenizer
from seqgan.data.text.vocabulary import Vocabulary
from seqgan.data.word_codec import WordCodec
from seqgan.errors import ConfigError
from seqgan.models import make_generator

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
    """Texts that both partialsmiles and rdkit read, but for spellings that rdkit does not write.

    It reads ``N1cc1N``, whose two aromatic atoms are in no aromatic ring.
    """
    chem = pytest.importorskip("rdkit.Chem", reason="the extra molecules is not installed")
    chem.rdBase.DisableLog("rdApp.*")
    rule = SmilesPrefixes(codec_of([*symbols], longest), look=6, effort=10_000)
    every = (
        "".join(text)
        for length in range(longest)
        for text in itertools.product(symbols, repeat=length)
    )
    expected = {x for x in every if x and parses(x) and chem.MolFromSmiles(x) is not None}
    found = allowed_texts(rule, longest)
    assert found <= expected and (found == expected or "[nH]" in symbols)
    assert not [x for x in expected - found if chem.MolToSmiles(chem.MolFromSmiles(x)) == x]


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
        (alone,) = SmilesPrefixes(codec)([prefix])
        assert mask.tolist() == alone.tolist(), text
        possible = [word != "" and parses(text + word, partial=True) for word in rule.words]
        possible[rule.eos] = parses(text)
        assert not (mask & ~np.array(possible)).any(), text
    for text in REAL:
        row = [*codec.encode(text), rule.eos]
        masks = rule([row[:n] for n in range(len(row))])
        assert masks[range(len(row)), row].all(), text
    assert len(rule._masks) < len({tuple(each) for each in beginnings})


def test_most_samples_of_a_policy_that_knows_nothing_are_molecules():
    """Every token of a model that was not trained is a chance to lose the way."""
    chem = pytest.importorskip("rdkit.Chem", reason="the extra molecules is not installed")
    chem.rdBase.DisableLog("rdApp.*")
    symbols = ["C", "c", "n", "N", "O", "o", "[nH]", "1", "2", "(", ")", "=", "Cl"]
    codec = codec_of(symbols, 14)
    rule = SmilesPrefixes(codec)
    generator = make_generator(LSTM(embedding=4, hidden=4, dropout=0.0), codec.spec, 0)
    policy = ConstrainedPolicy(generator.emitting(), rule)
    drawn = generate(policy, 50, rng=torch.Generator().manual_seed(0))
    broken = [text for text in codec.texts(drawn) if chem.MolFromSmiles(text) is None]
    assert len(broken) <= 5, broken


LOST = [
    "c1ccc(=O)cc1", "O=C(CCC1(O)c2cccc2[nH]", "N1cc1N", "c1ccccc1=",
    "Cn1cc2ccccc2s2", "C=Cl", "CCl(", "c1ccn(C)cc1", "c1cccnc1=O",
]  # fmt: skip
"""Beginnings that partialsmiles lets pass, or complete ones, and that no symbol can mend."""
OPEN = ["c1cccc", "c1ccc2", "c1cc(", "n1cc2", "c1c(=O)", "O=c1cc", "c1ccc(-", "c1ccccc1-"]


def test_aromatic_systems_that_can_still_be_mended_by_hand():
    smiparser = partialsmiles.smiparser

    def may_go_on(text):
        state = smiparser.ParseSmiles(text, partial=True)
        return can_become_aromatic(state, text[-1:], smiparser.valence.NeedsDblBond)

    assert [text for text in OPEN if not may_go_on(text)] == []
    refused = []
    for text in LOST:
        try:
            refused.append(not may_go_on(text))
        except partialsmiles.Error:  # by its own rules
            refused.append(True)
    assert all(refused), [text for text, no in zip(LOST, refused, strict=True) if not no]


def test_no_molecule_of_a_drug_like_collection_is_lost():
    spec = importlib.util.find_spec("moses")
    if spec is None:
        pytest.skip("the package molsets is not installed")
    place = Path(spec.origin).parent / "dataset" / "data" / "train.csv.gz"
    with gzip.open(place, "rt", encoding="utf-8") as file:
        texts = [line.split(",")[0].strip() for line in itertools.islice(file, 1, None, 9_000)][
            :150
        ]
    tokenizer, smiparser = make_tokenizer("smiles"), partialsmiles.smiparser
    for text in texts:
        for beginning in itertools.accumulate(tokenizer.tokenize(text)):
            state = smiparser.ParseSmiles(beginning, partial=True)
            needs = smiparser.valence.NeedsDblBond
            assert can_become_aromatic(state, beginning[-1:], needs), (text, beginning)
    assert len(texts) == 150


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
