"""The report in headless Chromium: drawn, readable, and quiet, at 1,280 and at 390 pixels."""

from __future__ import annotations

import pytest

from seqgan.report import write_report
from seqgan.report.explaining import write_explanations
from seqgan.runs.run_directory import RunDirectory

from .browser import SCHEMES, WIDTHS, chromium, complaints, look
from .folder import make_run
from .test_explaining import explanation

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


@pytest.fixture(scope="module")
def explained(tmp_path_factory):
    """Twenty sequences of three lengths: an SVG, a picture, a table that is cut."""
    found = [explanation((12, 50, 90)[number % 3]) for number in range(20)]
    return write_explanations(found, tmp_path_factory.mktemp("explain"), "r", "finetuned", "mle")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_explanations_are_drawn_and_nothing_is_asked_for(explained, width, scheme):
    seen = look(explained, width, scheme)
    slanted = "the numbers along x run into each other"  # so do the boxes of slanted words
    found = [x for x in complaints(seen, width, scheme) if not x.endswith(slanted)]
    assert not found, "\n".join(found)
    assert len(seen["figures"]) == 7 and seen["texts"] > 1_000


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
