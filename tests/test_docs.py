"""Every example of the README and of the docs runs.

The blocks of a page run in order, in one working folder: ``python`` blocks in one namespace,
``bash`` blocks line by line. The README and the tutorials begin in an empty folder (but for the
pretrained model that one of these asks for), the other pages in one that holds what the README's
first commands make. What would take minutes runs with the settings of the size smoke
on top of its own, so that every flag and argument is still read. A comment above a block makes an
exception of it::

    <!-- not run: why -->        it is parsed (flags and all), and not run
    <!-- needs: package -->      the same where the package is not installed
"""

from __future__ import annotations

import dataclasses
import importlib.util
import re
import shlex
import shutil
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from benchmarks.language_model import write_language_model
from benchmarks.tutorials import blocks as fenced
from seqgan.config import DISCRIMINATORS, GENERATORS
from seqgan.config.settings import hints

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("**/*.md"))]
TUTORIALS = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
SIZES = ROOT / "seqgan" / "methods" / "sizes.yaml"
HEAVY = {
    "digits.md", "labels.md", "pretrained.md", "ratio.md", "rewards.md", "training.md",
    "transformer.md", "translation.md",
}  # fmt: skip
"""Pages whose examples take long."""
TRAINING = {"run": "full_run", "pretrain": "pretrain_only", "finetune": "finetune_run"}
"""Commands, and the names by which the command line calls their functions of the pipeline."""
OUTPUTS = {"--output", "--output_dir", "--to"}


class Block(NamedTuple):
    """A fenced block, and whether it is to be run or only parsed.

    Attributes:
        skipped: whether the page says that it is not run, whatever is installed.
    """

    language: str
    code: str
    line: int
    runs: bool
    skipped: bool = False


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page."""
    found = []
    for block in fenced(page):
        runs = block.mark is None
        if block.mark == "needs":
            runs = importlib.util.find_spec(str(block.what)) is not None
        skipped = block.mark == "not run"
        found.append(Block(block.language, block.code, block.line, runs, skipped))
    return found


def commands(code: str) -> list[list[str]]:
    """The commands of a ``bash`` block, comments left out and continued lines joined."""
    lines = code.replace("\\\n", " ").splitlines()
    return [words for words in (shlex.split(line, comments=True) for line in lines) if words]


@pytest.fixture(scope="session")
def workplace(tmp_path_factory) -> Path:
    """A folder with what the README's first commands make: a file of data and a run."""
    folder = tmp_path_factory.mktemp("docs")
    code = "".join(block.code for block in blocks(README) if block.language == "bash")
    makes = [
        words for words in commands(code) if words[:2] in (["seqgan", "data"], ["seqgan", "run"])
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        small(patch)
        for words in makes[:2]:
            assert checked(words, True) == 0, shlex.join(words)
    captions = folder / "captions.txt"
    assert captions.is_file() and (folder / "runs" / "captions").is_dir()
    if importlib.util.find_spec("transformers"):  # the pretrained model that a tutorial begins with
        lines = captions.read_text(encoding="utf-8").splitlines()
        write_language_model(folder / "model", lines=lines, tokens=600)
    return folder


@pytest.fixture
def folder(page, request, tmp_path, monkeypatch) -> Path:
    """The working folder of one page: empty, or a copy of what the README makes."""
    place = tmp_path / "work"
    if page == README or page in TUTORIALS:
        place.mkdir()
        if page.name == "pretrained.md" and importlib.util.find_spec("transformers"):
            shutil.copytree(request.getfixturevalue("workplace") / "model", place / "model")
    else:
        shutil.copytree(request.getfixturevalue("workplace"), place)
    monkeypatch.chdir(place)
    monkeypatch.syspath_prepend(place)  # as of a notebook that is opened there
    return place


def _timed(page: Path):
    marks = [pytest.mark.slow] if page.name in HEAVY else []
    return pytest.param(page, marks=marks, id=page.name)


def small(patch: pytest.MonkeyPatch) -> None:
    """Runs, of the command line and in Python, have the settings of the size smoke on top."""
    from seqgan import pipeline
    from seqgan.cli import commands

    smoke = yaml.safe_load(SIZES.read_text())["smoke"]

    def shrunk(config):
        for name, values in smoke.items():
            group = getattr(config, name)
            has = {key: value for key, value in values.items() if key in vars(group)}
            config = dataclasses.replace(config, **{name: dataclasses.replace(group, **has)})
        return config

    def patched(original):
        return lambda config, *rest, **more: original(shrunk(config), *rest, **more)

    for name in ("run", "pretrain_only", "finetune"):
        patch.setattr(pipeline, name, patched(getattr(pipeline, name)))
    for name in TRAINING.values():
        patch.setattr(commands, name, patched(getattr(commands, name)))


@pytest.fixture
def smoke(monkeypatch):
    """As `small`, for one test."""
    small(monkeypatch)


@pytest.mark.parametrize("page", [_timed(page) for page in PAGES])
def test_examples_run(page, folder, smoke):
    namespace = {"__name__": "__main__"}
    for block in blocks(page):
        if block.language == "python":
            # Line numbers of the page, for whoever has to mend it.
            code = compile("\n" * block.line + block.code, str(page.relative_to(ROOT)), "exec")
            if block.runs:
                exec(code, namespace)
        elif block.language == "bash":
            for words in commands(block.code):
                where = f"{page.name}:{block.line}: {shlex.join(words)}"
                assert checked(words, block.runs) == 0, where
        elif block.language == "yaml":
            yaml.safe_load(block.code)


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.name)
def test_a_tutorial_reads_only_what_it_has_made(page):
    made = {"model", "model/tokenizer.json"}  # a tutorial says how to get them
    for block in blocks(page):
        if block.language != "bash" or block.skipped:
            continue
        for words in commands(block.code):
            outputs = {after for flag, after in pairwise(words) if flag in OUTPUTS}
            read = {word for word in words if re.fullmatch(r"runs/\w+|\w+\.txt", word)}
            assert read - outputs <= made, f"{page.name}:{block.line}: {shlex.join(words)}"
            made |= outputs


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.name)
def test_a_tutorial_says_at_its_top_how_long_it_takes(page):
    top = page.read_text(encoding="utf-8").splitlines()[2]
    assert re.match(r"\*\w+ minutes", top)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_fence_is_understood(page):
    fences = re.findall(r"^\s*```", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(fences) == 2 * len(blocks(page))
    known = {"python", "bash", "yaml", "json", "text", ""}
    assert {block.language for block in blocks(page)} <= known


def test_flags_in_the_text_exist():
    """Those of groups, as ``--corpus.tokenizer``, wherever they stand."""
    from seqgan.config import RunConfig
    from seqgan.config.describe import every_setting

    known = {f"--{name}" for name in every_setting(RunConfig)}
    known |= {flag.rpartition(".")[0] for flag in known}
    assert {"--corpus.tokenizer", "--critic.optimizer"} <= known
    for page in PAGES:
        named = set(re.findall(r"--[a-z]\w*(?:\.\w+)+", page.read_text(encoding="utf-8")))
        assert named <= known, f"{page.name}: {sorted(named - known)}"


def checked(words: list[str], runs: bool) -> int:
    """Runs or at least parses one command; its exit code."""
    program, arguments = words[0], words[1:]
    if program == "seqgan":
        return seqgan(arguments, runs)
    if program == "seqgan-bench":
        from benchmarks.cli import main

        asks = "--help" in arguments or not arguments[1:]
        return main(arguments if asks else [*arguments, "--print_config"])
    if program == "make":
        targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        return 0 if set(arguments) <= set(targets) else 1
    if program == "pip":
        return pip(arguments)
    if program == "tensorboard":
        return 0 if importlib.util.find_spec(program) else 1
    if program in ("torchrun", "accelerate"):  # what they launch is parsed
        module = words.index("-m") + 1
        return seqgan(words[module + 1 :], False) if words[module] == "seqgan" else 1
    if words[0] == "source":
        return 0 if arguments == [".venv/bin/activate"] else 1
    if words[:2] in (["python", "-m"], ["python3", "-m"]):
        return 0 if importlib.util.find_spec(words[2]) else 1
    pytest.fail(f"an example runs {program!r}: say in {Path(__file__).name} how to check it")


def seqgan(arguments: list[str], runs: bool) -> int:
    """``seqgan``; without `runs` only its settings are read."""
    from seqgan.cli.main import main

    if not runs:
        return main([*arguments, "--print_config"])
    if arguments[0] in TRAINING and "--output_dir" in arguments:
        shutil.rmtree(arguments[arguments.index("--output_dir") + 1], ignore_errors=True)
    return main(arguments)


def pip(arguments: list[str]) -> int:
    """``pip install`` of this project from its folder: the extras that it names exist."""
    project = (ROOT / "pyproject.toml").read_text()
    extras = project[project.index("[project.optional-dependencies]") :]
    for word in arguments[1:]:
        named = re.fullmatch(r"\.(?:\[([\w,]+)\])?", word)
        if named is None or arguments[0] != "install":
            return 1
        for extra in (named[1] or "").split(","):
            if extra and not re.search(rf"^{extra} = ", extras, re.MULTILINE):
                return 1
    return 0


def test_the_tests_of_the_examples_can_fail(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert checked(["make", "demo"], True) == 0 and checked(["make", "dmeo"], True) == 1
    assert checked(["pip", "install", ".[eval,rl]"], True) == 0
    assert checked(["pip", "install", ".[all]"], True) == 1
    assert checked(["pip", "install", "seqgan-toolkit[eval]"], True) == 1  # of no registry
    assert checked(["python", "-m", "benchmarks.speed.self_bleu"], True) == 0
    assert checked(["python3", "-m", "venv", ".venv"], True) == 0
    assert checked(["python3", "-m", "venvs", ".venv"], True) == 1
    assert checked(["source", ".venv/activate"], True) == 1
    assert checked(["seqgan", "run", "--size", "quick"], False) == 0
    assert checked(["seqgan", "run", "--prest", "quick"], False) == 2
    assert checked(["seqgan", "run", "--data", "nothing.txt"], True) == 2
    assert checked(["torchrun", "-m", "seqgan", "run", "--size", "quick"], True) == 0
    assert checked(["torchrun", "-m", "seqgan", "run", "--prest", "quick"], True) == 2
    with pytest.raises(pytest.fail.Exception, match="say in test_docs.py"):
        checked(["seqgn", "run"], True)
    page = tmp_path / "page.md"
    page.write_text(
        "<!-- not run: no -->\n\n```bash\nmake a \\\n  b  # c\n\nls\n```\n```python\n1\n```\n"
    )
    bash, python = blocks(page)
    assert not bash.runs and python.runs and python.line == 9
    assert commands(bash.code) == [["make", "a", "b"], ["ls"]]


@pytest.mark.parametrize(
    ("title", "table"), [("Generators", GENERATORS), ("Discriminators", DISCRIMINATORS)]
)
def test_every_architecture_has_its_line_and_its_settings(title, table):
    text = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    text = text.split(f"## {title}\n")[1].split("\n## ")[0]
    for name, kind in table.items():
        line = next(line for line in text.splitlines() if line.startswith(f"| `{name}` |"))
        own = hints(kind).keys() - {"architecture"}
        assert own <= set(re.findall(r"`(\w+)`", line)), name


PATHS = re.compile(
    r"`((?:seqgan|rollout|benchmarks|tests|training|evaluation|docs)/[\w/.-]+\.(?:py|md|yaml|json))`"
)


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_files_in_the_text_exist(page):
    for name in PATHS.findall(page.read_text(encoding="utf-8")):
        places = [ROOT / name, ROOT / "seqgan" / name]
        assert any(place.exists() for place in places), f"{page.name}: {name}"


def test_the_path_of_a_gradient_step_is_short():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = text.split("A gradient step of the policy crosses")[1].split("\n\n")[1]
    assert 0 < sum(line.startswith("| `") for line in table.splitlines()) <= 7
