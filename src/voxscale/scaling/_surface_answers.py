"""Questions put to a fitted surface: what is worth what, and how much is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.errors import did_you_mean
from voxscale.scaling._bootstrap import percentile_interval
from voxscale.scaling._surface_readings import OfParameters
from voxscale.scaling._surface_uncertainty import Estimate

if TYPE_CHECKING:
    from voxscale.scaling._surface import ScalingSurface

__all__ = ["contours", "exchange", "log_sizes", "needed", "target_of"]

# How far from where one stands an answer is looked for, as a natural logarithm: 20 decades.
_WINDOW = 20 * float(np.log(10.0))
_ENDLESS = 700.0  # about the logarithm of the largest number


def log_sizes(axes: tuple[str, ...], x: Mapping[str, ArrayLike]) -> Array:
    """Take logarithms of sizes, broadcast together: (..., n_axes)."""
    check_names(axes, x)
    lacking = [axis for axis in axes if axis not in x]
    if lacking:
        msg = f"x lacks {', '.join(map(repr, lacking))}; give a size for each of {', '.join(axes)}."
        raise ValueError(msg)
    return np.stack(
        np.broadcast_arrays(*[np.log(positive(x[axis], axis)) for axis in axes]), axis=-1
    )


def positive(values: ArrayLike, axis: str) -> Array:
    """Check sizes that a surface is evaluated at."""
    sizes = np.asarray(values, dtype=np.float64)
    wrong = sizes[~(np.isfinite(sizes) & (sizes > 0))]
    if wrong.size:
        msg = f"{axis!r} holds {wrong[0]}; expected positive, finite numbers in its own unit."
        raise ValueError(msg)
    return sizes


def check_names(axes: tuple[str, ...], names: Iterable[str]) -> None:
    """Refuse an axis that the surface does not have."""
    for name in names:
        if name not in axes:
            hint = did_you_mean(name, axes)
            msg = f"axis {name!r} is unknown{hint}; this surface has {', '.join(axes)}."
            raise ValueError(msg)


def target_of(
    surface: ScalingSurface, score: float | None, share: float | None, ceiling: float | None
) -> float:
    """Turn what was asked for into a score."""
    if (score is None) == (share is None):
        msg = "give one of score= and share=: the score to reach, or its share of the ceiling."
        raise ValueError(msg)
    if score is not None:
        return float(score)
    best = surface.asymptote if ceiling is None else float(ceiling)
    if not np.isfinite(best):
        msg = (
            f"this surface of kind {surface.kind!r} has no asymptote to take a share of; give "
            "ceiling=, such as the mean noise ceiling of the voxels."
        )
        raise ValueError(msg)
    return float(share or 0.0) * best


def exchange(surface: ScalingSurface, axis: str, other: str, at: Mapping[str, float]) -> Estimate:
    """Compare a tenfold growth of one axis with a growth of another."""
    check_names(surface.axes, [axis, other])
    here = log_sizes(surface.axes, {**surface.center, **at}) - surface._log_center
    moved = here.copy()
    moved[surface.axes.index(axis)] += np.log(10.0)
    place = surface.axes.index(other)

    def growth(parameters: Array) -> Array:
        start = np.broadcast_to(here, (*parameters.shape[:-1], len(here)))
        target = surface.form.curve(parameters, np.broadcast_to(moved, start.shape))
        found = surface.form.solve(parameters, start, place, target)
        return np.asarray(found - here[place])

    def gap(parameters: Array, growths: Array) -> Array:
        grown = np.tile(here, (len(growths), 1))
        grown[:, place] += growths
        gained = surface.form.curve(parameters, moved)
        return surface.form.curve(parameters, grown) - gained

    return _estimate(surface, growth, gap, 0.0)


def needed(surface: ScalingSurface, axis: str, target: float, at: Mapping[str, float]) -> Estimate:
    """Solve for the size on one axis that reaches a score."""
    check_names(surface.axes, [axis, *at])
    lacking = [name for name in surface.axes if name not in at and name != axis]
    if lacking:
        msg = f"at lacks {', '.join(map(repr, lacking))}; say at which size, for instance at="
        msg += f"{{{lacking[0]!r}: {surface.center[lacking[0]]:.3g}}}."
        raise ValueError(msg)
    place = surface.axes.index(axis)
    middle = float(surface._log_center[place])
    here = log_sizes(surface.axes, {**at, axis: surface.center[axis]}) - surface._log_center

    def size(parameters: Array) -> Array:
        start = np.broadcast_to(here, (*parameters.shape[:-1], len(here)))
        return surface.form.solve(parameters, start, place, target) + middle

    def gap(parameters: Array, sizes: Array) -> Array:
        there = np.tile(here, (len(sizes), 1))
        there[:, place] = sizes - middle
        return surface.form.curve(parameters, there) - target

    return _estimate(surface, size, gap, middle)


def contours(
    surface: ScalingSurface,
    axis: str,
    other: str,
    scores: Iterable[float],
    at: Mapping[str, float],
    n: int,
) -> dict[float, tuple[Array, Array]]:
    """Solve for one axis along another, score by score."""
    check_names(surface.axes, [axis, other])
    if axis == other:
        msg = f"contours are over two axes; {axis!r} is given twice."
        raise ValueError(msg)
    along = surface.x[axis]
    sizes = np.geomspace(along.min(), along.max(), n)
    start = log_sizes(surface.axes, {**at, axis: sizes, other: surface.center[other]})
    place = surface.axes.index(other)
    curves = {}
    for score in scores:
        found = surface.form.solve(
            surface._parameters, start - surface._log_center, place, float(score)
        )
        found = np.where(np.isfinite(found), found + surface._log_center[place], np.nan)
        found = np.where(np.abs(found) < _ENDLESS, found, np.nan)
        curves[float(score)] = (sizes, np.exp(found))
    return curves


def _estimate(
    surface: ScalingSurface,
    answer: OfParameters,
    gap: Callable[[Array, Array], Array],
    middle: float,
) -> Estimate:
    """Put an answer on the scale of logarithms, and its interval, back to sizes."""
    sure, parameters = surface._uncertainty, surface._parameters
    value = float(answer(parameters))
    if np.isnan(value) or not sure.is_known:
        low = high = np.nan
    elif sure.draws is not None:
        draws = answer(sure.draws)
        low, high = (float(end) for end in percentile_interval(draws, sure.level))
    else:
        window = (middle - _WINDOW, middle + _WINDOW)
        with np.errstate(over="ignore", invalid="ignore"):
            low, high = sure.where_zero(gap, parameters, value, window)
    return Estimate(*(_size(end) for end in (value, low, high)))


def _size(log_size: float) -> float:
    if np.isnan(log_size) or abs(log_size) < _ENDLESS:
        return float(np.exp(log_size))
    return float("inf") if log_size > 0 else 0.0
