"""What a surface says beyond its points, and a surface in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from voxscale.errors import FitError
from voxscale.scaling._surface_points import check_points

if TYPE_CHECKING:
    from voxscale.scaling._surface import ScalingSurface

__all__ = ["SurfaceExtrapolation", "extrapolate", "told"]

_FORMULA = {
    "additive-power": "asymptote - sum of coefficient · x^-exponent",
    "log-linear": "intercept + sum of slope · log10 x",
    "log-linear-interaction": "intercept + sum of slope · log10 x + interaction",
}


@dataclass(frozen=True)
class SurfaceExtrapolation:
    """A surface at one point; made by :meth:`ScalingSurface.extrapolate`.

    Parameters
    ----------
    x : mapping of axis to float
    value : float
    interval : tuple of float
        Of the surface there: how much it would differ for other members.
    decades_beyond : mapping of axis to float
        log10 of x over the largest fitted size; negative below the smallest; 0 between.
    held_out_errors : mapping of axis to float
        What the surface fitted without the largest size of an axis predicts for its points, less
        what was measured, in the mean over them; NaN where too few sizes or points are left.
    held_out_decades : mapping of axis to float
        How far that prediction reached.
    level : float
    """

    x: Mapping[str, float]
    value: float
    interval: tuple[float, float]
    decades_beyond: Mapping[str, float]
    held_out_errors: Mapping[str, float]
    held_out_decades: Mapping[str, float]
    level: float

    def __str__(self) -> str:
        low, high = self.interval
        lines = [
            "at " + ", ".join(f"{axis} = {size:.4g}" for axis, size in self.x.items()),
            f"  {self.value:.4g}, {100 * self.level:g} % interval of the surface {low:.4g} to "
            f"{high:.4g}",
        ]
        for axis, beyond in self.decades_beyond.items():
            where = "within the fitted sizes"
            if beyond:
                side = "beyond" if beyond > 0 else "below"
                where = f"{abs(beyond):.2g} decades {side} the fitted sizes"
            error = self.held_out_errors[axis]
            if np.isnan(error):
                tested = "too few sizes or points to leave the largest out"
            else:
                tested = (
                    f"fitted without the largest, {self.held_out_decades[axis]:.2g} decades below "
                    f"it, the surface errs by {error:+.4g}"
                )
            lines.append(f"  {axis} {where}; {tested}")
        return "\n".join(lines)


def extrapolate(surface: ScalingSurface, x: Mapping[str, float]) -> SurfaceExtrapolation:
    """Predict one point, with all that speaks of it."""
    value = surface.predict(x)
    if np.ndim(value):
        msg = f"x has shape {np.shape(value)}; expected one number for each axis: see predict."
        raise ValueError(msg)
    low, high = surface.interval(x)
    beyond, errors, reached = {}, {}, {}
    for axis, sizes in surface.x.items():
        at = float(x[axis])
        beyond[axis] = float(
            max(np.log10(at / sizes.max()), 0.0) + min(np.log10(at / sizes.min()), 0.0)
        )
        errors[axis] = _held_out_error(surface, axis)
        kept = sizes[sizes < sizes.max()]
        reached[axis] = float(np.log10(sizes.max() / kept.max())) if kept.size else float("nan")
    return SurfaceExtrapolation(
        x={axis: float(x[axis]) for axis in surface.axes},
        value=float(value),
        interval=(float(low), float(high)),
        decades_beyond=beyond,
        held_out_errors=errors,
        held_out_decades=reached,
        level=surface.level,
    )


def _held_out_error(surface: ScalingSurface, axis: str) -> float:
    """Fit without the largest size of an axis, and predict its points."""
    is_out = surface.x[axis] == surface.x[axis].max()
    kept = {name: sizes[~is_out] for name, sizes in surface.x.items()}
    logs = np.log(np.stack(list(surface.x.values()), axis=1))
    logs = logs - logs[~is_out].mean(axis=0)
    means, form = surface.mean_scores, surface.form
    try:
        check_points(kept, logs[~is_out], form, surface.kind, n_sizes=max(form.n_sizes - 1, 2))
        parameters = form.fit(logs[~is_out], means[~is_out])
    except FitError:  # what is left cannot tell a surface
        return float("nan")
    return float((form.curve(parameters, logs[is_out]) - means[is_out]).mean())


def told(surface: ScalingSurface) -> str:
    """Write a surface as a few lines."""
    formula = _FORMULA[surface.kind]
    lines = [f"{surface.kind}: {formula}, {len(surface.mean_scores)} points"]
    if surface.form.has_exponents:
        lines.append(f"  asymptote {_with_ends(surface.asymptote, surface.asymptote_interval)}")
        intervals = surface.exponent_intervals
        for axis, value in surface.exponents.items():
            lines.append(f"  exponent of {axis} {_with_ends(value, intervals[axis])}")
    for axis, value in surface.slopes.items():
        ends = surface.slope_intervals[axis]
        lines.append(f"  slope of {axis} {_with_ends(value, ends, ' per decade')}, at the center")
    if not np.isnan(surface.interaction):
        ends = surface.interaction_interval
        lines.append(f"  interaction {_with_ends(surface.interaction, ends)}")
    over = surface.interval_over
    many = {"story": "stories", "points": "points"}.get(str(over), f"{over}s")
    lines.append(
        "  no interval: no level has two members"
        if over is None
        else f"  {100 * surface.level:g} % intervals over {surface.n_members} {many}"
    )
    return "\n".join(lines)


def _with_ends(value: float, ends: tuple[float, float], unit: str = "") -> str:
    text = f"{value:.4g}{unit}"
    return text if np.isnan(ends[0]) else f"{text}, {ends[0]:.4g} to {ends[1]:.4g}"
