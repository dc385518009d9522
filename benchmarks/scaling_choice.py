"""Measure how often the kind of law that was planted is chosen.

python benchmarks/scaling_choice.py [--quick] [--curves 200] [--out FILE]

Mean scores lie on a planted law and scatter about it, each size by itself. Beside the choice of
``compare_laws`` stands that of AICc alone: the fewest parameters within 2 of the smallest, or,
where there are too few sizes for any, the fewest of all. The table in docs/scaling.md is the one
that this prints.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from _machine import machine_facts

from voxscale.scaling import LawComparison, compare_laws

KINDS = ("log-linear", "power", "broken")
N_SIZES = (5, 6, 7, 8, 12)
SCATTERS = (0.0005, 0.002, 0.005)
BREAK = 0.55  # of the way from the smallest to the largest size, in decades


def planted(kind: str, decades: np.ndarray) -> np.ndarray:
    """Return the scores of a law, from 0.1 on."""
    if kind == "log-linear":
        return 0.1 + 0.02 * decades
    if kind == "power":
        return 0.2 - 0.1 * 10 ** (-0.4 * decades)
    return 0.1 + 0.03 * decades - 0.03 * np.maximum(decades - BREAK * decades[-1], 0)


def by_aicc_alone(found: LawComparison) -> str:
    """Choose without the sizes that are held out."""
    fitted = [row for row in found.rows if row.law is not None]
    judged = [row for row in fitted if np.isfinite(row.aicc)]
    least = min((row.aicc for row in judged), default=0.0)
    near = [row for row in judged if row.aicc <= least + 2] or fitted
    return min(near, key=lambda row: row.n_parameters).kind


def measure(kind: str, n_sizes: int, scatter: float, n_curves: int) -> dict[str, Any]:
    """Count how often each rule chooses each kind."""
    rng = np.random.default_rng([n_sizes, *kind.encode()])
    x = np.geomspace(1e8, 1e11, n_sizes)
    curve = planted(kind, np.log10(x / x[0]))
    chosen = []
    for _ in range(n_curves):
        found = compare_laws(x, curve + scatter * rng.standard_normal(n_sizes))
        chosen.append((found.chosen, by_aicc_alone(found)))
    ours, aicc = (list(one) for one in zip(*chosen, strict=True))
    return {
        "kind": kind,
        "n_sizes": n_sizes,
        "scatter": scatter,
        "chosen": {one: ours.count(one) / n_curves for one in KINDS},
        "by_aicc_alone": {one: aicc.count(one) / n_curves for one in KINDS},
    }


def table(results: list[dict[str, Any]]) -> str:
    """Lay out how often the planted kind is chosen, in per cent, in Markdown."""
    lines = [
        "| sizes | scatter | " + " | ".join(KINDS) + " |",
        "|---|---|" + "---|" * len(KINDS),
    ]
    for n_sizes in N_SIZES:
        for scatter in SCATTERS:
            cells = [
                f"{100 * one['chosen'][one['kind']]:.0f} "
                f"({100 * one['by_aicc_alone'][one['kind']]:.0f})"
                for one in results
                if (one["n_sizes"], one["scatter"]) == (n_sizes, scatter)
            ]
            lines.append(f"| {n_sizes} | {scatter} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few curves, to see that it works")
    parser.add_argument("--curves", type=int, default=200)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    n_curves = 5 if asked.quick else asked.curves
    started = time.perf_counter()
    results = [
        measure(kind, n_sizes, scatter, n_curves)
        for n_sizes in N_SIZES
        for scatter in SCATTERS
        for kind in KINDS
    ]
    print(table(results))
    out = asked.out
    if out is None and not asked.quick:
        out = Path(__file__).parent / "results/scaling_choice.json"
    if out is not None:
        found = {
            "machine": machine_facts(),
            "n_curves": n_curves,
            "seconds": time.perf_counter() - started,
            "results": results,
        }
        out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
