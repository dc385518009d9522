"""How scores grow with the size of a model or of its data."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from operator import index

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.errors import AlignmentError, FitError, VoxscaleWarning
from voxscale.evaluate._choices import known
from voxscale.scaling._evidence import METHODS, Evidence
from voxscale.scaling._form import Form
from voxscale.scaling._kinds import KINDS, Kind, are_equal, check_sizes
from voxscale.scaling._law import ScalingLaw
from voxscale.scaling._units import complete_units
from voxscale.scaling._varpro import fit_curves

__all__ = ["fit_scaling_law", "refuse_equal", "row_of", "sizes_of"]

_BOUNDS = {-1: "low", 0: None, 1: "high"}


def fit_scaling_law(
    x: ArrayLike,
    scores: ArrayLike,
    *,
    kind: str = "log-linear",
    ceiling: float | None = None,
    levels: Mapping[str, ArrayLike] | None = None,
    unit_weights: ArrayLike | None = None,
    interval: str = "t",
    over: str | None = None,
    crossed: bool = False,
    n_bootstrap: int = 2000,
    level: float = 0.95,
    seed: int | np.random.Generator = 0,
) -> ScalingLaw:
    """Fit how scores grow with size, and how sure that is.

    The intervals say how much the answer would differ for other subjects (or stories, or blocks:
    ``law.interval_over``), not for other models: the points along x are kept as they are.

    Parameters
    ----------
    x : array of shape (n_points,)
        Number of parameters, hours of data, ...; positive, at least two different values.
    scores : array of shape (n_points,) or (n_points, n_units)
        A unit is what another study would draw anew: a story, or a block of TRs of a subject's
        story (see :func:`block_scores`). A unit with a missing (not finite) score at any point
        is left out, with a warning: averaging over what is there would let the set of units,
        not x, move the curve. Maps have functions of their own: :func:`slope_map`,
        :func:`law_map`.
    kind : {"log-linear", "power", "saturating", "broken"}
        By least squares of the mean over units:

        * ``intercept + slope · log10(x)``, of 2 sizes or more;
        * ``asymptote − coefficient · x^(−exponent)``, of 4 or more. The exponent is 0 or more;
          at 0 this is the log-linear law;
        * the same with the asymptote given, ``ceiling``, of 4 or more;
        * a line in log10(x) before a break and another after it, joined, of 5 or more.
    ceiling : float, optional
        What a saturating law tends to: a noise ceiling. Other kinds have none.
    levels : mapping of name to labels of shape (n_units,), optional
        ``{"subject": ..., "story": ...}``, outermost first; the unit itself is innermost.
        Members of the level "subject" count the same, those of other levels by the weights of
        their units; other words for subjects are refused.
        Without it, units are of one level.
    unit_weights : array of shape (n_units,), optional
        What each unit counts: its number of TRs.
    interval : {"t", "percentile", "bca"}
        Student's t over the members of the outermost level that has two or more; or a bootstrap
        that draws subjects, then their stories, then blocks. With 3 subjects only the first
        covers the truth as often as it says.
    over : str, optional
        The level that t is taken over. Default: the outermost with two members or more.
        "story" pools subjects: an interval for other stories heard by these subjects.
    crossed : bool
        For the bootstrap: draw stories once for all subjects, who heard the same ones.
    n_bootstrap : int
        How often the bootstrap draws.
    level : float
        Of the intervals, between 0 and 1.
    seed : int or numpy.random.Generator

    Returns
    -------
    ScalingLaw
        Its intervals are NaN where there is only one unit.

    Raises
    ------
    AlignmentError
        If there is not one row of scores for each x, or one label or weight for each unit.
    FitError
        If an x is not positive and finite, too few differ, no unit is complete, or an exponent
        or break is asked of scores that are all equal.
    ValueError
        If ``kind`` or ``interval`` is unknown, or an option is out of range.

    Warns
    -----
    VoxscaleWarning
        If units are left out, or a saturating law falls to its ceiling from above.

    Notes
    -----
    *t.* A slope is a weighted sum of a curve's points, so that each member has its own, and their
    mean has Student's interval with (members - 1) degrees of freedom. For an exponent, or a
    break, every candidate is tested: the derivative of the law by it, less what the other
    parameters can do, is a weighted sum of points that is 0 on average over members if the
    candidate is right, whatever the asymptote and coefficient of each member are. The interval
    spans the candidates that a t-test does not refuse. Scores that a power law predicts, and its
    asymptote, are tested in the same way; what else is not linear has an interval by its
    derivative. A ceiling is taken as that of every member.

    *BCa* takes its acceleration from leaving out each member of the level of
    ``law.interval_over`` in turn.

    References
    ----------
    Antonello, Vaidya & Huth 2023, "Scaling laws for language encoding models in fMRI",
    NeurIPS 36, arXiv:2305.11863 (the log-linear law).
    Golub & Pereyra 1973, SIAM Journal on Numerical Analysis 10:413, doi:10.1137/0710036 (the fit).
    Efron & Tibshirani 1993, "An introduction to the bootstrap"; Davison & Hinkley 1997,
    "Bootstrap methods and their application", section 3.8 (levels).

    Examples
    --------
    >>> stories = np.array([[0.10, 0.12], [0.12, 0.13], [0.14, 0.14]])
    >>> law = fit_scaling_law([1e8, 1e9, 1e10], stories)
    >>> round(law.slope, 6), law.predict(1e11).round(6)
    (0.015, np.float64(0.155))
    >>> [round(end, 4) for end in law.slope_interval]  # two stories say little
    [-0.0485, 0.0785]

    Losses fall, to an asymptote:

    >>> x = np.geomspace(1e7, 1e10, 7)
    >>> law = fit_scaling_law(x, 1.69 + 406.4 * x**-0.34, kind="power")
    >>> round(law.asymptote, 6), round(law.exponent, 6), round(law.coefficient, 3)
    (1.69, 0.34, -406.4)
    """
    row = row_of(kind, interval, over, ceiling)
    if index(n_bootstrap) < 1:
        msg = f"n_bootstrap is {n_bootstrap}; expected at least 1, and for intervals 1000 or more."
        raise ValueError(msg)
    if not 0 < level < 1:
        msg = f"level is {level}; expected a probability between 0 and 1, such as 0.95."
        raise ValueError(msg)
    abscissa = sizes_of(x)
    check_sizes(row, abscissa)
    complete, units, n_left_out = complete_units(
        scores, len(abscissa), levels, unit_weights, "x has", "; for maps see slope_map and law_map"
    )
    if over is not None and over not in units.names:
        msg = f"over is {over!r}; expected one of the levels: {', '.join(units.names)}."
        raise ValueError(msg)
    members = units.members(over)
    mean = complete @ (members.weights @ members.shares)
    refuse_equal(row, mean)
    form = Form(row, float(abscissa.min()), 0.0 if ceiling is None else float(ceiling))
    fitted = fit_curves(row, form.v(abscissa), mean[:, None], form.offset)
    if kind == "saturating" and fitted.parameters[0, 0] < 0:
        msg = (
            f"the mean scores are above the ceiling {form.offset:.6g}, so that the law falls to "
            "it; expected scores below a noise ceiling: give a higher ceiling= (of losses, which "
            "fall, this is meant)."
        )
        warnings.warn(msg, VoxscaleWarning, stacklevel=2)
    entropy = seed.integers(2**63) if isinstance(seed, np.random.Generator) else seed
    evidence = Evidence(
        form=form,
        x=abscissa,
        scores=complete,
        units=units,
        members=members,
        parameters=fitted.parameters[:, 0],
        method=interval,
        level=level,
        n_draws=index(n_bootstrap),
        seed=int(entropy),
        crossed=crossed,
    )
    return ScalingLaw(
        kind=kind,
        x=abscissa,
        scores=complete,
        level=level,
        n_left_out=n_left_out,
        at_bound=_BOUNDS[int(fitted.bound[0])],
        evidence=evidence,
    )


def row_of(kind: str, interval: str, over: str | None, ceiling: ArrayLike | None) -> Kind:
    """Find the kind of law, and check that the options go together."""
    known("kind", kind, KINDS)
    known("interval", interval, METHODS)
    if over is not None and interval != "t":
        msg = f"over is {over!r} with interval={interval!r}; it goes with interval='t' only."
        raise ValueError(msg)
    if (ceiling is None) == (kind == "saturating"):
        wants = "needs the score that it tends to" if ceiling is None else "has no ceiling"
        msg = (
            f"ceiling is {ceiling!r}, but a law of kind {kind!r} {wants}; give ceiling= with "
            "kind='saturating', and only there."
        )
        raise ValueError(msg)
    if ceiling is not None and not np.isfinite(ceiling).any():
        msg = f"ceiling is {ceiling!r}; expected a finite score, such as a noise ceiling."
        raise ValueError(msg)
    return KINDS[kind]


def refuse_equal(kind: Kind, mean: Array) -> None:
    """Refuse to look for an exponent or a break in a curve that is flat."""
    if kind.theta and are_equal(mean):
        msg = (
            f"the mean score is {mean[0]:.6g} at every size; no {kind.theta} exists: "
            "fit kind='log-linear', whose slope is 0."
        )
        raise FitError(msg)


def sizes_of(x: ArrayLike) -> Array:
    """Check that sizes are positive numbers, one for each point."""
    values = np.array(x, dtype=np.float64)
    if values.ndim != 1:
        msg = f"x has shape {values.shape}; expected (n_points,)."
        raise AlignmentError(msg)
    wrong = values[~(np.isfinite(values) & (values > 0))]
    if wrong.size:
        msg = (
            f"x holds {wrong[0]}; expected positive, finite numbers in their own unit, since "
            "the logarithm is taken inside."
        )
        raise FitError(msg)
    return values
