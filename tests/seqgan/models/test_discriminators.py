"""Properties of single discriminators: causality, spectral norm, prefixes."""

from __future__ import annotations

import pytest
import torch

from rollout import Sequences
from seqgan.config import DISCRIMINATORS, RunConfig
from seqgan.config.settings import hints
from seqgan.data.spec import TokenSpec
from seqgan.errors import ConfigError
from seqgan.models import make_discriminator
from seqgan.models.gan_losses import gradient_penalty
from seqgan.training.pair_loss import of_prefixes

from ...small import small

SPEC = TokenSpec(vocab_size=12, bos_id=1, eos_id=2, pad_id=0, max_length=15, forbidden=(0, 1))
PER_TOKEN = [name for name, kind in DISCRIMINATORS.items() if kind.per_token]
ONE_LOGIT = [
    name for name, kind in DISCRIMINATORS.items() if not kind.per_token and not kind.reads_text
]
SPECTRAL = [name for name, kind in DISCRIMINATORS.items() if "spectral_norm" in hints(kind)]


def make(name: str, **settings):
    return make_discriminator(small(DISCRIMINATORS[name], **settings), SPEC, seed=0).eval()


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_settings_say_which_judge_every_token(name):
    kind, model = DISCRIMINATORS[name], make(name)
    assert (kind.per_token, kind.reads_text) == (model.per_token, model.reads_text)


@pytest.mark.parametrize("name", PER_TOKEN)
def test_a_token_is_judged_by_what_came_before(name):
    judge = make(name)
    one, other = (Sequences.from_lists([row], 0) for row in ([3, 4, 5, 6], [3, 4, 7, 8]))
    ours, theirs = judge(one), judge(other)
    assert judge.causal and torch.allclose(ours[:, :2], theirs[:, :2], atol=1e-6)
    assert (ours[:, 2:] - theirs[:, 2:]).abs().min() > 1e-5


def test_the_logits_of_prefixes():
    logits = torch.tensor([[1.0, 2.0, 4.0], [5.0, 1.0, 0.0], [3.0, 0.0, 0.0]])
    found = of_prefixes(logits, torch.tensor([3, 2, 1]))
    assert found.tolist() == [[1, 3, 7], [5, 6, 5], [3, 3, 3]]


@pytest.mark.parametrize("name", SPECTRAL)
def test_spectral_norm_bounds_every_layer(name):
    judge = make(name, spectral_norm=True).train()
    batch = Sequences.from_lists([[3, 4, 5], [6, 7]], 0)
    with torch.no_grad():
        for parameter in judge.parameters():
            parameter.mul_(7.0)
    for _ in range(60):
        judge(batch)
    judge.eval()
    ours = judge.head if judge.reads_text else judge  # an encoder stays as it is
    layers = [m for m in ours.modules() if isinstance(m, (torch.nn.Linear, torch.nn.Conv1d))]
    assert layers
    for layer in layers:
        largest = torch.linalg.matrix_norm(layer.weight.flatten(1), 2)
        assert largest.item() == pytest.approx(1, abs=0.02)
    scores = judge(batch)
    assert torch.allclose(judge.log_odds(batch, batch_size=2), scores, atol=1e-5)
    assert torch.equal(judge(batch), scores)


@pytest.mark.parametrize("name", ONE_LOGIT)
def test_a_gradient_penalty_has_gradients(name):
    judge = make(name).train()
    rng = torch.Generator().manual_seed(0)
    tokens = torch.randint(3, 12, (16, 5), generator=rng)
    lengths = torch.full((16,), 5)
    embedded = judge.embedding(tokens)
    uniforms = torch.rand(16, generator=rng)
    gradient_penalty(judge, embedded, lengths, embedded.flip(0), lengths, uniforms).backward()
    assert all(each.grad is None or each.grad.isfinite().all() for each in judge.parameters())
    weights = [each for key, each in judge.named_parameters() if key.startswith("output.")]
    assert weights[0].grad.abs().max() > 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"rewards": [{"name": "discriminator", "form": "probability"}]},
            "log_odds and centred alone",
        ),
        ({"critic": {"gradient_penalty": 1.0}}, "set --critic.gradient_penalty 0"),
    ],
)
@pytest.mark.parametrize("name", PER_TOKEN)
def test_what_a_logit_per_token_cannot_serve(name, settings, message):
    with pytest.raises(ConfigError, match=f"{name} judges every token.*{message}"):
        RunConfig(discriminator={"architecture": name}, **settings)
