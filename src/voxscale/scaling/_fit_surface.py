"""From scores at points to a surface over their sizes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from operator import index

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.errors import FitError, VoxscaleWarning
from voxscale.scaling._surface import ScalingSurface
from voxscale.scaling._surface_bounds import bound_intervals
from voxscale.scaling._surface_forms import FORMS, Form
from voxscale.scaling._surface_members import Measured
from voxscale.scaling._surface_points import axes_of, check_points
from voxscale.scaling._surface_projection import LARGEST_EXPONENT
from voxscale.scaling._surface_uncertainty import Uncertainty
from voxscale.scaling._units import complete_units

__all__ = ["fit_scaling_surface"]

_INTERVALS = ("t", "percentile", "residual")


def fit_scaling_surface(
    x: Mapping[str, ArrayLike],
    scores: ArrayLike,
    *,
    kind: str = "additive-power",
    levels: Mapping[str, ArrayLike] | None = None,
    unit_weights: ArrayLike | None = None,
    n_bootstrap: int = 2000,
    interval: str = "t",
    level: float = 0.95,
    seed: int | np.random.Generator = 0,
) -> ScalingSurface:
    """Fit how scores grow with several sizes at once, and how sure that is.

    Parameters
    ----------
    x : mapping of axis to array of shape (n_points,)
        Such as ``{"n_params": …, "hours": …}``: one to three sizes of each point, positive, in
        their own units. Points may lie anywhere; a full grid is not needed.
    scores : array of shape (n_points,) or (n_points, n_units)
        May be negative. A unit is the smallest piece that was scored: a block of TRs, or a
        story. A unit with a missing (not finite) score at any point is left out, with a warning.
    kind : {"additive-power", "log-linear", "log-linear-interaction"}
        ``asymptote - Σ coefficient · x^-exponent``, exponents between 0 and 4; or
        ``intercept + Σ slope · log10(x)``; or the latter for two axes with a product.
    levels : mapping of level to labels of shape (n_units,), optional
        What units lie within, outermost first, such as ``{"subject": …, "story": …}``. Members
        of the level "subject" count the same; within one, units count by their weights.
    unit_weights : array of shape (n_units,), optional
        What each unit counts, such as its number of TRs. Default: the same.
    n_bootstrap : int
        Draws, if ``interval`` is "percentile".
    interval : {"t", "percentile", "residual"}
        Over the members of the outermost level that has two or more: Student's t on the
        linearised influence of each member, or percentiles of fits to members of every level
        drawn with replacement, which are too narrow with fewer than about 10. These say how
        much the answer would differ for other subjects (or stories, or units), not for other
        models. Or over the points: Student's t on the scatter of the means about the surface.
    level : float
        Of the intervals, between 0 and 1.
    seed : int or numpy.random.Generator
        Of the bootstrap.

    Returns
    -------
    ScalingSurface

    Raises
    ------
    AlignmentError
        If there is not one row of scores for each point, or one label for each unit.
    FitError
        If a size is not positive and finite; an axis has fewer than four different sizes for
        an exponent, two for a slope; axes only grow together; there are fewer points than
        parameters; all scores are equal; or no unit is complete.
    ValueError
        If an option is unknown or out of range.

    Warns
    -----
    VoxscaleWarning
        If units are left out, or an exponent ends at 0 or 4.

    Notes
    -----
    The exponents are searched for with everything linear solved for (variable projection), in
    float64, with sizes scaled by their geometric means. An exponent of 0 is the limit in which
    the score grows with the logarithm for ever: there is then no asymptote.

    References
    ----------
    Hoffmann et al. 2022, "Training compute-optimal large language models", arXiv:2203.15556
    (the form with powers). Antonello, Vaidya & Huth 2023, NeurIPS 36, arXiv:2305.11863 (scores
    against logarithms of model size and hours). Golub & Pereyra 1973, SIAM Journal on
    Numerical Analysis 10:413, doi:10.1137/0710036 (variable projection).

    Examples
    --------
    >>> n_params, hours = np.meshgrid([1e8, 1e9, 1e10, 1e11], [1.0, 2.0, 4.0, 8.0])
    >>> x = {"n_params": n_params.ravel(), "hours": hours.ravel()}
    >>> scores = 0.5 - 20 * x["n_params"] ** -0.25 - 0.2 * x["hours"] ** -0.5
    >>> surface = fit_scaling_surface(x, scores)
    >>> round(surface.asymptote, 6), round(surface.exponents["hours"], 6)
    (0.5, 0.5)
    >>> round(surface.needed("hours", score=0.3, at={"n_params": 1e9}).value, 6)
    5.220702
    """
    form = _checked_form(kind, interval, level, n_bootstrap)
    axes = axes_of(x)
    if kind == "log-linear-interaction" and len(axes) != 2:
        msg = f"kind {kind!r} is for two axes but x has {len(axes)}; use 'log-linear'."
        raise ValueError(msg)
    n_points = len(next(iter(axes.values())))
    complete, units, n_left_out = complete_units(
        scores, n_points, levels, unit_weights, "the axes have"
    )
    measured = Measured(complete, units, units.members(), n_left_out)
    log_x = np.log(np.stack(list(axes.values()), axis=1))
    log_x -= log_x.mean(axis=0)
    check_points(axes, log_x, form, kind)
    means = measured.mean
    if np.ptp(means) == 0:
        msg = f"all scores are {means[0]}; there is nothing to fit: look at how they were made."
        raise FitError(msg)
    parameters = form.fit(log_x, means)
    if form.has_exponents:
        _warn_of_bounds(list(axes), parameters)
    sure = _uncertainty(form, log_x, measured, parameters, interval, level, n_bootstrap, seed)
    return ScalingSurface(
        kind=kind,
        x=axes,
        scores=measured.scores,
        interval_over="points" if interval == "residual" else measured.members.level,
        n_members=len(means) if interval == "residual" else len(measured.members.weights),
        level=level,
        n_left_out=measured.n_left_out,
        _mean_scores=means,
        _parameters=parameters,
        _uncertainty=sure,
    )


def _checked_form(kind: str, interval: str, level: float, n_bootstrap: int) -> Form:
    """Check the options, and find the row of the kind."""
    if kind not in FORMS:
        msg = f"kind {kind!r} is unknown; choose one of {', '.join(FORMS)}."
        raise ValueError(msg)
    if interval not in _INTERVALS:
        msg = f"interval {interval!r} is unknown; choose one of {', '.join(_INTERVALS)}."
        raise ValueError(msg)
    if not 0 < level < 1:
        msg = f"level is {level}; expected a probability between 0 and 1, such as 0.95."
        raise ValueError(msg)
    if index(n_bootstrap) < 1:
        msg = f"n_bootstrap is {n_bootstrap}; expected at least 1, and for intervals 1000 or more."
        raise ValueError(msg)
    return FORMS[kind]


def _uncertainty(
    form: Form,
    log_x: Array,
    measured: Measured,
    parameters: Array,
    interval: str,
    level: float,
    n_bootstrap: int,
    seed: int | np.random.Generator,
) -> Uncertainty:
    """Learn how sure the parameters are, in the way that was asked for."""
    means, weights = measured.mean, measured.members.weights
    if interval == "residual":
        freedom = len(means) - form.sensitivity(log_x, means, parameters).n_free
        if freedom < 1:
            return Uncertainty(level)
        residual = means - form.curve(parameters, log_x)
        variance = (residual @ residual) / freedom
        return _by_t(
            form, log_x, means, parameters, lambda gain: gain @ gain.T * variance, level, freedom
        )
    if measured.members.level is None:
        return Uncertainty(level)
    if interval == "percentile":
        draws = measured.draws(index(n_bootstrap), seed)
        return Uncertainty(level, draws=form.refit(log_x, draws, parameters))
    apart = measured.curves - means[:, None]

    def covariance_of(gain: Array) -> Array:
        influence = gain @ apart
        return np.asarray(influence * (weights**2 / (1 - weights)) @ influence.T)

    return _by_t(form, log_x, means, parameters, covariance_of, level, len(weights) - 1)


def _by_t(
    form: Form,
    log_x: Array,
    means: Array,
    parameters: Array,
    covariance_of: Callable[[Array], Array],
    level: float,
    freedom: int,
) -> Uncertainty:
    """Turn what parameters answer to scores into intervals by Student's t."""
    gain = form.sensitivity(log_x, means, parameters).gain
    sure = Uncertainty(level, covariance_of(gain), freedom)
    ends = bound_intervals(form, log_x, means, parameters, covariance_of, sure.reach)
    return sure._replace(bounded=ends)


def _warn_of_bounds(names: list[str], parameters: Array) -> None:
    """Say aloud where an exponent could not be found."""
    for name, exponent in zip(names, parameters[1 + len(names) :], strict=True):
        if exponent <= 0:
            why = (
                "the score grows with its logarithm or faster, and there is no asymptote; use "
                f"kind='log-linear', or add larger sizes of {name!r}."
            )
        elif exponent >= LARGEST_EXPONENT:
            why = f"only its smallest size stands out; add sizes of {name!r} above that."
        else:
            continue
        msg = f"the exponent of {name!r} ends at {exponent:g}: {why}"
        warnings.warn(msg, VoxscaleWarning, stacklevel=3)
