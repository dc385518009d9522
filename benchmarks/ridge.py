"""Time cross-validated ridge side by side with himalaya and with one SVD per split.

python benchmarks/ridge.py [--quick] [--repeats 3] [--only NAME…] [--out FILE]
python benchmarks/ridge.py --out-of-core FOLDER     # 3.4 GB of responses, read from hdf5
python benchmarks/ridge.py --device cuda            # the large problem, on an accelerator

Everybody chooses an alpha for each voxel by r2 over the same splits, then makes the weights of
all features. Contenders take turns within each repeat; medians are reported. The way of the
published code, a float64 SVD for each split, takes long and runs once. Products are timed in the
same run.
"""

import argparse
import gc
import json
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _machine import machine_facts
from _ridge_checks import against_brute_force, compare
from _ridge_data import Problem, planted
from himalaya.backend import set_backend
from himalaya.kernel_ridge import KernelRidgeCV
from himalaya.ridge import RidgeCV as HimalayaRidgeCV
from himalaya.scoring import r2_score

from voxscale.arrays._linalg import one_torch_thread
from voxscale.fit import Gram, RidgeCV
from voxscale.fit._blocks import VoxelBlocks
from voxscale.fit._cross_validate import Scoring
from voxscale.fit._results import InMemory

Array = np.ndarray
Answer = tuple[Array, Array]  # best alphas (n_voxels,), weights (n_features, n_voxels)

PROBLEMS = {
    "wide, 3 hold-outs": Problem(3000, 8192, 6000, 3),
    "wide, 15 hold-outs": Problem(3000, 8192, 6000, 15),
    "wide, 3 hold-outs, white": Problem(3000, 8192, 6000, 3, "white"),
    "tall, 5 hold-outs": Problem(9000, 3072, 20_000, 5),
}
QUICK = {
    "wide, 3 hold-outs": Problem(300, 800, 500, 3),
    "tall, 5 hold-outs": Problem(900, 304, 500, 5),
}
TARGETS_BATCHES = (1000, 2000, 6000)
MORE_ALPHAS = "60 alphas"
# A contender this much slower than the better of its kind is timed once, and takes no turns.
TOO_SLOW = 1.5


def by_voxscale(X: Array, Y: Array, problem: Problem, **options: Any) -> Answer:
    """Ours, as a user calls it."""
    model = RidgeCV(problem.alphas, problem.splits, device="cpu", **options).fit(X, Y)
    return model.best_alphas_, model.coef_


def by_himalaya(X: Array, Y: Array, problem: Problem, *, kernel: bool, batch: int) -> Answer:
    """Himalaya with its torch backend on the CPU; weights of features in both forms."""
    backend = set_backend("torch")
    params = {
        "score_func": r2_score,
        "n_targets_batch": batch,
        "n_targets_batch_refit": batch,
    }
    estimator = KernelRidgeCV if kernel else HimalayaRidgeCV
    if not kernel:
        params["warn"] = False
    model = estimator(problem.alphas, cv=problem.splits, solver_params=params)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, Y)
        weights = model.get_primal_coef() if kernel else model.coef_
    return backend.to_numpy(model.best_alphas_), backend.to_numpy(weights)


def by_svd(X: Array, Y: Array, problem: Problem) -> Answer:
    """Take a float64 SVD for each split and a product for each alpha, as published."""
    alphas, scores = problem.alphas, np.zeros((problem.n_alphas, problem.n_voxels))
    exact_X, exact_Y = X.astype(np.float64), Y.astype(np.float64)
    for train, validation in problem.splits:
        left, s, right = np.linalg.svd(exact_X[train], full_matrices=False)
        z, rotated = left.T @ exact_Y[train], exact_X[validation] @ right.T
        y = exact_Y[validation]
        total = np.square(y - y.mean(axis=0)).sum(axis=0)
        for a, alpha in enumerate(alphas):
            error = y - (rotated * (s / (s**2 + alpha))) @ z
            scores[a] += 1 - np.square(error).sum(axis=0) / total
    best = alphas[scores.argmax(axis=0)]
    left, s, right = np.linalg.svd(exact_X, full_matrices=False)
    z = left.T @ exact_Y
    weights = np.empty((problem.n_features, problem.n_voxels))
    for alpha in np.unique(best):
        chosen = best == alpha
        weights[:, chosen] = (right.T * (s / (s**2 + alpha))) @ z[:, chosen]
    return best, weights


def contenders(
    X: Array, Y: Array, problem: Problem
) -> tuple[dict[str, Callable[[], Answer]], dict[str, dict[int, float]]]:
    """Bind every contender to the data, himalaya with the batch that suits it best.

    Also gives the seconds of the batches that were tried.
    """
    forms = {"himalaya KernelRidgeCV": True}
    if problem.n_features < problem.n_trs:
        forms["himalaya RidgeCV"] = False
    tried: dict[str, dict[int, float]] = {name: {} for name in forms}
    for batch in TARGETS_BATCHES:
        fastest = min((min(taken.values()) for taken in tried.values() if taken), default=np.inf)
        for name, kernel in forms.items():
            if tried[name] and min(tried[name].values()) > TOO_SLOW * fastest:
                continue
            solve = partial(by_himalaya, X, Y, problem, kernel=kernel, batch=batch)
            tried[name][batch] = seconds_of(solve)
            print(f"  {name}, n_targets_batch={batch}: {tried[name][batch]:.2f} s", flush=True)
    fastest = min(min(taken.values()) for taken in tried.values())
    bound = {"voxscale": partial(by_voxscale, X, Y, problem)}
    for name, kernel in forms.items():
        batch = min(tried[name], key=tried[name].__getitem__)
        if tried[name][batch] <= TOO_SLOW * fastest:
            solve = partial(by_himalaya, X, Y, problem, kernel=kernel, batch=batch)
            bound[f"{name}, n_targets_batch={batch}"] = solve
    return bound, tried


def seconds_of(solve: Callable[[], Any]) -> float:
    """Time one call."""
    gc.collect()
    start = time.perf_counter()
    solve()
    return time.perf_counter() - start


def product_peak(size: int = 4096) -> dict[str, float]:
    """Best rate of a large float32 product, in GFLOP/s, by numpy's BLAS and by torch's."""
    a = np.random.default_rng(0).standard_normal((size, size), dtype=np.float32)
    b = torch.from_numpy(a)
    best = {}
    for name, product in (("numpy", lambda: a @ a), ("torch", lambda: b @ b)):
        product()
        best[name] = 2e-9 * size**3 / min(seconds_of(product) for _ in range(5))
    return best


def scoring_rate(X: Array, Y: Array, problem: Problem) -> dict[str, float]:
    """Rate of the stage that meets the responses, decompositions done before."""
    gram = Gram.of(X, device="cpu")
    blocks = VoxelBlocks.of(Y, gram.X.dtype, gram.X.device)
    work = Scoring.of([gram], blocks, problem.splits, problem.alphas, "r2", "auto", None)
    jobs = [job for group in work._groups(work._todo([InMemory()]), 2**62) for job in group]
    seconds, voxels = 0.0, blocks.slices(work.plans[0].block_voxels)
    with one_torch_thread(gram.X.device):
        for _, values in blocks.read(voxels):
            start = time.perf_counter()
            for job in jobs:
                for sums in job.moments(values):
                    work.score(sums)
            seconds += time.perf_counter() - start
    flop = sum(job.path.flop_per_voxel for job in jobs) * problem.n_voxels
    return {"seconds": seconds, "gflop": flop / 1e9, "gflop_per_s": flop / seconds / 1e9}


def measure(problem: Problem, n_repeats: int, *, with_svd: bool) -> dict[str, Any]:
    """Let the contenders take turns, and report medians and differences."""
    data = planted(problem)
    X, Y = data["X"], data["Y"]
    bound, tried = contenders(X, Y, problem)
    # Once unmeasured: threads are started, memory is touched, and answers are kept to compare.
    answers = {name: solve() for name, solve in bound.items()}
    taken: dict[str, list[float]] = {name: [] for name in bound}
    if with_svd:
        start = time.perf_counter()
        answers["float64 SVD per split"] = by_svd(X, Y, problem)
        taken["float64 SVD per split"] = [time.perf_counter() - start]
        print(f"  float64 SVD per split: {taken['float64 SVD per split'][0]:.1f} s", flush=True)
    for repeat in range(n_repeats):
        names = list(bound)
        for name in names[repeat % len(names) :] + names[: repeat % len(names)]:
            taken[name].append(seconds_of(bound[name]))
            print(f"  {name}: {taken[name][-1]:.2f} s", flush=True)
    medians = {name: statistics.median(seconds) for name, seconds in taken.items()}
    compared = compare(answers, data)
    peak, rate = product_peak(), scoring_rate(X, Y, problem)
    model = RidgeCV(problem.alphas, problem.splits, device="cpu")
    return {
        "problem": vars(problem),
        "solver": model.plan(X, Y).solver,
        "seconds_by_batch": tried,
        "contenders": {
            name: {
                "median_s": medians[name],
                "all_s": seconds,
                "times_our_time": medians[name] / medians["voxscale"],
                **compared[name],
            }
            for name, seconds in taken.items()
        },
        "product_peak_gflop_per_s": peak,
        "scoring": rate | {"share_of_peak": rate["gflop_per_s"] / max(peak.values())},
        "against_float64_brute_force": against_brute_force(data, problem),
    }


def more_alphas(n_repeats: int, problem: Problem) -> dict[str, Any]:
    """Fifteen alphas and sixty over the same range, in turn."""
    data = planted(problem)
    few, many = problem, Problem(**(vars(problem) | {"n_alphas": 60}))
    taken: dict[int, list[float]] = {15: [], 60: []}
    for repeat in range(n_repeats + 1):
        for one in (few, many):
            seconds = seconds_of(partial(by_voxscale, data["X"], data["Y"], one))
            if repeat:
                taken[one.n_alphas].append(seconds)
    medians = {n_alphas: statistics.median(seconds) for n_alphas, seconds in taken.items()}
    return {"median_s": medians, "all_s": taken, "ratio": medians[60] / medians[15]}


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


def in_a_process(mode: str, *arguments: str) -> dict[str, Any]:
    """Run one of the large problems in a process of its own, whose memory is its alone."""
    script = Path(__file__).with_name("_ridge_large.py")
    done = subprocess.run(
        [sys.executable, str(script), mode, *arguments], check=True, stdout=subprocess.PIPE
    )
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it works")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", nargs="*", help="names of problems")
    parser.add_argument("--out-of-core", type=Path, metavar="FOLDER")
    parser.add_argument("--device", default="cpu", help="cuda: the large problem on a GPU")
    parser.add_argument("--out", type=Path, help="default: results/ridge.json beside this script")
    arguments = parser.parse_args()
    out = arguments.out
    if out is None and not arguments.quick:
        out = Path(__file__).parent / "results/ridge.json"
    result = json.loads(out.read_text()) if out and out.exists() else {}
    for name, found in measured(arguments):
        result |= {"machine": facts()}
        result.setdefault("results", {})[name] = found
        if out is not None:  # after each, since they take long
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


def measured(arguments: argparse.Namespace) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what was asked for, one by one."""
    size = ["quick"] if arguments.quick else []
    if arguments.out_of_core:
        yield "out of core", in_a_process("out-of-core", str(arguments.out_of_core), *size)
        return
    if arguments.device != "cpu":
        yield "accelerator", in_a_process("accelerator", arguments.device, *size)
        return
    problems = QUICK if arguments.quick else PROBLEMS
    for name in arguments.only or [*problems, MORE_ALPHAS]:
        print(name, flush=True)
        if name == MORE_ALPHAS:
            yield name, more_alphas(arguments.repeats, problems["wide, 3 hold-outs"])
        else:
            with_svd = name == "wide, 3 hold-outs"
            yield name, measure(problems[name], arguments.repeats, with_svd=with_svd)


if __name__ == "__main__":
    main()
