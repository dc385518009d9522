"""How sure a law is of whatever is computed from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from voxscale.arrays import Array
from voxscale.scaling._bootstrap import (
    bca_interval,
    drawn_shares,
    jackknife_shares,
    percentile_interval,
)
from voxscale.scaling._contrasts import accepted_thetas, influence, t_test
from voxscale.scaling._form import Form
from voxscale.scaling._units import Members, Units
from voxscale.scaling._varpro import fit_curves

__all__ = ["METHODS", "Evidence", "Quantity"]

METHODS = ("t", "percentile", "bca")

# From parameters (n_parameters, n) to one number, or several, of each: (..., n).
Quantity = Callable[[Array], Array]


@dataclass(frozen=True, eq=False)
class Evidence:
    """A law's parameters, and the curves of the members that it stands on.

    Parameters
    ----------
    form : Form
    x : array of shape (n_points,)
    scores : array of shape (n_points, n_units)
    units : Units
    members : Members
    parameters : array of shape (n_parameters,)
    method : {"t", "percentile", "bca"}
    level : float
    n_draws : int
    seed : int
    crossed : bool
    """

    form: Form
    x: Array
    scores: Array
    units: Units
    members: Members
    parameters: Array
    method: str
    level: float
    n_draws: int
    seed: int
    crossed: bool

    @cached_property
    def curves(self) -> Array:
        """Mean curve of each member, of shape (n_points, n_members)."""
        return np.asarray(self.scores @ self.members.shares.T)

    @cached_property
    def draws(self) -> Array:
        """Parameters of each draw, of shape (n_parameters, n_draws); no draw of a single unit."""
        n_units = self.scores.shape[1]
        if n_units == 1:
            return np.empty((len(self.parameters), 0))
        return self._fits(drawn_shares(self.units, self.n_draws, self.seed, crossed=self.crossed))

    @cached_property
    def left_out(self) -> Array:
        """Parameters without each member, of shape (n_parameters, n_members)."""
        return self._fits(jackknife_shares(self.units, self.members.shares))

    def _fits(self, shares: Array) -> Array:
        form = self.form
        return fit_curves(form.kind, form.v(self.x), self.scores @ shares.T, form.offset).parameters

    @cached_property
    def influence(self) -> Array:
        """What each member moves the parameters by, of shape (n_parameters, n_members)."""
        form = self.form
        return influence(
            form.kind,
            form.v(self.x),
            self.parameters,
            self.curves,
            self.members.weights,
            form.offset,
        )

    def point(self, quantity: Quantity) -> Array:
        """Compute a quantity of the law."""
        return np.asarray(quantity(self.parameters[:, None])[..., 0])[()]

    def member_values(self, quantity: Quantity, *, is_log: bool = False) -> Array:
        """Compute what each member's curve says of a quantity, to first order: (n_members, ...)."""
        centre = self.parameters[:, None]
        size = np.abs(self.parameters)
        # A sum must not lose the step of a small term; a logarithm must not cross 0.
        steps = 1e-6 * size if is_log else 1e-4 * np.maximum(size, np.abs(self.curves).max())
        steps = np.where(steps > 0, steps, 1e-12)
        if self.form.kind.theta:
            reach = float(self.form.v(self.x).max())
            steps[-1] = 1e-5 * max(float(self.parameters[-1]), 1 / reach)
        with np.errstate(invalid="ignore"):
            rise = quantity(centre + np.diag(steps)) - quantity(centre - np.diag(steps))
            moved = (rise / (2 * steps)) @ self.influence
            return np.asarray(np.moveaxis(quantity(centre) + moved, -1, 0))

    def interval(self, quantity: Quantity, *, by_t: str = "plain") -> tuple[Array, Array]:
        """Compute the interval of a quantity.

        Parameters
        ----------
        quantity : function
        by_t : {"plain", "logarithm"}
            What Student's t is taken of.

        Returns
        -------
        low, high : arrays of the shape of one quantity
            NaN where there is nothing to tell it from.
        """
        if self.method == "t":
            return self._t_interval(quantity, is_log=by_t == "logarithm")
        draws = quantity(self.draws)
        if self.method == "percentile":
            return percentile_interval(draws, self.level)
        return bca_interval(draws, self.point(quantity), quantity(self.left_out), self.level)

    def _t_interval(self, quantity: Quantity, *, is_log: bool) -> tuple[Array, Array]:
        if not is_log:
            values = self.member_values(quantity)
            return t_test(values, self.members.weights).interval(self.level)
        sign = np.asarray(np.sign(self.point(quantity)))
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            values = self.member_values(
                lambda parameters: np.log(sign[..., None] * quantity(parameters)), is_log=True
            )
            ends = t_test(values, self.members.weights).interval(self.level)
            low, high = (sign * np.exp(end) for end in ends)
        return np.minimum(low, high), np.maximum(low, high)

    def theta_interval(self, quantity: Quantity) -> tuple[float, float]:
        """Compute the interval of theta: of the law's, by testing every candidate."""
        if self.method != "t":
            low, high = self.interval(quantity)
            return float(low), float(high)
        form = self.form
        curves = (self.curves - form.offset).T[:, :, None]
        ends = accepted_thetas(
            form.kind,
            form.v(self.x),
            curves,
            self.members.weights,
            self.parameters[-1:],
            self.level,
        )
        return float(ends[0][0]), float(ends[1][0])
