"""Time weights of stacked models against a quadratic program for each voxel, as published.

python benchmarks/stacking.py [--quick] [--repeats 3] [--out FILE]

Residual covariances of 17 models with a common part, as layers of one model have. Both take
turns; medians are reported. The quadratic program is cvxopt's at its default settings.
"""

import argparse
import json
import statistics
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cvxopt
import numpy as np
from _machine import machine_facts

from voxscale.fit import stacking_weights

Array = np.ndarray

N_VOXELS, N_MODELS = 95_556, 17


def covariances(n_voxels: int, n_models: int, seed: int = 0) -> Array:
    """Draw residual covariances: models that mostly err together, each a little by itself."""
    rng = np.random.default_rng(seed)
    own = rng.standard_normal((n_voxels, n_models, 3 * n_models))
    # Neighbouring layers err alike.
    own = 0.5 * own + 0.5 * np.roll(own, 1, axis=1)
    own *= rng.uniform(0.2, 0.6, (n_voxels, n_models, 1))
    common = rng.standard_normal((n_voxels, 1, 3 * n_models))
    residuals = common + own
    return residuals @ residuals.transpose(0, 2, 1) / (3 * n_models)


def by_cvxopt(R: Array) -> Array:
    """Solve one quadratic program for each voxel."""
    cvxopt.solvers.options["show_progress"] = False
    n_models = R.shape[1]
    q, h = cvxopt.matrix(0.0, (n_models, 1)), cvxopt.matrix(0.0, (n_models, 1))
    G = cvxopt.spmatrix(-1.0, range(n_models), range(n_models))
    A, b = cvxopt.matrix(1.0, (1, n_models)), cvxopt.matrix(1.0)
    weights = np.empty(R.shape[:2])
    for v, matrix in enumerate(R):
        weights[v] = np.ravel(cvxopt.solvers.qp(cvxopt.matrix(matrix), q, G, h, A, b)["x"])
    return weights


def objectives(weights: Array, R: Array) -> Array:
    """Squared error of each voxel's mix."""
    return np.einsum("vi,vij,vj->v", weights, R, weights)


def measure(n_voxels: int, n_repeats: int) -> dict[str, Any]:
    """Let both take turns, and compare what they found."""
    R = covariances(n_voxels, N_MODELS)
    contenders = {"voxscale": stacking_weights, "cvxopt": by_cvxopt}
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    found = {name: solve(R[:100]) for name, solve in contenders.items()}
    for _ in range(n_repeats):
        for name, solve in contenders.items():
            start = time.perf_counter()
            found[name] = solve(R)
            taken[name].append(time.perf_counter() - start)
            print(f"  {name}: {taken[name][-1]:.2f} s", flush=True)
    medians = {name: statistics.median(seconds) for name, seconds in taken.items()}
    ours, theirs = (objectives(found[name], R) for name in contenders)
    return {
        "n_voxels": n_voxels,
        "n_models": N_MODELS,
        "median_s": medians,
        "all_s": taken,
        "times_our_time": medians["cvxopt"] / medians["voxscale"],
        "models_with_weight": float((found["voxscale"] > 1e-6).sum(axis=1).mean()),
        "largest_relative_excess_of_our_objective": float((ours / theirs - 1).max()),
        "largest_relative_excess_of_theirs": float((theirs / ours - 1).max()),
        "largest_difference_of_weights": float(np.abs(found["voxscale"] - found["cvxopt"]).max()),
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few voxels, to see that it works")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--out", type=Path, help="default: results/stacking.json beside this script"
    )
    arguments = parser.parse_args()
    result = {
        "machine": machine_facts()
        | {
            "cvxopt": version("cvxopt"),
            "scipy": version("scipy"),
            "taken": time.strftime("%Y-%m-%d"),
        },
        **measure(500 if arguments.quick else N_VOXELS, arguments.repeats),
    }
    print(json.dumps(result, indent=2))
    out = arguments.out
    if out is None and not arguments.quick:
        out = Path(__file__).parent / "results/stacking.json"
    if out is not None:
        out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
