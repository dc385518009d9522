"""Time cross-validated ridge side by side with a plain SVD and with himalaya, on the same data.

python benchmarks/bench_ridge.py [--quick] [--repeats 3] [--out benchmarks/results/ridge.json]

Everybody chooses an alpha for each voxel by r2 over the same contiguous folds, then solves for
the weights of all features. Contenders take turns within each repeat; medians are reported.
"""

import argparse
import gc
import json
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _machine import machine_facts
from himalaya.backend import set_backend
from himalaya.kernel_ridge import KernelRidgeCV
from himalaya.ridge import RidgeCV as HimalayaRidgeCV
from himalaya.scoring import r2_score
from sklearn.model_selection import KFold

from voxscale.fit import RidgeCV, contiguous_folds

Array = np.ndarray
Answer = tuple[Array, Array]  # best alphas (n_voxels,), weights (n_features, n_voxels)


@dataclass(frozen=True)
class Shape:
    """One size of problem."""

    n_trs: int
    n_features: int
    n_voxels: int
    n_alphas: int
    n_splits: int

    @property
    def alphas(self) -> Array:
        """Penalties, spread around the mean eigenvalue of the Gram matrix."""
        return np.logspace(-1, 5, self.n_alphas)


SHAPES = {
    "demo-like": Shape(700, 2304, 20_000, 10, 5),
    "tall": Shape(3000, 1000, 10_000, 20, 3),  # himalaya's own benchmark, with fewer voxels
}
QUICK = {
    "demo-like": Shape(70, 230, 500, 10, 5),
    "tall": Shape(300, 100, 500, 20, 3),
}
N_TEST_TRS = 200
TARGETS_BATCHES = (1000, 5000)


def planted(shape: Shape, seed: int = 0) -> dict[str, Array]:
    """Draw a design and responses with weights of many strengths, and a test part of both."""
    rng = np.random.default_rng(seed)
    n_rows = shape.n_trs + N_TEST_TRS
    X = rng.standard_normal((n_rows, shape.n_features), dtype=np.float32)
    weights = rng.standard_normal((shape.n_features, shape.n_voxels), dtype=np.float32)
    weights *= rng.uniform(0, 2, shape.n_voxels).astype(np.float32) / np.sqrt(shape.n_features)
    Y = X @ weights + rng.standard_normal((n_rows, shape.n_voxels), dtype=np.float32)
    train, test = slice(shape.n_trs), slice(shape.n_trs, None)
    return {"X": X[train], "Y": Y[train], "X_test": X[test], "Y_test": Y[test]}


def by_voxscale(X: Array, Y: Array, shape: Shape) -> Answer:
    """Ours, as a user calls it."""
    model = RidgeCV(shape.alphas, shape.n_splits, device="cpu").fit(X, Y)
    return model.best_alphas_, model.coef_


def by_plain_svd(X: Array, Y: Array, shape: Shape, width: int = 5000) -> Answer:
    """One float32 SVD a split, one product per alpha, voxels in blocks."""
    blocks = [slice(start, start + width) for start in range(0, shape.n_voxels, width)]
    alphas = shape.alphas.astype(np.float32)
    scores = np.zeros((shape.n_alphas, shape.n_voxels), dtype=np.float32)
    for train, validation in contiguous_folds(shape.n_trs, shape.n_splits):
        left, s, right = np.linalg.svd(X[train], full_matrices=False)
        rotated = X[validation] @ right.T
        for block in blocks:
            z = left.T @ Y[train, block]
            y = Y[validation, block]
            total = np.square(y - y.mean(axis=0)).sum(axis=0)
            for a, alpha in enumerate(alphas):
                error = y - (rotated * (s / (s**2 + alpha))) @ z
                scores[a, block] += 1 - np.square(error).sum(axis=0) / total
    best = alphas[scores.argmax(axis=0)]
    left, s, right = np.linalg.svd(X, full_matrices=False)
    weights = np.empty((shape.n_features, shape.n_voxels), dtype=np.float32)
    for block in blocks:
        shrinkage = s[:, None] / (s[:, None] ** 2 + best[block])
        weights[:, block] = right.T @ (shrinkage * (left.T @ Y[:, block]))
    return best, weights


def by_himalaya(X: Array, Y: Array, shape: Shape, *, kernel: bool, batch: int) -> Answer:
    """Himalaya with its torch backend on the CPU; the kernel form for wide designs."""
    backend = set_backend("torch")
    params = {
        "score_func": r2_score,
        "n_targets_batch": batch,
        "n_targets_batch_refit": batch,
        "warn": False,
    }
    estimator = KernelRidgeCV if kernel else HimalayaRidgeCV
    if kernel:
        del params["warn"]
    model = estimator(shape.alphas, cv=KFold(shape.n_splits), solver_params=params)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, Y)
        weights = model.get_primal_coef() if kernel else model.coef_
    return backend.to_numpy(model.best_alphas_), backend.to_numpy(weights)


def contenders(X: Array, Y: Array, shape: Shape) -> dict[str, Callable[[], Answer]]:
    """Bind every contender to the data, himalaya with the batch that suits it best."""
    bound = {
        "voxscale": partial(by_voxscale, X, Y, shape),
        "plain SVD": partial(by_plain_svd, X, Y, shape),
    }
    forms = {"himalaya RidgeCV": False}
    if shape.n_features > shape.n_trs:
        forms["himalaya KernelRidgeCV"] = True
    for name, kernel in forms.items():
        solve = partial(by_himalaya, X, Y, shape, kernel=kernel)
        batch = min(TARGETS_BATCHES, key=lambda batch, solve=solve: seconds_of(solve, batch=batch))
        bound[f"{name}, n_targets_batch={batch}"] = partial(solve, batch=batch)
    return bound


def seconds_of(solve: Callable[..., Any], **options: Any) -> float:
    """Time one call."""
    gc.collect()
    start = time.perf_counter()
    solve(**options)
    return time.perf_counter() - start


def correlations(Y: Array, Y_pred: Array) -> Array:
    """Pearson correlation of each voxel, in float64."""
    y, p = (part - part.mean(axis=0, dtype=np.float64) for part in (Y, Y_pred))
    norms = np.sqrt(np.square(y).sum(axis=0) * np.square(p).sum(axis=0))
    return (y * p).sum(axis=0) / norms


def compare(answers: dict[str, Answer], data: dict[str, Array]) -> dict[str, dict[str, float]]:
    """How far each answer is from ours: alphas chosen alike, and r on the test part."""
    ours, our_weights = answers["voxscale"]
    our_r = correlations(data["Y_test"], data["X_test"] @ our_weights)
    compared = {}
    for name, (alphas, weights) in answers.items():
        r = correlations(data["Y_test"], data["X_test"] @ weights)
        same = np.isclose(alphas, ours, rtol=1e-4)
        compared[name] = {
            "share_of_voxels_with_our_alpha": float(same.mean()),
            "max_abs_difference_in_test_r": float(np.abs(r - our_r).max()),
            "max_abs_difference_in_test_r_at_equal_alpha": float(np.abs(r - our_r)[same].max()),
            "mean_test_r": float(r.mean()),
        }
    return compared


def measure(shape: Shape, n_repeats: int) -> dict[str, Any]:
    """Let the contenders take turns, and report medians and differences."""
    data = planted(shape)
    bound = contenders(data["X"], data["Y"], shape)
    # Once unmeasured: threads are started, memory is touched, and answers are kept to compare.
    compared = compare({name: solve() for name, solve in bound.items()}, data)
    taken: dict[str, list[float]] = {name: [] for name in bound}
    for repeat in range(n_repeats):
        names = list(bound)
        for name in names[repeat % len(names) :] + names[: repeat % len(names)]:
            taken[name].append(seconds_of(bound[name]))
            print(f"  {name}: {taken[name][-1]:.2f} s", flush=True)
    medians = {name: statistics.median(seconds) for name, seconds in taken.items()}
    return {
        "shape": vars(shape),
        "contenders": {
            name: {
                "median_s": medians[name],
                "all_s": seconds,
                "times_our_time": medians[name] / medians["voxscale"],
                **compared[name],
            }
            for name, seconds in taken.items()
        },
    }


def facts() -> dict[str, Any]:
    """Say what the numbers were taken on, threads and BLAS included."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return machine_facts() | {
        "himalaya": version("himalaya"),
        "numpy_blas": f"{blas['name']} {blas['version']}",
        "torch_blas": torch.__config__.show().split("BLAS_INFO=")[-1].split(",")[0],
        "torch_threads": torch.get_num_threads(),
        "taken": time.strftime("%Y-%m-%d"),
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--quick",
        action="store_true",
        help="tiny sizes, to see that it works; kept only with --out",
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, help="default: results/ridge.json beside this script")
    arguments = parser.parse_args()
    out = arguments.out
    if out is None and not arguments.quick:
        out = Path(__file__).parent / "results/ridge.json"
    result: dict[str, Any] = {"machine": facts(), "repeats": arguments.repeats, "results": {}}
    for name, shape in (QUICK if arguments.quick else SHAPES).items():
        print(f"{name}: {shape}", flush=True)
        result["results"][name] = measure(shape, arguments.repeats)
    print(json.dumps(result["results"], indent=2))
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
