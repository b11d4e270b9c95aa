"""Pictures as tokens: grey levels row by row, shown as a grid of pictures."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from rollout import Sequences

from ..errors import CheckpointError
from .id_codec import IdCodec
from .spec import TokenSpec
from .text.tokenizers import Tokenizer

__all__ = ["PictureCodec"]

SHOWN = 100
"""Pictures of a grid, at most."""
PAPER, SEAM, SIDE = 255, 1, 48
"""Grey of the gaps of a grid, their width in pixels of a picture, the side of a picture in pixels
of the screen."""


class PictureCodec(IdCodec):
    """Grey levels as token ids: 0 is dark, ``levels - 1`` is bright.

    As text a picture is its numbers, blanks between them, row after row.

    Args:
        spec: the token ids; the id `levels` is BOS, and stands after a sequence's end.
        height: rows of a picture.
        width: columns of a picture.
        levels: grey levels.
    """

    kind: ClassVar[str] = "pictures"
    suffix: ClassVar[str] = ".png"

    def __init__(self, spec: TokenSpec, height: int, width: int, levels: int):
        super().__init__(spec)
        self.height, self.width, self.levels = height, width, levels

    @classmethod
    def of(cls, height: int, width: int, levels: int, labels: int = 0) -> PictureCodec:
        """The codec of pictures of one size, asked for by one of `labels` labels."""
        ids = (levels + 1, levels, None, levels, height * width, (levels,))
        return cls(TokenSpec(*ids, labels=labels, width=width), height, width, levels)

    def lacks(self, tokens: Any) -> list[Any]:
        """The numbers that are no grey levels."""
        return [token for token in tokens if not 0 <= token < self.levels]

    def brightness(self, sequences: Sequences) -> npt.NDArray[np.float64]:
        """The pixels [B, height * width] of sequences, from 0 (dark) to 1 (bright).

        A pixel that a sequence lacks is dark.
        """
        count = self.height * self.width
        pixels = torch.zeros(len(sequences), count, dtype=torch.int64)
        found = torch.where(sequences.mask, sequences.tokens, 0).cpu()[:, :count]
        pixels[:, : found.shape[1]] = found.clamp(max=self.levels - 1)
        return pixels.numpy() / (self.levels - 1)

    def picture(self, sequences: Sequences) -> bytes:
        """The first pictures as one PNG: a grid, row by row, in the order of their labels."""
        pictures = self.brightness(sequences.select(_shown(sequences)))
        columns = max(1, math.ceil(math.sqrt(len(pictures))))
        rows = max(1, math.ceil(len(pictures) / columns))
        high, wide = self.height + SEAM, self.width + SEAM
        page = np.full((rows * high + SEAM, columns * wide + SEAM), PAPER, dtype=np.uint8)
        for number, picture in enumerate(pictures):
            top, left = number // columns * high + SEAM, number % columns * wide + SEAM
            grey = np.rint(255 * picture).astype(np.uint8).reshape(self.height, self.width)
            page[top : top + self.height, left : left + self.width] = grey
        scale = max(1, SIDE // self.width)
        content = io.BytesIO()
        Image.fromarray(page.repeat(scale, 0).repeat(scale, 1)).save(content, "PNG")
        return content.getvalue()

    def show(self, sequences: Sequences, place: Path) -> Path:
        """Writes a picture file with a grid of the first pictures."""
        file = place.with_suffix(self.suffix)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(self.picture(sequences))
        return file

    def fingerprint(self) -> str:
        """Size and grey levels."""
        return f"pictures-{self.height}x{self.width}x{self.levels}"

    def save(self, folder: Path) -> dict[str, Any]:
        """Writes nothing; returns size and grey levels."""
        return {"height": self.height, "width": self.width, "levels": self.levels}

    @classmethod
    def load(
        cls, folder: Path, spec: TokenSpec, content: Mapping[str, Any], tokenizer: Tokenizer | None
    ) -> PictureCodec:
        """The codec that `save` described."""
        sizes = [content.get(name) for name in ("height", "width", "levels")]
        height, width, levels = (size if type(size) is int else 0 for size in sizes)
        # The sizes that fit the generator's tokens are small enough to work with.
        if min(height, width) < 1 or levels < 2 or spec.max_length != height * width:
            raise CheckpointError(f"{folder}: pictures of {sizes}: not those of the generator")
        if spec.vocab_size != levels + 1:
            raise CheckpointError(
                f"{folder}: pictures of {levels} grey levels, but the generator has "
                f"{spec.vocab_size} tokens"
            )
        return cls(spec, height, width, levels)


def _shown(sequences: Sequences) -> torch.Tensor:
    """The rows of the pictures of a grid: equally many of each label, one label after another."""
    rows = torch.arange(len(sequences))
    condition = sequences.condition
    if not isinstance(condition, dict) or "label" not in condition:
        return rows[:SHOWN]
    labels = condition["label"].cpu()
    each = max(1, SHOWN // len(labels.unique()))
    return torch.cat([rows[labels == label][:each] for label in labels.unique()])[:SHOWN]
