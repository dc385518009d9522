"""How well predictions match responses, one number for each voxel."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.evaluate._columns import center, paired, unit_columns, voxel_blocks

__all__ = ["correlation", "r2", "signed_r2"]


def correlation(Y: ArrayLike, Y_pred: ArrayLike) -> Array:
    """Correlate responses with predictions (Pearson), voxel by voxel.

    A voxel without an answer scores NaN, not 0: leave such voxels out of a mean over voxels
    with ``np.nanmean``, and say how many they were.

    Parameters
    ----------
    Y : array of shape (n_trs, n_voxels), or (n_trs,) for one voxel
        Responses. May be a memory map; only a block of voxels at a time is held in memory.
    Y_pred : array of the same shape
        Predictions.

    Returns
    -------
    array of shape (n_voxels,), float64
        From -1 to 1. NaN where the response or the prediction is constant (up to the rounding
        of its dtype) or holds a NaN or an infinity. Means and sums are taken in float64.

    Raises
    ------
    AlignmentError
        If the shapes differ.
    ValueError
        If there are fewer than 2 TRs, or more than two axes.
    TypeError
        If a dtype is not one of real numbers.

    Examples
    --------
    >>> Y = np.array([[1.0, 5.0], [2.0, 5.0], [4.0, 5.0]])
    >>> correlation(Y, 2 * Y + 1)
    array([ 1., nan])
    """
    responses, predictions = paired(Y, Y_pred)
    n_trs, n_voxels = responses.shape
    result = np.full(n_voxels, np.nan)
    for voxels in voxel_blocks(n_voxels, 4 * n_trs):
        truth, truth_varies = unit_columns(responses[:, voxels])
        guess, guess_varies = unit_columns(predictions[:, voxels])
        product = np.clip(np.einsum("tv,tv->v", truth, guess), -1.0, 1.0)
        result[voxels] = np.where(truth_varies & guess_varies, product, np.nan)
    return result


def r2(Y: ArrayLike, Y_pred: ArrayLike) -> Array:
    """Compute the share of each voxel's variance that its prediction explains.

    Not the square of the correlation: a prediction of the wrong size or offset is punished,
    and one worse than the mean of the response is negative.

    Parameters
    ----------
    Y : array of shape (n_trs, n_voxels), or (n_trs,) for one voxel
        Responses. May be a memory map; only a block of voxels at a time is held in memory.
    Y_pred : array of the same shape
        Predictions.

    Returns
    -------
    array of shape (n_voxels,), float64
        1 - SS_res / SS_tot, at most 1, where SS_tot is taken about the mean of ``Y`` (as in
        scikit-learn). NaN where the response is constant (up to the rounding of its dtype), or
        where either holds a NaN or an infinity. A constant prediction has a defined score.

    Raises
    ------
    AlignmentError
        If the shapes differ.
    ValueError
        If there are fewer than 2 TRs, or more than two axes.
    TypeError
        If a dtype is not one of real numbers.

    Examples
    --------
    >>> Y = np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]])
    >>> r2(Y, Y + 1.0)
    array([-0.5,  nan])
    >>> r2(Y[:, 0], np.full(3, 2.0))
    array([0.])
    """
    responses, predictions = paired(Y, Y_pred)
    n_trs, n_voxels = responses.shape
    result = np.full(n_voxels, np.nan)
    for voxels in voxel_blocks(n_voxels, 4 * n_trs):
        centered, size, varies = center(responses[:, voxels])
        unit = np.where(varies, size, 1.0)
        finite = np.isfinite(predictions[:, voxels]).all(axis=0)
        # Columns without an answer are divided like the others and left out at the end.
        with np.errstate(invalid="ignore", over="ignore"):
            residual = responses[:, voxels] / unit
            residual -= predictions[:, voxels] / unit
            unexplained = np.einsum("tv,tv->v", residual, residual)
        total = np.where(varies, np.einsum("tv,tv->v", centered, centered), 1.0)
        result[voxels] = np.where(varies & finite, 1.0 - unexplained / total, np.nan)
    return result


def signed_r2(Y: ArrayLike, Y_pred: ArrayLike) -> Array:
    """Square the correlation and keep its sign: r·|r|, voxel by voxel.

    Averaged over voxels, this is the score of the scaling laws of Antonello et al. It is not
    :func:`r2`: it ignores the size and the offset of the prediction.

    Parameters
    ----------
    Y : array of shape (n_trs, n_voxels), or (n_trs,) for one voxel
        Responses.
    Y_pred : array of the same shape
        Predictions.

    Returns
    -------
    array of shape (n_voxels,), float64
        From -1 to 1; NaN where :func:`correlation` is.

    Raises
    ------
    AlignmentError
        If the shapes differ.
    ValueError
        If there are fewer than 2 TRs, or more than two axes.
    TypeError
        If a dtype is not one of real numbers.

    References
    ----------
    Antonello, Vaidya & Huth 2023, "Scaling laws for language encoding models in fMRI",
    NeurIPS 36, arXiv:2305.11863.

    Examples
    --------
    >>> signed_r2([0.0, 1.0, 0.0, -1.0], [1.0, -1.0, -1.0, 1.0])
    array([-0.5])
    """
    r = correlation(Y, Y_pred)
    return np.asarray(r * np.abs(r))
