"""Intervals from few members: Student's t on contrasts of each member's own curve.

A contrast is a weighted sum of a curve's points. What is linear in the points is one itself. What
is not is made one in two ways: by its derivative, and, for an exponent or a break, by a test of
every candidate.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import stdtr, stdtrit

from voxscale.arrays import Array
from voxscale.scaling._kinds import Kind, basis, curve, pulls
from voxscale.scaling._varpro import off

__all__ = ["MemberTest", "accepted_thetas", "influence", "t_critical", "t_test"]

_N_TRIED = 257
_HALVINGS = 45


class MemberTest(NamedTuple):
    """A weighted mean over members; arrays of one shape."""

    mean: Array
    standard_error: Array
    df: int

    @property
    def p_value(self) -> Array:
        """Two-sided, of a mean of 0; NaN with one member."""
        if self.df < 1:
            return np.full(np.shape(self.mean), np.nan)[()]
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(2 * stdtr(self.df, -np.abs(self.mean / self.standard_error)))[()]

    def interval(self, level: float) -> tuple[Array, Array]:
        """Return mean ± t · standard error; NaN with one member."""
        half = t_critical(self.df, level) * self.standard_error
        return np.asarray(self.mean - half)[()], np.asarray(self.mean + half)[()]


def t_critical(df: int, level: float) -> float:
    """Return the t that the middle ``level`` lies within; NaN without a degree of freedom."""
    return float(stdtrit(df, (1 + level) / 2)) if df >= 1 else float("nan")


def t_test(values: Array, weights: Array) -> MemberTest:
    """Average over members, and tell how sure that is.

    Parameters
    ----------
    values : array of shape (n_members, ...)
    weights : array of shape (n_members,)
        Sum to 1.

    Returns
    -------
    MemberTest
        With equal weights the textbook's. Otherwise its variance is that of a weighted mean of
        members whose own variance falls as their weight grows: Σ w² e² / (1 - w).
    """
    mean = np.tensordot(weights, values, axes=1)
    if len(weights) < 2:
        return MemberTest(mean, np.full(np.shape(mean), np.nan), 0)
    around = values - mean
    variance = np.tensordot(weights**2 / (1 - weights), around**2, axes=1)
    return MemberTest(mean, np.sqrt(variance), len(weights) - 1)


def influence(
    kind: Kind,
    v: Array,
    parameters: Array,
    curves: Array,
    weights: Array,
    offset: Array | float = 0.0,
) -> Array:
    """Tell what each member's curve moves the parameters of the whole by, to first order.

    It is the derivative of the fit by the weights of members, times their curves.

    Parameters
    ----------
    kind : Kind
    v : array of shape (n_points,)
    parameters : array of shape (n_parameters,)
    curves : array of shape (n_points, n_members)
    weights : array of shape (n_members,)
    offset : number
        The ceiling of a saturating law.

    Returns
    -------
    array of shape (n_parameters, n_members)
        Its weighted sum is 0. Exact where the law is linear in its parameters.
    """
    mean = (curves @ weights)[:, None]
    rest = mean - curve(kind, parameters[:, None], v[:, None], offset)
    return np.asarray(pulls(kind, v, parameters[:, None], rest)[0] @ (curves - mean))


def _contrasts(kind: Kind, v: Array, theta: Array) -> Array:
    """Make the contrast that tests each theta, of shape (n_points, n_thetas).

    It is the derivative of the law by theta, less what the other parameters can do: where theta
    is that of all members, its mean over them is 0, whatever their other parameters are.
    """
    terms = basis(kind, v)
    flat = np.linalg.qr(terms.T)[0].T if kind.n_base else terms
    bent = off(flat, kind.shape(theta, v[:, None]))
    contrast = off(flat, kind.by_theta(theta, v[:, None]))
    along = np.einsum("pt,pt->t", contrast, bent) / np.einsum("pt,pt->t", bent, bent)
    return np.asarray(contrast - along * bent)


def _t_of(kind: Kind, v: Array, curves: Array, weights: Array, theta: Array) -> Array:
    """Compute |t| of a theta for each column, of shape (n_columns,)."""
    values = np.einsum("pc,mpc->mc", _contrasts(kind, v, theta), curves)
    mean, error, _ = t_test(values, weights)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.abs(mean / error))


def _t_of_all(kind: Kind, v: Array, curves: Array, weights: Array, grid: Array) -> Array:
    """Compute |t| of each theta of a grid for each column, of shape (n_thetas, n_columns)."""
    contrasts = _contrasts(kind, v, grid).T
    mean, error, _ = t_test(np.stack([contrasts @ one for one in curves]), weights)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.abs(mean / error))


def accepted_thetas(
    kind: Kind,
    v: Array,
    curves: Array,
    weights: Array,
    fitted: Array,
    level: float,
) -> tuple[Array, Array]:
    """Invert the test: find the thetas that members' curves do not speak against.

    Parameters
    ----------
    kind : Kind
        One with a theta.
    v : array of shape (n_points,)
    curves : array of shape (n_members, n_points, n_columns)
        Without the ceiling, where the law has one.
    weights : array of shape (n_members,)
    fitted : array of shape (n_columns,)
        The estimates, which always belong.
    level : float

    Returns
    -------
    low, high : arrays of shape (n_columns,)
        The smallest and the largest that are accepted. At the ends of what the sizes can tell:
        -inf and inf. NaN with one member.
    """
    most = t_critical(len(weights) - 1, level)
    if np.isnan(most):
        return np.full(fitted.shape, np.nan), np.full(fitted.shape, np.nan)
    nodes = kind.nodes(v)
    grid = np.interp(np.linspace(0, len(nodes) - 1, _N_TRIED), np.arange(len(nodes)), nodes)
    is_in = ~(_t_of_all(kind, v, curves, weights, grid) > most)
    numbers = np.arange(len(grid))[:, None]
    first = np.where(is_in, numbers, len(grid)).min(axis=0)
    last = np.where(is_in, numbers, -1).max(axis=0)
    ends = []
    for at, step in ((first, -1), (last, 1)):
        none = (at < 0) | (at >= len(grid))
        inner = np.where(none, fitted, grid[np.clip(at, 0, len(grid) - 1)])
        # The estimate may lie beyond the accepted nodes, between two that are not.
        inner = np.minimum(inner, fitted) if step < 0 else np.maximum(inner, fitted)
        outer_at = np.searchsorted(grid, inner, side="left" if step < 0 else "right")
        outer = grid[np.clip(outer_at - (step < 0), 0, len(grid) - 1)]
        is_open = (at == 0) if step < 0 else (at == len(grid) - 1)
        found = _edge(kind, v, curves, weights, inner, outer, most)
        ends.append(np.where(is_open, step * np.inf, found))
    return ends[0], ends[1]


def _edge(
    kind: Kind, v: Array, curves: Array, weights: Array, inner: Array, outer: Array, most: float
) -> Array:
    """Halve the way between what is accepted and what is not."""
    for _ in range(_HALVINGS):
        middle = 0.5 * (inner + outer)
        is_in = ~(_t_of(kind, v, curves, weights, middle) > most)
        inner, outer = np.where(is_in, middle, inner), np.where(is_in, outer, middle)
    return inner
