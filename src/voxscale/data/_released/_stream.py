"""Give the arrays of a file one after the other, in blocks that fit in little memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from voxscale.arrays import Array
from voxscale.data._files import FilePath, present
from voxscale.data._released._arrays import FoundArray
from voxscale.data._released._limits import limits_of
from voxscale.data._released._machine import Machine
from voxscale.data._released._source import Source
from voxscale.data._released._steps import STEPS

__all__ = ["StreamedArray", "stream_released"]

_BLOCK_MIB = 64.0


@dataclass(frozen=True)
class StreamedArray:
    """An array that is being read.

    Parameters
    ----------
    number : int
        How many arrays were before it in the file; as `inspect_released` says.
    dtype : numpy.dtype
    shape : tuple of int
    axis : int
        Along which it comes: 0, or the last axis where its columns lie together.
    """

    number: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    axis: int
    _found: FoundArray = field(repr=False)
    _block_bytes: int = field(repr=False)

    def blocks(self) -> Iterator[tuple[int, Array]]:
        """Yield where a block begins along ``axis``, and the block; once.

        It must be done before the next array is asked for.

        Blocks are read-only, in the byte order of this machine.

        Raises
        ------
        ValueError
            If they were taken before, the next array was asked for, or the file was closed.
        """
        return self._found.blocks(self._block_bytes)


def stream_released(
    path: FilePath, *, max_gib: float | None = None, block_mib: float = _BLOCK_MIB
) -> Iterator[StreamedArray]:
    """Yield the arrays of a file that joblib wrote, in its order, without holding them.

    Nothing that the file names is run. Arrays that lie within tables and stand-ins are among
    them; what is not taken of an array is passed over. Those that pickle wrote, without
    joblib, are held one at a time, since their shape comes after their numbers.

    Parameters
    ----------
    path : path-like
    max_gib : float, optional
        Most that the file may unpack to. By default a hundred times its size, or 1 GiB where
        that is more.
    block_mib : float
        Most of a block, but for one row or column, in MiB.

    Yields
    ------
    StreamedArray

    Raises
    ------
    DataError
        As `read_released`, when it comes to the place.
    ValueError
        If ``block_mib`` or ``max_gib`` is not above 0.

    Examples
    --------
    Predictions from weights that do not fit in memory, C- or F-ordered:

    >>> import joblib, tempfile, pathlib, numpy as np
    >>> weights, X = np.arange(12.0).reshape(4, 3), np.ones((2, 4))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "weights.jbl")
    ...     _ = joblib.dump(weights, path, compress=3)
    ...     predictions = np.zeros((2, 3))
    ...     for array in stream_released(path):
    ...         for start, block in array.blocks():
    ...             if array.axis == 0:
    ...                 predictions += X[:, start : start + len(block)] @ block
    ...             else:
    ...                 predictions[:, start : start + block.shape[1]] = X @ block
    >>> predictions[0]
    array([18., 22., 26.])
    """
    if not 0 < block_mib < float("inf"):
        msg = f"block_mib is {block_mib}; expected MiB above 0."
        raise ValueError(msg)
    limits_of(1, max_gib, is_held=False)  # raises; the file is opened when the first is asked for
    return _streamed(present(path), max_gib, max(1, int(block_mib * 2**20)))


def _streamed(path: Path, max_gib: float | None, block_bytes: int) -> Iterator[StreamedArray]:
    with closing(Source(path, max_gib)) as source:
        for found in Machine(source, STEPS).run():
            found.value = found.known()
            if not found.dtype.hasobject:
                axis = len(found.shape) - 1 if found.order == "F" and len(found.shape) > 1 else 0
                yield StreamedArray(
                    found.number, found.dtype, found.shape, axis, found, block_bytes
                )
        source.end()
