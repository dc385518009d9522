"""Measure what balancing feature spaces, and leaving some out, does to unique parts.

python benchmarks/balanced_unions.py [--quick] [--out benchmarks/results/balanced_unions.json]

All is planted: a wide space with the falling spectrum of a language model and narrow ones, of
which some explain the responses. R² of all together and unique parts, by RidgeCV with one penalty
for all columns, balanced, and balanced with the choice of spaces by validation.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from _machine import machine_facts

from voxscale import RidgeCV, zscore
from voxscale.evaluate import variance_partition

Array = np.ndarray
# What each space explains, as R² of the truth, by name of the case.
CASES = {
    "word rate": {"language": 0.0, "rate": 0.2},
    "language model": {"language": 0.2, "rate": 0.0},
    "both": {"language": 0.1, "rate": 0.1},
    "both, weak": {"language": 0.03, "rate": 0.03},
    "two wide ones": {"language": 0.1, "other": 0.1},
    "one wide one of two": {"language": 0.2, "other": 0.0},
    "two of three": {"language": 0.1, "rate": 0.1, "position": 0.0},
}
WIDTHS = {"language": 500, "rate": 5, "position": 4, "other": 300}
WAYS = {
    "one penalty": {"balance": False, "choose": False},
    "balanced": {"balance": True, "choose": False},
    "balanced, chosen": {"balance": True, "choose": True},
}


def measured(case: str, n_draws: int) -> list[dict[str, Any]]:
    """Partition the R² of 100 voxels on 300 TRs, after 600 for training."""
    truth, found = CASES[case], defaultdict(list)
    for seed in range(n_draws):
        rng = np.random.default_rng(seed)
        arrays = {name: space(rng, 900, WIDTHS[name]) for name in truth}
        noise = np.sqrt(1 - sum(truth.values())) * rng.standard_normal((900, 100))
        Y = noise + sum(
            np.sqrt(share) * zscore(arrays[name] @ rng.standard_normal((WIDTHS[name], 100)))
            for name, share in truth.items()
        )
        spaces = {name: (X[:600], X[600:]) for name, X in arrays.items()}
        for way, options in WAYS.items():
            model = RidgeCV(np.logspace(-1, 6, 15))
            parts = variance_partition(spaces, Y[:600], Y[600:], model, **options)
            unique = [part.mean() for part in parts.unique.values()]
            n_negative = [parts.n_negative[(name,)] / 100 for name in truth]
            found[way].append([parts.total.mean(), *unique, *n_negative])
    rows = []
    for way, draws in found.items():
        total, *rest = np.mean(draws, axis=0).round(4).tolist()
        unique, negative = rest[: len(truth)], rest[len(truth) :]
        rows.append(
            {
                "case": case,
                "way": way,
                "r2": total,
                "unique": dict(zip(truth, unique, strict=True)),
                "share_negative": dict(zip(truth, negative, strict=True)),
            }
        )
    return rows


def space(rng: np.random.Generator, n_trs: int, n_columns: int) -> Array:
    """Make columns; those of wide spaces have a spectrum that falls off."""
    white = rng.standard_normal((n_trs, n_columns))
    if n_columns < 100:
        return zscore(white)
    turn = np.linalg.qr(rng.standard_normal((n_columns, n_columns)))[0]
    return zscore(white * np.arange(1, n_columns + 1) ** -0.5 @ turn)


def main() -> None:
    """Measure, print and write down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one draw, to see that it runs")
    default = Path(__file__).parent / "results" / "balanced_unions.json"
    parser.add_argument("--out", type=Path, default=default)
    arguments = parser.parse_args()
    facts: dict[str, Any] = {"machine": machine_facts(), "rows": []}
    for case in CASES:
        for row in measured(case, 1 if arguments.quick else 4):
            facts["rows"].append(row)
            print(json.dumps(row), flush=True)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(facts, indent=1) + "\n")
    print(f"written to {arguments.out}")


if __name__ == "__main__":
    main()
