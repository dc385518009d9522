"""Slopes of many voxels or regions at once: whether they differ from 0, and from one another."""

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
from voxscale.scaling._contrasts import MemberTest, t_test
from voxscale.scaling._kinds import KINDS, check_sizes
from voxscale.scaling._laws import sizes_of
from voxscale.scaling._units import Members, Units, as_units

__all__ = ["SlopeMap", "as_maps", "complete_voxels", "grouped", "member_curves", "slope_map"]


@dataclass(frozen=True, eq=False)
class SlopeMap:
    """Slopes of voxels; made by :func:`slope_map`.

    Arrays are float64 and have shape (n_voxels,); of regions, (n_regions,).

    Parameters
    ----------
    slopes : array
        Gain in score for ten times the x. NaN in voxels that lack a score.
    intercepts : array
        Score at x = 1.
    standard_errors : array
        Of the slopes, over members; NaN where there is one. With them slopes can go into
        :func:`pooled_slopes`, where they are above 0.
    low, high : arrays
        Ends of each voxel's own interval; NaN where there is one member.
    p_values : array
        Two-sided, of a slope of 0, by Student's t over members; NaN where all members have a
        slope of exactly 0, which leaves nothing to test.
    q_values, q_values_by : array
        P-values adjusted to rates of false discoveries: Benjamini-Hochberg, and
        Benjamini-Yekutieli.
    differences : array
        Slope less the mean slope of what it is compared with: the brain, or its region.
    difference_standard_errors, difference_p_values, difference_q_values : arrays
        Of the difference, paired: each member's slope is compared with that member's own mean.
        NaN where there is no other voxel. ``difference_q_values`` are by Benjamini-Hochberg.
    groups : tuple
        Labels of the regions, in the order of their first appearance; empty for voxels.
    level : float
    over : str or None
        The level whose members were compared.
    n_members : int
    n_undefined : int
        Voxels that lack a score.
    n_untested : int
        Voxels or regions without a p-value because all members' slopes are exactly 0.
    """

    slopes: Array = field(repr=False)
    intercepts: Array = field(repr=False)
    standard_errors: Array = field(repr=False)
    low: Array = field(repr=False)
    high: Array = field(repr=False)
    p_values: Array = field(repr=False)
    q_values: Array = field(repr=False)
    q_values_by: Array = field(repr=False)
    differences: Array = field(repr=False)
    difference_standard_errors: Array = field(repr=False)
    difference_p_values: Array = field(repr=False)
    difference_q_values: Array = field(repr=False)
    groups: tuple[object, ...] = field(repr=False)
    level: float
    over: str | None
    n_members: int
    n_undefined: int
    n_untested: int


def slope_map(
    x: ArrayLike,
    scores: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    compared_within: ArrayLike | None = None,
    levels: Mapping[str, ArrayLike] | None = None,
    unit_weights: ArrayLike | None = None,
    over: str | None = None,
    level: float = 0.95,
) -> SlopeMap:
    """Fit the log-linear law in each voxel, and test its slope against 0 and against the brain's.

    Parameters
    ----------
    x : array of shape (n_points,)
    scores : array of shape (n_points, n_units, n_voxels)
        Such as the scores of :func:`block_scores`, of every size and subject. float32 is read
        as it is, a block of voxels at a time.
    groups : array of shape (n_voxels,), optional
        Region of each voxel: instead of voxels, means over the voxels of each region are fitted,
        without the voxels that lack a score.
    compared_within : array of shape (n_voxels,), or of regions (n_regions,), optional
        A label for each slope: it is compared with the mean slope of those with the same label,
        itself among them. Default: of all voxels, or all regions, counting the same.
    levels, unit_weights, over, level
        As in :func:`fit_scaling_law`.

    Returns
    -------
    SlopeMap

    Raises
    ------
    AlignmentError
        If there is not one row of scores for each x, one label or weight for each unit, or one
        label for each voxel.
    FitError
        If an x is not positive and finite, or fewer than two differ.
    ValueError
        If ``level`` is not between 0 and 1, or ``over`` is no level.

    Warns
    -----
    VoxscaleWarning
        Counts voxels that lack a finite score in some unit at some size, which are NaN, and
        slopes that cannot be tested because all members' are exactly 0.

    Notes
    -----
    That one voxel's slope is significant and another's is not does not say that they differ: the
    p-values of ``differences`` do.

    With three subjects t has two degrees of freedom, so that p-values are small only where
    subjects agree closely; few voxels survive a correction over a whole brain.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rise = np.array([0.01, 0.03])
    >>> scores = 0.1 + rise * np.arange(4.0)[:, None, None]
    >>> found = slope_map([1, 10, 100, 1000], scores + 0.001 * rng.standard_normal((4, 5, 2)))
    >>> [f"{slope:.2f}" for slope in found.slopes], (found.q_values < 0.05).tolist()
    (['0.01', '0.03'], [True, True])
    >>> [f"{difference:+.2f}" for difference in found.differences]
    ['-0.01', '+0.01']
    """
    sizes = sizes_of(x)
    check_sizes(KINDS["log-linear"], sizes)
    maps = as_maps(scores, len(sizes))
    members = grouped(as_units(maps.shape[1], levels, unit_weights), over, level)
    kept = complete_voxels(maps)
    of_members = _member_lines(maps, members, np.log10(sizes), kept)
    names: tuple[object, ...] = ()
    if groups is not None:
        names, codes = _codes(groups, len(kept), "groups")
        of_members = _means(of_members, codes, len(names))
    each, starts = of_members
    compared = np.zeros(each.shape[1], np.intp)
    if compared_within is not None:
        compared = _codes(compared_within, each.shape[1], "compared_within")[1]
    own, off = t_test(each, members.weights), _differences(each, compared, members)
    low, high = own.interval(level)
    p_values = np.asarray(own.p_value)
    n_untested = _count_untested(p_values, own.mean, members)
    return SlopeMap(
        slopes=np.asarray(own.mean),
        intercepts=np.asarray(members.weights @ starts),
        standard_errors=np.asarray(own.standard_error),
        low=np.asarray(low),
        high=np.asarray(high),
        p_values=p_values,
        q_values=_adjusted(p_values, "bh"),
        q_values_by=_adjusted(p_values, "by"),
        differences=np.asarray(off.mean),
        difference_standard_errors=np.asarray(off.standard_error),
        difference_p_values=np.asarray(off.p_value),
        difference_q_values=_adjusted(np.asarray(off.p_value), "bh"),
        groups=names,
        level=level,
        over=members.level,
        n_members=len(members.labels),
        n_undefined=int((~kept).sum()),
        n_untested=n_untested,
    )


def _member_lines(maps: Array, members: Members, log_x: Array, kept: Array) -> Array:
    """Fit each member in each voxel: slope and score at x = 1, (2, n_members, n_voxels)."""
    decades = log_x - log_x.mean()
    contrast = decades / (decades @ decades)
    found = np.full((2, len(members.weights), maps.shape[2]), np.nan)
    for voxels in voxel_blocks(maps.shape[2], 4 * maps.shape[0] * maps.shape[1]):
        some = np.arange(voxels.start, voxels.stop)[kept[voxels]]
        curves = member_curves(maps, members, some)
        # From the first point on, so that equal scores have a slope of exactly 0.
        slopes = np.einsum("p,mpv->mv", contrast, curves - curves[:, :1])
        found[:, :, some] = [slopes, curves.mean(axis=1) - slopes * log_x.mean()]
    return found


def _codes(labels: ArrayLike, n: int, name: str) -> tuple[tuple[object, ...], Array]:
    """Give labels numbers, in the order of their first appearance."""
    values = np.asarray(labels)
    if values.shape != (n,):
        msg = f"{name} have shape {values.shape}; expected ({n},), a label for each slope's column."
        raise AlignmentError(msg)
    names = tuple(dict.fromkeys(values.tolist()))
    numbers = {label: i for i, label in enumerate(names)}
    return names, np.array([numbers[label] for label in values.tolist()], np.intp)


def _means(values: Array, codes: Array, n_groups: int) -> Array:
    """Average (..., n_columns) over the finite columns of each group; NaN without one."""
    known = np.isfinite(values)
    flat = np.where(known, values, 0.0).reshape(-1, len(codes))
    counts = known.reshape(-1, len(codes))
    totals, numbers = (
        np.stack([np.bincount(codes, one, n_groups) for one in rows]) for rows in (flat, counts)
    )
    means = np.where(numbers > 0, totals / np.maximum(numbers, 1), np.nan)
    return np.asarray(means.reshape(*values.shape[:-1], n_groups))


def _differences(slopes: Array, compared: Array, members: Members) -> MemberTest:
    """Test each slope against the mean of its company, within each member."""
    n_groups = int(compared.max(initial=-1)) + 1
    known = np.isfinite(slopes).all(axis=0)
    is_alone = np.bincount(compared[known], minlength=n_groups)[compared] < 2
    apart = slopes - _means(slopes, compared, n_groups)[:, compared]
    return t_test(np.where(is_alone, np.nan, apart), members.weights)


def _count_untested(p_values: Array, slopes: Array, members: Members) -> int:
    """Count slopes of exactly 0 in all members, aloud."""
    if members.level is None:
        return 0
    n_untested = int((np.isnan(p_values) & np.isfinite(slopes)).sum())
    if n_untested:
        msg = (
            f"{n_untested} of {len(slopes)} slopes are exactly 0 in all members, so that there is "
            "nothing to test: their p-values are NaN."
        )
        warnings.warn(msg, VoxscaleWarning, stacklevel=3)
    return n_untested


def _adjusted(p_values: Array, method: str) -> Array:
    if not np.isfinite(p_values).any():
        return np.full(p_values.shape, np.nan)
    return np.asarray(fdr(p_values, method=method))


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
