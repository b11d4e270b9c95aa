"""The method of `seqgan finetune` on a run whose method was the default one."""

from __future__ import annotations

from dataclasses import asdict

import pytest
import yaml

from seqgan.cli.parsing import parse
from seqgan.config import RunConfig


@pytest.mark.parametrize(
    ("words", "method", "size"),
    [
        ([], "ratio", "standard"),
        (["--algorithm.kl_weight", "0.1"], "ratio", "standard"),
        (["--size", "quick"], "ratio", "quick"),
        (["--algorithm.rollouts", "2"], "seqgan-logodds", "standard"),
        (["--size", "quick", "--algorithm.rollouts", "2"], "seqgan-logodds", "quick"),
        (["--size", "quick", "--critic.steps", "9"], "seqgan-logodds", "quick"),
        (["--transfer", "--data", "oracle"], "seqgan-logodds", "standard"),
        (["--rewards", "length"], "rloo", "standard"),
        (["--size", "quick", "--rewards", "length"], "rloo", "quick"),
        (["--method", "ratio", "--size", "quick"], "ratio", "quick"),
    ],
)
def test_the_settings_choose_it_and_its_rounds_come_with_it(tmp_path, words, method, size):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(asdict(RunConfig())))
    found = parse("finetune", [str(tmp_path), *words])
    assert (found.method, found.size) == (method, size)
    assert found.adversarial == RunConfig(method=method, size=size).adversarial
