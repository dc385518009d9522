import numpy as np
import pytest
import scipy.stats

from voxscale.errors import VoxscaleWarning
from voxscale.scaling import fit_scaling_law
from voxscale.scaling._contrasts import accepted_thetas, influence, t_critical, t_test
from voxscale.scaling._kinds import KINDS, curve, tangent
from voxscale.scaling._varpro import fit_curves

X = np.geomspace(1e8, 3e10, 7)
V = np.log(X / X[0])
KIND = KINDS["power"]


def subjects(rng, n=3, exponent=0.3, noise=0.002):
    """Return curves with one exponent, and heights and growths of their own."""
    heights = 0.08 + 0.02 * rng.standard_normal(n)
    growths = 0.03 + 0.005 * rng.standard_normal(n)
    parameters = np.stack([heights, growths, np.full(n, exponent)])
    return curve(KIND, parameters, V[:, None]) + noise * rng.standard_normal((7, n))


def test_a_t_test_of_equal_weights_is_that_of_scipy(rng):
    values = rng.standard_normal((5, 4)) + 0.5
    test = t_test(values, np.full(5, 0.2))
    theirs = scipy.stats.ttest_1samp(values, 0)
    np.testing.assert_allclose(test.p_value, theirs.pvalue)
    ends = theirs.confidence_interval(0.9)
    np.testing.assert_allclose(test.interval(0.9), [ends.low, ends.high])


def test_the_variance_of_a_weighted_mean_is_unbiased_where_long_members_vary_less(rng):
    weights = np.array([0.5, 0.3, 0.15, 0.05])
    values = rng.standard_normal((4, 40_000)) / np.sqrt(weights)[:, None]
    test = t_test(values, weights)
    assert np.mean(test.standard_error**2) == pytest.approx(test.mean.var(), rel=0.03)


def test_one_member_has_no_error():
    test = t_test(np.array([[2.0]]), np.ones(1))
    assert test.mean[0] == 2
    assert np.isnan(test.p_value).all()
    assert np.isnan(test.interval(0.95)).all()
    assert np.isnan(t_critical(0, 0.95))


def test_influence_is_the_derivative_of_the_fit(rng):
    curves = subjects(rng, noise=1e-6)
    weights = np.array([0.5, 0.3, 0.2])
    mean = curves @ weights
    parameters = fit_curves(KIND, V, mean[:, None]).parameters[:, 0]
    found = influence(KIND, V, parameters, curves, weights)
    np.testing.assert_allclose(found @ weights, 0, atol=1e-12)
    step = 1e-4
    for member in range(3):
        moved = mean + step * (curves[:, member] - mean)
        by = fit_curves(KIND, V, moved[:, None]).parameters[:, 0] - parameters
        np.testing.assert_allclose(found[:, member], by / step, rtol=2e-3, atol=1e-6)


@pytest.mark.parametrize("kind", ["power", "saturating", "broken"])
def test_influence_is_the_derivative_of_a_fit_that_leaves_residuals(rng, kind):
    row, offset = KINDS[kind], 0.2 if kind == "saturating" else 0.0
    weights = np.array([0.5, 0.3, 0.2])
    checked, plain_is_wrong = 0, 0
    for _ in range(10):
        curves = subjects(rng, exponent=0.6, noise=0.008)
        mean = curves @ weights

        def fitted(y):
            return fit_curves(row, V, y[:, None], offset)

        start = fitted(mean)
        parameters = start.parameters[:, 0]
        is_knot = np.abs(parameters[-1] - V).min() < 1e-6
        if start.bound[0] or is_knot:
            continue
        checked += 1
        found = influence(row, V, parameters, curves, weights, offset)
        plain = np.linalg.pinv(tangent(row, parameters, V).T) @ (curves - mean[:, None])
        for member in range(3):
            by = 1e-4 * (curves[:, member] - mean)
            rise = (fitted(mean + by).parameters - fitted(mean - by).parameters)[:, 0] / 2e-4
            np.testing.assert_allclose(found[:, member], rise, rtol=0.02, atol=1e-4)
            plain_is_wrong += not np.allclose(plain[:, member], rise, rtol=0.05, atol=1e-4)
    assert checked >= 3
    assert (plain_is_wrong >= 3) == (kind != "broken")  # whose second derivatives are 0


def test_the_interval_of_an_exponent_holds_what_a_test_by_hand_accepts(rng):
    curves = subjects(rng)
    law = fit_scaling_law(X, curves, kind="power", levels={"subject": [0, 1, 2]})
    low, high = law.exponent_interval
    assert low < law.exponent < high

    def p_value(exponent):
        """Take what is orthogonal to a constant and the shape, in the span of the derivative."""
        shape = np.exp(-exponent * V)
        three = np.stack([np.ones(7), shape, V * shape], axis=1)
        contrast = np.linalg.qr(three)[0][:, 2]
        return scipy.stats.ttest_1samp(contrast @ curves, 0).pvalue

    for end, outwards in ((low, -1), (high, 1)):
        assert p_value(end) == pytest.approx(0.05, rel=1e-6)
        assert p_value(end + outwards * 0.005) < 0.05
        assert p_value(end - outwards * 0.005) > 0.05


def test_subjects_of_one_exponent_leave_it_no_room_whatever_else_differs(rng):
    curves = subjects(rng, noise=0.0)
    law = fit_scaling_law(X, curves, kind="power", levels={"subject": [0, 1, 2]})
    assert law.exponent_interval == pytest.approx((0.3, 0.3), abs=1e-6)


def test_an_exponent_that_is_not_told_has_open_ends(rng):
    line = 0.1 + 0.02 * V[:, None] + 0.02 * rng.standard_normal((7, 3))
    low, high = accepted_thetas(
        KIND, V, line.T[:, :, None], np.full(3, 1 / 3), np.array([0.1]), 0.999
    )
    assert (low[0], high[0]) == (-np.inf, np.inf)
    law = fit_scaling_law(X, line, kind="power", level=0.999)
    assert law.exponent_interval == (0, np.inf)
    broken = fit_scaling_law(X, line, kind="broken", level=0.999)
    assert broken.break_interval == (0, np.inf)


def test_intervals_hold_a_planted_exponent_at_the_stated_rate(rng):
    inside = {"exponent": 0, "slope": 0, "asymptote": 0, "prediction": 0}
    truth = {
        "exponent": 0.3,
        "slope": 0.03 * np.exp(-0.3 * V[-1]) * np.log(10),
        "asymptote": 0.08 + 0.03 / 0.3,
        "prediction": 0.08 + 0.03 * (1 - np.exp(-0.3 * (V[-1] + np.log(10)))) / 0.3,
    }
    for _ in range(120):
        law = fit_scaling_law(X, subjects(rng), kind="power", levels={"subject": [0, 1, 2]})
        found = {name: getattr(law, f"{name}_interval") for name in list(inside)[:3]}
        found["prediction"] = law.interval(10 * X[-1])
        for name, (low, high) in found.items():
            inside[name] += low <= truth[name] <= high
    for count in inside.values():  # 95 % but for chance: 4 standard errors
        assert 0.87 <= count / 120 <= 1


def test_a_break_is_found_with_its_interval(rng):
    at = V[-1] * 0.5
    parameters = np.array([0.08, 0.02, -0.015, at])[:, None]
    noise = 0.0005 * rng.standard_normal((7, 3)) + 0.02 * rng.standard_normal(3)
    law = fit_scaling_law(X, curve(KINDS["broken"], parameters, V[:, None]) + noise, kind="broken")
    low, high = law.break_interval
    assert low < X[0] * np.exp(at) < high
    assert law.break_x == pytest.approx(X[0] * np.exp(at), rel=0.2)
    for name, planted in (("slope_before", 0.02), ("slope_after", 0.005)):
        low, high = getattr(law, f"{name}_interval")
        assert low < planted * np.log(10) < high
    assert law.slope == law.slope_after
    assert law.slope_at(X[0]) == law.slope_before


def test_what_a_law_does_not_have_is_not_a_number(rng):
    scores = subjects(rng)
    line = fit_scaling_law(X, scores)
    for name in ("exponent", "asymptote", "coefficient", "break_x", "slope_before", "slope_after"):
        assert np.isnan(getattr(line, name))
        assert np.isnan(getattr(line, f"{name.removesuffix('_x')}_interval")).all()
    power = fit_scaling_law(X, scores, kind="power")
    assert np.isnan(power.break_x)
    assert np.isnan(power.break_interval).all()
    assert line.at_bound is None


@pytest.mark.parametrize("interval", ["t", "percentile", "bca"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_interval_holds_its_estimate(rng, kind, interval):
    ceiling = 0.2 if kind == "saturating" else None
    scores = subjects(rng, n=6)
    law = fit_scaling_law(
        X, scores, kind=kind, ceiling=ceiling, interval=interval, n_bootstrap=300,
        levels={"subject": np.arange(6) // 2},
    )  # fmt: skip
    names = ["slope", "slope_per_doubling", "exponent", "asymptote", "coefficient"]
    for name in [*names, "break", "slope_before", "slope_after"]:
        value = getattr(law, "break_x" if name == "break" else name)
        low, high = getattr(law, f"{name}_interval")
        if np.isfinite(value):
            assert low <= value * (1 + 1e-9)
            assert value <= high * (1 + 1e-9)
    for of, at in ((law.interval, law.predict), (law.slope_at_interval, law.slope_at)):
        low, high = of(X.reshape(7, 1))
        assert low.shape == (7, 1)
        assert (low <= at(X.reshape(7, 1)) + 1e-12).all()
        assert (at(X.reshape(7, 1)) <= high + 1e-12).all()
    text = str(law)
    assert kind in text
    assert f"95 % intervals ({interval}) over 3 subjects" in text


def test_chinchilla_in_one_dimension_is_recovered():
    x = np.geomspace(4e7, 7e10, 9)
    law = fit_scaling_law(x, 1.69 + 406.4 * x**-0.34, kind="power")
    assert law.asymptote == pytest.approx(1.69, rel=1e-6)
    assert law.exponent == pytest.approx(0.34, rel=1e-6)
    assert law.coefficient == pytest.approx(-406.4, rel=1e-6)
    assert law.slope < 0
    with pytest.warns(VoxscaleWarning, match="above the ceiling 1.69, so that the law falls to it"):
        given = fit_scaling_law(x, 1.69 + 406.4 * x**-0.34, kind="saturating", ceiling=1.69)
    assert given.exponent == pytest.approx(0.34, rel=1e-6)
    assert given.coefficient == pytest.approx(-406.4, rel=1e-6)


@pytest.mark.parametrize("factor", [1e-9, 1 / 3, 1e6])
def test_the_unit_of_x_leaves_exponent_and_asymptote(rng, factor):
    scores = subjects(rng)
    law, moved = (fit_scaling_law(x, scores, kind="power") for x in (X, factor * X))
    assert moved.exponent == pytest.approx(law.exponent, rel=1e-7)
    assert moved.asymptote == pytest.approx(law.asymptote, rel=1e-7)
    np.testing.assert_allclose(moved.exponent_interval, law.exponent_interval, rtol=1e-6)
    assert moved.coefficient == pytest.approx(law.coefficient * factor**law.exponent, rel=1e-6)


def test_identical_members_leave_no_uncertainty(rng):
    one = subjects(rng, n=1)
    law = fit_scaling_law(X, np.repeat(one, 4, axis=1), kind="power")
    assert law.interval(1e12) == pytest.approx((law.predict(1e12),) * 2, rel=1e-6)
    assert law.asymptote_interval == pytest.approx((law.asymptote,) * 2, rel=1e-6)


def test_an_asymptote_that_is_not_told_has_an_open_end(rng):
    line = (
        0.1
        + 0.02 * V[:, None]
        + 0.01 * rng.standard_normal(4)
        + 0.004 * rng.standard_normal((7, 4))
    )
    for sign in (1, -1):
        law = fit_scaling_law(X, sign * line, kind="power")
        low, high = law.asymptote_interval
        assert (high if sign > 0 else low) == sign * np.inf
        assert sign * (low if sign > 0 else high) > line.min()
        assert law.exponent_interval[0] == 0
    # The very line has its exponent at the bound, and an asymptote without end.
    exact = fit_scaling_law(
        X, 0.1 + 0.02 * V[:, None] + 0.01 * rng.standard_normal(4), kind="power"
    )
    assert exact.at_bound == "low"
    assert exact.asymptote == np.inf
    assert exact.exponent == 0


def test_the_interval_of_a_prediction_is_where_its_test_refuses(rng):
    law = fit_scaling_law(X, subjects(rng), kind="power", levels={"subject": [0, 1, 2]})
    for x in (3e8, 3e11):
        low, high = law.interval(x)
        assert low < law.predict(x) < high
        needed = law.needed_for(float(high)).interval
        assert needed[0] == pytest.approx(x, rel=1e-3)


def test_a_noisy_bend_leaves_the_asymptote_open(rng):
    opened = 0
    for _ in range(20):
        law = fit_scaling_law(X, subjects(rng, noise=0.012), kind="power")
        low, high = law.asymptote_interval
        opened += law.at_bound is None and high == np.inf
        assert low <= law.asymptote <= high
    assert opened


def test_the_text_of_a_law_tells_its_bound_and_what_is_missing():
    law = fit_scaling_law(X, 0.1 + 0.02 * V, kind="power")
    assert "the exponent is at its lowest value that these sizes can tell" in str(law)
    assert "no interval: one unit" in str(law)
    assert "nan" not in str(law)
    step = fit_scaling_law(X, np.r_[0.1, np.full(6, 0.2)], kind="power")
    assert "the exponent is at its highest value" in str(step)


@pytest.mark.parametrize("interval", ["percentile", "bca"])
def test_one_unit_is_not_drawn(interval):
    law = fit_scaling_law(X, 0.1 + 0.02 * V, interval=interval)
    assert law.draws.shape == (2, 0)
    assert np.isnan(law.slope_interval).all()
    assert np.isnan(law.interval([1e9, 1e10])).all()
