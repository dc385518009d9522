"""Arrays one below the other, without copying them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from voxscale.arrays._columns import Columns
from voxscale.arrays._series import Array

__all__ = ["Stacked"]


class Stacked:
    """Rows of several arrays as one, read when slices are asked for.

    Parameters
    ----------
    parts : sequence of Columns
        Of as many columns.

    Examples
    --------
    >>> both = Stacked([Columns.of(np.zeros((2, 3))), Columns.of(np.ones((1, 3)))])
    >>> both.shape, both[1:3, 0:1].tolist()
    ((3, 3), [[0.0], [1.0]])
    """

    def __init__(self, parts: Sequence[Columns]) -> None:
        self._parts = list(parts)
        self.shape = (sum(part.shape[0] for part in parts), parts[0].shape[1])
        is_single = all(part.dtype == np.float32 for part in parts)
        self.dtype = np.dtype(np.float32 if is_single else np.float64)

    def __getitem__(self, places: tuple[slice, slice]) -> Array:
        """Read some rows, from start to stop, of some columns."""
        rows, columns = places
        start, stop, _ = rows.indices(self.shape[0])
        found, first = [], 0
        for part in self._parts:
            n_rows = part.shape[0]
            mine = slice(max(0, start - first), max(0, min(n_rows, stop - first)))
            if mine.start < mine.stop:
                found.append(self._read(part, mine, columns))
            first += n_rows
        return np.concatenate(found)

    def _read(self, part: Columns, rows: slice, columns: slice) -> Array:
        if rows == slice(0, part.shape[0]):
            return part.read(columns, self.dtype)
        return part.rows(rows, self.dtype)[:, columns]

    def __array__(self, *_: Any, **__: Any) -> Array:
        """Refuse: this would read everything."""
        msg = "stacked arrays are read by slices"
        raise TypeError(msg)
