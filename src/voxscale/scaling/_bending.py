"""Whether a curve bends, and which way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtr

from voxscale.arrays import Array
from voxscale.errors import FitError
from voxscale.scaling._contrasts import t_test
from voxscale.scaling._laws import fit_scaling_law

__all__ = ["Bending", "bending"]

_N_EPS = 256  # times the rounding of one number: what the contrast makes of a straight curve


@dataclass(frozen=True)
class Bending:
    """A test of whether a curve is a line in log10(x); made by :func:`bending`.

    Parameters
    ----------
    curvature : float
        Change of the slope per decade from one decade to the next: twice the coefficient of
        log10(x)². Below 0 where the curve flattens.
    interval : tuple of float
        Of the curvature, over members: for other subjects and these very sizes.
    p_value : float
        Two-sided, by Student's t over members; NaN with one.
    p_value_sizes : float
        Two-sided, by Student's t of the residuals of the mean curve about its parabola, which
        have n_points - 3 degrees of freedom; NaN with three points.
    verdict : str
        "bends down", "straight within error", "bends up", or "no error to tell by".
    level : float
    over : str or None
        The level whose members were compared.
    """

    curvature: float
    interval: tuple[float, float]
    p_value: float
    p_value_sizes: float
    verdict: str
    level: float
    over: str | None

    def __str__(self) -> str:
        low, high = self.interval
        ends = (
            "no interval: one unit"
            if self.over is None
            else f"{100 * self.level:g} % interval {low:+.4g} to {high:+.4g}, "
            f"p = {self.p_value:.3g}"
        )
        sizes = (
            "too few sizes to tell their scatter"
            if np.isnan(self.p_value_sizes)
            else f"p = {self.p_value_sizes:.3g} by the scatter of the sizes"
        )
        return (
            f"{self.verdict}: the slope per decade changes by {self.curvature:+.4g} each decade "
            f"({ends}; {sizes})"
        )


def bending(
    x: ArrayLike,
    scores: ArrayLike,
    *,
    levels: Mapping[str, ArrayLike] | None = None,
    unit_weights: ArrayLike | None = None,
    over: str | None = None,
    level: float = 0.95,
) -> Bending:
    """Test whether the curve of scores against log10(x) bends.

    Parameters
    ----------
    x, scores, levels, unit_weights, over, level
        As in :func:`fit_scaling_law`.

    Returns
    -------
    Bending

    Raises
    ------
    FitError
        If fewer than three sizes differ; and as :func:`fit_scaling_law`.
    AlignmentError, ValueError
        As :func:`fit_scaling_law`.

    Notes
    -----
    The contrast is that of a parabola, fitted to each member's curve; it is also what tests an
    exponent of 0 in a power law, so that its ``p_value`` and that law's interval agree.

    A curve may seem to bend for two reasons: members differ, or each size (a model, say) lies a
    little beside the law, by as much in every member. Differences of members tell nothing of the
    second, which bends all their curves alike. So the verdict is "bends down" or "bends up" only
    where two tests refuse a line at the ``level``: that over members, and one of the mean curve
    against the scatter of its points about the parabola. Each alone refuses a line too often
    where the other's error is the larger; both together do so no more often than either should.
    Of three sizes no scatter can be told: the verdict is that over members, who may all owe
    their bend to one size that lies beside the law. Four leave a single degree of freedom, which
    takes a bend of 12.7 standard errors. A curve that bends otherwise than a parabola, as one
    does that levels off among the first sizes, leaves residuals too: "straight within error"
    says that no bend is proved, with fewer than six sizes not that there is none.

    References
    ----------
    Berger 1982, Technometrics 24:295, "Multiparameter hypothesis testing" (two tests, both of
    which must refuse).

    Examples
    --------
    >>> x = [1.0, 10.0, 100.0, 1000.0]
    >>> scores = [[0.10, 0.12], [0.13, 0.16], [0.15, 0.17], [0.155, 0.18]]
    >>> bending(x, scores).verdict
    'straight within error'
    """
    law = fit_scaling_law(
        x, scores, levels=levels, unit_weights=unit_weights, over=over, level=level
    )
    decades = np.log10(law.x)
    n_different = np.unique(decades).size
    if n_different < 3:
        msg = f"x has {n_different} different values; a bend needs at least three: add a size."
        raise FitError(msg)
    centred = decades - decades.mean()
    terms = np.stack([centred**0, centred, centred**2], axis=1)
    contrast = 2 * np.linalg.pinv(terms)[2]
    members, curves = law.evidence.members, law.evidence.curves
    test = t_test(_curvatures(contrast, curves), members.weights)
    low, high = (float(end) for end in test.interval(level))
    p_value_sizes = _p_value_sizes(terms, contrast, law.mean_scores)
    if np.isnan(low):
        verdict = "no error to tell by"
    elif low <= 0 <= high or p_value_sizes >= 1 - level:  # with three points it is NaN
        verdict = "straight within error"
    else:
        verdict = "bends down" if high < 0 else "bends up"
    return Bending(
        float(test.mean), (low, high), float(test.p_value), p_value_sizes, verdict, level,
        members.level,
    )  # fmt: skip


def _curvatures(contrast: Array, curves: Array) -> Array:
    """Apply the contrast to each curve; what rounding alone makes of a straight one is 0."""
    found = contrast @ (curves - curves[0])
    rounding = _N_EPS * np.finfo(np.float64).eps * np.abs(contrast) @ np.abs(curves)
    return np.where(np.abs(found) > rounding, found, 0.0)


def _p_value_sizes(terms: Array, contrast: Array, mean: Array) -> float:
    """Test the curvature of the mean curve by its residuals about the parabola."""
    df = len(mean) - 3
    if df < 1:
        return float("nan")
    curvature = float(_curvatures(contrast, mean[:, None])[0])
    if curvature == 0:
        return 1.0  # of a line without scatter, 0 / 0
    centred = mean - mean.mean()
    residuals = centred - terms @ (np.linalg.pinv(terms) @ centred)
    error = np.sqrt(residuals @ residuals / df * (contrast @ contrast))
    with np.errstate(divide="ignore"):
        return float(2 * stdtr(df, -np.abs(curvature / error)))
