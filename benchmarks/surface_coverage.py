"""Measure how often the intervals of a surface hold the surface that was planted.

python benchmarks/surface_coverage.py [--repeats 2000] [--out FILE]

The surface is the published one of losses over parameters and tokens (Hoffmann et al. 2022), with
noise on each point and unit. The figures on the page on surfaces are the ones that this prints.
"""

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
from _machine import machine_facts

from voxscale.scaling import ScalingSurface, fit_scaling_surface

NOISE = 0.03  # of a unit at a point; the losses go from 1.96 to 4.61
TRUTH = (1.69, -406.4, -410.7, 0.34, 0.28)
NAMES = ("asymptote", "coefficient N", "coefficient D", "exponent N", "exponent D")
WAYS = (("t", 3), ("t", 8), ("residual", 8), ("percentile", 8), ("percentile", 20))


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
    parser.add_argument("--repeats", type=int, default=2000)
    parser.add_argument("--out", type=Path, default=None)
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
    print(f"of {options.repeats} each; one standard error at 95 % is {100 * error:.1f} %")
    if options.out is not None:
        facts = {"machine": machine_facts(), "repeats": options.repeats, "rates": found}
        options.out.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
