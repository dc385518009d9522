"""How often a statistic that follows the non-central t distribution is far from 0."""

from __future__ import annotations

import numpy as np
from scipy import special

from voxscale.arrays import Array

__all__ = ["two_sided_tail"]

_REACH = 9.0  # standard deviations of a normal variable: all but 1e-19 of it
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(20)
_OF_NORMAL = np.linspace(-_REACH, _REACH, 37)
_OF_SCALE = np.linspace(-12, 12, 49)
# Above this multiple of the critical value nothing is left: a chi variable over the root of its
# degrees of freedom is below 40 but for 1e-300, even with one degree.
_CERTAIN = 40.0
_SMALLEST = 1e-100  # of critical values: below it the probability is 1


def two_sided_tail(critical: float, freedom: float, away: float) -> float:
    """Compute the probability that |t| is above a critical value.

    Parameters
    ----------
    critical : float
        Above 0.
    freedom : float
        Degrees of freedom, 1 or more.
    away : float
        Noncentrality; the sign does not matter.

    Returns
    -------
    float
        Between 0 and 1, within 1e-13.

    Notes
    -----
    With t = (Z + d) / s, Z standard normal and ν s² chi-squared, P(|t| > c) is the mean of
    P(s < u / c) over u = |Z + d|. The integral over u is cut where the normal density or the
    distribution of s bends, and each piece taken by 20 nodes of Gauss and Legendre. All terms are
    positive: there is no far tail to be lost, as in sums of the two tails of t.
    """
    critical = max(critical, _SMALLEST)
    away = min(abs(away), _CERTAIN * (critical + 1) + _REACH)
    bend = critical * (1 + _OF_SCALE / np.sqrt(2 * freedom))
    total = 0.0
    for mean in (away, -away):
        low = max(-_REACH, -mean)
        if low < _REACH:
            edges = np.unique(np.clip(np.concatenate([_OF_NORMAL, bend - mean]), low, _REACH))
            total += _between(edges, mean, critical, freedom)
    return min(total, 1.0)


def _between(edges: Array, mean: float, critical: float, freedom: float) -> float:
    """Integrate over z, of which u = mean + z, in the pieces between some edges."""
    half = 0.5 * np.diff(edges)[:, None]
    z = edges[:-1, None] + half * (1 + _NODES)
    scaled = (mean + z) / critical
    below = special.gammainc(0.5 * freedom, 0.5 * freedom * scaled**2)
    density = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    return float((half * _WEIGHTS * density * below).sum())
