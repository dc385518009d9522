"""The problems that do not fit beside others: each in a process of its own.

python benchmarks/_ridge_large.py out-of-core FOLDER [quick]
python benchmarks/_ridge_large.py accelerator cuda [quick]
"""

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from _ridge_data import Problem, planted, write_hdf5

from voxscale.fit import RidgeCV
from voxscale.store import FitStore

GIB = 2**30
OUT_OF_CORE = Problem(9000, 8192, 95_556, 3)
LARGE = Problem(9000, 28_672, 95_556, 3)
QUICK = Problem(300, 400, 3000, 3)
MEMORY_GIB = 5.0  # X 0.27, its Gram matrix 0.5, and 4 above them
N_SAMPLED = 400


def out_of_core(folder: Path, problem: Problem) -> dict[str, Any]:
    """Fit from hdf5 to Zarr; responses and weights are never whole in memory."""
    source = folder / f"ridge_{problem.n_trs}_{problem.n_features}_{problem.n_voxels}.h5"
    if not source.exists():
        write_hdf5(problem, source.with_suffix(".part"))
        source.with_suffix(".part").rename(source)
    before = peak_gib()
    start = time.perf_counter()
    with (
        h5py.File(source) as file,
        FitStore(folder / "fit.zarr").open({"problem": str(problem)}) as run,
    ):
        model = RidgeCV(problem.alphas, problem.splits, device="cpu", memory_gib=MEMORY_GIB)
        plan = model.plan(file["X"], file["Y"])
        model.fit(file["X"], file["Y"], results=run)
    seconds = time.perf_counter() - start
    held = (
        4 * problem.n_trs * problem.n_features + 8 * min(problem.n_trs, problem.n_features) ** 2
    ) / GIB
    return {
        "problem": vars(problem),
        "plan": str(plan).splitlines(),
        "seconds": seconds,
        "peak_gib": peak_gib(),
        "peak_before_gib": before,
        "x_and_gram_gib": held,
        "above_x_and_gram_gib": peak_gib() - held,
        "responses_gib": 4 * problem.n_trs * problem.n_voxels / GIB,
        "weights_gib": 4 * problem.n_features * problem.n_voxels / GIB,
        "solver": model.solver_,
        "mean_best_score": float(np.nanmean(np.nanmax(model.cv_scores_.mean(axis=2), axis=0))),
    }


def accelerator(device: str, problem: Problem) -> dict[str, Any]:
    """Fit on a GPU, responses streamed from the host; some voxels again on the CPU."""
    data = planted(problem)
    model = RidgeCV(problem.alphas, problem.splits, device=device)
    small = slice(0, min(1000, problem.n_voxels))
    model.fit(data["X"], data["Y"][:, small])  # the device and its libraries start
    start = time.perf_counter()
    model.fit(data["X"], data["Y"])
    seconds = time.perf_counter() - start
    some = np.linspace(0, problem.n_voxels - 1, N_SAMPLED).astype(int)
    here = RidgeCV(problem.alphas, problem.splits, device="cpu").fit(data["X"], data["Y"][:, some])
    same = here.best_alphas_ == model.best_alphas_[some]
    return {
        "problem": vars(problem),
        "device": torch.cuda.get_device_name(device),
        "seconds": seconds,
        "solver": model.solver_,
        "share_of_equal_alphas": float(same.mean()),
        "max_abs_difference_in_scores": float(
            np.abs(here.cv_scores_ - model.cv_scores_[:, some]).max()
        ),
        "max_abs_difference_in_weights": float(
            np.abs(here.coef_ - model.coef_[:, some])[:, same].max()
        ),
    }


def peak_gib() -> float:
    """Most resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / GIB


def main() -> None:
    """Run one problem and print it as a line of JSON."""
    mode, place, *rest = sys.argv[1:]
    if mode == "out-of-core":
        result = out_of_core(Path(place), QUICK if rest else OUT_OF_CORE)
    else:
        result = accelerator(place, QUICK if rest else LARGE)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
