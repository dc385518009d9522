from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold

from voxscale.errors import FitError
from voxscale.fit import (
    SCORINGS,
    Gram,
    RidgeCV,
    choose_alphas,
    chunk_holdout,
    contiguous_folds,
    cv_scores,
)
from voxscale.fit._costs import Cost
from voxscale.fit._plan import work_of
from voxscale.fit._solvers import _SPARE, SOLVERS, Work, cheapest, check_solver

# Primal; dual; and more rows than features, of which the splits leave too few.
SHAPES = {"primal": (72, 20), "dual": (60, 80), "between": (60, 54)}
ALPHAS = np.logspace(-1, 7, 16)
LIMITS = {("float64", 0): 1e-7, ("float64", None): 1e-6, ("float32", None): 2e-4}


def split_up(n_trs, gap=0, n_repeats=2):
    n_chunks = n_trs // 6 // 4
    return chunk_holdout(
        n_trs, chunk_len=6, n_chunks=n_chunks, n_repeats=n_repeats, seed=1, gap=gap
    )


def weigh(kind, n_trs, rng):
    if kind == "none":
        return None
    is_kept = rng.random(n_trs) > 0.1
    return is_kept.astype(float) if kind == "mask" else rng.uniform(0.05, 2, n_trs) * is_kept


def exactly(X, **options):
    return Gram.of(X, device="cpu", dtype="float64", **options)


# The same scores, whoever makes them.


@pytest.mark.parametrize("gap", [0, 3])
@pytest.mark.parametrize("weighting", ["none", "mask", "any"])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_every_solver_gives_the_scores_of_the_formula(
    rng, frozen, naive, shape, fit_intercept, weighting, gap
):
    (n_trs, n_features), n_voxels = shape, 5
    X = rng.standard_normal(shape) * np.linspace(0.1, 3, n_features) + fit_intercept
    Y = 0.1 * X @ rng.standard_normal((n_features, n_voxels)) + 2 * fit_intercept
    X, Y = frozen(X), frozen(Y + rng.standard_normal(Y.shape))
    splits, w = split_up(n_trs, gap), weigh(weighting, n_trs, rng)
    expected = naive(X, Y, splits, ALPHAS, fit_intercept=fit_intercept, sample_weight=w)
    wrong = []
    for (dtype, tolerance), limit in LIMITS.items():
        gram = Gram.of(X, sample_weight=w, fit_intercept=fit_intercept, device="cpu", dtype=dtype)
        for solver in SOLVERS:
            # The systems of "holdout" enlarge what float32 loses where the other rows all but
            # determine those left out; "auto" takes another solver there.
            is_hard = solver == "holdout" and shape == SHAPES["between"] and dtype == "float32"
            allowed = 10 * limit if is_hard else limit
            # r2 sees means, scale and direction of predictions: enough where time counts.
            for scoring in SCORINGS if tolerance is None else ["r2"]:
                scores = cv_scores(
                    gram, Y, splits, ALPHAS, scoring=scoring, solver=solver, tolerance=tolerance
                )
                error = np.abs(scores - expected[scoring]).max()
                if not error < allowed:
                    at = ALPHAS[np.abs(scores - expected[scoring]).max(axis=(1, 2)).argmax()]
                    wrong.append((dtype, tolerance, solver, scoring, error, at))
    assert not wrong


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_every_solver_scores_as_scikit_learn_does(rng, shape, fit_intercept, solver):
    X, weights = rng.standard_normal(shape) + 1, rng.uniform(0.1, 2, shape[0])
    Y = X @ rng.standard_normal((shape[1], 3)) + 5 * rng.standard_normal((shape[0], 3))
    splits, alphas = split_up(shape[0]), [1.0, 300.0]
    gram = exactly(X, fit_intercept=fit_intercept, sample_weight=weights)
    scores = cv_scores(gram, Y, splits, alphas, scoring="correlation", solver=solver)
    for a, alpha in enumerate(alphas):
        for s, (train, validation) in enumerate(splits):
            model = Ridge(alpha=alpha, fit_intercept=fit_intercept)
            model.fit(X[train], Y[train], sample_weight=weights[train])
            predicted = model.predict(X[validation])
            both = np.corrcoef(Y[validation], predicted, rowvar=False)
            np.testing.assert_allclose(scores[a, :, s], np.diag(both[:3, 3:]), atol=1e-8)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("scoring", ["r2", "correlation"])
@pytest.mark.parametrize("name", ["primal", "dual"])
def test_every_solver_chooses_as_himalaya_does(rng, name, scoring, solver):
    ridge = pytest.importorskip("himalaya.ridge")
    kernel_ridge = pytest.importorskip("himalaya.kernel_ridge")
    himalaya_scoring = pytest.importorskip("himalaya.scoring")
    shape = SHAPES[name]
    X = rng.standard_normal(shape)
    Y = X @ rng.standard_normal((shape[1], 20)) * rng.uniform(0, 1, 20)
    Y += 3 * rng.standard_normal(Y.shape)
    options = {
        "alphas": ALPHAS,
        "cv": KFold(4),
        "score_func": getattr(himalaya_scoring, f"{scoring}_score"),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if name == "primal":
            theirs = ridge.solve_ridge_cv_svd(X.copy(), Y.copy(), warn=False, **options)
        else:
            theirs = kernel_ridge.solve_kernel_ridge_cv_eigenvalues(X @ X.T, Y.copy(), **options)
    best_alphas, _, best_scores = theirs
    scores = cv_scores(exactly(X), Y, 4, ALPHAS, scoring=scoring, solver=solver)
    np.testing.assert_allclose(choose_alphas(ALPHAS, scores), best_alphas, rtol=1e-10)
    means = scores.mean(axis=2).max(axis=0)
    np.testing.assert_allclose(means, np.ravel(best_scores), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(("n_trs", "n_features"), [(500, 30), (240, 110)], ids=["primal", "dual"])
def test_alphas_chosen_in_float32_are_those_of_the_formula(
    rng, naive, language_like, n_trs, n_features
):
    X, Y = language_like(rng, n_trs, n_features, n_delays=4, n_voxels=400)
    alphas = np.logspace(0, 6, 15)
    splits = chunk_holdout(n_trs, chunk_len=20, n_chunks=3, n_repeats=3, seed=0, gap=4)
    expected = naive(X, Y, splits, alphas)
    gram = Gram.of(X, device="cpu")
    for solver in SOLVERS:
        for scoring in ("correlation", "r2"):
            scores = cv_scores(gram, Y, splits, alphas, scoring=scoring, solver=solver)
            chosen, best = (choose_alphas(alphas, one) for one in (scores, expected[scoring]))
            assert np.mean(chosen == best) >= 0.995, (solver, scoring)
            assert len(set(best)) > 4  # or there was nothing to choose
            np.testing.assert_allclose(scores, expected[scoring], atol=1e-4)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_tiny_and_huge_alphas_keep_their_digits(rng, naive, shape, solver, dtype):
    X = rng.standard_normal(shape)
    Y = X @ rng.standard_normal((shape[1], 4)) + 5 * rng.standard_normal((shape[0], 4))
    splits, alphas = contiguous_folds(shape[0], 4), np.logspace(-3, 12, 16)
    is_hard = solver == "holdout" and shape == SHAPES["between"]
    limit = 1e-6 if dtype == "float64" else 5e-3 if is_hard else 2e-4
    gram = Gram.of(X, device="cpu", dtype=dtype)
    for scoring in ("correlation", "r2"):
        scores = cv_scores(gram, Y, splits, alphas, scoring=scoring, solver=solver)
        expected = naive(X, Y, splits, alphas)[scoring]
        np.testing.assert_allclose(scores, expected, atol=limit, rtol=limit)
    # Nothing changes any more where float32 and float64 have long run out of digits.
    beyond = cv_scores(
        gram, Y, splits, [1.0, 1e12, 1e30, 1e60], scoring="correlation", solver=solver
    )
    np.testing.assert_allclose(beyond[1], expected_at(naive, X, Y, splits, 1e12), atol=limit)
    np.testing.assert_allclose(beyond[2:], beyond[[1, 1]], atol=limit)


def expected_at(naive, X, Y, splits, alpha):
    return naive(X, Y, splits, [alpha])["correlation"][0]


def dependent_designs(rng, n_trs, n_features):
    drawn = rng.standard_normal((n_trs, n_features))
    half = n_features // 2
    yield "columns twice", np.hstack([drawn[:, :half], drawn[:, :half]])
    yield "rows twice", np.vstack([drawn[: n_trs // 2], drawn[: n_trs // 2]])
    constant = drawn.copy()
    constant[:, 2], constant[:, 3] = 5, 0
    yield "constant columns", constant
    yield "rank 1", np.outer(drawn[:, 0], drawn[0])
    yield "zeros", np.zeros((n_trs, n_features))
    yield "equal rows", np.tile(drawn[0], (n_trs, 1))
    off = drawn.copy()
    off[: n_trs // 4] = 0
    yield "nothing in a validation part", off
    on = np.zeros_like(drawn)
    on[: n_trs // 4] = drawn[: n_trs // 4]
    yield "nothing in training rows", on


@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("shape", [(60, 12), (40, 60)], ids=["primal", "dual"])
def test_designs_that_lack_rank_are_solved_by_all(rng, naive, shape, fit_intercept):
    n_trs, alphas = shape[0], np.logspace(0, 5, 12)
    splits, wrong = contiguous_folds(n_trs, 4), []
    for name, X in dependent_designs(rng, *shape):
        Y = X @ rng.standard_normal((shape[1], 4)) / np.sqrt(shape[1]) + 0.5
        Y += rng.standard_normal(Y.shape)
        expected = naive(X, Y, splits, alphas, fit_intercept=fit_intercept)
        for dtype, limit in (("float64", 1e-6), ("float32", 2e-4)):
            gram = Gram.of(X, device="cpu", dtype=dtype, fit_intercept=fit_intercept)
            for solver in SOLVERS:
                scores = cv_scores(gram, Y, splits, alphas, solver=solver)
                error = np.abs(scores - expected["r2"]).max()
                if not error < limit:
                    wrong.append((name, dtype, solver, error))
    assert not wrong


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("shape", [(60, 12), (40, 60)], ids=["primal", "dual"])
def test_predictions_that_cannot_vary_have_no_correlation(rng, shape, solver):
    Y = rng.standard_normal((shape[0], 3))
    for X in (np.zeros(shape), np.tile(rng.standard_normal(shape[1]), (shape[0], 1))):
        for dtype in ("float32", "float64"):
            gram = Gram.of(X, device="cpu", dtype=dtype, fit_intercept=True)
            scores = cv_scores(gram, Y, 4, [1.0, 100.0], scoring="correlation", solver=solver)
            assert np.isnan(scores).all()


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("shape", [(24, 6), (14, 30)], ids=["primal", "dual"])
def test_leaving_out_two_rows_at_a_time_is_possible(rng, naive, shape, solver):
    X, Y = rng.standard_normal(shape), rng.standard_normal((shape[0], 3))
    splits = contiguous_folds(shape[0], shape[0] // 2)
    scores = cv_scores(exactly(X), Y, splits, [1.0, 30.0], solver=solver)
    np.testing.assert_allclose(scores, naive(X, Y, splits, [1.0, 30.0])["r2"], rtol=1e-8)


@pytest.mark.parametrize("solver", SOLVERS)
def test_splits_may_differ_in_size_and_in_form(rng, naive, solver):
    X, Y = rng.standard_normal((60, 20)), rng.standard_normal((60, 3))
    rows = np.arange(60)
    splits = [  # the second trains on fewer rows than there are features
        (rows[10:], rows[:10]),
        (rows[:15], rows[15:]),
        (rows[20:50][::-1], np.array([3, 55, 7])),
    ]
    scores = cv_scores(exactly(X), Y, splits, ALPHAS, solver=solver)
    np.testing.assert_allclose(scores, naive(X, Y, splits, ALPHAS)["r2"], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("solver", SOLVERS)
def test_an_integer_weight_is_a_row_that_comes_as_often(rng, solver):
    X, Y = rng.standard_normal((40, 6)) + 1, rng.standard_normal((40, 3)) + 1
    train, validation, alphas = np.arange(30), np.arange(30, 40), [1.0, 10.0]
    times = np.ones(40, dtype=int)
    times[train] = rng.integers(0, 4, 30)
    often = np.repeat(np.arange(40), times)
    n_train = times[train].sum()
    repeated = [(np.arange(n_train), np.arange(n_train, len(often)))]
    weighted = exactly(X, fit_intercept=True, sample_weight=times)
    one = cv_scores(weighted, Y, [(train, validation)], alphas, solver=solver)
    other = cv_scores(
        exactly(X[often], fit_intercept=True), Y[often], repeated, alphas, solver=solver
    )
    np.testing.assert_allclose(one, other, rtol=1e-9)


# Which solver is chosen.

WORK = Work(3000, 8192, 6000, 15, ((2250, 750),) * 3, 1700, 4, False, "cpu")


def test_the_cheapest_is_the_one_of_least_operations_in_the_table():
    for n_voxels in (10, 1000, 100_000):
        for n_alphas in (1, 5, 20):
            work = dataclasses.replace(WORK, n_voxels=n_voxels, n_alphas=n_alphas)
            costs = {name: cost(work).flop for name, cost in SOLVERS.items()}
            assert cheapest(work, 2**60) == min(costs, key=costs.get)


@pytest.mark.parametrize("kind", ["cpu", "cuda"])
def test_every_solver_is_the_cheapest_of_some_work(kind):
    # One large part; many small ones; a single alpha for few features and few voxels.
    few = dataclasses.replace(WORK, parts=((1500, 1500),), n_left_out=1500, kind=kind)
    few = dataclasses.replace(few, n_voxels=50_000)
    many = dataclasses.replace(WORK, parts=((2900, 100),) * 30, n_left_out=3000, kind=kind)
    single = dataclasses.replace(few, n_features=1000, n_alphas=1, n_voxels=100)
    chosen = {cheapest(work, 2**60) for work in (few, many, single)}
    assert chosen == set(SOLVERS)


def test_a_row_of_the_table_is_all_that_a_solver_takes(monkeypatch):
    monkeypatch.setitem(SOLVERS, "none", lambda work: Cost(0.0, 0))
    assert cheapest(WORK, 2**40, among=tuple(SOLVERS)) == "none"
    assert check_solver("none") == "none"


def test_a_solver_that_does_not_fit_the_memory_is_not_chosen():
    many = dataclasses.replace(WORK, parts=((2900, 100),) * 30, n_left_out=3000)
    costs = {name: cost(many) for name, cost in SOLVERS.items()}
    best = cheapest(many, 2**60)
    assert cheapest(many, costs[best].held_bytes) == best
    second = cheapest(many, costs[best].held_bytes - 1)
    assert second != best
    assert costs[second].held_bytes < costs[best].held_bytes
    # Where none fits, the one that comes closest is named in the error.
    assert cheapest(many, 0) == min(costs, key=lambda name: costs[name].held_bytes)


def test_cost_grows_with_the_work():
    more = {
        "n_voxels": 12_000,
        "n_alphas": 16,
        "parts": WORK.parts * 2,
        "n_features": 8192,
        "is_exact": True,
    }
    for name, value in more.items():
        work = dataclasses.replace(WORK, **{name: value})
        for cost in SOLVERS.values():
            assert cost(work).flop >= cost(WORK).flop
    exact = dataclasses.replace(WORK, is_exact=True, n_alphas=100)
    for cost in SOLVERS.values():
        assert cost(exact).flop > cost(dataclasses.replace(exact, is_exact=False)).flop
        assert cost(exact).held_bytes >= cost(WORK).held_bytes


def test_errors_alone_cost_less_where_all_rows_left_out_are_scored():
    work = dataclasses.replace(WORK, parts=((2250, 750),) * 15, n_left_out=3000)
    with_gap = dataclasses.replace(work, parts=((2250, 500),) * 15, n_alphas=60)
    for one, is_less in ((work, True), (with_gap, False)):
        errors = dataclasses.replace(one, only_errors=True)
        flops = [SOLVERS["holdout"](each).flop for each in (errors, one)]
        assert (flops[0] < flops[1]) == is_less
        assert is_less or flops[0] == flops[1]
        for name in ("split", "cholesky"):
            assert SOLVERS[name](errors) == SOLVERS[name](one)


def test_a_plan_knows_which_scores_ask_for_errors_alone():
    X, Y = np.zeros((3000, 4000)), np.zeros((3000, 500))
    splits = chunk_holdout(3000, chunk_len=20, n_chunks=30, n_repeats=4, seed=0)
    r2, correlation = (
        RidgeCV(ALPHAS, splits, scoring=scoring, solver="holdout", device="cpu").plan(X, Y)
        for scoring in ("r2", "correlation")
    )
    assert r2.flop < correlation.flop


@pytest.mark.parametrize(
    ("shape", "n_train", "is_well_posed"),
    [
        ((100, 40), 51, True),
        ((100, 40), 50, False),  # no more than 1.25 rows for each feature
        ((100, 90), 80, False),
        ((100, 100), 80, True),  # the dual form has a Gram matrix of rows
        ((40, 100), 30, True),
    ],
)
def test_training_rows_determine_features_or_are_fewer(shape, n_train, is_well_posed):
    work = Work(*shape, 50, 5, ((n_train, 10), (shape[0], 10)), 30, 4, False, "cpu")
    assert work.is_well_posed is is_well_posed


def test_holdout_is_not_chosen_where_its_systems_are_all_but_singular(rng):
    n_trs, n_features = 120, 100
    X, Y = rng.standard_normal((n_trs, n_features)), rng.standard_normal((n_trs, 300))
    cv = contiguous_folds(n_trs, 40)
    work = work_of(
        X.shape, Y.shape[1], cv, 8, tolerance=1e-6, itemsize=4, kind="cpu", weights=None
    )  # 117 training rows: fewer than 1.25 for each feature
    costs = {name: cost(work).flop for name, cost in SOLVERS.items()}
    assert min(costs, key=costs.get) == "holdout"
    assert not work.is_well_posed
    assert cheapest(work, 2**60) != "holdout"
    model = RidgeCV(np.logspace(0, 4, 8), cv, device="cpu", weights=None)
    assert model.fit(X, Y).solver_ != "holdout"
    assert n_trs / n_features < _SPARE
    enough = model.fit(X[:, :60], Y)
    assert enough.solver_ == "holdout"


def test_unknown_solvers_are_named_with_those_there_are():
    message = (
        r"solver 'holdot' is unknown; choose one of auto, cholesky, holdout, split "
        r"\(did you mean 'holdout'\?\)\."
    )
    with pytest.raises(ValueError, match=message):
        check_solver("holdot")
    gram = exactly(np.eye(6, 2))
    with pytest.raises(ValueError, match="solver 'svd' is unknown; choose one of auto"):
        cv_scores(gram, np.eye(6), 2, [1.0], solver="svd")


@pytest.mark.parametrize("solver", [*SOLVERS, "auto"])
def test_too_little_memory_for_a_solver_is_said_before_anything_is_read(rng, counting, solver):
    X = rng.standard_normal((120, 80))
    Y = counting(rng.standard_normal((120, 3)))
    gram = Gram.of(X, device="cpu", dtype="float64")
    tight = dataclasses.replace(gram, budget=gram.held_bytes + 1000)
    named = solver if solver != "auto" else "[a-z]+"
    message = (
        rf"decomposing X \(120 × 80, solver '{named}'\) needs [0-9.]+ [KM]iB, "
        r"[0-9.]+ [KM]iB may be used; use fewer delays or features, or raise memory_gib"
    )
    with pytest.raises(FitError, match=message):
        cv_scores(tight, Y, 4, ALPHAS, solver=solver)
    assert not Y.asked
