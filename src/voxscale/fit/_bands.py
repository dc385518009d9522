"""Bands of a design matrix: names, columns, and the kernel of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from voxscale.arrays import Array
from voxscale.errors import AlignmentError, FitError
from voxscale.fit._design import chunks

__all__ = ["Bands", "column_chunks", "kernels", "stack"]


@dataclass(frozen=True, eq=False)
class Bands:
    """Which columns of a design belong together.

    Parameters
    ----------
    names : tuple
    columns : tuple of array of int
        Where each band is in the design, hence in the weights.
    is_mapping : bool
        Whether each band comes as an array of its own, under its name.
    """

    names: tuple[Any, ...]
    columns: tuple[Array, ...]
    is_mapping: bool

    @classmethod
    def of(cls, X: Any, groups: ArrayLike | None) -> Bands:
        """Find the bands of a mapping, or of a matrix by the label of each column.

        Raises
        ------
        ValueError
            If a band has no column, the labels are not one for each column, or both a mapping
            and labels are given.
        """
        if isinstance(X, Mapping):
            return cls._of_mapping(X, groups)
        shape = _matrix(X, "X").shape
        labels = ["all"] * shape[1] if groups is None else _labels(groups, shape)
        names = tuple(dict.fromkeys(labels))
        members = [[i for i, label in enumerate(labels) if label == name] for name in names]
        return cls(names, tuple(np.array(columns) for columns in members), is_mapping=False)

    @classmethod
    def _of_mapping(cls, X: Mapping[Any, Any], groups: ArrayLike | None) -> Bands:
        if groups is not None:
            msg = "groups label the columns of a matrix, but X is a mapping of bands; use one."
            raise ValueError(msg)
        if not X:
            msg = "X is a mapping without a band; expected {name: (n_trs, n_features) array, …}."
            raise ValueError(msg)
        widths = [_matrix(values, f"X[{name!r}]").shape[1] for name, values in X.items()]
        ends = np.cumsum(widths)
        columns = (np.arange(end - n, end) for end, n in zip(ends, widths, strict=True))
        return cls(tuple(X), tuple(columns), is_mapping=True)

    @property
    def n_features(self) -> int:
        """Columns of all bands together."""
        return sum(len(columns) for columns in self.columns)

    def parts(self, X: Any) -> list[tuple[slice, Array]]:
        """Find these bands in a design: arrays, and the columns that each fills.

        Raises
        ------
        AlignmentError
            If it holds other bands, or bands of other widths or rows.
        """
        if not self.is_mapping:
            return [(slice(0, self.n_features), self._whole(X))]
        if not isinstance(X, Mapping):
            msg = f"X has shape {np.shape(X)}; the fit had a mapping of the bands {self._listed}."
            raise AlignmentError(msg)
        if set(X) != set(self.names):
            found = ", ".join(repr(name) for name in X)
            msg = f"X holds the bands {found}; the fit had {self._listed}; expected the same."
            raise AlignmentError(msg)
        parts = []
        for name, columns in zip(self.names, self.columns, strict=True):
            values = _matrix(X[name], f"X[{name!r}]")
            if values.shape[1] != len(columns):
                msg = (
                    f"X[{name!r}] has shape {values.shape}; expected the {len(columns)} features "
                    "of the fit."
                )
                raise AlignmentError(msg)
            parts.append((slice(int(columns[0]), int(columns[-1]) + 1), values))
        self._check_same_rows([values for _, values in parts])
        return parts

    def _whole(self, X: Any) -> Array:
        if isinstance(X, Mapping):
            msg = f"X is a mapping of bands; the fit had a matrix of {self.n_features} features."
            raise AlignmentError(msg)
        values = _matrix(X, "X")
        if values.shape[1] != self.n_features:
            msg = f"X has shape {values.shape}; expected the {self.n_features} features of the fit."
            raise AlignmentError(msg)
        return values

    def place(self, column: int) -> str:
        """Say which column of which band that is, for a message."""
        band = next(i for i, columns in enumerate(self.columns) if column in columns)
        within = int(np.flatnonzero(self.columns[band] == column)[0])
        whole = "" if self.is_mapping else f" (column {column} of X)"
        return f"column {within} of band {self.names[band]!r}{whole}"

    @property
    def _listed(self) -> str:
        return ", ".join(repr(name) for name in self.names)

    def _check_same_rows(self, arrays: list[Array]) -> None:
        for name, values in zip(self.names, arrays, strict=True):
            if len(values) != len(arrays[0]):
                msg = (
                    f"X[{self.names[0]!r}] has shape {arrays[0].shape} but X[{name!r}] has shape "
                    f"{values.shape}; expected as many rows in both. Join them on the TRs that "
                    "they share."
                )
                raise AlignmentError(msg)


def stack(bands: Bands, X: Any, dtype: str, *, center: bool = False) -> tuple[Array, Array | None]:
    """Copy the bands side by side, checked, in a dtype.

    Parameters
    ----------
    bands : Bands
    X : array of shape (n_trs, n_features), or mapping of such arrays
    dtype : str
    center : bool
        About the mean of each column.

    Returns
    -------
    design : array of shape (n_trs, n_features)
    means : array of shape (n_features,), float64
        What was subtracted; None unless ``center``.

    Raises
    ------
    AlignmentError
        If X does not hold these bands.
    FitError
        If a number is not finite; names row, band and column.
    """
    parts = bands.parts(X)
    design = np.empty((len(parts[0][1]), bands.n_features), dtype=dtype)
    means = np.zeros(bands.n_features)
    for columns, values in parts:
        for rows in chunks(*values.shape):
            design[rows, columns] = _cast(values[rows], dtype)
        _check_finite(bands, columns, design[:, columns], values)
        if center:
            means[columns] = values.mean(axis=0, dtype=np.float64)
            for rows in chunks(*values.shape):
                design[rows, columns] = _cast(values[rows] - means[columns], dtype)
            _check_finite(bands, columns, design[:, columns], values)
    return design, means if center else None


def kernels(X: Tensor, columns: tuple[Array, ...]) -> Tensor:
    """Multiply each band with itself, ``X_b X_bᵀ``: (n_bands, n_trs, n_trs), float64."""
    n_trs = len(X)
    products = torch.zeros((len(columns), n_trs, n_trs), dtype=torch.float64, device=X.device)
    for product, own in zip(products, columns, strict=True):
        for chunk in column_chunks(own, n_trs):
            part = X[:, chunk.to(X.device)].double()
            product.addmm_(part, part.T)
    return products


def column_chunks(columns: Array, n_rows: int) -> Iterator[Tensor]:
    """Yield column numbers, as many at a time as are held in float64."""
    for part in chunks(len(columns), n_rows):
        yield torch.from_numpy(columns[part])


def _matrix(values: Any, name: str) -> Array:
    array = np.asarray(values)
    if array.ndim != 2 or array.dtype.kind not in "fiub" or 0 in array.shape:
        msg = (
            f"{name} has shape {array.shape} and dtype {array.dtype}; expected numbers of shape "
            "(n_trs, n_features), with one row and one column or more."
        )
        raise ValueError(msg)
    return array


def _labels(groups: ArrayLike, shape: tuple[int, ...]) -> list[Any]:
    labels = np.asarray(groups)
    if labels.shape != shape[1:]:
        msg = (
            f"groups have shape {labels.shape} but X has shape {shape}; expected one label for "
            f"each of its {shape[1]} columns."
        )
        raise ValueError(msg)
    for label in labels.tolist():
        if not isinstance(label, str | int):
            msg = f"groups hold {label!r}; expected names or whole numbers."
            raise ValueError(msg)
    return list(labels.tolist())


def _cast(values: Array, dtype: str) -> Array:
    with np.errstate(over="ignore"):  # too large for float32: inf, found later
        return np.asarray(values.astype(dtype))


def _check_finite(bands: Bands, columns: slice, cast: Array, values: Array) -> None:
    for rows in chunks(*cast.shape):
        bad = ~np.isfinite(cast[rows])
        if bad.any():
            row, column = (int(i) for i in np.argwhere(bad)[0])
            value = values[rows.start + row, column]
            why = f" (too large for {cast.dtype}: scale X, or choose float64)"
            msg = (
                f"X is {value} at row {rows.start + row}, {bands.place(columns.start + column)}"
                f"{why if np.isfinite(value) else ''}; expected finite numbers. Repair the "
                "features, or leave that TR out."
            )
            raise FitError(msg)
