"""How far answers are from each other, and from float64 brute force."""

from typing import Any

import numpy as np
from _ridge_data import Problem

from voxscale.fit import RidgeCV

Array = np.ndarray

N_SAMPLED = 400


def correlations(Y: Array, Y_pred: Array) -> Array:
    """Pearson correlation of each voxel, in float64."""
    y, p = (part - part.mean(axis=0, dtype=np.float64) for part in (Y, Y_pred))
    norms = np.sqrt(np.square(y).sum(axis=0) * np.square(p).sum(axis=0))
    return (y * p).sum(axis=0) / norms


def compare(answers: dict[str, Any], data: dict[str, Array]) -> dict[str, dict[str, float]]:
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


def brute_force(X: Array, Y: Array, problem: Problem) -> Array:
    """Scores (n_alphas, n_voxels, n_splits) in float64, a linear system for each alpha."""
    X, Y = X.astype(np.float64), Y.astype(np.float64)
    is_wide = problem.n_trs <= problem.n_features
    scores = np.empty((problem.n_alphas, Y.shape[1], problem.n_splits))
    for i, (train, validation) in enumerate(problem.splits):
        products = X[train] @ X[train].T if is_wide else X[train].T @ X[train]
        targets = Y[train] if is_wide else X[train].T @ Y[train]
        rows = X[validation] @ X[train].T if is_wide else X[validation]
        y = Y[validation]
        total = np.square(y - y.mean(axis=0)).sum(axis=0)
        for a, alpha in enumerate(problem.alphas):
            penalised = products + alpha * np.eye(len(products))
            error = y - rows @ np.linalg.solve(penalised, targets)
            scores[a, :, i] = 1 - np.square(error).sum(axis=0) / total
    return scores


def against_brute_force(data: dict[str, Array], problem: Problem) -> dict[str, float]:
    """Ours against float64 brute force, on some of the voxels, fitted among all."""
    model = RidgeCV(problem.alphas, problem.splits, device="cpu", weights=None)
    model.fit(data["X"], data["Y"])
    some = np.linspace(0, problem.n_voxels - 1, min(N_SAMPLED, problem.n_voxels)).astype(int)
    exact = brute_force(data["X"], data["Y"][:, some], problem)
    ours = model.cv_scores_[:, some]
    best = exact.mean(axis=2).argmax(axis=0)
    found = ours.mean(axis=2).argmax(axis=0)
    return {
        "n_voxels": len(some),
        "share_of_equal_alphas": float((found == best).mean()),
        "max_abs_difference_in_scores": float(np.abs(ours - exact).max()),
        "max_abs_difference_in_best_scores": float(
            np.abs(ours.mean(axis=2).max(axis=0) - exact.mean(axis=2).max(axis=0)).max()
        ),
    }
