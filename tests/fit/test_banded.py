from __future__ import annotations

import pickle
import subprocess
import sys
import warnings

import h5py
import numpy as np
import pytest
import torch
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, KFold

from voxscale.errors import AlignmentError, DataError, FitError, VoxscaleWarning
from voxscale.fit import BandedRidgeCV, RidgeCV, contiguous_folds
from voxscale.fit._responses import Responses

himalaya_ridge = pytest.importorskip("himalaya.kernel_ridge")
from himalaya import backend as himalaya_backend  # noqa: E402
from himalaya import scoring as himalaya_scoring  # noqa: E402

ALPHAS = np.logspace(-1, 3, 5)
EXACT = {"device": "cpu", "dtype": "float64"}
SOLVERS = ["hyper_gradient", "random_search"]


def banded(alphas=ALPHAS, cv=3, **options):
    return BandedRidgeCV(alphas, cv, **(EXACT | {"n_iter": 12} | options))


@pytest.fixture
def bands(rng, frozen):
    """Two bands of very different scales, and a third that is noise."""
    return {
        "words": frozen(rng.standard_normal((45, 4))),
        "sounds": frozen(5 * rng.standard_normal((45, 3))),
        "noise": frozen(rng.standard_normal((45, 60))),
    }


@pytest.fixture
def Y(bands, rng, frozen):
    """Three voxels driven by words, three by sounds."""
    by_words = bands["words"] @ rng.standard_normal((4, 3))
    by_sounds = bands["sounds"] @ rng.standard_normal((3, 3)) / 5
    return frozen(np.hstack([by_words, by_sounds]) + 0.7 * rng.standard_normal((45, 6)))


def linear_kernels(bands):
    return np.stack([X @ X.T for X in bands.values()])


@pytest.fixture
def himalaya_on_torch():
    before = himalaya_backend.get_backend().name
    himalaya_backend.set_backend("torch")
    yield
    himalaya_backend.set_backend(before)


def theirs(bands, Y, *, score=himalaya_scoring.r2_score, fit_intercept=False, cv=3, **params):
    """Fit himalaya's own estimator on the same kernels."""
    params = {"progress_bar": False, "score_func": score} | params
    solver = params.pop("solver", "random_search")
    model = himalaya_ridge.MultipleKernelRidgeCV(
        "precomputed",
        solver=solver,
        solver_params=params,
        cv=contiguous_folds(len(Y), cv),
        random_state=params.pop("seed", 0),
        fit_intercept=fit_intercept,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(linear_kernels(bands), Y.copy())


def primal_weights(bands, model):
    """Weights (n_features, n_voxels) from what himalaya solved for."""
    dual = model.dual_coef_.numpy()
    shares = np.exp(model.deltas_.numpy())
    return np.vstack(
        [X.T @ (dual * share) for X, share in zip(bands.values(), shares, strict=True)]
    )


def naive_weights(bands, Y, penalties, *, fit_intercept=False):
    """Solve the penalised problem of each voxel by its normal equations."""
    X = np.hstack(list(bands.values()))
    widths = [values.shape[1] for values in bands.values()]
    if fit_intercept:
        X, Y = X - X.mean(axis=0), Y - Y.mean(axis=0)
    return np.column_stack(
        [
            np.linalg.solve(X.T @ X + np.diag(np.repeat(own, widths)), X.T @ y)
            for y, own in zip(Y.T, penalties.T, strict=True)
        ]
    )


# What is right


@pytest.mark.parametrize("scoring", ["r2", "correlation"])
def test_a_random_search_is_that_of_himalaya(bands, Y, himalaya_on_torch, scoring):
    score = getattr(himalaya_scoring, f"{scoring}_score")
    expected = theirs(bands, Y, score=score, n_iter=12, alphas=ALPHAS)
    model = banded(scoring=scoring).fit(bands, Y)
    np.testing.assert_allclose(model.deltas_, expected.deltas_, rtol=1e-9)
    np.testing.assert_allclose(model.cv_scores_, expected.cv_scores_, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(model.coef_, primal_weights(bands, expected), rtol=1e-6, atol=1e-9)
    assert len(np.unique(model.deltas_, axis=1).T) > 2  # or else anything would do


def test_seed_and_concentration_are_those_of_himalaya(bands, Y, himalaya_on_torch):
    expected = theirs(bands, Y, n_iter=12, alphas=ALPHAS, concentration=[0.3], seed=5)
    model = banded(concentration=0.3, seed=5).fit(bands, Y)
    np.testing.assert_allclose(model.deltas_, expected.deltas_, rtol=1e-9)
    assert (banded(concentration=0.3).fit(bands, Y).deltas_ != model.deltas_).any()


def test_with_an_intercept_every_split_is_about_its_own_means(bands, Y, himalaya_on_torch):
    shifted = {name: X + 3 for name, X in bands.items()}
    expected = theirs(shifted, Y + 9, n_iter=12, alphas=ALPHAS, fit_intercept=True)
    model = banded(fit_intercept=True).fit(shifted, Y + 9)
    np.testing.assert_allclose(model.deltas_, expected.deltas_, rtol=1e-8)
    np.testing.assert_allclose(model.cv_scores_, expected.cv_scores_, rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(model.coef_, primal_weights(shifted, expected), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(model.intercept_, expected.intercept_, rtol=1e-6)
    naive = naive_weights(shifted, Y + 9, model.best_alphas_, fit_intercept=True)
    np.testing.assert_allclose(model.coef_, naive, rtol=1e-8, atol=1e-10)
    means = np.hstack(list(shifted.values())).mean(axis=0)
    np.testing.assert_allclose(model.intercept_, (Y + 9).mean(axis=0) - means @ naive, rtol=1e-8)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_weights_solve_the_problem_at_the_penalties_found(bands, Y, solver, dtype):
    model = banded(solver=solver, dtype=dtype).fit(bands, Y)
    naive = naive_weights(bands, Y, model.best_alphas_)
    tolerance = 1e-8 if dtype == "float64" else 1e-5
    np.testing.assert_allclose(model.coef_, naive, rtol=tolerance, atol=tolerance / 10)
    assert model.coef_.dtype == model.predict(bands).dtype == dtype
    assert model.deltas_.dtype == model.best_alphas_.dtype == model.cv_scores_.dtype == float


def test_small_penalties_lose_no_digits_in_float32(bands, rng):
    few = {name: X[:, :3] for name, X in bands.items()}
    Y = np.hstack(list(few.values())) @ rng.standard_normal((9, 4))
    model = banded([1e-3], dtype="float32", n_iter=1).fit(few, Y)
    np.testing.assert_allclose(
        model.coef_, naive_weights(few, Y, model.best_alphas_), rtol=1e-4, atol=1e-5
    )


def test_large_means_lose_no_digits_in_float32(bands, Y):
    shifted = np.round(1024 * Y) / 1024 + 1e4  # as exact in float32
    offset = {name: X.astype("float32") + 30 for name, X in bands.items()}
    model = banded(dtype="float32", fit_intercept=True).fit(offset, shifted)
    naive = naive_weights(offset, shifted, model.best_alphas_, fit_intercept=True)
    np.testing.assert_allclose(model.coef_, naive, rtol=1e-4, atol=1e-6)


def test_a_penalty_is_one_of_alphas_over_the_share_of_the_band(bands, Y):
    model = banded().fit(bands, Y)
    np.testing.assert_allclose(model.best_alphas_, np.exp(-model.deltas_))
    alphas = 1 / np.exp(model.deltas_).sum(axis=0)  # shares add up to one
    np.testing.assert_allclose(ALPHAS[np.abs(np.log(ALPHAS[:, None] / alphas)).argmin(0)], alphas)


@pytest.mark.parametrize("fit_intercept", [False, True])
def test_one_band_is_ridge_regression(bands, Y, fit_intercept):
    X = np.hstack([bands["words"], bands["sounds"]])
    model = banded(fit_intercept=fit_intercept).fit(X, Y)
    ridge = RidgeCV(ALPHAS, 3, fit_intercept=fit_intercept, **EXACT).fit(X, Y)
    np.testing.assert_allclose(model.best_alphas_[0], ridge.best_alphas_, rtol=1e-10)
    np.testing.assert_allclose(model.coef_, ridge.coef_, rtol=1e-7, atol=1e-10)
    best = ridge.cv_scores_.mean(axis=2).max(axis=0)
    np.testing.assert_allclose(model.cv_scores_, best[None], rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(model.predict(X), ridge.predict(X), rtol=1e-7, atol=1e-9)
    assert model.band_names_ == ("all",)
    assert len(set(model.best_alphas_[0])) > 1


def test_one_band_is_kernel_ridge_of_himalaya(bands, Y, himalaya_on_torch):
    X = bands["noise"]
    params = {"score_func": himalaya_scoring.r2_score}
    expected = himalaya_ridge.KernelRidgeCV(ALPHAS, cv=KFold(3), solver_params=params)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected.fit(X.copy(), Y.copy())
    model = banded().fit(X, Y)
    np.testing.assert_allclose(model.best_alphas_[0], expected.best_alphas_, rtol=1e-10)
    np.testing.assert_allclose(model.predict(X), expected.predict(X.copy()), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("solver", SOLVERS)
def test_what_was_planted_is_found(rng, solver):
    planted = {name: rng.standard_normal((90, 25)) for name in "AB"}
    fresh = {name: rng.standard_normal((90, 25)) for name in "AB"}
    weights = rng.standard_normal((25, 6))

    def respond(bands):
        driven = np.hstack([bands["A"] @ weights[:, :3], bands["B"] @ weights[:, 3:]])
        return driven + 2 * rng.standard_normal(driven.shape)

    model = banded(np.logspace(-1, 4, 6), solver=solver, n_iter=100).fit(planted, respond(planted))
    by_a, by_b = model.score(fresh, respond(fresh), split=True)
    assert (by_a[:3] > 0.6).all()
    assert (by_b[3:] > 0.6).all()
    assert np.abs(by_b[:3]).max() < 0.1
    assert np.abs(by_a[3:]).max() < 0.1
    of_a, of_b = model.best_alphas_
    assert np.median(of_b[:3] / of_a[:3]) > 10
    assert np.median(of_a[3:] / of_b[3:]) > 10


# hyper-gradient


def test_a_hyper_gradient_begins_at_the_best_alpha_for_equal_shares(bands, Y):
    model = banded(solver="hyper_gradient", n_iter=40).fit(bands, Y)
    start = banded(n_iter=1).fit(bands, Y)
    # himalaya begins with fifty conjugate gradients, not with the exact solution.
    np.testing.assert_allclose(model.cv_scores_[0], start.cv_scores_[0], atol=0.02)
    assert (model.cv_scores_[-1] > model.cv_scores_[0] + 0.02).all()
    assert model.cv_scores_.shape == (40, 6)


def test_a_hyper_gradient_is_that_of_himalaya_voxel_by_voxel(bands, Y, himalaya_on_torch):
    model = banded(solver="hyper_gradient", n_iter=5).fit(bands, Y)
    start = banded(n_iter=1).fit(bands, Y).deltas_
    for v in range(6):
        params = {"solver": "hyper_gradient", "max_iter": 5, "tol": None}
        expected = theirs(bands, Y[:, [v]], initial_deltas=start[:, [v]], **params)
        np.testing.assert_allclose(model.deltas_[:, [v]], expected.deltas_, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(model.cv_scores_[:, [v]], expected.cv_scores_, rtol=1e-5)
        weights = primal_weights(bands, expected)
        np.testing.assert_allclose(model.coef_[:, [v]], weights, rtol=0.02, atol=0.002)


def test_a_hyper_gradient_takes_all_its_steps(bands, Y):
    """However little they change: a voxel must not stop where the others of its block do."""
    few = {name: bands[name] for name in ("words", "sounds")}
    model = banded([0.01], solver="hyper_gradient", n_iter=4).fit(few, Y)
    assert np.abs(model.deltas_ - np.log(0.5 / 0.01)).max() < 0.01
    assert (model.cv_scores_ != 0).all()


def test_a_hyper_gradient_that_leaves_the_numbers_is_told(bands, Y, monkeypatch):
    def diverge(*arguments, **options):
        raise AssertionError

    monkeypatch.setattr(himalaya_ridge, "solve_multiple_kernel_ridge_hyper_gradient", diverge)
    with pytest.raises(FitError, match=r"left the range of numbers; .* use solver='random_search'"):
        banded(solver="hyper_gradient").fit(bands, Y)


# Blocks


@pytest.fixture
def narrow(monkeypatch):
    """Return a function that sets how many voxels and alphas are worked on at once."""

    def set_width(n_voxels, n_held, n_alphas):
        from voxscale.fit import _banded
        from voxscale.fit._search_memory import Batches

        monkeypatch.setattr(_banded, "plan_batches", lambda *_: Batches(n_alphas, n_voxels, n_held))

    return set_width


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"scoring": "correlation", "fit_intercept": True},
        {"scoring": "huth2023"},
        {"local_alpha": False},
        {"local_alpha": False, "fit_intercept": True, "scoring": "correlation"},
        {"solver": "hyper_gradient", "n_iter": 6},
    ],
    ids=lambda options: "-".join(map(str, options.values())) or "plain",
)
@pytest.mark.parametrize("widths", [(1, 1, 1), (2, 4, 2), (5, 5, 3), (3, 6, 5)])
def test_results_do_not_depend_on_blocks(bands, Y, narrow, options, widths):
    Y = Y.copy()
    Y[:15, 1] = 2.0  # constant in one validation part
    # Conjugate gradients magnify rounding.
    rtol = 1e-5 if "solver" in options else 1e-7
    whole = banded(**options).fit(bands, Y)
    narrow(*widths)
    pieces = banded(**options).fit(bands, Y)
    for name in ("deltas_", "cv_scores_", "coef_"):
        np.testing.assert_allclose(
            getattr(pieces, name), getattr(whole, name), rtol=rtol, atol=rtol / 100, err_msg=name
        )


def test_the_order_of_voxels_does_not_matter(bands, Y):
    for solver in SOLVERS:
        model, other = banded(solver=solver), banded(solver=solver)
        model.fit(bands, Y)
        other.fit(bands, Y[:, ::-1])
        np.testing.assert_allclose(model.deltas_, other.deltas_[:, ::-1], rtol=1e-7, atol=1e-9)


def test_shared_penalties_are_those_of_himalaya(bands, Y, himalaya_on_torch, narrow):
    expected = theirs(bands, Y, n_iter=12, alphas=ALPHAS, local_alpha=False)
    narrow(2, 4, 2)
    model = banded(local_alpha=False).fit(bands, Y)
    np.testing.assert_allclose(model.deltas_, expected.deltas_, rtol=1e-9)
    np.testing.assert_allclose(model.cv_scores_, expected.cv_scores_, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(model.coef_, primal_weights(bands, expected), rtol=1e-6, atol=1e-9)
    assert len(np.unique(model.deltas_, axis=1).T) == 1
    assert len(np.unique(banded().fit(bands, Y).deltas_, axis=1).T) > 1


@pytest.mark.parametrize("kind", ["memmap", "h5py", "zarr", "list", "float32", "fortran"])
def test_responses_may_lie_anywhere(bands, Y, kind, tmp_path, narrow):
    expected = banded().fit(bands, Y)
    narrow(2, 4, 5)
    if kind == "memmap":
        np.save(tmp_path / "Y.npy", Y)
        source = np.load(tmp_path / "Y.npy", mmap_mode="r")
    elif kind == "h5py":
        file = h5py.File(tmp_path / "Y.h5", "w")
        source = file.create_dataset("Y", data=Y, chunks=(10, 4))
    elif kind == "zarr":
        source = zarr.create_array(tmp_path / "Y.zarr", data=np.array(Y), chunks=(10, 4))
    else:
        source = {"list": Y.tolist(), "float32": Y.astype("float32"), "fortran": Y.copy("F")}[kind]
    model = banded().fit(bands, source)
    rtol = 1e-4 if kind == "float32" else 1e-9
    np.testing.assert_allclose(model.deltas_, expected.deltas_, rtol=rtol)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=rtol, atol=rtol)
    for split in (False, True):
        scores = model.score(bands, source, split=split)
        np.testing.assert_allclose(
            scores, expected.score(bands, Y, split=split), rtol=rtol, atol=rtol
        )


def test_responses_are_never_read_whole(bands, Y, narrow):
    class Watched:
        shape, dtype = Y.shape, Y.dtype
        widths = ()

        def __getitem__(self, where):
            values = Y[where]
            self.widths += (values.shape[1],)
            return values

        def __array__(self, *_, **__):
            raise AssertionError("read whole")

    narrow(2, 2, 5)
    watched = Watched()
    model = banded().fit(bands, watched)
    assert watched.widths == (2,) * 6
    np.testing.assert_allclose(model.coef_, banded().fit(bands, Y).coef_, rtol=1e-9)


def test_the_budget_decides_on_blocks(bands, Y, monkeypatch):
    Y = np.tile(Y, (1, 60))
    plenty = banded().fit(bands, Y)
    widths = []
    read = Responses.read

    def record(self, width):
        widths.append(width)
        return read(self, width)

    monkeypatch.setattr(Responses, "read", record)
    scarce = banded(memory_gib=0.0006).fit(bands, Y)
    assert max(widths) < 200
    np.testing.assert_allclose(scarce.coef_, plenty.coef_, rtol=1e-8, atol=1e-10)
    with pytest.raises(
        FitError, match=r"3 band\(s\) of X \(45 × 67\) needs 0\.\d+ MiB, 0\.1024 MiB"
    ):
        banded(memory_gib=0.0001).fit(bands, Y)


def test_comparing_the_scores_of_all_voxels_is_part_of_the_budget(bands, Y):
    Y = np.tile(Y, (1, 1000))
    with pytest.raises(FitError, match="may be used; use fewer TRs or bands, or raise memory_gib"):
        banded(local_alpha=False, memory_gib=0.001).fit(bands, Y)
    assert banded(memory_gib=0.001, n_iter=1).fit(bands, Y[:, :100]).coef_.shape == (67, 100)


# himalaya's ways


@pytest.mark.parametrize("before", ["numpy", "torch"])
def test_the_backend_is_what_it_was(bands, Y, before):
    current = himalaya_backend.get_backend().name
    himalaya_backend.set_backend(before)
    try:
        banded().fit(bands, Y)
        assert himalaya_backend.get_backend().name == before
        with pytest.raises(FitError, match="is lost in the rounding"):
            banded([1e-30], dtype="float32").fit(bands["words"], Y)
        assert himalaya_backend.get_backend().name == before
    finally:
        himalaya_backend.set_backend(current)


def test_inputs_are_not_written_to(bands, Y):
    assert not any(X.flags.writeable for X in (*bands.values(), Y))
    for solver in SOLVERS:
        copies = {name: X.copy() for name, X in bands.items()}, Y.copy()
        for X, responses in ((bands, Y), copies):  # read-only, then not
            model = banded(solver=solver, n_iter=3).fit(X, responses)
            model.score(X, responses, split=True)
        np.testing.assert_array_equal(copies[1], Y)
        for name, X in bands.items():
            np.testing.assert_array_equal(copies[0][name], X)


def test_nothing_is_printed(bands, Y, capfd):
    for solver in SOLVERS:
        banded(solver=solver).fit(bands, Y)
    assert capfd.readouterr() == ("", "")


def test_himalaya_is_imported_by_fit_alone():
    code = (
        "import sys, voxscale as vs; model = vs.BandedRidgeCV([1.0]);"
        "assert 'himalaya' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_missing_himalaya_is_told_before_any_work(bands, Y, monkeypatch):
    monkeypatch.setitem(sys.modules, "himalaya", None)
    message = r"BandedRidgeCV needs himalaya, which is not installed; run: pip install 'voxscale\["
    with pytest.raises(ImportError, match=message):
        banded().fit(bands, Y[1:])


# Voxels without an answer


@pytest.mark.parametrize("options", [{}, {"local_alpha": False}, {"solver": "hyper_gradient"}])
def test_undefined_voxels_are_nan_and_counted_once(bands, Y, frozen, options, narrow):
    expected = banded(**options).fit(bands, Y[:, 3:])
    damaged = Y.copy()
    damaged[3, 0], damaged[4, 1], damaged[:, 2] = np.nan, -np.inf, 7.5
    narrow(2, 2, 5)  # a block without any voxel that can be fitted
    with pytest.warns(VoxscaleWarning) as caught:
        model = banded(**options).fit(bands, frozen(damaged))
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert str(caught[0].message).startswith(
        "3 of 6 voxels could not be fitted (2 hold NaN or infinity, 1 are constant) and are NaN"
    )
    rtol = 1e-5 if "solver" in options else 1e-7  # conjugate gradients magnify rounding
    for name in ("coef_", "deltas_", "best_alphas_", "cv_scores_"):
        values = getattr(model, name)
        assert np.isnan(values[:, :3]).all(), name
        np.testing.assert_allclose(
            values[:, 3:], getattr(expected, name), rtol=rtol, atol=rtol / 100, err_msg=name
        )
    assert np.isnan(model.predict(bands)[:, :3]).all()
    for split in (False, True):
        scores = model.score(bands, damaged, split=split)
        assert np.isnan(scores[..., :3]).all()
        wanted = expected.score(bands, Y[:, 3:], split=split)
        np.testing.assert_allclose(scores[..., 3:], wanted, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("options", [{}, {"local_alpha": False}, {"solver": "hyper_gradient"}])
def test_voxels_without_a_score_in_any_split_are_counted(bands, Y, options):
    Y = Y.copy()
    Y[:10, 1] = 4.0  # the only validation part
    cv = [(np.arange(12, 45), np.arange(10))]
    with pytest.warns(VoxscaleWarning, match=r"1 of 6 voxels .* \(1 have no score in any split\)"):
        model = banded(cv=cv, **options).fit(bands, Y)
    assert np.isnan(model.coef_[:, 1]).all()
    assert np.isnan(model.cv_scores_[:, 1]).all()
    assert np.isfinite(np.delete(model.coef_, 1, axis=1)).all()
    with pytest.warns(VoxscaleWarning, match=r"1 of 1 voxels .* \(1 have no score in any split\)"):
        assert np.isnan(banded(cv=cv, **options).fit(bands, Y[:, 1:2]).deltas_).all()


@pytest.mark.parametrize("options", [{}, {"local_alpha": False}])
def test_a_split_without_a_score_does_not_count(bands, Y, options):
    Y = Y.copy()
    Y[:15, 1] = 0.0
    model = banded(**options).fit(bands, Y)
    folds = contiguous_folds(45, 3)[1:]
    two = banded(cv=folds, **options).fit(bands, Y)
    if not options:
        np.testing.assert_allclose(model.cv_scores_[:, 1], two.cv_scores_[:, 1], rtol=1e-9)
        np.testing.assert_allclose(model.deltas_[:, 1], two.deltas_[:, 1], rtol=1e-9)
    assert np.isfinite(model.cv_scores_).all()


def test_all_voxels_undefined_is_an_answer_too(bands, Y):
    for options in ({}, {"local_alpha": False}, {"fit_intercept": True}):
        with pytest.warns(VoxscaleWarning, match="6 of 6 voxels"):
            model = banded(**options).fit(bands, np.zeros_like(Y))
        assert np.isnan(model.coef_).all()


def test_alphas_lost_in_rounding_are_not_chosen(bands, Y):
    wide = (
        bands["noise"] * 1e3
    )  # more columns than rows: the smallest eigenvalue is that of rounding
    twice = {"a": wide, "b": np.repeat(wide[:, :1], 2, axis=1)}
    model = banded([1e-6, 1e6], dtype="float32", n_iter=3).fit(twice, Y)
    assert np.isfinite(model.coef_).all()
    alphas = 1 / np.exp(model.deltas_).sum(axis=0)
    assert (alphas > 1).any()


# Bands


def test_a_matrix_keeps_the_order_of_its_columns(bands, Y, rng):
    names = np.repeat(list(bands), [4, 3, 60])
    order = rng.permutation(67)
    order = np.concatenate([[0, 4, 7], order[~np.isin(order, [0, 4, 7])]])  # bands in their order
    X = np.hstack(list(bands.values()))
    expected = banded().fit(bands, Y)
    model = banded(groups=names[order]).fit(X[:, order], Y)
    assert model.band_names_ == expected.band_names_ == ("words", "sounds", "noise")
    assert model.n_features_in_ == 67
    np.testing.assert_allclose(model.deltas_, expected.deltas_, rtol=1e-9)
    np.testing.assert_allclose(model.coef_, expected.coef_[order], rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(
        model.predict(X[:, order], split=True), expected.predict(bands, split=True), atol=1e-10
    )


def test_bands_may_be_numbered(bands, Y):
    X = np.hstack([bands["words"], bands["sounds"]])
    model = banded(groups=[7, 7, 7, 7, -1, -1, -1]).fit(X, Y)
    assert model.band_names_ == (7, -1)
    named = banded(groups=np.array(["b"] * 4 + ["a"] * 3, dtype=object)).fit(X, Y)
    assert named.band_names_ == ("b", "a")
    np.testing.assert_array_equal(named.deltas_, model.deltas_)
    assert model.best_alphas_.shape == (2, 6)


def test_the_order_of_a_mapping_does_not_matter_for_predicting(bands, Y):
    model = banded().fit(bands, Y)
    turned = dict(reversed(bands.items()))
    np.testing.assert_array_equal(model.predict(turned), model.predict(bands))


@pytest.mark.parametrize("fit_intercept", [False, True])
def test_parts_of_predictions_add_up(bands, Y, fit_intercept):
    model = banded(fit_intercept=fit_intercept).fit(bands, Y + 2)
    parts = model.predict(bands, split=True)
    assert parts.shape == (3, 45, 6)
    intercept = model.intercept_ if fit_intercept else 0
    np.testing.assert_allclose(parts.sum(axis=0) + intercept, model.predict(bands), atol=1e-10)
    np.testing.assert_allclose(parts[0], bands["words"] @ model.coef_[:4], atol=1e-12)


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 1000),
    scoring=st.sampled_from(["r2", "correlation"]),
    fit_intercept=st.booleans(),
    offset=st.floats(-50, 50),
)
def test_parts_of_scores_add_up_to_the_score(seed, scoring, fit_intercept, offset):
    rng = np.random.default_rng(seed)
    bands = {"a": rng.standard_normal((20, 2)), "b": rng.standard_normal((20, 3)) + 1}
    Y = bands["a"][:, :1] + rng.standard_normal((20, 2)) + offset
    model = banded(scoring=scoring, fit_intercept=fit_intercept, n_iter=3, cv=2).fit(bands, Y)
    fresh = {name: X + 0.3 for name, X in bands.items()}, Y + 0.1
    for X, responses in ((bands, Y), fresh):
        parts = model.score(X, responses, split=True)
        assert parts.shape == (2, 2)
        np.testing.assert_allclose(
            parts.sum(axis=0), model.score(X, responses), rtol=1e-8, atol=1e-8
        )


@pytest.mark.parametrize("scoring", ["r2", "correlation", "huth2023"])
def test_score_means_what_it_means_for_ridge(bands, Y, scoring):
    X = np.hstack(list(bands.values()))
    model = banded(scoring=scoring).fit(X, Y)
    ridge = RidgeCV(ALPHAS, 3, scoring=scoring, **EXACT).fit(X, Y)
    np.testing.assert_allclose(model.score(X, Y), ridge.score(X, Y), rtol=1e-7)
    best = ridge.cv_scores_.mean(axis=2).max(axis=0)
    np.testing.assert_allclose(model.cv_scores_[0], best, rtol=1e-7)


# An estimator of scikit-learn


def test_it_is_a_scikit_learn_estimator(bands, Y):
    cv = contiguous_folds(45, 3)
    model = banded(cv=cv, scoring="correlation", memory_gib=1.0, seed=3)
    params = model.get_params()
    assert params["alphas"] is ALPHAS
    assert params["cv"] is cv
    assert set(params) == {
        "alphas", "concentration", "cv", "device", "dtype", "fit_intercept", "groups",
        "local_alpha", "memory_gib", "n_iter", "scoring", "seed", "solver",
    }  # fmt: skip
    copy = clone(model)
    assert not hasattr(copy, "coef_")
    assert model.fit(bands, Y) is model
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(bands), model.predict(bands))
    np.testing.assert_array_equal(copy.fit(bands, Y).coef_, model.coef_)
    assert clone(model).set_params(seed=4).get_params()["seed"] == 4
    assert "BandedRidgeCV" in repr(model)


def test_defaults_are_as_promised():
    params = BandedRidgeCV([1.0]).get_params()
    assert params == {
        "alphas": [1.0], "cv": None, "groups": None, "solver": "random_search", "n_iter": 100,
        "concentration": (0.1, 1.0), "scoring": "r2", "local_alpha": True, "fit_intercept": False,
        "seed": 0, "device": None, "dtype": "float32", "memory_gib": None,
    }  # fmt: skip


def test_an_intercept_of_an_earlier_fit_is_forgotten(bands, Y):
    model = banded(fit_intercept=True).fit(bands, Y + 10).set_params(fit_intercept=False)
    assert not hasattr(model.fit(bands, Y), "intercept_")


# Errors


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alphas": [0.0, 1.0]}, r"alphas hold 0\.0; expected finite numbers above 0"),
        ({"alphas": [-1.0]}, r"alphas hold -1\.0"),
        ({"alphas": [1e-60], "dtype": "float32"}, "alphas hold 1e-60; .* in float32"),
        ({"alphas": 1.0}, r"alphas have shape \(\)"),
        ({"alphas": []}, r"alphas have shape \(0,\)"),
        ({"solver": "random"}, r"solver 'random' is unknown; .*did you mean 'random_search'\?"),
        ({"scoring": "huth"}, r"scoring 'huth' is unknown; .*did you mean 'huth2023'\?"),
        ({"dtype": "float16"}, "dtype 'float16' is unknown"),
        ({"memory_gib": 0}, "memory_gib is 0"),
        ({"n_iter": 0}, "n_iter is 0; expected 1 or more"),
        ({"seed": -1}, "seed is -1; expected 0 or more and at most 4294967295"),
        ({"concentration": [1.0, 0.0]}, r"concentration is \[1\.0, 0\.0\]; expected numbers"),
        ({"concentration": []}, r"concentration is \[\]"),
        ({"solver": "hyper_gradient", "fit_intercept": True}, "cannot fit an intercept"),
        ({"solver": "hyper_gradient", "local_alpha": False}, "use solver='random_search' where"),
        ({"groups": [1, 2]}, "groups label the columns of a matrix, but X is a mapping"),
        ({"cv": 1000}, "rows cannot be cut into 1000 folds"),
    ],
)
def test_bad_parameters_are_named(bands, Y, options, message):
    with pytest.raises(ValueError, match=message):
        banded(**options).fit(bands, Y)


@pytest.mark.parametrize("options", [{"n_iter": 2.5}, {"seed": None}])
def test_whole_numbers_are_expected(bands, Y, options):
    with pytest.raises(TypeError, match=f"{next(iter(options))} is .*; expected a whole number"):
        banded(**options).fit(bands, Y)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (["a", "b"], r"groups have shape \(2,\) but X has shape \(45, 4\); expected one label"),
        ([[1, 1, 2, 2]], r"groups have shape \(1, 4\) but X has shape \(45, 4\)"),
        ([1.0, 1.0, np.nan, 2.0], r"groups hold 1\.0; expected names or whole numbers"),
    ],
)
def test_bad_groups_are_named(bands, Y, groups, message):
    with pytest.raises(ValueError, match=message):
        banded(groups=groups).fit(bands["words"], Y)


def test_bands_that_cannot_be_used_are_named(bands, Y):
    with pytest.raises(ValueError, match=r"X\['empty'\] has shape \(45, 0\)"):
        banded().fit(bands | {"empty": np.ones((45, 0))}, Y)
    with pytest.raises(ValueError, match=r"X\['flat'\] has shape \(45,\)"):
        banded().fit(bands | {"flat": np.ones(45)}, Y)
    with pytest.raises(ValueError, match="X is a mapping without a band"):
        banded().fit({}, Y)
    with pytest.raises(ValueError, match=r"X has shape \(45,\)"):
        banded().fit(np.ones(45), Y)
    message = r"X\['words'\] has shape \(45, 4\) but X\['sounds'\] has shape \(44, 3\)"
    with pytest.raises(AlignmentError, match=message):
        banded().fit(bands | {"sounds": bands["sounds"][1:]}, Y)


@pytest.mark.parametrize("fit_intercept", [False, True])
def test_a_number_that_is_none_is_located(bands, Y, fit_intercept):
    bad = bands["sounds"].copy()
    bad[5, 2] = np.nan
    model = banded(fit_intercept=fit_intercept)
    with pytest.raises(FitError, match="X is nan at row 5, column 2 of band 'sounds'; expected"):
        model.fit(bands | {"sounds": bad}, Y)
    X = np.hstack([bad, bands["words"]])
    message = r"X is nan at row 5, column 1 of band 2 \(column 2 of X\); expected"
    with pytest.raises(FitError, match=message):
        clone(model).set_params(groups=[1, 2, 2, 1, 1, 1, 1]).fit(X, Y)
    huge = bands["words"].copy()
    huge[7, 0] = 1e300
    with pytest.raises(FitError, match=r"row 7, column 0 of band 'words' \(too large for float32"):
        model.set_params(dtype="float32").fit(bands | {"words": huge}, Y)
    model.set_params(dtype="float64").fit(bands, Y)
    with pytest.raises(FitError, match="X is nan at row 5, column 2 of band 'sounds'"):
        model.predict(bands | {"sounds": bad})


def test_responses_that_do_not_fit_are_named(bands, Y):
    with pytest.raises(AlignmentError, match=r"X has shape \(45, 67\) but Y has shape \(44, 6\)"):
        banded().fit(bands, Y[1:])
    with pytest.raises(
        ValueError, match=r"Y has shape \(45,\) .* Give a single voxel as Y\[:, None"
    ):
        banded().fit(bands, Y[:, 0])
    with pytest.raises(ValueError, match=r"Y has shape .* and dtype <U"):
        banded().fit(bands, Y.astype(str))
    model = banded().fit(bands, Y)
    with pytest.raises(AlignmentError, match=r"the 6 voxel\(s\) of the fit"):
        model.score(bands, Y[:, 1:])
    with pytest.raises(AlignmentError, match="expected 45 rows"):
        model.score(bands, Y[1:])


def test_a_closed_file_of_responses_is_told(bands, Y, tmp_path):
    with h5py.File(tmp_path / "y.h5", "w") as file:
        dataset = file.create_dataset("y", data=Y)
        np.testing.assert_array_equal(
            banded().fit(bands, dataset).coef_, banded().fit(bands, Y).coef_
        )
    with pytest.raises(DataError, match="Y cannot be opened"):
        banded().fit(bands, dataset)


def test_splits_that_overlap_are_told(bands, Y):
    with pytest.raises(ValueError, match="both train and validate"):
        banded(cv=[(np.arange(30), np.arange(20, 45))]).fit(bands, Y)


@pytest.mark.parametrize("options", [{}, {"fit_intercept": True}, {"solver": "hyper_gradient"}])
def test_constant_features_and_bands_of_zeros_get_no_weights(bands, Y, options):
    words = np.hstack([bands["words"], np.zeros((45, 1))])
    model = banded(**options).fit({"words": words, "nothing": np.zeros((45, 2))}, Y)
    assert np.isfinite(model.coef_).all()
    assert (model.coef_[4:] == 0).all()
    assert (model.score({"words": words, "nothing": np.zeros((45, 2))}, Y) > 0).any()


def test_a_grid_is_searched(bands, Y):
    X, groups = np.hstack([bands["words"], bands["sounds"]]), [0] * 4 + [1] * 3
    model = banded(groups=groups, seed=0)
    grid = {"fit_intercept": [False, True], "alphas": [[1e6], [1.0]]}
    search = GridSearchCV(model, grid, scoring="r2", cv=KFold(3)).fit(X, Y + 5)
    assert search.best_params_ == {"fit_intercept": True, "alphas": [1.0]}


def test_other_bands_than_those_of_the_fit_are_named(bands, Y):
    model = banded().fit(bands, Y)
    with pytest.raises(
        AlignmentError, match="X holds the bands 'words'; the fit had 'words', 'sou"
    ):
        model.predict({"words": bands["words"]})
    with pytest.raises(AlignmentError, match=r"X\['noise'\] has shape \(45, 59\); expected the 60"):
        model.predict(bands | {"noise": bands["noise"][:, 1:]})
    with pytest.raises(AlignmentError, match="the fit had a mapping of the bands 'words'"):
        model.predict(np.hstack(list(bands.values())))
    matrix = banded().fit(bands["words"], Y)
    with pytest.raises(AlignmentError, match="the fit had a matrix of 4 features"):
        matrix.predict(bands)
    with pytest.raises(AlignmentError, match="expected the 4 features of the fit"):
        matrix.predict(bands["sounds"])


def test_a_score_without_parts_is_not_split(bands, Y):
    model = banded(scoring="huth2023").fit(bands, Y)
    with pytest.raises(
        ValueError, match="'huth2023' has no parts that add up; use correlation or r2"
    ):
        model.score(bands, Y, split=True)


def test_nothing_is_known_before_the_fit(bands):
    with pytest.raises(NotFittedError):
        banded().predict(bands)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no accelerator")
@pytest.mark.parametrize("options", [{}, {"fit_intercept": True}, {"solver": "hyper_gradient"}])
def test_an_accelerator_gives_the_same(bands, Y, options):
    expected = banded(**options).fit(bands, Y)
    model = banded(device="cuda", **options).fit(bands, Y)
    np.testing.assert_allclose(model.deltas_, expected.deltas_, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-5, atol=1e-6)
