"""What identifies a fit: everything that can change its numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from voxscale.arrays import Array
from voxscale.arrays._columns import Columns
from voxscale.fit._splits import Split

__all__ = ["fingerprint_of"]

_BYTES_AT_ONCE = 2**25


# Raised whenever the same arrays and settings give other numbers than before.
RECIPE = 1


def fingerprint_of(
    X: Columns, Y: Columns, splits: Sequence[Split], **settings: Any
) -> dict[str, Any]:
    """Describe a fit in plain values: its settings, and digests of its arrays.

    Parameters
    ----------
    X, Y : Columns
        Read once, some columns at a time.
    splits : list of (train_rows, validation_rows)
    **settings
        Numbers, texts, None, or arrays, which are digested.

    Returns
    -------
    dict
    """
    rows = [part for split in splits for part in split]
    described: dict[str, Any] = {
        "recipe": RECIPE,
        "X": _columns_digest(X),
        "Y": _columns_digest(Y),
        "splits": _digest(*rows),
    }
    for name, value in settings.items():
        is_plain = value is None or isinstance(value, bool | int | float | str)
        described[name] = value if is_plain else _digest(np.asarray(value))
    return described


def _columns_digest(columns: Columns) -> str:
    n_rows, n_columns = columns.shape
    width = columns.aligned(max(1, _BYTES_AT_ONCE // max(1, 8 * n_rows)))
    found = hashlib.blake2b(f"{columns.shape}".encode(), digest_size=16)
    for start in range(0, n_columns, width):
        values = columns.read(slice(start, min(start + width, n_columns)), "float64")
        # In the order of columns, so that the width of what is read leaves no trace.
        found.update(np.ascontiguousarray(values.T).data)
    return found.hexdigest()


def _digest(*arrays: Array) -> str:
    found = hashlib.blake2b(digest_size=16)
    for array in arrays:
        found.update(f"{array.shape} {array.dtype.kind}".encode())
        found.update(
            np.ascontiguousarray(array).data
            if array.dtype.kind != "U"
            else repr(array.tolist()).encode()
        )
    return found.hexdigest()
