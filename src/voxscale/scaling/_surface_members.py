"""Who is drawn anew: the members of the outermost level that has two of them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.errors import AlignmentError, FitError, VoxscaleWarning

__all__ = ["Members", "complete_units", "members_of"]


SUBJECT = "subject"  # the level whose members count the same


class Members(NamedTuple):
    """Scores of those that an interval is over, each the mean of its units."""

    scores: Array  # (n_points, n_members)
    weights: Array  # (n_members,): what each counts in the whole; they sum to 1
    level: str | None  # such as "subject"; None where no level has two members

    @property
    def mean(self) -> Array:
        """Mean score at each point, (n_points,)."""
        return np.asarray(self.scores @ self.weights)

    def draws(self, n_draws: int, seed: int | np.random.Generator) -> Array:
        """Average over members drawn with replacement: (n_draws, n_points)."""
        n_members = len(self.weights)
        chances = np.full(n_members, 1 / n_members)
        times = np.random.default_rng(seed).multinomial(n_members, chances, size=n_draws)
        shares = times * self.weights
        return np.asarray(shares @ self.scores.T / shares.sum(axis=1, keepdims=True))


def complete_units(scores: ArrayLike, n_points: int) -> tuple[Array, Array]:
    """Keep the units that have a score at every point, (n_points, n_units), and say which."""
    table = np.array(scores, dtype=np.float64)
    if table.ndim not in (1, 2) or len(table) != n_points:
        msg = (
            f"scores have shape {table.shape} but the axes have {n_points} points; expected "
            f"({n_points},) or ({n_points}, n_units)."
        )
        raise AlignmentError(msg)
    table = table[:, None] if table.ndim == 1 else table
    is_complete = np.asarray(np.isfinite(table).all(axis=0))
    if not is_complete.any():
        msg = (
            f"none of the {table.shape[1]} unit(s) has a finite score at all {n_points} points; "
            "nothing is left to fit: leave out the points that are missing everywhere."
        )
        raise FitError(msg)
    if not is_complete.all():
        msg = (
            f"{(~is_complete).sum()} of {table.shape[1]} units lack a finite score at some point "
            "and are left out."
        )
        warnings.warn(msg, VoxscaleWarning, stacklevel=3)
    return table[:, is_complete], is_complete


def members_of(
    scores: Array, levels: Mapping[str, ArrayLike] | None, is_complete: Array
) -> Members:
    """Group units by the outermost level with two members or more.

    Members of the level "subject" count the same, whatever units they have; those of another
    level count as many as their units.

    Parameters
    ----------
    scores : array of shape (n_points, n_kept_units)
    levels : mapping of level to labels of shape (n_units,), outermost first
        The innermost level is the unit itself, which needs no labels.
    is_complete : array of bool of shape (n_units,)
        Which units were kept.

    Raises
    ------
    AlignmentError
        If there is not a label for each unit.
    ValueError
        If "subject" is not the outermost level.
    """
    labels = {name: _labels(name, of, is_complete) for name, of in (levels or {}).items()}
    if SUBJECT in list(labels)[1:]:
        msg = f"levels are {list(labels)}; expected {SUBJECT!r} first: from the outermost inwards."
        raise ValueError(msg)
    for level, of_units in labels.items():
        members = _grouped(scores, of_units, level)
        if len(members.weights) > 1:
            return members
    n_units = scores.shape[1]
    innermost = "block" if labels else "unit"
    return Members(scores, np.full(n_units, 1 / n_units), innermost if n_units > 1 else None)


def _labels(name: str, labels: ArrayLike, is_complete: Array) -> Array:
    given = np.asarray(labels)
    if given.shape != is_complete.shape:
        msg = (
            f"levels[{name!r}] has shape {given.shape}; expected ({len(is_complete)},), a label "
            "for each unit of scores."
        )
        raise AlignmentError(msg)
    return np.asarray(given[is_complete])


def _grouped(scores: Array, labels: Array, level: str) -> Members:
    """Average the units of each member."""
    own, codes = np.unique(labels, return_inverse=True)
    belongs = np.eye(len(own))[codes]
    n_units = belongs.sum(axis=0)
    counts = np.ones(len(own)) if level == SUBJECT else n_units
    return Members(scores @ belongs / n_units, counts / counts.sum(), level)
