"""A page that is followed: what is run, what is left out, and the clock."""

from __future__ import annotations

import pytest

from benchmarks.tutorials import ROOT, blocks, followed, script

PAGE = """# A page

```bash
pip install .
echo one > one.txt
```

<!-- not run: no -->
```bash
exit 7
```

```python
print(open("one.txt").read())
open("two.txt", "w").write("2")
```

```text
not a command
```
"""


def test_what_is_run(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    whole, bare = script(page, installed=False), script(page, installed=True)
    assert "pip install ." in whole and "pip install" not in bare
    assert "echo one" in bare and "exit 7" not in whole and "not a command" not in whole
    assert [block.line for block in blocks(page)] == [3, 9, 13, 18]


def test_a_page_is_followed_with_a_clock(tmp_path, monkeypatch):
    page, folder = tmp_path / "page.md", tmp_path / "folder"
    page.write_text(PAGE)
    monkeypatch.setattr("benchmarks.tutorials.ROOT", ROOT / "docs" / "images")  # little to copy
    folder.mkdir()
    found = followed(page, folder, installed=True)
    assert [each["line"] for each in found] == [4, 14]
    assert all(each["seconds"] >= 0 for each in found)
    assert (folder / "two.txt").read_text() == "2" and (folder / "report.png").is_file()
    page.write_text("```bash\nfalse\n```\n")
    (folder / "moments").unlink()
    with pytest.raises(SystemExit, match="a command after line begin ended with 1"):
        followed(page, folder, installed=True)
