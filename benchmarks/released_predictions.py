"""Predict a whole brain from published weights of 11 GB: peak memory and seconds.

python benchmarks/released_predictions.py [--quick] [--folder DIR] [--repeats 1]
    [--out benchmarks/results/released_predictions.json]

Weights of shape (28,672, 95,556) in float32, as OPT-30B's with four delays, are written by joblib:
uncompressed in C and in Fortran order, and compressed with zlib. Every measurement is a process of
its own, whose peak memory includes the design and the predictions. A few voxels are checked against
float64 products. Files are kept in DIR, if given, and made again only where they are missing; 33 GB
of disk are needed. The page cache may hold a part of an uncompressed file: which is told.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import joblib
import numpy as np
from _machine import machine_facts

from voxscale.data import stream_released
from voxscale.fit import predict_streamed

FULL, QUICK = (28_672, 95_556), (512, 4_000)
N_TRS, N_CHECKED = 790, 5
KINDS = {"raw, C order": 0, "raw, Fortran order": 0, "zlib, C order": ("zlib", 1)}


def write(folder: Path, kind: str, shape: tuple[int, int]) -> Path:
    """Write weights that are known again by their seed, without holding them."""
    path = folder / f"{kind.replace(', ', '-').replace(' ', '-')}_{shape[0]}x{shape[1]}.jbl"
    if path.is_file():
        return path
    order = "F" if "Fortran" in kind else "C"
    with tempfile.NamedTemporaryFile(dir=folder, suffix=".npy") as scratch:
        weights = np.lib.format.open_memmap(
            scratch.name, "w+", np.float32, shape, fortran_order=order == "F"
        )
        n_lines = shape[1] if order == "F" else shape[0]
        for start in range(0, n_lines, 512):
            lines = slice(start, min(start + 512, n_lines))
            rng = np.random.default_rng([7, start])
            size = (lines.stop - start, shape[0] if order == "F" else shape[1])
            block = rng.standard_normal(size, dtype=np.float32)
            if order == "F":
                weights[:, lines] = block.T
            else:
                weights[lines] = block
        joblib.dump(weights, path.with_suffix(".tmp"), compress=KINDS[kind])
    path.with_suffix(".tmp").replace(path)
    return path


def design(n_features: int) -> np.ndarray:
    """Make a design of test rows, float32."""
    return np.random.default_rng(1).standard_normal((N_TRS, n_features), dtype=np.float32)


def measure(path: Path) -> dict[str, float]:
    """Predict, and check a few voxels; to be run in a process of its own."""
    began = time.perf_counter()
    for weights in stream_released(path):
        X = design(weights.shape[0])
        predictions = predict_streamed(X, weights)
        shape, axis = weights.shape, weights.axis
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    voxels = np.linspace(0, shape[1] - 1, N_CHECKED).astype(int)
    columns = np.empty((shape[0], N_CHECKED))
    for weights in stream_released(path):
        for start, block in weights.blocks():
            if axis == 0:
                columns[start : start + len(block)] = block[:, voxels]
            else:
                for i, voxel in enumerate(voxels):
                    if start <= voxel < start + block.shape[1]:
                        columns[:, i] = block[:, voxel - start]
    expected = X.astype(np.float64) @ columns
    error = np.abs(predictions[:, voxels] - expected).max() / expected.std()
    return {"seconds": seconds, "peak_gib": peak / 2**20, "largest_relative_error": float(error)}


def main() -> None:
    """Write the weights, predict from each file in a process of its own, and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="512 × 4,000 weights")
    parser.add_argument("--folder", type=Path, help="where weights are kept")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    default = Path(__file__).parent / "results" / "released_predictions.json"
    parser.add_argument("--out", type=Path, default=default)
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(measure(asked.one)))
        return
    shape = QUICK if asked.quick else FULL
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.folder or Path(scratch)
        files = {kind: write(folder, kind, shape) for kind in KINDS}
        runs: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
        for _ in range(asked.repeats):  # interleaved
            for kind, path in files.items():
                command = [sys.executable, __file__, "--one", str(path)]
                ran = subprocess.run(command, capture_output=True, text=True, check=True)
                runs[kind].append(json.loads(ran.stdout))
                print(kind, runs[kind][-1], flush=True)
        rows = {
            kind: {
                "file_gib": files[kind].stat().st_size / 2**30,
                **{name: statistics.median(one[name] for one in of_kind) for name in of_kind[0]},
            }
            for kind, of_kind in runs.items()
        }
    result = {
        "machine": machine_facts(), "shape": shape, "n_trs": N_TRS, "repeats": asked.repeats,
        "kinds": rows,
    }  # fmt: skip
    asked.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
