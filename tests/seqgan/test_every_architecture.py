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
from seqgan.hub import TextGenerator
from seqgan.training.runtime import Runtime

from ..small import sizes
from .tiny import TINY, differences, outcome

PAIRS = list(zip_longest([*GENERATORS][1:], [*DISCRIMINATORS][1:], fillvalue=None))


def settings(group: str, name: str | None) -> dict:
    """Small settings of an architecture; of the default one if it has no name."""
    kinds = GENERATORS if group == "generator" else DISCRIMINATORS
    name = name or next(iter(kinds))
    kind = kinds[name]
    return {"architecture": name, **sizes(kind)}


def flags(group: str, name: str | None) -> list[str]:
    """The same as flags."""
    return [f"--{group}.{each}={value}" for each, value in settings(group, name).items()]


@pytest.mark.parametrize(("generator", "discriminator"), PAIRS)
def test_a_run_ends_resumes_and_is_used(generator, discriminator, tmp_path, capsys, monkeypatch):
    chosen = [*flags("generator", generator), *flags("discriminator", discriminator)]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert main(["run", *TINY, *chosen, "--output_dir", str(whole)]) == 0
    command = ["run", *TINY, *chosen, "--output_dir", str(parts)]
    for step in (5, 12, 5):  # in MLE, in the rounds, in the control
        with monkeypatch.context() as patch:
            left, original = [step], Runtime.pause

            def pause(self, left=left, original=original):
                left[0] -= 1
                if not left[0]:
                    signal.raise_signal(signal.SIGTERM)
                original(self)

            patch.setattr(Runtime, "pause", pause)
            capsys.readouterr()
            assert main(command) == 128 + signal.SIGTERM
        command = shlex.split(capsys.readouterr().err.split("resume with: ")[1])[1:]
    assert main(command) == 0
    assert not differences(outcome(whole), outcome(parts))
    assert (whole / "report.html").is_file()
    capsys.readouterr()
    assert main(["sample", "--run", str(whole), "--number", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    model = TextGenerator.from_run(whole)
    assert model.policy.settings.architecture == settings("generator", generator)["architecture"]
    model.save_pretrained(tmp_path / "hub")
    assert TextGenerator.from_pretrained(tmp_path / "hub").sample(3) == lines
    scores = tmp_path / "scores.json"
    assert main(["evaluate", "--run", str(whole), "--output", str(scores)]) == 0
    results = json.loads((whole / "results.json").read_text())
    assert json.loads(scores.read_text())["finetuned"] == results["scores"]["finetuned"]


@pytest.mark.parametrize(("generator", "discriminator"), PAIRS)
def test_a_benchmark_takes_it(generator, discriminator, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    suite = {
        "title": "a tiny oracle",
        "config": {"data": "oracle", "corpus": {"vocabulary": 20, "length": 5, "hidden": 4}},
        "sizes": {
            "smoke": {
                "corpus": dict.fromkeys(("num_train", "num_validation", "num_heldout"), 40)
                | {"num_test": 40},
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
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(suite))
    command = ["run", "tiny.yaml", "--size", "smoke"]
    assert bench([*command, "--output_dir", "out"]) == 0
    found = [json.loads(path.read_text()) for path in (tmp_path / "out").rglob("*.json")]
    arm = next(each for each in found if each.get("arm") == "seqgan-logodds")
    for group, name in (("generator", generator), ("discriminator", discriminator)):
        wanted = settings(group, name)
        assert {key: arm["config"][group][key] for key in wanted} == wanted
