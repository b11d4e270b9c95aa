"""Pictures of the environments' prefixes: as text, or as an image of that text."""

from __future__ import annotations

import gymnasium
import numpy as np

__all__ = ["RENDER_MODES", "checked_render_mode", "rendered", "warn_of_no_mode"]

RENDER_MODES = ("ansi", "rgb_array")
HEIGHT, WIDTH, MARGIN, LINE = 160, 640, 8, 24  # pixels; a video needs frames of one size
PAPER, INK = (255, 255, 255), (0, 0, 0)


def checked_render_mode(mode: str | None) -> str | None:
    """`mode`, if it is one of those that the environments have.

    Raises:
        ValueError: it is none of them.
    """
    if mode is not None and mode not in RENDER_MODES:
        modes = " or ".join(repr(known) for known in RENDER_MODES)
        raise ValueError(f"render_mode must be None, {modes}, got {mode!r}")
    return mode


def rendered(text: str, mode: str) -> str | np.ndarray:
    """A prefix as the mode shows it: the text itself, or uint8 [HEIGHT, WIDTH, 3]."""
    return text if mode == "ansi" else _picture(text)


def warn_of_no_mode() -> None:
    """Warns that there is nothing to render."""
    modes = " or ".join(f"render_mode={mode!r}" for mode in RENDER_MODES)
    gymnasium.logger.warn(f"render() shows nothing without {modes}")


def _picture(text: str) -> np.ndarray:
    """The text in black on white, broken where a line is full; of a long one the end."""
    from PIL import Image, ImageDraw, ImageFont  # takes its time, and few ask for pictures

    font = ImageFont.load_default(LINE * 2 // 3)
    lines, room = [""], WIDTH - 2 * MARGIN
    for character in " ".join(text.split()):
        if font.getlength(lines[-1] + character) > room:
            lines.append("")
        lines[-1] += character
    image = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    draw = ImageDraw.Draw(image)
    for row, line in enumerate(lines[-((HEIGHT - 2 * MARGIN) // LINE) :]):
        draw.text((MARGIN, MARGIN + row * LINE), line, fill=INK, font=font)
    return np.asarray(image).copy()
