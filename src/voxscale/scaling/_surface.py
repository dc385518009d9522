"""How scores grow with several sizes at once: of the model, of the data, of the context."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.scaling import _surface_answers as answers
from voxscale.scaling._surface_bounds import endless_interval
from voxscale.scaling._surface_extrapolation import SurfaceExtrapolation, extrapolate, told
from voxscale.scaling._surface_forms import FORMS, Form
from voxscale.scaling._surface_readings import OfAxis, OfParameters, Reading
from voxscale.scaling._surface_uncertainty import Estimate, Uncertainty

__all__ = ["ScalingSurface"]


@dataclass(frozen=True, eq=False)
class ScalingSurface:
    """A surface of score over several sizes, and how sure it is; nothing is rounded.

    Made by :func:`fit_scaling_surface`. Attributes that a kind does not have are NaN, or an
    empty mapping. Intervals are NaN where there was nothing to learn them from.

    Parameters
    ----------
    kind : {"additive-power", "log-linear", "log-linear-interaction"}
    x : mapping of axis to array of shape (n_points,)
        Sizes of the fitted points, in their own units.
    scores : array of shape (n_points, n_units)
        The scores that were fitted, without the units that were left out.
    interval_over : str or None
        What the intervals are over: a level such as "subject", or "points"; None where no level
        has two members, so that there is no interval.
    n_members : int
        How many of them there are.
    level : float
        How often an interval should hold the truth.
    n_left_out : int
        Units left out because a point was missing.
    """

    kind: str
    x: Mapping[str, Array] = field(repr=False)
    scores: Array = field(repr=False)
    interval_over: str | None
    n_members: int
    level: float
    n_left_out: int
    _mean_scores: Array = field(repr=False)
    _parameters: Array = field(repr=False)
    _uncertainty: Uncertainty = field(repr=False)

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of the axes."""
        return tuple(self.x)

    @property
    def mean_scores(self) -> Array:
        """Scores that the surface is drawn through, of shape (n_points,).

        Subjects count the same, where they are told apart; otherwise units do.
        """
        return self._mean_scores

    @property
    def form(self) -> Form:
        """What the kind computes by."""
        return FORMS[self.kind]

    @property
    def center(self) -> dict[str, float]:
        """Geometric mean of the points on each axis."""
        means = np.exp(self._log_center)
        return {axis: float(mean) for axis, mean in zip(self.axes, means, strict=True)}

    @property
    def _log_center(self) -> Array:
        return np.array([np.log(values).mean() for values in self.x.values()])

    # Power surfaces -------------------------------------------------------------------------

    @property
    def asymptote(self) -> float:
        """Score where all axes are without end: infinite at an exponent of 0; NaN in other kinds.

        NaN as well where one axis without end raises the score and another lowers it.
        """
        return float(self._reading.asymptote(self._parameters))

    @property
    def asymptote_interval(self) -> tuple[float, float]:
        """Ends of the asymptote's interval.

        By t, of an infinite one, from the interval of the surface at its largest sizes on.
        """
        if self.form.has_exponents and not np.isfinite(self.asymptote) and not self._is_drawn:
            return endless_interval(self)
        return self._ends(self._reading.asymptote)

    @property
    def exponents(self) -> dict[str, float]:
        """Exponent of each axis: 0 where the score does not bend, 4 where it stops at once."""
        return self._by_axis(self._reading.exponent) if self.form.has_exponents else {}

    @property
    def exponent_intervals(self) -> dict[str, tuple[float, float]]:
        """Ends of each exponent's interval: from 0 on where it is 0, to inf where it is 4."""
        if not self.form.has_exponents:
            return {}
        ends = self._ends_by_axis(self._reading.exponent)
        if self._is_drawn or self._uncertainty.bounded is None:
            return ends
        bounded = zip(self.axes, self._uncertainty.bounded.tolist(), strict=True)
        return {axis: ends[axis] if np.isnan(low) else (low, high) for axis, (low, high) in bounded}

    @property
    def coefficients(self) -> dict[str, float]:
        """Coefficient of each axis, in ``asymptote - coefficient · x^-exponent``; or infinite."""
        return self._by_axis(self._reading.coefficient) if self.form.has_exponents else {}

    @property
    def coefficient_intervals(self) -> dict[str, tuple[float, float]]:
        """Ends of each coefficient's interval; by Student's t on the scale of its logarithm.

        By t, NaN where the coefficient is infinite: where the exponent is 0.
        """
        if not self.form.has_exponents or self._is_drawn:
            return self._ends_by_axis(self._reading.coefficient) if self.form.has_exponents else {}
        ends = self._ends_by_axis(self._reading.log_coefficient)
        signs = {axis: float(np.sign(value)) for axis, value in self.coefficients.items()}
        return {
            axis: tuple(sorted((signs[axis] * np.exp(low), signs[axis] * np.exp(high))))
            for axis, (low, high) in ends.items()
        }

    # All kinds ------------------------------------------------------------------------------

    @property
    def intercept(self) -> float:
        """Score where every size is 1, of the log-linear kinds; NaN otherwise."""
        if self.form.has_exponents:
            return float("nan")
        return float(self.form.curve(self._parameters, -self._log_center))

    @property
    def slopes(self) -> dict[str, float]:
        """Gain in score for ten times the size (per decade), as of the center of the points.

        The same everywhere in the log-linear kind; elsewhere the tangent there.
        """
        return self._by_axis(self._reading.slope)

    @property
    def slope_intervals(self) -> dict[str, tuple[float, float]]:
        """Ends of each slope's interval."""
        return self._ends_by_axis(self._reading.slope)

    @property
    def interaction(self) -> float:
        """What ten times one size adds to the slope of the other; NaN without an interaction."""
        return float(self._reading.interaction(self._parameters))

    @property
    def interaction_interval(self) -> tuple[float, float]:
        """Ends of the interaction's interval."""
        return self._ends(self._reading.interaction)

    def predict(self, x: Mapping[str, ArrayLike]) -> Array:
        """Evaluate the surface.

        Parameters
        ----------
        x : mapping of every axis to an array or a number
            Broadcast together. Beyond the fitted points this is a bet, not a measurement.

        Returns
        -------
        array of the common shape; a number for numbers

        Raises
        ------
        ValueError
            If an axis is missing or unknown, or a size is not positive and finite.
        """
        return self.form.curve(self._parameters, self._log(x))[()]

    def interval(self, x: Mapping[str, ArrayLike]) -> tuple[Array, Array]:
        """Compute the interval of the surface at each point.

        Parameters
        ----------
        x : mapping of every axis to an array or a number

        Returns
        -------
        low, high : arrays of the common shape
            Each point by itself, not for the whole surface at once.

        Raises
        ------
        ValueError
            As :meth:`predict`.
        """
        at = self._log(x)

        def curve(parameters: Array) -> Array:
            spread = parameters.reshape(*parameters.shape[:-1], *[1] * (at.ndim - 1), -1)
            return self.form.curve(spread, at)

        low, high = self._uncertainty.interval(curve, self._parameters)
        return low[()], high[()]

    def exchange(self, axis: str, other: str, *, at: Mapping[str, float] | None = None) -> Estimate:
        """Compute what ten times one size is worth in another.

        Parameters
        ----------
        axis, other : str
            Such as "n_params" and "hours".
        at : mapping of axis to number, optional
            Where one stands; axes that are not given are at their center. It makes no difference
            in a log-linear surface.

        Returns
        -------
        Estimate
            The factor by which ``other`` must grow for the score that ten times ``axis`` brings:
            infinite where it cannot, NaN where the score does not depend on ``other``. Its
            interval is Fieller's by Student's t, else the percentiles of the bootstrap: the
            high end is infinite where the data leave open whether ``other`` matters at all.

        Raises
        ------
        ValueError
            If an axis is unknown.
        """
        return answers.exchange(self, axis, other, at or {})

    def needed(
        self,
        axis: str,
        *,
        score: float | None = None,
        share: float | None = None,
        ceiling: float | None = None,
        at: Mapping[str, float] | None = None,
    ) -> Estimate:
        """Compute the size at which the surface reaches a score, other sizes given.

        Parameters
        ----------
        axis : str
            Whose size is asked for.
        score : float, optional
        share : float, optional
            Of the ceiling, instead of a score.
        ceiling : float, optional
            Default: the asymptote. A log-linear surface has none and needs one given.
        at : mapping of axis to number
            Sizes on all other axes.

        Returns
        -------
        Estimate
            Infinite where no size reaches the score. The interval holds the sizes at which the
            interval of the surface holds the score (by Student's t), or the percentiles of the
            bootstrap.

        Raises
        ------
        ValueError
            If not exactly one of ``score`` and ``share`` is given, a ceiling is lacking, or
            another axis is.
        """
        target = answers.target_of(self, score, share, ceiling)
        return answers.needed(self, axis, target, at or {})

    def contours(
        self,
        axis: str,
        other: str,
        scores: Iterable[float],
        *,
        at: Mapping[str, float] | None = None,
        n: int = 100,
    ) -> dict[float, tuple[Array, Array]]:
        """Compute curves of equal score, to be drawn.

        Parameters
        ----------
        axis, other : str
            What is drawn to the right, and upwards.
        scores : iterable of float
            A curve each.
        at : mapping of axis to number, optional
            Size on the third axis, if there is one.
        n : int
            Points of a curve, over the range of the fitted points along ``axis``.

        Returns
        -------
        dict of score to (sizes, sizes of other), arrays of shape (n,)
            NaN where no size of ``other`` has that score.

        Raises
        ------
        ValueError
            If an axis is unknown, or the third is lacking.
        """
        return answers.contours(self, axis, other, scores, at or {}, n)

    def extrapolate(self, x: Mapping[str, float]) -> SurfaceExtrapolation:
        """Predict one point, beyond the fitted ones or between them, with all that speaks of it.

        Parameters
        ----------
        x : mapping of every axis to a number

        Returns
        -------
        SurfaceExtrapolation
            With the interval, and with the error that the surface makes at the largest size of
            each axis if it is fitted without it. Its ``str()`` tells them together.

        Raises
        ------
        ValueError
            As :meth:`predict`, or if a size is not one number.
        """
        return extrapolate(self, x)

    def __str__(self) -> str:
        return told(self)

    # ----------------------------------------------------------------------------------------

    @property
    def _is_drawn(self) -> bool:
        return self._uncertainty.draws is not None

    def _log(self, x: Mapping[str, ArrayLike]) -> Array:
        """Logarithms about the center, (..., n_axes)."""
        return answers.log_sizes(self.axes, x) - self._log_center

    @property
    def _reading(self) -> Reading:
        return Reading(self.kind, self._log_center)

    def _by_axis(self, function: OfAxis) -> dict[str, float]:
        return {axis: float(function(self._parameters, i)) for i, axis in enumerate(self.axes)}

    def _ends_by_axis(self, function: OfAxis) -> dict[str, tuple[float, float]]:
        return {
            axis: self._ends(partial(_at_axis, function, i)) for i, axis in enumerate(self.axes)
        }

    def _ends(self, function: OfParameters) -> tuple[float, float]:
        low, high = self._uncertainty.interval(function, self._parameters)
        return float(low), float(high)


def _at_axis(function: OfAxis, axis: int, parameters: Array) -> Array:
    return function(parameters, axis)
