"""The package says of itself what is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import seqgan

ROOT = Path(__file__).parents[1]


def test_the_version_is_the_installed_one():
    from importlib.metadata import version

    assert version("seqgan-toolkit") == seqgan.__version__


def test_every_package_is_typed_and_every_constraint_pinned():
    for name in ("rollout", "seqgan", "benchmarks"):
        assert (ROOT / name / "py.typed").is_file()
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.+]+", pin) for pin in pins)
    assert "torch==2.13.0" in pins


def test_names_that_are_not_there():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = seqgan.nothing


def test_nothing_heavy_is_imported_for_help():
    import subprocess
    import sys

    code = (
        "import sys, seqgan, seqgan.cli; seqgan.cli.main(['--help']); print('torch' in sys.modules)"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert printed.splitlines()[-1] == "False"
