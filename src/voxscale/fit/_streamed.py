"""Predictions from weights that come in blocks and never lie in memory whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.errors import AlignmentError

__all__ = ["BlockedWeights", "predict_streamed"]


class BlockedWeights(Protocol):
    """Weights (n_features, n_voxels) that give one block after another.

    ``voxscale.data.stream_released`` yields such; ``axis`` is 0 where blocks are rows, 1 where
    they are columns.
    """

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def axis(self) -> int: ...

    def blocks(self) -> Iterator[tuple[int, Array]]:
        """Yield where a block begins along ``axis``, and the block."""
        ...


def predict_streamed(X: ArrayLike, weights: BlockedWeights, *, out: Array | None = None) -> Array:
    """Multiply a design by weights that are read block by block.

    Blocks of rows each add to all predictions, blocks of columns each make some of them, so that
    weights stored in either order are read once, from first to last.

    Parameters
    ----------
    X : array of shape (n_trs, n_features)
        Multiplied in float32, or in float64 if it or the weights are.
    weights : BlockedWeights
        Of shape (n_features, n_voxels).
    out : array of shape (n_trs, n_voxels), optional
        Where the predictions go, such as a memory map; what it holds is lost.

    Returns
    -------
    array of shape (n_trs, n_voxels), or ``out``
        NaN where weights are.

    Raises
    ------
    AlignmentError
        If the design and the weights differ in their features, or blocks do not make up the
        weights.

    Examples
    --------
    >>> class Columns:
    ...     shape, axis = (2, 3), 1
    ...     def blocks(self):
    ...         yield 0, np.ones((2, 2))
    ...         yield 2, np.full((2, 1), 2.0)
    >>> predict_streamed(np.ones((1, 2)), Columns())
    array([[2., 2., 4.]])
    """
    design = np.asarray(X)
    shape = tuple(weights.shape)
    if design.ndim != 2 or len(shape) != 2 or design.shape[1] != shape[0]:
        msg = (
            f"the design has shape {design.shape}, the weights {shape}; expected (n_trs, "
            "n_features) and (n_features, n_voxels); check model, layer and delays."
        )
        raise AlignmentError(msg)
    n_trs, n_voxels = len(design), shape[1]
    if out is not None and out.shape != (n_trs, n_voxels):
        msg = f"out has shape {out.shape}; expected {(n_trs, n_voxels)}."
        raise AlignmentError(msg)
    result, n_read = out, 0
    for start, block in weights.blocks():
        dtype = np.result_type(design.dtype, block.dtype, np.float32)
        if result is None:
            result = np.zeros((n_trs, n_voxels), dtype)
        elif n_read == 0:
            result[:, :] = 0.0
        if weights.axis == 0:
            columns = design[:, start : start + len(block)]
            part = columns.astype(dtype, copy=False) @ block.astype(dtype, copy=False)
            result += part
            n_read += len(block)
        else:
            here = slice(start, start + block.shape[1])
            result[:, here] = design.astype(dtype, copy=False) @ block.astype(dtype, copy=False)
            n_read += block.shape[1]
    if n_read != shape[weights.axis] or result is None:
        msg = (
            f"blocks hold {n_read} of {shape[weights.axis]} rows or columns; expected all of them, "
            "once; read the file again, its blocks can be taken only once."
        )
        raise AlignmentError(msg)
    return result
