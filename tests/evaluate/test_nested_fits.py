import warnings
from itertools import combinations

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from voxscale.errors import AlignmentError, VoxscaleWarning
from voxscale.evaluate import partition, variance_partition
from voxscale.evaluate._metrics import METRICS
from voxscale.fit import BandedRidgeCV, RidgeCV

EXACT = {"device": "cpu", "dtype": "float64"}


def unions_of(names):
    return [union for n in range(1, len(names) + 1) for union in combinations(names, n)]


def orthonormal(rng, n_trs, n_columns):
    """Columns of mean 0 and variance 1 that are exactly uncorrelated."""
    columns = np.column_stack([np.ones(n_trs), rng.standard_normal((n_trs, n_columns))])
    return np.linalg.qr(columns)[0][:, 1:] * np.sqrt(n_trs)


def planted(rng, frozen, names, n_trs=300, n_voxels=4):
    """Make spaces of latent series, one for each cell of the Venn diagram, and responses.

    A space has the latents of all cells it is in. In training and in the test, latents and noise
    are exactly uncorrelated, so that the variance of each part is exactly what was put in.
    """
    cells = unions_of(names)
    shares = rng.dirichlet(np.ones(len(cells) + 1), size=n_voxels).T  # the last is noise
    arrays = {}
    for part in ("train", "test"):
        latents = orthonormal(rng, n_trs, len(cells) + n_voxels)
        noise = latents[:, len(cells) :] * np.sqrt(shares[-1])
        Y = latents[:, : len(cells)] @ np.sqrt(shares[:-1]) + noise
        X = {
            name: latents[:, [name in cell for cell in cells] + [False] * n_voxels]
            for name in names
        }
        arrays[part] = X, frozen(Y)
    (train, Y_train), (test, Y_test) = arrays["train"], arrays["test"]
    spaces = {name: (frozen(train[name]), frozen(test[name])) for name in names}
    return spaces, Y_train, Y_test, dict(zip(cells, shares, strict=False))


@pytest.fixture
def noisy(rng, frozen):
    """Spaces that overlap, few TRs, much noise: scores of which many parts are negative."""
    common = rng.standard_normal((120, 3))
    arrays = {
        "lm": np.column_stack([common, rng.standard_normal((120, 9))]),
        "rate": common[:, :1] + rng.standard_normal((120, 1)),
        "position": np.column_stack([common[:, 1:], rng.standard_normal((120, 2))]),
    }
    Y = arrays["lm"] @ rng.standard_normal((12, 7)) + 6 * rng.standard_normal((120, 7))
    spaces = {name: (frozen(X[:80]), frozen(X[80:])) for name, X in arrays.items()}
    return spaces, frozen(Y[:80]), frozen(Y[80:])


def join(spaces, union, part, balance):
    """Put spaces side by side; balanced, with the same sum of squares for each."""
    arrays = [spaces[name][part] for name in union]
    width = sum(X.shape[1] for X in arrays)
    share = width / len(arrays)
    return np.hstack([X * np.sqrt(share / X.shape[1]) if balance else X for X in arrays])


def fit_naively(spaces, Y_train, Y_test, alpha, metric="r2", balance=True):
    """Solve the normal equations of every union."""
    scores = {}
    for union in unions_of(tuple(spaces)):
        X, X_test = (join(spaces, union, part, balance) for part in (0, 1))
        weights = np.linalg.solve(X.T @ X + alpha * np.eye(X.shape[1]), X.T @ Y_train)
        scores[union] = METRICS[metric].score(Y_test, X_test @ weights)
    return partition(scores, metric=metric)


def assert_same(found, expected, **tolerance):
    assert found.names == expected.names
    for cell, part in expected.parts.items():
        np.testing.assert_allclose(found.parts[cell], part, **(tolerance or {"atol": 1e-10}))


@pytest.mark.parametrize("n_spaces", [2, 3, 4])
def test_planted_parts_are_recovered(rng, frozen, n_spaces):
    names = ("lm", "rate", "position", "sound")[:n_spaces]
    spaces, Y_train, Y_test, shares = planted(rng, frozen, names)
    found = variance_partition(spaces, Y_train, Y_test, RidgeCV([1e-6], **EXACT))
    for cell, share in shares.items():
        np.testing.assert_allclose(found.parts[cell], share, atol=1e-6)
    np.testing.assert_allclose(found.total, sum(shares.values()), atol=1e-6)
    of_lm = shares[("lm",)] / sum(shares.values())
    np.testing.assert_allclose(found.unique_share("lm"), of_lm, atol=1e-5)


def test_suppression_is_a_negative_shared_part(rng):
    """A space that only tells what to subtract from another explains nothing alone."""
    arrays = [orthonormal(rng, 200, 2) for _ in range(2)]
    spaces = {
        "mixed": tuple(latents.sum(axis=1, keepdims=True) for latents in arrays),
        "masker": tuple(latents[:, :1] for latents in arrays),
    }
    Y_train, Y_test = (latents[:, 1:] for latents in arrays)
    found = variance_partition(spaces, Y_train, Y_test, RidgeCV([1e-6], **EXACT))
    np.testing.assert_allclose(found.part("mixed"), 1.0, atol=1e-6)
    np.testing.assert_allclose(found.part("masker"), 0.5, atol=1e-6)
    np.testing.assert_allclose(found.part("mixed", "masker"), -0.5, atol=1e-6)
    assert found.n_negative == {("mixed",): 0, ("masker",): 0, ("mixed", "masker"): 1}


@pytest.mark.parametrize("metric", ["r2", "signed_r2"])
@pytest.mark.parametrize("balance", [True, False])
def test_fits_are_those_of_the_loop(noisy, metric, balance):
    expected = fit_naively(*noisy, 30.0, metric, balance)
    assert sum(expected.n_negative.values()) > 3
    options = {"metric": metric, "balance": balance}
    found = variance_partition(*noisy, RidgeCV([30.0], **EXACT), choose=False, **options)
    assert found.metric == metric
    assert_same(found, expected)
    found = variance_partition(*noisy, Ridge(alpha=30.0, fit_intercept=False), **options)
    assert_same(found, expected)


def test_each_union_has_its_own_penalties(noisy):
    spaces, Y_train, Y_test = noisy
    model = RidgeCV([1.0, 30.0, 1000.0], **EXACT)
    found = variance_partition(spaces, Y_train, Y_test, model, choose=False)
    for union in unions_of(tuple(spaces)):
        X, X_test = (join(spaces, union, part, balance=True) for part in (0, 1))
        score = model.fit(X, Y_train).score(X_test, Y_test)
        np.testing.assert_allclose(found.scores[union], score, atol=1e-10)


def test_a_banded_ridge_has_a_band_for_each_space(noisy):
    pytest.importorskip("himalaya")
    spaces, Y_train, Y_test = noisy
    model = BandedRidgeCV([1.0, 100.0], 3, n_iter=5, **EXACT)
    found = variance_partition(spaces, Y_train, Y_test, model)
    assert not hasattr(model, "coef_")
    for union in unions_of(tuple(spaces)):
        train, test = ({name: spaces[name][part] for name in union} for part in (0, 1))
        score = model.fit(train, Y_train).score(test, Y_test)
        np.testing.assert_allclose(found.scores[union], score, atol=1e-10)


def test_responses_are_read_once_where_memory_allows(noisy, monkeypatch):
    lots = []
    fit_designs = RidgeCV.fit_designs

    def counted(self, designs, Y, *rest, **options):
        lots.append(len(designs))
        return fit_designs(self, designs, Y, *rest, **options)

    monkeypatch.setattr(RidgeCV, "fit_designs", counted)
    model = RidgeCV([30.0], **EXACT)
    whole = variance_partition(*noisy, model)
    assert lots == [7]
    lots.clear()
    assert_same(variance_partition(*noisy, model, memory_gib=1e-9), whole, atol=1e-12)
    assert lots == [1] * 7
    lots.clear()
    # 17 columns, of 7 voxels and 80 TRs, in float64, and a Gram matrix: 14 KB.
    assert_same(variance_partition(*noisy, model, memory_gib=3e4 / 2**30), whole, atol=1e-12)
    assert 1 < len(lots) < 7
    assert sum(lots) == 7
    assert not hasattr(model, "coef_")


def test_voxels_that_cannot_be_fitted_are_told_once(noisy, frozen):
    spaces, Y_train, Y_test = noisy
    clean = variance_partition(spaces, Y_train, Y_test, RidgeCV([30.0], **EXACT))
    broken, test = np.array(Y_train), np.array(Y_test)
    broken[4, 1] = np.nan
    test[5, 2] = np.nan
    test[:, 3] = 1.0
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = variance_partition(
            spaces, frozen(broken), frozen(test), RidgeCV([30.0], **EXACT), memory_gib=1e-9
        )
    assert [one.category for one in caught] == [VoxscaleWarning] * 2
    assert all(one.filename == __file__ for one in caught)
    first, second = (str(one.message) for one in caught)
    assert "1 of 7 voxels could not be fitted (1 hold NaN or infinity)" in first
    assert "2 of 7 voxels were fitted but have no score" in second
    assert found.n_lost == 3
    for cell, part in found.parts.items():
        np.testing.assert_array_equal(np.flatnonzero(np.isnan(part)), [1, 2, 3])
        kept = [0, 4, 5, 6]
        np.testing.assert_allclose(part[kept], clean.parts[cell][kept], atol=1e-12)


def test_warnings_of_others_are_passed_on(noisy):
    class Noisy(Ridge):
        def fit(self, X, Y):
            warnings.warn("this model is old", UserWarning, stacklevel=2)
            return super().fit(X, Y)

    with pytest.warns(UserWarning, match="this model is old") as caught:
        variance_partition(*noisy, Noisy(alpha=1.0))
    assert len(caught) == 1


def test_a_constant_prediction_has_an_r2(rng, frozen):
    """A baseline that predicts nothing but 0 leaves the parts of others defined."""
    lm = rng.standard_normal((90, 3))
    Y = lm @ rng.standard_normal((3, 4)) + rng.standard_normal((90, 4))
    empty = np.zeros((90, 2))
    empty[:60] = rng.standard_normal((60, 2))
    spaces = {"lm": (lm[:60], lm[60:]), "empty": (empty[:60], empty[60:])}
    model = RidgeCV([1.0], **EXACT)
    found = variance_partition(spaces, Y[:60], Y[60:], model)
    assert found.n_lost == 0
    assert (found.scores[("empty",)] <= 0).all()
    with pytest.warns(VoxscaleWarning, match="4 of 4 voxels were fitted but have no score"):
        lost = variance_partition(spaces, Y[:60], Y[60:], model, metric="signed_r2")
    assert lost.n_lost == 4


def test_spaces_and_responses_of_other_sizes(noisy):
    spaces, Y_train, Y_test = noisy
    model = RidgeCV([1.0], **EXACT)
    lm, lm_test = spaces["lm"]

    def attempt(**changed):
        return variance_partition({**spaces, **changed}, Y_train, Y_test, model)

    with pytest.raises(AlignmentError, match=r"'lm' has shape \(79, 12\) in the train part but Y_"):
        attempt(lm=(lm[1:], lm_test))
    with pytest.raises(AlignmentError, match=r"'lm' has shape \(39, 12\) in the test part but Y_"):
        attempt(lm=(lm, lm_test[1:]))
    with pytest.raises(AlignmentError, match=r"\(80, 12\) in training and \(40, 11\) in the test"):
        attempt(lm=(lm, lm_test[:, 1:]))
    with pytest.raises(AlignmentError, match=r"expected \(n_trs, n_features\)"):
        attempt(lm=(lm[:, 0], lm_test[:, 0]))
    with pytest.raises(TypeError, match=r"space 'lm' is ndarray; expected a pair \(X_train"):
        attempt(lm=lm)
    with pytest.raises(AlignmentError, match="expected the same voxels in both"):
        variance_partition(spaces, Y_train, Y_test[:, 1:], model)
    with pytest.raises(ValueError, match=r"Y_test has shape \(40,\); expected \(n_trs, n_voxels\)"):
        variance_partition(spaces, Y_train, Y_test[:, 0], model)


def test_a_number_of_spaces_that_cannot_be(noisy):
    spaces, Y_train, Y_test = noisy
    model = RidgeCV([1.0], **EXACT)
    with pytest.raises(ValueError, match=r"there are 1 feature space\(s\) \(lm\)"):
        variance_partition({"lm": spaces["lm"]}, Y_train, Y_test, model)
    five = dict.fromkeys("abcde", spaces["lm"])
    with pytest.raises(ValueError, match="there are 5 feature space"):
        variance_partition(five, Y_train, Y_test, model)
    with pytest.raises(TypeError, match="a feature space is called 3"):
        variance_partition({3: spaces["lm"], "b": spaces["lm"]}, Y_train, Y_test, model)


def test_settings_that_cannot_be(noisy):
    with pytest.raises(TypeError, match="expected one with fit and predict, such as RidgeCV"):
        variance_partition(*noisy, RidgeCV)
    with pytest.raises(TypeError, match="expected one with fit and predict"):
        variance_partition(*noisy, 3)
    with pytest.raises(ValueError, match=r"keeps no weights \(weights=None\)"):
        variance_partition(*noisy, RidgeCV([1.0], weights=None, **EXACT))
    with pytest.raises(ValueError, match="memory_gib is 0; expected a positive number"):
        variance_partition(*noisy, RidgeCV([1.0], **EXACT), memory_gib=0)
    with pytest.raises(ValueError, match="no share of variance"):
        variance_partition(*noisy, RidgeCV([1.0], **EXACT), metric="r")
    with pytest.raises(ValueError, match="'r2_norm' is over a ceiling; use 'r2' or 'signed_r2'"):
        variance_partition(*noisy, RidgeCV([1.0], **EXACT), metric="r2_norm")


def test_a_model_that_predicts_other_voxels(noisy):
    class Odd(Ridge):
        def predict(self, X):
            return super().predict(X)[:, 1:]

    with pytest.raises(AlignmentError, match=r"Odd predicts an array of shape \(40, 6\); expected"):
        variance_partition(*noisy, Odd())
