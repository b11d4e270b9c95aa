"""A whole run on pairs with a label: the source reaches generator, rollouts and discriminator."""

from __future__ import annotations

import json

import pytest
import torch

from seqgan.cli.main import main

from ...small import sizes
from ..tiny import TINY_WORK, without_report

WORDS = dict(
    zip("red green blue big small".split(), "rot gruen blau gross klein".split(), strict=True)
)


@pytest.fixture
def pairs(tmp_path):
    rng = torch.Generator().manual_seed(0)
    lines = ["target\tsource\tstyle"]
    for _ in range(300):
        chosen = torch.randint(5, (int(torch.randint(2, 5, (), generator=rng)),), generator=rng)
        source = [[*WORDS][i] for i in chosen.tolist()]
        target = [WORDS[word] for word in source]
        style = "ab"[int(torch.randint(2, (), generator=rng))]
        lines.append(f"{' '.join(target)}\t{' '.join(source)}\t{style}")
    (tmp_path / "pairs.tsv").write_text("\n".join(lines) + "\n")
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("generator", "discriminator"), [("lstm", "causal_lstm"), ("transformer", "transformer")]
)
def test_a_run_on_pairs(pairs, generator, discriminator, monkeypatch, capsys):
    from seqgan.config import DISCRIMINATORS, GENERATORS

    without_report(monkeypatch)
    flags = []
    for group, kind, name in (
        ("generator", GENERATORS[generator], generator),
        ("discriminator", DISCRIMINATORS[discriminator], discriminator),
    ):
        flags += [f"--{group}.architecture", name]
        flags += [f"--{group}.{key}={value}" for key, value in sizes(kind).items()]
    path = pairs / "run"
    words = ["run", "--data", str(pairs / "pairs.tsv"), "--corpus.column", "target"]
    words += ["--corpus.source", "source", "--corpus.label", "style"]
    assert main([*words, *TINY_WORK, *flags, "--output_dir", str(path)]) == 0
    assert json.loads((path / "results.json").read_text())["verdict"]
    (pairs / "ask.txt").write_text("red blue\nbig\nsmall green red\n")
    capsys.readouterr()
    asked = ["--source", str(pairs / "ask.txt"), "--condition", "a"]
    assert main(["sample", "--run", str(path), *asked]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and {*" ".join(lines).split()} <= {*WORDS.values(), "<unk>"}
    bare = ["explain", "--run", str(path), "--text", "rot blau", "--condition", "a"]
    assert main(bare) == 2 and "--source TEXT" in capsys.readouterr().err
    assert main([*bare, "--source", "red blue", "--rollouts", "1"]) == 0
    (found,) = json.loads((path / "explain" / "explain.json").read_text())["sequences"]
    maps = torch.tensor(found["attention"]["generator to its source"]["mean"])
    assert maps.shape == (len(found["tokens"]), 3) == (3, 3)  # both with their ends
    assert torch.allclose(maps.sum(1), torch.ones(3), atol=1e-3) and found["values"]
