"""The Dockerfile: what it copies is there, and its RUN lines work in an empty environment."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LINES = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text()).splitlines()


def instructions(name: str) -> list[str]:
    """The arguments of an instruction, in order."""
    return [line.split(None, 1)[1] for line in LINES if line.split(None, 1)[:1] == [name]]


def copied() -> list[str]:
    """The files and folders that the image gets."""
    return [name for line in instructions("COPY") for name in line.split()[:-1]]


def test_it_copies_what_the_package_is_built_from():
    project = (ROOT / "pyproject.toml").read_text()
    assert all((ROOT / name).exists() for name in copied())
    packages = re.search(r'include = \["(\w+)\*", "(\w+)\*", "(\w+)\*"\]', project)
    assert packages is not None and {*packages.groups(), "pyproject.toml"} <= set(copied())
    assert {"README.md", "LICENSE"} <= set(copied())  # which pyproject.toml names
    assert instructions("ENTRYPOINT") == [f'["{environment()["VENV"]}/bin/seqgan"]']


def environment() -> dict[str, str]:
    """The variables that ARG and ENV set."""
    pairs = [line.split("=", 1) for line in (*instructions("ARG"), *instructions("ENV"))]
    return {name: value.strip('"') for name, value in pairs}


def build_arguments() -> dict[str, str]:
    """The arguments that the comments at the file's head suggest."""
    head = "\n".join(line for line in LINES if line.startswith("#"))
    return dict(re.findall(r'--build-arg (\w+)="([^"]*)"', head))


def test_the_arguments_at_its_head_are_those_of_the_project():
    found = build_arguments()
    assert found.keys() == {"TORCH", "EXTRAS"} < environment().keys()
    pinned = re.search(r"^torch==(.*)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert pinned is not None and found["TORCH"].endswith(f" torch=={pinned[1]}+cpu")
    # Another index in the place of the usual one lacks versions that the constraints ask for.
    assert "--extra-index-url" in found["TORCH"] and "--index-url" not in found["TORCH"].split()
    project = (ROOT / "pyproject.toml").read_text()
    for extra in found["EXTRAS"].strip("[]").split(","):
        assert re.search(rf"^{extra} = ", project, re.MULTILINE), extra


@pytest.mark.slow
@pytest.mark.parametrize("name", ["TORCH", "EXTRAS"])
def test_its_install_line_is_solved_with_the_arguments_at_its_head(name):
    line = next(line for line in instructions("RUN") if f"${name}" in line)
    # Of an environment that has everything already; nothing is installed.
    line = line.replace('"$VENV/bin/pip" install', f"{sys.executable} -m pip install --dry-run -I")
    variables = {**os.environ, **environment(), **build_arguments(), "PIP_RETRIES": "0"}
    done = subprocess.run(
        ["sh", "-ec", line], cwd=ROOT, env=variables, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    wanted = {"TORCH": "+cpu", "EXTRAS": "scikit-learn"}
    assert wanted[name] in done.stdout


@pytest.mark.slow
def test_its_run_lines_work_in_an_empty_environment(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for name in copied():
        place = ROOT / name
        if place.is_dir():
            skip = shutil.ignore_patterns("__pycache__", "results")
            shutil.copytree(place, source / name, ignore=skip)
        else:
            shutil.copy(place, source / name)
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    variables = {**kept, **environment(), "VENV": str(tmp_path / "venv")}
    for line in instructions("RUN"):
        line = line.replace("/tmp/smoke", str(tmp_path / "smoke"))
        done = subprocess.run(
            ["sh", "-ec", line], cwd=source, env=variables, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    program = tmp_path / "venv" / "bin" / "seqgan"
    done = subprocess.run([program, "--version"], env=kept, capture_output=True, text=True)
    assert done.stdout.startswith("seqgan-toolkit ")
