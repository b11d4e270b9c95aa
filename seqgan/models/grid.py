"""Positions of the pixels of a picture: an embedding of the row and one of the column.

Shapes: E embedding.
"""

from __future__ import annotations

from torch import Tensor, nn

from ..data.spec import TokenSpec
from ..errors import ConfigError

__all__ = ["Grid"]


class Grid(nn.Module):
    """Embeddings of the places of tokens that stand row by row.

    Args:
        spec: the token ids of pictures.
        size: E.

    Raises:
        ConfigError: the sequences are no pictures.
    """

    def __init__(self, spec: TokenSpec, size: int):
        super().__init__()
        if not spec.width:
            raise ConfigError("--generator.grid: the sequences are no pictures; leave it out")
        self.width, self.last = spec.width, spec.max_length - 1
        self.rows = nn.Embedding(-(-spec.max_length // spec.width), size)
        self.columns = nn.Embedding(spec.width, size)

    def forward(self, positions: Tensor) -> Tensor:
        """The vectors [..., E] of positions in a sequence, int64 [...], from 0."""
        positions = positions.clamp(max=self.last)
        vectors: Tensor = self.rows(positions // self.width) + self.columns(positions % self.width)
        return vectors
