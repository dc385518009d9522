"""Mix the predictions of several models, voxel by voxel, by how they err where they did not train.

The mix of a voxel is a weighted mean of its models' predictions. Its squared error, ``αᵀ R α``,
depends on the models' predictions only through ``R``, the products of their residuals.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.errors import AlignmentError, VoxscaleWarning
from voxscale.fit._simplex import ROUNDING, least_on_simplex

__all__ = [
    "center_of_mass",
    "residual_covariance",
    "stacked_prediction",
    "stacking_weights",
    "warn_of_few_rows",
]

# What one block of voxels may take in float64.
_BLOCK_BYTES = 64 * 2**20


def residual_covariance(Y: ArrayLike, predictions: Sequence[Any]) -> Array:
    """Average the products of the models' residuals, voxel by voxel.

    Parameters
    ----------
    Y : array of shape (n_trs, n_voxels)
        Training responses.
    predictions : sequence of n_models arrays of shape (n_trs, n_voxels)
        What each model predicts for these rows *when they are left out of its fit*: residuals
        of rows that trained would reward the model with most features. Arrays, memory maps,
        hdf5 datasets or zarr arrays; a block of voxels at a time is read.

    Returns
    -------
    array of shape (n_voxels, n_models, n_models), float64
        ``R[v, i, j]``, the mean over rows of the product of residuals of models i and j; not
        about their means, since an offset is an error, too. Not finite where a response or a
        prediction is not.

    Raises
    ------
    AlignmentError
        If a model's predictions have other rows or voxels than the responses.
    ValueError
        If there is no model or no row.

    Warns
    -----
    VoxscaleWarning
        If there are fewer rows than models: then some mix has no error at all, and its weights
        mean nothing.

    Examples
    --------
    >>> Y = np.array([[1.0], [-1.0]])
    >>> residual_covariance(Y, [np.zeros((2, 1)), Y / 2])
    array([[[1.  , 0.5 ],
            [0.5 , 0.25]]])
    """
    responses: Any = Y if hasattr(Y, "shape") else np.asarray(Y)
    shape = _checked_shapes(responses, predictions)
    n_trs, n_voxels = shape
    n_models = len(predictions)
    warn_of_few_rows(n_trs, n_models, stacklevel=3)
    R = np.empty((n_voxels, n_models, n_models))
    for voxels in _blocks(n_voxels, (n_models + 2) * n_trs):
        truth = np.asarray(responses[:, voxels], dtype=np.float64)
        residuals = np.empty((truth.shape[1], n_models, n_trs))
        for model, one in enumerate(predictions):
            residuals[:, model] = (truth - np.asarray(one[:, voxels], dtype=np.float64)).T
        with np.errstate(invalid="ignore", over="ignore"):
            R[voxels] = residuals @ residuals.transpose(0, 2, 1) / n_trs
    return R


def stacking_weights(residual_covariance: ArrayLike) -> Array:
    """Find the weighted mean of models that errs least, voxel by voxel.

    Minimises ``αᵀ R α`` over the simplex: weights of at least 0 whose sum is 1.

    Parameters
    ----------
    residual_covariance : array of shape (n_voxels, n_models, n_models)
        ``R``, on rows that did not train, as the function of that name makes it;
        (n_models, n_models) for one voxel.

    Returns
    -------
    array of shape (n_voxels, n_models), or (n_models,), float64
        NaN for voxels whose ``R`` is not finite, or is negative along some difference of mixes
        by more than rounding, as no covariance is. Where several mixes are equally good, as
        those of twin models are, one of them. Every answer is checked: no single model added to
        the mix lowers the error, by more than 1e-6 of the best model's.

    Raises
    ------
    ValueError
        If the shape is another, or there is no model.
    TypeError
        If ``R`` does not hold real numbers.

    Warns
    -----
    VoxscaleWarning
        Counts voxels left out, and those whose ``R`` was not symmetric and was replaced by
        ``(R + Rᵀ) / 2``, which gives every mix the same error.

    References
    ----------
    Breiman 1996, "Stacked regressions", Machine Learning 24:49-64, doi:10.1007/BF00117832.

    Examples
    --------
    >>> stacking_weights([[1.0, 0.0], [0.0, 3.0]])
    array([0.75, 0.25])
    """
    matrices, is_single = _checked_matrices(residual_covariance)
    n_voxels, n_models, _ = matrices.shape
    weights = np.full((n_voxels, n_models), np.nan)
    n_skewed = 0
    for voxels in _blocks(n_voxels, 6 * n_models**2):
        block = matrices[voxels].astype(np.float64)
        known, n_here = _symmetric(block)
        n_skewed += n_here
        weights[voxels][known] = least_on_simplex(block[known])
    n_lost = int(np.isnan(weights[:, 0]).sum())
    _warn(n_voxels, n_lost, n_skewed)
    return weights[0] if is_single else weights


def stacked_prediction(
    predictions: Sequence[Any],
    weights: ArrayLike,
    *,
    out: Any = None,
    protocol: str | None = None,
) -> Any:
    """Mix the models' predictions by their weights.

    Parameters
    ----------
    predictions : sequence of n_models arrays of shape (n_trs, n_voxels)
        In the order of the weights; each model's own.
    weights : array of shape (n_voxels, n_models)
    out : array of shape (n_trs, n_voxels), optional
        Where the mix goes, a block of voxels at a time, such as a zarr array.
    protocol : {None, "huth2023"}
        "huth2023" repeats what the published notebook did: the last model's weight, the language
        model's, multiplies the prediction of the model before it, a speech layer's.

    Returns
    -------
    array of shape (n_trs, n_voxels), float64, or ``out``
        NaN for voxels without weights. A model of weight 0 has no say, even where its own
        prediction is not finite.

    Raises
    ------
    AlignmentError
        If predictions differ in shape, or from the weights in models or voxels.
    ValueError
        If the protocol is another.
    """
    if protocol not in (None, "huth2023"):
        msg = f"protocol {protocol!r} is unknown; choose None or 'huth2023'."
        raise ValueError(msg)
    shape = _checked_shapes(predictions[0] if len(predictions) else None, predictions)
    mix = np.asarray(weights, dtype=np.float64)
    if mix.shape != (shape[1], len(predictions)):
        msg = (
            f"weights have shape {mix.shape} but there are {len(predictions)} models of "
            f"{shape[1]} voxels; expected (n_voxels, n_models)."
        )
        raise AlignmentError(msg)
    if protocol == "huth2023":
        predictions = [*predictions[:-1], predictions[max(0, len(predictions) - 2)]]
    result = np.empty(shape) if out is None else out
    if np.shape(result) != shape:
        msg = f"out has shape {np.shape(result)}; expected {shape}, one column for each voxel."
        raise AlignmentError(msg)
    for voxels in _blocks(shape[1], 3 * shape[0]):
        total = np.zeros((shape[0], voxels.stop - voxels.start))
        for one, weight in zip(predictions, mix[voxels].T, strict=True):
            part = np.where(weight == 0, 0.0, np.asarray(one[:, voxels], dtype=np.float64))
            total += part * weight
        result[:, voxels] = total
    return result


def warn_of_few_rows(n_trs: int, n_models: int, *, stacklevel: int) -> None:
    """Warn where some mix of models has no error on these rows, whatever the models."""
    if n_trs < n_models:
        msg = (
            f"{n_models} models are compared on {n_trs} TRs, fewer than models: some mix of them "
            "fits by chance alone; use more training rows, or fewer models."
        )
        warnings.warn(msg, VoxscaleWarning, stacklevel=stacklevel)


def center_of_mass(
    weights: ArrayLike,
    models: Sequence[int] | slice = slice(None),
    *,
    positions: ArrayLike | None = None,
    renormalize: bool = True,
) -> Array:
    """Say where along an ordered set of models, such as layers, a voxel's weights lie.

    Parameters
    ----------
    weights : array of shape (n_voxels, n_models), or (n_models,) for one voxel
        From :func:`stacking_weights`.
    models : sequence of int, or slice
        Which models, in their order. Default: all.
    positions : array of shape (n_chosen,), optional
        Of each model chosen, such as its depth. Default: 0, 1, 2, …
    renormalize : bool
        Divide by the weight that these models have together. False reproduces the published
        notebook, where a large weight of the models left out pulls the result towards 0.

    Returns
    -------
    array of shape (n_voxels,), float64
        ``Σ position · α / Σ α``. NaN for voxels without weights and, if renormalised, where
        the models chosen have none.

    Raises
    ------
    ValueError
        If there is not one position for each model chosen.

    Examples
    --------
    >>> center_of_mass([[0.25, 0.25, 0.5]], slice(0, 2))
    array([0.5])
    >>> center_of_mass([[0.25, 0.25, 0.5]], slice(0, 2), renormalize=False)
    array([0.25])
    """
    chosen = np.atleast_2d(np.asarray(weights, dtype=np.float64))[:, models]
    n_chosen = chosen.shape[1]
    at = np.arange(n_chosen) if positions is None else np.asarray(positions, dtype=np.float64)
    if at.shape != (n_chosen,) or not n_chosen:
        msg = (
            f"positions have shape {at.shape} for {n_chosen} models; expected one for each, and at "
            "least one model."
        )
        raise ValueError(msg)
    moment = chosen @ at
    if not renormalize:
        return np.asarray(moment)
    total = chosen.sum(axis=1)
    center: Array = np.divide(moment, total, out=np.full(len(total), np.nan), where=total > 0)
    return center


def _symmetric(block: Array) -> tuple[Array, int]:
    """Make matrices symmetric in place; tell which are finite, and how many were skewed."""
    with np.errstate(invalid="ignore", over="ignore"):
        size = np.abs(block).max(axis=(1, 2))
        skew = np.abs(block - block.transpose(0, 2, 1)).max(axis=(1, 2))
        block += block.transpose(0, 2, 1).copy()
        block /= 2
    known = np.isfinite(size)
    return known, int((known & (skew > ROUNDING * size)).sum())


def _checked_matrices(R: ArrayLike) -> tuple[Array, bool]:
    matrices = np.asarray(R)
    if matrices.dtype.kind not in "biuf":
        msg = f"R has dtype {matrices.dtype}; expected real numbers; convert it first."
        raise TypeError(msg)
    is_single = matrices.ndim == 2
    matrices = matrices[None] if is_single else matrices
    if matrices.ndim != 3 or matrices.shape[1] != matrices.shape[2] or not matrices.shape[1]:
        msg = (
            f"R has shape {np.shape(R)}; expected (n_voxels, n_models, n_models), as "
            "residual_covariance makes it."
        )
        raise ValueError(msg)
    return matrices, is_single


def _checked_shapes(first: Any, predictions: Sequence[Any]) -> tuple[int, int]:
    """Check that all have the shape of the first, two axes, and rows."""
    if not len(predictions):
        msg = "predictions is empty; expected an array of shape (n_trs, n_voxels) for each model."
        raise ValueError(msg)
    shape = np.shape(first)
    for model, one in enumerate(predictions):
        if np.shape(one) != shape:
            msg = (
                f"the predictions of model {model} have shape {np.shape(one)}; expected {shape}, "
                "the same TRs and voxels throughout."
            )
            raise AlignmentError(msg)
    if len(shape) != 2 or not shape[0]:
        msg = f"arrays have shape {shape}; expected (n_trs, n_voxels), with at least 1 TR."
        raise ValueError(msg)
    return shape[0], shape[1]


def _blocks(n_voxels: int, numbers_per_voxel: int) -> Iterator[slice]:
    width = max(1, _BLOCK_BYTES // (8 * max(1, numbers_per_voxel)))
    for start in range(0, n_voxels, width):
        yield slice(start, min(start + width, n_voxels))


def _warn(n_voxels: int, n_lost: int, n_skewed: int) -> None:
    """Say once how many voxels were left out or repaired."""
    if n_skewed:
        msg = (
            f"R of {n_skewed} of {n_voxels} voxels is not symmetric; the mean of R and its "
            "transpose was used: check how residual covariances were made."
        )
        warnings.warn(msg, VoxscaleWarning, stacklevel=3)
    if n_lost:
        msg = (
            f"{n_lost} of {n_voxels} voxels have no stacking weights, which are NaN: their R is "
            "not finite, or has a negative eigenvalue and is no covariance, or no mix was found "
            "that is the best; check their responses and predictions."
        )
        warnings.warn(msg, VoxscaleWarning, stacklevel=3)
