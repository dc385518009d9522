"""Scores of a sum of predictions, split into the parts of the bands (product measure)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from voxscale.arrays import Array
from voxscale.errors import AlignmentError
from voxscale.fit._scoring import centred, rounding_noise

__all__ = ["SPLIT_SCORINGS", "correlation_split", "r2_split"]

_BLOCK_BYTES = 64 * 2**20


def r2_split(Y: ArrayLike, Y_pred_by_band: ArrayLike) -> Array:
    """Split the variance explained by a sum of predictions into parts that add up to it.

    A part can be negative, or more than the whole: bands whose predictions are correlated share
    what they explain by how much of the sum each of them is.

    Parameters
    ----------
    Y : array of shape (n_trs, n_voxels)
        Responses.
    Y_pred_by_band : array of shape (n_bands, n_trs, n_voxels)
        Predictions of each band; their sum is the prediction.

    Returns
    -------
    array of shape (n_bands, n_voxels), float64
        NaN where the response is constant or either is not finite. Sums over bands are
        ``r2(Y, Y_pred_by_band.sum(axis=0))``.

    Raises
    ------
    AlignmentError
        If the shapes do not belong together.
    ValueError
        If they are not numbers of these numbers of axes.

    Notes
    -----
    With Y and every prediction about the mean of Y (taken from the bands in equal parts), and P
    the sum of predictions, the part of band b is ``Σ (2 Y P_b - P_b P) / Σ Y²`` over TRs.

    References
    ----------
    Dupré la Tour, Eickenberg, Nunez-Elizalde & Gallant 2022, NeuroImage 264:119728,
    doi:10.1016/j.neuroimage.2022.119728.

    Examples
    --------
    >>> Y = np.array([[1.0], [-1.0], [2.0], [-2.0]])
    >>> r2_split(Y, np.stack([0.75 * Y, 0.25 * Y])).ravel()
    array([0.75, 0.25])
    """
    return _by_blocks(_r2_parts, Y, Y_pred_by_band)


def correlation_split(Y: ArrayLike, Y_pred_by_band: ArrayLike) -> Array:
    """Split the correlation with a sum of predictions into parts that add up to it.

    A part is not the correlation of a band's own prediction: it is smaller the less of the sum
    the band is.

    Parameters
    ----------
    Y : array of shape (n_trs, n_voxels)
        Responses.
    Y_pred_by_band : array of shape (n_bands, n_trs, n_voxels)
        Predictions of each band; their sum is the prediction.

    Returns
    -------
    array of shape (n_bands, n_voxels), float64
        NaN where the response or the sum of predictions is constant, or either is not finite.
        Sums over bands are the correlation of Y and ``Y_pred_by_band.sum(axis=0)``.

    Raises
    ------
    AlignmentError
        If the shapes do not belong together.
    ValueError
        If they are not numbers of these numbers of axes.

    Notes
    -----
    The part of band b is the covariance of Y and P_b over the standard deviations of Y and of
    the sum of predictions.

    References
    ----------
    Dupré la Tour, Eickenberg, Nunez-Elizalde & Gallant 2022, NeuroImage 264:119728,
    doi:10.1016/j.neuroimage.2022.119728.

    Examples
    --------
    >>> Y = np.array([[1.0], [-1.0], [2.0], [-2.0]])
    >>> correlation_split(Y, np.stack([6 * Y, 2 * Y])).round(3).ravel()
    array([0.75, 0.25])
    """
    return _by_blocks(_correlation_parts, Y, Y_pred_by_band)


SPLIT_SCORINGS: dict[str, Callable[[ArrayLike, ArrayLike], Array]] = {
    "correlation": correlation_split,
    "r2": r2_split,
}


def _r2_parts(Y: Tensor, Y_pred: Tensor) -> Tensor:
    y, y_mean = centred(Y)
    shifted = Y_pred.double() - y_mean / len(Y_pred)
    total = shifted.sum(0)
    parts = torch.stack([(band * (2 * y - total)).sum(0) for band in shifted])
    return _defined(parts / y.square().sum(0), y)


def _correlation_parts(Y: Tensor, Y_pred: Tensor) -> Tensor:
    y, _ = centred(Y)
    total, _ = centred(Y_pred.double().sum(0))
    power = total.square().sum(0)
    parts = torch.stack([(y * band.double()).sum(0) for band in Y_pred])
    parts = parts / (y.square().sum(0).sqrt() * power.sqrt())
    noise = rounding_noise(len(Y), Y_pred.double().mean(1).abs().sum(0), Y_pred.dtype)
    return torch.where(power > noise, _defined(parts, y), torch.nan)


def _defined(parts: Tensor, y: Tensor) -> Tensor:
    return torch.where((y != 0).any(0) & parts.isfinite().all(0), parts, torch.nan)


def _by_blocks(
    function: Callable[[Tensor, Tensor], Tensor], Y: ArrayLike, Y_pred_by_band: ArrayLike
) -> Array:
    responses, predictions = _numbers(Y, "Y", 2), _numbers(Y_pred_by_band, "Y_pred_by_band", 3)
    if predictions.shape[1:] != responses.shape:
        msg = (
            f"Y has shape {responses.shape} but Y_pred_by_band has shape {predictions.shape}; "
            "expected the same TRs and voxels in both."
        )
        raise AlignmentError(msg)
    n_bands, n_trs, n_voxels = predictions.shape
    parts = np.full((n_bands, n_voxels), np.nan)
    width = max(1, _BLOCK_BYTES // (8 * max(1, n_trs) * (3 * n_bands + 4)))
    for start in range(0, n_voxels, width):
        block = slice(start, start + width)
        truth, guess = (_as_tensor(values[..., block]) for values in (responses, predictions))
        parts[:, block] = function(truth, guess).numpy()
    return parts


def _as_tensor(values: Array) -> Tensor:
    """Copy, since torch takes no array that is read-only; whole numbers become float64."""
    return torch.tensor(values if values.dtype.kind == "f" else values.astype(np.float64))


def _numbers(values: ArrayLike, name: str, n_axes: int) -> Array:
    array = np.asarray(values)
    if array.ndim != n_axes or array.dtype.kind not in "fiub" or 0 in array.shape[:-1]:
        axes = "(n_trs, n_voxels)" if n_axes == 2 else "(n_bands, n_trs, n_voxels)"
        msg = f"{name} has shape {array.shape} and dtype {array.dtype}; expected {axes} numbers."
        raise ValueError(msg)
    return array
