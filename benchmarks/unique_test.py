"""Measure how often tests find a language model that adds nothing to baselines, and one that does.

python benchmarks/unique_test.py [--quick] [--out benchmarks/results/unique_test.json]

Truth is planted: responses are word rate, position in the story and autoregressive noise, and, to
measure power, features of a "language model". Stimuli are drawn anew for every few voxels, as the
chance of one stimulus is shared by all voxels that heard it.
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _machine import machine_facts
from scipy.signal import lfilter

from voxscale.design import delay, zscore
from voxscale.evaluate import permutation_test, position_features, union_predictions, unique_test
from voxscale.fit import RidgeCV

Array = np.ndarray
DELAYS = (1, 2, 3, 4)
BASELINE_R2 = 0.15
RATE_AR, LANGUAGE_AR = 0.5, 0.8
ALPHAS = np.logspace(0, 5, 11)
LEVELS = (0.05, 0.01)


@dataclass(frozen=True)
class Problem:
    """What is simulated."""

    test_runs: tuple[int, ...]
    noise_ar: float
    unique_r2: float = 0.0
    train_runs: tuple[int, ...] = (300, 300)
    n_columns: int = 100
    n_voxels: int = 20_000
    n_voxels_per_stimulus: int = 100
    n_permutations: int = 299


def autoregressive(rng: np.random.Generator, n_trs: int, n_columns: int, rho: float) -> Array:
    """Draw stationary series of variance 1 whose correlation from TR to TR is ``rho``."""
    white = rng.standard_normal((n_trs + 100, n_columns))
    return lfilter([np.sqrt(1 - rho**2)], [1.0, -rho], white, axis=0)[100:]


def per_run(rng: np.random.Generator, lengths: tuple[int, ...], n: int, rho: float) -> list[Array]:
    """Draw series for each run by itself."""
    return [autoregressive(rng, length, n, rho) for length in lengths]


def stimuli(rng: np.random.Generator, problem: Problem) -> dict[str, tuple[Array, Array]]:
    """Draw baselines and language model: (train, test) of each, z-scored per run."""
    lengths = problem.train_runs + problem.test_runs
    n_train = sum(problem.train_runs)
    rate = [zscore(delay(run, DELAYS)) for run in per_run(rng, lengths, 1, RATE_AR)]
    position = position_features(lengths)
    language = [zscore(run) for run in per_run(rng, lengths, problem.n_columns, LANGUAGE_AR)]
    spaces = {
        "baselines": np.hstack([np.concatenate(rate), np.concatenate(position)]),
        "language": np.concatenate(language),
    }
    return {name: (X[:n_train], X[n_train:]) for name, X in spaces.items()}


def responses(
    rng: np.random.Generator, problem: Problem, spaces: dict[str, tuple[Array, Array]], n: int
) -> tuple[Array, Array]:
    """Add what baselines and language model explain to noise: (train, test), z-scored per run."""
    lengths = problem.train_runs + problem.test_runs
    Y = np.concatenate(per_run(rng, lengths, n, problem.noise_ar))
    Y *= np.sqrt(1 - BASELINE_R2 - problem.unique_r2)
    for name, share in (("baselines", BASELINE_R2), ("language", problem.unique_r2)):
        X = np.concatenate(spaces[name])
        signal = X @ rng.standard_normal((X.shape[1], n))
        Y += np.sqrt(share) * zscore(signal)
    Y = np.concatenate([zscore(run) for run in np.split(Y, np.cumsum(lengths)[:-1])])
    return Y[: sum(problem.train_runs)], Y[sum(problem.train_runs) :]


def beyond(values: Array, baselines: Array, lengths: tuple[int, ...]) -> Array:
    """Project the means of runs, and baselines about them, out of columns."""
    runs = np.repeat(np.arange(len(lengths)), lengths)
    columns = np.hstack([runs[:, np.newaxis] == np.arange(len(lengths)), baselines])
    return values - columns @ np.linalg.lstsq(columns, values, rcond=None)[0]


def p_values(problem: Problem) -> Iterator[tuple[dict[str, Array], Array]]:
    """Yield the p-values of each test, and correlations beyond the baselines, by stimulus."""
    rng = np.random.default_rng(0)
    for start in range(0, problem.n_voxels, problem.n_voxels_per_stimulus):
        spaces = stimuli(rng, problem)
        n = min(problem.n_voxels_per_stimulus, problem.n_voxels - start)
        Y_train, Y = responses(rng, problem, spaces, n)
        model = RidgeCV(ALPHAS, cv=5, device="cpu")
        made = dict(union_predictions(spaces, Y_train, model, choose=False))
        small, joint = (
            np.asarray(made[one], dtype=np.float64) for one in (("baselines",), (*spaces,))
        )
        options: dict[str, Any] = {
            "n_permutations": problem.n_permutations,
            "run_lengths": problem.test_runs,
            "seed": rng,
        }
        others = spaces["baselines"][1]
        left = [beyond(one, others, problem.test_runs) for one in (Y, joint)]
        unique = unique_test(Y, joint, others, **options)
        tests = {
            "unique_test": unique,
            "once": permutation_test(*left, **options),
            "difference": permutation_test(Y - small, joint - small, **options),
            "joint": permutation_test(Y, joint, **options),
        }
        yield {name: test.p_values for name, test in tests.items()}, unique.observed


def measure(problem: Problem) -> dict[str, Any]:
    """Return the share of voxels that each test finds."""
    start = time.perf_counter()
    found, partial = zip(*p_values(problem), strict=True)
    shares: dict[str, dict[str, float]] = {}
    for name in found[0]:
        p = np.concatenate([of_stimulus[name] for of_stimulus in found])
        shares[name] = {f"p<={level}": round(float(np.mean(p <= level)), 4) for level in LEVELS}
        shares[name]["n_nan"] = int(np.isnan(p).sum())
    return {
        **asdict(problem),
        "shares": shares,
        "mean_partial_correlation": float(np.nanmean(np.concatenate(partial))),
        "seconds": time.perf_counter() - start,
    }


def problems(*, quick: bool) -> list[Problem]:
    """List what is simulated: chance first, then what is there to be found."""
    less = {"n_voxels": 1000, "n_permutations": 99} if quick else {}
    fewer = less or {"n_voxels": 4000}
    runs = ((300,), (250, 250, 250))
    return [Problem(one, rho, **less) for rho in (0.5, 0.8) for one in runs] + [
        Problem(one, 0.5, unique, **fewer) for unique in (0.05, 0.15) for one in runs
    ]


def main() -> None:
    """Measure, print and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/unique_test.json"))
    asked = parser.parse_args()
    measured = []
    for problem in problems(quick=asked.quick):
        measured.append(measure(problem))
        print(json.dumps(measured[-1]), flush=True)
    found = {"machine": machine_facts(), "baseline_r2": BASELINE_R2, "measured": measured}
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
