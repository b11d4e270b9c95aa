"""Runs under a constraint: samples, rollouts, gradients and measurements keep it."""

from __future__ import annotations

import json

import pytest
import torch

from rollout import ConstrainedPolicy, Sequences
from seqgan.cli.main import main
from seqgan.cli.parsing import parse
from seqgan.config import GrammarCorpus, PolicyGradient, RunConfig
from seqgan.config.imports import dotted_names
from seqgan.data.constraints import build_constraint, check_allowed
from seqgan.data.sources import load_data
from seqgan.errors import ConfigError

from ..tiny import TINY, without_report
from .test_policy_methods import player_of

HERE = "tests.seqgan.training.test_constraints"


def rising(codec):
    """No token may be smaller than the one before it."""
    size = 3 if codec is None else codec.spec.vocab_size
    return lambda rows: [[not row or t >= row[-1] for t in range(size)] for row in rows]


def nothing(codec):
    """It allows EOS at the start, and nothing afterwards."""
    return lambda rows: [[not row and t == codec.spec.eos_id for t in range(99)] for row in rows]


def broken(codec):
    raise ZeroDivisionError("no rule today")


@pytest.fixture(scope="module")
def data():
    corpus = GrammarCorpus(num_train=60, num_validation=20, num_heldout=20, num_test=20)
    return load_data("grammar", corpus, seed=1)


def test_the_grammar_allows_its_own_and_nothing_else(data):
    rule = build_constraint("grammar", data.codec)
    rows = data.train.to_lists()
    for row in rows[:5]:
        masks = rule([row[:n] for n in range(len(row))])
        assert all(mask[token] for mask, token in zip(masks, row, strict=True))
        # A sequence of one more allowed token is possible, one of another token is not.
        for n, mask in enumerate(masks):
            for token in (int(mask.nonzero()[0][0]), int((~mask).nonzero()[0][0])):
                one = Sequences.from_lists([[*row[:n], token]], data.spec.pad_id)
                found = data.density(one).log_prob.sum().isfinite().item()
                assert found == mask[token]


def test_names_and_functions(data, monkeypatch):
    assert build_constraint("none", data.codec) is None
    for name, message in (
        ("smilse", r"--constraint: 'smilse' is none of none, smiles.*did you mean 'smiles'"),
        (f"{HERE}:broken", "calling it with the codec failed: ZeroDivisionError: no rule today"),
        ("smiles", "goes with --corpus.tokenizer smiles or characters, not spaces"),
    ):
        with pytest.raises(ConfigError, match=message):
            build_constraint(name, data.codec)
    with pytest.raises(ConfigError, match=r"returned \[1, 99\] for 1 prefixes"):
        build_constraint(f"{HERE}:nothing", data.codec)([[]])
    assert build_constraint(f"{HERE}:rising", data.codec)([[5]]).sum() == data.spec.vocab_size - 5
    monkeypatch.setattr(f"{HERE}.rising", lambda codec: lambda rows: [[0] * codec.spec.vocab_size])
    with pytest.raises(ConfigError, match=r"allows no token after '.*'; allow EOS \(id 2\)"):
        build_constraint(f"{HERE}:rising", data.codec)([[5]])
    with pytest.raises(ConfigError, match="--constraint is for --algorithm.name policy_gradient"):
        RunConfig(method="ratio", constraint="grammar")
    assert dotted_names({"constraint": "a.b:c"}) == [("constraint", "a.b:c")]


def test_data_that_break_it_are_named(data):
    from dataclasses import replace

    check_allowed(replace(data, constraint=build_constraint("grammar", data.codec)))
    ruled = replace(data, constraint=build_constraint(f"{HERE}:rising", data.codec))
    with pytest.raises(ConfigError, match="forbids the validation sequence '"):
        check_allowed(ruled)


def total(sequences):
    return sequences.tokens.float().sum(1)


@pytest.mark.parametrize("rollouts", [0, 2])
def test_the_gradient_is_that_of_the_constrained_policy(rollouts):
    """By enumeration: the mean loss gradient over many batches is minus that of the reward."""
    settings = PolicyGradient(rollouts=rollouts, baseline="none", batch_size=64, kl_weight=0.1)
    player = player_of(settings, total, constraint=rising(None))
    acting = player.acting
    assert isinstance(acting, ConstrainedPolicy)
    every = torch.cartesian_prod(*[torch.arange(3)] * 3)
    batch = Sequences(every, torch.full((27,), 3))
    log_prob = acting(batch).log_prob.sum(1)
    possible = log_prob.isfinite()
    assert possible.sum() == 10 and log_prob.exp().sum().item() == pytest.approx(1, abs=1e-5)
    expected = (log_prob[possible].exp() * total(batch)[possible]).sum()
    weight = player.policy.head.weight
    (right,) = torch.autograd.grad(expected, weight)
    found = []
    for _ in range(40):
        drawn, figures = player._batch()
        assert float(figures["kl"]) == pytest.approx(0, abs=1e-6)
        rows = drawn.whole.to_lists()
        assert all(row == sorted(row) for row in rows)
        (gradient,) = torch.autograd.grad(
            player._loss(drawn, torch.tensor(0.0), None, None), weight
        )
        found.append(-gradient)
        player.progress.number += 1
    found = torch.stack(found)
    error = found.std(0) / len(found) ** 0.5
    assert ((found.mean(0) - right).abs() <= 4.5 * error + 1e-5).all()


def test_a_run_and_its_samples_keep_it(tmp_path, monkeypatch, capsys):
    without_report(monkeypatch)
    path = tmp_path / "run"
    words = ["--rewards", "length", "--constraint", "grammar", "--algorithm.rollouts", "1"]
    words += ["--adversarial.rounds", "2"]
    assert main(["run", *TINY, *words, "--output_dir", str(path)]) == 0
    scores = json.loads((path / "results.json").read_text())["scores"]
    for model in ("mle", "finetuned"):
        (parsed,) = [each["value"] for each in scores[model] if each["name"] == "parses"]
        assert parsed == 1.0
    log = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    kl = [line["kl"] for line in log if line["stage"] == "health"]
    assert kl and all(value < 1e6 for value in kl)
    capsys.readouterr()
    sample = ["sample", "--run", str(path), "--number", "20"]
    assert main([*sample, "--constraint", "grammar"]) == 0
    codec = load_data("grammar", GrammarCorpus(num_train=60), seed=1)
    for line in capsys.readouterr().out.splitlines():
        row = [*codec.codec.encode(line), codec.spec.eos_id]
        one = Sequences.from_lists([row], codec.spec.pad_id, terminated=True)
        assert len(row) > 12 or codec.density(one).log_prob.sum().isfinite()
    with pytest.raises(ConfigError, match="--trust imports it"):
        stored = {"constraint": "a.b:c"}
        with monkeypatch.context() as patch:
            original = __import__("seqgan").runs.run_directory.RunDirectory.config
            patch.setattr(
                "seqgan.runs.run_directory.RunDirectory.config",
                lambda self: {**original(self), **stored},
            )
            parse("finetune", ["--run", str(path)])
