"""The synthetic oracle of the SeqGAN paper: an LSTM with random parameters as the true source.

Yu et al. 2017, "SeqGAN: Sequence Generative Adversarial Nets with Policy Gradient", section 4: an
LSTM whose parameters are all drawn from N(0, 1) writes sequences of fixed length, which a generator
is to imitate and which have an exact likelihood. It starts from token 0 and a zero state, every id
may be emitted (0 among them) and there is no EOS. Gates as in Hochreiter and Schmidhuber 1997 with
a forget gate; the next token is softmax(h W_out + b_out).

Shapes: B sequences, T tokens, V vocabulary, R rows in flight, E embedding, H hidden units.
"""

from __future__ import annotations

import math
import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rollout.policy import Policy, Prefixes, TokenScores
from rollout.randomness import seeded_generator
from rollout.sequences import Sequences

from ..errors import ConfigError, DataError

__all__ = ["LSTMOracle"]

GATES = "ifoc"
"""Input, forget and output gate and candidate, in the order they stand side by side."""

NAMES = ["embedding", *(part + gate for gate in GATES for part in ("W_", "U_", "b_"))]
NAMES += ["W_out", "b_out"]
"""The arrays of a parameter file; rows are inputs (x @ W)."""

_CHUNK = 4_000_000
"""Logits that `forward` holds at a time (16 MB in single precision)."""


class LSTMOracle(nn.Module, Policy):
    """A fixed LSTM over tokens with an exact likelihood; it has nothing to train.

    Every method works without gradient. Parameters are buffers: they move with the module and are
    saved with it, but an optimizer does not find them.

    Args:
        arrays: the parameters: ``embedding`` [V, E]; ``W_g`` [E, H], ``U_g`` [H, H] and ``b_g`` [H]
            for the gates g = i, f, o and the candidate c; ``W_out`` [H, V]; ``b_out`` [V].
        length: number of tokens of every sequence.
        where: name of the arrays in error messages.

    Raises:
        DataError: an array is missing, has another shape, or holds something else than finite
            numbers.
        ConfigError: `length` is below 1.
    """

    _embedding: Tensor  # [V, E]
    _w: Tensor  # [E, 4H]
    _u: Tensor  # [H, 4H]
    _b: Tensor  # [4H]
    _w_out: Tensor  # [H, V]
    _b_out: Tensor  # [V]
    _inputs_table: Tensor  # [V, 4H]

    def __init__(self, arrays: Mapping[str, np.ndarray], length: int = 20, where: str = "oracle"):
        super().__init__()
        if length < 1:
            raise ConfigError(f"length: {length} is below 1")
        found = _check(arrays, where)
        self.vocab_size = found["embedding"].shape[0]
        self.hidden = found["b_i"].shape[0]
        self.max_length = length
        self.bos_id, self.eos_id, self.pad_id = 0, None, 0
        tensors = {
            "_embedding": found["embedding"],
            "_w": np.concatenate([found[f"W_{gate}"] for gate in GATES], axis=1),
            "_u": np.concatenate([found[f"U_{gate}"] for gate in GATES], axis=1),
            "_b": np.concatenate([found[f"b_{gate}"] for gate in GATES]),
            "_w_out": found["W_out"],
            "_b_out": found["b_out"],
        }
        for name, array in tensors.items():
            self.register_buffer(name, torch.from_numpy(array.copy()))
        self.register_buffer("_inputs_table", torch.empty(0), persistent=False)
        self._tabulate()
        self.register_load_state_dict_post_hook(_tabulate_again)

    def _tabulate(self) -> None:
        """Share of each token in the gates: a step is then one look-up and one product."""
        self._inputs_table = torch.addmm(self._b, self._embedding, self._w)

    @staticmethod
    def random(
        vocab_size: int = 5_000, hidden: int = 32, length: int = 20, seed: int = 0
    ) -> LSTMOracle:
        """An oracle with parameters from N(0, 1), as in the paper.

        Args:
            vocab_size: number of token ids, V.
            hidden: units of the LSTM and of the embedding, H = E.
            length: number of tokens of every sequence.
            seed: fixes the parameters; global random state is neither read nor changed.

        Raises:
            ConfigError: a size is below 1.
        """
        for name, value in (("vocab_size", vocab_size), ("hidden", hidden)):
            if value < 1:
                raise ConfigError(f"{name}: {value} is below 1")
        rng = seeded_generator(seed)
        shapes = _shapes(vocab_size, hidden, hidden)
        arrays = {name: torch.randn(shape, generator=rng).numpy() for name, shape in shapes.items()}
        return LSTMOracle(arrays, length)

    @staticmethod
    def from_npz(path: str | os.PathLike[str], length: int = 20) -> LSTMOracle:
        """An oracle with the parameters of a file, for instance the original one of the paper.

        Args:
            path: an ``.npz`` file that holds the arrays named above; others are ignored.
            length: number of tokens of every sequence.

        Raises:
            DataError: the file is missing, is no ``.npz`` file, or lacks what is asked of it.
        """
        return LSTMOracle(_read(path), length, str(path))

    def save_npz(self, path: str | os.PathLike[str]) -> None:
        """Writes the parameters as `from_npz` reads them; never leaves half a file."""
        arrays: dict[str, Any] = {
            "embedding": self._embedding,
            "W_out": self._w_out,
            "b_out": self._b_out,
        }
        for stacked, name in ((self._w, "W_"), (self._u, "U_"), (self._b, "b_")):
            for gate, part in zip(GATES, stacked.chunk(len(GATES), dim=-1), strict=True):
                arrays[name + gate] = part
        target = Path(path)
        temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        try:
            with open(temporary, "wb") as file:
                np.savez(file, **{name: arrays[name].cpu().numpy() for name in NAMES})
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)

    # The policy contract

    def initial_state(self, batch_size: int, condition: Any = None) -> tuple[Tensor, Tensor]:
        """Hidden state and cell before BOS, both zero [R, H]."""
        zeros = self._u.new_zeros(batch_size, self.hidden)
        return zeros, zeros

    @torch.no_grad()
    def step(
        self, tokens: Tensor, state: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Logits [R, V] of the next token, and hidden state and cell after `tokens`."""
        state = self._advance(tokens, state)
        return torch.addmm(self._b_out, state[0], self._w_out), state

    @torch.no_grad()
    def logits(self, sequences: Sequences) -> Tensor:
        """Logits [B, T, V] of every token given the tokens before it."""
        return self._states(sequences)[0].transpose(0, 1) @ self._w_out + self._b_out

    @torch.no_grad()
    def forward(self, sequences: Sequences) -> TokenScores:
        """Exact log-probability and entropy of every token, [B, T]; see `Policy.forward`.

        Logits are made for some tokens at a time, so memory does not grow with B * T * V.
        """
        mask = sequences.mask
        hidden = self._states(sequences)[0].transpose(0, 1)[mask]
        targets = sequences.tokens[mask]
        size = max(1, _CHUNK // self.vocab_size)
        log_probs, entropies = [hidden.new_empty(0)], [hidden.new_empty(0)]
        for rows, ids in zip(hidden.split(size), targets.split(size), strict=True):
            logits = torch.addmm(self._b_out, rows, self._w_out)
            log_z = logits.logsumexp(-1)
            log_probs.append(logits.gather(-1, ids[:, None])[:, 0] - log_z)
            # H = log Z - E[logit]
            entropies.append(log_z - (logits.softmax(-1) * logits).sum(-1))
        zeros = hidden.new_zeros(mask.shape)
        return TokenScores(
            zeros.masked_scatter(mask, torch.cat(log_probs)),
            zeros.masked_scatter(mask, torch.cat(entropies)),
        )

    @torch.no_grad()
    def prefix_states(self, sequences: Sequences) -> Prefixes:
        """Hidden states and cells before each token, [T * B, H]; no logits are made on the way."""
        hidden, cell = self._states(sequences)
        return Prefixes(sequences, (hidden.flatten(0, 1), cell.flatten(0, 1)))

    def log_prob(self, sequences: Sequences) -> Tensor:
        """Log-probability of each sequence in nats, float64 [B]."""
        return self.forward(sequences).log_prob.sum(1, dtype=torch.float64)

    def _advance(self, tokens: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Hidden state and cell [R, H] after `tokens` [R]."""
        hidden, cell = state
        gates = torch.addmm(self._inputs_table[tokens], hidden, self._u)
        i, f, o = gates[:, : 3 * self.hidden].sigmoid().chunk(3, dim=1)
        cell = f * cell + i * gates[:, 3 * self.hidden :].tanh()
        return o * cell.tanh(), cell

    def _states(self, sequences: Sequences) -> tuple[Tensor, Tensor]:
        """Hidden states and cells after BOS and the tokens before each token, [T, B, H]."""
        inputs = self._inputs(sequences)
        batch, width = sequences.tokens.shape
        hidden, cell = (self._u.new_empty(width, batch, self.hidden) for _ in range(2))
        state = self.initial_state(batch)
        for t in range(width):
            state = self._advance(inputs[:, t], state)
            hidden[t], cell[t] = state
        return hidden, cell

    def extra_repr(self) -> str:
        """Facts that the module prints about itself."""
        return f"tokens={self.vocab_size}, hidden={self.hidden}, length={self.max_length}"


def _tabulate_again(oracle: LSTMOracle, _: Any) -> None:
    """After new parameters were loaded (a function with a name, so that oracles can be pickled)."""
    oracle._tabulate()


def _read(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Arrays of `NAMES` that a file holds; DataError if it is no .npz file."""
    try:
        archive = np.load(path, allow_pickle=False)
        if isinstance(archive, np.ndarray):
            raise DataError(f"{path}: holds a single array; expected an .npz file")
        with archive:
            return {name: archive[name] for name in NAMES if name in archive}
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file") from None
    except DataError:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path}: cannot be read as an .npz file ({error})") from error


def _shapes(vocab: int, embedding: int, hidden: int) -> dict[str, tuple[int, ...]]:
    """The shape of each array of `NAMES`."""
    kinds = {"W": (embedding, hidden), "U": (hidden, hidden), "b": (hidden,)}
    special = {
        "embedding": (vocab, embedding),
        "W_out": (hidden, vocab),
        "b_out": (vocab,),
    }
    return {name: special.get(name) or kinds[name[0]] for name in NAMES}


def _check(arrays: Mapping[str, np.ndarray], where: str) -> dict[str, np.ndarray]:
    """The arrays of `NAMES` in single precision; DataError where one is not as it should be."""
    missing = [name for name in NAMES if name not in arrays]
    if missing:
        raise DataError(f"{where}: lacks the arrays {', '.join(missing)}")
    for name, rank in (("embedding", 2), ("b_i", 1)):
        if arrays[name].ndim != rank or not math.prod(arrays[name].shape):
            raise DataError(
                f"{where}: {name} has shape {list(arrays[name].shape)}, expected {rank} "
                "dimensions, none of them 0"
            )
    vocab, embedding = arrays["embedding"].shape
    found = {}
    for name, shape in _shapes(vocab, embedding, arrays["b_i"].shape[0]).items():
        array = arrays[name]
        if array.shape != shape:
            raise DataError(
                f"{where}: {name} has shape {list(array.shape)}, expected {list(shape)} "
                f"(embedding {list(arrays['embedding'].shape)}, b_i {list(arrays['b_i'].shape)})"
            )
        if array.dtype.kind not in "fiu" or not np.isfinite(array).all():
            raise DataError(f"{where}: {name} ({array.dtype}) must hold finite numbers")
        found[name] = np.asarray(array, dtype=np.float32)
    return found
