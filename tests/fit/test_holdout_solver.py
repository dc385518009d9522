from __future__ import annotations

import numpy as np
import pytest
import torch

from voxscale.errors import FitError
from voxscale.fit import Gram, chunk_holdout, contiguous_folds, cv_scores
from voxscale.fit._holdout_solver import HoldoutPaths, rows_left_out
from voxscale.fit._scoring import Moments
from voxscale.fit._solvers import residuals_size

ALPHAS = np.logspace(-1, 5, 18)
FORMS = {"primal": (80, 9), "dual": (50, 70)}


def paths_of(gram, splits, alphas=ALPHAS, tolerance=1e-12, **options):
    rows = [tuple(torch.from_numpy(part) for part in pair) for pair in splits]
    return HoldoutPaths.of(gram, rows, alphas, tolerance, **options)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("shape", FORMS.values(), ids=FORMS)
def test_sums_are_those_of_the_predictions(rng, naive_fit, shape, fit_intercept, weighted):
    X, Y = rng.standard_normal(shape) + 1, rng.standard_normal((shape[0], 4)) + 2
    w = rng.uniform(0.2, 2, shape[0]) if weighted else np.ones(shape[0])
    order = rng.permutation(shape[0])
    splits = [(order[12:-3], order[:12]), (order[:-9], order[-9:])]
    gram = Gram.of(
        X,
        sample_weight=w if weighted else None,
        fit_intercept=fit_intercept,
        device="cpu",
        dtype="float64",
    )
    alphas = np.r_[ALPHAS, 1e12]
    paths = paths_of(gram, splits, alphas)
    made = paths.moments(torch.tensor(Y * np.sqrt(w)[:, None]))
    for found, (train, validation) in zip(made, splits, strict=True):
        for a, alpha in enumerate(alphas):
            coef, intercept = naive_fit(
                X[train], Y[train], alpha, fit_intercept=fit_intercept, sample_weight=w[train]
            )
            predicted = torch.tensor(X[validation] @ coef + intercept)
            expected = Moments.of(torch.tensor(Y[validation]), predicted)
            np.testing.assert_allclose(found.yy, expected.yy, rtol=1e-9)
            for name in ("yp", "pp"):
                one, other = getattr(found, name)[a], getattr(expected, name)
                np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-8)
            # Both means are about that of all rows, where there is an intercept.
            off = found.y_mean - found.p_mean[a]
            np.testing.assert_allclose(off, expected.y_mean - expected.p_mean, atol=1e-8)


@pytest.mark.parametrize("gap", [0, 2])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("shape", [(900, 60), (400, 700)], ids=["primal", "dual"])
def test_errors_alone_are_those_of_the_predictions(rng, shape, fit_intercept, weighted, gap):
    w = rng.uniform(0.2, 2, shape[0]) if weighted else np.ones(shape[0])
    X, Y = rng.standard_normal(shape) + 1, rng.standard_normal((shape[0], 3)) + 2
    splits = chunk_holdout(shape[0], chunk_len=20, n_chunks=8, n_repeats=2, seed=0, gap=gap)
    gram = Gram.of(
        X,
        sample_weight=w if weighted else None,
        fit_intercept=fit_intercept,
        device="cpu",
        dtype="float64",
    )
    values = torch.tensor(Y * np.sqrt(w)[:, None])
    alphas = np.logspace(-2, 9, 30)
    sums = paths_of(gram, splits, alphas)
    errors = paths_of(gram, splits, alphas, only_errors=True)
    for found, expected in zip(errors.moments(values), sums.moments(values), strict=True):
        np.testing.assert_allclose(found.yy, expected.yy, rtol=1e-12)
        np.testing.assert_allclose(found.error, expected.error, rtol=1e-8)


def test_triangles_are_taken_where_every_row_left_out_is_scored(rng):
    gram = Gram.of(rng.standard_normal((600, 900)), device="cpu")
    alphas = np.array([1e-4, 1e3, 1e4, 1e9])
    for gap, is_cut in ((0, True), (2, False)):
        splits = chunk_holdout(600, chunk_len=20, n_chunks=15, n_repeats=1, seed=0, gap=gap)
        paths = paths_of(gram, splits, alphas, 0, only_errors=True)
        n_scored, n_left_out = len(splits[0][1]), 600 - len(splits[0][0])
        hard, *easy, tiny = paths.systems[0]
        assert [len(one.parts) for one in (hard, *easy)] == [1, *(3 if is_cut else 1,) * 2]
        assert hard.size == n_scored * n_left_out
        assert all((one.size < 0.75 * hard.size) == is_cut for one in easy)
        assert tiny.own is not None


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_systems_hold_what_costs_count(rng, dtype):
    gram = Gram.of(rng.standard_normal((600, 900)), device="cpu", dtype=dtype)
    splits = [
        *chunk_holdout(600, chunk_len=20, n_chunks=15, n_repeats=1, seed=0),
        *chunk_holdout(600, chunk_len=20, n_chunks=5, n_repeats=1, seed=1, gap=2),
    ]
    paths = paths_of(gram, splits, np.array([2e3, 8e3]), 0, only_errors=True)
    for (train, held), solved in zip(splits, paths.systems, strict=True):
        for system in solved:
            assert system.size == residuals_size(len(held), 600 - len(train))
            stored = sum(part.untyped_storage().nbytes() for part in system.parts)
            assert stored == system.size * torch.finfo(gram.X.dtype).bits // 8


@pytest.mark.parametrize("gap", [0, 2])
@pytest.mark.parametrize("n_alphas", [15, 60])
def test_errors_are_summed_where_that_is_less_work(rng, n_alphas, gap):
    gram = Gram.of(rng.standard_normal((600, 900)), device="cpu")
    splits = chunk_holdout(600, chunk_len=20, n_chunks=15, n_repeats=3, seed=0, gap=gap)
    alphas = np.logspace(0, 6, n_alphas)
    either = paths_of(gram, splits, alphas, 1e-6, only_errors=True)
    predictions = paths_of(gram, splits, alphas, 1e-6)
    assert either.only_errors == (gap == 0)
    assert either.flop_per_voxel <= predictions.flop_per_voxel


def test_rows_that_do_not_train_are_left_out():
    assert rows_left_out(6, torch.tensor([4, 0, 2])).tolist() == [1, 3, 5]
    assert rows_left_out(2, torch.tensor([0, 1])).tolist() == []


def test_rows_of_all_splits_are_made_once(rng):
    gram = Gram.of(rng.standard_normal((60, 10)), device="cpu", dtype="float64")
    splits = chunk_holdout(60, chunk_len=5, n_chunks=2, n_repeats=8, seed=0, gap=1)
    paths = paths_of(gram, splits)
    left_out = np.unique(np.concatenate([np.setdiff1d(np.arange(60), one) for one, _ in splits]))
    np.testing.assert_array_equal(paths.rows, left_out)
    assert len(paths.splits) == len(paths.systems) == 8
    assert all(len(solved) == len(paths.nodes) for solved in paths.systems)
    held = paths.to_inputs.numel() + sum(one.size for some in paths.systems for one in some)
    assert paths.n_bytes == 8 * held + sum(one.n_bytes for _, one in paths.right_side)
    assert paths.flop_per_voxel > 2 * held


def test_few_alphas_tell_of_all(rng):
    gram = Gram.of(rng.standard_normal((60, 10)), device="cpu")
    splits, alphas = contiguous_folds(60, 5), np.logspace(-1, 5, 60)
    assert len(paths_of(gram, splits, alphas, 1e-6).nodes) < 16
    assert len(paths_of(gram, splits, alphas, 0).nodes) == 60
    assert len(paths_of(gram, splits, alphas, 1e-6, only_errors=True).nodes) < 25
    assert len(paths_of(gram, splits, alphas, 0, only_errors=True).nodes) == 60


@pytest.mark.parametrize("seed", [5, 8, 11])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("shape", [(60, 20), (40, 70)], ids=["primal", "dual"])
def test_small_systems_do_not_enlarge_what_float32_loses(naive, shape, fit_intercept, seed):
    """The mean that is left of responses about their mean, above all."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal(shape) * np.linspace(0.1, 3, shape[1]) + 1
    Y = 0.1 * X @ rng.standard_normal((shape[1], 5)) + rng.standard_normal((shape[0], 5)) + 2
    splits = chunk_holdout(shape[0], chunk_len=6, n_chunks=1, n_repeats=3, seed=1)
    expected = naive(X, Y, splits, ALPHAS, fit_intercept=fit_intercept)["r2"]
    gram = Gram.of(X, fit_intercept=fit_intercept, device="cpu")
    scores = cv_scores(gram, Y, splits, ALPHAS, solver="holdout")
    np.testing.assert_allclose(scores, expected, atol=5e-5)


def test_a_system_that_is_singular_is_told(rng):
    # Three rows alone have a value in the last column: without them, nothing tells its weight.
    X = rng.standard_normal((30, 5))
    X[:, 4] = 0
    X[:3, 4] = 1e8
    gram = Gram.of(X, device="cpu", dtype="float64")
    splits = [(np.arange(3, 30), np.arange(3))]
    with pytest.raises(FitError, match=r"\(3 × 3\) with its penalty is not positive definite"):
        cv_scores(gram, rng.standard_normal((30, 2)), splits, [1e-6], solver="holdout")


@pytest.mark.parametrize("fit_intercept", [False, True])
def test_heavy_rows_that_are_left_out_are_left_to_other_solvers(rng, fit_intercept):
    """Their system about the mean is all but singular, whatever the penalty."""
    X, Y = rng.standard_normal((40, 60)) + 1, rng.standard_normal((40, 5))
    weight = np.where(np.arange(40) < 10, 1.0, 1e-7)
    splits = [(np.arange(10, 40), np.arange(10)), (np.arange(10), np.arange(10, 40))]
    scores = {
        dtype: cv_scores(
            Gram.of(
                X, fit_intercept=fit_intercept, sample_weight=weight, device="cpu", dtype=dtype
            ),
            Y,
            splits,
            [1e-3, 1.0, 1e3],
            solver=solver,
        )
        for dtype, solver in (("float32", "auto"), ("float64", "split"))
    }
    np.testing.assert_allclose(scores["float32"], scores["float64"], atol=1e-3)
