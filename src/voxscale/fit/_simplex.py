"""The least of a quadratic form over the simplex, for many voxels: one least-squares problem each.

On the simplex ``αᵀ (R + 1 1ᵀ) α`` is ``αᵀ R α`` but for a constant. With ``R + 1 1ᵀ = AᵀA`` and
``Aᵀb = 1``, the ``β ≥ 0`` that makes ``‖A β - b‖`` least is a multiple of the weights looked for:
along a direction ``α`` of sum 1 the best length leaves ``-1 / (αᵀ R α + 1)`` and a constant.
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
        NaN where R is negative along a difference of weights, by more than rounding.

    Examples
    --------
    >>> least_on_simplex(np.diag([1.0, 3.0])[None])
    array([[0.75, 0.25]])
    """
    n_voxels, n_models, _ = matrices.shape
    # Weights do not depend on the size of R. That of the best model keeps the digits of the good
    # ones beside the 1, however bad the worst may be.
    errors = np.diagonal(matrices, axis1=1, axis2=2)
    size = np.where(errors > 0, errors, np.inf).min(axis=1)
    shifted = matrices / np.where(np.isfinite(size), size, 1.0)[:, None, None] + 1.0
    factors, sides = _factored(shifted)
    sides[(errors < 0).any(axis=1)] = np.nan
    weights = np.full((n_voxels, n_models), np.nan)
    for voxel in np.flatnonzero(np.isfinite(sides).all(axis=1)):
        try:
            weights[voxel] = nnls(factors[voxel], sides[voxel], maxiter=_MOST_STEPS * n_models)[0]
        except RuntimeError:  # it went around in a circle; counted with the voxels left out
            continue
    total = weights.sum(axis=1, keepdims=True)
    found: Array = np.divide(weights, total, out=np.full_like(weights, np.nan), where=total > 0)
    return found


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
