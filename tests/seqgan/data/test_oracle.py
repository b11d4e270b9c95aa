"""The LSTM oracle against plain numpy, against the paper's figure, and against bad files."""

from __future__ import annotations

import copy
import itertools
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from rollout.policy import Policy
from rollout.sequences import Sequences
from seqgan.data import oracle as module
from seqgan.data.oracle import LSTMOracle
from seqgan.errors import ConfigError, DataError

from .plain import sample

ORIGINAL = Path(__file__).parents[4] / "shared" / "data" / "seqgan_oracle_lstm.npz"


def arrays(vocab: int, embedding: int, hidden: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    shapes = {"embedding": (vocab, embedding), "W_out": (hidden, vocab), "b_out": (vocab,)}
    for gate in "ifoc":
        shapes |= {f"W_{gate}": (embedding, hidden), f"U_{gate}": (hidden, hidden)}
        shapes |= {f"b_{gate}": (hidden,)}
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def probabilities(p: dict[str, np.ndarray], prefix: tuple[int, ...]) -> np.ndarray:
    """The next token's distribution after BOS = 0 and `prefix`, written out gate by gate."""
    h = c = np.zeros(len(p["b_i"]))
    for token in (0, *prefix):
        x = p["embedding"][token].astype(np.float64)
        a = {gate: x @ p[f"W_{gate}"] + h @ p[f"U_{gate}"] + p[f"b_{gate}"] for gate in "ifoc"}
        i, f, o = (1 / (1 + np.exp(-a[gate])) for gate in "ifo")
        c = f * c + i * np.tanh(a["c"])
        h = o * np.tanh(c)
    scores = np.exp(h @ p["W_out"] + p["b_out"])
    return scores / scores.sum()


def every_sequence(vocab: int, length: int) -> Sequences:
    rows = [list(row) for row in itertools.product(range(vocab), repeat=length)]
    return Sequences.from_lists(rows, 0)


@pytest.mark.parametrize(("embedding", "length"), [(2, 2), (2, 3), (4, 3)])
def test_tiny_oracle_against_numpy(embedding, length):
    parameters = arrays(3, embedding, 2)
    oracle = LSTMOracle(parameters, length)
    batch = every_sequence(3, length)
    scores = oracle(batch)
    for row, tokens in enumerate(batch.to_lists()):
        for t, token in enumerate(tokens):
            expected = probabilities(parameters, tuple(tokens[:t]))
            assert scores.log_prob[row, t].item() == pytest.approx(
                np.log(expected[token]), abs=1e-5
            )
            entropy = -(expected * np.log(expected)).sum()
            assert scores.entropy[row, t].item() == pytest.approx(entropy, abs=1e-5)
    assert oracle.log_prob(batch).exp().sum().item() == pytest.approx(1, abs=1e-6)


def test_one_unit_by_hand():
    # Zero weights leave the biases: i = f = o = 1/2, candidate tanh(b_c) = 1/2, so the cell is 1/4
    # after BOS and 1/4 * 1/2 + 1/4 = 3/8 after one more token; h = tanh(cell) / 2.
    zeros = {name: np.zeros_like(array) for name, array in arrays(2, 1, 1).items()}
    zeros["b_c"][:] = np.arctanh(0.5)
    zeros["W_out"][0, 1] = 2.0
    oracle = LSTMOracle(zeros, 2)
    logits = oracle.logits(Sequences.from_lists([[1, 0]], 0))[0]
    assert logits[:, 0].tolist() == [0, 0]
    assert logits[:, 1].tolist() == pytest.approx([0.244918662, 0.358357398], abs=1e-6)


def test_contract():
    oracle = LSTMOracle.random(7, 4, 5, seed=1)
    assert (oracle.bos_id, oracle.eos_id, oracle.pad_id) == (0, None, 0)
    assert (oracle.vocab_size, oracle.max_length) == (7, 5)
    batch = sample(oracle, 200, seed=2)
    assert (batch.lengths == 5).all() and batch.tokens.unique().tolist() == list(range(7))
    assert torch.allclose(oracle.logits(batch), Policy.logits(oracle, batch), atol=1e-5)
    ours, plain = oracle(batch), Policy.forward(oracle, batch)
    assert torch.allclose(ours.log_prob, plain.log_prob, atol=1e-5)
    assert torch.allclose(ours.entropy, plain.entropy, atol=1e-5)
    assert not ours.log_prob.requires_grad and not list(oracle.parameters())


def test_branch_continues_a_prefix():
    oracle = LSTMOracle.random(20, 4, 5, seed=1)
    batch = sample(oracle, 3, seed=0)
    rows, positions = torch.tensor([0, 2, 2, 1]), torch.tensor([0, 3, 1, 2])
    state = oracle.branch(oracle.prefix_states(batch), rows, positions)
    logits, _ = oracle.step(batch.tokens[rows, positions], state)
    assert torch.allclose(logits, oracle.logits(batch)[rows, positions + 1], atol=1e-5)


def test_chunks_do_not_matter(monkeypatch):
    oracle = LSTMOracle.random(11, 3, 6, seed=1)
    tokens = torch.randint(11, (9, 6), generator=torch.Generator().manual_seed(0))
    batch = Sequences(tokens, torch.tensor([6, 1, 0, 3, 6, 6, 2, 5, 6]))
    whole = oracle(batch)
    monkeypatch.setattr(module, "_CHUNK", 40)  # three tokens at a time
    parts = oracle(batch)
    assert torch.allclose(whole.log_prob, parts.log_prob, atol=1e-6)
    assert torch.allclose(whole.entropy, parts.entropy, atol=1e-6)
    assert (parts.log_prob[~batch.mask] == 0).all() and (parts.log_prob[batch.mask] < 0).all()
    assert oracle(batch.select(slice(0, 0))).log_prob.shape == (0, 6)
    assert oracle.log_prob(Sequences.from_lists([[], []], 0)).tolist() == [0, 0]


def test_random_is_fixed_by_its_seed():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    one, same, other = (LSTMOracle.random(50, 8, 4, seed=s) for s in (3, 3, 4))
    assert torch.equal(before, torch.get_rng_state())
    batch = sample(one, 10, seed=0)
    assert torch.equal(one.log_prob(batch), same.log_prob(batch))
    assert not torch.equal(one.log_prob(batch), other.log_prob(batch))
    drawn = torch.cat([tensor.flatten() for tensor in one.state_dict().values()])
    assert drawn.mean().abs() < 0.1 and (drawn.std() - 1).abs() < 0.1


def test_state_dict_brings_the_whole_oracle():
    one, other = LSTMOracle.random(50, 8, 4, seed=3), LSTMOracle.random(50, 8, 4, seed=4)
    batch = sample(one, 10, seed=0)
    other.load_state_dict(one.state_dict())
    for again in (other, copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert torch.equal(one.log_prob(batch), again.log_prob(batch))


class TestFiles:
    def test_round_trip(self, tmp_path):
        oracle = LSTMOracle(arrays(6, 3, 2), 4)
        path = tmp_path / "oracle.npz"
        oracle.save_npz(path)
        assert [file.name for file in tmp_path.iterdir()] == ["oracle.npz"]
        again = LSTMOracle.from_npz(path, length=4)
        batch = sample(oracle, 10, seed=0)
        assert torch.equal(oracle.log_prob(batch), again.log_prob(batch))
        for name, array in np.load(path).items():
            assert np.array_equal(array, arrays(6, 3, 2)[name]), name

    def test_a_failed_save_leaves_the_old_file(self, tmp_path, monkeypatch):
        path = tmp_path / "oracle.npz"
        path.write_text("old")

        def fail(file, **_):
            file.write(b"half")
            raise OSError("no space left")

        monkeypatch.setattr(np, "savez", fail)
        with pytest.raises(OSError, match="no space left"):
            LSTMOracle.random(5, 2, 3).save_npz(path)
        assert path.read_text() == "old"
        assert [file.name for file in tmp_path.iterdir()] == ["oracle.npz"]

    def test_missing(self, tmp_path):
        with pytest.raises(DataError, match=r"nowhere\.npz: there is no such file"):
            LSTMOracle.from_npz(tmp_path / "nowhere.npz")

    def test_not_an_npz(self, tmp_path):
        text, single, pickled, cut = (tmp_path / name for name in "abcd")
        text.write_text("hello")
        np.save(tmp_path / "b.npy", np.zeros(3))
        (tmp_path / "b.npy").rename(single)
        pickled.write_bytes(b"\x80\x04N.")
        LSTMOracle.random(50, 4, 3).save_npz(cut)
        cut.write_bytes(cut.read_bytes()[:500])
        for path in (text, pickled, cut, tmp_path):
            with pytest.raises(DataError, match=f"{path}: cannot be read as an .npz file"):
                LSTMOracle.from_npz(path)
        with pytest.raises(DataError, match="holds a single array"):
            LSTMOracle.from_npz(single)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"U_o": None, "b_out": None}, "lacks the arrays U_o, b_out"),
            ({"W_f": np.zeros((2, 3))}, r"W_f has shape \[2, 3\], expected \[3, 2\]"),
            ({"b_out": np.zeros(5)}, r"b_out has shape \[5\], expected \[6\]"),
            ({"embedding": np.zeros(6)}, r"embedding has shape \[6\], expected 2 dimensions"),
            ({"b_i": np.zeros(0)}, r"b_i has shape \[0\], expected 1 dimensions, none of them 0"),
            ({"b_c": np.array([1.0, np.nan])}, r"b_c \(float64\) must hold finite numbers"),
            ({"b_c": np.array(["a", "b"])}, r"b_c \(<U1\) must hold finite numbers"),
            ({"b_c": np.array([1, None], dtype=object)}, "cannot be read as an .npz file"),
        ],
    )
    def test_wrong_arrays(self, tmp_path, change, message):
        path = tmp_path / "bad.npz"
        content = {k: v for k, v in (arrays(6, 3, 2) | change).items() if v is not None}
        np.savez(path, **content)
        with pytest.raises(DataError, match=f"bad.npz: {message}"):
            LSTMOracle.from_npz(path)

    def test_wrong_sizes(self):
        for sizes in ((0, 2, 3), (2, 0, 3), (2, 2, 0)):
            with pytest.raises(ConfigError, match="0 is below 1"):
                LSTMOracle.random(*sizes)


@pytest.mark.skipif(not ORIGINAL.exists(), reason=f"the original parameters are not at {ORIGINAL}")
def test_own_samples_score_as_in_the_paper():
    oracle = LSTMOracle.from_npz(ORIGINAL)
    batch = sample(oracle, 2_000, seed=0)
    nll = -oracle.log_prob(batch).mean().item() / 20
    assert nll == pytest.approx(5.75, abs=0.03)
