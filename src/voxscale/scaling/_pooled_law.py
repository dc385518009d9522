"""One exponent for all voxels of a region, each with an asymptote and a coefficient of its own."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special

from voxscale.arrays import Array
from voxscale.errors import AlignmentError, FitError, VoxscaleWarning
from voxscale.scaling._surface_projection import LARGEST_EXPONENT
from voxscale.scaling._surface_terms import power_term, power_term_slope

__all__ = ["PooledLaw", "fit_pooled_law"]

_NODES = np.concatenate([[0.0], np.geomspace(0.01, LARGEST_EXPONENT, 120)])
_N_SIZES = 4


class _Columns(NamedTuple):
    """Scores (n_sizes, n_columns, n_units), and which columns are complete."""

    scores: Array
    is_known: Array
    has_units: bool


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
        Interval by Student's t over units, from a jackknife; NaN without units, and where the
        exponent is 0 or 4.
    asymptotes, coefficients : arrays of shape (n_columns,)
        NaN for columns left out, and where the exponent is 0: there is no asymptote then.
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
    level: float = 0.95,
) -> PooledLaw:
    """Fit a power law to many columns at once, with one exponent for each group of them.

    A single voxel's handful of sizes rarely tells an exponent from an asymptote; a region's do.

    Parameters
    ----------
    x : array of shape (n_sizes,)
        Positive, at least four different.
    scores : array of shape (n_sizes, n_columns) or (n_sizes, n_columns, n_units)
        A column is a voxel or a region. Units, such as stories or subjects, are averaged; the
        interval of the exponent is over them. Columns that lack a finite score are left out.
    groups : array of shape (n_columns,), optional
        Region of each column. Default: one group.
    kind : {"power"}
        ``asymptote − coefficient · x^(−exponent)``.
    level : float
        Of the intervals.

    Returns
    -------
    PooledLaw

    Raises
    ------
    AlignmentError
        If scores and groups do not match x and each other.
    FitError
        If x is not positive and finite, has fewer than four different sizes, or a group has no
        complete column or only constant ones.
    ValueError
        If ``kind`` is unknown or ``level`` out of range.

    Warns
    -----
    VoxscaleWarning
        If columns are left out, or the exponent of a group ends at 0 or 4.

    Notes
    -----
    Least squares over all columns of a group; asymptotes and coefficients are solved for at
    every exponent (variable projection), so that only the products of sizes with each other,
    summed over columns, matter. Columns of greater variance count more.

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
    columns = _checked_columns(scores, len(sizes))
    labels = _checked_groups(groups, columns)
    log_x = np.log(sizes) - np.log(sizes).mean()
    names = tuple(dict.fromkeys(labels.tolist()))
    exponents = np.empty(len(names))
    ends = np.full((2, len(names)), np.nan)
    of_column, linear = (np.full((n, len(labels)), np.nan) for n in (1, 2))
    for i, name in enumerate(names):
        here = columns.is_known & (labels == name)
        exponents[i] = _exponent(log_x, _of_group(columns, here, name).mean(axis=2))
        if columns.has_units and 0 < exponents[i] < LARGEST_EXPONENT:
            ends[:, i] = _jackknife(log_x, columns.scores[:, here], exponents[i], level)
        of_column[0, here] = exponents[i]
        basis = np.column_stack([np.ones(len(log_x)), power_term(log_x, exponents[i])])
        linear[:, here] = np.linalg.lstsq(basis, columns.scores[:, here].mean(axis=2))[0]
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
        n_left_out=int((~columns.is_known).sum()),
        level=level,
        _exponent_of_column=of_column[0],
        _linear=linear,
    )


def _exponent(log_x: Array, scores: Array) -> float:
    """Find the exponent under which the columns (n_sizes, n_columns) leave least."""
    apart = scores - scores.mean(axis=0)
    square = apart @ apart.T

    def gain(exponent: float) -> tuple[float, float]:
        """Tell what is explained, and its derivative."""
        term = power_term(log_x, np.asarray(exponent))
        slope = power_term_slope(log_x, np.asarray(exponent))
        term, slope = term - term.mean(), slope - slope.mean()
        size, along = term @ term, term @ square @ term
        change = 2 * (slope @ square @ term - along * (slope @ term) / size) / size
        return float(along / size), float(change)

    terms = power_term(log_x, _NODES[:, None])
    terms -= terms.mean(axis=1, keepdims=True)
    gains = ((terms @ square) * terms).sum(axis=1) / (terms**2).sum(axis=1)
    best = int(np.argmax(gains))
    low, high = _NODES[max(best - 1, 0)], _NODES[min(best + 1, len(_NODES) - 1)]
    at_low, at_high = gain(low)[1], gain(high)[1]
    if at_low > 0 > at_high:
        return float(optimize.brentq(lambda e: gain(e)[1], low, high, xtol=1e-15, rtol=1e-14))
    return float(_NODES[best])


def _jackknife(log_x: Array, scores: Array, exponent: float, level: float) -> tuple[float, float]:
    """Interval of an exponent by Student's t over the units of (n_sizes, n_columns, n_units)."""
    n_units = scores.shape[2]
    if n_units < 2:
        return float("nan"), float("nan")
    total = scores.sum(axis=2)
    without = [_exponent(log_x, (total - scores[:, :, i]) / (n_units - 1)) for i in range(n_units)]
    error = np.sqrt((n_units - 1) * np.var(without))
    reach = float(special.stdtrit(n_units - 1, 0.5 + level / 2) * error)
    return exponent - reach, exponent + reach


def _in_powers(exponents: Array, linear: Array, log_center: float) -> tuple[Array, Array]:
    """Turn score and slope at the center into asymptotes and coefficients; NaN at exponent 0."""
    is_bent = exponents > 0
    left = np.where(is_bent, linear[1], np.nan) / np.where(is_bent, exponents, 1.0)
    return linear[0] + left, left * np.exp(exponents * log_center)


def _of_group(columns: _Columns, here: Array, name: object) -> Array:
    scores = columns.scores[:, here]
    if not here.any() or not np.ptp(scores.mean(axis=2), axis=0).any():
        msg = f"group {name!r} has no complete column whose score varies; leave it out."
        raise FitError(msg)
    return np.asarray(scores)


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


def _checked_columns(scores: ArrayLike, n_sizes: int) -> _Columns:
    """Check scores, and count the columns that lack one."""
    table = np.array(scores, np.float64)
    if table.ndim not in (2, 3) or len(table) != n_sizes:
        msg = (
            f"scores have shape {table.shape} but x has {n_sizes} sizes; expected ({n_sizes}, "
            f"n_columns) or ({n_sizes}, n_columns, n_units)."
        )
        raise AlignmentError(msg)
    has_units = table.ndim == 3
    table = table if has_units else table[:, :, None]
    is_known = np.asarray(np.isfinite(table).all(axis=(0, 2)))
    if not is_known.all():
        msg = (
            f"{(~is_known).sum()} of {len(is_known)} columns lack a finite score and are left "
            "out: their asymptotes are NaN."
        )
        warnings.warn(msg, VoxscaleWarning, stacklevel=3)
    return _Columns(table, is_known, has_units)


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
