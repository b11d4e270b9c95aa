"""Augmentations: what they change, by hand and by their shares."""

from __future__ import annotations

import pytest
import torch

from rollout import Sequences
from seqgan.config import CriticConfig
from seqgan.config.augmentations import AUGMENTATIONS
from seqgan.data.augmentation import augmentation, mask, reversal, swap, token_dropout, window_crop
from seqgan.data.codec import IdCodec, WordCodec
from seqgan.data.spec import TokenSpec
from seqgan.data.text.tokenizers import make_tokenizer
from seqgan.data.text.vocabulary import Vocabulary
from seqgan.errors import ConfigError, MissingExtraError

SPEC = TokenSpec(10, 1, 2, 0, 12, (0, 1))
CODEC = WordCodec(Vocabulary.from_list("abcdef"), make_tokenizer("spaces"), SPEC)
ROWS = [[4, 5, 6, 7, 8, 9, 2], [5, 2], [4, 6, 8, 2]]
BATCH = Sequences.from_lists(ROWS, pad_id=0, terminated=True)
MANY = Sequences.from_lists([ROWS[0]] * 4_000, pad_id=0, terminated=True)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", [name for name in AUGMENTATIONS if name != "random_smiles"])
def test_a_share_of_nothing_changes_nothing(name):
    same = augmentation([name], 0.0, CODEC)(BATCH, seeded())
    assert same.to_lists() == ROWS and bool(same.terminated.all())
    again = [augmentation([name], 0.5, CODEC)(BATCH, seeded()).to_lists() for _ in range(2)]
    assert again[0] == again[1]


def test_dropped_tokens():
    found = token_dropout(MANY, 0.3, seeded(), CODEC)
    rows = found.to_lists()
    assert all(row[-1] == 2 and row == sorted(row[:-1]) + [2] for row in rows)  # in order, EOS kept
    assert sum(len(row) - 1 for row in rows) / 4_000 == pytest.approx(6 * 0.7, abs=0.06)
    assert token_dropout(BATCH, 1.0, seeded(), CODEC).to_lists() == [[2], [2], [2]]


def test_swapped_neighbours():
    assert swap(BATCH, 1.0, seeded(1), CODEC).to_lists()[1] == [5, 2]
    rows = swap(MANY, 1.0, seeded(), CODEC).to_lists()
    assert {tuple(row) for row in rows} == {(5, 4, 7, 6, 9, 8, 2), (4, 6, 5, 8, 7, 9, 2)}
    some = swap(MANY, 0.2, seeded(), CODEC).to_lists()
    moved = sum(a != b for row in some for a, b in zip(row, ROWS[0], strict=True)) / 2
    assert moved / 4_000 == pytest.approx(0.2 * 2.5, abs=0.05)  # 3 or 2 pairs


def test_windows():
    found = window_crop(MANY, 0.5, seeded(), CODEC)
    rows = found.to_lists()
    for row, ended in zip(rows, found.terminated.tolist(), strict=True):
        start = ROWS[0].index(row[0])
        assert row == ROWS[0][start : start + len(row)] and ended == (row[-1] == 2)
    assert {len(row) for row in rows} == {4, 5, 6, 7}
    assert {row[0] for row in rows} == {4, 5, 6, 7}
    assert all(len(row) >= 1 for row in window_crop(BATCH, 1.0, seeded(), CODEC).to_lists())


def test_masked_tokens():
    rows = mask(MANY, 0.25, seeded(), CODEC).to_lists()
    hidden = sum(row[:-1].count(3) for row in rows) / (6 * 4_000)
    assert hidden == pytest.approx(0.25, abs=0.02) and all(row[-1] == 2 for row in rows)
    with pytest.raises(ConfigError, match="--critic.augment mask: .* token_dropout needs none"):
        augmentation(["mask"], 0.1, IdCodec(SPEC))


def test_turned_sequences():
    assert reversal(BATCH, 1.0, seeded(), CODEC).to_lists() == [
        [9, 8, 7, 6, 5, 4, 2], [5, 2], [8, 6, 4, 2],
    ]  # fmt: skip
    cut = Sequences(BATCH.tokens, BATCH.lengths)  # the limit ended them: no EOS
    assert reversal(cut, 1.0, seeded(), CODEC).to_lists()[2] == [2, 8, 6, 4]
    turned = [row != ROWS[0] for row in reversal(MANY, 0.3, seeded(), CODEC).to_lists()]
    assert sum(turned) / 4_000 == pytest.approx(0.3, abs=0.03)


def own(sequences, share, rng, codec):
    """An augmentation of a user's."""
    return sequences.select(torch.tensor([0, 0, 0]))


def wrong(sequences, share, rng, codec):
    return sequences.select(slice(0, 1))


def test_functions_of_the_users():
    here = __name__
    assert augmentation([f"{here}:own"], 0.1, CODEC)(BATCH, seeded()).to_lists() == [ROWS[0]] * 3
    with pytest.raises(ConfigError, match="wrong: returned 1, not 3 sequences"):
        augmentation([f"{here}:wrong"], 0.1, CODEC)(BATCH, seeded())
    with pytest.raises(ConfigError, match="'swop' is none of .* mean 'swap'"):
        CriticConfig(augment=["swop"])
    assert augmentation([], 0.1, CODEC) is None


def test_conditions_stay_with_their_sequences():
    asked = Sequences(BATCH.tokens, BATCH.lengths, BATCH.terminated, {"label": torch.arange(3)})
    changed = augmentation(["token_dropout", "swap", "window_crop", "reversal"], 0.5, CODEC)
    assert changed(asked, seeded()).condition["label"].tolist() == [0, 1, 2]


def test_molecules_are_written_from_another_atom_on():
    pytest.importorskip("rdkit", reason="needs the extra molecules")
    from rdkit import Chem

    texts = ["CCO", "c1ccccc1O", "CC(=O)N"]
    characters = make_tokenizer("characters")
    vocabulary = Vocabulary.from_list(sorted(set("".join(texts))))
    spec = TokenSpec(len(vocabulary), 1, 2, 0, 20, (0, 1))
    codec = WordCodec(vocabulary, characters, spec)
    rows = [[*codec.encode(text), 2] for text in texts * 20]
    batch = Sequences.from_lists(rows, pad_id=0, terminated=True)
    found = codec.texts(augmentation(["random_smiles"], 1.0, codec)(batch, seeded()))
    canonical = [Chem.MolToSmiles(Chem.MolFromSmiles(text)) for text in found]
    assert canonical == [Chem.MolToSmiles(Chem.MolFromSmiles(text)) for text in texts * 20]
    assert len(set(found)) > 6


def test_without_rdkit_the_extra_is_named(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "rdkit", None)
    with pytest.raises(MissingExtraError, match="random_smiles needs the package 'rdkit'"):
        augmentation(["random_smiles"], 0.5, CODEC)
