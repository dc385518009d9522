"""Penalties, and the choice among them by cross-validated scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array

__all__ = ["check_alphas", "check_groups", "choose_alphas"]


def check_alphas(alphas: ArrayLike) -> Array:
    """Turn penalties into a float64 array.

    Raises
    ------
    ValueError
        If they are not a sequence of finite numbers above 0.

    Examples
    --------
    >>> check_alphas([1, 10])
    array([ 1., 10.])
    """
    values = np.asarray(alphas)
    if values.ndim != 1 or not len(values) or values.dtype.kind not in "fiu":
        msg = (
            f"alphas have shape {values.shape} and dtype {values.dtype}; expected a sequence of "
            "one number or more, such as np.logspace(2, 8, 15)."
        )
        raise ValueError(msg)
    values = values.astype(np.float64)
    bad = values[~(np.isfinite(values) & (values > 0))]
    if len(bad):
        msg = (
            f"alphas hold {bad[0]}; expected finite numbers above 0. For all but least squares, "
            "take one far below the mean square of a feature times the number of TRs."
        )
        raise ValueError(msg)
    return values


def check_groups(groups: ArrayLike | None, n_voxels: int) -> Array | None:
    """Give each group of voxels that share an alpha a number; -1 for a voxel in none.

    Parameters
    ----------
    groups : array of shape (n_voxels,), or None
        A label for each voxel: numbers, names of regions; NaN or "" for none.
    n_voxels : int

    Returns
    -------
    array of int, shape (n_voxels,), or None

    Raises
    ------
    ValueError
        If there is not one label for each voxel.

    Examples
    --------
    >>> check_groups(["V1", "A1", "V1", ""], 4)
    array([ 1,  0,  1, -1])
    """
    if groups is None:
        return None
    labels = np.asarray(groups)
    if labels.shape != (n_voxels,) or labels.dtype.kind not in "biufUS":
        msg = (
            f"groups have shape {labels.shape} and dtype {labels.dtype}; expected a number or "
            f"name for each of the {n_voxels} voxels."
        )
        raise ValueError(msg)
    is_none = np.isnan(labels) if labels.dtype.kind == "f" else np.zeros(n_voxels, dtype=bool)
    if labels.dtype.kind in "US":
        is_none = labels == labels.dtype.type("")
    numbers = np.full(n_voxels, -1)
    numbers[~is_none] = np.unique(labels[~is_none], return_inverse=True)[1]
    return numbers


def choose_alphas(
    alphas: ArrayLike,
    scores: Array,
    *,
    local_alpha: bool = True,
    groups: ArrayLike | None = None,
) -> Array:
    """Choose the alpha with the best mean score over splits.

    Parameters
    ----------
    alphas : array of shape (n_alphas,)
    scores : array of shape (n_alphas, n_voxels, n_splits)
    local_alpha : bool
        False: one alpha for all voxels, with the best mean over voxels.
    groups : array of shape (n_voxels,), optional
        Voxels with the same label share an alpha, with the best mean over the group; voxels of
        no group (NaN or "") have their own. Not with ``local_alpha=False``.

    Returns
    -------
    array of shape (n_voxels,), float64
        NaN for a voxel without a score. Equal scores: the alpha that comes first.

    Notes
    -----
    A split in which a voxel has no score at any alpha does not count for that voxel.

    Examples
    --------
    >>> scores = np.array([[[0.1], [0.4]], [[0.2], [0.1]]])
    >>> choose_alphas([1.0, 10.0], scores)
    array([10.,  1.])
    >>> choose_alphas([1.0, 10.0], scores, local_alpha=False)
    array([1., 1.])
    """
    penalties = check_alphas(alphas)
    counts = np.any(np.isfinite(scores), axis=0)  # (n_voxels, n_splits)
    total = np.where(counts, scores, 0.0).sum(axis=2)
    n_counted = np.count_nonzero(counts, axis=1)
    mean = np.full(total.shape, np.nan)
    np.divide(total, n_counted, out=mean, where=n_counted > 0)
    comparable = np.where(np.isfinite(mean), mean, -np.inf)
    defined = np.isfinite(mean).any(axis=0)
    chosen = np.full(scores.shape[1], np.nan)
    numbers = check_groups(groups, scores.shape[1])
    if not local_alpha:
        if numbers is not None:
            msg = "groups were given with local_alpha=False; choose one of the two."
            raise ValueError(msg)
        numbers = np.zeros(scores.shape[1], dtype=int)
    chosen[defined] = penalties[comparable.argmax(axis=0)[defined]]
    for number in [] if numbers is None else np.unique(numbers[numbers >= 0]):
        members = defined & (numbers == number)
        if members.any():
            chosen[members] = penalties[comparable[:, members].mean(axis=1).argmax()]
    return chosen
