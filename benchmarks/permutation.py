"""Time permutation tests of a whole brain, with their peak memory, and check some voxels by a loop.

python benchmarks/permutation.py [--quick] [--repeats 3] [--out benchmarks/results/permutation.json]

Every measurement is a process of its own: its peak memory is that of the process, inputs and null
included. A float64 loop that rearranges the prediction and correlates again gives some voxels'
answers, and the time it would take for all.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _machine import machine_facts
from scipy.signal import lfilter

from voxscale.evaluate import compare_models, max_statistic, permutation_test
from voxscale.evaluate._nulls import NULLS, BlockOrders, CircularShifts, Null

Array = np.ndarray
GIB = 2**30
BLOCK_TRS = 30
N_SAMPLED = 8
WAYS = ("circular-shift", "block", "phase", "compare-models")
OPTIONS: dict[str, dict[str, int]] = {
    "circular-shift": {"min_shift": 1}, "block": {"block_trs": BLOCK_TRS}, "phase": {},
}  # fmt: skip


@dataclass(frozen=True)
class Problem:
    """How much is tested."""

    run_lengths: tuple[int, ...] = (251, 270, 269)
    n_voxels: int = 95_556
    n_permutations: int = 1000


QUICK = Problem((101, 120), 2000, 200)


def planted(problem: Problem, n_predictions: int) -> list[Array]:
    """Smooth responses and predictions in float32, related in every other voxel."""
    rng = np.random.default_rng(0)
    shape = (sum(problem.run_lengths), problem.n_voxels)
    arrays = [np.empty(shape, dtype=np.float32) for _ in range(1 + n_predictions)]
    for start in range(0, problem.n_voxels, 4096):
        voxels = slice(start, start + 4096)
        for array in arrays:
            noise = rng.standard_normal(array[:, voxels].shape, dtype=np.float32)
            array[:, voxels] = lfilter([1.0], [1.0, -0.7], noise, axis=0)
    arrays[0][:, ::2] += 0.2 * arrays[1][:, ::2]
    return arrays


def measure(way: str, problem: Problem) -> dict[str, Any]:
    """Test all voxels once, and some again by a loop."""
    Y, *predictions = planted(problem, 2 if way == "compare-models" else 1)
    small = slice(0, min(problem.n_voxels, 64))
    run(way, problem, [one[:, small] for one in (Y, *predictions)])  # libraries start
    before = peak_gib()
    start = time.perf_counter()
    test = run(way, problem, [Y, *predictions])
    seconds = time.perf_counter() - start
    peak = peak_gib()
    start = time.perf_counter()
    family = max_statistic(test)
    facts = {
        "way": way,
        "seconds": seconds,
        "peak_gib": peak,
        "peak_before_gib": before,
        "inputs_gib": (len(predictions) + 1) * Y.nbytes / GIB,
        "null_gib": test.null.nbytes / GIB,
        "max_statistic_seconds": time.perf_counter() - start,
        "share_below_0.05": float(np.mean(test.p_values <= 0.05)),
        "share_below_0.05_family_wise": float(np.mean(family.p_values <= 0.05)),
    }
    return (
        facts
        if way == "compare-models"
        else {**facts, **against_loop(way, problem, test, Y, predictions[0])}
    )


def run(way: str, problem: Problem, arrays: list[Array]) -> Any:
    """Call what a user calls."""
    options: dict[str, Any] = {
        "run_lengths": problem.run_lengths,
        "n_permutations": problem.n_permutations,
    }
    if way == "compare-models":
        return compare_models(*arrays, block_trs=BLOCK_TRS, **options)
    return permutation_test(*arrays, kind=way, **OPTIONS[way], **options)


def against_loop(way: str, problem: Problem, test: Any, Y: Array, guess: Array) -> dict[str, Any]:
    """Rearrange the prediction of some voxels, correlate, and do it again, in float64."""
    rng = np.random.default_rng(0)
    drawn = NULLS[way](problem.run_lengths, problem.n_permutations, rng, **OPTIONS[way])
    voxels = np.linspace(0, problem.n_voxels - 1, N_SAMPLED).astype(int)
    null = np.empty((problem.n_permutations, N_SAMPLED))
    start = time.perf_counter()
    for column, voxel in enumerate(voxels):
        truth, series = Y[:, voxel].astype(np.float64), guess[:, voxel].astype(np.float64)
        for number in range(problem.n_permutations):
            null[number, column] = np.corrcoef(truth, rearranged(series, drawn, number))[0, 1]
    seconds = time.perf_counter() - start
    n_above = (null >= test.observed[voxels] - 1e-10).sum(axis=0)
    p_values = (1 + n_above) / (1 + problem.n_permutations)
    return {
        "loop_seconds_per_voxel": seconds / N_SAMPLED,
        "loop_hours_for_all": seconds / N_SAMPLED * problem.n_voxels / 3600,
        "loop_n_voxels": N_SAMPLED,
        "largest_difference_of_null": float(np.abs(null - test.null[:, voxels]).max()),
        "n_p_values_that_differ": int((p_values != test.p_values[voxels]).sum()),
    }


def rearranged(series: Array, drawn: Null, number: int) -> Array:
    """Write out one rearrangement, run by run."""
    moved, used = [], 0
    for i, run_of in enumerate(np.split(series, np.cumsum(drawn.lengths)[:-1])):
        if isinstance(drawn, CircularShifts):
            moved.append(np.roll(run_of, drawn.shifts[number, i]))
        elif isinstance(drawn, BlockOrders):
            starts = range(0, len(run_of), drawn.block_trs)
            blocks = [run_of[start : start + drawn.block_trs] for start in starts]
            moved.append(np.concatenate([blocks[j] for j in drawn.orders[i][number]]))
        else:
            spectrum = np.fft.rfft(run_of)
            spectrum *= np.exp(1j * drawn.phases[number, used : used + len(spectrum)])
            used += len(spectrum)
            moved.append(np.fft.irfft(spectrum, n=len(run_of)))
    return np.concatenate(moved)


def peak_gib() -> float:
    """Most resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / GIB


def in_turns(problem: Problem, repeats: int, *, quick: bool) -> list[dict[str, Any]]:
    """Measure every way once in each repeat, each in a process of its own."""
    found: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    for _ in range(repeats):
        for way in WAYS:
            command = [sys.executable, __file__, "--measure", way, *(["--quick"] if quick else [])]
            told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            found[way].append(json.loads(told.splitlines()[-1]))
            print(f"{way}: {found[way][-1]['seconds']:.1f} s", flush=True)
    return [
        {
            **measured[-1],
            "all_seconds": [one["seconds"] for one in measured],
            "seconds": statistics.median(one["seconds"] for one in measured),
            "peak_gib": max(one["peak_gib"] for one in measured),
        }
        for measured in found.values()
    ]


def main() -> None:
    """Measure, print and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--measure", choices=WAYS)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/permutation.json"))
    asked = parser.parse_args()
    problem = QUICK if asked.quick else Problem()
    if asked.measure:
        print(json.dumps(measure(asked.measure, problem)))
        return
    found = {
        "machine": machine_facts(),
        "problem": asdict(problem),
        "block_trs": BLOCK_TRS,
        "measured": in_turns(problem, asked.repeats, quick=asked.quick),
    }
    print(json.dumps(found, indent=1))
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
