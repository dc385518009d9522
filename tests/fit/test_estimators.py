from __future__ import annotations

import warnings

import numpy as np
import pytest
import sklearn.linear_model
from sklearn.exceptions import NotFittedError
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold

from voxscale.errors import AlignmentError, FitError, VoxscaleWarning
from voxscale.fit import RidgeCV, _blocks, chunk_holdout, contiguous_folds

ALPHAS = np.logspace(-1, 3, 5)


def ridge(alphas=ALPHAS, cv=3, **options):
    return RidgeCV(alphas, cv, **({"device": "cpu", "dtype": "float64"} | options))


@pytest.fixture(params=[(60, 8), (30, 50)], ids=["primal", "dual"])
def data(request, rng, frozen):
    n_trs, n_features = request.param
    X = rng.standard_normal((n_trs, n_features))
    Y = X @ rng.standard_normal((n_features, 6)) + 3 * rng.standard_normal((n_trs, 6))
    return frozen(X), frozen(Y)


def test_it_chooses_and_refits_as_scikit_learn_would_voxel_by_voxel(data):
    X, Y = data
    model = ridge(cv=4).fit(X, Y)
    for v in range(6):
        means = []
        for alpha in ALPHAS:
            one = sklearn.linear_model.Ridge(alpha=alpha, fit_intercept=False)
            scores = [
                r2_score(Y[val, v], one.fit(X[train], Y[train, v]).predict(X[val]))
                for train, val in KFold(4).split(X)
            ]
            means.append(np.mean(scores))
        best = int(np.argmax(means))
        assert model.best_alphas_[v] == ALPHAS[best]
        np.testing.assert_allclose(model.cv_scores_[:, v].mean(axis=1), means, rtol=1e-8)
        refit = sklearn.linear_model.Ridge(alpha=ALPHAS[best], fit_intercept=False).fit(X, Y[:, v])
        np.testing.assert_allclose(model.coef_[:, v], refit.coef_, rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(model.predict(X)[:, v], refit.predict(X), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("solver", ["ridge", "kernel"])
def test_it_chooses_as_himalaya_does(data, solver):
    pytest.importorskip("himalaya")
    from himalaya.kernel_ridge import KernelRidgeCV
    from himalaya.ridge import RidgeCV as HimalayaRidgeCV
    from himalaya.scoring import r2_score as himalaya_r2

    X, Y = data
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if solver == "ridge":
            params = {"score_func": himalaya_r2}
            theirs = HimalayaRidgeCV(ALPHAS, cv=KFold(3), solver_params=params)
        else:
            params = {"score_func": himalaya_r2}
            theirs = KernelRidgeCV(ALPHAS, cv=KFold(3), solver_params=params)
        theirs.fit(X.copy(), Y.copy())
        predicted = theirs.predict(X.copy())
    ours = ridge().fit(X, Y)
    np.testing.assert_allclose(ours.best_alphas_, theirs.best_alphas_, rtol=1e-10)
    np.testing.assert_allclose(ours.predict(X), predicted, rtol=1e-6, atol=1e-8)


def test_the_form_follows_the_shape(data):
    X, Y = data
    model = ridge().fit(X, Y)
    assert model.form_ == ("primal" if X.shape[0] > X.shape[1] else "dual")
    assert model.n_features_in_ == X.shape[1]
    assert model.coef_.shape == (X.shape[1], 6)
    assert model.best_alphas_.shape == (6,)
    assert model.cv_scores_.shape == (5, 6, 3)
    assert not hasattr(model, "intercept_")


def test_an_intercept_takes_up_the_means(data, frozen):
    X, Y = data
    shifted = frozen(X + 5), frozen(Y - np.arange(6))
    model = ridge(fit_intercept=True).fit(*shifted)
    theirs = sklearn.linear_model.Ridge(alpha=model.best_alphas_).fit(*shifted)
    np.testing.assert_allclose(model.coef_, theirs.coef_.T, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(model.intercept_, theirs.intercept_, rtol=1e-7)
    np.testing.assert_allclose(model.predict(X), theirs.predict(X), rtol=1e-7)
    centred = ridge(fit_intercept=True).fit(X, Y)
    np.testing.assert_allclose(model.cv_scores_, centred.cv_scores_, rtol=1e-7, atol=1e-9)


def test_an_intercept_of_an_earlier_fit_is_forgotten(data):
    X, Y = data
    model = ridge(fit_intercept=True).fit(X, Y + 10).set_params(fit_intercept=False).fit(X, Y)
    assert not hasattr(model, "intercept_")
    np.testing.assert_array_equal(model.predict(X), ridge().fit(X, Y).predict(X))


@pytest.mark.parametrize("fit_intercept", [False, True])
def test_a_single_time_course_comes_back_as_one(data, fit_intercept):
    X, Y = data
    single = ridge(fit_intercept=fit_intercept).fit(X, Y[:, 0])
    one = ridge(fit_intercept=fit_intercept).fit(X, Y[:, :1])
    assert single.coef_.shape == (X.shape[1],)
    assert single.predict(X).shape == (len(X),)
    np.testing.assert_array_equal(single.predict(X), one.predict(X)[:, 0])
    assert np.ndim(single.score(X, Y[:, 0])) == 0
    assert single.score(X, Y[:, 0]) == one.score(X, Y[:, :1])[0]


@pytest.mark.parametrize("scoring", ["r2", "correlation", "huth2023"])
def test_score_is_by_scoring(data, scoring):
    X, Y = data
    model = ridge(scoring=scoring).fit(X, Y)
    predicted = model.predict(X)

    def huth2023(y, p):
        explained = 1 - np.var(y - p) / ((1 + np.var(y)) / 2)
        return np.sign(explained) * np.sqrt(abs(explained))

    expected = {
        "r2": r2_score,
        "correlation": lambda y, p: np.corrcoef(y, p)[0, 1],
        "huth2023": huth2023,
    }[scoring]
    scores = [expected(Y[:, v], predicted[:, v]) for v in range(6)]
    np.testing.assert_allclose(model.score(X, Y), scores, rtol=1e-8)


def test_scores_on_other_data_than_the_fit(data, rng):
    X, Y = data
    half = len(X) // 2
    model = ridge().fit(X[:half], Y[:half])
    expected = r2_score(Y[half:], model.predict(X[half:]), multioutput="raw_values")
    np.testing.assert_allclose(model.score(X[half:], Y[half:]), expected, rtol=1e-9)


def test_a_shared_alpha_is_the_best_on_average(data):
    X, Y = data
    model = ridge(local_alpha=False).fit(X, Y)
    assert len(set(model.best_alphas_)) == 1
    mean = model.cv_scores_.mean(axis=(1, 2))
    assert model.best_alphas_[0] == ALPHAS[mean.argmax()]


def test_the_default_is_five_contiguous_folds(data):
    X, Y = data
    default, five = ridge(cv=None).fit(X, Y), ridge(cv=contiguous_folds(len(X), 5)).fit(X, Y)
    np.testing.assert_array_equal(default.cv_scores_, five.cv_scores_)
    assert default.cv_scores_.shape[2] == 5


def test_chunks_of_runs_can_validate(data):
    X, Y = data
    splits = chunk_holdout(
        len(X), chunk_len=4, n_chunks=2, n_repeats=6, seed=0, run_lengths=[len(X) - 13, 13], gap=2
    )
    assert ridge(cv=splits).fit(X, Y).cv_scores_.shape == (5, 6, 6)


def test_the_order_of_rows_in_a_split_does_not_matter(data, rng):
    X, Y = data
    splits = contiguous_folds(len(X), 3)
    shuffled = [tuple(rng.permutation(part) for part in pair) for pair in splits]
    one, other = ridge(cv=splits).fit(X, Y), ridge(cv=shuffled).fit(X, Y)
    np.testing.assert_allclose(one.cv_scores_, other.cv_scores_, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype_is_that_of_weights_and_predictions(data, dtype):
    X, Y = data
    model = ridge(dtype=dtype, fit_intercept=True).fit(X, Y)
    assert model.coef_.dtype == model.intercept_.dtype == model.predict(X).dtype == dtype
    assert model.cv_scores_.dtype == model.best_alphas_.dtype == model.score(X, Y).dtype == float


def test_undefined_voxels_are_nan_and_counted_once(data, frozen):
    X, clean = data
    Y = clean.copy()
    Y[3, 0] = np.nan
    Y[4, 1] = -np.inf
    Y[:, 2] = 7.5
    with pytest.warns(VoxscaleWarning) as caught:
        model = ridge().fit(X, frozen(Y))
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert str(caught[0].message).startswith(
        "3 of 6 voxels could not be fitted (2 hold NaN or infinity, 1 are constant) and are NaN"
    )
    bad, good = [0, 1, 2], [3, 4, 5]
    assert np.isnan(model.best_alphas_[bad]).all()
    assert np.isnan(model.cv_scores_[:, bad]).all()
    assert np.isnan(model.coef_[:, bad]).all()
    assert np.isnan(model.predict(X)[:, bad]).all()
    assert np.isnan(model.score(X, clean)[bad]).all()
    expected = ridge().fit(X, clean)
    np.testing.assert_array_equal(model.best_alphas_[good], expected.best_alphas_[good])
    np.testing.assert_allclose(model.coef_[:, good], expected.coef_[:, good], rtol=1e-10)
    np.testing.assert_allclose(model.score(X, Y)[good], expected.score(X, clean)[good], rtol=1e-10)


def test_voxels_without_a_score_in_any_split_are_counted(data):
    X, Y = data
    Y = Y.copy()
    Y[: len(Y) - 2, 1] = 0.0  # constant in the only validation part
    cv = [(np.arange(10, len(X)), np.arange(10))]
    with pytest.warns(VoxscaleWarning, match=r"1 of 6 voxels .* \(1 have no score in any split\)"):
        model = ridge(cv=cv).fit(X, Y)
    assert np.isnan(model.coef_[:, 1]).all()
    assert np.isfinite(np.delete(model.coef_, 1, axis=1)).all()


def test_all_voxels_undefined_is_an_answer_too(data):
    X, Y = data
    for local_alpha in (False, True):
        with pytest.warns(VoxscaleWarning, match="6 of 6 voxels"):
            model = ridge(local_alpha=local_alpha).fit(X, np.zeros_like(Y))
        assert np.isnan(model.coef_).all()


def test_responses_may_be_whole_numbers_lists_or_memory_maps(data, tmp_path):
    X, Y = data
    expected = ridge().fit(X, Y).coef_
    np.save(tmp_path / "Y.npy", Y)
    mapped = np.load(tmp_path / "Y.npy", mmap_mode="r")
    np.testing.assert_array_equal(ridge().fit(X, mapped).coef_, expected)
    np.testing.assert_array_equal(ridge().fit(X.tolist(), Y.tolist()).coef_, expected)
    np.testing.assert_array_equal(ridge().fit(X, np.asfortranarray(Y)).coef_, expected)
    whole = np.round(10 * Y).astype(np.int16)
    one, other = ridge().fit(X, whole), ridge().fit(X, whole.astype(float))
    np.testing.assert_array_equal(one.coef_, other.coef_)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_results_do_not_depend_on_memory(data, dtype, monkeypatch):
    X, Y = data
    Y = np.tile(Y, (1, 300)) + np.random.default_rng(0).standard_normal((len(Y), 1800))
    plenty = ridge(dtype=dtype, fit_intercept=True).fit(X, Y)
    widths = []
    read = _blocks.VoxelBlocks.read

    def record(self, blocks):
        blocks = list(blocks)
        widths.extend(block.stop - block.start for block in blocks)
        return read(self, blocks)

    monkeypatch.setattr(_blocks.VoxelBlocks, "read", record)
    scarce = ridge(dtype=dtype, fit_intercept=True, memory_gib=0.0006).fit(X, Y)
    assert max(widths) < 400
    rtol = 1e-4 if dtype == "float32" else 1e-9
    np.testing.assert_array_equal(scarce.best_alphas_, plenty.best_alphas_)
    for name in ("cv_scores_", "coef_", "intercept_"):
        ours, theirs = getattr(scarce, name), getattr(plenty, name)
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=rtol / 10)
    np.testing.assert_allclose(scarce.predict(X), plenty.predict(X), rtol=rtol, atol=rtol)
    np.testing.assert_allclose(scarce.score(X, Y), plenty.score(X, Y), rtol=rtol, atol=rtol)


def test_the_default_memory_is_what_is_free(data, monkeypatch):
    X, Y = data
    monkeypatch.setattr(_blocks, "available_bytes", lambda device: 1000)
    with pytest.raises(FitError, match=r"decomposing X .* needs .* 0\.6836 KiB may be used"):
        ridge().fit(X, Y)


def test_weights_may_be_read_only(data):
    X, Y = data
    model = ridge(fit_intercept=True).fit(X, Y)
    expected = model.predict(X)
    model.coef_.flags.writeable = model.intercept_.flags.writeable = False
    np.testing.assert_array_equal(model.predict(X), expected)


def test_nothing_is_done_before_fit(data):
    X, Y = data
    model = ridge(alphas="nonsense", scoring="nonsense", dtype="nonsense")
    with pytest.raises(NotFittedError):
        model.predict(X)
    with pytest.raises(ValueError, match="alphas have shape"):
        model.fit(X, Y)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alphas": [-1.0]}, r"alphas hold -1\.0; expected finite numbers above 0"),
        ({"alphas": [0.0, 1.0]}, r"alphas hold 0\.0; expected finite numbers above 0"),
        (
            {"solver": "svd"},
            "solver 'svd' is unknown; choose one of auto, cholesky, holdout, split",
        ),
        ({"tolerance": 1.5}, r"tolerance is 1\.5; expected a number from 0 \(exact\) to below 1"),
        ({"weights": "both"}, "weights is 'both'; expected one of primal, dual, or None"),
        ({"groups": [0, 1]}, r"groups have shape \(2,\) .* each of the 6 voxels"),
        (
            {"groups": [0] * 6, "local_alpha": False},
            "groups were given with local_alpha=False; choose one of the two",
        ),
        ({"scoring": "r"}, "scoring 'r' is unknown; choose one of correlation, huth2023, r2"),
        ({"dtype": "float16"}, "dtype 'float16' is unknown; choose one of float32, float64"),
        ({"device": "mps"}, "device 'mps' cannot be used"),
        ({"memory_gib": 0}, "memory_gib is 0; expected a positive number"),
        ({"cv": [([0], [1, 500])]}, "validation rows run from 1 to 500, but X has rows 0 to"),
        ({"cv": 1000}, "rows cannot be cut into 1000 folds"),
    ],
)
def test_bad_parameters_are_named(data, options, message):
    with pytest.raises(ValueError, match=message):
        ridge(**options).fit(*data)


def test_data_that_does_not_fit_is_named(data):
    X, Y = data
    n_trs, n_features = X.shape
    message = rf"X has shape \({n_trs}, {n_features}\) but Y has shape \({n_trs - 1}, 6\)"
    with pytest.raises(AlignmentError, match=message):
        ridge().fit(X, Y[1:])
    bad = X.copy()
    bad[5, 2] = np.nan
    with pytest.raises(FitError, match="X is nan at row 5, column 2"):
        ridge().fit(bad, Y)
    with pytest.raises(FitError, match="split 0 has 1 validation row"):
        ridge(cv=[([0, 1, 2], [3])]).fit(X, Y)
    model = ridge().fit(X, Y)
    with pytest.raises(FitError, match="X is nan at row 5, column 2"):
        model.predict(bad)
    with pytest.raises(AlignmentError, match=rf"expected the {n_features} features of the fit"):
        model.predict(X[:, 1:])
    with pytest.raises(AlignmentError, match=r"the 6 voxel\(s\) of the fit"):
        model.score(X, Y[:, 1:])
    with pytest.raises(AlignmentError, match=rf"expected {n_trs} rows"):
        model.score(X, Y[1:])
    with pytest.raises(ValueError, match="X has shape"):
        ridge().fit(X[:, 0], Y)
    with pytest.raises(ValueError, match="Y has shape"):
        ridge().fit(X, Y[:, :, None])
