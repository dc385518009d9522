"""Many slopes as draws from one population: its mean, its spread, and each slope shrunk to it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from voxscale.arrays import Array
from voxscale.errors import AlignmentError, FitError
from voxscale.scaling._random_effects import restricted_variance, weighted_mean

__all__ = ["PooledSlopes", "pooled_slopes"]


@dataclass(frozen=True, eq=False)
class PooledSlopes:
    """Populations of slopes, one for each group; made by :func:`pooled_slopes`.

    Parameters
    ----------
    groups : tuple
        Labels, in the order of their first appearance; ``("all",)`` without groups.
    n : array of int of shape (n_groups,)
        Slopes that took part.
    means : array of shape (n_groups,)
        Mean of the population.
    mean_standard_errors : array of shape (n_groups,)
        Of Hartung and Knapp; NaN where a group has one slope.
    low, high : arrays of shape (n_groups,)
        Interval of the mean by Student's t with n - 1 degrees of freedom.
    spreads : array of shape (n_groups,)
        Standard deviation of true slopes in the population (τ); NaN where a group has one slope.
    shrunken : array of the shape of the slopes
        Mean of each true slope given its estimate and the population.
    shrunken_sd : array of the shape of the slopes
        Its standard deviation, with what is unknown of the mean and without what is unknown of
        the spread.
    level : float
    """

    groups: tuple[object, ...]
    n: Array
    means: Array
    mean_standard_errors: Array
    low: Array
    high: Array
    spreads: Array
    shrunken: Array = field(repr=False)
    shrunken_sd: Array = field(repr=False)
    level: float


def pooled_slopes(
    slopes: ArrayLike,
    standard_errors: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    level: float = 0.95,
) -> PooledSlopes:
    """Pool slopes of voxels, regions or subjects, each with its own standard error.

    Estimates must err independently of one another. Subjects' slopes do; voxels of one subject
    share stories and scanner noise: pool them for the shrunken slopes, and take the mean over
    subjects from one slope for each subject.

    Parameters
    ----------
    slopes : array of shape (n,)
        Where it is not finite, with its standard error, a slope takes no part, and its shrunken
        slope is NaN.
    standard_errors : array of shape (n,)
        Above 0.
    groups : array of shape (n,), optional
        A label for each slope, such as its region: each group is a population of its own.
    level : float
        Of the intervals.

    Returns
    -------
    PooledSlopes

    Raises
    ------
    AlignmentError
        If slopes, standard errors and groups differ in shape.
    FitError
        If a standard error is not above 0, or a group has no finite slope.
    ValueError
        If ``level`` is not between 0 and 1.

    Notes
    -----
    Estimates are normal about true slopes, which are normal about the mean of their group. The
    variance between is that of the greatest restricted likelihood (REML); 0 if that is where
    it is greatest. Where estimates happen to agree better than their errors allow, the
    interval of Hartung and Knapp is narrower than one by the errors alone.

    References
    ----------
    Hartung & Knapp 2001, Stat. Med. 20:3875, doi:10.1002/sim.1009 (the interval).
    Viechtbauer 2005, J. Educ. Behav. Stat. 30:261, doi:10.3102/10769986030003261 (REML).
    Efron & Morris 1975, J. Am. Stat. Assoc. 70:311, doi:10.1080/01621459.1975.10479864.

    Examples
    --------
    >>> pooled = pooled_slopes([0.010, 0.014, 0.012, 0.030], [0.002, 0.002, 0.002, 0.010])
    >>> pooled.means.round(4), pooled.shrunken.round(4)
    (array([0.0123]), array([0.0121, 0.0124, 0.0122, 0.0123]))
    """
    values, errors = np.asarray(slopes, np.float64), np.asarray(standard_errors, np.float64)
    labels = np.full(values.shape, "all") if groups is None else np.asarray(groups)
    if values.ndim != 1 or errors.shape != values.shape or labels.shape != values.shape:
        msg = (
            f"slopes have shape {values.shape}, standard_errors {errors.shape}, groups "
            f"{labels.shape}; expected (n,) for each."
        )
        raise AlignmentError(msg)
    if not 0 < level < 1:
        msg = f"level is {level}; expected a probability between 0 and 1, such as 0.95."
        raise ValueError(msg)
    is_known = np.isfinite(values) & np.isfinite(errors)
    if (errors[is_known] <= 0).any():
        msg = (
            f"standard_errors hold {errors[is_known].min()}; expected numbers above 0: a slope "
            "without error cannot be weighed against others."
        )
        raise FitError(msg)
    names = tuple(dict.fromkeys(labels.tolist()))
    shrunken, shrunken_sd = np.full(values.shape, np.nan), np.full(values.shape, np.nan)
    rows = []
    for name in names:
        here = is_known & (labels == name)
        if not here.any():
            msg = f"group {name!r} has no finite slope; leave it out."
            raise FitError(msg)
        row, shrunken[here], shrunken_sd[here] = _population(values[here], errors[here] ** 2)
        rows.append(row)
    n, means, mean_errors, spreads = np.array(rows).T
    reach = special.stdtrit(np.where(n > 1, n - 1, np.nan), 0.5 + level / 2) * mean_errors
    return PooledSlopes(
        groups=names,
        n=n.astype(int),
        means=means,
        mean_standard_errors=mean_errors,
        low=means - reach,
        high=means + reach,
        spreads=spreads,
        shrunken=shrunken,
        shrunken_sd=shrunken_sd,
        level=level,
    )


def _population(
    values: Array, variances: Array
) -> tuple[tuple[float, float, float, float], Array, Array]:
    """Fit one group: count, mean, its standard error, spread; then every slope shrunk."""
    n = len(values)
    if n == 1:
        alone = (1.0, float(values[0]), float("nan"), float("nan"))
        return alone, values.copy(), np.sqrt(variances)
    between = restricted_variance(values, variances)
    mean, weights, spread = weighted_mean(values, variances + between)
    error = float(np.sqrt(spread / weights.sum()))
    pull = variances / (variances + between)
    shrunken = mean * pull + values * (1 - pull)
    sd = np.sqrt((1 - pull) * variances + pull**2 / weights.sum())
    return (float(n), mean, error, float(np.sqrt(between))), shrunken, sd
