"""One exponent for all voxels of a region, each with an asymptote and a coefficient of its own."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.errors import AlignmentError, FitError, VoxscaleWarning
from voxscale.scaling._pooled_exponent import pooled_exponent, pooled_exponent_interval
from voxscale.scaling._surface_projection import LARGEST_EXPONENT
from voxscale.scaling._surface_terms import power_term
from voxscale.scaling._units import Members, as_units

__all__ = ["PooledLaw", "fit_pooled_law"]

_N_SIZES = 4


class _Columns(NamedTuple):
    """Scores of members (n_sizes, n_columns, n_members), and which columns are complete."""

    curves: Array
    members: Members
    is_known: Array

    @property
    def mean(self) -> Array:
        """Weighted mean over members, (n_sizes, n_columns)."""
        return np.asarray(self.curves @ self.members.weights)


@dataclass(frozen=True, eq=False)
class PooledLaw:
    """``asymptote − coefficient · x^(−exponent)``, the exponent shared within groups of columns.

    Made by :func:`fit_pooled_law`.

    Parameters
    ----------
    x : array of shape (n_sizes,)
    groups : tuple
        Labels, in the order of their first appearance.
    exponents : array of shape (n_groups,)
        Between 0, where scores do not bend, and 4.
    exponent_low, exponent_high : arrays of shape (n_groups,)
        Interval by Student's t over members, from a jackknife; NaN with one member. Where the
        exponent is at its bound: from 0 to the largest, or from the smallest to inf, that
        members do not speak against.
    asymptotes, coefficients : arrays of shape (n_columns,)
        NaN for columns left out; infinite where the exponent is 0, with the sign of the growth.
    interval_over : str or None
        The level whose members were left out in turn; None where no level has two.
    n_members : int
    n_left_out : int
        Columns that lack a finite score.
    level : float
    """

    x: Array = field(repr=False)
    groups: tuple[object, ...]
    exponents: Array
    exponent_low: Array
    exponent_high: Array
    asymptotes: Array = field(repr=False)
    coefficients: Array = field(repr=False)
    interval_over: str | None
    n_members: int
    n_left_out: int
    level: float
    _exponent_of_column: Array = field(repr=False)
    _linear: Array = field(repr=False)  # (2, n_columns): score and slope in ln x at the center

    def predict(self, x: ArrayLike) -> Array:
        """Evaluate the laws.

        Parameters
        ----------
        x : array of any shape, or a number

        Returns
        -------
        array of shape (*x.shape, n_columns)

        Raises
        ------
        ValueError
            If an x is not positive and finite.
        """
        sizes = np.asarray(x, np.float64)
        if not (np.isfinite(sizes) & (sizes > 0)).all():
            msg = "x holds a number that is not positive and finite; the law is in powers of x."
            raise ValueError(msg)
        log_x = np.log(sizes)[..., None] - np.log(self.x).mean()
        terms = power_term(log_x, self._exponent_of_column)
        return np.asarray(self._linear[0] + self._linear[1] * terms)


def fit_pooled_law(
    x: ArrayLike,
    scores: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    kind: str = "power",
    levels: Mapping[str, ArrayLike] | None = None,
    unit_weights: ArrayLike | None = None,
    level: float = 0.95,
) -> PooledLaw:
    """Fit a power law to many columns at once, with one exponent for each group of them.

    A single voxel's handful of sizes rarely tells an exponent from an asymptote; a region's do.

    Parameters
    ----------
    x : array of shape (n_sizes,)
        Positive, at least four different.
    scores : array of shape (n_sizes, n_columns) or (n_sizes, n_columns, n_units)
        A column is a voxel or a region. Units, such as stories, are averaged. Columns that lack
        a finite score are left out.
    groups : array of shape (n_columns,), optional
        Region of each column. Default: one group.
    kind : {"power"}
        ``asymptote − coefficient · x^(−exponent)``.
    levels : mapping of level to labels of shape (n_units,), optional
        What units lie within, outermost first, such as ``{"subject": …}``. The interval is over
        the members of the outermost level with two or more; members of the level "subject"
        count the same. Default: over units, as if they were independent of one another.
    unit_weights : array of shape (n_units,), optional
        What each unit counts, such as its number of TRs. Default: the same.
    level : float
        Of the intervals.

    Returns
    -------
    PooledLaw

    Raises
    ------
    AlignmentError
        If scores and groups do not match x and each other, or labels and weights the units.
    FitError
        If x is not positive and finite, has fewer than four different sizes, or a group has no
        complete column or only constant ones.
    ValueError
        If ``kind`` is unknown, ``level`` or a weight out of range, or "subject" not outermost.

    Warns
    -----
    VoxscaleWarning
        If columns are left out, or the exponent of a group ends at 0 or 4.

    Notes
    -----
    Least squares over all columns of a group; asymptotes and coefficients are solved for at
    every exponent (variable projection), so that only the products of sizes with each other,
    summed over columns, matter. Columns of greater variance count more. The jackknife leaves
    each member out in turn, in all columns at once: what columns share is in the interval.

    References
    ----------
    Golub & Pereyra 1973, SIAM Journal on Numerical Analysis 10:413, doi:10.1137/0710036.

    Examples
    --------
    >>> x = np.array([1e8, 1e9, 1e10, 1e11])
    >>> scores = [0.5, 0.3] - np.outer(x**-0.2, [4.0, 6.0])
    >>> law = fit_pooled_law(x, scores)
    >>> law.exponents.round(6), law.asymptotes.round(6)
    (array([0.2]), array([0.5, 0.3]))
    """
    if kind != "power":
        msg = f"kind {kind!r} is unknown; expected 'power': a straight line has nothing to share."
        raise ValueError(msg)
    if not 0 < level < 1:
        msg = f"level is {level}; expected a probability between 0 and 1, such as 0.95."
        raise ValueError(msg)
    sizes = _checked_sizes(x)
    columns = _checked_columns(scores, len(sizes), levels, unit_weights)
    means, members = columns.mean, columns.members
    labels = _checked_groups(groups, columns)
    log_x = np.log(sizes) - np.log(sizes).mean()
    names = tuple(dict.fromkeys(labels.tolist()))
    exponents = np.empty(len(names))
    ends = np.full((2, len(names)), np.nan)
    of_column, linear = (np.full((n, len(labels)), np.nan) for n in (1, 2))
    for i, name in enumerate(names):
        here = columns.is_known & (labels == name)
        exponents[i] = pooled_exponent(log_x, _of_group(means, here, name))
        ends[:, i] = pooled_exponent_interval(
            log_x, columns.curves[:, here], members.weights, exponents[i], level
        )
        of_column[0, here] = exponents[i]
        basis = np.column_stack([np.ones(len(log_x)), power_term(log_x, exponents[i])])
        linear[:, here] = np.linalg.lstsq(basis, means[:, here])[0]
    _warn_of_bounds(names, exponents)
    asymptotes, coefficients = _in_powers(of_column[0], linear, np.log(sizes).mean())
    return PooledLaw(
        x=sizes,
        groups=names,
        exponents=exponents,
        exponent_low=ends[0],
        exponent_high=ends[1],
        asymptotes=asymptotes,
        coefficients=coefficients,
        interval_over=members.level,
        n_members=len(members.weights),
        n_left_out=int((~columns.is_known).sum()),
        level=level,
        _exponent_of_column=of_column[0],
        _linear=linear,
    )


def _in_powers(exponents: Array, linear: Array, log_center: float) -> tuple[Array, Array]:
    """Turn score and slope at the center into asymptotes and coefficients; endless at exponent 0.

    A column without slope has nothing left to gain, whatever the exponent.
    """
    is_bent = (exponents > 0) | np.isnan(linear[1])
    endless = np.where(linear[1] == 0, 0.0, np.copysign(np.inf, linear[1]))
    left = np.where(is_bent, linear[1] / np.where(is_bent, exponents, 1.0), endless)
    return linear[0] + left, left * np.exp(np.where(is_bent, exponents, 0.0) * log_center)


def _of_group(means: Array, here: Array, name: object) -> Array:
    if not here.any() or not np.ptp(means[:, here], axis=0).any():
        msg = f"group {name!r} has no complete column whose score varies; leave it out."
        raise FitError(msg)
    return np.asarray(means[:, here])


def _checked_sizes(x: ArrayLike) -> Array:
    sizes = np.array(x, np.float64)
    if sizes.ndim != 1:
        msg = f"x has shape {sizes.shape}; expected (n_sizes,)."
        raise AlignmentError(msg)
    wrong = sizes[~(np.isfinite(sizes) & (sizes > 0))]
    if wrong.size:
        msg = f"x holds {wrong[0]}; expected positive, finite numbers in their own unit."
        raise FitError(msg)
    n_different = np.unique(np.log10(sizes)).size
    if n_different < _N_SIZES:
        msg = (
            f"x has {n_different} different size(s); an exponent needs at least {_N_SIZES}: add "
            "sizes."
        )
        raise FitError(msg)
    return sizes


def _checked_columns(
    scores: ArrayLike,
    n_sizes: int,
    levels: Mapping[str, ArrayLike] | None,
    unit_weights: ArrayLike | None,
) -> _Columns:
    """Check scores, count the columns that lack one, and average units within members."""
    table = np.array(scores, np.float64)
    if table.ndim not in (2, 3) or len(table) != n_sizes:
        msg = (
            f"scores have shape {table.shape} but x has {n_sizes} sizes; expected ({n_sizes}, "
            f"n_columns) or ({n_sizes}, n_columns, n_units)."
        )
        raise AlignmentError(msg)
    table = table if table.ndim == 3 else table[:, :, None]
    members = as_units(table.shape[2], levels, unit_weights).members()
    is_known = np.asarray(np.isfinite(table).all(axis=(0, 2)))
    if not is_known.all():
        msg = (
            f"{(~is_known).sum()} of {len(is_known)} columns lack a finite score and are left "
            "out: their asymptotes are NaN."
        )
        warnings.warn(msg, VoxscaleWarning, stacklevel=3)
    return _Columns(table @ members.shares.T, members, is_known)


def _checked_groups(groups: ArrayLike | None, columns: _Columns) -> Array:
    n_columns = len(columns.is_known)
    labels = np.full(n_columns, "all") if groups is None else np.asarray(groups)
    if labels.shape != (n_columns,):
        msg = (
            f"groups have shape {labels.shape}; expected ({n_columns},), a label for each column "
            "of scores."
        )
        raise AlignmentError(msg)
    return labels


def _warn_of_bounds(names: tuple[object, ...], exponents: Array) -> None:
    """Count the groups whose exponent could not be found."""
    for bound, why in (
        (0.0, "their scores grow with the logarithm of x or faster, and have no asymptote"),
        (LARGEST_EXPONENT, "only the smallest size stands out in them"),
    ):
        held = [str(name) for name, one in zip(names, exponents, strict=True) if one == bound]
        if held:
            msg = (
                f"{len(held)} of {len(names)} groups ({', '.join(held[:3])}"
                f"{', …' if len(held) > 3 else ''}) end at exponent {bound:g}: {why}."
            )
            warnings.warn(msg, VoxscaleWarning, stacklevel=3)
