"""Least squares where one parameter is not linear: a grid over it, and what is linear solved.

For each value of that parameter the others have a closed form, so that the sum of squares is a
function of one number. On a grid, it is a product with unit vectors; the best node is polished.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from voxscale.arrays import Array
from voxscale.scaling._kinds import Kind, basis

__all__ = ["Fitted", "fit_curves", "off"]

_MOST_STEPS = 80


class Fitted(NamedTuple):
    """Laws of many curves.

    Parameters
    ----------
    parameters : array of shape (n_parameters, n_curves)
        Polynomial, coefficient of the shape, theta.
    bound : array of int8 of shape (n_curves,)
        -1 where theta is at its lowest value, 1 at its highest, else 0.
    """

    parameters: Array
    bound: Array


def fit_curves(
    kind: Kind,
    v: Array,
    curves: Array,
    offset: Array | float = 0.0,
    *,
    nodes: Array | None = None,
    most_steps: int = _MOST_STEPS,
) -> Fitted:
    """Fit a law to each column.

    Parameters
    ----------
    kind : Kind
    v : array of shape (n_points,)
        ln(x / x_min).
    curves : array of shape (n_points, n_curves)
    offset : number, or array of shape (n_curves,)
        What is subtracted before: the ceiling of a saturating law.
    nodes : array, optional
        Grid of theta.
    most_steps : int
        Of the polish.

    Returns
    -------
    Fitted

    References
    ----------
    Golub & Pereyra 1973, SIAM Journal on Numerical Analysis 10:413, doi:10.1137/0710036.
    """
    y = curves - offset
    # From the first point on, so that equal scores have a slope of exactly 0.
    first = y[0] if kind.n_base else np.zeros(y.shape[1])
    y = y - first
    terms = basis(kind, v)
    flat = np.linalg.qr(terms.T)[0].T if kind.n_base else terms
    left = off(flat, y)
    bound = np.zeros(y.shape[1], np.int8)
    if kind.theta is None:
        theta = np.zeros(y.shape[1])
    else:
        grid = kind.nodes(v) if nodes is None else nodes
        theta, bound = _best(kind, v, flat, left, grid, most_steps)
    shape = np.broadcast_to(kind.shape(theta, v[:, None]), y.shape)
    bent = off(flat, shape)
    size = np.einsum("pc,pc->c", bent, bent)
    product = np.einsum("pc,pc->c", bent, left)
    coefficient = np.divide(product, size, out=np.zeros_like(product), where=size > 0)
    rows = []
    if kind.n_base:
        rows = list(np.linalg.pinv(terms.T) @ (y - coefficient * shape))
        rows[0] = rows[0] + first
    rows += [coefficient] if kind.theta is None else [coefficient, theta]
    return Fitted(np.stack(rows), bound)


def off(flat: Array, columns: Array) -> Array:
    """Take out of each column what lies in the span of orthonormal rows."""
    return columns - flat.T @ (flat @ columns) if len(flat) else columns


def _best(
    kind: Kind, v: Array, flat: Array, left: Array, nodes: Array, most_steps: int
) -> tuple[Array, Array]:
    """Find the theta of each column that leaves least: first on the grid, then between nodes."""
    shapes = off(flat, kind.shape(nodes, v[:, None]))
    units = shapes / np.sqrt(np.einsum("pn,pn->n", shapes, shapes))
    at = np.argmax((left.T @ units) ** 2, axis=1)
    low, middle, high = (
        nodes[np.maximum(at - 1, 0)],
        nodes[at],
        nodes[np.minimum(at + 1, len(nodes) - 1)],
    )
    rises = _gain(kind, v, flat, left, middle)
    is_first, is_last = at == 0, at == len(nodes) - 1
    bound = np.zeros(len(at), np.int8)
    bound[is_last & (rises >= 0)] = 1
    bound[is_first & ((rises <= 0) | _is_exact(flat, left, units[:, 0]))] = -1
    low, high = np.where(rises > 0, middle, low), np.where(rises > 0, high, middle)
    theta = middle.copy()
    inside = np.flatnonzero((bound == 0) & (rises != 0))
    if inside.size:
        mine, node = left[:, inside], middle[inside]
        climbed = _climb(kind, v, flat, mine, low[inside], high[inside], most_steps)
        # Between nodes there may be a lower peak than the node's own.
        is_worse = _rest(kind, v, flat, mine, climbed) > _rest(kind, v, flat, mine, node)
        theta[inside] = np.where(is_worse, node, climbed)
    return theta, bound


def _rest(kind: Kind, v: Array, flat: Array, left: Array, theta: Array) -> Array:
    """Sum the squares that a theta leaves of each column."""
    bent = off(flat, kind.shape(theta, v[:, None]))
    size = np.einsum("pc,pc->c", bent, bent)
    rest = left - bent * (np.einsum("pc,pc->c", bent, left) / size)
    return np.asarray(np.einsum("pc,pc->c", rest, rest))


def _is_exact(flat: Array, left: Array, unit: Array) -> Array:
    """Tell which columns the lowest theta leaves nothing of but rounding."""
    rest = left - unit[:, None] * (unit @ left)
    tolerance = 32 * np.finfo(np.float64).eps * np.abs(left).max(axis=0)
    return np.asarray(np.abs(rest).max(axis=0) <= tolerance)


def _gain(kind: Kind, v: Array, flat: Array, left: Array, theta: Array) -> Array:
    """Differentiate by theta what is explained: half the derivative of the sum of squares."""
    shape, by_theta = kind.both(theta, v[:, None])
    bent = off(flat, shape)
    coefficient = np.einsum("pc,pc->c", bent, left) / np.einsum("pc,pc->c", bent, bent)
    bent *= -coefficient
    bent += left
    return np.asarray(coefficient * np.einsum("pc,pc->c", by_theta, bent))


def _climb(
    kind: Kind, v: Array, flat: Array, left: Array, low: Array, high: Array, most_steps: int
) -> Array:
    """Find where the gain turns from rising to falling, by false position with halved ends."""
    at_low, at_high = (_gain(kind, v, flat, left, end) for end in (low, high))
    side = np.zeros(len(low), np.int8)
    narrow = 4 * np.finfo(np.float64).eps * (np.abs(low) + np.abs(high))
    theta = low
    for _ in range(most_steps):
        before = theta
        with np.errstate(invalid="ignore", divide="ignore"):
            secant = (low * at_high - high * at_low) / (at_high - at_low)
        use = (at_low > 0) & (at_high < 0) & (secant > low) & (secant < high)
        theta = np.where(use, secant, 0.5 * (low + high))
        here = _gain(kind, v, flat, left, theta)
        rises = here > 0
        at_high = np.where(rises, np.where(side == 1, 0.5, 1.0) * at_high, here)
        at_low = np.where(rises, here, np.where(side == -1, 0.5, 1.0) * at_low)
        low, high = np.where(rises, theta, low), np.where(rises, high, theta)
        side = np.where(rises, 1, -1).astype(np.int8)
        if np.all((np.abs(theta - before) <= narrow) | (high - low <= narrow) | (here == 0)):
            break
    return theta
