"""The least of a quadratic form over the simplex, for many voxels: one least-squares problem each.

On the simplex ``αᵀ (R + 1 1ᵀ) α`` is ``αᵀ R α`` but for a constant. With ``R + 1 1ᵀ = AᵀA`` and
``Aᵀb = 1``, the ``β ≥ 0`` that makes ``‖A β - b‖`` least is a multiple of the weights looked for:
along a direction ``α`` of sum 1 the best length leaves ``-1 / (αᵀ R α + 1)`` and a constant.

What comes out is checked: no single model may pull the error down, ``(R α)_i ≥ αᵀ R α``. Where one
does, a small active set method solves the problem again, on R itself.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import nnls

from voxscale.arrays import Array

__all__ = ["ROUNDING", "least_on_simplex"]

# A negative eigenvalue of this share of the largest is rounding.
ROUNDING = 1e-9
# Below this share of the largest, an eigenvalue carries no digit of its own.
_NOTHING = 1e-13
# A pull of this share of the best model's error is rounding, too.
_LEVEL = 1e-6
# Steps for each model, after which a problem is given up; a dozen in all is usual.
_MOST_STEPS = 30


def least_on_simplex(matrices: Array) -> Array:
    """Minimise ``αᵀ R α`` over weights of at least 0 whose sum is 1.

    Parameters
    ----------
    matrices : array of shape (n_voxels, n_models, n_models), float64
        Symmetric and finite.

    Returns
    -------
    array of shape (n_voxels, n_models), float64
        NaN where R is negative along a difference of weights, by more than rounding, or where no
        answer passes the check that it is the least.

    Examples
    --------
    >>> least_on_simplex(np.diag([1.0, 3.0])[None])
    array([[0.75, 0.25]])
    """
    # Weights do not depend on the size of R. That of the best model keeps the digits of the good
    # ones beside the 1, however bad the worst may be.
    errors = np.diagonal(matrices, axis1=1, axis2=2)
    size = np.where(errors > 0, errors, np.inf).min(axis=1)
    scaled = matrices / np.where(np.isfinite(size), size, 1.0)[:, None, None]
    factors, sides = _factored(scaled + 1.0)
    sides[(errors < 0).any(axis=1)] = np.nan
    is_solvable = np.isfinite(sides).all(axis=1)
    weights = np.full(errors.shape, np.nan)
    for voxel in np.flatnonzero(is_solvable):
        weights[voxel] = _by_least_squares(factors[voxel], sides[voxel])
    missed = np.flatnonzero(is_solvable & ~_is_least(weights, scaled))
    for voxel in missed:
        again = _by_active_set(scaled[voxel])
        weights[voxel] = again if _is_least(again[None], scaled[[voxel]])[0] else np.nan
    return weights


def _is_least(weights: Array, matrices: Array) -> Array:
    """Tell where weights are on the simplex, and no single model pulls the error down.

    Matrices are such that the best model errs by 1. False where weights are NaN.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        pulls = (matrices @ weights[:, :, None])[:, :, 0]
        error = np.einsum("vm,vm->v", weights, pulls)
        noise = (np.abs(matrices) @ weights[:, :, None])[:, :, 0]
        is_level = (error[:, None] - pulls <= _LEVEL + ROUNDING * noise).all(axis=1)
        on_simplex = (weights >= 0).all(axis=1) & (np.abs(weights.sum(axis=1) - 1) < _LEVEL)
    found: Array = is_level & on_simplex
    return found


def _by_least_squares(factor: Array, side: Array) -> Array:
    """Solve one problem; NaN where it is given up."""
    try:
        found: Array = nnls(factor, side, maxiter=_MOST_STEPS * len(side))[0]
    except RuntimeError:  # it went around in a circle
        return np.full(len(side), np.nan)
    total = found.sum()
    return found / total if total > 0 else np.full(len(side), np.nan)


def _by_active_set(matrix: Array) -> Array:
    """Solve one problem: from the best model on, let in one model at a time, and out what must.

    Among the models that are in, the error is level where its slopes are equal; on the way there,
    the first whose weight would be negative goes out.
    """
    n_models = len(matrix)
    weights = np.zeros(n_models)
    weights[np.argmin(np.diagonal(matrix))] = 1.0
    inside = weights > 0
    for _ in range(_MOST_STEPS * n_models):
        level = np.zeros(n_models)
        level[inside] = _level(matrix[np.ix_(inside, inside)])
        falls = inside & (level < 0)
        if falls.any():
            shares = weights[falls] / (weights[falls] - level[falls])
            weights += shares.min() * (level - weights)
            inside[np.flatnonzero(falls)[shares.argmin()]] = False
            weights[~inside] = 0.0
            continue
        total = level.sum()
        if not total > 0:  # R is no covariance
            break
        weights = level / total
        pulls = matrix @ weights
        outside = np.where(inside, np.inf, pulls)
        best = int(outside.argmin())
        if outside[best] >= weights @ pulls - ROUNDING:
            break
        inside[best] = True
    return weights


def _level(matrix: Array) -> Array:
    """Find weights of sum 1, of any sign, where the error is level."""
    count = len(matrix)
    # In units of each model's own size, so that a very bad one takes no digits from the others.
    diagonal = np.diagonal(matrix)
    unit = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    system = np.zeros((count + 1, count + 1))
    system[:count, :count] = matrix / np.outer(unit, unit)
    system[count, :count] = system[:count, count] = 1 / unit
    solved: Array = np.linalg.lstsq(system, np.eye(count + 1)[count])[0][:count]
    return solved / unit


def _factored(matrices: Array) -> tuple[Array, Array]:
    """Factor ``M = AᵀA``, and solve ``Aᵀb = 1``; b is NaN where M has a negative eigenvalue."""
    lower, info = torch.linalg.cholesky_ex(torch.from_numpy(matrices))
    ones = lower.new_ones((len(lower), lower.shape[1], 1))
    sides = torch.linalg.solve_triangular(lower, ones, upper=False)[..., 0].numpy()
    factors = lower.numpy().transpose(0, 2, 1)
    # Pivots of rounding size, beside what they are the rest of, would blow rounding up.
    pivots = lower.diagonal(dim1=1, dim2=2).square()
    whole = torch.from_numpy(matrices).diagonal(dim1=1, dim2=2)
    is_unsafe = (info > 0) | (pivots < _NOTHING * whole).any(1)
    for voxel in np.flatnonzero(is_unsafe.numpy()):
        factors[voxel], sides[voxel] = _factored_by_eigh(matrices[voxel])
    return np.asarray(factors), np.asarray(sides)


def _factored_by_eigh(matrix: Array) -> tuple[Array, Array]:
    """Factor one singular matrix, without the directions that it lacks."""
    values, vectors = np.linalg.eigh(matrix)
    largest = np.abs(values).max()
    if values[0] < -ROUNDING * largest:
        return matrix, np.full(len(matrix), np.nan)
    kept = values > _NOTHING * len(matrix) * largest
    root = np.sqrt(np.where(kept, values, 1.0))
    factor = vectors.T * np.where(kept, root, 0.0)[:, None]
    return factor, np.where(kept, vectors.sum(axis=0) / root, 0.0)
