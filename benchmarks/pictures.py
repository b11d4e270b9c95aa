"""The pictures of the docs, made from runs: pages of reports and explanations in Chromium.

    python -m benchmarks.pictures report explain --runs runs/pictures --output docs/images

makes the runs that these pictures need, each by the command that stands in `RUNS`, unless the
folder holds them already, and photographs their pages. ``--use NAME=FOLDER`` takes a run that is
somewhere else. Grids of digits and rolls of music are made by ``benchmarks.digits`` and
``benchmarks.music``.
"""

from __future__ import annotations

import argparse
import io
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from seqgan.cli.main import main as seqgan

__all__ = ["PICTURES", "RUNS", "Shot", "main", "opened", "shoot"]

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
COLOURS = 128
"""Of a picture: text and plain areas need no more."""
RUNS: dict[str, str | None] = {
    "demo": "--data grammar --size quick --corpus.num_train 4000",
    "explained": (
        "--data grammar --method seqgan-logodds --size quick --corpus.num_train 2000 "
        "--generator.architecture transformer --generator.width 64 --generator.layers 2 "
        "--pretrain.epochs 8 --pretrain.optimizer.learning_rate 0.002 "
        "--discriminator.architecture cnn --discriminator.widths [1,2,3] "
        "--discriminator.filters [32,32,32] --critic.steps 200 "
        "--adversarial.rounds 2 --evaluation.control false --evaluation.num_samples 200 "
        "--evaluation.sweep_samples 200"
    ),
    "digits": (
        "--data digits --method seqgan-logodds --size quick --corpus.label true "
        "--generator.hidden 192 --generator.dropout 0.3 --generator.grid true"
    ),
    "music": (
        "--data irish --method rloo --rewards in_key --size quick --corpus.label true "
        "--corpus.meter 6/8 --corpus.bars 16 --generator.hidden 160 --generator.dropout 0.3"
    ),
    "molecules": None,
}
"""Flags of ``seqgan run`` by the name of the run; None: `benchmarks.molecules` makes it."""


class Shot(NamedTuple):
    """A picture of a page.

    Attributes:
        run: key of `RUNS`.
        page: within the run's folder; an SVG file is a page too.
        width: of the window, pixels.
        height: of the window: what is below is not in the picture.
        begin: of the page's text, what is at the top; none: the beginning.
        details: what is folded up is opened.
    """

    run: str
    page: str
    width: int = 1280
    height: int = 1700
    begin: str = ""
    details: bool = False


PICTURES = {
    "report": Shot("demo", "report.html", 1100, 1270),
    "report-curves": Shot("demo", "report.html", 1100, 720, "<h2>Quality and diversity"),
    "explain": Shot("explained", "explain/explain.html", 1280, 1400),
    "explain-attention": Shot(
        "explained", "explain/explain.html", 1280, 1150, "<details>\n<summary>Attention", True
    ),
    "digits-report": Shot("digits", "report.html"),
    "music-report": Shot("music", "report.html"),
    "molecules-report": Shot("molecules", "report.html"),
    "molecules-mle": Shot("molecules", "samples/mle.svg", 800, 600),
    "molecules-finetuned": Shot("molecules", "samples/finetuned.svg", 800, 600),
    "molecules-real": Shot("molecules", "samples/real.svg", 800, 600),
}
"""Pictures of docs/images by their names."""


def opened(page: str, begin: str = "", details: bool = False) -> str:
    """A page as it is photographed: from some of its text on, with all that is folded up open.

    Pages of the toolkit run no scripts, so both are done to their text.
    """
    if begin:
        body = page.index("<body>") + len("<body>")
        page = page[:body] + "\n<main>\n" + page[page.index(begin) :]
    return page.replace("<details>", "<details open>") if details else page


def shoot(page: Path, picture: Path, shot: Shot) -> None:
    """Photographs a page in Chromium, in light colours.

    Raises:
        SystemExit: there is no Chromium, or it takes no picture.
    """
    program = next((path for path in map(shutil.which, PROGRAMS) if path), None)
    if program is None:
        raise SystemExit(f"pictures of pages need one of {', '.join(PROGRAMS)}")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        copied, taken = folder / page.name, folder / "taken.png"
        text = page.read_text(encoding="utf-8")
        if page.suffix == ".html":
            text = opened(text, shot.begin, shot.details)
        copied.write_text(text, encoding="utf-8")
        flags = [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            "--no-first-run", "--virtual-time-budget=4000", f"--user-data-dir={folder / 'profile'}",
            "--blink-settings=preferredColorScheme=1", f"--screenshot={taken}",
            f"--window-size={shot.width},{shot.height}",
        ]  # fmt: skip
        done = subprocess.run(
            [program, *flags, copied.as_uri()], capture_output=True, text=True, timeout=300
        )
        if not taken.is_file():
            raise SystemExit(f"{program} took no picture of {page}: {done.stderr[-500:]}")
        content = io.BytesIO()
        small = Image.open(taken).convert("RGB").quantize(COLOURS)
        small.save(content, "PNG", optimize=True)
    picture.write_bytes(content.getvalue())


def made(name: str, folder: Path) -> Path:
    """The folder of a run, made by its command if it is not there.

    Raises:
        SystemExit: it cannot be made.
    """
    place, flags = folder / name, RUNS[name]
    if (place / "results.json").is_file():
        return place
    if flags is None:
        raise SystemExit(
            f"{place} holds no finished run; python -m benchmarks.{name} makes one: name it with "
            f"--use {name}=FOLDER"
        )
    _seqgan(["run", *shlex.split(flags), "--device", "cpu", "--output_dir", str(place)])
    return place


def _seqgan(words: list[str]) -> None:
    print(f"seqgan {shlex.join(words)}", flush=True)
    if code := seqgan(words):
        raise SystemExit(code)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("pictures", nargs="+", choices=PICTURES)
    parser.add_argument("--runs", type=Path, default=Path("runs/pictures"))
    parser.add_argument("--use", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--output", type=Path, default=Path("docs/images"))
    options = parser.parse_args(arguments)
    elsewhere = dict(each.split("=", 1) for each in options.use)
    if wrong := elsewhere.keys() - RUNS.keys():
        parser.error(f"--use: {min(wrong)} is none of {', '.join(RUNS)}")
    options.output.mkdir(parents=True, exist_ok=True)
    for name in options.pictures:
        shot = PICTURES[name]
        run = Path(elsewhere[shot.run]) if shot.run in elsewhere else made(shot.run, options.runs)
        page = run / shot.page
        if shot.page.startswith("explain/") and not page.is_file():
            _seqgan(["explain", "--run", str(run), "--number", "1", "--seed", "1"])
        if not page.is_file():
            raise SystemExit(f"{page} is not there")
        shoot(page, options.output / f"{name}.png", shot)
        print(options.output / f"{name}.png", file=sys.stderr)


if __name__ == "__main__":
    main()
