"""How scores grow with the size of a model or of its data."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from operator import index
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.errors import AlignmentError, FitError, VoxscaleWarning
from voxscale.scaling._intervals import percentile_interval, resampled_means

__all__ = ["ScalingLaw", "fit_scaling_law"]


class _Fit(Protocol):
    def __call__(self, x: Array, scores: Array) -> tuple[Array, Array]:
        """Fit each column of scores (n_points, n_columns): intercepts and slopes."""


class _Curve(Protocol):
    def __call__(self, x: Array, intercept: Array | float, slope: Array | float) -> Array:
        """Evaluate the law at x."""


class _Kind(NamedTuple):
    fit: _Fit
    curve: _Curve


def _fit_log_linear(x: Array, scores: Array) -> tuple[Array, Array]:
    decades = np.log10(x)
    middle = decades.mean()
    centered = decades - middle
    # From the first point on, so that equal scores have a slope of exactly 0.
    slope = centered @ (scores - scores[0]) / (centered @ centered)
    return scores.mean(axis=0) - slope * middle, slope


def _log_linear(x: Array, intercept: Array | float, slope: Array | float) -> Array:
    return intercept + slope * np.log10(x)


# A row per kind of law.
_KINDS = {"log-linear": _Kind(fit=_fit_log_linear, curve=_log_linear)}


@dataclass(frozen=True, eq=False)
class ScalingLaw:
    """A straight line of score against the logarithm of an abscissa, and how sure it is.

    Made by :func:`fit_scaling_law`. Nothing is rounded.

    Parameters
    ----------
    kind : str
    x : array of shape (n_points,)
        Number of parameters, hours of data, ...: in its own unit, not its logarithm.
    scores : array of shape (n_points, n_units)
        The scores that were fitted, without the units that were left out.
    intercept : float
        Score at x = 1.
    slope : float
        Gain in score for ten times the x (per decade).
    slope_interval : tuple of float
        Low and high end; NaN where there is only one unit to resample.
    level : float
        How often an interval should hold the truth.
    n_left_out : int
        Units left out because a point was missing.
    draws : array of shape (2, n_bootstrap)
        Intercepts and slopes of the bootstrap; of shape (2, 0) where there is only one unit.
    """

    kind: str
    x: Array = field(repr=False)
    scores: Array = field(repr=False)
    intercept: float
    slope: float
    slope_interval: tuple[float, float]
    level: float
    n_left_out: int
    draws: Array = field(repr=False)

    @property
    def mean_scores(self) -> Array:
        """Mean over units, of shape (n_points,): the points that the line is drawn through."""
        return np.asarray(self.scores.mean(axis=1))

    def predict(self, x: ArrayLike) -> Array:
        """Evaluate the law.

        Parameters
        ----------
        x : array of any shape, or a number
            In the unit of the fit. Beyond the fitted points this is a bet, not a measurement.

        Returns
        -------
        array of the shape of ``x``; a number for a number

        Raises
        ------
        ValueError
            If an x is not positive and finite.
        """
        return _KINDS[self.kind].curve(_positive(x), self.intercept, self.slope)

    def interval(self, x: ArrayLike) -> tuple[Array, Array]:
        """Compute the interval of the law at each x, from the bootstrap.

        Parameters
        ----------
        x : array of any shape, or a number

        Returns
        -------
        low, high : arrays of the shape of ``x``; numbers for a number
            For the mean over units, each x by itself (not for the whole curve at once, nor for
            a new unit). NaN where there is only one unit to resample.

        Raises
        ------
        ValueError
            If an x is not positive and finite.
        """
        curves = _KINDS[self.kind].curve(_positive(x)[..., None], self.draws[0], self.draws[1])
        return percentile_interval(curves, self.level)

    def exchange(self, other: ScalingLaw) -> float:
        """Compute what ten times this x is worth in the other's x.

        Parameters
        ----------
        other : ScalingLaw
            Of the same score, for instance against hours of data where this one is against
            parameters.

        Returns
        -------
        float
            The factor by which the other's x must grow for the gain that a tenfold growth of
            this one's x brings: ``10 ** (self.slope / other.slope)``. Its log10 is the number
            of decades. Below 1 where this slope is negative; NaN where the other's slope is
            not above 0, since no growth of its x brings a gain then.

        Examples
        --------
        >>> params = fit_scaling_law([1e8, 1e9, 1e10], [0.10, 0.12, 0.14])
        >>> hours = fit_scaling_law([1.0, 10.0], [0.08, 0.12])
        >>> round(params.exchange(hours), 3)  # half a decade of hours
        3.162
        """
        if not other.slope > 0:
            return float("nan")
        with np.errstate(over="ignore"):
            return float(np.float64(10.0) ** (self.slope / other.slope))


def fit_scaling_law(
    x: ArrayLike,
    scores: ArrayLike,
    *,
    kind: str = "log-linear",
    n_bootstrap: int = 2000,
    level: float = 0.95,
    seed: int | np.random.Generator = 0,
) -> ScalingLaw:
    """Fit how scores grow with size, and how sure that is.

    The intervals say how much the answer would differ for other units (other stories), not for
    other models: the points along x are kept as they are.

    Parameters
    ----------
    x : array of shape (n_points,)
        Number of parameters, hours of data, ...; positive, at least two different values.
    scores : array of shape (n_points,) or (n_points, n_units)
        A unit is what another study would draw anew: a story, or a subject's story. A unit
        with a missing (not finite) score at any point is left out, with a warning: averaging
        over what is there would let the set of units, not x, move the curve.
    kind : {"log-linear"}
        ``score = intercept + slope · log10(x)``, by least squares of the mean over units.
    n_bootstrap : int
        How often units are drawn with replacement.
    level : float
        Of the percentile intervals, between 0 and 1. With fewer than about 10 units they are
        too narrow.
    seed : int or numpy.random.Generator

    Returns
    -------
    ScalingLaw
        Its intervals are NaN where there is only one unit.

    Raises
    ------
    AlignmentError
        If there is not one row of scores for each x.
    FitError
        If an x is not positive and finite, fewer than two differ, or no unit is complete.
    ValueError
        If ``kind`` is unknown, or an option is out of range.

    Warns
    -----
    VoxscaleWarning
        If units are left out.

    References
    ----------
    Antonello, Vaidya & Huth 2023, "Scaling laws for language encoding models in fMRI",
    NeurIPS 36, arXiv:2305.11863 (the form of the law).
    Efron & Tibshirani 1993, "An introduction to the bootstrap" (the intervals).

    Examples
    --------
    >>> stories = np.array([[0.10, 0.12], [0.12, 0.13], [0.14, 0.14]])
    >>> law = fit_scaling_law([1e8, 1e9, 1e10], stories)
    >>> round(law.slope, 6), law.predict(1e11).round(6)
    (0.015, np.float64(0.155))
    >>> [round(end, 6) for end in law.slope_interval]
    [0.01, 0.02]
    """
    if kind not in _KINDS:
        msg = f"kind {kind!r} is unknown; choose one of {', '.join(_KINDS)}."
        raise ValueError(msg)
    if index(n_bootstrap) < 1:
        msg = f"n_bootstrap is {n_bootstrap}; expected at least 1, and for intervals 1000 or more."
        raise ValueError(msg)
    if not 0 < level < 1:
        msg = f"level is {level}; expected a probability between 0 and 1, such as 0.95."
        raise ValueError(msg)
    abscissa = _abscissa(x)
    complete, n_left_out = _complete_units(scores, len(abscissa))
    fit = _KINDS[kind].fit
    intercept, slope = (float(one[0]) for one in fit(abscissa, complete.mean(axis=1)[:, None]))
    n_draws = index(n_bootstrap) if complete.shape[1] > 1 else 0
    draws = np.stack(fit(abscissa, resampled_means(complete, n_draws, seed)))
    low, high = percentile_interval(draws[1], level)
    return ScalingLaw(
        kind=kind,
        x=abscissa,
        scores=complete,
        intercept=intercept,
        slope=slope,
        slope_interval=(float(low), float(high)),
        level=level,
        n_left_out=n_left_out,
        draws=draws,
    )


def _abscissa(x: ArrayLike) -> Array:
    """Check that a line through log10(x) is determined."""
    values = np.array(x, dtype=np.float64)
    if values.ndim != 1:
        msg = f"x has shape {values.shape}; expected (n_points,)."
        raise AlignmentError(msg)
    wrong = values[~(np.isfinite(values) & (values > 0))]
    if wrong.size:
        msg = (
            f"x holds {wrong[0]}; expected positive, finite numbers in their own unit, since "
            "the logarithm is taken inside."
        )
        raise FitError(msg)
    n_different = np.unique(np.log10(values)).size
    if n_different < 2:
        msg = f"x has {n_different} different value(s); a slope needs at least two: add a size."
        raise FitError(msg)
    return values


def _complete_units(scores: ArrayLike, n_points: int) -> tuple[Array, int]:
    """Keep the units that have a score at every point, and count the others."""
    table = np.array(scores, dtype=np.float64)
    shape = table.shape
    if table.ndim not in (1, 2) or len(table) != n_points:
        msg = (
            f"scores have shape {shape} but x has {n_points} points; expected ({n_points},) or "
            f"({n_points}, n_units)."
        )
        raise AlignmentError(msg)
    table = table[:, None] if table.ndim == 1 else table
    complete = np.isfinite(table).all(axis=0)
    n_left_out = int((~complete).sum())
    if not complete.any():
        msg = (
            f"none of the {table.shape[1]} unit(s) has a finite score at all {n_points} points; "
            "nothing is left to fit: leave out the points that are missing everywhere."
        )
        raise FitError(msg)
    if n_left_out:
        msg = (
            f"{n_left_out} of {table.shape[1]} units lack a finite score at some point and are "
            "left out."
        )
        warnings.warn(msg, VoxscaleWarning, stacklevel=3)
    return table[:, complete], n_left_out


def _positive(x: ArrayLike) -> Array:
    values = np.asarray(x, dtype=np.float64)
    wrong = values[~(np.isfinite(values) & (values > 0))]
    if wrong.size:
        msg = f"x holds {wrong[0]}; expected positive, finite numbers: the law is in log10(x)."
        raise ValueError(msg)
    return values
