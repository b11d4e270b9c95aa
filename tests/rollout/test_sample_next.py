"""Drawing the next token is one call, which a model may fuse with its output layer."""

from __future__ import annotations

import pytest
import torch

from rollout import Sampler, action_values, generate
from rollout.completion import default_chunk_size
from rollout.devices import CACHE_BYTES
from rollout.nucleus import NucleusPolicy

from ..small import lstm
from .chains import Chain, count_of

EOS = 0
CPU = torch.device("cpu")


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Fused(Chain):
    """Draws without giving its logits away; `step` is for states alone."""

    fused = 0

    def sample_next(self, tokens, state, uniforms, sampler):
        Fused.fused += 1
        return sampler.sample(self.table[tokens], uniforms), state


def pair() -> tuple[Chain, Fused]:
    plain = Chain.random(6, 7, EOS)
    return plain, Fused(plain.table.detach(), 7, EOS)


@pytest.mark.parametrize("sampler", [Sampler(), Sampler(0.5), Sampler(top_k=3)], ids=str)
def test_samples_and_rollouts_go_through_it(sampler, monkeypatch):
    plain, fused = pair()
    drawn = [generate(each, 30, sampler=sampler, rng=seeded(0)) for each in (plain, fused)]
    assert torch.equal(drawn[0].tokens, drawn[1].tokens)
    monkeypatch.setattr(Fused, "fused", 0)
    batch = drawn[0]
    values = [
        action_values(each, batch, count_of(3), 4, sampler=sampler, rng=seeded(1), stratified=True)
        for each in (plain, fused)
    ]
    assert torch.equal(*values)
    # Prefixes of lengths 1 to 6 join, and from the second on rows are in flight as well.
    assert Fused.fused == 6 + 5


def test_it_takes_several_numbers_a_row():
    plain, fused = pair()
    tokens, state = torch.tensor([1, 2]), plain.initial_state(2)
    numbers = torch.rand(2, 5, generator=seeded(0), dtype=torch.float64)
    drawn, after = plain.sample_next(tokens, state, numbers, Sampler())
    assert drawn.shape == (2, 5) and after.shape == state.shape
    assert torch.equal(drawn, fused.sample_next(tokens, state, numbers, Sampler())[0])
    one, _ = plain.sample_next(tokens, state, numbers[:, 3], Sampler())
    assert torch.equal(one, drawn[:, 3])


@pytest.mark.parametrize(
    "wrap", [lambda policy: policy.tempered(0.3), lambda policy: NucleusPolicy(policy, 0.5)]
)
def test_a_wrapper_draws_from_its_own_logits(wrap):
    plain, fused = pair()
    drawn = [generate(wrap(each), 200, rng=seeded(0)).tokens for each in (plain, fused)]
    assert torch.equal(*drawn)
    assert not torch.equal(drawn[1], generate(fused, 200, rng=seeded(0)).tokens)


def test_memory_is_kept_from_step_to_step(monkeypatch):
    taken = []
    empty = torch.empty

    def watched(size, **kwargs):
        taken.append(size)
        return empty(size, **kwargs)

    monkeypatch.setattr("rollout.sampling.torch.empty", watched)
    generate(Chain.random(600, 30), 50, rng=seeded(0))
    assert taken == [50 * 640]  # once for 30 tokens, in whole blocks


def test_the_memory_of_a_row_decides_on_the_chunks():
    chain = Chain.random(600, 7)
    assert chain.row_bytes == 2_400
    assert default_chunk_size(chain, CPU) == CACHE_BYTES // 2_400
    chain.row_bytes = 100_000
    assert default_chunk_size(chain, CPU) == default_chunk_size(chain.tempered(0.5), CPU) == 104
    chain.row_bytes = 1 << 30
    assert default_chunk_size(chain, CPU) == 64


def test_the_chunks_of_the_lstm_count_its_state():
    for vocab in (100, 5_000, 50_000):
        policy = lstm(vocab, 20, 0, None, 0, 4, 300, layers=2)
        row = 4 * vocab + 4 * 2 * 2 * 300  # logits; h and c of two layers
        assert policy.row_bytes == row
        assert default_chunk_size(policy, CPU) == max(64, (10 << 20) // row)
