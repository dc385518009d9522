"""A law of how scores grow, and how sure it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.scaling._evidence import Evidence, Quantity
from voxscale.scaling._exchange import exchange_at, exchange_interval
from voxscale.scaling._extrapolation import Extrapolation, Needed, extrapolate, needed
from voxscale.scaling._law_text import told
from voxscale.scaling._predictions import prediction_interval, slope_interval

__all__ = ["ScalingLaw"]


def _interval_of(
    quantity: Callable[[ScalingLaw], Quantity], *, doc: str, by_t: str = "plain"
) -> cached_property[tuple[float, float]]:
    """Make a property: the low and high end of a quantity of the law."""

    def interval(self: ScalingLaw) -> tuple[float, float]:
        low, high = self.evidence.interval(quantity(self), by_t=by_t)
        return float(low), float(high)

    interval.__doc__ = doc
    return cached_property(interval)


@dataclass(frozen=True, eq=False)
class ScalingLaw:
    """Score against size, and how sure it is; made by :func:`fit_scaling_law`.

    Nothing is rounded. What a kind of law does not have is NaN: the exponent of a line, the
    asymptote of what never levels off. Every ``..._interval`` is (low, high), NaN where there is
    one unit only, and a bootstrap runs when the first of them is asked for.

    Parameters
    ----------
    kind : str
    x : array of shape (n_points,)
        Number of parameters, hours of data, ...: in its own unit, not its logarithm.
    scores : array of shape (n_points, n_units)
        The scores that were fitted, without the units that were left out.
    level : float
        How often an interval should hold the truth.
    n_left_out : int
        Units left out because a point was missing.
    at_bound : {"low", "high", None}
        Whether the exponent, or the break, is the lowest or the highest that these sizes can
        tell. A power law at "low" is the log-linear one, and its asymptote is endless.
    evidence : Evidence
        What the intervals are made of.
    """

    kind: str
    x: Array = field(repr=False)
    scores: Array = field(repr=False)
    level: float
    n_left_out: int
    at_bound: str | None
    evidence: Evidence = field(repr=False)

    @property
    def interval_by(self) -> str:
        """``"t"``, ``"percentile"`` or ``"bca"``."""
        return self.evidence.method

    @property
    def interval_over(self) -> str | None:
        """Level whose members an interval generalises to; None where there is one unit."""
        return self.evidence.members.level

    @property
    def n_members(self) -> int:
        """Members of that level: 3 subjects, say."""
        return len(self.evidence.members.labels)

    @property
    def mean_scores(self) -> Array:
        """Mean over units, of shape (n_points,): the points that the law is drawn through."""
        return np.asarray(self.evidence.curves @ self.evidence.members.weights)

    @property
    def residuals(self) -> Array:
        """Mean scores less the law, of shape (n_points,)."""
        return np.asarray(self.mean_scores - self.predict(self.x))

    @cached_property
    def draws(self) -> Array:
        """Score at x = 1 and slope (at the largest x) of each draw; (2, 0) of a single unit."""
        form, draws = self.evidence.form, self.evidence.draws
        return np.stack([form.predict(draws, np.ones(1)), form.slope(draws, self.x.max())])

    @cached_property
    def intercept(self) -> float:
        """Score at x = 1."""
        return float(self.predict(1.0))

    @cached_property
    def slope(self) -> float:
        """Gain in score for ten times the x (per decade); of a curve, at the largest x."""
        return float(self.slope_at(float(self.x.max())))

    @cached_property
    def slope_interval(self) -> tuple[float, float]:
        """Interval of the slope."""
        low, high = self.slope_at_interval(float(self.x.max()))
        return float(low), float(high)

    @property
    def slope_per_doubling(self) -> float:
        """Gain in score for twice the x: the slope times log10(2)."""
        return self.slope * float(np.log10(2))

    @property
    def slope_per_doubling_interval(self) -> tuple[float, float]:
        """Interval of the slope per doubling."""
        low, high = self.slope_interval
        return low * float(np.log10(2)), high * float(np.log10(2))

    @cached_property
    def slope_before(self) -> float:
        """Slope per decade before the break."""
        return float(self.evidence.point(lambda p: self.evidence.form.side(p, after=False)))

    slope_before_interval = _interval_of(
        lambda law: lambda parameters: law.evidence.form.side(parameters, after=False),
        doc="Interval of the slope before the break.",
    )

    @cached_property
    def slope_after(self) -> float:
        """Slope per decade after the break."""
        return float(self.evidence.point(lambda p: self.evidence.form.side(p, after=True)))

    slope_after_interval = _interval_of(
        lambda law: lambda parameters: law.evidence.form.side(parameters, after=True),
        doc="Interval of the slope after the break.",
    )

    @cached_property
    def exponent(self) -> float:
        """How fast the distance to the asymptote shrinks: as x^(−exponent)."""
        return float(self.evidence.point(self.evidence.form.exponent))

    @cached_property
    def exponent_interval(self) -> tuple[float, float]:
        """Interval of the exponent; from 0, a line, to inf, a step after the smallest size."""
        if np.isnan(self.exponent):
            return float("nan"), float("nan")
        low, high = self.evidence.theta_interval(self.evidence.form.exponent)
        return max(low, 0.0), high

    @cached_property
    def asymptote(self) -> float:
        """Score that the law tends to; infinite where the exponent is 0."""
        return float(self.evidence.point(self.evidence.form.asymptote))

    @cached_property
    def asymptote_interval(self) -> tuple[float, float]:
        """Interval of the asymptote; of a given ceiling, the ceiling itself."""
        if self.kind == "saturating" or np.isnan(self.asymptote):
            return self.asymptote, self.asymptote
        low, high = prediction_interval(self.evidence, np.array([np.inf]))
        return float(low[0]), float(high[0])

    @cached_property
    def coefficient(self) -> float:
        """Factor of x^(−exponent); positive where scores grow."""
        return float(self.evidence.point(self.evidence.form.coefficient))

    coefficient_interval = _interval_of(
        lambda law: law.evidence.form.coefficient,
        doc="Interval of the coefficient; by t, of its logarithm.",
        by_t="logarithm",
    )

    @cached_property
    def break_x(self) -> float:
        """Size at which the slope changes."""
        return float(self.evidence.point(self.evidence.form.break_x))

    @cached_property
    def break_interval(self) -> tuple[float, float]:
        """Interval of the break; from 0 or to inf where the sizes do not bound it."""
        if np.isnan(self.break_x):
            return float("nan"), float("nan")
        if self.interval_by != "t":
            return self.evidence.theta_interval(self.evidence.form.break_x)
        ends = self.evidence.theta_interval(lambda parameters: parameters[-1])
        low, high = (float(self.x.min()) * np.exp(end) for end in ends)
        return float(low), float(high)

    def predict(self, x: ArrayLike) -> Array:
        """Evaluate the law.

        Parameters
        ----------
        x : array of any shape, or a number
            In the unit of the fit. Beyond the fitted points this is a bet, not a measurement:
            see :meth:`extrapolate`.

        Returns
        -------
        array of the shape of ``x``; a number for a number

        Raises
        ------
        ValueError
            If an x is not positive and finite.
        """
        at = _positive(x)[..., None]
        return self.evidence.point(lambda p: self.evidence.form.predict(p, at))

    def slope_at(self, x: ArrayLike) -> Array:
        """Compute the gain per decade at each x, of the shape of ``x``.

        Raises
        ------
        ValueError
            If an x is not positive and finite.
        """
        at = _positive(x)[..., None]
        return self.evidence.point(lambda p: self.evidence.form.slope(p, at))

    def slope_at_interval(self, x: ArrayLike) -> tuple[Array, Array]:
        """Compute the interval of the slope at each x; low and high of the shape of ``x``.

        Raises
        ------
        ValueError
            If an x is not positive and finite.
        """
        at = _positive(x)
        low, high = slope_interval(self.evidence, at.ravel())
        return low.reshape(at.shape)[()], high.reshape(at.shape)[()]

    def interval(self, x: ArrayLike) -> tuple[Array, Array]:
        """Compute the interval of the law at each x.

        Parameters
        ----------
        x : array of any shape, or a number

        Returns
        -------
        low, high : arrays of the shape of ``x``; numbers for a number
            For the mean over members, each x by itself (not for the whole curve at once, nor
            for a new subject or story). NaN where there is only one unit.

        Raises
        ------
        ValueError
            If an x is not positive and finite.
        """
        at = _positive(x)
        low, high = prediction_interval(self.evidence, at.ravel())
        return low.reshape(at.shape)[()], high.reshape(at.shape)[()]

    def exchange(self, other: ScalingLaw, *, at: tuple[float, float] | None = None) -> float:
        """Compute what ten times this x is worth in the other's x.

        Parameters
        ----------
        other : ScalingLaw
            Of the same score, for instance against hours of data where this one is against
            parameters.
        at : (float, float), optional
            This x and the other's, that the growth starts from. Lines are the same everywhere
            and need none; a curve is worth less the farther it has come.

        Returns
        -------
        float
            The factor by which the other's x must grow for the gain that a tenfold growth of
            this one's x brings; of two lines, ``10 ** (self.slope / other.slope)``. Its log10 is
            the number of decades. Below 1 where this law falls; inf where no growth of the
            other's x brings as much; NaN where the other does not rise.

        Raises
        ------
        ValueError
            If a law is no line and ``at`` is not given, or is not positive and finite.

        Examples
        --------
        >>> from voxscale.scaling import fit_scaling_law
        >>> params = fit_scaling_law([1e8, 1e9, 1e10], [0.10, 0.12, 0.14])
        >>> hours = fit_scaling_law([1.0, 10.0], [0.08, 0.12])
        >>> round(params.exchange(hours), 3)  # half a decade of hours
        3.162
        """
        if {self.kind, other.kind} != {"log-linear"}:
            if at is None:
                msg = (
                    f"the laws are of kinds {self.kind!r} and {other.kind!r}; a curve's exchange "
                    "depends on where it starts: give at=(x of this law, x of the other)."
                )
                raise ValueError(msg)
            x, start = (float(_positive(end)) for end in at)
            return exchange_at(self.evidence, other.evidence, (x, start))
        if not other.slope > 0:
            return float("nan")
        with np.errstate(over="ignore"):
            return float(np.float64(10.0) ** (self.slope / other.slope))

    def exchange_interval(self, other: ScalingLaw) -> tuple[float, float]:
        """Compute the interval of :meth:`exchange`, of the members that both laws have.

        Parameters
        ----------
        other : ScalingLaw
            Both of kind "log-linear", of the same members, and with ``interval="t"``.

        Returns
        -------
        low, high : float
            By Fieller's theorem. (0, inf) where the other's slope is not surely different from
            0; NaN with one member.

        Raises
        ------
        ValueError
            If a law is of another kind, or its intervals are, or their levels differ.
        AlignmentError
            If the members differ, or what each counts.

        References
        ----------
        Fieller 1954, J. R. Stat. Soc. B 16:175, doi:10.1111/j.2517-6161.1954.tb00159.x.
        """
        return exchange_interval(self.evidence, other.evidence)

    def extrapolate(self, x: float) -> Extrapolation:
        """Predict one size, beyond the fitted ones or between them, with all that speaks of it.

        Parameters
        ----------
        x : float

        Returns
        -------
        Extrapolation
            Its ``str()`` is a sentence.

        Raises
        ------
        ValueError
            If x is not positive and finite.
        """
        return extrapolate(self.evidence, float(_positive(x)))

    def needed_for(self, score: float) -> Needed:
        """Find the x at which the law reaches a score.

        Parameters
        ----------
        score : float

        Returns
        -------
        Needed
            Its x is inf where no size is enough, NaN where the law is flat.
        """
        return needed(self.evidence, float(score))

    def needed(self, share: float, *, ceiling: float | None = None) -> Needed:
        """Find the x at which the law reaches a share of a ceiling.

        Parameters
        ----------
        share : float
            0.9 for 90 %.
        ceiling : float, optional
            Taken as known. Default: the ceiling that a saturating law was given, or the
            asymptote of a power law, which the interval takes to be as unsure as the law is.

        Returns
        -------
        Needed

        Raises
        ------
        ValueError
            If there is no finite ceiling.
        """
        top = self.asymptote if ceiling is None else float(ceiling)
        if not np.isfinite(top):
            msg = (
                f"the ceiling is {top}; expected a finite score: give ceiling=, such as a noise "
                f"ceiling, since this law of kind {self.kind!r} has none."
            )
            raise ValueError(msg)
        is_own = ceiling is None and self.kind == "power"
        return needed(self.evidence, share * top, share=float(share) if is_own else 0.0)

    def __str__(self) -> str:
        return told(self)


def _positive(x: ArrayLike) -> Array:
    values = np.asarray(x, dtype=np.float64)
    wrong = values[~(np.isfinite(values) & (values > 0))]
    if wrong.size:
        msg = f"x holds {wrong[0]}; expected positive, finite numbers: the law is in log10(x)."
        raise ValueError(msg)
    return values
