"""Whether a curve bends, and which way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

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
    p_value : float
        Two-sided, by Student's t over members; NaN with one.
    verdict : str
        "bends down", "straight within error", "bends up", or "no error to tell by".
    level : float
    over : str or None
        The level whose members were compared.
    """

    curvature: float
    interval: tuple[float, float]
    p_value: float
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
        return (
            f"{self.verdict}: the slope per decade changes by {self.curvature:+.4g} each decade "
            f"({ends})"
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
    exponent of 0 in a power law, so that its p-value and that law's interval agree.

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
    contrast = 2 * np.linalg.pinv(np.stack([centred**0, centred, centred**2], axis=1))[2]
    members = law.evidence.members
    test = t_test(_curvatures(contrast, law.evidence.curves), members.weights)
    low, high = (float(end) for end in test.interval(level))
    if np.isnan(low):
        verdict = "no error to tell by"
    else:
        verdict = "bends down" if high < 0 else "bends up" if low > 0 else "straight within error"
    return Bending(
        float(test.mean), (low, high), float(test.p_value), verdict, level, members.level
    )


def _curvatures(contrast: Array, curves: Array) -> Array:
    """Apply the contrast to each curve; what rounding alone makes of a straight one is 0."""
    found = contrast @ (curves - curves[0])
    rounding = _N_EPS * np.finfo(np.float64).eps * np.abs(contrast) @ np.abs(curves)
    return np.where(np.abs(found) > rounding, found, 0.0)
