import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxscale.errors import FitError
from voxscale.scaling import compare_laws, fit_scaling_law

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
    assert found.why == (
        "log-linear: the smallest error at the two largest sizes, left out; too few points for AICc"
    )
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


def test_the_held_out_error_chooses_where_aicc_does_not(rng):
    # With 5 sizes only the line has an AICc; a curve that bends far more than it scatters.
    curve = bent(rng, noise=0.0005)[::2]
    few = compare_laws(X[::2][:5], curve[:5])
    rows = {row.kind: row for row in few.rows}
    assert np.isfinite(rows["log-linear"].aicc)
    assert np.isnan(rows["power"].aicc)
    assert few.chosen == "power"
    assert "the smallest AICc is that of log-linear, and that of power has none" in few.why
    for row in few.rows[:2]:
        assert f"{row.held_out[0]:.3g}" in str(few)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.sampled_from([4, 5, 6, 7, 9, 12]))
def test_the_choice_is_what_its_rule_says(seed, n_sizes):
    rng = np.random.default_rng(seed)
    x = np.geomspace(1e8, 1e11, n_sizes)
    bend = rng.choice([0.0, 0.05, 0.4])
    curve = 0.02 * np.log10(x) - bend * (x / x[0]) ** -0.4 + 0.003 * rng.standard_normal(n_sizes)
    found = compare_laws(x, curve)
    rows = {row.kind: row for row in found.rows if row.law is not None}
    least = np.nanmin([row.aicc for row in rows.values()] + [np.inf])
    has_all = not any(np.isnan(row.aicc) for row in rows.values())
    rivals = {k: row for k, row in rows.items() if not has_all or row.aicc <= least + 2}
    assert found.chosen in rivals
    errors = {k: np.array(row.held_out) for k, row in rivals.items()}
    told = {k: e for k, e in errors.items() if np.isfinite(e[0])}
    if len(rivals) == 1 or not told:
        assert found.law.evidence.form.kind.n_parameters == min(
            row.n_parameters for row in rivals.values()
        )
        return
    last = 1 if all(np.isfinite(e[1]) for e in told.values()) else 0
    best = min(told, key=lambda k: told[k][last])
    spare = n_sizes - rows[best].n_parameters
    margin = 2 * np.sqrt(rows[best].rss / spare) if spare else 0.0
    margin = max(0.1 * told[best][last], margin)
    for kind, error in told.items():  # no simpler kind was as good, and the choice is
        if rows[kind].n_parameters < rows[found.chosen].n_parameters:
            assert error[last] > told[best][last] + margin
    assert told[found.chosen][last] <= told[best][last] + margin


def test_a_saturating_law_takes_its_ceiling(rng):
    found = compare_laws(X, bent(rng), ceiling=0.2)
    saturating = next(row for row in found.rows if row.kind == "saturating")
    assert saturating.law is not None
    assert saturating.law.asymptote == 0.2
    assert saturating.n_parameters == 2


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
        assert ("the smallest AICc is that of" in found.why) == (best.kind != found.chosen)
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
