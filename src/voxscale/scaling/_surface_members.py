"""The scores that a surface is fitted to, and who would be drawn anew."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.errors import AlignmentError, FitError, VoxscaleWarning
from voxscale.scaling._bootstrap import drawn_shares
from voxscale.scaling._units import Members, Units, as_units

__all__ = ["Measured", "complete_units"]


class Measured(NamedTuple):
    """Units with a score at every point."""

    scores: Array  # (n_points, n_units)
    units: Units
    members: Members
    n_left_out: int

    @property
    def curves(self) -> Array:
        """Mean over the units of each member, (n_points, n_members)."""
        return np.asarray(self.scores @ self.members.shares.T)

    @property
    def mean(self) -> Array:
        """Mean score at each point, (n_points,)."""
        return np.asarray(self.curves @ self.members.weights)

    def draws(self, n_draws: int, seed: int | np.random.Generator) -> Array:
        """Average over units of which every level was drawn anew, (n_draws, n_points)."""
        return np.asarray(drawn_shares(self.units, n_draws, seed) @ self.scores.T)


def complete_units(
    scores: ArrayLike,
    n_points: int,
    levels: Mapping[str, ArrayLike] | None,
    unit_weights: ArrayLike | None,
) -> Measured:
    """Keep the units that have a score at every point, and count the others.

    Parameters
    ----------
    scores : array of shape (n_points,) or (n_points, n_units)
    n_points : int
    levels, unit_weights
        As in :func:`voxscale.scaling.fit_scaling_law`.

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
            f"scores have shape {table.shape} but the axes have {n_points} points; expected "
            f"({n_points},) or ({n_points}, n_units)."
        )
        raise AlignmentError(msg)
    table = table[:, None] if table.ndim == 1 else table
    units = as_units(table.shape[1], levels, unit_weights)
    is_complete = np.asarray(np.isfinite(table).all(axis=0))
    n_left_out = int((~is_complete).sum())
    if not is_complete.any():
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
    kept = units.kept(is_complete)
    return Measured(table[:, is_complete], kept, kept.members(), n_left_out)
