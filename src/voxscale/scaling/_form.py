"""What the parameters of a law mean, in the unit of x."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from voxscale.arrays import Array
from voxscale.scaling._kinds import Kind, curve, slope

__all__ = ["Form"]


@dataclass(frozen=True, eq=False)
class Form:
    """A kind of law with what it is measured from; parameters have shape (n_parameters, ...).

    Parameters
    ----------
    kind : Kind
    smallest : float
        The smallest x that was fitted.
    offset : number or array
        The ceiling of a saturating law; else 0.
    """

    kind: Kind
    smallest: float
    offset: Array | float = 0.0

    def v(self, x: Array) -> Array:
        """Return ln(x / smallest)."""
        return np.asarray(np.log(x) - np.log(self.smallest))

    def predict(self, parameters: Array, x: Array) -> Array:
        """Evaluate the law; x broadcasts against what follows the first axis of parameters."""
        return curve(self.kind, parameters, self.v(x), self.offset)

    def slope(self, parameters: Array, x: Array) -> Array:
        """Compute the gain per decade at x."""
        return slope(self.kind, parameters, self.v(x))

    def exponent(self, parameters: Array) -> Array:
        """Return the exponent; NaN in a law without one."""
        return self._theta(parameters, "exponent")

    def break_x(self, parameters: Array) -> Array:
        """Return the x of the break; NaN in a law without one."""
        with np.errstate(over="ignore"):
            return np.asarray(self.smallest * np.exp(self._theta(parameters, "break")))

    def _theta(self, parameters: Array, name: str) -> Array:
        if self.kind.theta == name:
            return np.asarray(parameters[self.kind.n_base + 1])
        return np.full(parameters.shape[1:], np.nan)

    def asymptote(self, parameters: Array) -> Array:
        """Compute what the score tends to: endless where the exponent is 0."""
        if self.kind.name == "saturating":
            return np.asarray(self.offset + 0.0 * parameters[0])
        if self.kind.name != "power":
            return np.full(parameters.shape[1:], np.nan)
        start, coefficient, exponent = parameters
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.where(coefficient == 0, start, start + coefficient / exponent))

    def coefficient(self, parameters: Array) -> Array:
        """Compute the factor of x^(-exponent): endless where the exponent is 0."""
        exponent = self.exponent(parameters)
        own = parameters[self.kind.n_base]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            if self.kind.name == "power":
                own = np.where(own == 0, 0.0, own / exponent)
            return np.asarray(own * self.smallest**exponent)

    def side(self, parameters: Array, *, after: bool) -> Array:
        """Compute the slope per decade before or after the break; NaN without one."""
        if self.kind.theta != "break":
            return np.full(parameters.shape[1:], np.nan)
        per_v = parameters[1] + parameters[2] if after else parameters[1]
        return np.asarray(np.log(10) * per_v)

    def x_of(self, parameters: Array, score: Array | float) -> Array:
        """Find the x at which the law has a score: inf where no x is enough, NaN where flat."""
        with np.errstate(all="ignore"):
            return np.asarray(self.smallest * np.exp(self._v_of(parameters, score)))

    def _v_of(self, parameters: Array, score: Array | float) -> Array:
        if self.kind.theta == "break":
            return _crossing(parameters, score)
        start = parameters[0] if self.kind.n_base else 0.0
        factor = parameters[self.kind.n_base]
        if self.kind.theta is None:
            return np.asarray(np.where(factor == 0, np.nan, (score - start) / factor))
        exponent = self.exponent(parameters)
        if self.kind.name == "power":
            left = -exponent * (score - start) / factor
            v = np.where(exponent == 0, (score - start) / factor, -np.log1p(left) / exponent)
            never = left <= -1
        else:
            left = (self.offset - score) / factor
            v, never = -np.log(left) / exponent, left <= 0
        # A flat law has its one score everywhere, or nowhere.
        is_flat = (factor == 0) | ((exponent == 0) & (self.kind.name == "saturating"))
        return np.asarray(np.where(is_flat, np.nan, np.where(never, np.inf, v)))


def _crossing(parameters: Array, score: Array | float) -> Array:
    """Find where a broken line has a score, first before its break and then after it."""
    start, before, change, at = parameters
    early = (score - start) / before
    late = at + (score - start - before * at) / (before + change)
    found = np.where(late >= at, late, np.inf)
    return np.asarray(np.where((early <= at) & np.isfinite(early), early, found))
