"""Laws of many voxels at once, with intervals."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from operator import index

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.errors import AlignmentError, VoxscaleWarning
from voxscale.scaling._bootstrap import drawn_shares, jackknife_shares
from voxscale.scaling._form import Form
from voxscale.scaling._kinds import check_sizes
from voxscale.scaling._laws import row_of, sizes_of
from voxscale.scaling._map_fits import QUANTITIES, Job, fit_block
from voxscale.scaling._slope_map import as_maps, complete_voxels, grouped
from voxscale.scaling._units import as_units

__all__ = ["LawMap", "law_map"]

_MOST_VOXELS = 512  # of a block; each thread works on one


@dataclass(frozen=True, eq=False)
class LawMap:
    """Laws of voxels; made by :func:`law_map`. NaN in voxels without a law.

    Parameters
    ----------
    kind : str
    slopes, exponents, asymptotes, breaks : arrays of shape (n_voxels,), float64
        As of :class:`ScalingLaw`: slopes at the largest x; NaN where the kind has none.
    intervals : dict of name to array of shape (2, n_voxels)
        Low and high ends, under the names of the four.
    at_bound : array of int8 of shape (n_voxels,)
        -1 or 1 where the exponent or break is the lowest or highest that the sizes can tell.
    level : float
    interval_by : str
    interval_over : str or None
    n_undefined : int
        Voxels that lack a score.
    n_above_ceiling : int
        Voxels whose saturating law falls to its ceiling, from scores above it.
    """

    kind: str
    slopes: Array = field(repr=False)
    exponents: Array = field(repr=False)
    asymptotes: Array = field(repr=False)
    breaks: Array = field(repr=False)
    intervals: dict[str, Array] = field(repr=False)
    at_bound: Array = field(repr=False)
    level: float
    interval_by: str
    interval_over: str | None
    n_undefined: int
    n_above_ceiling: int
    _form: Form = field(repr=False)
    _parameters: Array = field(repr=False)

    def predict(self, x: ArrayLike) -> Array:
        """Evaluate the laws at each x, of shape (*x.shape, n_voxels)."""
        at = np.asarray(x, dtype=np.float64)
        if not (np.isfinite(at) & (at > 0)).all():
            msg = f"x is {x!r}; expected positive, finite numbers: the law is in log10(x)."
            raise ValueError(msg)
        return self._form.predict(self._parameters, at[..., None])


def law_map(
    x: ArrayLike,
    scores: ArrayLike,
    *,
    kind: str = "power",
    ceiling: ArrayLike | None = None,
    levels: Mapping[str, ArrayLike] | None = None,
    unit_weights: ArrayLike | None = None,
    interval: str = "t",
    over: str | None = None,
    crossed: bool = False,
    n_bootstrap: int = 1000,
    level: float = 0.95,
    seed: int | np.random.Generator = 0,
    n_threads: int | None = None,
) -> LawMap:
    """Fit a law in each voxel.

    Parameters
    ----------
    x : array of shape (n_points,)
    scores : array of shape (n_points, n_units, n_voxels)
        Read a block of voxels at a time.
    ceiling : number, or array of shape (n_voxels,), optional
        Noise ceiling of each voxel, for kind "saturating".
    kind, levels, unit_weights, interval, over, crossed, level, seed
        As in :func:`fit_scaling_law`. A draw of the bootstrap is the same one in all voxels.
        With "t", intervals of asymptotes and of slopes are taken by derivatives. They are never
        open as those of :func:`fit_scaling_law` may be, and of a curve that levels off in noise
        too narrow.
    n_bootstrap : int
    n_threads : int, optional
        Default: one for each core. Results do not depend on it.

    Returns
    -------
    LawMap

    Raises
    ------
    AlignmentError
        If there is not one row of scores for each x, one label or weight for each unit, or one
        ceiling for each voxel.
    FitError
        If an x is not positive and finite, or too few differ.
    ValueError
        If an option is unknown or out of range.

    Warns
    -----
    VoxscaleWarning
        Counts voxels that lack a finite score, or ceiling, and those whose mean score is the
        same at every size; they are NaN. Counts those whose saturating law falls to its ceiling.

    Examples
    --------
    >>> x = np.geomspace(1e8, 1e11, 6)
    >>> exponents = np.array([0.2, 0.4])
    >>> scores = 0.3 - 0.2 * (x[:, None] / 1e8) ** -exponents
    >>> law_map(x, scores[:, None, :]).exponents.round(6)
    array([0.2, 0.4])
    """
    row = row_of(kind, interval, over, ceiling)
    if index(n_bootstrap) < 1:
        msg = f"n_bootstrap is {n_bootstrap}; expected at least 1, and for intervals 1000 or more."
        raise ValueError(msg)
    sizes = sizes_of(x)
    check_sizes(row, sizes)
    maps = as_maps(scores, len(sizes))
    n_units, n_voxels = maps.shape[1:]
    units = as_units(n_units, levels, unit_weights)
    members = grouped(units, over, level)
    kept = complete_voxels(maps)
    offset = _ceilings(ceiling, n_voxels)
    n_open = int((kept & ~np.isfinite(offset)).sum())
    kept &= np.isfinite(offset)
    drawn = np.empty((0, n_units))
    if interval != "t" and n_units > 1:
        drawn = drawn_shares(units, index(n_bootstrap), seed, crossed=crossed)
    left_out = jackknife_shares(units, members.shares) if interval == "bca" else drawn[:0]
    form = Form(row, float(sizes.min()), offset)
    job = Job(sizes, form, maps, members, interval, level, drawn, left_out)
    found, parameters, bound, n_flat = _filled(job, kept, n_threads)
    n_above = int((parameters[0] < 0).sum()) if kind == "saturating" else 0
    lost = {
        "score the same at every size; they have no law": n_flat,
        "have no finite ceiling; they have no law": n_open,
        "score above their ceiling; their laws fall to it": n_above,
    }
    for why, n_lost in lost.items():
        if n_lost:
            warnings.warn(f"{n_lost} of {n_voxels} voxels {why}.", VoxscaleWarning, stacklevel=2)
    values, low, high = np.split(found, 3)
    slopes, exponents, asymptotes, breaks = values
    return LawMap(
        kind=kind,
        slopes=slopes,
        exponents=exponents,
        asymptotes=asymptotes,
        breaks=breaks,
        intervals={name: np.stack([low[i], high[i]]) for i, name in enumerate(QUANTITIES)},
        at_bound=bound,
        level=level,
        interval_by=interval,
        interval_over=members.level,
        n_undefined=int((~kept).sum()) + n_flat,
        n_above_ceiling=n_above,
        _form=form,
        _parameters=parameters,
    )


def _ceilings(ceiling: ArrayLike | None, n_voxels: int) -> Array:
    values = np.asarray(0.0 if ceiling is None else ceiling, dtype=np.float64)
    if values.shape not in ((), (n_voxels,)):
        msg = f"ceiling has shape {values.shape}; expected ({n_voxels},), one for each voxel."
        raise AlignmentError(msg)
    return np.broadcast_to(values, (n_voxels,))


def _filled(job: Job, kept: Array, n_threads: int | None) -> tuple[Array, Array, Array, int]:
    """Fit all blocks: values and interval ends, parameters, bounds, and how many are flat."""
    found = np.full((3 * len(QUANTITIES), len(kept)), np.nan)
    parameters = np.full((job.form.kind.n_parameters, len(kept)), np.nan)
    bound = np.zeros(len(kept), np.int8)

    def fill(voxels: Array) -> int:
        mine, own, at, n_flat = fit_block(job, voxels)
        found[:, voxels], parameters[:, voxels], bound[voxels] = mine, own, at
        return n_flat

    with ThreadPoolExecutor(n_threads or os.cpu_count()) as pool:
        n_flat = sum(pool.map(fill, _blocks(kept)))
    return found, parameters, bound, n_flat


def _blocks(kept: Array) -> Iterator[Array]:
    """Yield the numbers of voxels that have a law, a block at a time."""
    numbers = np.flatnonzero(kept)
    for start in range(0, len(numbers), _MOST_VOXELS):
        yield numbers[start : start + _MOST_VOXELS]
