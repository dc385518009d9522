"""Limits of powers, of ceilings, and of scores against them, for one block of voxels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import special

from voxscale.arrays import Array
from voxscale.evaluate._interval import (
    Spread,
    correlation_of_draws,
    quotient_limits,
    spread,
)
from voxscale.evaluate._moments import Moments

__all__ = ["ceiling_limits", "prediction_limits", "unbiased_root"]

Limits = tuple[Array, Array, Array]  # estimate, low, high
Judge = Callable[[Callable[[Moments], Array]], tuple[Array, Spread]]

# The smallest that 1 + K·SP/NP, or Var(y) as a share of its estimate, may become in a sample.
_SMALLEST = 1e-3
_LARGEST_R = 1 - 1e-12
# Noise power that is rounding alone, as a share of total power.
_NO_NOISE = 1e-14
_ROUNDING = 8 * np.finfo(np.float64).eps


def judge_of(
    whole: Moments, deleted: Moments, groups: Array, n_blocks: int, n_stories: int
) -> Judge:
    """Make a function that takes a statistic to its draws and their spread."""

    def judge(statistic: Callable[[Moments], Array]) -> tuple[Array, Spread]:
        # A sample without variance has no logarithm: its voxel has no limits.
        with np.errstate(invalid="ignore", divide="ignore"):
            draws = statistic(whole)
            return draws, spread(draws, statistic(deleted), groups, n_blocks, n_stories)

    return judge


def ceiling_limits(whole: Moments, judge: Judge, level: float) -> dict[str, Limits]:
    """Return powers and ceilings; arrays of shape (n_voxels,)."""
    signal, total, left = whole.signal[0], whole.total[0], _noise_of_mean(whole)[0]
    noise = whole.noise[0]
    n_effective = noise / left
    found = {
        "total_power": _limits(total, *judge(_log_total), level, np.exp),
        "noise_power": _limits(total - signal, *judge(_log_noise), level, np.exp),
        "signal_power": _limits(
            signal, *judge(_log_signal(left, signal)), level, lambda g: np.exp(g) - left
        ),
    }
    usable = signal > _ROUNDING * total

    def as_ceiling(g: Array) -> Array:
        return np.asarray(np.sqrt(np.maximum(-np.expm1(-2 * g), 0.0)))

    ratio = judge(_half_log_ratio)
    found["cc_max"] = _limits(
        np.where(usable, np.sqrt(np.where(usable, signal, 0.0) / (signal + left)), np.nan),
        *ratio, level, as_ceiling,
    )  # fmt: skip
    single = judge(_half_log_single(n_effective))
    found["signal_to_noise"] = _limits(
        signal / noise, *single, level, lambda g: np.expm1(2 * g) / n_effective
    )
    found["explainable_variance"] = tuple(q / (1 + q) for q in found["signal_to_noise"])
    return found


def prediction_limits(
    whole: Moments, judge: Judge, level: float, found: dict[str, Limits]
) -> dict[str, Limits]:
    """Return scores of a prediction, given the limits of powers and ceilings.

    A prediction without variance has no correlation.
    """
    varies = whole.prediction[0] > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        r_draws, r_spread = judge(_fisher)
        tops = _limits(np.tanh(r_draws[0]), r_draws, r_spread, level, np.tanh)
        r, r_low, r_high = (np.where(varies, values, np.nan) for values in tops)
        ratio_draws = _half_log_ratio(whole)
        ceiling, low, high = found["cc_max"]
        together = correlation_of_draws(r_draws, ratio_draws)
        norm = quotient_limits((r, r_low, r_high), (ceiling, low, high), together)
        gain_draws, gain_spread = judge(_gain)
        gain = _limits(gain_draws[0], gain_draws, gain_spread, level, np.asarray)
        power, low, high = found["signal_power"]
        power = np.where(np.isfinite(ceiling), power, np.nan)
        together = correlation_of_draws(gain_draws, whole.signal)
        explained = quotient_limits(gain, (power, np.maximum(low, 0.0), high), together)
        corrected = np.where(varies & np.isfinite(ceiling), _without_bias(whole), np.nan)
        return {
            "cc_abs": (r, r_low, r_high),
            "cc_norm": (r / ceiling, *norm),
            "spe": (gain[0] / power, *explained),
            "cc_norm_corrected": (corrected, corrected, corrected),
        }


def unbiased_root(value: Array, error: Array) -> tuple[Array, Array]:
    """Estimate 1/sqrt(m), and its slope, from a normal value about m with a known error.

    E exp(-s·x - s²/2) = exp(-s·m) for x normal about m with error 1, and 1/sqrt(m) is the
    integral of exp(-s·m) / sqrt(π·s) over s > 0; so the integral over the left side is an
    unbiased estimate of it, a parabolic cylinder function of x.

    Parameters
    ----------
    value, error : arrays of one shape
        Both above 0.

    Returns
    -------
    root, slope : arrays
        Without bias for m**-0.5 and -0.5 · m**-1.5, as far as value is not below 0.
    """
    x = value / error
    root, slope = _cylinder(0.5, x), -0.5 * _cylinder(1.5, x)
    return root / np.sqrt(error), slope / error**1.5


def _cylinder(order: float, x: Array) -> Array:
    """Compute exp(x²/4) · D_{-order}(x), which is near x**-order where x is large."""
    large = x > 30
    near, far = np.where(large, 1.0, x), np.where(large, x, 30.0)
    small = np.exp(near**2 / 4) * special.pbdv(-order, near)[0]
    second = order * (order + 1) / 2 / far**2
    fourth = second * (order + 2) * (order + 3) / 4 / far**2
    return np.asarray(np.where(large, far**-order * (1 - second + fourth), small))


def _without_bias(whole: Moments) -> Array:
    """Divide the covariance with a prediction by the root of signal power, without bias."""
    size = np.where(whole.prediction > 0, whole.prediction, np.nan)
    slopes, powers = whole.product / size, whole.signal / size
    apart = powers[1:] - powers[1:].mean(axis=0)
    error = np.sqrt((apart**2).sum(axis=0) / (len(apart) - 1))
    together = (apart * slopes[1:]).sum(axis=0) / (len(apart) - 1)
    usable = (powers[0] > 0) & (error > 0)
    power, error = (np.where(usable, values, 1.0) for values in (powers[0], error))
    root, slope = unbiased_root(power, error)
    exact = np.where(powers[0] > 0, slopes[0] / np.sqrt(np.abs(powers[0])), np.nan)
    return np.where(usable, slopes[0] * root - together * slope, exact)


def _limits(
    estimate: Array, draws: Array, error: Spread, level: float, back: Callable[[Array], Array]
) -> Limits:
    reach = error.reach(level)
    return estimate, back(draws[0] - reach), back(draws[0] + reach)


def _noise_of_mean(moments: Moments) -> Array:
    return np.asarray(np.maximum(moments.noise_of_mean, _NO_NOISE * moments.total))


def _log_total(moments: Moments) -> Array:
    return np.asarray(np.log(moments.total))


def _log_noise(moments: Moments) -> Array:
    return np.asarray(np.log(moments.noise))


def _log_signal(left: Array, signal: Array) -> Callable[[Moments], Array]:
    """Logarithm of SP plus the noise that the mean has left, as it was estimated."""
    least = _SMALLEST * np.maximum(signal + left, left)

    def statistic(moments: Moments) -> Array:
        return np.asarray(np.log(np.maximum(moments.signal + left, least)))

    return statistic


def _half_log_ratio(moments: Moments) -> Array:
    ratio = 1 + moments.signal / _noise_of_mean(moments)
    return np.asarray(0.5 * np.log(np.maximum(ratio, _SMALLEST)))


def _half_log_single(n_effective: Array) -> Callable[[Moments], Array]:
    def statistic(moments: Moments) -> Array:
        ratio = 1 + n_effective * moments.signal / moments.noise
        return np.asarray(0.5 * np.log(np.maximum(ratio, _SMALLEST)))

    return statistic


def _fisher(moments: Moments) -> Array:
    variance = np.maximum(moments.variance_of_mean, _NO_NOISE * moments.total)
    r = moments.product / np.sqrt(variance * moments.prediction)
    return np.asarray(np.arctanh(np.clip(r, -_LARGEST_R, _LARGEST_R)))


def _gain(moments: Moments) -> Array:
    """Var(y) - Var(y - prediction)."""
    return np.asarray(2 * moments.product - moments.prediction)
