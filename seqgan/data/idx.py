"""The idx format of MNIST: arrays of unsigned bytes, big-endian sizes before them.

Four bytes say what follows: two zeros, the type of the numbers (8: unsigned bytes), the number of
dimensions; then each dimension in four bytes, then the numbers (LeCun, Cortes and Burges).
"""

from __future__ import annotations

import math
import struct
import zlib

import numpy as np
import numpy.typing as npt

from ..errors import DataError
from .text.streams import open_file

__all__ = ["read_idx"]

UNSIGNED_BYTES = 8
MAX_BYTES = 2**30
"""Most bytes of a file once unpacked: 1.3 million pictures of 28 by 28."""


def read_idx(path: str, dimensions: int) -> npt.NDArray[np.uint8]:
    """The array of an idx file, unpacked where its name ends in .gz.

    Args:
        path: the file.
        dimensions: of the array: 3 for pictures, 1 for labels.

    Raises:
        DataError: it is missing, cut, too large, or holds something else.
    """
    try:
        with open_file(path, MAX_BYTES) as stream:
            content = stream.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be unpacked ({error})") from None
    if len(content) > MAX_BYTES:
        raise DataError(f"{path}: holds more than {MAX_BYTES:,} bytes")
    begin = 4 + 4 * dimensions
    if len(content) < begin or content[:4] != bytes((0, 0, UNSIGNED_BYTES, dimensions)):
        raise DataError(
            f"{path}: is no idx file of unsigned bytes with {dimensions} dimension"
            f"{'s' * (dimensions > 1)} (MNIST's format)"
        )
    shape = struct.unpack(f">{dimensions}I", content[4:begin])
    if len(content) - begin != math.prod(shape):
        raise DataError(
            f"{path}: holds {len(content) - begin:,} numbers, and its head says "
            f"{' x '.join(map(str, shape))}: the file is cut or damaged"
        )
    return np.frombuffer(content, dtype=np.uint8, offset=begin).reshape(shape)
