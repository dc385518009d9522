from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score

from voxscale.errors import AlignmentError, FitError
from voxscale.fit import (
    SCORINGS,
    Gram,
    _cross_validate,
    _products,
    choose_alphas,
    chunk_holdout,
    contiguous_folds,
    cv_scores,
    cv_scores_of_designs,
)
from voxscale.fit._holdout_solver import HoldoutPaths
from voxscale.fit._plan import bytes_per_voxel, work_of
from voxscale.fit._solvers import SOLVERS
from voxscale.fit._split_solver import SplitPath

SHAPES = [(40, 6), (20, 50), (15, 15)]
ALPHAS = [0.1, 1.0, 30.0, 1000.0]

# Time says nothing here: threads of the algebra may wait for each other.
few = settings(max_examples=20, deadline=None)


def exactly(X, **options):
    return Gram.of(X, device="cpu", dtype="float64", **options)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_cv_scores_are_those_of_a_refit_per_alpha_split_and_voxel(make, shape, fit_intercept):
    X, Y = make(shape)
    cv = contiguous_folds(shape[0], 3)
    scores = cv_scores(exactly(X, fit_intercept=fit_intercept), Y, cv, ALPHAS)
    assert scores.shape == (len(ALPHAS), 5, 3)
    assert scores.dtype == np.float64
    for a, alpha in enumerate(ALPHAS):
        for s, (train, validation) in enumerate(cv):
            model = Ridge(alpha=alpha, fit_intercept=fit_intercept).fit(X[train], Y[train])
            predicted = model.predict(X[validation])
            expected = r2_score(Y[validation], predicted, multioutput="raw_values")
            np.testing.assert_allclose(scores[a, :, s], expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
def test_float32_agrees_with_float64_to_its_digits(make, shape):
    X, Y = make(shape)
    for scoring in SCORINGS:
        single, double = (
            cv_scores(Gram.of(X, device="cpu", dtype=dtype), Y, 3, ALPHAS, scoring=scoring)
            for dtype in ("float32", "float64")
        )
        # A signed root is steep at 0: compare its square.
        if scoring == "huth2023":
            single, double = single * abs(single), double * abs(double)
        np.testing.assert_allclose(single, double, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("shape", [(120, 40), (60, 90)])
def test_float32_keeps_its_digits_where_features_are_nearly_dependent(rng, shape, solver):
    # Hidden states are like this: singular values over five decades, and a large mean.
    left, _, right = np.linalg.svd(rng.standard_normal(shape), full_matrices=False)
    rank = min(shape)
    X = left * np.logspace(2, -3, rank) @ right + 3
    Y = X @ rng.standard_normal((shape[1], 4)) + rng.standard_normal((shape[0], 4))
    for fit_intercept in (False, True):
        single, double = (
            Gram.of(X.astype("float32"), device="cpu", dtype=dtype, fit_intercept=fit_intercept)
            for dtype in ("float32", "float64")
        )
        for alphas in ([1e-3], [1.0], [1e3], np.logspace(-3, 3, 15)):
            one = cv_scores(single, Y, 3, alphas, solver=solver)
            other = cv_scores(double, Y, 3, alphas, solver="split")
            np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


@few
@given(st.integers(0, 2**32 - 1), st.sampled_from(SHAPES), st.sampled_from(sorted(SOLVERS)))
def test_scores_of_a_voxel_do_not_depend_on_the_others(seed, shape, solver):
    rng = np.random.default_rng(seed)
    X, Y = rng.standard_normal(shape), rng.standard_normal((shape[0], 6))
    gram = exactly(X, fit_intercept=True)
    together = cv_scores(gram, Y, 3, ALPHAS, solver=solver)
    n_first = int(rng.integers(1, 6))
    parts = (Y[:, :n_first], Y[:, n_first:])
    apart = np.concatenate([cv_scores(gram, part, 3, ALPHAS, solver=solver) for part in parts], 1)
    np.testing.assert_allclose(apart, together, rtol=1e-8, atol=1e-11)
    order = rng.permutation(6)
    permuted = cv_scores(gram, Y[:, order], 3, ALPHAS, solver=solver)
    np.testing.assert_allclose(permuted, together[:, order], rtol=1e-8, atol=1e-11)


@few
@given(
    st.integers(0, 2**32 - 1),
    st.floats(-4, 4),
    st.floats(-4, 4),
    st.sampled_from(sorted(SOLVERS)),
)
def test_scaling_both_sides_leaves_scores(seed, log_x, log_y, solver):
    rng = np.random.default_rng(seed)
    X, Y = rng.standard_normal((20, 8)), rng.standard_normal((20, 3))
    x, y = 10**log_x, 10**log_y
    for scoring in ("r2", "correlation"):
        plain, scaled = (
            cv_scores(exactly(factor * X), size * Y, 3, alphas, scoring=scoring, solver=solver)
            for factor, size, alphas in ((1, 1, np.array(ALPHAS)), (x, y, x**2 * np.array(ALPHAS)))
        )
        np.testing.assert_allclose(scaled, plain, rtol=1e-7, atol=1e-9)


@few
@given(st.integers(0, 2**32 - 1), st.sampled_from(sorted(SOLVERS)))
def test_rows_in_another_order_score_the_same(seed, solver):
    rng = np.random.default_rng(seed)
    X, Y = rng.standard_normal((24, 5)), rng.standard_normal((24, 3))
    splits, order = contiguous_folds(24, 3), rng.permutation(24)
    place = np.argsort(order)
    moved = [tuple(rng.permutation(place[rows]) for rows in pair) for pair in splits]
    plain = cv_scores(exactly(X), Y, splits, ALPHAS, solver=solver)
    again = cv_scores(exactly(X[order]), Y[order], moved, ALPHAS, solver=solver)
    np.testing.assert_allclose(again, plain, rtol=1e-8, atol=1e-11)


@few
@given(st.integers(0, 2**32 - 1), st.sampled_from(sorted(SOLVERS)), st.booleans())
def test_rows_in_neither_part_tell_nothing(seed, solver, fit_intercept):
    rng = np.random.default_rng(seed)
    shape = SHAPES[seed % 2]
    X, Y = rng.standard_normal(shape), rng.standard_normal((shape[0], 3))
    order = rng.permutation(shape[0])
    splits = [(order[8:], order[:4])]
    plain = cv_scores(exactly(X, fit_intercept=fit_intercept), Y, splits, ALPHAS, solver=solver)
    X[order[4:8]] = rng.standard_normal((4, shape[1])) * 30
    Y[order[4:8]] = rng.standard_normal((4, 3)) * 30
    other = cv_scores(exactly(X, fit_intercept=fit_intercept), Y, splits, ALPHAS, solver=solver)
    np.testing.assert_allclose(other, plain, rtol=1e-6, atol=1e-7)


def test_alphas_need_no_order(make):
    X, Y = make((30, 4))
    gram = exactly(X)
    for solver in SOLVERS:
        forwards = cv_scores(gram, Y, 3, ALPHAS, solver=solver)
        backwards = cv_scores(gram, Y, 3, ALPHAS[::-1], solver=solver)
        np.testing.assert_allclose(backwards[::-1], forwards, rtol=1e-10, atol=1e-12)
        twice = cv_scores(gram, Y, 3, [1.0, 30.0, 1.0], solver=solver)
        np.testing.assert_allclose(twice[0], twice[2], rtol=1e-10)


# Blocks and tiles leave no trace.


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("width", [1, 5])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scores_do_not_depend_on_the_width_of_blocks(make, narrow, width, dtype, solver):
    X, Y = make((30, 12), n_voxels=11)
    gram = Gram.of(X, device="cpu", dtype=dtype, fit_intercept=True)
    scores = cv_scores(gram, Y, 3, ALPHAS, solver=solver)
    narrow(width)
    rtol = 1e-4 if dtype == "float32" else 1e-10
    again = cv_scores(gram, Y, 3, ALPHAS, solver=solver)
    np.testing.assert_allclose(again, scores, rtol=rtol, atol=rtol / 10)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("shape", [(60, 12), (40, 60)], ids=["primal", "dual"])
def test_scores_do_not_depend_on_the_tiles_that_are_worked_on(make, monkeypatch, shape, solver):
    X, Y = make(shape, n_voxels=11)
    gram, alphas = exactly(X, fit_intercept=True), np.logspace(-1, 5, 20)
    scores = cv_scores(gram, Y, 3, alphas, solver=solver)
    monkeypatch.setattr(_products, "_TILE_ROWS", {"cpu": 3})
    monkeypatch.setattr(_products, "_TILE_VOXELS", {"cpu": (1, 2)})
    again = cv_scores(gram, Y, 3, alphas, solver=solver)
    np.testing.assert_allclose(again, scores, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(("n_trs", "n_validation"), [(200, 150), (300, 100)])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_many_rows_to_predict_are_shortened_to_what_spans_them(
    rng, naive, fit_intercept, n_trs, n_validation
):
    X, Y = rng.standard_normal((n_trs, 4)) + 1, rng.standard_normal((n_trs, 5))
    Y += X @ rng.standard_normal((4, 5))
    alphas = np.logspace(-1, 5, 20)
    splits = [(np.arange(n_validation, n_trs), np.arange(n_validation))]
    expected = naive(X, Y, splits, alphas, fit_intercept=fit_intercept)
    for dtype, limit in (("float64", 1e-6), ("float32", 1e-5)):
        gram = Gram.of(X, device="cpu", dtype=dtype, fit_intercept=fit_intercept)
        path = SplitPath.by_eigh(
            gram, *(torch.from_numpy(rows) for rows in splits[0]), alphas, 1e-6, 5
        )
        assert path.projection is not None
        assert path.projection.shape == (4, n_validation)
        for scoring in SCORINGS:
            scores = cv_scores(gram, Y, splits, alphas, scoring=scoring, solver="split")
            np.testing.assert_allclose(scores, expected[scoring], atol=limit)


def test_few_rows_to_predict_are_left_as_they_are(rng):
    gram = exactly(rng.standard_normal((60, 40)))
    path = SplitPath.by_eigh(gram, torch.arange(10, 60), torch.arange(10), np.ones(1), 1e-6, 10**6)
    assert path.projection is None


# Extremes.


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES)
def test_alpha_towards_infinity_predicts_zero_with_a_correlation_still(make, shape, dtype, solver):
    X, Y = make(shape)
    gram = Gram.of(X, device="cpu", dtype=dtype)
    scores = cv_scores(gram, Y, 3, [1e12, 1e60], scoring="correlation", solver=solver)
    # The direction of the weights no longer changes, although float32 cannot hold them.
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-4)
    far = cv_scores(gram, Y, 3, [1e30], scoring="r2", solver=solver)[0]
    nothing = [
        [r2_score(Y[v], np.zeros_like(Y[v]), multioutput="raw_values")]
        for _, v in contiguous_folds(shape[0], 3)
    ]
    np.testing.assert_allclose(far, np.concatenate(nothing).T, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_design_of_zeros_predicts_zero(make, solver):
    _, Y = make((12, 3))
    gram = exactly(np.zeros((12, 3)))
    options = {"solver": solver}
    assert np.isnan(cv_scores(gram, Y, 3, ALPHAS, scoring="correlation", **options)).all()
    assert np.isfinite(cv_scores(gram, Y, 3, ALPHAS, scoring="r2", **options)).all()


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("shape", SHAPES)
def test_undefined_voxels_are_nan_and_disturb_no_other(make, shape, solver):
    X, clean = make(shape)
    Y = clean.copy()
    Y[2, 0] = np.nan
    Y[5, 2] = np.inf
    Y[:, 4] = 0.1
    gram = exactly(X, fit_intercept=True)
    scores, expected = (cv_scores(gram, one, 3, ALPHAS, solver=solver) for one in (Y, clean))
    assert np.isnan(scores[:, [0, 2, 4]]).all()
    np.testing.assert_allclose(scores[:, [1, 3]], expected[:, [1, 3]], rtol=1e-9)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("scoring", SCORINGS)
def test_a_constant_validation_part_has_no_score_and_does_not_count(make, scoring, solver):
    X, Y = make((30, 4))
    Y = Y.copy()
    Y[:10, 1] = 0.1
    scores = cv_scores(exactly(X), Y, 3, ALPHAS, scoring=scoring, solver=solver)
    assert np.isnan(scores[:, 1, 0]).all()
    assert np.isfinite(scores[:, 1, 1:]).all()
    assert np.isfinite(np.delete(scores, 1, axis=1)).all()
    best = np.argmax(scores[:, 1, 1:].mean(axis=1))
    assert choose_alphas(ALPHAS, scores)[1] == ALPHAS[best]


@pytest.mark.parametrize("solver", SOLVERS)
def test_constant_training_responses_have_no_correlation_with_an_intercept(make, solver):
    X, Y = make((30, 4))
    Y = Y.copy()
    Y[10:, 1] = 0.1
    gram = exactly(X, fit_intercept=True)
    scores = cv_scores(gram, Y, 3, ALPHAS, scoring="correlation", solver=solver)
    assert np.isnan(scores[:, 1]).all()  # the other two parts are constant themselves
    r2 = cv_scores(gram, Y, 3, ALPHAS, scoring="r2", solver=solver)[:, 1, 0]
    np.testing.assert_allclose(r2, r2_score(Y[:10, 1], np.full(10, 0.1)), rtol=1e-9)


# Several designs.


@pytest.fixture
def designs(rng, frozen):
    return [frozen(rng.standard_normal((40, n_features))) for n_features in (6, 60, 13)]


@pytest.fixture
def shared(designs, rng):
    """Responses that depend on all designs."""
    return sum(X @ rng.standard_normal((X.shape[1], 10)) for X in designs)


@pytest.mark.parametrize("solver", [*SOLVERS, "auto"])
@pytest.mark.parametrize("weighted", [False, True])
def test_designs_together_score_as_each_alone(designs, shared, rng, solver, weighted):
    w = rng.uniform(0.1, 1, 40) * (rng.random(40) > 0.1) if weighted else None
    grams = [exactly(X, fit_intercept=True, sample_weight=w) for X in designs]
    together = cv_scores_of_designs(grams, shared, 4, ALPHAS, solver=solver)
    for gram, scored in zip(grams, together, strict=True):
        alone = cv_scores(gram, shared, 4, ALPHAS, solver=solver)
        np.testing.assert_allclose(scored.scores, alone, rtol=1e-9)
        assert scored.solver in SOLVERS
        assert scored.solver == solver or solver == "auto"
        assert scored.flop > 0


@pytest.mark.parametrize("solver", SOLVERS)
def test_responses_are_read_once_for_all_designs(designs, shared, counting, narrow, solver):
    narrow(3)
    Y = counting(shared)
    cv_scores_of_designs([exactly(X) for X in designs], Y, 4, ALPHAS, solver=solver)
    assert Y.columns == [(0, 3), (3, 6), (6, 9), (9, 10)]


@pytest.mark.parametrize("solver", SOLVERS)
def test_responses_are_read_again_where_the_memory_holds_no_more(
    designs, shared, counting, monkeypatch, solver
):
    Y, grams = counting(shared), [exactly(X) for X in designs]
    plenty = cv_scores_of_designs(grams, shared, 4, ALPHAS, solver=solver)
    monkeypatch.setattr(_cross_validate, "_SHARE_OF_PATHS", 0.0)  # one path at a time
    scarce = cv_scores_of_designs(grams, Y, 4, ALPHAS, solver=solver)
    n_paths = len(designs) * (1 if solver == "holdout" else 4)
    assert Y.columns == [(0, 10)] * n_paths
    for one, other in zip(scarce, plenty, strict=True):
        np.testing.assert_array_equal(one.scores, other.scores)


def test_operations_are_those_of_the_paths(make, narrow):
    X, Y = make((30, 12), n_voxels=11)
    gram, narrow_width = exactly(X), 4
    (train, validation), *_ = splits = contiguous_folds(30, 3)
    rows = [tuple(map(torch.from_numpy, pair)) for pair in splits]
    per_voxel = {
        "holdout": HoldoutPaths.of(
            gram, rows, np.array(ALPHAS), 1e-12, only_errors=True
        ).flop_per_voxel,
        "split": sum(
            SplitPath.by_eigh(gram, *pair, np.array(ALPHAS), 1e-12, 11).flop_per_voxel
            for pair in rows
        ),
        "cholesky": sum(
            SplitPath.by_cholesky(gram, *pair, np.array(ALPHAS), 1e-12).flop_per_voxel
            for pair in rows
        ),
    }
    narrow(narrow_width)
    for solver, expected in per_voxel.items():
        (scored,) = cv_scores_of_designs([gram], Y, splits, ALPHAS, solver=solver)
        assert scored.flop == pytest.approx(11 * expected)
        assert expected > 2 * len(train) * len(validation)


# What cannot be.


def test_rows_must_match(make):
    X, Y = make((30, 4))
    message = r"X has shape \(30, 4\) but Y has shape \(29, 5\); expected as many rows"
    with pytest.raises(AlignmentError, match=message):
        cv_scores(exactly(X), Y[:29], 3, ALPHAS)


def test_designs_of_other_rows_or_weights_do_not_go_together(make, rng):
    X, Y = make((30, 4))
    with pytest.raises(AlignmentError, match="designs have 30 and 29 TRs; expected as many"):
        cv_scores_of_designs([exactly(X), exactly(X[1:])], Y, 3, ALPHAS)
    w = rng.uniform(0.1, 1, 30)
    for one, other in ((None, w), (w, 2 * w), (w > 0.5, None), (w > 0.5, w > 0.4)):
        grams = [exactly(X, sample_weight=weights) for weights in (one, other)]
        with pytest.raises(AlignmentError, match="designs have different sample_weight"):
            cv_scores_of_designs(grams, Y, 3, ALPHAS)


@pytest.mark.parametrize("Y", [np.zeros(30), np.zeros((30, 2), complex), np.zeros((30, 2, 1))])
def test_responses_are_a_matrix_of_numbers(make, Y):
    X, _ = make((30, 4))
    with pytest.raises(ValueError, match=r"Y has shape .* expected \(n_rows, n_columns\) numbers"):
        cv_scores(exactly(X), Y, 3, ALPHAS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alphas": [0.0, 1.0]}, r"alphas hold 0\.0; expected finite numbers above 0"),
        ({"scoring": "r"}, "scoring 'r' is unknown"),
        ({"tolerance": -1.0}, r"tolerance is -1\.0; expected a number from 0 \(exact\)"),
        ({"tolerance": 1.0}, r"tolerance is 1\.0"),
        ({"solver": "svd"}, "solver 'svd' is unknown; choose one of auto"),
    ],
)
def test_bad_parameters_are_named(make, options, message):
    X, Y = make((30, 4))
    with pytest.raises(ValueError, match=message):
        cv_scores(exactly(X), Y, **({"cv": 3, "alphas": ALPHAS} | options))


def test_a_budget_for_the_decomposition_but_not_a_voxel_is_said(make):
    X, Y = make((40, 6))
    gram = exactly(X)
    solver_bytes = SOLVERS["split"](work_like(gram, 5)).held_bytes
    tight = dataclasses.replace(gram, budget=gram.held_bytes + solver_bytes + 10)
    with pytest.raises(FitError, match="working on one voxel beside the decomposition needs"):
        cv_scores(tight, Y, 3, ALPHAS, solver="split")


def work_like(gram, n_voxels):
    splits = contiguous_folds(len(gram.X), 3)
    shape = (len(gram.X), gram.X.shape[1])
    return work_of(
        shape, n_voxels, splits, len(ALPHAS), tolerance=1e-12, itemsize=8, kind="cpu", weights=None
    )


def test_more_alphas_and_longer_parts_leave_room_for_fewer_voxels(make):
    gram = exactly(make((40, 6))[0])
    work = work_like(gram, 5)
    more_alphas = dataclasses.replace(work, n_alphas=work.n_alphas + 100)
    longer = dataclasses.replace(work, parts=((10, 30),))
    # Sums at every alpha: their two kinds, and what scoring makes of them, in float64.
    usual = bytes_per_voxel(work, "split")
    assert bytes_per_voxel(more_alphas, "split") - usual >= 100 * 4 * 8
    assert bytes_per_voxel(longer, "split") - usual >= (30 - 14) * 3 * 8
    # Block hold-out sums up all splits side by side.
    twice = dataclasses.replace(longer, parts=longer.parts * 2)
    assert bytes_per_voxel(twice, "split") == bytes_per_voxel(longer, "split")
    more = bytes_per_voxel(twice, "holdout") - bytes_per_voxel(longer, "holdout")
    assert more >= 30 * 3 * 8 + work.n_alphas * 4 * 8


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an accelerator")
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("shape", [(900, 60), (700, 1000)])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("gap", [0, 2])
def test_an_accelerator_gives_the_same(rng, language_like, shape, solver, fit_intercept, gap):
    X, Y = language_like(rng, shape[0], shape[1] // 4, 4, 300)
    w = rng.uniform(0.1, 1, shape[0]) * (rng.random(shape[0]) > 0.2)
    splits = chunk_holdout(shape[0], chunk_len=10, n_chunks=20, n_repeats=3, seed=0, gap=gap)
    alphas = np.logspace(0, 6, 15)
    for dtype, limit in (("float64", 1e-8), ("float32", 2e-4)):
        here, there = (
            Gram.of(X, device=device, dtype=dtype, fit_intercept=fit_intercept, sample_weight=w)
            for device in ("cpu", "cuda")
        )
        for scoring in SCORINGS:
            one, other = (
                cv_scores(gram, Y, splits, alphas, scoring=scoring, solver=solver)
                for gram in (there, here)
            )
            np.testing.assert_allclose(one, other, atol=limit, rtol=limit)
