"""Exponents by variable projection: what enters linearly is solved for, many fits at once.

For exponents e the best asymptote and coefficients follow by least squares, so that the search
is over the exponents alone, with the exact derivative of the projected residual.

References
----------
Golub & Pereyra 1973, SIAM Journal on Numerical Analysis 10:413, doi:10.1137/0710036.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np

from voxscale.arrays import Array
from voxscale.scaling._surface_terms import power_term, power_term_slope

__all__ = ["LARGEST_EXPONENT", "fit_exponents", "polish", "project"]

LARGEST_EXPONENT = 4.0
_SMALLEST_ON_GRID = 0.02
_GRID_LENGTHS = {1: 60, 2: 24, 3: 11}
_N_STARTS = 6
_N_STEPS = 300
_CONVERGED = 1e-13  # a step, as a share of the exponent
_DAMPING = (1e-12, 1e-3, 1e12)  # least, first, and where a fit is given up as finished
_RANK = 1e-11


class Projection(NamedTuple):
    """What is left of the targets when the best linear part is taken off, for each fit."""

    linear: Array  # (n_fits, 1 + n_axes): constant, then one factor for each axis
    residual: Array  # (n_fits, n_points)
    jacobian: Array  # (n_fits, n_points, n_axes): of the residual, in the exponents
    cost: Array  # (n_fits,): sum of squares; infinite where the terms are not independent


def project(log_x: Array, targets: Array, exponents: Array) -> Projection:
    """Solve for the linear part at given exponents.

    Parameters
    ----------
    log_x : array of shape (n_points, n_axes)
        Natural logarithms about their means.
    targets : array of shape (n_fits, n_points)
    exponents : array of shape (n_fits, n_axes)
    """
    terms = power_term(log_x, exponents[:, None, :])
    basis = np.concatenate([np.ones((*terms.shape[:2], 1)), terms], axis=2)
    orthonormal, triangle = np.linalg.qr(basis)
    diagonal = np.abs(np.diagonal(triangle, axis1=1, axis2=2))
    is_dependent = (diagonal < _RANK * np.linalg.norm(basis, axis=1)).any(axis=1)
    triangle[is_dependent] = np.eye(triangle.shape[1])
    weights = np.einsum("fnk,fn->fk", orthonormal, targets)
    linear = np.linalg.solve(triangle, weights[..., None])[..., 0]
    residual = targets - np.einsum("fnk,fk->fn", orthonormal, weights)
    moved = power_term_slope(log_x, exponents[:, None, :])
    inside = np.einsum("fnk,fna->fka", orthonormal, moved)
    outside = moved - np.einsum("fnk,fka->fna", orthonormal, inside)
    # Row 1 + a of the pseudo-inverse, along which a change of term a tilts the plane itself.
    inverse = np.swapaxes(np.linalg.inv(triangle), 1, 2)
    tilt = np.einsum("fnk,fka->fna", orthonormal, inverse[:, :, 1:])
    along = np.einsum("fna,fn->fa", moved, residual)
    jacobian = -(outside * linear[:, None, 1:] + tilt * along[:, None, :])
    cost = np.where(is_dependent, np.inf, (residual**2).sum(axis=1))
    return Projection(linear, residual, jacobian, cost)


def polish(log_x: Array, targets: Array, start: Array) -> Array:
    """Descend from the exponents at the start, each fit by itself, within 0 … 4.

    Levenberg-Marquardt; an exponent at a bound that pushes outwards is held there.

    Parameters
    ----------
    log_x : array of shape (n_points, n_axes)
    targets : array of shape (n_fits, n_points)
    start : array of shape (n_fits, n_axes)

    Returns
    -------
    array of shape (n_fits, n_axes)
    """
    exponents = np.array(start, dtype=np.float64)
    least, first, most = _DAMPING
    damping = np.full(len(exponents), first)
    moving = np.arange(len(exponents))
    now = project(log_x, targets, exponents)
    for _ in range(_N_STEPS):
        step = _step(now, exponents[moving], damping[moving])
        tried = np.clip(exponents[moving] + step, 0.0, LARGEST_EXPONENT)
        there = project(log_x, targets[moving], tried)
        change = np.abs(tried - exponents[moving]).max(axis=1)
        is_better = there.cost < now.cost
        exponents[moving[is_better]] = tried[is_better]
        factor = np.where(is_better, 0.1, 10.0)
        damping[moving] = np.maximum(damping[moving] * factor, least)
        goes_on = (change > _CONVERGED * exponents[moving].max(axis=1)) & (damping[moving] < most)
        now = Projection(
            *(_either(is_better, new, old) for new, old in zip(there, now, strict=True))
        )
        now = Projection(*(part[goes_on] for part in now))
        moving = moving[goes_on]
        if not len(moving):
            break
    return exponents


def fit_exponents(log_x: Array, target: Array) -> Array:
    """Find the exponents of one surface: a grid over them all, then down from its best points.

    Parameters
    ----------
    log_x : array of shape (n_points, n_axes)
    target : array of shape (n_points,)

    Returns
    -------
    array of shape (n_axes,)
    """
    n_axes = log_x.shape[1]
    values = np.geomspace(_SMALLEST_ON_GRID, LARGEST_EXPONENT, _GRID_LENGTHS[n_axes])
    grid = np.array(list(product(values, repeat=n_axes)))
    costs = project(log_x, np.broadcast_to(target, (len(grid), len(target))), grid).cost
    starts = grid[np.argsort(costs, kind="stable")[:_N_STARTS]]
    targets = np.broadcast_to(target, (len(starts), len(target)))
    found = polish(log_x, targets, starts)
    best = int(np.argmin(project(log_x, targets, found).cost))
    return np.asarray(found[best])


def _step(now: Projection, exponents: Array, damping: Array) -> Array:
    """Solve for a damped step in the exponents that are free to move."""
    gradient = np.einsum("fna,fn->fa", now.jacobian, now.residual)
    outwards = (exponents <= 0) & (gradient > 0)
    outwards |= (exponents >= LARGEST_EXPONENT) & (gradient < 0)
    jacobian = np.where(outwards[:, None, :], 0.0, now.jacobian)
    square = np.einsum("fna,fnb->fab", jacobian, jacobian)
    size = np.diagonal(square, axis1=1, axis2=2)
    added = damping[:, None] * size + np.where(size > 0, np.finfo(float).tiny, 1.0)
    square = square + added[:, :, None] * np.eye(jacobian.shape[2])
    wanted = np.where(outwards, 0.0, -gradient)
    return np.asarray(np.linalg.solve(square, wanted[..., None])[..., 0])


def _either(choice: Array, new: Array, old: Array) -> Array:
    """Take whole fits from the one or the other."""
    return np.where(choice.reshape(-1, *[1] * (new.ndim - 1)), new, old)
