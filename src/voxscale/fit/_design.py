"""A design matrix, read and checked a part at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from voxscale.arrays import Array
from voxscale.arrays._columns import Columns
from voxscale.errors import FitError
from voxscale.fit._samples import Samples

__all__ = [
    "bytes_needed",
    "chunks",
    "converted_bytes",
    "design_tensor",
    "means_of",
    "read_design",
]

# Numbers converted to float64 at a time.
_CHUNK = 2**24


def design_tensor(
    X: Any,
    device: torch.device,
    dtype: torch.dtype,
    kept: Array | None = None,
    means: Array | None = None,
) -> Tensor:
    """Check a design matrix and copy it to a device, about means where they are given.

    Only the kept rows; the others are 0.
    """
    columns = Columns.of(X, "X")
    name = str(dtype).removeprefix("torch.")
    samples = Samples(columns.shape[0], kept, None)
    values = read_design(columns, samples, name, means)
    if kept is not None:
        every = np.zeros(columns.shape, dtype=values.dtype)
        every[kept] = values
        values = every
    return torch.from_numpy(values).to(device)


def read_design(columns: Columns, samples: Samples, dtype: str, means: Array | None) -> Array:
    """Read the rows that count, less the means, times the roots of their weights."""
    kept, root = _kept_rows(columns, samples)
    n_features = columns.shape[1]
    values = np.empty((len(kept), n_features), dtype=dtype)
    is_as_read = means is None and samples.root is None
    for part in chunks(len(kept), n_features):
        exact = columns.rows(kept[part], dtype if is_as_read else "float64")
        if means is not None:
            exact = exact - means
        if samples.root is not None:
            exact = exact * root[part, None]
        with np.errstate(over="ignore"):  # too large for float32: found right below
            values[part] = exact
        _check_finite(values[part], columns, kept[part])
    return values


def _kept_rows(columns: Columns, samples: Samples) -> tuple[Array, Array]:
    """Numbers of the rows that count, and the roots of their weights."""
    if not columns.shape[1] or not samples.n_kept:
        msg = f"X has shape {columns.shape}; expected one row and one feature, or more."
        raise ValueError(msg)
    kept = np.arange(samples.n_trs) if samples.kept is None else samples.kept
    return kept, np.ones(len(kept)) if samples.root is None else samples.root


def means_of(columns: Columns, samples: Samples) -> Array:
    """Weighted means of the features, float64."""
    kept, root = _kept_rows(columns, samples)
    weights, total = root**2, np.zeros(columns.shape[1])
    for part in chunks(len(kept), columns.shape[1]):
        values = columns.rows(kept[part], "float64")
        _check_finite(values, columns, kept[part])
        total += weights[part] @ values
    means: Array = total / weights.sum()
    return means


def _check_finite(values: Array, columns: Columns, rows: Array) -> None:
    """Raise a FitError that names the first number that is none, and why it is none."""
    bad = ~np.isfinite(values)
    if not bad.any():
        return
    row, column = (int(i) for i in np.argwhere(bad)[0])
    given = columns.rows(rows[row : row + 1], "float64")[0, column]
    too_large = f" (too large for {values.dtype}: scale X, or choose float64)"
    msg = (
        f"{columns.name} is {given} at row {rows[row]}, column {column}"
        f"{too_large * bool(np.isfinite(given))}; expected finite numbers. Repair the features, "
        "or leave that TR out."
    )
    raise FitError(msg)


def chunks(n_rows: int, row_length: int) -> Iterator[slice]:
    """Yield rows, as many at a time as are held in float64."""
    step = max(1, _CHUNK // max(1, row_length))
    for start in range(0, n_rows, step):
        yield slice(start, min(start + step, n_rows))


def bytes_needed(n_trs: int, n_features: int, itemsize: int) -> int:
    """Bytes of X, of its products while they are summed, and of what is converted for that."""
    converted = 8 * min(_CHUNK, n_trs * n_features)
    return itemsize * n_trs * n_features + 2 * 8 * min(n_trs, n_features) ** 2 + converted


def converted_bytes(n_rows: int, row_length: int, itemsize: int) -> int:
    """Bytes of rows that are picked out and converted to float64, as many as at a time."""
    return (8 + itemsize) * min(max(_CHUNK, row_length), n_rows * row_length)
