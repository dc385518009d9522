"""What one axis is worth on another: the ratio of two slopes, with an interval."""

from __future__ import annotations

import numpy as np

from voxscale.arrays import Array
from voxscale.errors import AlignmentError
from voxscale.scaling._contrasts import t_critical
from voxscale.scaling._evidence import Evidence
from voxscale.scaling._form import Form
from voxscale.scaling._units import Members

__all__ = ["exchange_at", "exchange_interval", "fieller"]


def exchange_at(one: Evidence, other: Evidence, at: tuple[float, float]) -> float:
    """Find by what factor the other's x must grow for what a tenfold growth of x brings."""
    x, start = (np.array([end]) for end in at)
    gain = float(
        one.form.predict(one.parameters[:, None], 10 * x)[0]
        - one.form.predict(one.parameters[:, None], x)[0]
    )
    parameters = other.parameters[:, None]
    if not other.form.slope(parameters, start)[0] > 0:
        return float("nan")
    score = float(other.form.predict(parameters, start)[0]) + gain
    return _size(other.form, other.parameters, score, float(start[0])) / float(start[0])


def _size(form: Form, parameters: Array, score: float, start: float) -> float:
    """Find where a law that rises at a size has a score, on the way from there."""
    if form.kind.theta == "break":
        _, before, change, at = parameters
        v = float(form.v(np.array(start)))
        if v >= at and before <= 0:  # it rises after the break only
            here = float(form.predict(parameters[:, None], np.array([start]))[0])
            v += (score - here) / (before + change)
            return form.smallest * float(np.exp(v)) if v >= at else float("nan")
    return float(form.x_of(parameters[:, None], score)[0])


def exchange_interval(one: Evidence, other: Evidence) -> tuple[float, float]:
    """Compute the interval of ``10 ** (slope / other slope)`` over the members of both."""
    for evidence in (one, other):
        if evidence.form.kind.name != "log-linear" or evidence.method != "t":
            msg = (
                f"a law is of kind {evidence.form.kind.name!r} with interval={evidence.method!r}; "
                "an interval of an exchange needs two of kind 'log-linear' with interval='t'."
            )
            raise ValueError(msg)
    members = one.members
    _refuse_others(members, other.members)
    if one.level != other.level:
        msg = (
            f"the laws have intervals of {one.level:g} and {other.level:g}; expected one level: "
            "fit both with the same level=."
        )
        raise ValueError(msg)
    slopes = [
        evidence.member_values(lambda p, e=evidence: e.form.slope(p, e.x.max()))  # type: ignore[misc]
        for evidence in (one, other)
    ]
    decades = fieller(slopes[0], slopes[1], members.weights, one.level)
    with np.errstate(over="ignore"):
        low, high = (float(np.float64(10.0) ** end) for end in decades)
    return low, high


def _refuse_others(members: Members, others: Members) -> None:
    """Refuse to pair members that are not the same, or do not count the same."""
    if (members.level, members.labels) != (others.level, others.labels):
        lost = set(members.labels) ^ set(others.labels)
        only = f"; only one law has {', '.join(sorted(map(str, lost))[:5])}" if lost else ""
        msg = (
            f"the laws are over {len(members.labels)} and {len(others.labels)} members of "
            f"levels {members.level!r} and {others.level!r}{only}; expected the same members in "
            "both: fit them on the same subjects or stories, with no score missing."
        )
        raise AlignmentError(msg)
    if not np.allclose(members.weights, others.weights, rtol=1e-9):
        msg = (
            f"the {len(members.labels)} members do not count the same in both laws; expected the "
            "same unit_weights: give both the same, or none."
        )
        raise AlignmentError(msg)


def fieller(
    above: np.ndarray, below: np.ndarray, weights: np.ndarray, level: float
) -> tuple[float, float]:
    """Find the ratios of two means that paired values do not speak against.

    Parameters
    ----------
    above, below : arrays of shape (n_members,)
    weights : array of shape (n_members,)
        Sum to 1.
    level : float

    Returns
    -------
    low, high : float
        (-inf, inf) where the mean below may be 0; NaN with one member.
    """
    most = t_critical(len(weights) - 1, level)
    if np.isnan(most):
        return float("nan"), float("nan")
    means = np.array([weights @ above, weights @ below])
    around = np.stack([above, below]) - means[:, None]
    spread = (around * (weights**2 / (1 - weights))) @ around.T
    # (m0 - r m1)² ≤ t² (s00 - 2 r s01 + r² s11), a parabola in r.
    square, half, plain = np.outer(means, means)[[1, 0, 0], [1, 1, 0]] - most**2 * np.array(
        [spread[1, 1], spread[0, 1], spread[0, 0]]
    )
    if not square > 0:
        return float("-inf"), float("inf")
    root = np.sqrt(max(half**2 - square * plain, 0.0))
    return float((half - root) / square), float((half + root) / square)
