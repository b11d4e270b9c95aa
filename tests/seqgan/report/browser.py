"""A report in a real browser: what it draws, asks for, and complains of.

As a program it checks reports of one's own, and leaves pictures of them::

    python -m tests.seqgan.report.browser runs/captions/report.html --pictures folder
"""

from __future__ import annotations

import argparse
import html
import json
import re
import shutil
import subprocess
import tempfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

WIDTHS = (1280, 390)
SCHEMES = ("light", "dark")

# Runs in a page that holds the report in a frame of the width asked for.
LOOK = """
<!DOCTYPE html><meta charset="utf-8"><link rel="icon" href="data:,">
<style>body { margin: 0 } iframe { border: 0; display: block }</style>
<iframe src="report.html" style="width: WIDTHpx; height: 900px"></iframe><pre id="seen"></pre>
<script>
const parts = c => (c.match(/[\\d.]+/g) || []).map(Number);
const over = (top, under) => {
  const [r, g, b, a = 1] = parts(top);
  return [r, g, b].map((x, i) => a * x + (1 - a) * under[i]);
};
function background(e, page) {
  const chain = [];
  for (; e; e = e.parentElement) chain.unshift(e.ownerDocument.defaultView.getComputedStyle(e));
  return chain.reduce((under, style) => over(style.backgroundColor, under), page);
}
const light = c => c.map(x => (x /= 255) <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4)
  .reduce((sum, x, i) => sum + x * [0.2126, 0.7152, 0.0722][i], 0);
function contrast(a, b) {
  const [high, low] = [light(a), light(b)].sort((x, y) => y - x);
  return (high + 0.05) / (low + 0.05);
}
document.querySelector("iframe").onload = () => {
  const frame = document.querySelector("iframe"), page = frame.contentDocument;
  const view = frame.contentWindow, root = page.documentElement;
  page.querySelectorAll("details").forEach(d => d.open = true);
  const base = over(view.getComputedStyle(page.body).backgroundColor, [255, 255, 255]);
  const seen = { width: view.innerWidth, overflow: root.scrollWidth - view.innerWidth,
                 background: base, figures: [], texts: 0, dim: [], small: [], wide: [] };
  for (const svg of page.querySelectorAll("figure[id] svg")) {
    const box = svg.getBoundingClientRect();
    const labels = [...svg.querySelectorAll("text")].filter(t => t.textContent.trim());
    const outside = labels.filter(t => {
      const b = t.getBoundingClientRect();
      return b.left < box.left - 6 || b.right > box.right + 6;
    });
    const ticks = [...svg.querySelectorAll("[id*='-xtick_'] text")]
      .map(t => t.getBoundingClientRect()).sort((a, b) => a.left - b.left);
    seen.figures.push({
      name: svg.closest("figure").id, width: box.width, height: box.height,
      shapes: svg.querySelectorAll("path, use").length, labels: labels.length,
      outside: outside.map(t => t.textContent.trim()),
      crowded: ticks.some((b, i) => i && b.left < ticks[i - 1].right + 1),
      font: Math.min(...labels.map(t => parseFloat(view.getComputedStyle(t).fontSize)
        * Math.hypot(t.getScreenCTM().a, t.getScreenCTM().b))),
    });
  }
  for (const e of page.querySelectorAll("body *")) {
    const own = [...e.childNodes].filter(n => n.nodeType == 3).map(n => n.data.trim()).join("");
    const box = e.getBoundingClientRect();
    if (!own || !box.width) continue;
    seen.texts++;
    const style = view.getComputedStyle(e), svg = e.closest("svg");
    const start = own.slice(0, 30), beyond = box.right > view.innerWidth + 1;
    const ratio = contrast(over(svg ? style.fill : style.color, base), background(e, base));
    if (ratio < 4.5) seen.dim.push([start, ratio]);
    if (!svg && parseFloat(style.fontSize) < 10.5) seen.small.push([start, style.fontSize]);
    if (!e.closest(".scroll, pre") && beyond) seen.wide.push(start);
  }
  document.getElementById("seen").textContent = JSON.stringify(seen);
};
</script>
"""


def chromium() -> str | None:
    """The browser's program, or None."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for path in map(shutil.which, names) if path), None)


class _Place(SimpleHTTPRequestHandler):
    """Serves a folder, and stands in for the rest of the world as a proxy: all that is noted."""

    def __init__(self, *arguments: Any, asked: list[str], **settings: Any):
        self.asked = asked
        super().__init__(*arguments, **settings)

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.asked.append(self.path)
        super().do_GET()

    def do_CONNECT(self) -> None:
        self.asked.append(self.path)
        self.send_error(403)


def look(report: Path, width: int, scheme: str, picture: Path | None = None) -> dict[str, Any]:
    """Opens a report in a frame, and tells what is to be seen there.

    Args:
        report: the HTML file.
        width: of the page, in pixels.
        scheme: light or dark.
        picture: PNG file for a picture of the page; None: none is taken.

    Returns:
        What the page's own script found, the addresses that were asked for ("asked"), and what
        the browser wrote on its console ("console").
    """
    asked: list[str] = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        site = folder / "site"
        site.mkdir()
        shutil.copy(report, site / "report.html")
        (site / "empty.html").write_text("<!doctype html>", encoding="utf-8")
        (site / "look.html").write_text(LOOK.replace("WIDTH", str(width)), encoding="utf-8")
        place = partial(_Place, asked=asked, directory=str(site))
        with ThreadingHTTPServer(("127.0.0.1", 0), place) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            here = f"http://127.0.0.1:{server.server_port}"
            flags = [
                "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                "--disable-background-networking", "--disable-component-update", "--no-first-run",
                "--enable-logging=stderr", f"--user-data-dir={folder / 'profile'}",
                f"--proxy-server={here}", "--virtual-time-budget=4000",
                f"--blink-settings=preferredColorScheme={int(scheme == 'light')}",
            ]  # fmt: skip
            # A browser has errands of its own, whatever page it shows.
            _browse([*flags, "--dump-dom", f"{here}/empty.html"])
            errands = set(asked)
            page = _browse([*flags, "--dump-dom", f"{here}/look.html"])
            if picture is not None:
                size = [f"--window-size={max(width, 500)},9000", f"--screenshot={picture}"]
                _browse([*flags, *size, f"{here}/report.html"])
            server.shutdown()
    found = re.search(r'<pre id="seen">(.+?)</pre>', page.stdout, flags=re.S)
    assert found is not None, f"the page did not open: {page.stderr[-2000:]}"
    console = [line for line in page.stderr.splitlines() if "CONSOLE" in line]
    seen: dict[str, Any] = json.loads(html.unescape(found[1]))
    return {**seen, "asked": [x for x in asked if x not in errands], "console": console}


def _browse(flags: list[str]) -> subprocess.CompletedProcess[str]:
    program = chromium()
    assert program is not None
    return subprocess.run([program, *flags], capture_output=True, text=True, timeout=120)


def complaints(seen: dict[str, Any], width: int, scheme: str) -> list[str]:
    """What is wrong with a page, in words; empty where all is well."""
    found = [f"the console says: {line}" for line in seen["console"]]
    found += [f"asks for {address}" for address in seen["asked"] if not _own(address)]
    if seen["width"] != width:
        found.append(f"is {seen['width']} pixels wide, not {width}")
    if seen["overflow"] > 0:
        found.append(f"is {seen['overflow']} pixels wider than its window")
    if (sum(seen["background"]) > 3 * 128) != (scheme == "light"):
        found.append(f"has the background {seen['background']} in the {scheme} scheme")
    found += [f"{text!r}: contrast {ratio:.1f}" for text, ratio in seen["dim"]]
    found += [f"{text!r}: only {size}" for text, size in seen["small"]]
    found += [f"{text!r} runs out of the page" for text in seen["wide"]]
    for figure in seen["figures"]:
        name = figure["name"]
        if figure["width"] < 250 or figure["height"] < 80:
            found.append(f"figure {name}: {figure['width']:.0f} by {figure['height']:.0f} pixels")
        if figure["shapes"] < 5 or figure["labels"] < 3:
            found.append(f"figure {name}: hardly anything is drawn")
        if figure["outside"]:
            found.append(f"figure {name}: {figure['outside']} stand outside")
        if figure["crowded"]:
            found.append(f"figure {name}: the numbers along x run into each other")
        if figure["font"] < 8.5:
            found.append(f"figure {name}: letters of {figure['font']:.1f} pixels")
    return found


def _own(address: str) -> bool:
    """Whether a request is ours, or one that the browser makes for itself."""
    home = r"(http://)?(accounts|android.clients|clients2|optimizationguide-pa|redirector|update)\.(google|gvt1|googleapis)\.com[:/].*"
    return address in ("/look.html", "/report.html") or bool(re.fullmatch(home, address))


def main() -> int:
    """Checks the reports that are named; 1 where something is wrong with one."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("reports", nargs="+", type=Path)
    parser.add_argument("--pictures", type=Path, help="folder for pictures")
    arguments = parser.parse_args()
    wrong = 0
    for report in arguments.reports:
        for width in WIDTHS:
            for scheme in SCHEMES:
                picture = None
                if arguments.pictures is not None:
                    arguments.pictures.mkdir(parents=True, exist_ok=True)
                    picture = arguments.pictures.resolve() / f"{width}-{scheme}.png"
                seen = look(report, width, scheme, picture)
                found = complaints(seen, width, scheme)
                wrong += bool(found)
                print(f"{report}, {width} pixels, {scheme}: {len(seen['figures'])} figures")
                print("".join(f"  {line}\n" for line in found), end="")
    return int(wrong > 0)


if __name__ == "__main__":
    raise SystemExit(main())
