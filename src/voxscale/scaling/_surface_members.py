"""The scores that a surface is fitted to, and who would be drawn anew."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from voxscale.arrays import Array
from voxscale.scaling._bootstrap import drawn_shares
from voxscale.scaling._units import Members, Units

__all__ = ["Measured"]


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
