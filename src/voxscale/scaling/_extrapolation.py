"""What a law says beyond its points: predictions, and the sizes that a score needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from voxscale.arrays import Array
from voxscale.scaling._contrasts import t_critical
from voxscale.scaling._evidence import Evidence
from voxscale.scaling._kinds import tangent
from voxscale.scaling._predictions import agrees, prediction_interval
from voxscale.scaling._varpro import fit_curves

__all__ = ["Extrapolation", "Needed", "extrapolate", "held_out_errors", "needed"]

_REACH = 30.0  # decades beyond the data that sizes are searched over
_LARGEST_LOGARITHM = 300.0  # whose exponential can still be squared and summed
_N_SEARCHED = 40
_HALVINGS = 40
_ONE_UNIT = "no interval: one unit"


@dataclass(frozen=True)
class Extrapolation:
    """A law at one size; made by :meth:`ScalingLaw.extrapolate`.

    Parameters
    ----------
    x, value : float
    interval : tuple of float
        Of the law at x: how much it would differ for other members.
    band : tuple of float
        Of the score of one new model or data set of this size: the law's interval, joined in
        quadrature to a prediction interval from the scatter of the fitted sizes about the law,
        which members share. Of one unit, the latter alone. NaN where no size is left to tell
        the scatter.
    decades_beyond : float
        log10 of x over the largest fitted x; negative below the smallest; 0 between.
    held_out_error : float
        What the law fitted without the largest size predicts for it, less what was measured;
        NaN where too few sizes are left.
    held_out_decades : float
        How far that prediction reached.
    level : float
    """

    x: float
    value: float
    interval: tuple[float, float]
    band: tuple[float, float]
    decades_beyond: float
    held_out_error: float
    held_out_decades: float
    level: float

    def __str__(self) -> str:
        share = f"{100 * self.level:g} %"
        where = (
            "between the fitted sizes"
            if self.decades_beyond == 0
            else f"{abs(self.decades_beyond):.2g} decades "
            + ("beyond" if self.decades_beyond > 0 else "below")
            + " the fitted sizes"
        )
        text = (
            f"at x = {self.x:.4g}, {where}: {self.value:.4g}, "
            + _told_ends(f"{share} interval of the law", self.interval, _ONE_UNIT)
            + ", "
            + _told_ends(f"{share} band of one new size", self.band, "no band: too few sizes")
            + "; "
        )
        return text + _told_error(self.held_out_error, self.held_out_decades)


@dataclass(frozen=True)
class Needed:
    """The size at which a law reaches a score; made by :meth:`ScalingLaw.needed_for`.

    Parameters
    ----------
    score : float
    x : float
        inf where no size is enough; NaN where the law is flat.
    interval : tuple of float
        The sizes, around x, at which the law's interval holds the score; 0 or inf where it does
        so without end, or as far as 30 decades beyond the data.
    level : float
    decades_beyond, held_out_error, held_out_decades : float
        As of :class:`Extrapolation`, of the size that is needed.
    """

    score: float
    x: float
    interval: tuple[float, float]
    level: float
    decades_beyond: float
    held_out_error: float
    held_out_decades: float

    @property
    def is_reached(self) -> bool:
        """Whether some size is enough."""
        return bool(np.isfinite(self.x))

    def __str__(self) -> str:
        if np.isnan(self.x):
            return f"a score of {self.score:.4g} is reached nowhere: the law is flat"
        ends = _told_ends(f"{100 * self.level:g} % interval", self.interval, _ONE_UNIT)
        if np.isinf(self.x):
            return f"a score of {self.score:.4g} is reached by no size, however large ({ends})"
        text = f"a score of {self.score:.4g} is reached at x = {self.x:.4g} ({ends})"
        if self.decades_beyond == 0:
            return text
        side = "beyond" if self.decades_beyond > 0 else "below"
        error = _told_error(self.held_out_error, self.held_out_decades)
        return f"{text}, {abs(self.decades_beyond):.2g} decades {side} the fitted sizes; {error}"


def _told_ends(name: str, interval: tuple[float, float], otherwise: str) -> str:
    return otherwise if np.isnan(interval).any() else f"{name} {_ends(interval)}"


def _told_error(error: float, decades: float) -> str:
    if np.isnan(error):
        return "too few sizes to leave the largest out"
    return (
        f"fitted without the largest size, {decades:.2g} decades below it, the law errs by "
        f"{error:+.4g}"
    )


def _ends(interval: tuple[float, float]) -> str:
    return f"{interval[0]:.4g} to {interval[1]:.4g}"


def extrapolate(evidence: Evidence, x: float) -> Extrapolation:
    """Predict one size."""
    form, sizes = evidence.form, evidence.x
    value = float(form.predict(evidence.parameters, np.asarray(x)))
    low, high = (float(end[0]) for end in prediction_interval(evidence, np.array([x])))
    new = _half_width(evidence, x)
    if np.isnan(low):  # one unit, which says nothing of others
        band = (value - new, value + new)
    else:
        band = (value - np.hypot(value - low, new), value + np.hypot(high - value, new))
    error, reached = _largest_left_out(evidence)
    return Extrapolation(
        x=x,
        value=value,
        interval=(low, high),
        band=(float(band[0]), float(band[1])),
        decades_beyond=_decades_beyond(sizes, x),
        held_out_error=error,
        held_out_decades=reached,
        level=evidence.level,
    )


def _half_width(evidence: Evidence, x: float) -> float:
    """Predict one new size from the scatter of the fitted ones: t · s · sqrt(1 + leverage).

    The scatter is common to all members, so that it moves the fitted law as well: by its tangent
    at x, of the tangents at the sizes (Seber & Wild 1989, "Nonlinear regression", 5.1).
    """
    form, sizes = evidence.form, evidence.x
    df = len(sizes) - form.kind.n_parameters
    if df < 1:
        return float("nan")
    parameters = evidence.parameters[:, None]
    rest = evidence.curves @ evidence.members.weights - form.predict(parameters, sizes)
    scatter = np.sqrt(rest @ rest / df)
    at_sizes = tangent(form.kind, parameters, form.v(sizes))
    at_x = tangent(form.kind, parameters, form.v(np.array([x])))[:, 0]
    by_sizes = np.linalg.pinv(at_sizes, rcond=1e-12) @ at_x
    return float(t_critical(df, evidence.level) * scatter * np.sqrt(1 + by_sizes @ by_sizes))


def _decades_beyond(sizes: Array, x: float) -> float:
    above, below = np.log10(x / sizes.max()), np.log10(x / sizes.min())
    return float(max(above, 0.0) + min(below, 0.0))


def _largest_left_out(evidence: Evidence) -> tuple[float, float]:
    """Return the mean error at the largest size without it, and how far away it was."""
    errors = held_out_errors(evidence, 1)
    sizes = np.unique(evidence.x)
    reached = float(np.log10(sizes[-1] / sizes[-2]))
    return float(errors.mean()) if errors.size else float("nan"), reached


def held_out_errors(evidence: Evidence, n_sizes: int) -> Array:
    """Fit without the largest sizes, and predict them: predicted less measured.

    Parameters
    ----------
    evidence : Evidence
    n_sizes : int
        How many different sizes are left out.

    Returns
    -------
    array of shape (n_left_out,)
        Empty where too few sizes are left for the law.
    """
    form, x = evidence.form, evidence.x
    different = np.unique(x)
    if len(different) - n_sizes < form.kind.least_sizes:
        return np.empty(0)
    is_out = x >= different[-n_sizes]
    mean = evidence.curves @ evidence.members.weights
    fitted = fit_curves(form.kind, form.v(x[~is_out]), mean[~is_out, None], form.offset)
    return np.asarray(form.predict(fitted.parameters, x[is_out]) - mean[is_out])


def needed(evidence: Evidence, score: float, *, share: float = 0.0) -> Needed:
    """Find the size that a score needs, and its interval.

    With a share, the score is that share of the law's own asymptote, which is then as unsure as
    the law: the size is where law(x) - share · asymptote is 0.
    """
    form = evidence.form

    def size(parameters: Array) -> Array:
        return form.x_of(parameters, share * form.asymptote(parameters) if share else score)

    x = float(evidence.point(size))
    if evidence.method == "t":
        interval = _between(evidence, 0.0 if share else score, x, share)
    else:
        ends = evidence.interval(size)
        interval = float(ends[0]), float(ends[1])
    is_sized = np.isfinite(x) and x > 0
    error, reached = _largest_left_out(evidence)
    return Needed(
        score=score,
        x=x,
        interval=interval,
        level=evidence.level,
        decades_beyond=_decades_beyond(evidence.x, x) if is_sized else float("nan"),
        held_out_error=error,
        held_out_decades=reached,
    )


def _between(evidence: Evidence, score: float, x: float, share: float) -> tuple[float, float]:
    """Find the sizes, around the one that is needed, whose interval holds the score."""
    if evidence.members.level is None or np.isnan(x):
        return float("nan"), float("nan")
    sizes = np.log10(evidence.x)
    least, most = sizes.min() - _reach_below(evidence), sizes.max() + _REACH
    at = float(np.clip(np.log10(x), least, most)) if x > 0 else least
    steps = np.geomspace(0.01, most - least, _N_SEARCHED)
    grid = np.r_[at - steps, at, at + steps, np.linspace(sizes.min(), sizes.max(), _N_SEARCHED)]
    grid = np.unique(np.clip(grid, least, most))
    is_in = agrees(evidence, score, 10.0**grid, share)
    start = int(np.flatnonzero(grid == at)[0])
    if np.isinf(x) and not is_in[start]:
        return float("inf"), float("inf")
    is_in[start] = True
    outside = np.flatnonzero(~is_in)
    first = int(outside[outside < start].max(initial=-1))
    last = int(outside[outside > start].min(initial=len(grid)))
    low, high = 0.0, float("inf")
    if first >= 0:
        low = 10.0 ** _edge(evidence, score, share, grid[first + 1], grid[first])
    if last < len(grid):
        high = 10.0 ** _edge(evidence, score, share, grid[last - 1], grid[last])
    return float(low), float(high)


def _reach_below(evidence: Evidence) -> float:
    """Say how many decades below the data no candidate exponent makes a law overflow."""
    form = evidence.form
    if form.kind.theta != "exponent":
        return _REACH
    highest = float(form.kind.nodes(form.v(evidence.x))[-1])
    return min(_REACH, _LARGEST_LOGARITHM / (highest * float(np.log(10))))


def _edge(evidence: Evidence, score: float, share: float, inner: float, outer: float) -> float:
    for _ in range(_HALVINGS):
        middle = 0.5 * (inner + outer)
        if agrees(evidence, score, np.array([10.0**middle]), share)[0]:
            inner = middle
        else:
            outer = middle
    return inner
