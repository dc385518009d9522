"""Time scaling laws of a whole cortex, with a hierarchical bootstrap, beside a fit for each voxel.

python benchmarks/scaling_laws.py [--quick] [--out FILE]

Scores of 8 sizes of models, in blocks of the stories of 3 subjects, in 20,484 vertices.
scipy's curve_fit does a few vertices, once each, from one start; what the bootstrap would take it
is that time for every vertex and draw.
"""

import argparse
import json
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from _machine import machine_facts
from scipy.optimize import curve_fit

from voxscale.scaling import fit_scaling_law, law_map, slope_map

Array = np.ndarray

N_VERTICES, N_SIZES, N_SUBJECTS, N_STORIES, N_BLOCKS = 20_484, 8, 3, 3, 10
N_BY_SCIPY = 200


def simulate(n_vertices: int) -> tuple[Array, Array, dict[str, Array]]:
    """Draw sizes, scores (n_sizes, n_units, n_vertices) in float32, and levels."""
    rng = np.random.default_rng(0)
    x = np.geomspace(1.25e8, 3e10, N_SIZES)
    n_units = N_SUBJECTS * N_STORIES * N_BLOCKS
    exponents = rng.uniform(0.1, 0.5, n_vertices)
    curves = 0.2 - 0.1 * (x[:, None] / x[0]) ** -exponents
    scores = 0.02 * rng.standard_normal((N_SIZES, n_units, n_vertices), dtype=np.float32)
    scores += curves[:, None].astype(np.float32)
    levels = {
        "subject": np.repeat(np.arange(N_SUBJECTS), n_units // N_SUBJECTS),
        "story": np.tile(np.repeat(np.arange(N_STORIES), N_BLOCKS), N_SUBJECTS),
    }
    return x, scores, levels


def timed(what: Callable[[], Any]) -> tuple[float, Any]:
    """Run something, and tell how long it took."""
    start = time.perf_counter()
    result = what()
    return time.perf_counter() - start, result


def by_scipy(x: Array, means: Array) -> Array:
    """Fit one power law after another: exponents."""

    def law(at: Array, asymptote: float, coefficient: float, exponent: float) -> Array:
        return asymptote - coefficient * (at / x[0]) ** -exponent

    return np.array(
        [
            curve_fit(law, x, one, p0=(one[-1], np.ptp(one), 0.3), maxfev=5000)[0][2]
            for one in means.T
        ]
    )


def measure(n_vertices: int, n_draws: int) -> dict[str, Any]:
    """Time every way."""
    x, scores, levels = simulate(n_vertices)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    seconds: dict[str, float] = {}
    seconds["slope_map"], _ = timed(lambda: slope_map(x, scores, levels=levels))
    seconds["power law, t"], by_t = timed(lambda: law_map(x, scores, levels=levels))
    for kind in ("log-linear", "power"):
        for interval in ("percentile", "bca"):
            name = f"{kind} law, {n_draws} draws, {interval}"
            seconds[name], _ = timed(
                lambda kind=kind, interval=interval: law_map(
                    x, scores, kind=kind, levels=levels, interval=interval, n_bootstrap=n_draws
                )
            )
            print(f"{name}: {seconds[name]:.1f} s", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    seconds["one power law, t"], _ = timed(
        lambda: fit_scaling_law(x, scores[:, :, 0], kind="power", levels=levels).exponent_interval
    )
    some = scores[:, :, :N_BY_SCIPY].astype(float).mean(axis=1)
    seconds[f"scipy, {some.shape[1]} vertices"], theirs = timed(lambda: by_scipy(x, some))
    apart = np.abs(theirs - by_t.exponents[: some.shape[1]])
    each = seconds[f"scipy, {some.shape[1]} vertices"] / some.shape[1]
    return {
        "n_vertices": n_vertices,
        "n_sizes": N_SIZES,
        "n_units": scores.shape[1],
        "n_draws": n_draws,
        "seconds": seconds,
        "gib_before": round(before, 2),
        "gib_at_most": round(peak, 2),
        "scipy_would_take_hours": each * n_vertices * n_draws / 3600,
        "largest_difference_of_exponents": float(apart.max()),
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few vertices, to see that it works")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    result = {
        "machine": machine_facts() | {"taken": time.strftime("%Y-%m-%d")},
        **(measure(500, 100) if asked.quick else measure(N_VERTICES, 1000)),
    }
    print(json.dumps(result, indent=2))
    out = asked.out
    if out is None and not asked.quick:
        out = Path(__file__).parent / "results/scaling_laws.json"
    if out is not None:
        out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
