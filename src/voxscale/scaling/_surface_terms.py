"""A power of a size in a form that stays exact as its exponent goes to zero."""

from __future__ import annotations

import math

import numpy as np

from voxscale.arrays import Array

__all__ = ["power_term", "power_term_slope", "power_term_slope_change"]

# Below this |exponent · log x| the derivatives come from their series: the closed forms subtract
# numbers that are nearly equal.
_SMALL = 0.5
_ORDERS = np.arange(2, 22)
_SERIES = np.array([(-1.0) ** n * (1 - n) / math.factorial(n) for n in _ORDERS])
_SERIES_SLOPE = _SERIES[1:] * np.arange(1, len(_SERIES))


def power_term(log_x: Array, exponent: Array) -> Array:
    """Compute (1 - x^-exponent) / exponent, whose limit at exponent 0 is log x."""
    product = exponent * log_x
    is_zero = product == 0
    safe = np.where(is_zero, 1.0, product)
    return np.asarray(log_x * np.where(is_zero, 1.0, -np.expm1(-safe) / safe))


def power_term_slope(log_x: Array, exponent: Array) -> Array:
    """Differentiate :func:`power_term` in the exponent."""
    product = exponent * log_x
    is_small = np.abs(product) < _SMALL
    safe = np.where(is_small, 1.0, product)
    closed = ((1 + safe) * np.exp(-safe) - 1) / safe**2
    series = np.polynomial.polynomial.polyval(np.where(is_small, product, 0.0), _SERIES)
    return np.asarray(log_x**2 * np.where(is_small, series, closed))


def power_term_slope_change(log_x: Array, exponent: Array) -> Array:
    """Differentiate :func:`power_term` twice in the exponent."""
    product = exponent * log_x
    is_small = np.abs(product) < _SMALL
    safe = np.where(is_small, 1.0, product)
    closed = (2 - (safe**2 + 2 * safe + 2) * np.exp(-safe)) / safe**3
    series = np.polynomial.polynomial.polyval(np.where(is_small, product, 0.0), _SERIES_SLOPE)
    return np.asarray(log_x**3 * np.where(is_small, series, closed))
