"""Weights of a sum of bands at given penalties, solved for in float64."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from voxscale.arrays import Array
from voxscale.arrays._linalg import cholesky, eigh
from voxscale.fit._bands import Bands, column_chunks
from voxscale.fit._responses import Block
from voxscale.fit._scoring import centred

__all__ = ["solve_bands", "solve_blocks"]

# Beyond this, residuals in directions that no feature has would show in the weights.
_LARGEST_TRACE = 1e10


def solve_blocks(
    X: Tensor,
    bands: Bands,
    kernels: Tensor,
    deltas: Array,
    blocks: Iterable[Block],
    means: Array | None,
) -> tuple[Array, Array | None]:
    """Solve for the weights of all voxels, a block of responses at a time.

    Parameters
    ----------
    X : tensor of shape (n_trs, n_features)
        About ``means``, where they are given.
    bands : Bands
    kernels : tensor of shape (n_bands, n_trs, n_trs), float64
    deltas : array of shape (n_bands, n_voxels)
        Logarithm of 1 / penalty; NaN for a voxel that gets no weights.
    blocks : iterable of Block
    means : array of shape (n_features,), or None without an intercept

    Returns
    -------
    coef : array of shape (n_features, n_voxels)
        In the dtype of X; NaN for voxels without a penalty.
    intercept : array of shape (n_voxels,), or None
    """
    n_voxels = deltas.shape[1]
    coef = np.full((bands.n_features, n_voxels), np.nan, dtype=str(X.dtype).removeprefix("torch."))
    y_means = np.full(n_voxels, np.nan)
    for block in blocks:
        solved = ~np.isnan(deltas[:, block.voxels]).any(axis=0)
        voxels = np.arange(n_voxels)[block.voxels][solved]
        values = block.values[:, torch.from_numpy(solved).to(X.device)]
        if means is not None:
            values, mean = centred(values)
            y_means[voxels] = mean.cpu().numpy()
        solve_bands(X, bands.columns, kernels, deltas[:, voxels], values, coef, voxels)
    if means is None:
        return coef, None
    return coef, (y_means - means @ coef).astype(coef.dtype)


def solve_bands(
    X: Tensor,
    columns: tuple[Array, ...],
    kernels: Tensor,
    deltas: Array,
    Y: Tensor,
    coef: Array,
    voxels: Array,
) -> None:
    """Solve for the weights that minimise ``||Y - Σ X_b w_b||² + Σ exp(-delta_b) ||w_b||²``.

    Parameters
    ----------
    X : tensor of shape (n_trs, n_features)
    columns : tuple of array of int
        Of each band.
    kernels : tensor of shape (n_bands, n_trs, n_trs), float64
    deltas : array of shape (n_bands, n_voxels)
        Logarithm of 1 / penalty; -inf leaves a band out.
    Y : tensor of shape (n_trs, n_voxels)
    coef : array of shape (n_features, n_all_voxels)
        Written to.
    voxels : array of int, shape (n_voxels,)
        Its columns that are solved for.
    """
    shares = torch.from_numpy(np.exp(deltas)).to(X.device)
    dual = _duals(kernels, shares, Y)
    for own, share in zip(columns, shares, strict=True):
        # The residual is all but orthogonal to X where a penalty is small: float64 is needed.
        for chunk in column_chunks(own, max(X.shape[0], Y.shape[1])):
            part = X[:, chunk.to(X.device)].double()
            found = (part.T @ dual).mul_(share).cpu().numpy()
            coef[np.ix_(chunk.numpy(), voxels)] = found


def _duals(kernels: Tensor, shares: Tensor, Y: Tensor) -> Tensor:
    """Residuals at the solution; voxels with equal penalties share one decomposition."""
    dual = torch.empty(Y.shape, dtype=torch.float64, device=Y.device)
    distinct, member_of = torch.unique(shares, dim=1, return_inverse=True)
    for i, share in enumerate(distinct.T):
        members = member_of == i
        total = torch.tensordot(share, kernels, dims=1)
        dual[:, members] = _solved(total, Y[:, members].double())
    return dual


def _solved(kernel: Tensor, Y: Tensor) -> Tensor:
    """Solve ``(kernel + 1) dual = Y``, but for what the kernel's own rounding hides."""
    if kernel.trace() < _LARGEST_TRACE:
        kernel.diagonal().add_(1)
        return torch.cholesky_solve(Y, cholesky(kernel))
    eigenvalues, vectors = eigh(kernel)
    cutoff = eigenvalues[-1] * len(kernel) * torch.finfo(torch.float64).eps
    known = eigenvalues > cutoff
    solution: Tensor = vectors[:, known] @ (
        (vectors[:, known].T @ Y) / (eigenvalues[known] + 1)[:, None]
    )
    return solution
