import numpy as np
import pytest

from voxscale.evaluate import ProductMeasure, correlation, product_measure, r2
from voxscale.fit import BandedRidgeCV, RidgeCV, correlation_split, r2_split

pytest.importorskip("himalaya")

EXACT = {"device": "cpu", "dtype": "float64"}


@pytest.fixture
def example(rng, frozen):
    """Two bands that share what they know, and one of noise."""
    common = rng.standard_normal((160, 2))
    X = {
        "lm": np.column_stack([common, rng.standard_normal((160, 4))]),
        "sound": common + 0.5 * rng.standard_normal((160, 2)),
        "noise": rng.standard_normal((160, 5)),
    }
    Y = X["lm"] @ rng.standard_normal((6, 8)) + 2 * rng.standard_normal((160, 8)) + 3
    train, test = ({name: frozen(one[rows]) for name, one in X.items()} for rows in ROWS)
    return train, frozen(Y[ROWS[0]]), test, frozen(Y[ROWS[1]])


ROWS = (slice(0, 100), slice(100, 160))


def fitted(example, **options):
    train, Y_train, *_ = example
    return BandedRidgeCV([1.0, 100.0], 3, n_iter=5, **EXACT, **options).fit(train, Y_train)


@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize(
    ("scoring", "metric", "score", "split"),
    [("r2", "r2", r2, r2_split), ("correlation", "r", correlation, correlation_split)],
)
def test_parts_add_up_to_the_score(example, scoring, metric, score, split, fit_intercept):
    *_, test, Y_test = example
    model = fitted(example, scoring=scoring, fit_intercept=fit_intercept)
    found = product_measure(model, test, Y_test)
    assert found.names == ("lm", "sound", "noise")
    assert found.metric == metric
    np.testing.assert_allclose(found.total, score(Y_test, model.predict(test)), atol=1e-10)
    np.testing.assert_allclose(found.total, model.score(test, Y_test), atol=1e-10)
    intercept = getattr(model, "intercept_", 0)
    expected = split(Y_test - intercept, model.predict(test, split=True))
    np.testing.assert_allclose(list(found.parts.values()), expected, atol=1e-10)


def test_negative_parts_stay_and_are_counted(example):
    *_, test, Y_test = example
    found = product_measure(fitted(example), test, Y_test)
    assert isinstance(found, ProductMeasure)
    for (name, part), row in zip(found.parts.items(), found.table, strict=False):
        assert found.n_negative[name] == row["n_negative"] == int((part < 0).sum())
        assert row["kind"] == "part"
        assert row["mean"] == pytest.approx(part.mean())
    assert found.n_negative["noise"] > 0
    lines = str(found).splitlines()
    assert lines[0] == "product measure of r2, 3 feature space(s), 8 voxel(s) (0 without an answer)"
    assert [line.split()[0] for line in lines[2:]] == ["lm", "sound", "noise", "all"]


def test_a_voxel_without_a_score_has_no_part(example):
    *_, test, Y_test = example
    broken = np.array(Y_test)
    broken[3, 2] = np.nan
    found = product_measure(fitted(example), test, broken)
    assert found.n_lost == 1
    assert found.n_voxels == 8
    for part in (*found.parts.values(), found.total):
        np.testing.assert_array_equal(np.flatnonzero(np.isnan(part)), [2])


def test_orthogonal_bands_have_the_parts_of_the_nested_fits(rng):
    """Where nothing is shared, dividing it is no question."""
    columns = np.column_stack([np.ones(200), rng.standard_normal((200, 5))])
    *spaces, noise = np.linalg.qr(columns)[0][:, 1:].T[:, :, np.newaxis] * np.sqrt(200)
    X = dict(zip("abcd", spaces, strict=True))
    Y = X["a"] + 0.5 * X["b"] + noise
    model = BandedRidgeCV([1e-3], 2, n_iter=1, concentration=[1e6], **EXACT).fit(X, Y)
    found = product_measure(model, X, Y)
    expected = {"a": 1 / 2.25, "b": 0.25 / 2.25, "c": 0.0, "d": 0.0}
    for name, share in expected.items():
        np.testing.assert_allclose(found.parts[name], share, atol=1e-6)


def test_only_bands_have_parts(example):
    train, Y_train, test, Y_test = example
    model = RidgeCV([1.0], **EXACT).fit(train["lm"], Y_train)
    with pytest.raises(TypeError, match="model is RidgeCV; expected a fitted BandedRidgeCV"):
        product_measure(model, test["lm"], Y_test)
    with pytest.raises(ValueError, match="has no parts that add up"):
        product_measure(fitted(example, scoring="huth2023"), test, Y_test)
