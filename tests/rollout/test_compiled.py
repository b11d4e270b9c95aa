"""The compiled policy: the same values, and what happens where compiling fails."""

from __future__ import annotations

import shutil
from functools import partial

import pytest
import torch

from rollout import CompiledPolicy, action_values, generate
from seqgan.models import LSTMGenerator


@pytest.fixture
def policy():
    torch.manual_seed(0)
    return LSTMGenerator(30, 6, 0, 1, 2, 8, 8, initial_scale=1.0)


def reward(sequences):
    return sequences.tokens.sum(1).float()


def values(policy, sequences):
    rng = torch.Generator().manual_seed(1)
    return action_values(policy, sequences, reward, 4, rng=rng)


def test_a_compiled_policy_gives_the_values_of_the_policy(policy, monkeypatch):
    # Traced as for the compiler, and run without one.
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    failures = []
    compiled = CompiledPolicy(policy, on_failure=failures.append)
    sequences = generate(policy, 8, rng=torch.Generator().manual_seed(2))
    assert torch.equal(values(compiled, sequences), values(policy, sequences))
    assert torch.equal(compiled(sequences).log_prob, policy(sequences).log_prob)
    assert not failures
    with torch.no_grad():
        policy.output.weight.mul_(0.5)  # training changes the policy in place
    assert torch.equal(values(compiled, sequences), values(policy, sequences))


def test_where_compiling_fails_it_says_so_once_and_goes_on(policy, monkeypatch):
    def broken(*args):
        raise RuntimeError("no compiler here\nwith a long explanation")

    monkeypatch.setattr(torch, "compile", lambda *args, **kwargs: broken)
    sequences = generate(policy, 8, rng=torch.Generator().manual_seed(2))
    compiled = CompiledPolicy(policy)
    with pytest.warns(RuntimeWarning, match="RuntimeError: no compiler here$") as caught:
        found = values(compiled, sequences)
        values(compiled, sequences)
    assert torch.equal(found, values(policy, sequences))
    assert len([w for w in caught if "uncompiled" in str(w.message)]) == 1


def test_a_fault_of_the_policy_itself_is_not_hidden(policy, monkeypatch):
    def faulty(tokens, state):
        raise ValueError("the policy's own fault")

    policy.step = faulty
    monkeypatch.setattr(torch, "compile", lambda step, **kwargs: step)
    with pytest.warns(RuntimeWarning), pytest.raises(ValueError, match="own fault"):
        generate(CompiledPolicy(policy), 2)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles for a CPU with g++")
def test_compiled_for_this_machine_it_gives_the_same_sequences(policy):
    failures = []
    compiled = CompiledPolicy(policy, on_failure=failures.append)
    drawn = [generate(p, 50, rng=torch.Generator().manual_seed(2)) for p in (compiled, policy)]
    assert not failures
    assert torch.equal(drawn[0].tokens, drawn[1].tokens)
