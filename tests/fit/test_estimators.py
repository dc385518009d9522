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


# Kinds of weights.


@pytest.mark.parametrize("weighting", ["none", "mask", "any"])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("is_single", [False, True])
def test_dual_coefficients_predict_as_weights_do(data, rng, fit_intercept, weighting, is_single):
    X, Y = data
    Y = Y[:, 0] if is_single else Y
    X, Y = X + 2, Y + 3
    is_kept = rng.random(len(X)) > 0.2
    w = {"none": None, "mask": is_kept, "any": rng.uniform(0.1, 2, len(X)) * is_kept}[weighting]
    primal = ridge(fit_intercept=fit_intercept).fit(X, Y, w)
    dual = ridge(fit_intercept=fit_intercept, weights="dual").fit(X, Y, w)
    assert dual.dual_coef_.shape == Y.shape
    assert not hasattr(dual, "coef_")
    np.testing.assert_allclose(X.T @ dual.dual_coef_, primal.coef_, rtol=1e-7, atol=1e-9)
    np.testing.assert_array_equal(dual.cv_scores_, primal.cv_scores_)
    if fit_intercept:
        np.testing.assert_allclose(dual.intercept_, primal.intercept_, rtol=1e-7, atol=1e-9)
    new = rng.standard_normal((7, X.shape[1]))
    np.testing.assert_allclose(dual.predict(new), primal.predict(new), rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(dual.score(X, Y), primal.score(X, Y), rtol=1e-7, atol=1e-9)


def test_dual_coefficients_predict_although_censored_rows_hold_nothing(data):
    X, Y = data
    X, w = X.copy(), np.ones(len(X))
    X[3], w[3] = np.nan, 0
    primal, dual = (ridge(weights=kind).fit(X, Y, w) for kind in ("primal", "dual"))
    np.testing.assert_allclose(dual.predict(X[5:]), primal.predict(X[5:]), rtol=1e-7, atol=1e-9)


def test_without_weights_there_are_scores_and_alphas_alone(data):
    X, Y = data
    full, scores_only = ridge(fit_intercept=True).fit(X, Y), ridge(weights=None).fit(X, Y)
    assert scores_only.set_params(fit_intercept=True).fit(X, Y) is scores_only
    # Weights count in the choice of the solver.
    np.testing.assert_allclose(scores_only.cv_scores_, full.cv_scores_, rtol=1e-9, atol=1e-11)
    np.testing.assert_array_equal(scores_only.best_alphas_, full.best_alphas_)
    for name in ("coef_", "dual_coef_", "intercept_", "X_fit_"):
        assert not hasattr(scores_only, name)
    for method, arguments in (("predict", (X,)), ("score", (X, Y))):
        with pytest.raises(FitError, match=r"the fit kept no weights \(weights=None\)"):
            getattr(scores_only, method)(*arguments)


def test_weights_of_another_kind_are_forgotten(data):
    X, Y = data
    model = ridge(weights="dual").fit(X, Y).set_params(weights="primal").fit(X, Y)
    assert not hasattr(model, "dual_coef_")
    assert not hasattr(model, "X_fit_")
    np.testing.assert_array_equal(model.predict(X), ridge().fit(X, Y).predict(X))


# Alphas that are shared.


def test_voxels_of_a_group_share_an_alpha(data):
    X, Y = data
    groups = ["V1", "", "V1", "A1", "A1", ""]
    model, own = ridge(groups=groups).fit(X, Y), ridge().fit(X, Y)
    mean = own.cv_scores_.mean(axis=2)
    for members in ([0, 2], [3, 4]):
        best = ALPHAS[mean[:, members].mean(axis=1).argmax()]
        assert (model.best_alphas_[members] == best).all()
    np.testing.assert_array_equal(model.best_alphas_[[1, 5]], own.best_alphas_[[1, 5]])
    for v, alpha in enumerate(model.best_alphas_):
        one = sklearn.linear_model.Ridge(alpha=alpha, fit_intercept=False).fit(X, Y[:, v])
        np.testing.assert_allclose(model.coef_[:, v], one.coef_, rtol=1e-7, atol=1e-9)


# Several designs.


@pytest.mark.parametrize("weights", ["primal", "dual"])
def test_designs_are_fitted_as_each_alone(data, rng, weights):
    X, Y = data
    designs = [X, rng.standard_normal((len(X), 70)), X[:, :3]]
    w = rng.uniform(0.1, 1, len(X))
    pattern = ridge(fit_intercept=True, weights=weights, scoring="correlation")
    models = pattern.fit_designs(designs, Y, w)
    assert not hasattr(pattern, "best_alphas_")
    assert len({id(model) for model in models}) == 3
    for model, design in zip(models, designs, strict=True):
        alone = ridge(fit_intercept=True, weights=weights, scoring="correlation").fit(design, Y, w)
        assert model.n_features_in_ == design.shape[1]
        assert (model.form_, model.solver_) == (alone.form_, alone.solver_)
        np.testing.assert_array_equal(model.best_alphas_, alone.best_alphas_)
        np.testing.assert_allclose(model.cv_scores_, alone.cv_scores_, rtol=1e-9)
        np.testing.assert_allclose(model.intercept_, alone.intercept_, rtol=1e-9)
        np.testing.assert_allclose(model.predict(design), alone.predict(design), rtol=1e-9)


def test_responses_are_read_once_for_all_designs(data, counting, monkeypatch):
    X, Y = data
    monkeypatch.setattr(_blocks, "_COMFORTABLE_BYTES", {"cpu": 1})
    monkeypatch.setattr(_blocks, "_NARROWEST_COMFORTABLE", 4)
    read = counting(Y)
    ridge(weights=None).fit_designs([X, X[:, :3], X[:, 2:]], read)
    assert read.columns == [(0, 4), (4, 6)]
    read.asked.clear()
    ridge().fit_designs([X, X[:, :3], X[:, 2:]], read)
    assert read.columns == [(0, 4), (4, 6)] * 2  # scores, and then weights, of all


def test_designs_that_do_not_go_together_are_named(data):
    X, Y = data
    with pytest.raises(ValueError, match="designs is empty; expected one array"):
        ridge().fit_designs([], Y)
    with pytest.raises(ValueError, match="there are 0 results for 1 designs; expected as many"):
        ridge().fit_designs([X], Y, results=[])
    with pytest.raises(AlignmentError, match=r"designs\[1\] has shape .* as many rows in both"):
        ridge().fit_designs([X, X[1:]], Y)
    spoilt = X.copy()
    spoilt[3, 2] = np.nan
    with pytest.raises(FitError, match=r"designs\[1\] is nan at row 3, column 2"):
        ridge().fit_designs([X, spoilt], Y)


# The whole path.


@pytest.mark.parametrize("scoring", ["r2", "correlation"])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_a_path_is_a_fit_at_each_alpha_scored_on_test_data(data, rng, scoring, fit_intercept):
    X, Y = data
    n_train = 2 * len(X) // 3
    train, test = (X[:n_train], Y[:n_train] + 1), (X[n_train:], Y[n_train:] + 1)
    options = {"scoring": scoring, "fit_intercept": fit_intercept}
    path = ridge(**options).path(*train, *test)
    assert path.shape == (len(ALPHAS), 6)
    for row, alpha in zip(path, ALPHAS, strict=True):
        expected = ridge([alpha], **options).fit(*train).score(*test)
        np.testing.assert_allclose(row, expected, rtol=1e-8, atol=1e-10)
    single = ridge(**options).path(train[0], train[1][:, 0], test[0], test[1][:, 0])
    np.testing.assert_allclose(single, path[:, 0], rtol=1e-10)


def test_a_path_keeps_nothing_and_looks_at_no_split(data):
    X, Y = data
    model = ridge(cv="nonsense")
    before = dict(vars(model))
    model.path(X[10:], Y[10:], X[:10], Y[:10])
    assert vars(model) == before


def test_a_path_needs_data_that_go_together(data):
    X, Y = data
    for pair, message in (
        ((X[:9], Y[:8]), "expected as many rows in both"),
        ((X[:9, 1:], Y[:9]), "X has shape .* but X_test has shape .* as many columns in both"),
        ((X[:9], Y[:9, 1:]), "Y has shape .* but Y_test has shape .* as many columns in both"),
    ):
        with pytest.raises(AlignmentError, match=message):
            ridge().path(X[9:], Y[9:], *pair)


# Predictions and their scores.


def test_rows_of_no_weight_are_not_scored(data, rng):
    X, Y = data
    model, is_kept = ridge().fit(X, Y), rng.random(len(X)) > 0.3
    spoilt = np.where(is_kept[:, None], Y, np.nan)
    expected = model.score(X[is_kept], Y[is_kept])
    np.testing.assert_allclose(model.score(X, spoilt, is_kept), expected, rtol=1e-10)
    # All others count alike.
    w = rng.uniform(0.1, 5, len(X)) * is_kept
    np.testing.assert_allclose(model.score(X, spoilt, sample_weight=w), expected, rtol=1e-10)


def test_where_predictions_go_has_their_shape(data):
    X, Y = data
    model = ridge().fit(X, Y)
    for shape in ((len(X), 5), (len(X) - 1, 6), (6,)):
        with pytest.raises(AlignmentError, match=r"out has shape .*; expected \(\d+, 6\)"):
            model.predict(X, out=np.empty(shape))


@pytest.mark.parametrize("solver", ["split", "holdout", "cholesky"])
def test_the_solver_is_the_one_asked_for(data, solver):
    X, Y = data
    model, expected = ridge(solver=solver).fit(X, Y), ridge().fit(X, Y)
    assert model.solver_ == solver
    np.testing.assert_allclose(model.cv_scores_, expected.cv_scores_, rtol=1e-7, atol=1e-9)
    np.testing.assert_array_equal(model.best_alphas_, expected.best_alphas_)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-9, atol=1e-12)


def test_without_a_tolerance_every_alpha_is_computed(data):
    X, Y = data
    alphas = np.logspace(0, 4, 40)
    exact, default = (ridge(alphas, tolerance=t).fit(X, Y).cv_scores_ for t in (0, None))
    coarse = ridge(alphas, tolerance=1e-2).fit(X, Y).cv_scores_
    assert 0 < np.abs(default - exact).max() < 1e-9
    assert 1e-9 < np.abs(coarse - exact).max() < 0.1


def test_the_default_alphas_are_of_every_half_decade_to_a_hundred_million():
    alphas = RidgeCV().alphas
    np.testing.assert_allclose(alphas, np.logspace(0, 8, 17))


def test_voxels_without_a_score_in_any_one_design_are_counted():
    X, Y = np.random.default_rng(0).standard_normal((2, 60, 4))
    with pytest.warns(VoxscaleWarning, match="4 of 4 voxels could not be fitted"):
        one, other = ridge(scoring="correlation").fit_designs([X, np.zeros_like(X)], Y)
    assert np.isfinite(one.best_alphas_).all()
    assert np.isnan(other.best_alphas_).all()


@pytest.mark.parametrize("is_masked", [False, True])
def test_a_large_mean_costs_no_digits_of_dual_predictions(rng, is_masked):
    X = 1000 + rng.standard_normal((300, 500))
    Y = (X - 1000) @ rng.standard_normal((500, 4)) / 20 + rng.standard_normal((300, 4)) + 7
    X_test = 1000 + rng.standard_normal((80, 500))
    weight = np.arange(300) > 20 if is_masked else None
    options = {"fit_intercept": True, "cv": 3, "device": "cpu"}
    exact = RidgeCV([10.0, 1000.0], dtype="float64", **options).fit(X, Y, weight)
    for kind in ("primal", "dual"):
        model = RidgeCV([10.0, 1000.0], weights=kind, **options).fit(X, Y, weight)
        np.testing.assert_array_equal(model.best_alphas_, exact.best_alphas_)
        atol = 2e-2 if kind == "primal" else 2e-4  # weights meet the mean, products do not
        np.testing.assert_allclose(model.predict(X_test), exact.predict(X_test), atol=atol)


def test_a_path_counts_voxels_without_a_score(data):
    X, Y = data
    spoilt = Y.copy()
    spoilt[3, 1] = np.nan
    with pytest.warns(VoxscaleWarning, match="1 of 6 voxels could not be fitted"):
        scores = ridge().path(X, spoilt, X, Y)
    assert np.isnan(scores).all(axis=0).tolist() == [False, True] + [False] * 4


@pytest.mark.parametrize(("weights", "n_trs"), [("primal", 2000), ("dual", 600)])
def test_a_design_too_large_to_predict_from_is_refused_before_it_is_read(
    rng, counting, weights, n_trs
):
    X, Y = rng.standard_normal((30, 10)), rng.standard_normal((30, 2))
    model = RidgeCV([1.0], 2, device="cpu", weights=weights).fit(X, Y)
    model.memory_gib = 7e-5  # 75 kB: X of 600 TRs, and no products of it
    many = counting(np.zeros((n_trs, 10)))
    with pytest.raises(FitError, match=rf"X of {n_trs} TRs to predict needs .* may be used"):
        model.predict(many)
    assert not many.asked
