"""The report in headless Chromium: drawn, readable, and quiet, at 1,280 and at 390 pixels."""

from __future__ import annotations

import pytest

from seqgan.report import write_report
from seqgan.runs.run_directory import RunDirectory

from .browser import SCHEMES, WIDTHS, chromium, complaints, look
from .folder import make_run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="there is no Chromium"),
]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return write_report(RunDirectory.open(make_run(tmp_path_factory.mktemp("runs") / "captions")))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_figure_is_drawn_and_nothing_is_asked_for(report, width, scheme):
    seen = look(report, width, scheme)
    assert not complaints(seen, width, scheme)
    assert len(seen["figures"]) == 12 and seen["texts"] > 100


def test_what_is_wrong_is_noticed(report, tmp_path):
    page = report.read_text(encoding="utf-8")
    end = page.index("</main>")
    policy = page.index('<meta http-equiv="Content-Security-Policy"')
    wrong = tmp_path / "wrong.html"
    bad = (
        '<img src="http://example.com/pixel.png"><p style="width:900px">wide text</p>'
        '<p style="color:#999">dim text</p><script>console.error("oh no")</script>'
    )
    opened = page[:policy] + page[page.index(">", policy) + 1 : end] + bad + page[end:]
    wrong.write_text(opened, encoding="utf-8")
    found = "\n".join(complaints(look(wrong, 390, "light"), 390, "light"))
    for part in ("oh no", "asks for http://example.com/pixel.png", "'wide text' runs out", "'dim"):
        assert part in found, found
    wrong.write_text(page[:end] + bad + page[end:], encoding="utf-8")
    found = "\n".join(complaints(look(wrong, 390, "light"), 390, "light"))
    assert "example.com" not in "".join(look(wrong, 390, "light")["asked"])  # the policy holds
    assert "Content Security Policy" in found
