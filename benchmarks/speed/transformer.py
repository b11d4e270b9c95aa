"""The Transformer generator against itself without a cache, and against torch's own layers.

Both sides of a ratio do their work in turn, in one process.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from rollout import Policy, Prefixes, Sequences, action_values, generate, nll_loss
from rollout.completion import default_chunk_size
from rollout.policy import State, WrappedPolicy
from rollout.randomness import seed_everything, seeded_generator
from seqgan.config.components import build
from seqgan.config.generators import GENERATORS
from seqgan.data.spec import TokenSpec
from seqgan.models import Generator

from .machine import Timer, peak_memory

__all__ = ["TransformerSizes", "Uncached", "transformer"]


@dataclass(frozen=True)
class TransformerSizes:
    """Sizes of the model and of its work.

    Attributes:
        vocabulary: V.
        length: T.
        width: of the layers.
        layers: their number.
        heads: of each.
        dropout: in training.
        prefixes: sequences whose prefixes are completed.
        rollouts: N.
        batch: sequences of a training step.
    """

    vocabulary: int = 5_000
    length: int = 32
    width: int = 128
    layers: int = 4
    heads: int = 4
    dropout: float = 0.1
    prefixes: int = 4
    rollouts: int = 16
    batch: int = 64


_ROWS = (64, 320)
"""Rows in flight, few and many: the memory between them is that of the rows alone."""
TINY = TransformerSizes(50, 6, 8, 2, 2, prefixes=2, rollouts=2, batch=4)


class Uncached(WrappedPolicy):
    """The same policy with the tokens alone for a state: every step computes all positions."""

    def initial_state(self, batch_size: int, condition: Any = None) -> State:
        """No token yet, [R, 0]."""
        return torch.zeros(batch_size, 0, dtype=torch.int64)

    def step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Logits [R, V] of the last of all positions."""
        policy: Any = self.policy
        state = torch.cat([state, tokens[:, None]], 1)
        # A sequence whose inputs are the state: BOS is its first token.
        lengths = torch.full((len(state),), state.shape[1])
        inputs = Sequences(torch.cat([state[:, 1:], state[:, :1]], 1), lengths)
        return policy.head(policy.features(inputs)[:, -1]), state

    def prefix_states(self, sequences: Sequences) -> Prefixes:
        """The inputs [B, T]."""
        return Prefixes(sequences, self._inputs(sequences))

    def branch(self, prefixes: Prefixes, rows: Tensor, positions: Tensor) -> State:
        """The inputs of each row, all of one length."""
        state: Tensor = prefixes.states
        return state[rows, : int(positions[0]) + 1]

    def select(self, state: State, rows: Tensor) -> State:
        """The tokens of `rows`."""
        return state[rows]

    def concat(self, states: list[State]) -> State:
        """All rows."""
        return torch.cat(states)


class Plain(nn.Module):
    """A language model of the same size out of torch's own layers.

    Args:
        sizes: of the model.
    """

    def __init__(self, sizes: TransformerSizes):
        super().__init__()
        layer = nn.TransformerEncoderLayer(
            sizes.width, sizes.heads, 4 * sizes.width, sizes.dropout, "gelu",
            batch_first=True, norm_first=True,
        )  # fmt: skip
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.width)
        self.places = nn.Embedding(sizes.length, sizes.width)
        self.layers = nn.TransformerEncoder(
            layer, sizes.layers, nn.LayerNorm(sizes.width), enable_nested_tensor=False
        )
        for each in self.layers.layers:
            each.self_attn.dropout = 0.0  # ours has none there; with it torch's leaves its kernel
        self.head = nn.Linear(sizes.width, sizes.vocabulary)
        self.head.weight = self.embedding.weight

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits [B, T, V] of what follows `inputs` [B, T]."""
        length = inputs.shape[1]
        units = self.embedding(inputs) + self.places(torch.arange(length, device=inputs.device))
        mask = nn.Transformer.generate_square_subsequent_mask(length, inputs.device)
        logits: Tensor = self.head(self.layers(units, mask=mask, is_causal=True))
        return logits


def transformer(
    device: torch.device, timer: Timer, seed: int, repeats: int, tiny: bool
) -> dict[str, Any]:
    """Seconds and memory of rollouts and of training steps, each beside what it is compared with.

    Args:
        device: where.
        timer: of that device.
        seed: of models and samples.
        repeats: repetitions, of which the median counts.
        tiny: sizes that say nothing.
    """
    sizes = TINY if tiny else TransformerSizes()
    policy = build_policy(sizes, seed).to(device)
    batch = generate(policy, max(sizes.batch, sizes.prefixes), rng=seeded_generator(seed))
    prefixes = batch.select(slice(0, sizes.prefixes))

    def rollouts(by: Policy) -> Tensor:
        rng = seeded_generator(seed)
        return action_values(by, prefixes, _first_token, sizes.rollouts, rng=rng)

    cached, uncached = timer.medians(
        [partial(rollouts, policy), partial(rollouts, Uncached(policy))], repeats
    )
    few, many = (peak_memory(partial(_samples, policy, rows), device) for rows in _ROWS)
    growth = None if few is None or many is None else (many - few) / (_ROWS[1] - _ROWS[0])
    ours, torchs = _training(policy, Plain(sizes).to(device), batch, timer, 3 * repeats)
    return {
        "sizes": vars(sizes),
        "rollouts": {"seconds": cached, "seconds_without_cache": uncached},
        "measured_row_bytes": growth,
        "row_bytes": policy.row_bytes,
        "rows": default_chunk_size(policy, device),
        "training": {"seconds": ours, "seconds_of_torch": torchs},
    }


def build_policy(sizes: TransformerSizes, seed: int) -> Generator:
    """A Transformer of these sizes with random parameters."""
    seed_everything(seed)
    spec = TokenSpec(sizes.vocabulary, 0, None, 0, sizes.length, ())
    settings = GENERATORS["transformer"](
        width=sizes.width, layers=sizes.layers, heads=sizes.heads, dropout=sizes.dropout
    )  # type: ignore[call-arg]
    policy: Generator = build(settings, spec)
    return policy


def _samples(policy: Generator, rows: int) -> Sequences:
    """Sequences that are all in flight together."""
    return generate(policy, rows, rng=seeded_generator(0), chunk_size=rows)


def _first_token(sequences: Sequences) -> Tensor:
    return sequences.tokens[:, 0].float()


def _training(
    policy: Generator, plain: Plain, batch: Sequences, timer: Timer, repeats: int
) -> list[float]:
    """Median seconds of a step of maximum likelihood by both."""
    # Rates so small that every step finds the same model.
    optimizers = [
        torch.optim.AdamW(model.parameters(), lr=1e-9, fused=True) for model in (policy, plain)
    ]
    inputs = torch.cat([torch.zeros_like(batch.tokens[:, :1]), batch.tokens[:, :-1]], 1)

    def ours() -> None:
        optimizers[0].zero_grad()
        nll_loss(policy(batch).log_prob, batch.mask).backward()
        optimizers[0].step()

    def torchs() -> None:
        optimizers[1].zero_grad()
        cross_entropy(plain(inputs).flatten(0, 1), batch.tokens.flatten()).backward()
        optimizers[1].step()

    policy.train()
    plain.train()
    return timer.medians([ours, torchs], repeats)
