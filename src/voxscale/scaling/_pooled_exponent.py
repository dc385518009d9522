"""The exponent that a group of columns shares, and how sure it is over members."""

from __future__ import annotations

import numpy as np
from scipy import optimize

from voxscale.arrays import Array
from voxscale.scaling._contrasts import t_critical, t_test
from voxscale.scaling._surface_projection import LARGEST_EXPONENT
from voxscale.scaling._surface_terms import power_term, power_term_slope

__all__ = ["pooled_exponent", "pooled_exponent_interval"]

_NODES = np.concatenate([[0.0], np.geomspace(0.01, LARGEST_EXPONENT, 120)])


def pooled_exponent(log_x: Array, scores: Array) -> float:
    """Find the exponent under which the columns (n_sizes, n_columns) leave least."""
    apart = scores - scores.mean(axis=0)
    square = apart @ apart.T

    def gain(exponent: float) -> tuple[float, float]:
        """Tell what is explained, and its derivative."""
        term = power_term(log_x, np.asarray(exponent))
        slope = power_term_slope(log_x, np.asarray(exponent))
        term, slope = term - term.mean(), slope - slope.mean()
        size, along = term @ term, term @ square @ term
        change = 2 * (slope @ square @ term - along * (slope @ term) / size) / size
        return float(along / size), float(change)

    terms = power_term(log_x, _NODES[:, None])
    terms -= terms.mean(axis=1, keepdims=True)
    gains = ((terms @ square) * terms).sum(axis=1) / (terms**2).sum(axis=1)
    best = int(np.argmax(gains))
    low, high = _NODES[max(best - 1, 0)], _NODES[min(best + 1, len(_NODES) - 1)]
    at_low, at_high = gain(low)[1], gain(high)[1]
    if at_low > 0 > at_high:
        return float(optimize.brentq(lambda e: gain(e)[1], low, high, xtol=1e-15, rtol=1e-14))
    return float(_NODES[best])


def pooled_exponent_interval(
    log_x: Array, curves: Array, weights: Array, exponent: float, level: float
) -> tuple[float, float]:
    """Find the interval of a group's exponent by Student's t over members.

    Parameters
    ----------
    log_x : array of shape (n_sizes,)
    curves : array of shape (n_sizes, n_columns, n_members)
    weights : array of shape (n_members,)
        Sum to 1.
    exponent : float
        That of the weighted mean of the members.
    level : float

    Returns
    -------
    low, high : float
        NaN with one member. Where the exponent is at a bound, where the jackknife would find
        members without effect: the exponents that members do not speak against, from 0, or to
        inf from 4 on.
    """
    if len(weights) < 2:
        return float("nan"), float("nan")
    if not 0 < exponent < LARGEST_EXPONENT:
        return _from_bound(log_x, curves, weights, exponent, level)
    shares = (1 - np.eye(len(weights))) * weights
    shares /= shares.sum(axis=1, keepdims=True)
    without = np.array([pooled_exponent(log_x, curves @ share) for share in shares])
    error = np.sqrt((1 - weights) @ (without - without.mean()) ** 2)
    reach = t_critical(len(weights) - 1, level) * float(error)
    return max(exponent - reach, 0.0), exponent + reach


def _from_bound(
    log_x: Array, curves: Array, weights: Array, exponent: float, level: float
) -> tuple[float, float]:
    """Go from the bound to the first exponent that members speak against."""
    is_low = exponent == 0
    nodes = _NODES if is_low else _NODES[::-1]
    most = t_critical(len(weights) - 1, level)
    against = [_t_of(log_x, curves, weights, node) > most for node in nodes]
    first = int(np.argmax(against)) if any(against) else len(nodes)
    inner = float(nodes[max(first - 1, 0)])
    if 0 < first < len(nodes):
        outer = float(nodes[first])
        for _ in range(40):
            middle = 0.5 * (inner + outer)
            if _t_of(log_x, curves, weights, middle) > most:
                outer = middle
            else:
                inner = middle
    if is_low:
        return 0.0, float("inf") if first == len(nodes) else inner
    return inner, float("inf")


def _t_of(log_x: Array, curves: Array, weights: Array, exponent: float) -> float:
    """Test an exponent by the slope of the squares that it leaves, member by member."""
    basis = np.column_stack([np.ones(len(log_x)), power_term(log_x, np.asarray(exponent))])
    slope = power_term_slope(log_x, np.asarray(exponent))
    contrast = slope - basis @ np.linalg.lstsq(basis, slope)[0]
    factors = np.linalg.lstsq(basis, curves @ weights)[0][1]
    test = t_test(np.einsum("p,pcm,c->m", contrast, curves, factors), weights)
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.abs(test.mean / test.standard_error))
