"""IDX files: the format of MNIST, an array of unsigned bytes behind a short header.

Header, big-endian: two zero bytes, the type (8 = unsigned byte), the number of dimensions, then
each dimension as 32 bits. Format: LeCun, Cortes & Burges, The MNIST database, 1998.

Read here and not by torchvision, whose import alone takes one to two seconds, several times what
loading and checking the whole of MNIST takes. torchvision reads the same files.
"""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from taller_cnn.errors import DataError
from taller_cnn.files import atomic_path

__all__ = ["parse_idx", "write_idx"]

UNSIGNED_BYTE = 8


def parse_idx(content: NDArray[np.uint8], path: Path) -> NDArray[np.uint8]:
    """The array in the bytes of an IDX file, a view on `content`.

    Args:
        content: all bytes of the uncompressed file, shape ``(n_bytes,)``.
        path: where they came from, for the error.

    Raises:
        DataError: not an IDX file of unsigned bytes, or its length is not what its header says.
    """
    head = content[:4].tobytes()
    if len(head) < 4 or head[:3] != bytes((0, 0, UNSIGNED_BYTE)) or head[3] == 0:
        raise DataError("idx_format", path=path, found=head.hex(" "))
    rank = head[3]
    start = 4 + 4 * rank
    if len(content) < start:
        raise DataError("idx_length", path=path, expected=start, found=len(content))
    shape = struct.unpack(f">{rank}I", content[4:start].tobytes())
    length = start + math.prod(shape)
    if len(content) != length:
        raise DataError("idx_length", path=path, expected=length, found=len(content))
    try:
        return content[start:].reshape(shape)
    except ValueError as error:  # an empty array with more or longer sides than numpy can have
        raise DataError("idx_format", path=path, found=head.hex(" ")) from error


def write_idx(path: Path, array: NDArray[np.uint8]) -> None:
    """Write an array of unsigned bytes, 1 to 255 dimensions, as an IDX file, atomically.

    Raises:
        OutputError: the folder cannot be written or the disk is full.
    """
    assert array.dtype == np.uint8, array.dtype
    header = struct.pack(f">HBB{array.ndim}I", 0, UNSIGNED_BYTE, array.ndim, *array.shape)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(header)
        file.write(np.ascontiguousarray(array).tobytes())
