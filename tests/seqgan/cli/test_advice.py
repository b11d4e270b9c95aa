"""Advice in error messages works when it is followed, with the command that printed it."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

from benchmarks.cli import COMMANDS as BENCHMARKS
from seqgan.cli.main import COMMANDS, main
from seqgan.config.dotted import import_dotted
from seqgan.pipeline import running

from ..advice import check_advice, flags_in, flags_of

ROOT = Path(__file__).parents[3]
RINGS = ("C", "N", "O", "CC", "CN", "CO", "c1ccccc1", "C(=O)")
MOLECULES = [a + b + c for a in RINGS for b in RINGS for c in RINGS][:300]
WORDS = [f"the {a} cat sees the {b}" for a in MOLECULES[:20] for b in MOLECULES[:20]][:300]
NUMBERS = [f"{i} {i % 7} {i % 11} 5 6" for i in range(300)]
FILES = {
    "molecules.csv": "SMILES,SPLIT\n" + "".join(f"{each},train\n" for each in MOLECULES),
    "molecules.tsv": "SMILES\tSPLIT\n" + "".join(f"{each}\ttrain\n" for each in MOLECULES),
    "molecules.txt": "".join(f"{each}\n" for each in MOLECULES),
    "nameless.csv": "".join(f"{i},{each},{i % 3}\n" for i, each in enumerate(WORDS)),
    "texts.jsonl": "".join(json.dumps({"id": i, "text": x}) + "\n" for i, x in enumerate(WORDS)),
    "lists.json": json.dumps([line.split() for line in WORDS]),
    "numbers.json": json.dumps([[int(n) for n in line.split()] for line in NUMBERS]),
}


class Done(Exception):
    """The training would begin."""


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).write_text(content)
    monkeypatch.chdir(tmp_path)

    def begun(*_, **__):
        raise Done

    monkeypatch.setattr(running, "_pretrained", begun)
    return tmp_path


def works(arguments: list[str]) -> bool:
    try:
        return main(arguments) == 0
    except Done:
        return True


def advised(error: str) -> list[str]:
    """The first flag with a value that a message names, its placeholder filled in."""
    flag, value = re.search(r"(--[a-z_.]+) ((?:true|false|[A-Z]+|[a-z0-9]+))\b", error).groups()
    if value == "NAME":
        names = re.search(r"(?:columns|fields): ([^)]*)", error)[1].split(", ")
        value = "text" if "text" in names else names[0]
    return [flag, "2" if value == "N" else value]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("command", ["data", "run --data", "evaluate --references molecules.txt"])
def test_advice_on_reading_is_followed_to_the_end(here, capsys, command, name):
    arguments = command.split()
    if arguments[0] == "evaluate":
        arguments = ["evaluate", "--samples", name, "--references", name, "--resamples", "2"]
        arguments += ["--num_samples", "20"]
    else:
        arguments.append(name)
    given: list[str] = []
    for _ in range(4):
        capsys.readouterr()
        if works([*arguments, *given]):
            break
        error = capsys.readouterr().err
        check_advice([arguments[0]], error)
        given += advised(error)
    else:
        pytest.fail(f"{arguments} {given}: {error}")
    assert given or name == "molecules.txt", "every other file of these needs a flag"


def strings(path: Path) -> list[str]:
    """The texts in a module; what f-strings put in is marked."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "\0" for part in node.values]
            found.append("".join(parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(node.value)
    return found


OF_OTHER_PROGRAMS = {
    "--name", "--no-deps", "--nnodes", "--nproc_per_node", "--rdzv_backend", "--rdzv_endpoint",
    "--porcelain", "--error-unmatch", "--basetemp", "--headless", "--no-sandbox", "--disable-gpu",
    "--hide-scrollbars", "--no-first-run", "--virtual-time-budget", "--user-data-dir",
    "--blink-settings", "--screenshot", "--window-size",
}  # fmt: skip


def test_every_flag_that_the_code_names_is_one():
    known = set(OF_OTHER_PROGRAMS).union(*(flags_of(command) for command in COMMANDS))
    for command in BENCHMARKS.values():
        known |= {f"--{each.name}" for each in fields(import_dotted(command.settings, "-"))}
    count = 0
    for path in [*(ROOT / "seqgan").rglob("*.py"), *(ROOT / "benchmarks").glob("*.py")]:
        own = set(re.findall(r'add_argument\("(--\w+)"', path.read_text(encoding="utf-8")))
        for text in strings(path):
            for flag in flags_in(text):
                count += 1
                assert flag in known | own, f"{path}: {flag}"
    assert count > 200
