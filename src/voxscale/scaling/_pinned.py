"""Intervals of what a power law predicts, by testing every candidate score.

A power law through a candidate score at x has one linear parameter less. Its best exponent on the
mean curve gives the contrast that predicts the score at x and is blind, to first order, to the
exponent; the candidate belongs to the interval where that contrast, over members, agrees with it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from voxscale.arrays import Array
from voxscale.scaling._contrasts import t_critical, t_test
from voxscale.scaling._evidence import Evidence
from voxscale.scaling._kinds import KINDS, Kind
from voxscale.scaling._varpro import fit_curves

__all__ = ["agrees", "prediction_interval"]

# Candidates, in half-widths of the interval by derivatives; an end beyond the last is endless.
_FARTHEST = 1e4
_N_TRIED = 24
_N_ROUNDS = 5


def prediction_interval(evidence: Evidence, x: Array) -> tuple[Array, Array]:
    """Compute the interval of the law at each x, of shape (n_x,); at inf, of the asymptote."""
    form = evidence.form
    if _is_tested(evidence):
        ends = np.array([_by_candidates(evidence, float(one)) for one in x]).reshape(-1, 2)
        return ends[:, 0], ends[:, 1]
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


def agrees(evidence: Evidence, score: float, x: Array) -> Array:
    """Tell at which x, of shape (n_x,), the interval of the law holds a score."""
    if not _is_tested(evidence):
        low, high = prediction_interval(evidence, x)
        return np.asarray((low <= score) & (score <= high))
    most = t_critical(len(evidence.members.weights) - 1, evidence.level)
    candidate = np.array([score])
    return np.array([_score_test(evidence, float(one))(candidate)[0] <= most for one in x])


def _is_tested(evidence: Evidence) -> bool:
    is_power = evidence.form.kind.name == "power"
    return is_power and evidence.method == "t" and evidence.members.level is not None


def _by_candidates(evidence: Evidence, x: float) -> tuple[float, float]:
    """Search outwards from the law, on both sides at once."""
    form = evidence.form
    most = t_critical(len(evidence.members.weights) - 1, evidence.level)
    t_of = _asymptote_test(evidence) if np.isinf(x) else _score_test(evidence, x)
    if np.isinf(x):
        centre = float(form.asymptote(evidence.parameters[:, None])[0])
    else:
        centre = float(form.predict(evidence.parameters, np.asarray(x)))
    if np.isinf(centre):  # the exponent is 0: what ends there are lie on one side
        return _one_sided(evidence, t_of, most, centre)
    members = t_test(evidence.curves.T, evidence.members.weights)
    width = most * float(np.max(members.standard_error))
    if not width > 0:
        return centre, centre
    tried = width * np.r_[0.0, np.geomspace(1e-2, _FARTHEST, _N_TRIED)]
    return _outwards(t_of, most, centre, tried, -1), _outwards(t_of, most, centre, tried, 1)


def _one_sided(
    evidence: Evidence, t_of: Callable[[Array], Array], most: float, endless: float
) -> tuple[float, float]:
    """Search for the end of an interval that reaches to infinity."""
    curves = evidence.curves
    side = 1 if endless > 0 else -1
    edge = float(side * np.max(side * (curves @ evidence.members.weights)))
    span = float(np.ptp(curves)) or 1.0
    tried = np.r_[0.0, span * np.geomspace(1e-3, _FARTHEST, 3 * _N_TRIED)]
    is_in = t_of(edge + side * tried) <= most
    if not is_in.any():
        return endless, endless
    first = int(np.argmax(is_in))
    inner, outer = tried[first], tried[max(first - 1, 0)]
    end = edge + side * _narrow(lambda far: t_of(edge + side * far), most, inner, outer)
    return (end, np.inf) if side > 0 else (-np.inf, end)


def _outwards(
    t_of: Callable[[Array], Array], most: float, centre: float, tried: Array, side: int
) -> float:
    is_out = t_of(centre + side * tried) > most
    is_out[0] = False
    if not is_out.any():
        return side * float("inf")
    first = int(np.argmax(is_out))
    return centre + side * _narrow(
        lambda far: t_of(centre + side * far), most, tried[first - 1], tried[first]
    )


def _narrow(t_of: Callable[[Array], Array], most: float, inner: float, outer: float) -> float:
    """Find where between two numbers the test begins to refuse."""
    for _ in range(_N_ROUNDS):
        between = np.linspace(inner, outer, _N_TRIED)
        is_out = t_of(between) > most
        is_out[0], is_out[-1] = False, True
        first = int(np.argmax(is_out))
        inner, outer = float(between[first - 1]), float(between[first])
    return inner


def _score_test(evidence: Evidence, x: float) -> Callable[[Array], Array]:
    """Make the test of candidate scores at x."""
    power = KINDS["power"]
    at = np.asarray(evidence.form.v(np.asarray(x)))

    def shape(theta: Array, v: Array) -> Array:
        return power.shape(theta, v) - power.shape(theta, at)

    def by_theta(theta: Array, v: Array) -> Array:
        return power.by_theta(theta, v) - power.by_theta(theta, at)

    pinned = power._replace(n_base=0, shape=shape, by_theta=by_theta, pair=None)
    return lambda candidates: _agreement(evidence, pinned, candidates)


def _asymptote_test(evidence: Evidence) -> Callable[[Array], Array]:
    """Make the test of candidate asymptotes."""
    return lambda candidates: _agreement(evidence, KINDS["saturating"], candidates)


def _agreement(evidence: Evidence, pinned: Kind, candidates: Array) -> Array:
    """Compute |t| of each candidate: its contrast of members, less the candidate.

    Where the pinned shape is 0, the law has the candidate's score: the contrast is 1 of what is
    constant, and 0 of the shape and of its derivative.
    """
    v = evidence.form.v(evidence.x)
    mean = evidence.curves @ evidence.members.weights
    theta = fit_curves(pinned, v, mean[:, None] - candidates).parameters[-1]
    shapes = np.stack(
        [
            np.ones((len(v), len(theta))),
            pinned.shape(theta, v[:, None]),
            pinned.by_theta(theta, v[:, None]),
        ]
    )
    sizes = np.sqrt((shapes**2).sum(axis=1, keepdims=True))
    contrasts = np.linalg.pinv(np.moveaxis(shapes / sizes, 2, 0).swapaxes(1, 2))[:, 0] / sizes[0].T
    test = t_test(evidence.curves.T @ contrasts.T - candidates, evidence.members.weights)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.abs(test.mean / test.standard_error))
