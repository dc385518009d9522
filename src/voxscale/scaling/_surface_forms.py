"""The forms of a surface: what it is at its parameters, and how these follow from scores.

Parameters are those of a form that is well conditioned: a constant, then a factor for each term,
then (in power surfaces) an exponent for each axis. Logarithms are natural, about the means of
those of the fitted points.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import combinations
from typing import NamedTuple

import numpy as np

from voxscale.arrays import Array
from voxscale.errors import FitError
from voxscale.scaling._surface_projection import LARGEST_EXPONENT, fit_exponents, polish, project
from voxscale.scaling._surface_terms import (
    power_term,
    power_term_slope,
    power_term_slope_change,
)

__all__ = ["FORMS", "Form"]


class Sensitivity(NamedTuple):
    """How the parameters answer to the fitted scores."""

    gain: Array  # (n_parameters, n_points): derivative of each parameter in each score
    n_free: int  # parameters that were free to move


class Form(ABC):
    """One kind of surface."""

    has_exponents = False
    n_sizes = 2  # different sizes that an axis needs

    @abstractmethod
    def n_parameters(self, n_axes: int) -> int:
        """Count the parameters."""

    @abstractmethod
    def fit(self, log_x: Array, scores: Array) -> Array:
        """Fit (n_points,) scores: (n_parameters,)."""

    @abstractmethod
    def refit(self, log_x: Array, scores: Array, start: Array) -> Array:
        """Fit each row of (n_fits, n_points) from a start: (n_fits, n_parameters)."""

    @abstractmethod
    def curve(self, parameters: Array, log_x: Array) -> Array:
        """Evaluate at (..., n_axes); leading axes of the parameters broadcast with those."""

    @abstractmethod
    def solve(self, parameters: Array, log_x: Array, axis: int, target: Array | float) -> Array:
        """Find where along an axis the target lies; infinite out of reach, NaN on a flat axis."""

    @abstractmethod
    def sensitivity(self, log_x: Array, scores: Array, parameters: Array) -> Sensitivity:
        """Differentiate the fit."""

    @abstractmethod
    def free_gain(self, log_x: Array, parameters: Array) -> Array:
        """Solve for a step of all parameters, bounds or not: (n_parameters, n_points)."""


class Linear(Form):
    """A plane over the logarithms, with the products of pairs of axes or without."""

    def __init__(self, *, has_products: bool) -> None:
        self.has_products = has_products

    def _basis(self, log_x: Array) -> Array:
        columns = [np.ones(log_x.shape[:-1]), *np.moveaxis(log_x, -1, 0)]
        if self.has_products:
            pairs = combinations(range(log_x.shape[-1]), 2)
            columns += [log_x[..., i] * log_x[..., j] for i, j in pairs]
        return np.stack(columns, axis=-1)

    def n_parameters(self, n_axes: int) -> int:
        return 1 + n_axes + (n_axes * (n_axes - 1) // 2 if self.has_products else 0)

    def fit(self, log_x: Array, scores: Array) -> Array:
        basis = self._basis(log_x)
        if np.linalg.matrix_rank(basis, rtol=1e-9) < basis.shape[1]:
            msg = (
                "the products of axes do not vary by themselves at these points; an interaction "
                "needs points that differ on both axes at once: add corners of the grid."
            )
            raise FitError(msg)
        # From the first point on, so that equal scores have slopes of exactly 0.
        found = np.linalg.lstsq(basis, scores - scores[0])[0]
        found[0] += scores[0]
        return np.asarray(found)

    def refit(self, log_x: Array, scores: Array, start: Array) -> Array:
        return np.asarray(scores @ np.linalg.pinv(self._basis(log_x)).T)

    def curve(self, parameters: Array, log_x: Array) -> Array:
        return np.asarray((self._basis(log_x) * parameters).sum(axis=-1))

    def solve(self, parameters: Array, log_x: Array, axis: int, target: Array | float) -> Array:
        at_0, at_1 = np.array(log_x), np.array(log_x)
        at_0[..., axis], at_1[..., axis] = 0.0, 1.0
        rest = target - self.curve(parameters, at_0)
        slope = self.curve(parameters, at_1) - self.curve(parameters, at_0)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.where(slope == 0, np.nan, rest / slope))

    def sensitivity(self, log_x: Array, scores: Array, parameters: Array) -> Sensitivity:
        return Sensitivity(self.free_gain(log_x, parameters), len(parameters))

    def free_gain(self, log_x: Array, parameters: Array) -> Array:
        return np.asarray(np.linalg.pinv(self._basis(log_x)))


class AdditivePower(Form):
    """A constant less a power of each axis."""

    has_exponents = True
    n_sizes = 4

    def n_parameters(self, n_axes: int) -> int:
        return 1 + 2 * n_axes

    def fit(self, log_x: Array, scores: Array) -> Array:
        exponents = fit_exponents(log_x, scores - scores.mean())
        return np.asarray(self._with_linear(log_x, scores[None], exponents[None])[0])

    def refit(self, log_x: Array, scores: Array, start: Array) -> Array:
        exponents = np.tile(start[1 + log_x.shape[1] :], (len(scores), 1))
        return self._with_linear(log_x, scores, polish(log_x, scores, exponents))

    def _with_linear(self, log_x: Array, scores: Array, exponents: Array) -> Array:
        return np.concatenate([project(log_x, scores, exponents).linear, exponents], axis=1)

    def curve(self, parameters: Array, log_x: Array) -> Array:
        n_axes = log_x.shape[-1]
        factors, exponents = parameters[..., 1 : 1 + n_axes], parameters[..., 1 + n_axes :]
        return np.asarray(
            parameters[..., 0] + (factors * power_term(log_x, exponents)).sum(axis=-1)
        )

    def solve(self, parameters: Array, log_x: Array, axis: int, target: Array | float) -> Array:
        n_axes = log_x.shape[-1]
        at_0 = np.array(log_x)
        at_0[..., axis] = 0.0
        factor, exponent = parameters[..., 1 + axis], parameters[..., 1 + n_axes + axis]
        with np.errstate(divide="ignore", invalid="ignore"):
            term = (target - self.curve(parameters, at_0)) / factor
            left = exponent * term  # 1 - x^-exponent
            power = -np.log1p(-np.minimum(left, 1.0)) / exponent  # infinite from 1 on
            found = np.where(exponent > 0, power, term)
        return np.asarray(np.where(factor == 0, np.nan, found))

    def sensitivity(self, log_x: Array, scores: Array, parameters: Array) -> Sensitivity:
        """By the implicit function theorem, second derivatives of the surface included."""
        n_points, n_axes = log_x.shape
        factors, exponents = parameters[1 : 1 + n_axes], parameters[1 + n_axes :]
        slope = power_term_slope(log_x, exponents)
        first = self._tangent(log_x, parameters)
        residual = scores - self.curve(parameters, log_x)
        square = first.T @ first
        for axis in range(n_axes):
            factor, exponent = 1 + axis, 1 + n_axes + axis
            change = residual @ slope[:, axis]
            square[factor, exponent] -= change
            square[exponent, factor] -= change
            bend = power_term_slope_change(log_x[:, axis], exponents[axis])
            square[exponent, exponent] -= factors[axis] * (residual @ bend)
        is_free = np.ones(len(parameters), dtype=bool)
        is_free[1 + n_axes :] = (exponents > 0) & (exponents < LARGEST_EXPONENT)
        gain = np.zeros((len(parameters), n_points))
        scale = np.sqrt(np.diagonal(first.T @ first))[is_free]
        scale = np.where(scale > 0, scale, 1.0)
        scaled = square[np.ix_(is_free, is_free)] / np.outer(scale, scale)
        gain[is_free] = np.linalg.pinv(scaled, rcond=1e-14) @ (first[:, is_free] / scale).T
        gain[is_free] /= scale[:, None]
        return Sensitivity(gain, int(is_free.sum()))

    def free_gain(self, log_x: Array, parameters: Array) -> Array:
        first = self._tangent(log_x, parameters)
        scale = np.sqrt((first**2).sum(axis=0))
        scale = np.where(scale > 0, scale, 1.0)
        return np.asarray(np.linalg.pinv(first / scale, rcond=1e-12) / scale[:, None])

    def _tangent(self, log_x: Array, parameters: Array) -> Array:
        n_points, n_axes = log_x.shape
        factors, exponents = parameters[1 : 1 + n_axes], parameters[1 + n_axes :]
        slope = power_term_slope(log_x, exponents)
        return np.concatenate(
            [np.ones((n_points, 1)), power_term(log_x, exponents), factors * slope], axis=1
        )


# A row per kind of surface.
FORMS: dict[str, Form] = {
    "additive-power": AdditivePower(),
    "log-linear": Linear(has_products=False),
    "log-linear-interaction": Linear(has_products=True),
}
