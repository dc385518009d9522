"""Predictions of every union: warnings, checks, and what balancing does."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from voxscale.errors import AlignmentError, VoxscaleWarning
from voxscale.evaluate import partition, r2, signed_r2, union_predictions, variance_partition
from voxscale.evaluate._union_predictions import UnionFits
from voxscale.fit import BandedRidgeCV, RidgeCV

EXACT = {"device": "cpu", "dtype": "float64"}


def z_scored(X):
    return (X - X.mean(axis=0)) / X.std(axis=0)


@pytest.fixture
def small(rng, frozen):
    """Three spaces of 12, 1 and 4 columns, and 5 voxels; 80 TRs train, 40 test."""
    arrays = {
        name: rng.standard_normal((120, width))
        for name, width in (("lm", 12), ("rate", 1), ("position", 4))
    }
    Y = arrays["lm"][:, :5] + arrays["rate"] + 3 * rng.standard_normal((120, 5))
    spaces = {name: (frozen(X[:80]), frozen(X[80:])) for name, X in arrays.items()}
    return spaces, frozen(Y[:80]), frozen(Y[80:])


def language_like(rng, n_trs, n_columns):
    """Columns of a spectrum that falls off, as states of language models have."""
    turn = np.linalg.qr(rng.standard_normal((n_columns, n_columns)))[0]
    falling = np.arange(1, n_columns + 1) ** -0.5
    return z_scored(rng.standard_normal((n_trs, n_columns)) * falling @ turn)


@pytest.mark.parametrize("metric", [r2, signed_r2])
@pytest.mark.parametrize("balance", [True, False])
def test_their_scores_make_the_partition(small, metric, balance):
    spaces, Y_train, Y_test = small
    model = RidgeCV([1.0, 100.0], **EXACT)
    made = dict(union_predictions(spaces, Y_train, model, balance=balance))
    assert list(made)[:3] == [("lm",), ("rate",), ("position",)]
    assert list(made)[-1] == ("lm", "rate", "position")
    assert all(Y_pred.shape == (40, 5) for Y_pred in made.values())
    by_hand = partition(
        {union: metric(Y_test, Y_pred) for union, Y_pred in made.items()}, metric=metric.__name__
    )
    found = variance_partition(*small, model, metric=metric.__name__, balance=balance)
    for cell, part in by_hand.parts.items():
        np.testing.assert_array_equal(found.parts[cell], part)
    assert not hasattr(model, "coef_")


def test_fits_are_made_as_they_are_asked_for(small):
    fitted = []

    class Counted(Ridge):
        def fit(self, X, Y):
            fitted.append(X.shape[1])
            return super().fit(X, Y)

    spaces, Y_train, _ = small
    made = union_predictions(spaces, Y_train, Counted())
    assert fitted == []
    assert next(made)[0] == ("lm",)
    assert fitted == [12]
    assert len(list(made)) == 6
    assert fitted == [12, 1, 4, 13, 16, 5, 17]


@settings(deadline=None)
@given(st.data())
def test_balanced_spaces_have_equal_shares_of_the_same_trace(data):
    widths = data.draw(st.lists(st.integers(1, 30), min_size=2, max_size=4))
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    spaces = {}
    for name, width in zip("abcd", widths, strict=False):
        X = z_scored(rng.standard_normal((20, width)))
        X.flags.writeable = False
        spaces[name] = (X, X)
    Y = rng.standard_normal((20, 2))
    fits = UnionFits.of(spaces, Y, Ridge(), balance=True, choose=True, memory_gib=1.0)
    plain = UnionFits.of(spaces, Y, Ridge(), balance=False, choose=True, memory_gib=1.0)
    union = data.draw(st.sampled_from([("a", "b"), ("b", "a"), ("b",), tuple(spaces)]))
    joined = fits._joined(fits.train, union)
    before = plain._joined(plain.train, union)
    assert np.trace(joined @ joined.T) == pytest.approx(np.trace(before @ before.T))
    kernel, start = 0.0, 0
    for name in union:
        X = spaces[name][0]
        mine = joined[:, start : start + X.shape[1]]
        np.testing.assert_allclose((mine**2).sum(), (before**2).sum() / len(union))
        kernel = kernel + X @ X.T / np.trace(X @ X.T)
        start += X.shape[1]
    # Multiple-kernel ridge of normalised kernels, with equal weights.
    np.testing.assert_allclose(
        joined @ joined.T, kernel * (before**2).sum() / len(union), atol=1e-9
    )


@pytest.mark.parametrize("dtype", ["float16", "float32", "int64"])
def test_numbers_of_every_kind_are_scaled_and_left_as_they_are(small, frozen, dtype):
    spaces, Y_train, _ = small
    stored = {
        name: tuple(frozen((4 * X).astype(dtype)) for X in pair) for name, pair in spaces.items()
    }
    wide = {name: tuple(X.astype("float64") for X in pair) for name, pair in stored.items()}
    copies = {name: np.array(pair[0]) for name, pair in stored.items()}
    model = RidgeCV([10.0], **EXACT)
    found, expected = (dict(union_predictions(one, Y_train, model)) for one in (stored, wide))
    for union, Y_pred in expected.items():
        np.testing.assert_allclose(found[union], Y_pred, atol=1e-5)
    for name, X in copies.items():
        np.testing.assert_array_equal(stored[name][0], X)


def test_a_banded_ridge_is_not_balanced(small):
    pytest.importorskip("himalaya")
    spaces, Y_train, _ = small
    model = BandedRidgeCV([1.0, 100.0], 3, n_iter=5, **EXACT)
    balanced, plain = (
        dict(union_predictions(spaces, Y_train, model, balance=balance))
        for balance in (True, False)
    )
    for union, Y_pred in plain.items():
        np.testing.assert_array_equal(balanced[union], Y_pred)


def test_a_narrow_space_survives_beside_a_wide_one(rng, frozen):
    """Word rate alone explains the responses; a language model has a hundred times its columns."""
    pytest.importorskip("himalaya")
    n_train, n_voxels, truth = 400, 20, 0.3
    lm, rate = language_like(rng, 700, 500), rng.standard_normal((700, 5))
    signal = z_scored(rate @ rng.standard_normal((5, n_voxels)))
    Y = np.sqrt(truth) * signal + np.sqrt(1 - truth) * rng.standard_normal(signal.shape)
    train, test = slice(0, n_train), slice(n_train, None)
    spaces = {name: (frozen(X[train]), frozen(X[test])) for name, X in (("lm", lm), ("rate", rate))}
    alphas = np.logspace(0, 5, 6)

    def parts(estimator, **options):
        found = variance_partition(spaces, Y[train], Y[test], estimator, **options)
        return {name: part.mean() for name, part in found.unique.items()}

    plain = parts(RidgeCV(alphas, **EXACT), balance=False, choose=False)
    balanced = parts(RidgeCV(alphas, **EXACT), choose=False)
    chosen = parts(RidgeCV(alphas, **EXACT))
    banded = parts(BandedRidgeCV(alphas, n_iter=20, **EXACT))
    # On one penalty, the wide space takes from what the narrow one explains.
    assert plain["lm"] < -0.1
    assert plain["rate"] < 0.15
    for found in (balanced, chosen, banded):
        assert abs(found["lm"]) < 0.03
        assert abs(found["rate"] - truth) < 0.05
    assert abs(balanced["rate"] - banded["rate"]) < 0.03


def test_each_warning_is_said_once_and_where_the_caller_is(small):
    spaces, Y_train, _ = small
    broken = np.array(Y_train)
    broken[3, 1] = np.nan
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        seen = []
        for union, Y_pred in union_predictions(
            spaces, broken, RidgeCV([1.0], **EXACT), memory_gib=1e-9
        ):
            warnings.warn(f"of the caller: {union}", UserWarning, stacklevel=1)
            seen.append(np.isnan(Y_pred).all(axis=0).tolist())
    assert seen == [[False, True, False, False, False]] * 7
    mine = [one for one in caught if one.category is VoxscaleWarning]
    assert len(mine) == 1
    assert mine[0].filename == __file__
    assert "1 of 5 voxels could not be fitted" in str(mine[0].message)
    assert len(caught) == 8


def test_what_cannot_be_is_refused_before_anything_is_fitted(small):
    spaces, Y_train, _ = small
    model = RidgeCV([1.0], **EXACT)
    lm, lm_test = spaces["lm"]
    with pytest.raises(AlignmentError, match=r"'rate' has shape \(40, 1\) in the test part but sp"):
        union_predictions({**spaces, "lm": (lm, lm_test[1:])}, Y_train, model)
    with pytest.raises(AlignmentError, match=r"'lm' has shape \(79, 12\) in the train part but Y_"):
        union_predictions({**spaces, "lm": (lm[1:], lm_test)}, Y_train, model)
    with pytest.raises(ValueError, match=r"Y_train has shape \(80,\); expected \(n_trs, n_voxels"):
        union_predictions(spaces, Y_train[:, 0], model)
    with pytest.raises(ValueError, match=r"there are 1 feature space\(s\) \(lm\)"):
        union_predictions({"lm": spaces["lm"]}, Y_train, model)
    with pytest.raises(TypeError, match="expected one with fit and predict"):
        union_predictions(spaces, Y_train, "ridge")
    with pytest.raises(ValueError, match="memory_gib is -1; expected a positive number"):
        union_predictions(spaces, Y_train, Ridge(), memory_gib=-1)


def test_a_union_is_the_best_of_its_subsets_by_validation_voxel_by_voxel(small):
    spaces, Y_train, _ = small
    model = RidgeCV([1.0, 100.0], cv=4, **EXACT)
    plain = dict(union_predictions(spaces, Y_train, model, choose=False))
    chosen = dict(union_predictions(spaces, Y_train, model))
    validated = {}
    for union in plain:
        n = sum(spaces[name][0].shape[1] for name in union)
        X = np.hstack(
            [
                spaces[name][0] * np.sqrt(n / (len(union) * spaces[name][0].shape[1]))
                for name in union
            ]
        )
        scores = RidgeCV([1.0, 100.0], cv=4, **EXACT).fit(X, Y_train).cv_scores_
        validated[union] = np.asarray(scores).mean(axis=2).max(axis=0)
    n_smaller = 0
    for union, found in chosen.items():
        subsets = [one for one in plain if set(one) <= set(union)]
        for voxel in range(5):
            best = max(subsets, key=lambda one: validated[one][voxel])
            n_smaller += len(best) < len(union)
            np.testing.assert_allclose(found[:, voxel], plain[best][:, voxel], atol=1e-9)
    assert n_smaller >= 5


def test_what_helps_no_voxel_costs_nothing(rng):
    """A useless space takes its share of the prior variance, unless it is left out."""
    n_voxels = 60
    language = language_like(rng, 400, 200)
    useless = rng.standard_normal((400, 40))
    signal = language @ rng.standard_normal((200, n_voxels))
    Y = 0.5 * z_scored(signal) + rng.standard_normal((400, n_voxels))
    spaces = {"lm": (language[:300], language[300:]), "useless": (useless[:300], useless[300:])}
    model = RidgeCV(np.logspace(1, 6, 11), device="cpu")
    costs = {}
    for choose in (True, False):
        found = variance_partition(spaces, Y[:300], Y[300:], model, choose=choose)
        costs[choose] = found.unique["useless"].mean()
    assert costs[False] < -0.02
    assert costs[True] > costs[False] / 3


def test_estimators_that_do_not_validate_have_no_choice(small):
    spaces, Y_train, _ = small
    with_choice, without = (
        dict(union_predictions(spaces, Y_train, Ridge(10.0), choose=choose))
        for choose in (True, False)
    )
    for union, prediction in without.items():
        np.testing.assert_array_equal(with_choice[union], prediction)
