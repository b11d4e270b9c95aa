"""The row and the column of a pixel as embeddings."""

from __future__ import annotations

import pytest
import torch

from rollout import action_values, generate
from rollout.policy import Policy
from seqgan.cli.main import main
from seqgan.config import GENERATORS
from seqgan.data.picture_codec import PictureCodec
from seqgan.errors import ConfigError
from seqgan.models import load_generator, make_generator, save_model
from seqgan.models.grid import Grid

from ...small import ids, small

SPEC = PictureCodec.of(2, 3, 4, 2).spec
KINDS = [name for name, kind in GENERATORS.items() if "grid" in kind.__dataclass_fields__]


def make(name):
    generator = make_generator(small(GENERATORS[name], grid=True), SPEC, seed=0).eval()
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.mul_(2.5)
    return generator


def test_places_by_hand():
    grid = Grid(SPEC, 1)
    with torch.no_grad():
        grid.rows.weight[:] = torch.tensor([[10.0], [20.0]])
        grid.columns.weight[:] = torch.tensor([[1.0], [2.0], [3.0]])
    found = grid(torch.arange(7))[:, 0].tolist()  # after the last pixel nothing is predicted
    assert found == [11, 12, 13, 21, 22, 23, 23]


@pytest.mark.parametrize("name", KINDS)
def test_what_is_fast_equals_single_steps(name):
    policy, rng = make(name), torch.Generator().manual_seed(0)
    condition = {"label": torch.tensor([0, 1, 1, 0, 1])}
    batch = generate(policy, 5, rng=rng, condition=condition)
    fast, plain = policy(batch), Policy.forward(policy, batch)
    assert torch.allclose(fast.log_prob, plain.log_prob, atol=1e-5)


@pytest.mark.parametrize("name", KINDS)
def test_rollouts_go_on_from_their_places(name):
    # The value of the last token but one is an expectation over the last: exact by enumeration.
    policy, rng = make(name), torch.Generator().manual_seed(0)
    batch = generate(policy, 3, rng=rng, condition={"label": torch.tensor([0, 1, 0])})

    def last(sequences):
        return sequences.tokens[:, -1].double()

    found = action_values(policy, batch, last, 4000, rng=rng, stratified=True)[:, -2]
    probabilities = policy.logits(batch)[:, -1].double().softmax(-1)
    exact = probabilities @ torch.arange(SPEC.vocab_size).double()
    assert torch.allclose(found.double(), exact, atol=0.02)


@pytest.mark.parametrize("name", KINDS)
def test_it_is_saved(name, tmp_path):
    policy = make(name)
    save_model(policy, tmp_path / "generator")
    batch = generate(policy, 2, rng=torch.Generator().manual_seed(0), condition=policy.blank(2))
    found = load_generator(tmp_path / "generator").eval()
    assert torch.equal(found(batch).log_prob, policy(batch).log_prob)


def test_it_is_for_pictures(tmp_path, capsys):
    with pytest.raises(ConfigError, match="--generator.grid: the sequences are no pictures"):
        make_generator(small(GENERATORS[KINDS[0]], grid=True), ids(5), seed=0)
    run = tmp_path / "run"
    command = ["run", "--data", "grammar", "--size", "smoke", "--generator.grid", "true"]
    assert main([*command, "--output_dir", str(run)]) == 2
    assert "--generator.grid" in capsys.readouterr().err and not run.exists()
