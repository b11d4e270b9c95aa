"""The notebooks of the docs: jupytext reads them, and their cells run as they stand.

With small settings they run in `test_docs`, as every page does.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from .test_docs import blocks

FOLDER = Path(__file__).parents[1] / "docs" / "notebooks"
NOTEBOOKS = [page for page in sorted(FOLDER.glob("*.md")) if page.name != "index.md"]


def test_there_are_some_and_the_first_page_names_them():
    text = (FOLDER / "index.md").read_text(encoding="utf-8")
    assert len(NOTEBOOKS) >= 3
    assert all(f"({page.name})" in text for page in NOTEBOOKS)


@pytest.mark.parametrize("page", NOTEBOOKS, ids=lambda page: page.stem)
def test_jupytext_reads_the_cells_that_the_page_shows(page):
    jupytext = pytest.importorskip("jupytext", reason="needs the extra docs (make docs)")
    notebook = jupytext.read(page)
    assert notebook.metadata["kernelspec"]["language"] == "python"
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    assert cells == [block.code.rstrip("\n") for block in blocks(page)]
    assert {block.language for block in blocks(page)} == {"python"}


@pytest.mark.slow
@pytest.mark.parametrize("page", NOTEBOOKS, ids=lambda page: page.stem)
def test_a_notebook_runs_as_it_stands(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    namespace = {"__name__": "__main__"}
    for block in blocks(page):
        exec(compile("\n" * block.line + block.code, str(page), "exec"), namespace)
