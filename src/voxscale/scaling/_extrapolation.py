"""What a law says beyond its points: predictions, and the sizes that a score needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from voxscale.arrays import Array
from voxscale.scaling._contrasts import t_critical
from voxscale.scaling._evidence import Evidence
from voxscale.scaling._predictions import agrees, prediction_interval
from voxscale.scaling._varpro import fit_curves

if TYPE_CHECKING:
    from voxscale.scaling._law import ScalingLaw

__all__ = ["Extrapolation", "Needed", "extrapolate", "held_out_errors", "needed", "told"]

_REACH = 30.0  # decades beyond the data that sizes are searched over
_LARGEST_LOGARITHM = 300.0  # whose exponential can still be squared and summed
_N_SEARCHED = 40
_HALVINGS = 40


@dataclass(frozen=True)
class Extrapolation:
    """A law at one size; made by :meth:`ScalingLaw.extrapolate`.

    Parameters
    ----------
    x, value : float
    interval : tuple of float
        Of the law at x: how much it would differ for other members.
    band : tuple of float
        Of the score of one new model or data set of this size: the law's interval widened by
        the scatter of the fitted sizes about it. NaN where no size is left to tell the scatter.
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
            f"at x = {self.x:.4g}, {where}: {self.value:.4g}, {share} interval of the law "
            f"{_ends(self.interval)}, {share} band of one new size {_ends(self.band)}; "
        )
        if np.isnan(self.held_out_error):
            return text + "too few sizes to leave the largest out"
        return text + (
            f"fitted without the largest size, {self.held_out_decades:.2g} decades below it, the "
            f"law errs by {self.held_out_error:+.4g}"
        )


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
    """

    score: float
    x: float
    interval: tuple[float, float]
    level: float

    @property
    def is_reached(self) -> bool:
        """Whether some size is enough."""
        return bool(np.isfinite(self.x))

    def __str__(self) -> str:
        if np.isnan(self.x):
            return f"a score of {self.score:.4g} is reached nowhere: the law is flat"
        ends = f"{100 * self.level:g} % interval {_ends(self.interval)}"
        if np.isinf(self.x):
            return f"a score of {self.score:.4g} is reached by no size, however large ({ends})"
        return f"a score of {self.score:.4g} is reached at x = {self.x:.4g} ({ends})"


def _ends(interval: tuple[float, float]) -> str:
    return f"{interval[0]:.4g} to {interval[1]:.4g}"


def extrapolate(evidence: Evidence, x: float) -> Extrapolation:
    """Predict one size."""
    form, sizes = evidence.form, evidence.x
    value = float(form.predict(evidence.parameters, np.asarray(x)))
    low, high = (float(end[0]) for end in prediction_interval(evidence, np.array([x])))
    df = len(sizes) - form.kind.n_parameters
    mean = evidence.curves @ evidence.members.weights
    rest = mean - form.predict(evidence.parameters[:, None], sizes)
    scatter = np.sqrt(rest @ rest / df) if df >= 1 else np.nan
    new = t_critical(df, evidence.level) * scatter
    band = (value - np.hypot(value - low, new), value + np.hypot(high - value, new))
    beyond = max(np.log10(x / sizes.max()), 0.0) + min(np.log10(x / sizes.min()), 0.0)
    kept = sizes[sizes < sizes.max()]
    errors = held_out_errors(evidence, 1)
    reached = np.log10(sizes.max() / kept.max()) if kept.size else np.nan
    return Extrapolation(
        x=x,
        value=value,
        interval=(low, high),
        band=(float(band[0]), float(band[1])),
        decades_beyond=float(beyond),
        held_out_error=float(errors.mean()) if errors.size else float("nan"),
        held_out_decades=float(reached),
        level=evidence.level,
    )


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
    if len(different) - n_sizes < max(form.kind.least_sizes - 1, 2):
        return np.empty(0)
    is_out = x >= different[-n_sizes]
    mean = evidence.curves @ evidence.members.weights
    fitted = fit_curves(form.kind, form.v(x[~is_out]), mean[~is_out, None], form.offset)
    return np.asarray(form.predict(fitted.parameters, x[is_out]) - mean[is_out])


def needed(evidence: Evidence, score: float) -> Needed:
    """Find the size that a score needs, and its interval."""
    form = evidence.form
    x = float(form.x_of(evidence.parameters[:, None], score)[0])
    if evidence.method != "t":
        low, high = evidence.interval(lambda parameters: form.x_of(parameters, score))
        return Needed(score, x, (float(low), float(high)), evidence.level)
    return Needed(score, x, _between(evidence, score, x), evidence.level)


def _between(evidence: Evidence, score: float, x: float) -> tuple[float, float]:
    """Find the sizes, around the one that is needed, whose interval holds the score."""
    if evidence.members.level is None or np.isnan(x):
        return float("nan"), float("nan")
    sizes = np.log10(evidence.x)
    least, most = sizes.min() - _reach_below(evidence), sizes.max() + _REACH
    at = float(np.clip(np.log10(x), least, most)) if x > 0 else least
    steps = np.geomspace(0.01, most - least, _N_SEARCHED)
    grid = np.r_[at - steps, at, at + steps, np.linspace(sizes.min(), sizes.max(), _N_SEARCHED)]
    grid = np.unique(np.clip(grid, least, most))
    is_in = agrees(evidence, score, 10.0**grid)
    start = int(np.flatnonzero(grid == at)[0])
    if np.isinf(x) and not is_in[start]:
        return float("inf"), float("inf")
    is_in[start] = True
    outside = np.flatnonzero(~is_in)
    first = int(outside[outside < start].max(initial=-1))
    last = int(outside[outside > start].min(initial=len(grid)))
    low = 0.0 if first < 0 else 10 ** _edge(evidence, score, grid[first + 1], grid[first])
    high = np.inf if last == len(grid) else 10 ** _edge(evidence, score, grid[last - 1], grid[last])
    return float(low), float(high)


def _reach_below(evidence: Evidence) -> float:
    """Say how many decades below the data no candidate exponent makes a law overflow."""
    form = evidence.form
    if form.kind.theta != "exponent":
        return _REACH
    highest = float(form.kind.nodes(form.v(evidence.x))[-1])
    return min(_REACH, _LARGEST_LOGARITHM / (highest * np.log(10)))


def _edge(evidence: Evidence, score: float, inner: float, outer: float) -> float:
    for _ in range(_HALVINGS):
        middle = 0.5 * (inner + outer)
        if agrees(evidence, score, np.array([10.0**middle]))[0]:
            inner = middle
        else:
            outer = middle
    return inner


def told(law: ScalingLaw) -> str:
    """Write a law as a few lines."""
    lines = [f"{law.kind}: {law.evidence.form.kind.formula}, {len(law.x)} sizes"]
    for name in ("slope", "slope_before", "slope_after", "exponent", "asymptote", "break_x"):
        value = getattr(law, name)
        if not np.isnan(value):
            interval = getattr(law, f"{name.removesuffix('_x')}_interval")
            unit = " per decade" if name.startswith("slope") else ""
            ends = "" if np.isnan(interval[0]) else f", {_ends(interval)}"
            lines.append(f"  {name} {value:.4g}{unit}{ends}")
    if law.at_bound:
        what = law.evidence.form.kind.theta
        lines.append(f"  the {what} is at its {law.at_bound}est value that these sizes can tell")
    lines.append(f"  {_stands_on(law)}")
    return "\n".join(lines)


def _stands_on(law: ScalingLaw) -> str:
    names = law.evidence.units.names
    if law.interval_over is None:
        return f"no interval: one {names[-1]}"
    many = {"story": "stories"}.get(law.interval_over, f"{law.interval_over}s")
    text = f"{100 * law.level:g} % intervals ({law.interval_by}) over {law.n_members} {many}"
    if names[0] == "subject" and law.interval_over != "subject":
        one = len(np.unique(law.evidence.units.labels[0])) == 1
        text += ": of one subject, not of subjects" if one else ": of these subjects"
    return text
