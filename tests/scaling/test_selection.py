import numpy as np
import pytest
import scipy.stats

from voxscale.errors import FitError
from voxscale.scaling import bending, compare_laws, fit_scaling_law

X = np.geomspace(1e8, 1e11, 12)
DECADES = np.log10(X / X[0])


def bent(rng, noise=0.0005, n=4):
    own = noise * rng.standard_normal((12, n)) + 0.01 * rng.standard_normal(n)
    return (0.2 - 0.1 * (X / X[0]) ** -0.4)[:, None] + own


def test_the_planted_kind_is_chosen(rng):
    noise = 0.0005 * rng.standard_normal((12, 4)) + 0.01 * rng.standard_normal(4)
    broken = 0.1 + 0.03 * DECADES - 0.03 * np.maximum(DECADES - 1.5, 0)
    planted = {
        "log-linear": 0.1 + 0.02 * DECADES[:, None] + noise,
        "power": bent(rng),
        "broken": broken[:, None] + noise,
    }
    for kind, scores in planted.items():
        found = compare_laws(X, scores)
        assert found.chosen == kind
        assert found.law.kind == kind
        assert sum(row.weight for row in found.rows if row.weight > 0) == pytest.approx(1)


def test_criteria_are_those_of_the_formula(rng):
    scores = bent(rng)
    found = compare_laws(X, scores, kinds=["log-linear", "power"])
    for row, k in zip(found.rows, (3, 4), strict=True):
        law = fit_scaling_law(X, scores, kind=row.kind)
        rss = np.sum((scores.mean(axis=1) - law.predict(X)) ** 2)
        assert row.rss == pytest.approx(rss)
        aic = 12 * np.log(rss / 12) + 2 * k
        assert row.aicc == pytest.approx(aic + 2 * k * (k + 1) / (12 - k - 1))
        for n_out, error in zip((1, 2), row.held_out, strict=True):
            fewer = fit_scaling_law(X[:-n_out], scores[:-n_out], kind=row.kind)
            off = fewer.predict(X[-n_out:]) - scores.mean(axis=1)[-n_out:]
            assert error == pytest.approx(np.sqrt(np.mean(off**2)), rel=1e-6)


def test_kinds_that_cannot_be_fitted_are_told_with_the_reason(rng):
    found = compare_laws(X[:4], bent(rng)[:4])
    reasons = {row.kind: row.reason for row in found.rows}
    assert "needs at least 5" in reasons["broken"]
    assert "give ceiling=" in reasons["saturating"]
    assert reasons["power"] == "AICc needs 6 points or more"
    assert found.chosen == "log-linear"
    assert "too few points for AICc" in found.why
    assert "needs at least 5" in str(found)
    assert np.isnan(found.rows[3].aicc)
    with pytest.raises(FitError, match="a slope needs at least two"):
        compare_laws([1.0, 1.0], [0.1, 0.2])
    with pytest.raises(FitError, match=r"no law could be fitted\. x has 3 different"):
        compare_laws(X[:3], bent(rng)[:3], kinds=["power"])
    with pytest.raises(ValueError, match="kind 'cubic' is unknown"):
        compare_laws(X, bent(rng), kinds=["cubic"])


def test_the_simpler_of_two_that_are_as_good_is_chosen(rng):
    line = 0.1 + 0.02 * DECADES[:, None] + 0.003 * rng.standard_normal((12, 1))
    found = compare_laws(X, line)
    assert found.chosen == "log-linear"
    flat = compare_laws(X, np.full(12, 0.1))
    assert flat.chosen == "log-linear"
    assert "no exponent exists" in str(flat)


def test_a_saturating_law_takes_its_ceiling(rng):
    found = compare_laws(X, bent(rng), ceiling=float(bent(rng, noise=0).mean() * 0 + 0.2))
    saturating = next(row for row in found.rows if row.kind == "saturating")
    assert saturating.law is not None
    assert saturating.law.asymptote == 0.2
    assert saturating.n_parameters == 2


def test_bending_is_a_t_test_of_parabolas(rng):
    scores = bent(rng, noise=0.004)
    found = bending(X, scores)
    squares = np.polyfit(np.log10(X), scores, 2)[0]
    theirs = scipy.stats.ttest_1samp(2 * squares, 0)
    assert found.curvature == pytest.approx(2 * squares.mean(), rel=1e-7)
    assert found.p_value == pytest.approx(theirs.pvalue, rel=1e-6)
    np.testing.assert_allclose(found.interval, theirs.confidence_interval(0.95), rtol=1e-6)
    assert found.verdict == "bends down"
    assert "bends down: the slope per decade changes by -" in str(found)
    assert bending(X, 1 - scores).verdict == "bends up"
    line = 0.1 + 0.02 * DECADES[:, None] + 0.01 * rng.standard_normal((12, 4))
    assert bending(X, line, level=0.9999).verdict == "straight within error"
    assert bending(X, scores[:, 0]).verdict == "no error to tell by"
    assert np.isnan(bending(X, scores[:, 0]).p_value)


def test_bending_agrees_with_the_interval_of_an_exponent(rng):
    for _ in range(20):
        scores = bent(rng, noise=0.01)
        straight = bending(X, scores).verdict != "bends down"
        low, _ = fit_scaling_law(X, scores, kind="power").exponent_interval
        assert straight == (low == 0)


def test_bending_needs_three_sizes():
    with pytest.raises(FitError, match="x has 2 different values; a bend needs at least three"):
        bending([1, 10, 10], [0.1, 0.2, 0.3])


def test_why_tells_what_speaks_for_another():
    rng = np.random.default_rng(0)
    said = set()
    for _ in range(60):
        noise = 0.004 * rng.standard_normal((12, 1))
        found = compare_laws(X, (0.2 - 0.1 * (X / X[0]) ** -0.15)[:, None] + noise)
        best = min(found.rows, key=lambda row: row.aicc if np.isfinite(row.aicc) else np.inf)
        nearest = min(
            (row for row in found.rows if np.isfinite(row.aicc)), key=lambda row: row.held_out[0]
        )
        assert ("fewer parameters than" in found.why) == (best.kind != found.chosen)
        assert ("predicts it better" in found.why) == (nearest.kind != found.chosen)
        said |= {"fewer" * (best.kind != found.chosen), "better" * (nearest.kind != found.chosen)}
    assert said == {"", "fewer", "better"}


def test_laws_without_a_held_out_size_are_judged_without():
    x = np.array([1.0, 10, 100, 1000, 1e4, 1e4])
    found = compare_laws(x, [0.1, 0.14, 0.17, 0.18, 0.19, 0.191], kinds=["power"])
    assert found.chosen == "power"
    few = compare_laws([1.0, 1, 1, 10, 10, 10], [0.1, 0.11, 0.1, 0.2, 0.2, 0.21])
    assert few.chosen == "log-linear"
    assert np.isnan(few.rows[0].held_out).all()
    assert "predicts" not in few.why
