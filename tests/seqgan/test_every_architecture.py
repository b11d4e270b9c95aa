"""The whole path with every architecture but the defaults, which all other tests use."""

from __future__ import annotations

import json
import shlex
import signal
from itertools import zip_longest

import pytest
import yaml

from benchmarks.cli import main as bench
from seqgan.cli.main import main
from seqgan.config import DISCRIMINATORS, GENERATORS
from seqgan.data.text.tokenizers import make_tokenizer
from seqgan.hub import TextGenerator

from ..small import sizes
from .signals import send
from .tiny import TINY, TINY_WORK, differences, outcome

TEXTS = [name for name, kind in DISCRIMINATORS.items() if kind.reads_text]
OF_TOKENS = [name for name in DISCRIMINATORS if name not in TEXTS]
BOUND = [(name, kind.judge) for name, kind in GENERATORS.items() if kind.judge is not None]
"""Generators with the only discriminator that they can be trained with."""
FAST = ("gru", "mlp")
"""The pair that is no slow test; the property tests of networks go through all of them."""
PAIRS = [
    pytest.param(*pair, marks=() if pair == FAST else pytest.mark.slow)
    for pair in [
        *BOUND,
        *zip_longest(
            [name for name in [*GENERATORS][1:] if GENERATORS[name].judge is None],
            [name for name in OF_TOKENS[1:] if name not in dict(BOUND).values()],
            fillvalue=None,
        ),
        *((None, name) for name in TEXTS),
    ]
]


def settings(group: str, name: str | None) -> dict:
    """Small settings of an architecture; of the default one if it has no name."""
    kinds = GENERATORS if group == "generator" else DISCRIMINATORS
    name = name or next(iter(kinds))
    kind = kinds[name]
    return {"architecture": name, **sizes(kind)}


def flags(group: str, name: str | None) -> list[str]:
    """The same as flags."""
    return [f"--{group}.{each}={value}" for each, value in settings(group, name).items()]


def own_text(generator: str | None) -> tuple[str, str] | None:
    """Text and tokenizer of a generator that reads no other data."""
    model = settings("generator", generator).get("model")
    return None if model is None else (f"{model}/text.txt", f"{model}/tokenizer.json")


@pytest.mark.parametrize(("generator", "discriminator"), PAIRS)
def test_a_run_ends_resumes_and_is_used(generator, discriminator, tmp_path, capsys, monkeypatch):
    chosen = [*flags("generator", generator), *flags("discriminator", discriminator)]
    own, tiny, named = own_text(generator), TINY, []
    if own is not None:
        named = ["--tokenizer", own[1]]
        tiny = ["--data", own[0], "--corpus.tokenizer", own[1], *TINY_WORK]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert main(["run", *tiny, *chosen, "--output_dir", str(whole)]) == 0
    command = ["run", *tiny, *chosen, "--output_dir", str(parts)]
    for step in (5, 12, 5):  # in MLE, in the rounds, in the control
        with monkeypatch.context() as patch:
            send(patch, signal.SIGTERM, step)
            capsys.readouterr()
            assert main(command) == 128 + signal.SIGTERM
        command = shlex.split(capsys.readouterr().err.split("resume with: ")[1])[1:]
    assert main(command) == 0
    assert not differences(outcome(whole), outcome(parts))
    assert (whole / "report.html").is_file()
    capsys.readouterr()
    assert main(["sample", "--run", str(whole), "--number", "3", *named]) == 0
    lines = capsys.readouterr().out.splitlines()
    model = TextGenerator.from_run(whole, tokenizer=own and own[1])
    assert model.policy.settings.architecture == settings("generator", generator)["architecture"]
    model.save_pretrained(tmp_path / "hub")
    again = TextGenerator.from_pretrained(
        tmp_path / "hub",
        tokenizer=None if own is None else make_tokenizer(own[1]),
        base_model=settings("generator", generator).get("model"),
        base_encoder=settings("discriminator", discriminator).get("encoder"),
    )
    assert again.sample(3) == lines
    scores = tmp_path / "scores.json"
    assert main(["evaluate", "--run", str(whole), "--output", str(scores), *named]) == 0
    results = json.loads((whole / "results.json").read_text())
    assert json.loads(scores.read_text())["finetuned"] == results["scores"]["finetuned"]


@pytest.mark.parametrize(("generator", "discriminator"), PAIRS)
def test_a_benchmark_takes_it(generator, discriminator, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own, splits = own_text(generator), ("num_train", "num_validation", "num_heldout", "num_test")
    source = {"data": "oracle", "corpus": {"vocabulary": 20, "length": 5, "hidden": 4}}
    if own is not None:
        source, splits = {"data": own[0], "corpus": {"tokenizer": own[1]}}, ()
    suite = {
        "title": "a tiny source",
        "config": source,
        "sizes": {
            "smoke": {
                "corpus": dict.fromkeys(splits, 40),
                "generator": settings("generator", generator),
                "pretrain": {"epochs": 1},
                "discriminator": settings("discriminator", discriminator),
                "critic": {"steps": 2, "measure_every": 1},
                "algorithm": {"batch_size": 8, "rollouts": 1},
                "adversarial": {"rounds": 1, "measure_every": 1},
                "evaluation": {"num_samples": 40, "sweep_samples": 40, "resamples": 50},
            }
        },
    }
    if discriminator is not None and DISCRIMINATORS[discriminator].per_token:
        form = [{"name": "discriminator", "form": "log_odds"}]
        suite["methods"] = {"seqgan": {"recipe": "seqgan", "config": {"rewards": form}}}
    if (generator, discriminator) in BOUND:  # the recipe's discriminator is another one
        own_judge = {
            "discriminator": settings("discriminator", discriminator) | {"filter_share": 1.0}
        }
        suite["methods"] = {"seqgan": {"recipe": "seqgan", "config": own_judge}}
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(suite))
    command = ["run", "tiny.yaml", "--size", "smoke"]
    assert bench([*command, "--output_dir", "out"]) == 0
    found = [json.loads(path.read_text()) for path in (tmp_path / "out").rglob("*.json")]
    arm = next(each for each in found if each.get("arm") == "seqgan-logodds")
    for group, name in (("generator", generator), ("discriminator", discriminator)):
        wanted = settings(group, name)
        assert {key: arm["config"][group][key] for key in wanted} == wanted
