"""Measure how often intervals of noise ceilings hold the truth, and how biased CC_norm is.

python benchmarks/ceilings.py [--quick] [--out FILE]

Truth is planted. A voxel is a simulation of its own: signal and noise are drawn anew, both
autocorrelated as BOLD is at a TR of 2 s. Coverage is judged against the powers that they were
drawn with, not against those that they happened to have.
"""

import argparse
import json
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _machine import machine_facts
from scipy.signal import lfilter

from voxscale.errors import VoxscaleWarning
from voxscale.evaluate import (
    CeilingIntervals,
    ceiling_intervals,
    leave_one_out,
    noise_ceiling,
    split_half,
)

Array = np.ndarray

CEILINGS = (0.35, 0.5, 0.7, 0.9)
MODEL_R = 0.7  # the correlation of the model with the true signal
N_TRS = 280
NOISE_AR = 0.4


@dataclass(frozen=True)
class Planted:
    """Repeats with known powers; a prediction of known quality; one voxel per simulation."""

    trials: Array
    signal: Array
    guess: Array
    signal_power: float
    noise_power: Any

    def truths(self) -> dict[str, float]:
        """Return what each interval should hold."""
        signal, noise, n = self.signal_power, self.noise_power, len(self.trials)
        single = signal / (signal + noise)
        half = n // 2
        ceiling = np.sqrt(signal / (signal + noise / n))
        return {
            "total_power": signal + noise,
            "signal_power": signal,
            "noise_power": noise,
            "explainable_variance": single,
            "cc_max": ceiling,
            "cc_max with 20 repeats": np.sqrt(signal / (signal + noise / 20)),
            "cc_abs": MODEL_R * ceiling,
            "cc_norm": MODEL_R,
            # The prediction has the variance of the signal.
            "spe": 2 * MODEL_R - 1,
            "split-half correlation": signal / (signal + noise / half),
            "split-half reliability": ceiling**2,
            "leave-one-out": single * np.sqrt((n - 1) / (1 + (n - 2) * single)),
            "leave-one-out of infinitely many": np.sqrt(single),
        }


def smooth(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Draw series as smooth as a hemodynamic response, of variance 1, time on axis -2."""
    at = np.arange(0.0, 24.0, 2.0)
    kernel = at**5 * np.exp(-at) / 120 - at**15 * np.exp(-at) / 1.307674368e12 / 6
    kernel /= np.sqrt((kernel**2).sum())
    *lead, n_trs, n_voxels = shape
    white = rng.standard_normal((*lead, n_trs + len(kernel), n_voxels))
    return lfilter(kernel, 1.0, white, axis=-2)[..., len(kernel) :, :]


def autoregressive(rng: np.random.Generator, shape: tuple[int, ...], rho: float) -> Array:
    """Draw series of variance 1 whose correlation from TR to TR is ``rho``."""
    *lead, n_trs, n_voxels = shape
    white = rng.standard_normal((*lead, n_trs + 60, n_voxels))
    series = lfilter([np.sqrt(1 - rho**2)], [1.0, -rho], white, axis=-2)
    return series[..., 60:, :]


def plant(
    rng: np.random.Generator, n_repeats: int, ceiling: float | Array, n_voxels: int,
    n_trs: int = N_TRS, unlike: float = 0.0,
) -> Planted:  # fmt: skip
    """Draw repeats whose mean response has this ceiling; noise powers may differ by repeat."""
    noise_power = n_repeats * (1 / ceiling**2 - 1)
    signal = smooth(rng, (n_trs, n_voxels))
    noise = autoregressive(rng, (n_repeats, n_trs, n_voxels), NOISE_AR)
    if unlike:
        # A log-normal power for each repeat of each simulation, 1 on average.
        logs = unlike * rng.standard_normal((n_repeats, 1, n_voxels)) - unlike**2 / 2
        noise *= np.exp(logs / 2)
    guess = MODEL_R * signal + np.sqrt(1 - MODEL_R**2) * smooth(rng, signal.shape)
    return Planted(signal + np.sqrt(noise_power) * noise, signal, guess, 1.0, noise_power)


def intervals_of(planted: Planted, n_bootstraps: int) -> Iterator[tuple[str, Any]]:
    """Yield every interval by its name in ``truths``."""
    options = {"n_bootstraps": n_bootstraps}
    found = ceiling_intervals(planted.trials, planted.guess, **options)
    for name in ("total_power", "signal_power", "noise_power", "explainable_variance", "cc_max",
                 "cc_abs", "cc_norm", "spe"):  # fmt: skip
        yield name, getattr(found, name)
    yield "cc_max with 20 repeats", found.cc_max_with(20)
    half = split_half(planted.trials, **options)
    yield "split-half correlation", half.correlation
    yield "split-half reliability", half.reliability
    one_out = leave_one_out(planted.trials, **options)
    yield "leave-one-out", one_out.correlation
    yield "leave-one-out of infinitely many", one_out.with_number(np.inf)


def coverage(planted: Planted, n_bootstraps: int) -> dict[str, Any]:
    """Count how often each interval holds the truth, among voxels that have one."""
    truths = planted.truths()
    found = {}
    for name, interval in intervals_of(planted, n_bootstraps):
        held = (interval.low <= truths[name]) & (truths[name] <= interval.high)
        defined = ~np.isnan(interval.low)
        shares = {
            "coverage": held[defined],
            "too_low": interval.high[defined] < truths[name],
            "too_high": interval.low[defined] > truths[name],
            "has_estimate": interval.is_defined,
        }
        found[name] = {what: round(float(share.mean()), 4) for what, share in shares.items()}
    return found


def by_resampled_repeats(planted: Planted, rng: np.random.Generator, n_bootstraps: int) -> float:
    """Coverage of signal power if repeats, too, are drawn with replacement (percentiles)."""
    n_repeats, n_trs, n_voxels = planted.trials.shape
    length = round(np.sqrt(n_trs))
    powers = np.empty((n_bootstraps, n_voxels))
    for number in range(n_bootstraps):
        starts = rng.integers(0, n_trs, size=-(-n_trs // length))
        rows = ((starts[:, None] + np.arange(length)) % n_trs).ravel()[:n_trs]
        repeats = rng.integers(0, n_repeats, size=n_repeats)
        powers[number] = noise_ceiling(planted.trials[repeats][:, rows]).signal_power
    low, high = np.quantile(powers, [0.025, 0.975], axis=0)
    return float(((low <= planted.signal_power) & (planted.signal_power <= high)).mean())


def bias(
    rng: np.random.Generator, n_repeats: int, n_trs: int, n_voxels: int, n_bootstraps: int
) -> list[dict[str, Any]]:
    """Mean CC_norm of the true model by true ceiling, as it is and corrected."""
    rows = []
    for ceiling in (*CEILINGS, None):
        # The last row has voxels of all ceilings between 0.35 and 0.95.
        of_voxels = rng.uniform(0.35, 0.95, n_voxels) if ceiling is None else ceiling
        planted = plant(rng, n_repeats, of_voxels, n_voxels, n_trs)
        found: CeilingIntervals = ceiling_intervals(
            planted.trials, planted.signal, n_bootstraps=n_bootstraps
        )
        assert found.cc_norm is not None
        masked = found.cc_max.estimate > 0.35
        row: dict[str, Any] = {
            "n_repeats": n_repeats,
            "n_trs": n_trs,
            "cc_max": ceiling or "uniform, 0.35 to 0.95",
            "defined": float(found.cc_max.is_defined.mean()),
            "found_above_0.35": float(masked.mean()),
        }
        for name, values in (
            ("plain", found.cc_norm.estimate),
            ("corrected", found.cc_norm_corrected),
        ):
            row[f"{name}_bias"] = float(np.nanmean(values) - 1)
            row[f"{name}_median_bias"] = float(np.nanmedian(values) - 1)
            row[f"{name}_bias_where_found_above_0.35"] = float(values[masked].mean() - 1)
        row["standard_error"] = float(
            np.nanstd(found.cc_norm.estimate) / np.sqrt(found.cc_max.is_defined.sum())
        )
        rows.append(row)
    return rows


def timed(run: Callable[[], Any]) -> tuple[Any, float]:
    """Return the answer and the seconds that it took."""
    started = time.perf_counter()
    return run(), time.perf_counter() - started


def main() -> None:
    """Measure, print and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few simulations, to see it works")
    parser.add_argument("--out", type=Path, default=None)
    asked = parser.parse_args()
    n_voxels, n_bootstraps = (60, 40) if asked.quick else (2000, 400)
    rng = np.random.default_rng(20231209)
    found: dict[str, Any] = {"machine": machine_facts(), "n_simulations": n_voxels}
    found["settings"] = {"n_trs": N_TRS, "model_r": MODEL_R, "noise_ar": NOISE_AR, "level": 0.95}
    warnings.simplefilter("ignore", VoxscaleWarning)  # voxels without signal power are counted
    found["coverage"], found["repeats that differ"] = [], []
    for n_repeats in (3, 5, 10):
        for ceiling in CEILINGS:
            facts = {"n_repeats": n_repeats, "cc_max": ceiling}
            planted = plant(rng, n_repeats, ceiling, n_voxels)
            row = facts | coverage(planted, n_bootstraps)
            few = planted_part(planted, min(500, n_voxels))
            row["signal_power, repeats drawn with replacement"] = by_resampled_repeats(
                few, rng, n_bootstraps
            )
            found["coverage"].append(row)
            unlike = plant(rng, n_repeats, ceiling, n_voxels, unlike=0.7)
            found["repeats that differ"].append(facts | coverage(unlike, n_bootstraps))
    found["bias of cc_norm"] = [
        row
        for n_trs in (N_TRS, 790)
        for n_repeats in (3, 5, 10)
        for row in bias(rng, n_repeats, n_trs, n_voxels, n_bootstraps)
    ]
    large = plant(rng, 10, 0.7, 20 if asked.quick else 2000, 790)
    _, seconds = timed(lambda: ceiling_intervals(large.trials, large.guess))
    found["seconds, 10 repeats of 790 TRs"] = {"n_voxels": large.signal.shape[1], "s": seconds}
    print(json.dumps(found, indent=1))
    out = asked.out or (None if asked.quick else Path("benchmarks/results/ceilings.json"))
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(found, indent=1) + "\n")


def planted_part(planted: Planted, n_voxels: int) -> Planted:
    """Keep some of the simulations."""
    return Planted(
        planted.trials[:, :, :n_voxels], planted.signal[:, :n_voxels],
        planted.guess[:, :n_voxels], planted.signal_power, planted.noise_power,
    )  # fmt: skip


if __name__ == "__main__":
    main()
