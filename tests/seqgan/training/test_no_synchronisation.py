"""Nothing in a rollout, nor in the generator's loss, makes the host wait for the device."""

from __future__ import annotations

import pytest
import torch

from rollout import (
    DiscriminatorReward,
    Sequences,
    action_values,
    advantages,
    clipped_surrogate_loss,
    entropy_bonus,
    generate,
    kl_to_reference,
    make_baseline,
    nll_loss,
    reinforce_loss,
)
from seqgan.config import Ratio
from seqgan.data.prompts import NoPrompts
from seqgan.models import Ensemble
from seqgan.models.token_divergence import rows_of
from seqgan.rewards.ratio import RatioReward
from seqgan.training.players import Materials
from seqgan.training.processes import Part
from seqgan.training.ratio import RatioUpdates
from seqgan.training.ratio_batch import RatioBatch
from seqgan.training.runtime import Runtime, make_accelerator
from seqgan.training.steps import read_once

from ...small import bilstm, cnn, lstm
from ...synchronisation import NoReading

EOS = 2


@pytest.fixture(params=["meta", "cpu"])
def device(request, monkeypatch) -> str:
    """The `meta` device, where nothing can be read, and a CPU that is treated like a GPU."""
    monkeypatch.setattr("rollout.devices._FREE_TO_READ", ())
    return request.param


def models(device):
    torch.manual_seed(0)
    generator = lstm(600, 7, 1, EOS, 0, 6, 8, dropout=0.2, forbidden=(0, 1))
    judges = [cnn(600, 5, (1, 3, 9), (4, 4, 4)), bilstm(600, 5, 4)]
    return generator.to(device), [judge.to(device) for judge in judges]


def sequences_on(device) -> Sequences:
    lengths = torch.tensor([7, 3, 1, 5], device=device)
    return Sequences(torch.randint(3, 600, (4, 7)).to(device), lengths)


def test_samples_and_rollouts(device):
    generator, judges = models(device)
    with NoReading():
        batch = generate(generator, 4, compact_every=0).trim(wait=False)
        assert batch.tokens.shape == (4, 7)
        for judge in judges:
            for stratified, positions in ((True, None), (False, [0, 3])):
                values = action_values(
                    generator, batch, DiscriminatorReward(judge), 3,
                    compact_every=0, stratified=stratified, positions=positions,
                )  # fmt: skip
                assert values.shape == (4, 7)


@pytest.mark.parametrize("loss", ["mle", "reinforce", "clipped"])
def test_forward_and_backward_of_the_generators_loss(device, loss):
    generator, _ = models(device)
    batch = sequences_on(device)
    values = torch.rand(4, 7).to(device)
    with NoReading():
        mask = batch.mask
        scores = generator(batch)
        if loss == "mle":
            total = nll_loss(scores.log_prob, mask)
        else:
            advantage = advantages(values, mask, make_baseline("leave_one_out"), normalize=True)
            total = reinforce_loss(scores.log_prob, advantage, mask)
            if loss == "clipped":
                old = scores.log_prob.detach()
                total = clipped_surrogate_loss(scores.log_prob, old, advantage, mask)
            total = total + 0.1 * entropy_bonus(scores.entropy, mask)
            total = total + 0.1 * kl_to_reference(scores.log_prob, values, mask)
        total.backward()
        torch.nn.utils.clip_grad_norm_(generator.parameters(), 1.0)
    assert all(parameter.grad is not None for parameter in generator.parameters())


def test_the_way_of_a_gpu_gives_what_the_cpu_gives(monkeypatch):
    generator, judges = models("cpu")
    generator.eval()
    batch = sequences_on("cpu")

    def everything():
        scores = generator(batch)
        generator.zero_grad()
        (nll_loss(scores.log_prob, batch.mask) + scores.entropy.sum()).backward()
        yield from scores
        yield from (parameter.grad.clone() for parameter in generator.parameters())
        for judge in judges:
            values = action_values(
                generator, batch, DiscriminatorReward(judge), 3,
                rng=torch.Generator().manual_seed(0), compact_every=0,
            )  # fmt: skip
            yield values

    here = list(everything())
    monkeypatch.setattr("rollout.devices._FREE_TO_READ", ())
    for mine, theirs in zip(here, everything(), strict=True):
        assert torch.allclose(mine, theirs, atol=1e-5)


def test_the_mode_notices():
    batch = sequences_on("cpu")
    for reads in (
        lambda: batch.lengths.max().item(),
        lambda: batch.tokens[batch.mask],
        lambda: batch.mask.nonzero(),
        lambda: bool(batch.mask.all()),
        lambda: batch.lengths.repeat_interleave(batch.lengths),
    ):
        with pytest.raises(AssertionError, match="wait"), NoReading():
            reads()
    with pytest.raises(Exception, match="wait|meta"), NoReading():
        batch.lengths.to("meta").cpu()


@pytest.mark.parametrize("estimator", ["exact", "exact_to_go", "reinforce"])
def test_updates_towards_an_ensemble(device, estimator):
    generator, _ = models(device)
    reference, *members = (models(device)[0] for _ in range(3))
    ensemble = Ensemble(members, "minimum").requires_grad_(False).eval()
    batch = sequences_on(device)
    runtime = Runtime(make_accelerator("cpu"), seed=0)
    settings = Ratio(estimator=estimator, objective="jensen_shannon", kl_weight=0.1)
    reward = RatioReward(ensemble, generator)
    generator.to = lambda device: generator  # the runtime runs on the host
    materials = Materials(
        generator, reference, reward, None, sequences_on("cpu"), NoPrompts(), runtime,
        ensemble=ensemble,
    )  # fmt: skip
    work = RatioUpdates(settings, materials)
    with NoReading():
        rows = rows_of(batch.mask)
        drawn = RatioBatch(batch, batch.mask, Part(0, 4, 4), batch, rows)
        loss, figures, _ = work.loss(drawn)
        loss.backward()
        assert set(figures) == {"mean_reward", "entropy", "spread"}
        ensemble(batch)
    if device == "cpu":
        assert all(bool(each.isfinite()) for each in figures.values())
        assert bool(generator.head.weight.grad.isfinite().all())


def test_figures_are_read_in_one_transfer(monkeypatch):
    read, original = [], torch.Tensor.tolist
    monkeypatch.setattr(torch.Tensor, "tolist", lambda self: read.append(1) or original(self))
    figures = {"a": torch.tensor(0.5), "b": torch.tensor(0.1, dtype=torch.float64)}
    assert read_once({**figures, "c": torch.tensor(3)}) == {"a": 0.5, "b": 0.1, "c": 3.0}
    assert read == [1] and read_once({}) == {}
