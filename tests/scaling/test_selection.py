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
    assert reasons["power"] == "AICc judges it with 7 points or more"
    assert found.chosen == "log-linear"
    assert found.why == (
        "log-linear: the fewest parameters; too few sizes to compare laws at the largest, left "
        "out; too few points for AICc"
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
    # Of 5 sizes AICc judges no law; a curve that bends far more than it scatters.
    curve = bent(rng, noise=0.0005)[::2]
    few = compare_laws(X[::2][:5], curve[:5])
    rows = {row.kind: row for row in few.rows}
    assert np.isfinite(rows["log-linear"].aicc)
    assert np.isnan(rows["power"].aicc)
    assert not any(row.is_judged for row in few.rows)
    assert few.chosen == "power"
    assert few.why == (
        "power: the smallest error at the largest size, left out; too few points for AICc"
    )
    for row in few.rows[:2]:
        assert f"{row.held_out[0]:.3g}" in str(few)


def test_a_law_that_cannot_be_judged_does_not_switch_the_rule_for_others():
    # Scores by words of context, of six sizes: a curve, for which AICc would have a line, since
    # its correction for six points and a power law is 40.
    x = np.array([1.0, 4, 16, 64, 256, 512])
    scores = np.array([0.0725, 0.114, 0.1315, 0.1395, 0.15, 0.151])
    two = compare_laws(x, scores, kinds=["log-linear", "power"])
    three = compare_laws(x, scores)
    assert two.chosen == three.chosen == "power"
    line, power = two.rows
    assert line.is_judged
    assert not power.is_judged
    assert power.aicc > line.aicc + 2
    assert two.why == (
        "power: the smallest error at the two largest sizes, left out; "
        "too few points for AICc to judge power"
    )
    assert "to judge power and broken" in three.why
    assert "(against broken at the largest)" in three.why
    assert power.reason == "AICc judges it with 7 points or more"
    seven = compare_laws(np.r_[x, 1024], np.r_[scores, 0.152])
    assert [row.is_judged for row in seven.rows] == [True, True, False, False]
    assert np.isfinite(seven.rows[3].aicc)


def curve_of(seed, n_sizes):
    rng = np.random.default_rng(seed)
    x = np.geomspace(1e8, 1e11, n_sizes)
    v = np.log10(x / x[0])
    bend = rng.choice([0.0, 0.05, 0.1, 0.4])
    knee = rng.choice([0.0, 0.03]) * np.maximum(v - 3 * rng.random(), 0)
    scatter = rng.choice([0.0005, 0.002, 0.005])
    curve = 0.1 + 0.03 * v - bend * 10 ** (-0.4 * v) - knee
    return x, curve + scatter * rng.standard_normal(n_sizes)


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 100_000), st.integers(3, 9), st.booleans())
def test_what_is_neither_chosen_nor_judged_has_no_say(seed, n_sizes, has_ceiling):
    x, curve = curve_of(seed, n_sizes)
    ceiling = curve.max() + 0.05 if has_ceiling else None
    found = compare_laws(x, curve, ceiling=ceiling)
    kinds = [row.kind for row in found.rows]
    of_chosen = next(row for row in found.rows if row.kind == found.chosen)
    for row in found.rows:
        if row.is_judged or row.n_parameters <= of_chosen.n_parameters:
            continue
        others = [kind for kind in kinds if kind != row.kind]
        assert compare_laws(x, curve, kinds=others, ceiling=ceiling).chosen == found.chosen
    assert compare_laws(x, curve, kinds=kinds[::-1], ceiling=ceiling).chosen == found.chosen


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 100_000), st.sampled_from([4, 5, 6, 7, 9, 12]))
def test_the_choice_is_what_its_rule_says(seed, n_sizes):
    x, curve = curve_of(seed, n_sizes)
    found = compare_laws(x, curve)
    rows = {row.kind: row for row in found.rows if row.law is not None}
    judged = {kind for kind, row in rows.items() if n_sizes - (row.n_parameters + 1) - 1 >= 2}
    assert judged == {kind for kind, row in rows.items() if row.is_judged}
    least = min((rows[kind].aicc for kind in judged), default=0.0)
    kept = None
    for kind in ("log-linear", "power", "broken"):
        if kind not in rows or (kind in judged and rows[kind].aicc > least + 2):
            continue
        if kept is None:
            kept = kind
            continue
        row = rows[kind]
        of_kept, of_row = np.array(rows[kept].held_out), np.array(row.held_out)
        both = np.flatnonzero(np.isfinite(of_kept + of_row))
        if not both.size:
            continue
        scatter = np.sqrt(row.rss / (n_sizes - row.n_parameters))
        error = of_row[both[-1]]
        if of_kept[both[-1]] > error + 0.1 * error and of_kept[both[-1]] > error + 2 * scatter:
            kept = kind
    assert found.chosen == kept
    # What is said of the errors is so.
    own = rows[kept].held_out
    others = [row.held_out for kind, row in rows.items() if kind != kept]
    if "the smallest error at the largest size" in found.why:
        assert own[0] <= np.nanmin([one[0] for one in others])
    if "the smallest error at the two largest sizes, left out;" in found.why:
        assert own[1] <= min(
            rows[kind].held_out[1]
            for kind in rows
            if kind not in judged or rows[kind].aicc <= least + 2
        )


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
