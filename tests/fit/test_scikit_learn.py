"""RidgeCV is an estimator of scikit-learn, but for what is told here."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from voxscale.fit import RidgeCV, contiguous_folds

ALPHAS = np.logspace(-1, 3, 5)
# Checks of scikit-learn that fail, and why they may.
SAYS = "it says so, in words of its own"
EXCEPTIONS = {
    "check_n_features_in_after_fitting": SAYS,
    "check_complex_data": SAYS,
    "check_estimators_empty_data_messages": SAYS,
    "check_fit2d_1sample": SAYS,
    "check_fit2d_predict1d": SAYS,
    "check_requires_y_none": SAYS,
    "check_all_zero_sample_weights_error": "a FitError is no ValueError",
    "check_estimators_nan_inf": "a FitError is no ValueError",
    "check_supervised_y_no_nan": "voxels that are not finite are NaN, with a warning",
    "check_dtype_object": "numbers have a dtype of numbers",
    "check_sample_weights_not_an_array": "an array that refuses np.shape is none",
    "check_regressor_data_not_an_array": "an array that refuses np.shape is none",
    "check_sample_weight_equivalence_on_dense_data": (
        "responses are Y, a matrix; and rows that come twice move the edges of contiguous folds"
    ),
}


@pytest.mark.parametrize(
    "options", [{}, {"fit_intercept": True, "weights": "dual"}], ids=["primal", "dual"]
)
def test_the_checks_of_scikit_learn_pass_but_for_those_with_a_reason(options):
    model = RidgeCV([1.0, 10.0], 2, device="cpu", dtype="float64", **options)
    found = check_estimator(model, expected_failed_checks=EXCEPTIONS, on_fail="raise", on_skip=None)
    failed = {one["check_name"] for one in found if one["status"] == "xfail"}
    assert failed == set(EXCEPTIONS)  # a reason for a check that passes would hide what it finds
    assert sum(one["status"] == "passed" for one in found) > 40


def ridge(alphas=ALPHAS, cv=3, **options):
    return RidgeCV(alphas, cv, **({"device": "cpu", "dtype": "float64"} | options))


@pytest.fixture
def data(rng, frozen):
    X = rng.standard_normal((60, 8))
    Y = X @ rng.standard_normal((8, 6)) + 3 * rng.standard_normal((60, 6))
    return frozen(X), frozen(Y)


def test_a_grid_is_searched(data):
    X, Y = data
    grid = {"fit_intercept": [False, True], "alphas": [[1e6], [1.0]], "local_alpha": [False, True]}
    search = GridSearchCV(ridge(), grid, scoring="r2", cv=KFold(3)).fit(X, Y + 5)
    assert search.best_params_["alphas"] == [1.0]
    assert search.best_params_["fit_intercept"]
    expected = []
    for train, test in KFold(3).split(X):
        model = ridge([1.0], fit_intercept=True).fit(X[train], Y[train] + 5)
        expected.append(r2_score(Y[test] + 5, model.predict(X[test])))
    assert search.best_score_ == pytest.approx(np.mean(expected))
    assert search.predict(X).shape == Y.shape


def test_a_single_voxel_needs_no_scoring(data):
    X, Y = data
    scores = cross_val_score(ridge(), X, Y[:, 0], cv=KFold(3))
    expected = cross_val_score(ridge(), X, Y[:, 0], cv=KFold(3), scoring="r2")
    np.testing.assert_allclose(scores, expected)


def test_predictions_are_cross_validated(data):
    X, Y = data
    predicted = cross_val_predict(ridge(), X, Y, cv=KFold(4))
    for train, test in KFold(4).split(X):
        expected = ridge().fit(X[train], Y[train]).predict(X[test])
        np.testing.assert_array_equal(predicted[test], expected)


def test_it_works_in_a_pipeline(data, rng):
    X, Y = data
    pipeline = make_pipeline(StandardScaler(), ridge(fit_intercept=True)).fit(7 + 3 * X, Y)
    scaled = (X - X.mean(axis=0)) / X.std(axis=0)
    alone = ridge(fit_intercept=True).fit(scaled, Y)
    np.testing.assert_allclose(pipeline.predict(7 + 3 * X), alone.predict(scaled), rtol=1e-7)
    np.testing.assert_allclose(pipeline.score(7 + 3 * X, Y), alone.score(scaled, Y), rtol=1e-7)
    w = rng.uniform(0, 1, len(X))
    pipeline = make_pipeline(PCA(8), ridge(fit_intercept=True))
    pipeline.set_params(ridgecv__alphas=[2.0]).fit(X, Y, ridgecv__sample_weight=w)
    direct = ridge([2.0], fit_intercept=True).fit(X, Y, sample_weight=w)
    np.testing.assert_allclose(pipeline.predict(X), direct.predict(X), rtol=1e-8)


def test_responses_may_be_transformed(data):
    X, Y = data
    model = TransformedTargetRegressor(ridge(), transformer=StandardScaler()).fit(X, Y)
    assert model.predict(X).shape == Y.shape


def test_pandas_come_and_go(data):
    pandas = pytest.importorskip("pandas")
    X, Y = data
    model = ridge().fit(pandas.DataFrame(X), pandas.DataFrame(Y))
    np.testing.assert_array_equal(model.coef_, ridge().fit(X, Y).coef_)
    single = ridge().fit(pandas.DataFrame(X), pandas.Series(Y[:, 0]), pandas.Series(np.arange(60)))
    expected = ridge().fit(X, Y[:, 0], np.arange(60))
    np.testing.assert_array_equal(single.coef_, expected.coef_)
    np.testing.assert_array_equal(single.predict(pandas.DataFrame(X)), expected.predict(X))


def test_parameters_are_those_given(data):
    X, _ = data
    cv = contiguous_folds(len(X), 3)
    model = ridge(cv=cv, scoring="correlation", memory_gib=1.0)
    params = model.get_params()
    assert params["alphas"] is ALPHAS
    assert params["cv"] is cv
    assert set(params) == {
        "alphas",
        "cv",
        "device",
        "dtype",
        "fit_intercept",
        "groups",
        "local_alpha",
        "memory_gib",
        "scoring",
        "solver",
        "tolerance",
        "weights",
    }
    assert "RidgeCV" in repr(model)


@pytest.mark.parametrize("weights", ["primal", "dual", None])
def test_copies_are_not_fitted_and_pickles_are(data, weights):
    X, Y = data
    model = ridge(scoring="correlation", weights=weights)
    fitted = model.fit(X, Y)
    assert fitted is model
    copy = clone(model)
    assert not hasattr(copy, "best_alphas_")
    assert copy.set_params(scoring="r2").get_params()["scoring"] == "r2"
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.cv_scores_, fitted.cv_scores_)
    np.testing.assert_array_equal(clone(model).fit(X, Y).cv_scores_, fitted.cv_scores_)
    if weights:
        np.testing.assert_array_equal(again.predict(X), fitted.predict(X))
        np.testing.assert_array_equal(again.score(X, Y), fitted.score(X, Y))
