"""Terms of molecules, and the filter by scaffolds."""

from __future__ import annotations

import re

import pytest
import torch

from rollout import RewardError, Sequences
from seqgan.config import RewardConfig
from seqgan.config.algorithms import DiversityConfig
from seqgan.config.rewards import reward_terms
from seqgan.data.codec import WordCodec
from seqgan.data.spec import TokenSpec
from seqgan.data.text.tokenizers import make_tokenizer
from seqgan.data.text.vocabulary import Vocabulary
from seqgan.errors import ConfigError, MissingExtraError
from seqgan.metrics.molecules import PROPERTIES
from seqgan.rewards.build import build_reward, check_rewards
from seqgan.rewards.ingredients import Ingredients
from seqgan.training.replay import DiversityFilter

ASPIRIN, BENZENE, BROKEN = "CC(=O)Oc1ccccc1C(=O)O", "c1ccccc1", "C(("


def codec_of(*texts: str) -> WordCodec:
    tokenizer = make_tokenizer("smiles")
    symbols = sorted({symbol for text in texts for symbol in tokenizer.tokenize(text)})
    vocabulary = Vocabulary(["<pad>", "<bos>", "<eos>", "<unk>", *symbols])
    spec = TokenSpec(
        len(vocabulary), vocabulary.bos_id, vocabulary.eos_id, vocabulary.pad_id, 40, (0, 1)
    )
    return WordCodec(vocabulary, tokenizer, spec)


def batch_of(codec: WordCodec, *texts: str) -> Sequences:
    rows = [codec.encode(text) + [codec.spec.eos_id] for text in texts]
    return Sequences.from_lists(rows, codec.spec.pad_id, terminated=True)


def judged(term, *texts: str) -> list[float]:
    codec = codec_of(*texts)
    batch = batch_of(codec, *texts)
    reward = build_reward(reward_terms([term]), Ingredients(batch, codec, 0))
    return reward(batch).tolist()


def test_settings_that_lack_something():
    for term, message in (
        ("similarity", "give targets"),
        ("substructure", "give smarts"),
        ({"name": "qed", "targets": ["C"]}, "qed has no such setting"),
    ):
        with pytest.raises(ConfigError, match=message):
            reward_terms([term])


def test_without_rdkit_it_is_said_before_the_run(monkeypatch):
    monkeypatch.setattr("seqgan.metrics.molecules.importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"--rewards qed needs the package 'rdkit'"):
        check_rewards(reward_terms(["qed"]), RewardConfig())


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ("validity", [1.0, 1.0, 0.0]),
        ("qed", [0.550122, 0.442628, 0.0]),
        ({"name": "qed", "invalid": -1.0}, [0.550122, 0.442628, -1.0]),
        ("logp", [1.3101, 1.6866, 0.0]),
        ("sa", [1.5800, 1.0000, 10.0]),
        ({"name": "similarity", "targets": [BENZENE, "Oc1ccccc1"]}, [None, 1.0, 0.0]),
        ({"name": "substructure", "smarts": "C(=O)[OH]"}, [1.0, 0.0, 0.0]),
        # A text that is no molecule gets what pays least, whatever the shape and the weight.
        ({"name": "logp", "shape": "step", "low": -1, "high": 3}, [1.0, 1.0, 0.0]),
        ({"name": "logp", "shape": "sigmoid", "low": -2, "high": 6}, [None, None, 0.0]),
        ({"name": "logp", "shape": "clip", "low": -3, "high": 1.5}, [1.3101, 1.5, -3.0]),
        ({"name": "sa", "weight": -1, "shape": "clip", "low": 1, "high": 5}, [-1.58, -1.0, -5.0]),
        ({"name": "sa", "weight": -1, "shape": "sigmoid", "low": 1, "high": 5}, [None, -0.05, -1]),
        ({"name": "sa", "shape": "sigmoid", "low": 5, "high": 1}, [None, 0.95, 0.0]),
        ({"name": "logp", "invalid": -10, "shape": "clip", "low": -3, "high": 2}, [None, None, -3]),
    ],
)
def test_values(term, expected):
    pytest.importorskip("rdkit", reason="the extra molecules is not installed")
    found = judged(term, ASPIRIN, BENZENE, BROKEN)
    for value, right in zip(found, expected, strict=True):
        assert right is None or value == pytest.approx(right, abs=1e-3)


def test_what_is_no_molecule_is_named():
    pytest.importorskip("rdkit", reason="the extra molecules is not installed")
    with pytest.raises(ConfigError, match=r"targets: 'C\(' is no molecule"):
        judged({"name": "similarity", "targets": ["CC", "C("]}, "CC")
    with pytest.raises(ConfigError, match=r"smarts: '\[' is no SMARTS pattern"):
        judged({"name": "substructure", "smarts": "["}, "CC")


def test_data_that_are_no_molecules_are_refused():
    pytest.importorskip("rdkit", reason="the extra molecules is not installed")
    spaces = make_tokenizer("spaces")
    vocabulary = Vocabulary.from_list(["C", "O"])
    spec = TokenSpec(6, vocabulary.bos_id, vocabulary.eos_id, vocabulary.pad_id, 9, (0, 1))
    codec = WordCodec(vocabulary, spaces, spec)
    with pytest.raises(ConfigError, match="none of the first 2 .* such as C C O, cut by spaces; "):
        build_reward(reward_terms(["qed"]), Ingredients(batch_of(codec, "C C O", "C O"), codec, 0))


def test_a_molecule_that_rdkit_fails_at_is_named_or_skipped(monkeypatch):
    pytest.importorskip("rdkit", reason="the extra molecules is not installed")
    codec = codec_of(ASPIRIN, BENZENE)
    batch = batch_of(codec, ASPIRIN, BENZENE)
    said: list[str] = []

    def made(**more):
        given = Ingredients(batch, codec, 0, say=said.append, **more)
        return build_reward(reward_terms(["qed"]), given)

    for wrong, words in (
        (lambda found: 1 / (found.GetNumAtoms() - 6), "qed raised ZeroDivisionError: .*"),
        (lambda found: float("nan") if found.GetNumAtoms() == 6 else 0.5, "qed is nan"),
    ):
        monkeypatch.setitem(PROPERTIES, "qed", wrong)
        with pytest.raises(RewardError, match=f"{words} for 'c1ccccc1'$"):
            made()(batch)
        found = made(skip=True)(batch).tolist()
        assert found[0] > 0 and found[1] == 0
        assert re.search(f"{words} for 'c1ccccc1'; it counts as no molecule, 1 so far", said[-1])


def test_the_filter_by_scaffolds():
    pytest.importorskip("rdkit", reason="the extra molecules is not installed")
    texts = ["c1ccccc1C", "Cc1ccccc1", "c1ccncc1", "c1ccccc1CC", "C((", "C((", "CC", "CCC"]
    codec = codec_of(*texts)
    batch, rewards = batch_of(codec, *texts), torch.ones(len(texts))
    settings = DiversityConfig(filter="scaffold", bucket=2)
    each = DiversityFilter(settings, codec)
    # Benzene comes for the third time; no ring is one scaffold; broken ones are as their tokens.
    assert each.keeps(batch, rewards).tolist() == [1, 1, 1, 0, 1, 1, 1, 1]
    resumed = DiversityFilter(settings, codec)
    resumed.load_state_dict(each.state_dict())
    for one in (each, resumed):
        assert one.keeps(batch, rewards).tolist() == [0, 0, 1, 0, 0, 0, 0, 0]
    plain = DiversityFilter(DiversityConfig(filter="unique"))
    assert plain.keeps(batch, rewards).tolist() == [1, 1, 1, 1, 1, 0, 1, 1]
