"""Weigh a mix on rows that had a part in choosing the models' alphas, and on rows that had none.

python benchmarks/stacking_alphas.py [--quick] [--out FILE]

Planted truth: five designs, of which none, one, two or three (alike, as layers are) made the
responses. A mix as Stacking makes it, with alphas chosen on all training rows, beside one whose
residuals come from alphas that are chosen anew within the training rows of each fold.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from _machine import machine_facts

import voxscale as vs
from voxscale.fit import (
    RidgeCV,
    Stacking,
    leave_run_out,
    residual_covariance,
    stacked_prediction,
    stacking_weights,
)

Array = np.ndarray

STORY_TRS, N_STORIES, N_TEST_TRS, N_FEATURES, N_VOXELS = 100, 6, 1000, 100, 200
SIGNAL, ALPHAS = 0.1, np.logspace(0, 6, 13)
# What each design has in what was planted; and how much all designs have in common.
PLANTED: dict[str, tuple[list[float], float]] = {
    "none is true": ([0, 0, 0, 0, 0], 0.0),
    "one is true": ([1, 0, 0, 0, 0], 0.0),
    "two are true": ([0.5, 0.5, 0, 0, 0], 0.0),
    "three of five alike are true": ([0.4, 0.3, 0.3, 0, 0], 0.8),
}


def smooth(rng: np.random.Generator, *shape: int) -> Array:
    """Draw noise as slow as BOLD, over the second axis from the end."""
    kernel = np.exp(-np.arange(6) / 2)
    draw = rng.standard_normal((*shape[:-2], shape[-2] + 20, shape[-1]))
    return np.apply_along_axis(np.convolve, -2, draw, kernel, mode="same")[..., 10:-10, :]


def draw(rng: np.random.Generator, shares: list[float], alike: float) -> tuple[Array, ...]:
    """Draw designs and responses, to train and to test."""
    n_trs = STORY_TRS * N_STORIES
    designs = smooth(rng, len(shares), n_trs + N_TEST_TRS, N_FEATURES)
    common = smooth(rng, n_trs + N_TEST_TRS, N_FEATURES)
    designs = alike * common + np.sqrt(1 - alike**2) * designs
    weights = rng.standard_normal((len(shares), N_FEATURES, N_VOXELS))
    signal = np.einsum("m,mtf,mfv->tv", np.sqrt(shares), designs, weights, optimize=True)
    noise = smooth(rng, n_trs + N_TEST_TRS, N_VOXELS)
    Y = np.sqrt(SIGNAL) * signal / (signal.std() or 1) + np.sqrt(1 - SIGNAL) * noise / noise.std()
    return designs[:, :n_trs], designs[:, n_trs:], Y[:n_trs], Y[n_trs:]


def nested_weights(designs: Array, Y: Array, folds: list[Any]) -> Array:
    """Weigh models by rows that had no part in choosing their alphas."""
    held = np.empty((len(designs), *Y.shape))
    inner = leave_run_out([STORY_TRS] * (N_STORIES - 1))
    for train, left_out in folds:
        estimator = RidgeCV(ALPHAS, inner, device="cpu")
        models = estimator.fit_designs([X[train] for X in designs], Y[train])
        for i, (model, X) in enumerate(zip(models, designs, strict=True)):
            held[i, left_out] = model.predict(X[left_out])
    return stacking_weights(residual_covariance(Y, list(held)))


def once(seed: int, shares: list[float], alike: float) -> dict[str, float]:
    """Compare the two on one draw."""
    designs, test, Y, Y_test = draw(np.random.default_rng(seed), shares, alike)
    folds = leave_run_out([STORY_TRS] * N_STORIES)
    stacked = Stacking(RidgeCV(ALPHAS, folds, device="cpu"), folds).fit(list(designs), Y)
    each = stacked.predict_each(list(test))
    found: dict[str, float] = {}
    weights = {"as done": stacked.weights_, "nested": nested_weights(designs, Y, folds)}
    for name, mix in weights.items():
        prediction = stacked_prediction(each, mix)
        found[f"{name}: test r"] = float(np.nanmean(vs.correlation(Y_test, prediction)))
        found[f"{name}: squared test error"] = float(np.square(Y_test - prediction).mean())
        wrong = mix[:, np.asarray(shares) == 0]
        found[f"{name}: weight of models that know nothing"] = float(wrong.sum(axis=1).mean())
    found["largest single model: test r"] = float(np.nanmean(vs.correlation(Y_test, each[0])))
    return found


def main() -> None:
    """Simulate, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two draws, to see that it works")
    parser.add_argument("--out", type=Path, help="default: results/stacking_alphas.json beside it")
    arguments = parser.parse_args()
    n_draws = 2 if arguments.quick else 20
    result: dict[str, Any] = {"machine": machine_facts() | {"taken": time.strftime("%Y-%m-%d")}}
    result["n_draws"] = n_draws
    for name, planted in PLANTED.items():
        draws = [once(seed, *planted) for seed in range(n_draws)]
        result[name] = {
            key: {
                "mean": float(np.mean([one[key] for one in draws])),
                "standard_error": float(np.std([one[key] for one in draws]) / n_draws**0.5),
            }
            for key in draws[0]
        }
        print(name, json.dumps(result[name], indent=2), flush=True)
    out = arguments.out
    if out is None and not arguments.quick:
        out = Path(__file__).parent / "results/stacking_alphas.json"
    if out is not None:
        out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
