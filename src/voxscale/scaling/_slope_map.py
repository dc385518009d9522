"""Slopes of many voxels at once, with p-values."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.errors import AlignmentError, VoxscaleWarning
from voxscale.evaluate import fdr
from voxscale.evaluate._columns import voxel_blocks
from voxscale.scaling._contrasts import t_test
from voxscale.scaling._kinds import KINDS, check_sizes
from voxscale.scaling._laws import sizes_of
from voxscale.scaling._units import Members, Units, as_units

__all__ = ["SlopeMap", "as_maps", "complete_voxels", "grouped", "member_curves", "slope_map"]


@dataclass(frozen=True, eq=False)
class SlopeMap:
    """Slopes of voxels; made by :func:`slope_map`. Arrays have shape (n_voxels,) and float64.

    Parameters
    ----------
    slopes : array
        Gain in score for ten times the x. NaN in voxels that lack a score.
    intercepts : array
        Score at x = 1.
    low, high : arrays
        Ends of each voxel's own interval; NaN where there is one member.
    p_values : array
        Two-sided, of a slope of 0, by Student's t over members.
    q_values, q_values_by : array
        P-values adjusted to rates of false discoveries: Benjamini-Hochberg, and
        Benjamini-Yekutieli.
    level : float
    over : str or None
        The level whose members were compared.
    n_members : int
    n_undefined : int
        Voxels that lack a score.
    """

    slopes: Array = field(repr=False)
    intercepts: Array = field(repr=False)
    low: Array = field(repr=False)
    high: Array = field(repr=False)
    p_values: Array = field(repr=False)
    q_values: Array = field(repr=False)
    q_values_by: Array = field(repr=False)
    level: float
    over: str | None
    n_members: int
    n_undefined: int


def slope_map(
    x: ArrayLike,
    scores: ArrayLike,
    *,
    levels: Mapping[str, ArrayLike] | None = None,
    unit_weights: ArrayLike | None = None,
    over: str | None = None,
    level: float = 0.95,
) -> SlopeMap:
    """Fit the log-linear law in each voxel, and test its slope.

    Parameters
    ----------
    x : array of shape (n_points,)
    scores : array of shape (n_points, n_units, n_voxels)
        Such as the scores of :func:`block_scores`, of every size and subject. float32 is read
        as it is, a block of voxels at a time.
    levels, unit_weights, over, level
        As in :func:`fit_scaling_law`.

    Returns
    -------
    SlopeMap

    Raises
    ------
    AlignmentError
        If there is not one row of scores for each x, or one label or weight for each unit.
    FitError
        If an x is not positive and finite, or fewer than two differ.
    ValueError
        If ``level`` is not between 0 and 1, or ``over`` is no level.

    Warns
    -----
    VoxscaleWarning
        Counts voxels that lack a finite score in some unit at some size; they are NaN.

    Notes
    -----
    With three subjects t has two degrees of freedom, so that p-values are small only where
    subjects agree closely; few voxels survive a correction over a whole brain.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rise = np.array([0.01, 0.02])
    >>> scores = 0.1 + rise * np.arange(4.0)[:, None, None]
    >>> found = slope_map([1, 10, 100, 1000], scores + 0.001 * rng.standard_normal((4, 5, 2)))
    >>> found.slopes.round(3), found.q_values < 0.05
    (array([0.01, 0.02]), array([ True,  True]))
    """
    sizes = sizes_of(x)
    check_sizes(KINDS["log-linear"], sizes)
    maps = as_maps(scores, len(sizes))
    members = grouped(as_units(maps.shape[1], levels, unit_weights), over, level)
    kept = complete_voxels(maps)
    decades = np.log10(sizes) - np.log10(sizes).mean()
    contrast = decades / (decades @ decades)
    found = np.full((5, maps.shape[2]), np.nan)
    for voxels in voxel_blocks(maps.shape[2], 4 * maps.shape[0] * maps.shape[1]):
        some = np.arange(voxels.start, voxels.stop)[kept[voxels]]
        curves = member_curves(maps, members, some)
        mean = np.tensordot(members.weights, curves, axes=1)
        # From the first point on, so that equal scores have a slope of exactly 0.
        test = t_test(np.einsum("p,mpv->mv", contrast, curves - curves[:, :1]), members.weights)
        intercepts = mean.mean(axis=0) - test.mean * np.log10(sizes).mean()
        found[:, some] = [test.mean, intercepts, *test.interval(level), test.p_value]
    slopes, intercepts, low, high, p_values = found
    is_tested = members.level is not None and bool(kept.any())
    q_values, q_values_by = (
        fdr(p_values, method=method) if is_tested else np.full(len(kept), np.nan)
        for method in ("bh", "by")
    )
    return SlopeMap(
        slopes, intercepts, low, high, p_values, q_values, q_values_by,
        level, members.level, len(members.labels), int((~kept).sum()),
    )  # fmt: skip


def grouped(units: Units, over: str | None, level: float) -> Members:
    """Group units into members, and check what intervals are asked for."""
    if not 0 < level < 1:
        msg = f"level is {level}; expected a probability between 0 and 1, such as 0.95."
        raise ValueError(msg)
    if over is not None and over not in units.names:
        msg = f"over is {over!r}; expected one of the levels: {', '.join(units.names)}."
        raise ValueError(msg)
    return units.members(over)


def as_maps(scores: ArrayLike, n_points: int) -> Array:
    """See scores as an array of sizes, units and voxels."""
    maps = np.asarray(scores)
    if maps.ndim != 3 or len(maps) != n_points or not maps.shape[1]:
        msg = (
            f"scores have shape {maps.shape} but x has {n_points} points; expected ({n_points}, "
            "n_units, n_voxels); of one column see fit_scaling_law."
        )
        raise AlignmentError(msg)
    return maps


def complete_voxels(maps: Array) -> Array:
    """Find the voxels that have every score, and count the others aloud."""
    n_voxels = maps.shape[2]
    kept = np.empty(n_voxels, bool)
    for voxels in voxel_blocks(n_voxels, maps.shape[0] * maps.shape[1]):
        kept[voxels] = np.isfinite(maps[:, :, voxels]).all(axis=(0, 1))
    n_lost = int((~kept).sum())
    if n_lost:
        msg = f"{n_lost} of {n_voxels} voxels lack a finite score in some unit; they are NaN."
        warnings.warn(msg, VoxscaleWarning, stacklevel=3)
    return kept


def member_curves(maps: Array, members: Members, voxels: Array) -> Array:
    """Average units within members, of shape (n_members, n_points, n_voxels), in float64."""
    of_points = [members.shares @ one[:, voxels].astype(np.float64) for one in maps]
    return np.stack(of_points, axis=1)
