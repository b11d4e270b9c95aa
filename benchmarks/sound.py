"""A tune as sound: rendered by fluidsynth, measured by sox.

    python -m benchmarks.sound docs/images/music-tune.mid --output music-sound.json

Debian has both programs, and the sound font as fluid-soundfont-gm.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seqgan.runs.files import write_json

from .continued import facts

__all__ = ["FONT", "installed", "main", "sound_of"]

FONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
MEASURED = {
    "seconds": "Length (seconds)",
    "rms": "RMS     amplitude",
    "loudest": "Maximum amplitude",
}
"""Figures of ``sox -n stat``; amplitudes are shares of the largest one."""


def installed() -> bool:
    """Tells if the programs and the sound font are there."""
    return FONT.is_file() and all(map(shutil.which, ("fluidsynth", "sox")))


def sound_of(tune: Path) -> dict[str, float]:
    """Length and loudness of a MIDI file.

    Args:
        tune: the file.

    Returns:
        The names of `MEASURED` and their figures.
    """
    with tempfile.TemporaryDirectory() as folder:
        sound = str(Path(folder) / "tune.wav")
        play = ["fluidsynth", "-ni", "-F", sound, "-r", "22050", str(FONT), str(tune)]
        subprocess.run(play, check=True, capture_output=True)
        heard = subprocess.run(
            ["sox", sound, "-n", "stat"], check=True, capture_output=True, text=True
        )
    figures = {}
    for name, title in MEASURED.items():
        found = re.search(rf"^{re.escape(title)}:\s*(-?[\d.]+)$", heard.stderr, re.MULTILINE)
        assert found is not None, heard.stderr
        figures[name] = float(found[1])
    return figures


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("tune", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args(arguments)
    if not installed():
        raise SystemExit(f"fluidsynth, sox and {FONT} are needed")
    content: dict[str, Any] = {
        "tune": options.tune.name,
        "sha256": hashlib.sha256(options.tune.read_bytes()).hexdigest(),
        "sound": sound_of(options.tune),
    }
    write_json(options.output, {**facts(), **content})


if __name__ == "__main__":
    main()
