"""How sure a slope will be, of so many subjects, stories and sizes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from voxscale.arrays import Array
from voxscale.errors import AlignmentError, FitError
from voxscale.scaling._noncentral_t import two_sided_tail

__all__ = ["SlopeComponents", "slope_components", "slope_interval_width", "slope_power"]

_DESIGNS = ("crossed", "nested")


@dataclass(frozen=True)
class SlopeComponents:
    """What makes slopes of score per decade differ, as standard deviations.

    Parameters
    ----------
    slope : float
        Mean gain in score per decade.
    subject_sd : float
        Of subjects' true slopes; NaN where one subject tells nothing of it.
    story_sd : float
        Of true slopes of stories, within a subject; NaN with one story of each subject. In the
        crossed design without what a story does alike in all subjects.
    size_sd : float
        Of one story's score at one size, about that story's own line; NaN with two sizes, which
        lie on a line whatever they are: it is then part of ``story_sd``.
    shared_story_sd : float
        Of what a story's slope has in common in all subjects; NaN in the nested design, where
        it is part of ``story_sd``.
    design : {"crossed", "nested"}
        By which of the two analyses of variance this was found.
    """

    slope: float
    subject_sd: float
    story_sd: float
    size_sd: float
    shared_story_sd: float = float("nan")
    design: str = "nested"


def slope_interval_width(
    n_subjects: ArrayLike,
    n_stories: ArrayLike,
    n_sizes: ArrayLike,
    *,
    decades: float,
    subject_sd: float,
    story_sd: float,
    size_sd: float,
    shared_story_sd: float = 0.0,
    level: float = 0.95,
) -> Array:
    """Compute the expected width of a slope's interval, in score per decade.

    Parameters
    ----------
    n_subjects, n_stories, n_sizes : int, or arrays that broadcast
        Stories are test stories of each subject; sizes are evenly spaced in their logarithm.
    decades : float
        From the smallest size to the largest, as log10 of their ratio.
    subject_sd, story_sd, size_sd, shared_story_sd : float
        As in :class:`SlopeComponents`. What stories share over subjects is of no matter but with
        one subject.
    level : float

    Returns
    -------
    array of the common shape
        Of the interval by Student's t over subjects, n_subjects - 1 degrees of freedom. With one
        subject, over stories, which says nothing of other subjects. NaN with one of both, or one
        size.

    Raises
    ------
    ValueError
        If a number is out of range.

    Notes
    -----
    A subject's slope, the mean of its stories' least-squares slopes, has the variance
    ``subject² + (story² + size² / S) / n_stories``, with S the sum of squares of the decades
    about their mean: ``decades² n (n + 1) / (12 (n - 1))`` for n sizes. The width is
    ``2 t c4 sqrt(variance / n)`` on average: c4 is the mean of a standard deviation over the
    true one. What one model, or one story, does alike in every subject moves all subjects'
    slopes together, and no interval over subjects holds it.

    Examples
    --------
    >>> slope_interval_width(
    ...     [3, 8], 10, 5, decades=2.5, subject_sd=0.002, story_sd=0.004, size_sd=0.003
    ... ).round(4)
    array([0.0106, 0.0039])
    """
    error, freedom = _standard_error(
        n_subjects, n_stories, n_sizes, decades, subject_sd, story_sd, size_sd, shared_story_sd
    )
    _check_level(level)
    with np.errstate(invalid="ignore", divide="ignore"):
        half = 0.5 * freedom
        expected = np.exp(special.gammaln(half + 0.5) - special.gammaln(half)) / np.sqrt(half)
        width = 2 * _critical(freedom, level) * expected * error
    return np.asarray(np.where(freedom > 0, width, np.nan))[()]


def slope_power(
    slope: float,
    n_subjects: ArrayLike,
    n_stories: ArrayLike,
    n_sizes: ArrayLike,
    *,
    decades: float,
    subject_sd: float,
    story_sd: float,
    size_sd: float,
    shared_story_sd: float = 0.0,
    level: float = 0.95,
) -> Array:
    """Compute how often the interval of such a slope will leave out 0.

    Parameters
    ----------
    slope : float
        In score per decade: the population's, or with one subject that subject's own.
    n_subjects, n_stories, n_sizes, decades, subject_sd, story_sd, size_sd
        As in :func:`slope_interval_width`.
    shared_story_sd, level
        As in :func:`slope_interval_width`.

    Returns
    -------
    array of the common shape
        Of the non-central t distribution: 1 - level at a slope of 0, and more for any other,
        of either sign. NaN where there is no interval. Without any error the interval is a
        point: 1, and 0 at a slope of 0.

    Raises
    ------
    ValueError
        If a number is out of range.
    """
    error, freedom = _standard_error(
        n_subjects, n_stories, n_sizes, decades, subject_sd, story_sd, size_sd, shared_story_sd
    )
    _check_level(level)
    if not math.isfinite(slope):
        msg = f"slope is {slope}; expected a finite number, in score per decade."
        raise ValueError(msg)
    known = (freedom > 0) & (error > 0)
    power = np.where((freedom > 0) & (error == 0), float(slope != 0), np.nan)
    critical = _critical(freedom[known], level)
    with np.errstate(over="ignore"):
        away = slope / error[known]
    cases = zip(critical.tolist(), freedom[known].tolist(), away.tolist(), strict=True)
    power[known] = [two_sided_tail(*case) for case in cases]
    return np.asarray(power)[()]


def slope_components(
    x: ArrayLike, scores: ArrayLike, *, design: str = "crossed"
) -> SlopeComponents:
    """Estimate what makes slopes differ, from the scores of stories.

    Parameters
    ----------
    x : array of shape (n_sizes,)
        Sizes, positive, at least two different.
    scores : array of shape (n_sizes, n_subjects, n_stories)
        Finite.
    design : {"crossed", "nested"}
        "crossed": all subjects were tested on the same stories, in the same order of the last
        axis. "nested": each on stories of its own; a crossed analysis is not wrong then, but
        wastes degrees of freedom.

    Returns
    -------
    SlopeComponents
        Of a single subject, or a single story, always of the nested design: there is nothing to
        cross.

    Raises
    ------
    AlignmentError
        If scores do not have these three axes.
    FitError
        If there is no slope, or a score is not finite.
    ValueError
        If the design is unknown.

    Notes
    -----
    Mean squares of slopes in a balanced analysis of variance, set equal to their expectations;
    what comes out below 0 is 0. With n subjects, m stories, and S the sum of squares of the
    decades about their mean:

    - crossed, subjects × stories × residual: ``residual = story² + size² / S``, ``subjects =
      residual + m subject²``, ``stories = residual + n shared²``; ``size²`` is what is left
      about the lines once the means of subjects and of stories are taken off;
    - nested: ``within = story² + size² / S``, ``subjects = within + m subject²``.

    With stories in common the nested analysis would take what they share off the spread of
    subjects, where it never was. What a size does alike in every story of every subject is no
    part of ``size_sd``: all slopes share it.

    References
    ----------
    Searle, Casella & McCulloch 1992, "Variance components", chapters 3 and 4.
    """
    if design not in _DESIGNS:
        msg = f"design {design!r} is unknown; choose one of {', '.join(_DESIGNS)}."
        raise ValueError(msg)
    table, decades = _checked_table(x, scores)
    square = decades @ decades
    slopes = np.tensordot(decades, table, axes=1) / square  # (n_subjects, n_stories)
    left = table - table.mean(axis=0) - decades[:, None, None] * slopes
    if min(slopes.shape) < 2:
        design = "nested"
    own, n_left = _own_scatter(left, design)
    size = float((own**2).sum() / n_left) if n_left else float("nan")
    from_sizes = 0.0 if np.isnan(size) else size / square
    within, between, shared = _slope_variances(slopes, design)
    n_stories = slopes.shape[1]
    by_chance = (from_sizes if np.isnan(within) else within) / n_stories
    return SlopeComponents(
        slope=float(slopes.mean()),
        subject_sd=_root(between - by_chance),
        story_sd=_root(within - from_sizes),
        size_sd=_root(size),
        shared_story_sd=_root(shared - within / len(slopes)),
        design=design,
    )


def _checked_table(x: ArrayLike, scores: ArrayLike) -> tuple[Array, Array]:
    """Check scores, and take decades of sizes about their mean."""
    sizes, table = np.asarray(x, np.float64), np.asarray(scores, np.float64)
    if table.ndim != 3 or sizes.shape != table.shape[:1]:
        msg = (
            f"scores have shape {table.shape} and x {sizes.shape}; expected (n_sizes, n_subjects, "
            "n_stories) and (n_sizes,)."
        )
        raise AlignmentError(msg)
    if not (np.isfinite(sizes) & (sizes > 0)).all() or np.unique(np.log10(sizes)).size < 2:
        msg = "x needs two different sizes or more, positive and finite."
        raise FitError(msg)
    if not np.isfinite(table).all():
        msg = "a score is not finite; leave its story out."
        raise FitError(msg)
    return table, np.log10(sizes) - np.log10(sizes).mean()


def _own_scatter(left: Array, design: str) -> tuple[Array, int]:
    """Take off what many stories do alike at a size; and count degrees of freedom."""
    n_sizes, n_subjects, n_stories = left.shape
    own = left - left.mean(axis=(1, 2), keepdims=True)
    if design == "nested":
        return own, (n_sizes - 2) * (n_subjects * n_stories - 1)
    own = own - own.mean(axis=1, keepdims=True) - own.mean(axis=2, keepdims=True)
    return own, (n_sizes - 2) * (n_subjects - 1) * (n_stories - 1)


def _slope_variances(slopes: Array, design: str) -> tuple[float, float, float]:
    """Vary within subjects, between means of subjects, between means of stories; NaN if unknown."""
    n_subjects, n_stories = slopes.shape
    nan = float("nan")
    between = float(slopes.mean(axis=1).var(ddof=1)) if n_subjects > 1 else nan
    if design == "nested":
        return float(slopes.var(axis=1, ddof=1).mean()) if n_stories > 1 else nan, between, nan
    of_subjects, of_stories = (slopes.mean(axis=axis, keepdims=True) for axis in (1, 0))
    rest = slopes - of_subjects - of_stories + slopes.mean()
    residual = float((rest**2).sum() / ((n_subjects - 1) * (n_stories - 1)))
    return residual, between, float(of_stories.var(ddof=1))


def _root(variance: float | Array) -> float:
    return float(np.sqrt(max(variance, 0.0))) if np.isfinite(variance) else float("nan")


def _standard_error(
    n_subjects: ArrayLike,
    n_stories: ArrayLike,
    n_sizes: ArrayLike,
    decades: float,
    subject_sd: float,
    story_sd: float,
    size_sd: float,
    shared_story_sd: float,
) -> tuple[Array, Array]:
    """Compute the standard error of the mean slope, and its degrees of freedom (0: none)."""
    counts = np.broadcast_arrays(
        *(np.asarray(n, np.float64) for n in (n_subjects, n_stories, n_sizes))
    )
    for name, values in zip(("n_subjects", "n_stories", "n_sizes"), counts, strict=True):
        if not (values >= 1).all():
            msg = f"{name} holds {values.min():g}; expected 1 or more."
            raise ValueError(msg)
    parts = {
        "subject_sd": subject_sd, "story_sd": story_sd, "size_sd": size_sd,
        "shared_story_sd": shared_story_sd,
    }  # fmt: skip
    for name, sd in parts.items():
        if not 0 <= sd < np.inf:
            msg = f"{name} is {sd}; expected a standard deviation, 0 or more."
            raise ValueError(msg)
    if not 0 < decades < np.inf:
        msg = f"decades is {decades}; expected log10 of the largest size over the smallest."
        raise ValueError(msg)
    subjects, stories, sizes = counts
    with np.errstate(divide="ignore", invalid="ignore"):
        square = decades**2 * sizes * (sizes + 1) / (12 * (sizes - 1))
        within = story_sd**2 + size_sd**2 / square
        one = subjects == 1
        alone = (shared_story_sd**2 + within) / stories
        variance = np.where(one, alone, (subject_sd**2 + within / stories) / subjects)
    freedom = np.where(one, stories - 1, subjects - 1)
    return np.sqrt(variance), np.where(sizes > 1, freedom, 0)


def _critical(freedom: Array, level: float) -> Array:
    """Take the quantile of Student's t at the upper end of an interval, from its tail."""
    return np.asarray(-special.stdtrit(freedom, (1 - level) / 2))


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        msg = f"level is {level}; expected a probability between 0 and 1, such as 0.95."
        raise ValueError(msg)
