"""What one axis is worth on another: the ratio of two slopes, with an interval."""

from __future__ import annotations

import numpy as np

from voxscale.errors import AlignmentError
from voxscale.scaling._contrasts import t_critical
from voxscale.scaling._evidence import Evidence

__all__ = ["exchange_interval", "fieller"]


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
    if (members.level, members.labels) != (other.members.level, other.members.labels):
        msg = (
            f"the laws are over {len(members.labels)} and {len(other.members.labels)} members of "
            f"levels {members.level!r} and {other.members.level!r}; expected the same members in "
            "both: fit them on the same subjects or stories."
        )
        raise AlignmentError(msg)
    slopes = [
        evidence.member_values(lambda p, e=evidence: e.form.slope(p, e.x.max()))  # type: ignore[misc]
        for evidence in (one, other)
    ]
    decades = fieller(slopes[0], slopes[1], members.weights, one.level)
    with np.errstate(over="ignore"):
        low, high = (float(np.float64(10.0) ** end) for end in decades)
    return low, high


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
