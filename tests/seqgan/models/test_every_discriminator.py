"""Properties of every discriminator: a new one is tested as soon as it stands in the table."""

from __future__ import annotations

import pytest
import torch

from rollout import ConditionError, Sequences
from seqgan.config import DISCRIMINATORS
from seqgan.data.codec import IdCodec
from seqgan.data.spec import TokenSpec
from seqgan.errors import ConfigError
from seqgan.models import Discriminator, load_discriminator, make_discriminator, save_model

from ...recurrent_kernel import use_double
from ...small import small

SPEC = TokenSpec(vocab_size=12, bos_id=1, eos_id=2, pad_id=0, max_length=15, forbidden=(0, 1))
ROWS = [[3, 4, 5], [6], [7, 8, 9, 10, 11, 3, 4]]

pytestmark = pytest.mark.parametrize("name", DISCRIMINATORS)


def make(name: str, **settings) -> Discriminator:
    return make_discriminator(small(DISCRIMINATORS[name], **settings), SPEC, seed=0).eval()


def test_padding_and_neighbours_never_change_a_score(name):
    judge = make(name)
    batch = Sequences.from_lists(ROWS, pad_id=0)
    alone = [judge(Sequences.from_lists([row], pad_id=0))[0] for row in ROWS]
    wide = Sequences.from_lists(ROWS, pad_id=5, width=15)
    for scores in (judge(batch), judge(wide), judge.log_odds(wide, batch_size=2)):
        for score, own in zip(scores, alone, strict=True):
            assert torch.allclose(score[: own.numel()] if score.ndim else score, own, atol=1e-5)


def test_tokens_and_lengths_matter(name):
    judge = make(name)
    batch = Sequences.from_lists([[3, 4, 5], [3, 4, 6], [3, 4]], pad_id=0)
    scores = judge(batch)
    scores = scores.sum(1) if judge.per_token else scores
    assert len({round(score, 6) for score in scores.tolist()}) == 3


def test_forward_embedded_is_forward_after_the_embedding(name, monkeypatch):
    use_double(monkeypatch)
    judge = make(name)
    batch = Sequences.from_lists([[3, 4, 5], [6]], pad_id=0)
    if judge.reads_text:
        with pytest.raises(ConfigError, match="reads texts, so it has no gradient"):
            judge.forward_embedded(torch.zeros(2, 3, 4), batch.lengths)
        return
    embedded = judge.embedding(batch.tokens).detach().requires_grad_()
    logits = judge.forward_embedded(embedded, batch.lengths)
    assert torch.allclose(logits, judge(batch), atol=1e-6)
    gradient = torch.autograd.grad(logits.sum(), embedded)[0]
    assert gradient[0].abs().sum() > 0 and gradient[1, 1:].abs().sum() == 0


def test_it_learns_32_sequences_by_heart(name, monkeypatch):
    use_double(monkeypatch)
    judge = make(name, dropout=0.0).train()
    optimizer = torch.optim.Adam(judge.parameters(), 0.02)
    rng = torch.Generator().manual_seed(0)
    batch = Sequences(torch.randint(3, 12, (32, 8), generator=rng), torch.full((32,), 8))
    labels = (torch.arange(32) < 16).float()
    for _ in range(300):
        logits = judge(batch)
        logits = logits.mean(1) if judge.per_token else logits
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    scores = judge.eval()(batch)
    scores = scores.mean(1) if judge.per_token else scores
    assert ((scores > 0) == (labels > 0)).float().mean() == 1


def test_dropout_works_in_training_alone(name):
    judge = make(name, dropout=0.5)
    batch = Sequences.from_lists(ROWS, pad_id=0)
    assert torch.equal(judge(batch), judge(batch))
    judge.train()
    torch.manual_seed(0)
    assert not torch.equal(judge(batch), judge(batch))


def test_a_condition_is_read_or_refused(name):
    judge = make(name)
    assert not judge.conditional  # these token ids announce no condition
    batch = Sequences.from_lists(ROWS, pad_id=0)
    given = Sequences(batch.tokens, batch.lengths, None, torch.zeros(3, dtype=torch.int64))
    with pytest.raises(ConditionError):
        judge(given)


def test_saving_gives_the_same_model_back(name, tmp_path):
    judge = make(name)
    save_model(judge, tmp_path / "judge")
    again = load_discriminator(tmp_path / "judge", IdCodec(SPEC))
    batch = Sequences.from_lists(ROWS, pad_id=0)
    assert torch.equal(judge(batch), again(batch)) and not again.training
    assert again.settings == judge.settings and again.spec == judge.spec
