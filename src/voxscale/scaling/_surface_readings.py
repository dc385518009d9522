"""What is reported of a surface, from parameters of its well-conditioned form.

Each function takes parameters (..., n_parameters) and gives (...,): the estimate, or every draw.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np

from voxscale.arrays import Array
from voxscale.scaling._surface_forms import FORMS

__all__ = ["OfAxis", "OfParameters", "Reading"]

OfParameters: TypeAlias = Callable[[Array], Array]
OfAxis: TypeAlias = Callable[[Array, int], Array]

_LN10 = float(np.log(10.0))


class Reading(NamedTuple):
    """How to read parameters: of which kind, about which logarithms of sizes."""

    kind: str
    log_center: Array

    def exponent(self, parameters: Array, axis: int) -> Array:
        """Exponent of an axis."""
        return np.asarray(parameters[..., 1 + len(self.log_center) + axis])

    def left_to_gain(self, parameters: Array, axis: int) -> Array:
        """Coefficient at the center: what the axis has left to give there; endless at 0."""
        exponent, factor = self.exponent(parameters, axis), parameters[..., 1 + axis]
        is_bent = exponent > 0
        endless = np.where(factor == 0, 0.0, np.copysign(np.inf, factor))
        return np.asarray(np.where(is_bent, factor / np.where(is_bent, exponent, 1.0), endless))

    def coefficient(self, parameters: Array, axis: int) -> Array:
        """Coefficient of an axis in its own unit."""
        moved = np.exp(self.exponent(parameters, axis) * self.log_center[axis])
        return np.asarray(self.left_to_gain(parameters, axis) * moved)

    def log_coefficient(self, parameters: Array, axis: int) -> Array:
        """Logarithm of its size; NaN where it is 0."""
        size = np.abs(self.coefficient(parameters, axis))
        return np.asarray(np.log(np.where(size > 0, size, np.nan)))

    def asymptote(self, parameters: Array) -> Array:
        """Score without end on any axis; NaN without one, and where ends of axes are opposite."""
        total = np.array(parameters[..., 0])
        if not FORMS[self.kind].has_exponents:
            return np.full_like(total, np.nan)
        for axis in range(len(self.log_center)):
            with np.errstate(invalid="ignore"):
                total = total + self.left_to_gain(parameters, axis)
        return total

    def slope(self, parameters: Array, axis: int) -> Array:
        """Tangent at the center, per decade: there, the slope of every term is 1."""
        return np.asarray(parameters[..., 1 + axis] * _LN10)

    def interaction(self, parameters: Array) -> Array:
        """Change of one slope with a decade of the other axis."""
        if self.kind != "log-linear-interaction":
            return np.full(parameters.shape[:-1], np.nan)
        return np.asarray(parameters[..., 3] * _LN10**2)
