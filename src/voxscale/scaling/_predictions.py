"""Intervals of what a law predicts, at a size or in the end, and of its slope.

Among the sizes, intervals of a power law are by derivatives. Beyond them, and of its slope at the
largest, every candidate is tested. For each exponent there is a contrast that predicts the score
and is blind, to first order, to an error of that exponent. Members who would move the score to the
candidate would move the exponent with it: the contrast is that of the exponent which they would
have then. The candidate belongs where its contrast, over members, agrees with it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from voxscale.arrays import Array
from voxscale.scaling._contrasts import t_critical, t_test
from voxscale.scaling._evidence import Evidence
from voxscale.scaling._kinds import KINDS

__all__ = ["agrees", "prediction_interval", "slope_interval"]

# Candidates, in half-widths of the widest point; an end beyond the last is endless.
_FARTHEST = 1e4
_N_TRIED = 24
_N_ROUNDS = 5
_SMALLEST = 1e-6  # of an exponent, times the range of ln x: below it an asymptote has no digits

_Test = Callable[[Array], Array]


class _Goal(NamedTuple):
    """What is asked of a law: its score at x, less a share of its asymptote; or its slope there."""

    x: float
    share: float = 0.0
    is_slope: bool = False


def prediction_interval(evidence: Evidence, x: Array) -> tuple[Array, Array]:
    """Compute the interval of the law at each x, of shape (n_x,); at inf, of the asymptote."""
    form = evidence.form
    if _is_tested(evidence):
        # Among the sizes the law is nearly linear in its scores, and a derivative will do; the
        # test may hold candidates that are far off there, of two members above all.
        within = _is_within(evidence, x)
        low, high = np.empty(len(x)), np.empty(len(x))
        if within.any():
            low[within], high[within] = evidence.interval(
                lambda parameters: form.predict(parameters, x[within, None])
            )
        for i in np.flatnonzero(~within):
            low[i], high[i] = _by_candidates(evidence, _Goal(float(x[i])))
        return low, high
    if np.isinf(x).all():
        low, high = evidence.interval(form.asymptote)
        return np.atleast_1d(low), np.atleast_1d(high)
    if evidence.method == "t" and form.kind.name == "saturating":
        # What is left to the ceiling has one sign, and its logarithm is a line.
        near, far = evidence.interval(
            lambda parameters: form.offset - form.predict(parameters, x[:, None]),
            by_t="logarithm",
        )
        return np.asarray(form.offset - far), np.asarray(form.offset - near)
    return evidence.interval(lambda parameters: form.predict(parameters, x[:, None]))


def slope_interval(evidence: Evidence, x: Array) -> tuple[Array, Array]:
    """Compute the interval of the gain per decade at each x, of shape (n_x,)."""
    form = evidence.form

    def slope(parameters: Array) -> Array:
        return form.slope(parameters, x[:, None])

    low, high = evidence.interval(slope)
    if evidence.method == "t" and form.kind.name == "saturating":
        # It has one sign, and far out its logarithm is a line; without a sign it has none.
        ends = evidence.interval(slope, by_t="logarithm")
        known = np.isfinite(ends[0]) & np.isfinite(ends[1])
        low, high = np.where(known, ends[0], low), np.where(known, ends[1], high)
    if _is_tested(evidence):
        for i in np.flatnonzero(x >= evidence.x.max()):
            low[i], high[i] = _by_candidates(evidence, _Goal(float(x[i]), is_slope=True))
    return low, high


def agrees(evidence: Evidence, score: float, x: Array, share: float = 0.0) -> Array:
    """Tell at which x, of shape (n_x,), the interval of the law holds a score.

    With a share, of the law less that share of its asymptote.
    """
    if not _is_tested(evidence):
        low, high = prediction_interval(evidence, x)
        return np.asarray((low <= score) & (score <= high))
    most = t_critical(len(evidence.members.weights) - 1, evidence.level)
    candidate = np.array([score])
    tested = np.ones(len(x), dtype=bool) if share else ~_is_within(evidence, x)
    agree = np.empty(len(x), dtype=bool)
    for i in np.flatnonzero(tested):
        agree[i] = _test(evidence, _Goal(float(x[i]), share))[0](candidate)[0] <= most
    if not tested.all():
        low, high = prediction_interval(evidence, x[~tested])
        agree[~tested] = (low <= score) & (score <= high)
    return agree


def _is_within(evidence: Evidence, x: Array) -> Array:
    """Tell which x lie among the sizes."""
    return np.asarray((x >= evidence.x.min()) & (x <= evidence.x.max()))


def _is_tested(evidence: Evidence) -> bool:
    is_power = evidence.form.kind.name == "power"
    return is_power and evidence.method == "t" and evidence.members.level is not None


def _by_candidates(evidence: Evidence, goal: _Goal) -> tuple[float, float]:
    """Search outwards from the law."""
    if np.isinf(goal.x) and evidence.parameters[2] == 0:
        return _of_a_line(evidence)
    most = t_critical(len(evidence.members.weights) - 1, evidence.level)
    t_of, centre = _test(evidence, goal)
    points = t_test(evidence.curves.T, evidence.members.weights)
    width = most * float(np.max(points.standard_error))
    # Members that are equal but for rounding leave nothing to search.
    if width <= 1e-13 * float(np.abs(evidence.curves).max()):
        return centre, centre
    tried = width * np.r_[0.0, np.geomspace(1e-2, _FARTHEST, _N_TRIED)]
    low, high = (_outwards(t_of, most, centre, tried, side) for side in (-1, 1))
    # With the exponent at its bound the law is not quite what its contrast says; it belongs.
    law = _of_the_law(evidence, goal)
    return min(low, law), max(high, law)


def _of_the_law(evidence: Evidence, goal: _Goal) -> float:
    form, parameters, x = evidence.form, evidence.parameters[:, None], np.array([goal.x])
    if goal.is_slope:
        return float(form.slope(parameters, x)[0])
    law = form.asymptote(parameters) if np.isinf(goal.x) else form.predict(parameters, x)
    return float(law[0])


def _outwards(t_of: _Test, most: float, centre: float, tried: Array, side: int) -> float:
    """Find where the test begins to refuse, on one side; infinite where it never does."""

    def is_out(far: Array) -> Array:
        return np.asarray(t_of(centre + side * far) > most)

    out = is_out(tried)
    out[0] = False
    if not out.any():
        return side * float("inf")
    first = int(np.argmax(out))
    inner, outer = tried[first - 1], tried[first]
    for _ in range(_N_ROUNDS):
        between = np.linspace(inner, outer, _N_TRIED)
        out = is_out(between)
        out[0], out[-1] = False, True
        first = int(np.argmax(out))
        inner, outer = between[first - 1], between[first]
    return float(centre + side * inner)


def _test(evidence: Evidence, goal: _Goal) -> tuple[_Test, float]:
    """Make the test of candidates for a goal, which gives |t|, and compute the law's own."""

    def contrasts_of(exponents: Array) -> Array:
        contrasts = _contrasts(evidence, goal, exponents)
        if goal.share:
            contrasts = contrasts - goal.share * _contrasts(evidence, _Goal(np.inf), exponents)
        return contrasts

    curves, weights = evidence.curves, evidence.members.weights
    mean = curves @ weights
    exponent = evidence.parameters[2]
    own = contrasts_of(np.array([exponent]))[0]
    centre = float(own @ mean)
    scores = own @ (curves - mean[:, None])
    spread = (weights * scores) @ scores
    along = (weights * evidence.influence[2]) @ scores
    moves = along / spread if spread > 0 else 0.0

    def t_of(candidates: Array) -> Array:
        contrasts = contrasts_of(exponent + moves * (candidates - centre))
        test = t_test(curves.T @ contrasts.T - candidates, weights)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(np.abs(test.mean / test.standard_error))

    return t_of, centre


def _contrasts(evidence: Evidence, goal: _Goal, exponents: Array) -> Array:
    """Make the contrast of each exponent, of shape (n_exponents, n_points).

    Of what is constant, of the shape and of its derivative it is what the goal has of them.
    """
    kind, form = KINDS["power"], evidence.form
    v = form.v(evidence.x)[:, None]
    theta = np.clip(exponents, _SMALLEST / v.max(), kind.nodes(v[:, 0])[-1])
    if np.isinf(goal.x):  # measured from the asymptote: neither shape has anything left there
        left = np.exp(-theta * v)
        rows, at = [left, v * left], [1.0 + 0.0 * theta, 0.0 * theta, 0.0 * theta]
    else:
        rows = list(kind.both(theta, v))
        at = _at(goal, theta, form.v(np.asarray(goal.x)))
    shapes = np.stack([np.ones_like(rows[0]), *rows])
    sizes = np.sqrt((shapes**2).sum(axis=1))
    inverse = np.linalg.pinv(np.moveaxis(shapes / sizes[:, None], 2, 0).swapaxes(1, 2))
    return np.asarray(np.einsum("ac,cap->cp", np.stack(at) / sizes, inverse))


def _at(goal: _Goal, theta: Array, v: Array) -> list[Array]:
    """Return what the score, or the slope per decade, has of a constant and of both shapes."""
    kind = KINDS["power"]
    if goal.is_slope:
        per_decade = np.log(10) * kind.by_v(theta, v)
        return [0.0 * theta, per_decade, -v * per_decade]
    return [1.0 + 0.0 * theta, kind.shape(theta, v), kind.by_theta(theta, v)]


def _of_a_line(evidence: Evidence) -> tuple[float, float]:
    """Bound the asymptote where the exponent is 0: by t, at the largest exponent there may be."""
    kind = KINDS["power"]
    v = evidence.form.v(evidence.x)
    _, largest = evidence.theta_interval(evidence.form.exponent)
    exponent = min(largest, float(kind.nodes(v)[-1]))
    shapes = np.stack([np.ones_like(v), np.exp(-exponent * v)], axis=1)
    values = np.linalg.pinv(shapes)[0] @ evidence.curves
    low, high = t_test(values, evidence.members.weights).interval(evidence.level)
    if evidence.parameters[1] > 0:
        return float(low), float("inf")
    return float("-inf"), float(high)
