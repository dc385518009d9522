"""Measure how often permutation tests call chance significant, by autocorrelation, runs and blocks.

python benchmarks/false_positives.py [--quick] [--batches 4] [--out FILE]

Responses and predictions are unrelated series, autoregressive of order one or, for
compare_models, of two other kinds, z-scored run by run. Each batch of voxels has series and
permutations of its own, so that a share is not that of one lucky draw. The tables in the docstrings
of permutation_test and compare_models are the ones that this prints.
"""

import argparse
import json
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _machine import machine_facts
from scipy.signal import lfilter

from voxscale.errors import VoxscaleWarning
from voxscale.evaluate import compare_models, permutation_test

Array = np.ndarray

RUNS = {
    "one of 790 TRs": (790,),
    "one of 300 TRs": (300,),
    "three of 250 TRs": (250,) * 3,
    "five of 60 TRs": (60,) * 5,
}
AUTOCORRELATIONS = (0.5, 0.7, 0.8, 0.9)
SHIFTS = (10, 1)
NULL_BLOCKS = (20, 30, 60)
MODEL_BLOCKS = (20, 30, 40, 60)
WARM_UP_TRS = 200


@dataclass(frozen=True)
class Problem:
    """How much is tested in each cell."""

    n_batches: int = 4
    n_voxels: int = 10_000  # of each batch
    n_permutations: int = 999


def smooth(rng: np.random.Generator, lengths: tuple[int, ...], n_voxels: int, r: float) -> Array:
    """Draw stationary series with an autocorrelation of r from TR to TR, z-scored by run."""
    return np.concatenate([zscored(autoregressive(rng, n, n_voxels, r)) for n in lengths])


def haemodynamic(rng: np.random.Generator, lengths: tuple[int, ...], n_voxels: int) -> Array:
    """Draw white noise that a haemodynamic response has smoothed, at a TR of 2 s."""
    at = np.arange(0.0, 24.0, 2.0)
    kernel = at**5 * np.exp(-at) / 120 - at**15 * np.exp(-at) / 1.307674368e12 / 6
    return np.concatenate(
        [
            zscored(lfilter(kernel, [1.0], white(rng, n, n_voxels), axis=0)[WARM_UP_TRS:])
            for n in lengths
        ]
    )


def slow_beneath_noise(rng: np.random.Generator, lengths: tuple[int, ...], n_voxels: int) -> Array:
    """Draw slow series (0.95 from TR to TR) and as much white noise."""
    return np.concatenate(
        [
            zscored(
                zscored(autoregressive(rng, n, n_voxels, 0.95))
                + white(rng, n, n_voxels)[WARM_UP_TRS:]
            )
            for n in lengths
        ]
    )


def white(rng: np.random.Generator, n_trs: int, n_voxels: int) -> Array:
    """Draw white noise, with TRs to spare for filters to settle."""
    return rng.standard_normal((n_trs + WARM_UP_TRS, n_voxels))


def autoregressive(rng: np.random.Generator, n_trs: int, n_voxels: int, r: float) -> Array:
    """Draw one run, stationary."""
    return lfilter([1.0], [1.0, -r], white(rng, n_trs, n_voxels), axis=0)[WARM_UP_TRS:]


def zscored(series: Array) -> Array:
    """Give each column a mean of 0 and a variance of 1."""
    return (series - series.mean(axis=0)) / series.std(axis=0)


OTHER_SERIES: dict[str, Callable[..., Array]] = {
    "haemodynamic": haemodynamic,
    "slow beneath noise": slow_beneath_noise,
}


def tests_of_one(lengths: tuple[int, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name the ways to test one prediction that these runs allow."""
    for min_shift in SHIFTS:
        yield f"shift {min_shift}", {"kind": "circular-shift", "min_shift": min_shift}
    yield "phase", {"kind": "phase"}
    for block_trs in NULL_BLOCKS:
        if 2 * block_trs <= min(lengths):
            yield f"block {block_trs}", {"kind": "block", "block_trs": block_trs}


def tests_of_two(lengths: tuple[int, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name the ways to compare two predictions that these runs allow."""
    for block_trs in MODEL_BLOCKS:
        if block_trs <= min(lengths):
            yield f"block {block_trs}", {"block_trs": block_trs}
            yield f"block {block_trs}, not widened", {"block_trs": block_trs, "widen": False}
    if min(lengths) >= 40:
        yield "block 40, greater", {"block_trs": 40, "alternative": "greater"}
        yield "block 40, r2", {"block_trs": 40, "statistic": "r2"}


def measure(problem: Problem) -> dict[str, list[dict[str, Any]]]:
    """Return shares for every setting: of one prediction, of two useless ones, of two equals."""
    found: dict[str, list[dict[str, Any]]] = {
        "permutation_test": [], "compare_models": [], "compare_models of equals": [],
    }  # fmt: skip
    for r in AUTOCORRELATIONS:
        for runs, lengths in RUNS.items():
            p_values: dict[str, dict[str, list[Array]]] = {name: {} for name in found}
            for batch in range(problem.n_batches):
                rng = np.random.default_rng([batch, round(100 * r), *lengths])
                keep(p_values, one_batch(rng, lengths, r, problem))
            for name, of_ways in p_values.items():
                shares = {way: share_of(batches) for way, batches in of_ways.items()}
                found[name].append({"autocorrelation": r, "runs": runs, "shares": shares})
            print(r, runs, found["compare_models"][-1]["shares"], flush=True)
    return found


def measure_others(problem: Problem) -> list[dict[str, Any]]:
    """Compare useless predictions where series are not autoregressive of order one."""
    found = []
    for kind, draw in OTHER_SERIES.items():
        for runs, lengths in RUNS.items():
            p_values: dict[str, list[Array]] = {}
            for batch in range(problem.n_batches):
                rng = np.random.default_rng([batch, *lengths])
                series = [draw(rng, lengths, problem.n_voxels) for _ in range(3)]
                options = {"run_lengths": lengths, "n_permutations": problem.n_permutations}
                for way, own in tests_of_two(lengths):
                    values = compare_models(*series, seed=rng, **options, **own).p_values
                    p_values.setdefault(way, []).append(values)
            shares = {way: share_of(batches) for way, batches in p_values.items()}
            found.append({"series": kind, "runs": runs, "shares": shares})
            print(kind, runs, shares, flush=True)
    return found


def keep(
    p_values: dict[str, dict[str, list[Array]]], batch: Iterator[tuple[str, str, Array]]
) -> None:
    """Collect the p-values of a batch by what was tested, and how."""
    for name, way, values in batch:
        p_values[name].setdefault(way, []).append(values)


def one_batch(
    rng: np.random.Generator, lengths: tuple[int, ...], r: float, problem: Problem
) -> Iterator[tuple[str, str, Array]]:
    """Test new voxels in every way."""
    options = {"run_lengths": lengths, "n_permutations": problem.n_permutations, "seed": rng}
    Y, first, second, shared, errors = (smooth(rng, lengths, problem.n_voxels, r) for _ in range(5))
    for way, own in tests_of_one(lengths):
        yield "permutation_test", way, permutation_test(Y, first, **options, **own).p_values
    for way, own in tests_of_two(lengths):
        found = compare_models(Y, first, second, **options, **own)
        yield "compare_models", way, found.p_values
    # Both know half of the signal, and their errors are related.
    truth = 0.5 * shared + Y
    a, b = (0.5 * (shared + errors + one) for one in (first, second))
    for way, own in tests_of_two(lengths):
        found = compare_models(truth, a, b, **options, **own)
        yield "compare_models of equals", way, found.p_values


def share_of(batches: list[Array]) -> dict[str, float]:
    """Return the share of p-values that reach a level."""
    p_values = np.concatenate(batches)
    return {str(level): float(np.mean(p_values <= level)) for level in (0.05, 0.01)}


def tables(found: dict[str, list[dict[str, Any]]]) -> dict[str, list[str]]:
    """Write the tables of the docstrings."""
    return {
        "permutation_test, min_shift": table(
            [one for one in found["permutation_test"] if one["autocorrelation"] == 0.7],
            "runs", {str(one): f"shift {one}" for one in SHIFTS}, both_levels, with_r=False,
        ),
        "permutation_test, kinds": table(
            found["permutation_test"], "autocorrelation, runs",
            {"circular-shift": "shift 1", "phase": "phase"}
            | {f"block {one}": f"block {one}" for one in NULL_BLOCKS},
            one_level, with_r=True,
        ),
        "compare_models": table(
            found["compare_models"], "autocorrelation, runs",
            {str(one): f"block {one}" for one in MODEL_BLOCKS}
            | {"40, not widened": "block 40, not widened"},
            one_level, with_r=True,
        ),
    }  # fmt: skip


def both_levels(share: dict[str, float]) -> str:
    """Write the shares below 0.05 and below 0.01."""
    return f"{share['0.05']:.3f}, {share['0.01']:.3f}"


def one_level(share: dict[str, float]) -> str:
    """Write the share below 0.05."""
    return f"{share['0.05']:.3f}"


def table(
    rows: list[dict[str, Any]], first: str, columns: dict[str, str],
    cell: Callable[[dict[str, float]], str], *, with_r: bool,
) -> list[str]:  # fmt: skip
    """Lay out a table in reStructuredText."""
    lines = [[first, *columns]]
    for row in rows:
        name = f"{row['autocorrelation']}, {row['runs']}" if with_r else row["runs"]
        shares = row["shares"]
        lines.append(
            [name, *(cell(shares[way]) if way in shares else "—" for way in columns.values())]
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rule = "  ".join("=" * width for width in widths)
    laid = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
    return [rule, laid[0], rule, *laid[1:], rule]


def extremes(found: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Tell the smallest and largest share at 0.05 of each way, over all settings."""
    told: dict[str, Any] = {}
    for name, rows in found.items():
        by_way: dict[str, list[float]] = {}
        for row in rows:
            for way, share in row["shares"].items():
                by_way.setdefault(way, []).append(share["0.05"])
        told[name] = {way: [min(shares), max(shares)] for way, shares in by_way.items()}
    return told


def main() -> None:
    """Measure, print and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--batches", type=int, default=Problem.n_batches)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/false_positives.json"))
    asked = parser.parse_args()
    problem = Problem(1, 200, 99) if asked.quick else Problem(asked.batches)
    warnings.simplefilter("ignore", VoxscaleWarning)  # five blocks have few orders, and say so
    started = time.perf_counter()
    found = measure(problem)
    found["compare_models of other series"] = measure_others(problem)
    n_voxels = problem.n_batches * problem.n_voxels
    result = {
        "machine": machine_facts(),
        "problem": asdict(problem),
        "standard_error_at_0.05": float(np.sqrt(0.05 * 0.95 / n_voxels)),
        "seconds": time.perf_counter() - started,
        "found": found,
        "smallest_and_largest_at_0.05": extremes(found),
        "tables": tables(found),
    }
    print(*("\n".join(lines) for lines in result["tables"].values()), sep="\n\n")
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
