"""Measure how often the intervals of a surface hold the surface that was planted.

python benchmarks/surface_coverage.py [--repeats 1000] [--out FILE]

One surface is the published one of losses over parameters and tokens (Hoffmann et al. 2022), with
noise on each point and unit. The other is of correlations over parameters and hours, of subjects
who differ: each has an asymptote, coefficients and hence slopes of its own, and four stories. The
planted values are those of the mean of subjects. The figures on the page on surfaces are the ones
that this prints.
"""

import argparse
import json
import math
import time
import warnings
from pathlib import Path

import numpy as np
from _machine import machine_facts

from voxscale.errors import VoxscaleWarning
from voxscale.scaling import ScalingSurface, fit_scaling_surface

RESULT = Path(__file__).parent / "results" / "surface_coverage.json"
NOISE = 0.03  # of a unit at a point; the losses go from 1.96 to 4.61
TRUTH = (1.69, -406.4, -410.7, 0.34, 0.28)
NAMES = ("asymptote", "coefficient N", "coefficient D", "exponent N", "exponent D")
BRAIN = (0.4, 2.0, 0.1, 0.2, 0.7)
SUBJECT_SD = 0.1  # of a subject's asymptote and coefficients, as a share of the planted
STORY_NOISE = 0.005
N_STORIES = 4
SUBJECTS = (3, 8)
WAYS = (("t", 3), ("t", 8), ("residual", 8), ("percentile", 8), ("percentile", 20))


def subject_rates(n_subjects: int, repeats: int) -> dict[str, float]:
    """How often intervals over subjects hold the surface of the mean subject."""
    sizes = np.meshgrid(np.geomspace(1e8, 1e11, 4), [1.0, 2.0, 5.0, 14.0])
    x = {"n_params": sizes[0].ravel(), "hours": sizes[1].ravel()}
    terms = np.stack(
        [np.ones(16), -(x["n_params"] ** -BRAIN[3]), -(x["hours"] ** -BRAIN[4])], axis=1
    )
    levels = {"subject": np.repeat(np.arange(n_subjects), N_STORIES)}
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(repeats):
        own = 1 + SUBJECT_SD * rng.standard_normal((3, n_subjects))
        curves = terms @ (np.array(BRAIN[:3])[:, None] * own)
        units = np.repeat(curves, N_STORIES, axis=1)
        units = units + STORY_NOISE * rng.standard_normal(units.shape)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", VoxscaleWarning)  # exponents at a bound
            surface = fit_scaling_surface(x, units, levels=levels)
        ends = [
            surface.asymptote_interval,
            *surface.coefficient_intervals.values(),
            *surface.exponent_intervals.values(),
        ]
        shares.append([low <= one <= high for (low, high), one in zip(ends, BRAIN, strict=True)])
    names = ("asymptote", "coefficient n_params", "coefficient hours")
    names = (*names, "exponent n_params", "exponent hours")
    return dict(zip(names, np.mean(shares, axis=0).tolist(), strict=True))


def held(surface: ScalingSurface, exchange: float, needed: float) -> list[bool]:
    """Tell which intervals hold what was planted."""
    ends = [
        surface.asymptote_interval,
        *surface.coefficient_intervals.values(),
        *surface.exponent_intervals.values(),
        surface.exchange("N", "D")[1:],
        surface.needed("D", score=2.2, at={"N": 1e10})[1:],
    ]
    truth = (*TRUTH, exchange, needed)
    return [low <= value <= high for (low, high), value in zip(ends, truth, strict=True)]


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    sizes = np.meshgrid(np.geomspace(1e7, 1e11, 5), np.geomspace(1e9, 1e12, 4))
    x = {"N": sizes[0].ravel(), "D": sizes[1].ravel()}
    losses = 1.69 + 406.4 * x["N"] ** -0.34 + 410.7 * x["D"] ** -0.28
    planted = fit_scaling_surface(x, losses)
    exchange = planted.exchange("N", "D").value
    needed = planted.needed("D", score=2.2, at={"N": 1e10}).value
    error = math.sqrt(0.95 * 0.05 / options.repeats)
    found = {}
    for way, n_units in WAYS:
        rng = np.random.default_rng(0)
        started = time.perf_counter()
        shares = []
        for _ in range(options.repeats):
            units = losses[:, None] + NOISE * rng.standard_normal((len(losses), n_units))
            surface = fit_scaling_surface(x, units, interval=way, n_bootstrap=400)
            shares.append(held(surface, exchange, needed))
        rates = dict(zip((*NAMES, "exchange", "needed"), np.mean(shares, axis=0), strict=True))
        found[f"{way}, {n_units} units"] = {name: float(rate) for name, rate in rates.items()}
        seconds = time.perf_counter() - started
        print(f"{way}, {n_units} units ({seconds / options.repeats * 1e3:.0f} ms each):")
        print("  " + ", ".join(f"{name} {100 * rate:.1f} %" for name, rate in rates.items()))
    for n_subjects in SUBJECTS:
        rates = subject_rates(n_subjects, options.repeats)
        found[f"t, correlations of {n_subjects} subjects who differ"] = rates
        print(f"t, correlations of {n_subjects} subjects who differ:")
        print("  " + ", ".join(f"{name} {100 * rate:.1f} %" for name, rate in rates.items()))
    print(f"of {options.repeats} each; one standard error at 95 % is {100 * error:.1f} %")
    facts = {"machine": machine_facts(), "repeats": options.repeats, "rates": found}
    options.out.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
