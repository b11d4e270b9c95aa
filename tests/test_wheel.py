"""The built wheel: what it holds, and that it works without the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DATA = {".yaml", ".json", ".typed", ".html", ".md", ".css"}


def call(*words: str | Path, cwd: Path) -> str:
    """The output of a command, which must not find this checkout by PYTHONPATH."""
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(word) for word in words], cwd=cwd, capture_output=True, text=True, env=own
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel of what git knows of: files that lie about in the checkout are no part of it."""
    folder = tmp_path_factory.mktemp("wheel")
    call("git", "clone", "--quiet", ROOT, folder / "source", cwd=folder)
    build = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder)
    call(*build, folder / "source", cwd=folder)
    (found,) = folder.glob("*.whl")
    return found


@pytest.mark.slow
def test_it_holds_the_packages_and_nothing_else(wheel):
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    tracked = call("git", "ls-files", "rollout", "seqgan", "benchmarks", cwd=ROOT).splitlines()
    wanted = {
        name
        for name in tracked
        if name.endswith(".py") or (Path(name).suffix in DATA and "benchmarks/results/" not in name)
    }
    assert names == wanted


@pytest.mark.slow
def test_it_works_in_an_environment_of_its_own(wheel, tmp_path):
    call(sys.executable, "-m", "venv", tmp_path / "own", cwd=tmp_path)
    python = tmp_path / "own" / "bin" / "python"
    pins = ROOT / "constraints.txt"
    call(python, "-m", "pip", "install", "--quiet", "-c", pins, wheel, cwd=tmp_path)
    place = call(python, "-c", "import seqgan; print(seqgan.__file__)", cwd=tmp_path)
    assert str(tmp_path) in place
    tools = python.parent
    call(tools / "seqgan", "run", "--size", "smoke", "--output_dir", "run", cwd=tmp_path)
    assert (tmp_path / "run" / "report.html").is_file()
    lines = call(tools / "seqgan", "sample", "--run", "run", "--number", "3", cwd=tmp_path)
    assert len(lines.splitlines()) == 3
    assert "oracle20" in call(tools / "seqgan-bench", "list", cwd=tmp_path)
