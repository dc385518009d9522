"""Laws in words: how fast a score grows, what that rests on, and how well a line describes it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from voxscale.arrays import Array
from voxscale.reports._tables import plural, with_minus

if TYPE_CHECKING:
    from voxscale.scaling import ScalingLaw

__all__ = [
    "LineFit",
    "described_law",
    "described_members",
    "described_slope",
    "grid_of",
    "is_near_line",
    "line_fit",
    "size_text",
]

LEAST_R2 = 0.9  # of a line, for points to be near it

_N_GRID = 60
_MANY = {"story": "stories", "test story": "test stories"}


class LineFit(NamedTuple):
    """How well the line of a law describes its points."""

    r2: float
    largest_residual: float
    at: float


def described_slope(law: ScalingLaw, *, digits: int = 4, unit: str = "unit") -> str:
    """Say the slope of a law with its interval.

    Parameters
    ----------
    law : ScalingLaw
    digits : int
        Decimals.
    unit : str
        What the scores are of, where there is one alone.

    Returns
    -------
    str

    Examples
    --------
    >>> from voxscale.scaling import fit_scaling_law
    >>> described_slope(fit_scaling_law([1.0, 10.0], [0.10, 0.125]), digits=3)
    '+0.025 per decade (no interval: one unit)'
    """
    slope, low, high = (
        with_minus(f"{one:+.{digits}f}") for one in (law.slope, *law.slope_interval)
    )
    if math.isnan(law.slope_interval[0]):
        return f"{slope} per decade (no interval: one {unit})"
    return f"{slope} per decade, {100 * law.level:g} % interval {low} to {high}"


def described_law(law: ScalingLaw, *, digits: int = 4) -> str:
    """Name a law by what it says, in a few words.

    Examples
    --------
    >>> from voxscale.scaling import fit_scaling_law
    >>> described_law(fit_scaling_law([1.0, 10.0], [0.10, 0.125]), digits=3)
    '+0.025 per decade'
    >>> x = np.geomspace(1.0, 64.0, 6)
    >>> described_law(fit_scaling_law(x, 0.3 - 0.2 * x**-0.5, kind="power"), digits=2)
    'power law: exponent 0.50, tends to 0.30'
    """
    if law.kind in ("power", "saturating"):
        name = "power law" if law.kind == "power" else "power law to the ceiling"
        if law.at_bound == "low":
            return f"{name}: exponent 0, which is a line"
        tends = f", tends to {law.asymptote:.{digits}f}" if law.kind == "power" else ""
        return with_minus(f"{name}: exponent {law.exponent:.2f}{tends}")
    if law.kind == "broken":
        before, after = (f"{one:+.{digits}f}" for one in (law.slope_before, law.slope_after))
        return with_minus(f"{before} per decade to {size_text(law.break_x)}, then {after}")
    return with_minus(f"{law.slope:+.{digits}f} per decade")


def described_members(law: ScalingLaw, unit: str = "unit") -> str:
    """Count what the interval of a law is over, such as "3 subjects".

    Parameters
    ----------
    law : ScalingLaw
    unit : str
        What units are called, where they have no levels.

    Returns
    -------
    str
    """
    level = law.interval_over
    name = "test story" if level == "story" else unit if level in (None, "unit") else level
    return plural(law.n_members, name, _MANY.get(name, ""))


def line_fit(law: ScalingLaw) -> LineFit:
    """Compare the points of a law, means over units, with its line.

    Parameters
    ----------
    law : ScalingLaw

    Returns
    -------
    LineFit
        Share of the variance of the points that the line explains (NaN where they are all
        equal), the residual that is largest in size, and its x.

    Examples
    --------
    >>> from voxscale.scaling import fit_scaling_law
    >>> fit = line_fit(fit_scaling_law([1.0, 10.0, 100.0], [0.1, 0.2, 0.2]))
    >>> [round(one, 4) for one in fit]
    [0.75, 0.0333, 10.0]
    """
    residuals = law.residuals
    rises = law.mean_scores - law.mean_scores[0]  # exactly 0 where all points are equal
    total = np.sum((rises - rises.mean()) ** 2)
    r2 = 1 - np.sum(residuals**2) / total if total > 0 else math.nan
    worst = np.argmax(np.abs(residuals))
    return LineFit(float(r2), float(residuals[worst]), float(law.x[worst]))


def is_near_line(law: ScalingLaw) -> bool:
    """Tell whether points lie near their line: an R² of 0.9 or more, or points all equal.

    Points far from it need not bend: they may scatter about a line that hardly rises.
    """
    return not line_fit(law).r2 < LEAST_R2


def grid_of(law: ScalingLaw, *, beyond: float = 0.0) -> Array:
    """Return the x at which a law is drawn: from first to last point, or so many decades on."""
    first, last = float(law.x.min()), float(law.x.max())
    if beyond:
        return np.geomspace(last, last * 10**beyond, 12)
    return np.geomspace(first, last, _N_GRID)


def size_text(size: float) -> str:
    """Write a size with as many digits as tell it apart; large ones with a letter.

    Examples
    --------
    >>> [size_text(one) for one in (0.0711, 2.0, 12.34, 1.3e9)]
    ['0.071', '2', '12.3', '1.3G']
    """
    if size >= 1e4:
        from matplotlib.ticker import EngFormatter

        return str(EngFormatter(sep="")(float(f"{size:.3g}")))
    if size == round(size):
        return f"{size:.0f}"
    return f"{size:.3g}" if size >= 1 else f"{size:.2g}"
