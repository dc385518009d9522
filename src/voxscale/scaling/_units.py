"""What was measured anew: subjects, their stories, blocks of TRs; and how much each counts."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.errors import AlignmentError, FitError, VoxscaleWarning

__all__ = ["EQUALLY", "Members", "Units", "as_units", "complete_units"]

EQUALLY = "subject"  # the level whose members count the same
# What it is called by mistake: its members would count by their units, and nothing would tell.
_PEOPLE = frozenset({
    "sub", "subs", "subj", "subjs", "subject", "subjects", "subject_id", "participant",
    "participants", "participant_id", "person", "persons", "people", "listener", "listeners",
    "volunteer", "volunteers", "individual", "individuals",
})  # fmt: skip


@dataclass(frozen=True, eq=False)
class Members:
    """What intervals are taken over: the members of one level.

    Parameters
    ----------
    level : str or None
        None where no level has two members, so that there is no interval.
    labels : tuple
    shares : array of shape (n_members, n_units)
        Weights of the mean over the units of each member; each row sums to 1.
    weights : array of shape (n_members,)
        What each member counts in the whole; sums to 1.
    """

    level: str | None
    labels: tuple[object, ...]
    shares: Array
    weights: Array


@dataclass(frozen=True, eq=False)
class Units:
    """Units in their levels.

    Parameters
    ----------
    names : tuple of str
        Of the levels, outermost first; the last is the unit itself.
    labels : tuple of arrays of shape (n_units,)
        What the caller calls the members of each level, but for the last.
    weights : array of shape (n_units,)
    numbers : array of shape (n_units,)
        Columns of the scores that the caller gave, where some were left out.
    """

    names: tuple[str, ...]
    labels: tuple[Array, ...]
    weights: Array
    numbers: Array

    @property
    def subjects(self) -> Array:
        """Number of the subject of each unit, where subjects count the same; else all 0."""
        if self.names[0] != EQUALLY:
            return np.zeros(len(self.weights), np.intp)
        return np.asarray(np.unique(self.labels[0], return_inverse=True)[1])

    def paths(self, depth: int) -> Array:
        """Give each unit its member of the level at a depth; a story of two subjects is two."""
        if depth == len(self.names) - 1:
            return np.arange(len(self.weights))
        numbers = np.zeros(len(self.weights), np.intp)
        for labels in self.labels[: depth + 1]:
            own, codes = np.unique(labels, return_inverse=True)
            numbers = np.unique(numbers * len(own) + codes, return_inverse=True)[1]
        return numbers

    def shares(self, counts: Array, times: Array | None = None) -> Array:
        """Weigh units that were drawn so often.

        Parameters
        ----------
        counts : array of shape (n_draws, n_units)
        times : array of shape (n_draws, n_subjects), optional
            How often each subject was drawn: one drawn twice counts twice, however many units
            were drawn of it. Default: once.

        Returns
        -------
        array of shape (n_draws, n_units)
            Each row sums to 1; NaN where nothing was drawn.
        """
        raw = counts * self.weights
        groups = np.eye(self.subjects.max() + 1)[self.subjects]
        totals = raw @ groups
        has_any = totals > 0
        drawn = np.where(has_any, 1.0 if times is None else times, 0.0)
        each = np.divide(drawn, totals, out=np.zeros_like(totals), where=has_any)
        with np.errstate(invalid="ignore"):
            return np.asarray(raw * (each @ groups.T) / drawn.sum(axis=1)[:, None])

    def kept(self, which: Array) -> Units:
        """Leave units out."""
        labels = tuple(one[which] for one in self.labels)
        return Units(self.names, labels, self.weights[which], self.numbers[which])

    def members(self, over: str | None = None) -> Members:
        """Group units by the outermost level with two members or more, or by a named one."""
        point = self.shares(np.ones((1, len(self.weights))))[0]
        for depth, name in enumerate(self.names):
            if over not in (None, name):
                continue
            is_unit = depth == len(self.names) - 1
            labels = self.numbers if is_unit else self.labels[depth]
            own, codes = np.unique(labels, return_inverse=True)
            if len(own) > 1:
                belongs = np.eye(len(own))[:, codes] * point
                weights = belongs.sum(axis=1)
                return Members(name, tuple(own.tolist()), belongs / weights[:, None], weights)
        return Members(None, ("all",), point[None, :], np.ones(1))


def as_units(
    n_units: int, levels: Mapping[str, ArrayLike] | None, unit_weights: ArrayLike | None
) -> Units:
    """Check labels and weights, one for each unit.

    Raises
    ------
    AlignmentError
        If they are not one for each unit.
    ValueError
        If a weight is not above 0, "subject" is not the outermost level, or a level has another
        word for subjects.
    """
    weights = np.ones(n_units) if unit_weights is None else np.array(unit_weights, np.float64)
    if weights.shape != (n_units,):
        msg = (
            f"unit_weights have shape {weights.shape}; expected ({n_units},), one for each unit "
            "of scores, such as its number of TRs."
        )
        raise AlignmentError(msg)
    if not (np.isfinite(weights) & (weights > 0)).all():
        msg = "unit_weights hold a number that is not above 0 and finite; leave such units out."
        raise ValueError(msg)
    names = [] if levels is None else list(levels)
    labels = []
    for name in names:
        one = np.asarray((levels or {})[name])
        if one.shape != (n_units,):
            msg = (
                f"levels[{name!r}] has shape {one.shape}; expected ({n_units},), a label for each "
                "unit of scores."
            )
            raise AlignmentError(msg)
        labels.append(one)
    if EQUALLY in names[1:]:
        msg = (
            f"levels are {names}; expected {EQUALLY!r} first: levels go from the outermost inwards."
        )
        raise ValueError(msg)
    people = [name for name in names if name != EQUALLY and name.lower() in _PEOPLE]
    if people:
        msg = (
            f"levels has {people[0]!r}; expected {EQUALLY!r} if that is who they are: members of "
            f"the level {EQUALLY!r} count the same, those of any other level count by the "
            f"weights of their units. Name it {EQUALLY!r}, or, to weigh people by their units, "
            "something else."
        )
        raise ValueError(msg)
    innermost = "block" if names else "unit"
    if innermost in names:
        msg = f"levels[{innermost!r}] has the name of the units themselves; leave it out."
        raise ValueError(msg)
    return Units((*names, innermost), tuple(labels), weights, np.arange(n_units))


def complete_units(
    scores: ArrayLike,
    n_points: int,
    levels: Mapping[str, ArrayLike] | None,
    unit_weights: ArrayLike | None,
    points_of: str,
    hint: str = "",
) -> tuple[Array, Units, int]:
    """Keep the units that have a score at every point, and count the others.

    Parameters
    ----------
    scores : array of shape (n_points,) or (n_points, n_units)
    n_points : int
    levels, unit_weights
        As in :func:`voxscale.scaling.fit_scaling_law`.
    points_of, hint : str
        What has the points, as an error says it ("x has"), and what it adds.

    Returns
    -------
    scores : array of shape (n_points, n_complete), float64
    units : Units
    n_left_out : int

    Raises
    ------
    AlignmentError
        If there is not a row for each point, or a label and a weight for each unit.
    FitError
        If no unit is complete.
    """
    table = np.array(scores, dtype=np.float64)
    if table.ndim not in (1, 2) or len(table) != n_points:
        msg = (
            f"scores have shape {table.shape} but {points_of} {n_points} points; expected "
            f"({n_points},) or ({n_points}, n_units){hint}."
        )
        raise AlignmentError(msg)
    table = table[:, None] if table.ndim == 1 else table
    units = as_units(table.shape[1], levels, unit_weights)
    complete = np.asarray(np.isfinite(table).all(axis=0))
    n_left_out = int((~complete).sum())
    if not complete.any():
        msg = (
            f"none of the {table.shape[1]} unit(s) has a finite score at all {n_points} points; "
            "nothing is left to fit: leave out the points that are missing everywhere."
        )
        raise FitError(msg)
    if n_left_out:
        msg = (
            f"{n_left_out} of {table.shape[1]} units lack a finite score at some point and are "
            "left out."
        )
        warnings.warn(msg, VoxscaleWarning, stacklevel=3)
    return table[:, complete], units.kept(complete), n_left_out
