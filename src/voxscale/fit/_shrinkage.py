"""How ridge shrinks along the spectrum, at every alpha, in as few products as the digits need.

Neighbouring alphas shrink alike, so that a table of alphas × eigenvalues has few directions.
It has fewer still over a short stretch of the spectrum: there the curves are all but straight,
and two or three directions hold any number of alphas. So the spectrum is cut into stretches, each
with its own few products; together they cost about as much as three alphas, however many there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.linalg

from voxscale.arrays import Array

__all__ = [
    "Curves",
    "Stretch",
    "check_tolerance",
    "chosen_alphas",
    "curves",
    "default_tolerance",
    "error_curves",
    "possible_eigenvalues",
    "shrinkages",
    "stretches",
]

# What one more product of a stretch costs beside its multiplications, in columns: it is written
# to memory, and mixed into every alpha.
_WRITING = 40
_MIXING = 2.5
_N_PLACES = 300
_N_CUTS = 16  # places where the spectrum may be cut, by number of eigenvalues
_TOP_CUTS = (8, 16, 32, 64, 128)  # and from its large end, where they lie far apart


@dataclass(frozen=True, eq=False)
class Stretch:
    """A part of the spectrum, and its share of the shrinkage at every alpha.

    Parameters
    ----------
    columns : slice
        Eigenvalues of this part.
    mixing : array of shape (n_alphas, n_products)
    factors : array of shape (n_products, n_columns)
        ``mixing @ factors`` is the table of shrinkages on these columns.
    """

    columns: slice
    mixing: Array
    factors: Array


@dataclass(frozen=True, eq=False)
class Curves:
    """Alphas at which predictions are made, and how their sums give those at all alphas.

    Parameters
    ----------
    at : array of int, shape (n_few,), ascending
        Alphas whose predictions are made.
    linear : array of shape (n_alphas, n_few)
        For sums that are linear in the prediction, such as its product with the response.
    squared : array of shape (n_alphas, n_few)
        For sums of squares of the prediction.
    """

    at: Array
    linear: Array
    squared: Array


def default_tolerance(dtype: Any) -> float:
    """Tolerance that nobody asked for: well below the effect of the data, above rounding."""
    return 1e-6 if np.dtype(dtype) == np.float32 else 1e-12


def check_tolerance(tolerance: float) -> None:
    """Raise a ValueError unless the tolerance is a number from 0 up to, but not, 1."""
    if not 0 <= tolerance < 1:
        msg = f"tolerance is {tolerance}; expected a number from 0 (exact) to below 1."
        raise ValueError(msg)


def shrinkages(
    eigenvalues: Array, alphas: Array, weights: Array | None = None
) -> tuple[Array, Array]:
    """Tabulate ``s / (s + alpha)``, each row divided by its size.

    Parameters
    ----------
    eigenvalues : array of shape (rank,), ascending, positive
    alphas : array of shape (n_alphas,)
    weights : array of shape (rank,), optional
        Sizes of the columns that the shrunk responses are multiplied with.

    Returns
    -------
    table : array of shape (n_alphas, rank), float64
        Divided by its last column, so that a huge alpha cannot underflow float32; with weights,
        by the norm of the weighted row, so that a tolerance is that of each alpha. (The last
        column may weigh nothing: a mean, where there is no intercept, varies with no row.)
    scale : array of shape (n_alphas, 1), float64
        What was divided by.
    """
    if not len(eigenvalues):
        return np.ones((len(alphas), 0)), np.ones((len(alphas), 1))
    table = eigenvalues / (eigenvalues + alphas[:, None])
    scale = table[:, -1:].copy()
    table /= scale
    if weights is not None:
        size = np.linalg.norm(table * weights, axis=1, keepdims=True)
        size[size == 0] = 1
        table, scale = table / size, scale * size
    return table, scale


def possible_eigenvalues(largest: float, alphas: Array) -> tuple[Array, Array]:
    """Places where eigenvalues of training rows may be, where nothing tells, and their weights.

    Parameters
    ----------
    largest : float
        None is larger; below it they may be anywhere.
    alphas : array of shape (n_alphas,)

    Returns
    -------
    places, weights : array of shape (n_places,)
        Predictions grow with the root of an eigenvalue; there are more of the small ones.
    """
    least = float(alphas.min())
    largest = largest or least  # a design of zeros predicts 0, wherever its eigenvalues may be
    places = np.geomspace(min(largest, least) / 100, largest, _N_PLACES)
    return places, (places / places[-1]) ** 0.25


def stretches(table: Array, weights: Array, tolerance: float) -> list[Stretch]:
    """Cut the spectrum where that makes the products with the responses cheapest.

    Parameters
    ----------
    table : array of shape (n_alphas, rank)
        Shrinkages.
    weights : array of shape (rank,)
        Sizes of the columns that the shrunk responses are multiplied with.
    tolerance : float
        Parts of the weighted table below this, relative to its largest singular value, are
        left out. 0: the table itself, a product for each alpha.

    Returns
    -------
    list of Stretch
        In the order of the columns; a part of no weight is left out.

    Notes
    -----
    Every way to cut at a few dozen places is weighed, by dynamic programming: a product over
    ``n`` columns costs ``n``, and a little more for itself.
    """
    n_alphas, rank = table.shape
    whole = [Stretch(slice(0, rank), np.eye(n_alphas), table)]
    if tolerance == 0 or not rank:
        return whole
    weighted = table * weights
    cutoff = tolerance * float(np.linalg.norm(weighted, 2))
    if cutoff == 0:
        return []
    parts = [
        _factored(table, weights, slice(*ends), cutoff) for ends in _best_cuts(weighted, cutoff)
    ]
    found = [part for part in parts if part.mixing.shape[1]]
    overhead = _WRITING + _MIXING * n_alphas
    cost = sum(len(part.factors) * (part.factors.shape[1] + overhead) for part in found)
    return found if cost < n_alphas * rank else whole


def chosen_alphas(table: Array, weights: Array, tolerance: float) -> tuple[Array, Array]:
    """Choose the alphas from which the shrinkages at all others can be had.

    Parameters
    ----------
    table : array of shape (n_alphas, rank)
    weights : array of shape (rank,)
    tolerance : float
        As in :func:`stretches`. 0: all alphas are chosen.

    Returns
    -------
    chosen : array of int, shape (n_chosen,), ascending
    mixing : array of shape (n_alphas, n_chosen)
        ``mixing @ table[chosen]`` is ``table``; the identity on the chosen rows.
    """
    weighted = (table * weights).T
    everything = np.arange(len(table)), np.eye(len(table))
    if tolerance == 0 or not weighted.size or not weighted.any():
        return everything
    _, triangle, order = scipy.linalg.qr(weighted, mode="economic", pivoting=True)
    left_over = np.abs(np.diag(triangle))
    n_chosen = int((left_over > tolerance * left_over[0]).sum())
    if n_chosen >= len(table):
        return everything
    chosen = np.sort(order[:n_chosen])
    mixing = scipy.linalg.lstsq(weighted[:, chosen], weighted)[0].T
    mixing[chosen] = np.eye(n_chosen)
    return chosen, mixing


def curves(table: Array, weights: Array, tolerance: float) -> Curves:
    """Choose the few alphas whose predictions say how good those of all alphas are.

    Along the alphas a prediction moves within ``r`` directions, and its sum of squares within
    the products of these; such a curve is known everywhere from its values at little more than
    ``r`` places.

    Parameters
    ----------
    table : array of shape (n_alphas, rank)
    weights : array of shape (rank,)
    tolerance : float
        As in :func:`stretches`. 0: all alphas.

    Returns
    -------
    Curves
    """
    n_alphas = len(table)
    every = np.eye(n_alphas)
    everything = Curves(np.arange(n_alphas), every, every)
    weighted = table * weights
    if tolerance == 0 or not weighted.size or not weighted.any():
        return everything
    left, sizes, _ = np.linalg.svd(weighted, full_matrices=False)
    # A tenth: errors of the directions meet in the products.
    n_directions = int((sizes > 0.1 * tolerance * sizes[0]).sum())
    directions = left[:, :n_directions] * (sizes[:n_directions] / sizes[0])
    first, second = np.triu_indices(n_directions)
    products = directions[:, first] * directions[:, second] * np.where(first < second, 2**0.5, 1)
    _, triangle, order = scipy.linalg.qr(products.T, mode="economic", pivoting=True)
    left_over = np.abs(np.diag(triangle))
    n_few = int((left_over > tolerance * left_over[0]).sum())
    if n_few >= n_alphas:
        return everything
    at = np.sort(order[:n_few])
    squared = scipy.linalg.lstsq(products[at].T, products.T)[0].T
    linear = scipy.linalg.lstsq(directions[at].T, directions.T)[0].T
    linear[at] = squared[at] = np.eye(n_few)
    return Curves(at, linear, squared)


def error_curves(places: Array, alphas: Array, tolerance: float) -> Curves:
    """Choose the few alphas whose squared errors give those of all alphas.

    An error is a sum of products of what is left of the responses, ``alpha / (s + alpha)`` in
    each direction, and all of them in the directions that no prediction reaches.

    Parameters
    ----------
    places : array of shape (n_places,)
        Where eigenvalues may be.
    alphas : array of shape (n_alphas,)
    tolerance : float
        As in :func:`stretches`. 0: all alphas.

    Returns
    -------
    Curves
        Its ``squared`` takes the errors at some alphas to those at all.
    """
    left_over = alphas[:, None] / (np.append(0.0, places) + alphas[:, None])
    # A hundredth: errors are larger than the small predictions that they tell apart.
    return curves(left_over, np.ones(left_over.shape[1]), 0.01 * tolerance)


def _best_cuts(weighted: Array, cutoff: float) -> Sequence[tuple[int, int]]:
    """Find the ends of the parts that are cheapest in all."""
    n_alphas, rank = weighted.shape
    overhead = _WRITING + _MIXING * n_alphas
    even = np.linspace(0, rank, min(rank, _N_CUTS) + 1).round().astype(int)
    from_top = rank - np.array([cut for cut in _TOP_CUTS if cut < rank], dtype=int)
    edges = np.union1d(even, from_top)
    # Only the size of the directions counts here: a triangle has them, and is small.
    pieces = [_triangle(weighted[:, start:stop].T).T for start, stop in pairwise(edges)]
    cheapest, come_from = np.zeros(len(edges)), np.zeros(len(edges), dtype=int)
    for stop in range(1, len(edges)):
        cheapest[stop] = np.inf
        held = np.empty((n_alphas, 0))
        for start in range(stop - 1, -1, -1):
            held = _compressed(np.hstack([pieces[start], held]))
            n_products = int((np.linalg.svd(held, compute_uv=False) > cutoff).sum())
            cost = cheapest[start] + n_products * (edges[stop] - edges[start] + overhead)
            if cost < cheapest[stop]:
                cheapest[stop], come_from[stop] = cost, start
    cuts = []
    stop = len(edges) - 1
    while stop:
        cuts.append((int(edges[come_from[stop]]), int(edges[stop])))
        stop = int(come_from[stop])
    return cuts[::-1]


def _compressed(matrix: Array) -> Array:
    """Give a matrix with the same singular values and no more columns than rows."""
    if matrix.shape[1] <= matrix.shape[0]:
        return matrix
    return _triangle(matrix.T).T


def _triangle(matrix: Array) -> Array:
    triangle: Array = scipy.linalg.qr(matrix, mode="r")[0][: matrix.shape[1]]
    return triangle


def _factored(table: Array, weights: Array, columns: slice, cutoff: float) -> Stretch:
    w = np.where(weights[columns] > 0, weights[columns], 1.0)
    left, sizes, right = np.linalg.svd(table[:, columns] * w, full_matrices=False)
    n_products = int((sizes > cutoff).sum())
    mixing = left[:, :n_products] * sizes[:n_products]
    return Stretch(columns, mixing, right[:n_products] / w)
