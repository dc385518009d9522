"""Surfaces over several sizes: planted ones are found, and found as other ways find them."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import curve_fit

from voxscale.errors import AlignmentError, FitError, VoxscaleWarning
from voxscale.scaling import Estimate, fit_scaling_surface
from voxscale.scaling._bootstrap import drawn_shares
from voxscale.scaling._units import as_units

# Hoffmann et al. 2022, arXiv:2203.15556, equation 10.
E, A, B, ALPHA, BETA = 1.69, 406.4, 410.7, 0.34, 0.28
TRUTH = (E, -A, -B, ALPHA, BETA)


def grid(**axes):
    return dict(
        zip(axes, (one.ravel() for one in np.meshgrid(*axes.values(), indexing="ij")), strict=True)
    )


CHINCHILLA = grid(n_params=np.geomspace(1e7, 1e11, 5), tokens=np.geomspace(1e9, 1e12, 4))
BRAIN = grid(n_params=np.array([1e8, 1e9, 1e10, 1e11]), hours=np.array([1.0, 2.0, 5.0, 14.0]))


def losses(x):
    return E + A * x["n_params"] ** -ALPHA + B * x["tokens"] ** -BETA


def correlations(x):
    return 0.4 - 2 * x["n_params"] ** -0.2 - 0.1 * x["hours"] ** -0.7


def line(x, interaction=0.0):
    decades, hours = np.log10(x["n_params"]), np.log10(x["hours"])
    return -0.1 + 0.02 * decades + 0.06 * hours + interaction * decades * hours


def found(surface):
    return np.array(
        [surface.asymptote, *surface.coefficients.values(), *surface.exponents.values()]
    )


def intervals(surface):
    return np.array(
        [
            surface.asymptote_interval,
            *surface.coefficient_intervals.values(),
            *surface.exponent_intervals.values(),
        ]
    )


def test_the_published_surface_of_losses_is_found_again(frozen):
    x = {axis: frozen(sizes) for axis, sizes in CHINCHILLA.items()}
    surface = fit_scaling_surface(x, frozen(losses(x)))
    np.testing.assert_allclose(found(surface), TRUTH, rtol=1e-6)
    np.testing.assert_allclose(found(surface), TRUTH, rtol=1e-12)  # as far as it goes here
    np.testing.assert_allclose(surface.predict(x), losses(x), rtol=1e-13)
    assert np.isnan(intervals(surface)).all()
    assert surface.interval_over is None


@pytest.mark.parametrize("interval", ["t", "residual"])
def test_its_parameters_lie_in_their_intervals_19_times_in_20(interval):
    """Of 150 data sets of 8 units, within three standard errors of 95 %."""
    rng = np.random.default_rng(5)
    held = []
    for _ in range(150):
        units = losses(CHINCHILLA)[:, None] + 0.03 * rng.standard_normal((20, 8))
        low, high = intervals(fit_scaling_surface(CHINCHILLA, units, interval=interval)).T
        held.append((low <= TRUTH) & (high >= TRUTH))
    assert (np.abs(np.mean(held, axis=0) - 0.95) < 3 * math.sqrt(0.95 * 0.05 / 150)).all()


def test_scipy_from_the_truth_finds_the_same_parameters_and_errors(rng):
    means = losses(CHINCHILLA) + 0.02 * rng.standard_normal(20)
    surface = fit_scaling_surface(CHINCHILLA, means, interval="residual")

    def model(x, e, log_a, log_b, alpha, beta):  # centered, or scipy's steps are too coarse
        return e + np.exp(log_a - alpha * x[0]) + np.exp(log_b - beta * x[1])

    logs = np.log(list(CHINCHILLA.values()))
    start = (E, math.log(A), math.log(B), ALPHA, BETA)
    expected, covariance = curve_fit(model, logs, means, start, xtol=1e-15, ftol=1e-15)
    expected[1:3] = -np.exp(expected[1:3])
    np.testing.assert_allclose(found(surface), expected, rtol=1e-4)
    reach = stats.t.ppf(0.975, 15) * np.sqrt(np.diag(covariance))
    ends = intervals(surface)
    # scipy's covariance leaves out second derivatives, which are small beside the first here.
    np.testing.assert_allclose(
        ends[[0, 3, 4], 1] - found(surface)[[0, 3, 4]], reach[[0, 3, 4]], rtol=0.1
    )
    np.testing.assert_allclose(
        np.log(ends[1] / found(surface)[1])[[1, 0]], [-reach[1], reach[1]], rtol=0.1
    )
    assert (surface.interval_over, surface.n_members) == ("points", 20)


def test_influences_are_what_the_fit_answers_to_a_small_change(rng):
    """The interval by t is that of refitted means, each pushed a little towards one member."""
    units = correlations(BRAIN)[:, None] + 0.01 * rng.standard_normal((16, 6))
    surface = fit_scaling_surface(BRAIN, units)
    means, push = units.mean(axis=1), 1e-4
    pushed = [
        [found(fit_scaling_surface(BRAIN, means + sign * push * (one - means))) for sign in (1, -1)]
        for one in units.T
    ]
    influence = np.array([(up - down) / (2 * push) for up, down in pushed])
    error = np.sqrt((influence**2).sum(axis=0) / 30)
    reach = stats.t.ppf(0.975, 5) * error
    middle = found(surface)
    ends = intervals(surface)
    for i in (0, 3, 4):
        np.testing.assert_allclose(ends[i], [middle[i] - reach[i], middle[i] + reach[i]], rtol=1e-4)
    for i in (1, 2):
        scale = np.exp(np.array([-1, 1]) * reach[i] / middle[i])
        np.testing.assert_allclose(ends[i], middle[i] * scale, rtol=1e-3)


def test_the_log_linear_surface_is_least_squares(rng):
    units = line(BRAIN)[:, None] + 0.01 * rng.standard_normal((16, 5))
    surface = fit_scaling_surface(BRAIN, units, kind="log-linear")
    design = np.column_stack([np.ones(16), *[np.log10(one) for one in BRAIN.values()]])
    each = np.linalg.lstsq(design, units)[0]
    expected = each.mean(axis=1)
    np.testing.assert_allclose(surface.intercept, expected[0])
    np.testing.assert_allclose(list(surface.slopes.values()), expected[1:])
    reach = stats.t.ppf(0.975, 4) * each.std(axis=1, ddof=1) / math.sqrt(5)
    for i, ends in enumerate(surface.slope_intervals.values(), 1):
        np.testing.assert_allclose(ends, [expected[i] - reach[i], expected[i] + reach[i]])
    at = {"n_params": 3e9, "hours": np.array([1.0, 8.0])}
    low, high = surface.interval(at)
    curves = np.column_stack([np.ones(2), np.full(2, np.log10(3e9)), np.log10([1, 8])]) @ each
    np.testing.assert_allclose(
        (high - low) / 2, stats.t.ppf(0.975, 4) * curves.std(axis=1, ddof=1) / math.sqrt(5)
    )
    np.testing.assert_allclose(surface.predict(at), curves.mean(axis=1))
    assert math.isnan(surface.asymptote)
    assert math.isnan(surface.interaction)
    assert surface.exponents == surface.coefficients == surface.coefficient_intervals == {}


def test_an_interaction_is_found_and_slopes_are_those_at_the_center(rng):
    surface = fit_scaling_surface(BRAIN, line(BRAIN, 0.01), kind="log-linear-interaction")
    assert surface.interaction == pytest.approx(0.01)
    assert surface.intercept == pytest.approx(-0.1)
    hours = math.log10(surface.center["hours"])
    assert surface.slopes["n_params"] == pytest.approx(0.02 + 0.01 * hours)
    low, high = fit_scaling_surface(
        BRAIN, line(BRAIN, 0.01)[:, None] + 0.001 * rng.standard_normal((16, 9)),
        kind="log-linear-interaction",
    ).interaction_interval  # fmt: skip
    assert low < 0.01 < high
    here, more = {"n_params": 1e9, "hours": 2.0}, {"n_params": 1e9, "hours": 20.0}
    step = surface.predict(more) - surface.predict(here)
    factor = surface.exchange("hours", "n_params", at=here).value
    bigger = surface.predict(here | {"n_params": 1e9 * factor}) - surface.predict(here)
    assert bigger == pytest.approx(step)


def test_draws_are_fits_to_members_drawn_again(rng):
    subjects = np.repeat(["a", "b", "c", "d"], 3)
    units = correlations(BRAIN)[:, None] + 0.005 * rng.standard_normal((16, 12))
    surface = fit_scaling_surface(
        BRAIN, units, levels={"subject": subjects}, interval="percentile", n_bootstrap=40, seed=2
    )
    assert (surface.interval_over, surface.n_members) == ("subject", 4)
    shares = drawn_shares(as_units(12, {"subject": subjects}, None), 40, 2)
    again = np.array([found(fit_scaling_surface(BRAIN, units @ one)) for one in shares])
    np.testing.assert_allclose(
        intervals(surface), np.quantile(again, [0.025, 0.975], axis=0).T, rtol=1e-5
    )
    low, high = surface.interval({"n_params": 1e9, "hours": [1.0, 2.0]})
    assert low.shape == (2,)
    assert (low < high).all()


def test_exchange_of_a_line_is_by_fieller(rng):
    units = line(BRAIN)[:, None] + 0.01 * rng.standard_normal((16, 5))
    surface = fit_scaling_surface(BRAIN, units, kind="log-linear")
    worth = surface.exchange("n_params", "hours")
    design = np.column_stack([np.ones(16), *[np.log10(one) for one in BRAIN.values()]])
    _, top, bottom = np.linalg.lstsq(design, units)[0]
    t = stats.t.ppf(0.975, 4)
    mean, cov = np.array([top.mean(), bottom.mean()]), np.cov(top, bottom) / 5
    # (top - q bottom)² = t² (v11 - 2 q v12 + q² v22), solved for q.
    roots = np.roots(
        [
            mean[1] ** 2 - t**2 * cov[1, 1],
            -2 * (mean.prod() - t**2 * cov[0, 1]),
            mean[0] ** 2 - t**2 * cov[0, 0],
        ]
    )
    assert worth.value == pytest.approx(10 ** (mean[0] / mean[1]))
    assert (worth.low, worth.high) == pytest.approx(tuple(10 ** np.sort(roots)))
    elsewhere = surface.exchange("n_params", "hours", at={"hours": 1.0})
    assert elsewhere == pytest.approx(worth)


def test_exchange_with_what_may_not_matter_has_no_end(rng):
    flat = -0.1 + 0.02 * np.log10(BRAIN["n_params"])
    noisy = flat[:, None] + 0.02 * rng.standard_normal((16, 5))
    worth = fit_scaling_surface(BRAIN, noisy, kind="log-linear").exchange("n_params", "hours")
    assert worth.high == math.inf or worth.low == 0


def test_exchange_and_need_keep_their_promises_on_a_power_surface(rng):
    units = correlations(BRAIN)[:, None] + 0.002 * rng.standard_normal((16, 8))
    surface = fit_scaling_surface(BRAIN, units)
    here = {"n_params": 1e9, "hours": 2.0}
    gained = surface.predict(here | {"n_params": 1e10})
    worth = surface.exchange("n_params", "hours", at=here)
    assert isinstance(worth, Estimate)
    assert surface.predict(here | {"hours": 2 * worth.value}) == pytest.approx(gained)
    assert worth.low < worth.value < worth.high
    need = surface.needed("hours", score=0.3, at={"n_params": 1e11})
    assert surface.predict({"n_params": 1e11, "hours": need.value}) == pytest.approx(0.3)
    # The ends are where the interval of the surface just holds the score.
    ends = surface.interval({"n_params": 1e11, "hours": [need.low, need.high]})
    assert (ends[1][0], ends[0][1]) == pytest.approx((0.3, 0.3))
    share = surface.needed("hours", share=0.9, ceiling=1 / 3, at={"n_params": 1e11})
    assert share == pytest.approx(need)
    out_of_reach = surface.needed("hours", score=0.9, at={"n_params": 1e11})
    assert out_of_reach == (math.inf, math.inf, math.inf)
    assert surface.needed("hours", share=1.0, at={"n_params": 1e11}).value == math.inf
    too_much = surface.exchange("n_params", "hours", at={"n_params": 1e4, "hours": 50.0})
    assert too_much.value == math.inf


def test_draws_out_of_reach_are_infinite_ends(rng):
    units = correlations(BRAIN)[:, None] + 0.01 * rng.standard_normal((16, 8))
    surface = fit_scaling_surface(BRAIN, units, interval="percentile", n_bootstrap=200)
    best = surface.predict({"n_params": 1e11, "hours": 1e300})
    need = surface.needed("hours", score=best - 1e-3, at={"n_params": 1e11})
    assert need.low < need.value < need.high == math.inf
    nothing = fit_scaling_surface(BRAIN, correlations(BRAIN))
    need = nothing.needed("hours", score=0.3, at={"n_params": 1e11})
    assert np.isnan(need[1:]).all()
    assert np.isfinite(need.value)


def test_contours_have_their_score(rng):
    for kind, made in (("additive-power", correlations), ("log-linear", line)):
        surface = fit_scaling_surface(BRAIN, made(BRAIN), kind=kind)
        curves = surface.contours("n_params", "hours", [0.1, 0.25], n=7)
        assert list(curves) == [0.1, 0.25]
        for score, (sizes, hours) in curves.items():
            assert (sizes[0], sizes[-1]) == pytest.approx((1e8, 1e11))
            known = np.isfinite(hours)
            assert known.any()
            there = surface.predict({"n_params": sizes[known], "hours": hours[known]})
            np.testing.assert_allclose(there, score, rtol=1e-9)
    surface = fit_scaling_surface(BRAIN, correlations(BRAIN))
    _, hours = surface.contours("n_params", "hours", [0.38])[0.38]
    assert np.isnan(hours[0])  # the smallest model never gets there
    with pytest.raises(ValueError, match="'hours' is given twice"):
        surface.contours("hours", "hours", [0.1])


def test_a_third_axis_needs_its_size_in_questions(rng):
    x = grid(
        n_params=np.array([1e8, 1e9, 1e10, 1e11]),
        hours=np.array([1.0, 2.0, 5.0, 14.0]),
        context=np.array([4.0, 16.0, 64.0, 256.0]),
    )
    scores = correlations(x) - 0.2 * x["context"] ** -0.5
    surface = fit_scaling_surface(x, scores)
    np.testing.assert_allclose(list(surface.exponents.values()), [0.2, 0.7, 0.5], rtol=1e-6)
    with pytest.raises(ValueError, match="x lacks 'context'; give a size for each of n_params"):
        surface.contours("n_params", "hours", [0.2])
    with pytest.raises(ValueError, match="at lacks 'context'; say at which size"):
        surface.needed("hours", score=0.2, at={"n_params": 1e9})
    _, hours = surface.contours("n_params", "hours", [0.2], at={"context": 64.0}, n=5)[0.2]
    there = surface.needed("hours", score=0.2, at={"context": 64.0, "n_params": 1e11})
    assert hours[-1] == pytest.approx(there.value)


def test_a_score_that_does_not_bend_has_no_asymptote(rng):
    with pytest.warns(VoxscaleWarning, match="the exponent of 'n_params' ends at 0: the score"):
        surface = fit_scaling_surface(
            BRAIN, (0.001 * BRAIN["n_params"] ** 0.2 - 0.1 * BRAIN["hours"] ** -0.7)[:, None]
            + 1e-3 * rng.standard_normal((16, 5)),
        )  # fmt: skip
    assert surface.exponents["n_params"] == 0
    assert surface.asymptote == surface.coefficients["n_params"] == math.inf
    assert np.isnan(surface.coefficient_intervals["n_params"]).all()
    assert np.isfinite(surface.coefficient_intervals["hours"]).all()
    low, high = surface.asymptote_interval
    assert (low, high) == (surface.interval({"n_params": 1e11, "hours": 14.0})[0], math.inf)
    low, high = surface.exponent_intervals["n_params"]
    assert 0 == low <= high < 0.1
    assert np.isfinite(surface.exponent_intervals["hours"]).all()
    assert np.isfinite(surface.interval({"n_params": 1e12, "hours": 3.0})).all()
    with pytest.raises(ValueError, match="no asymptote to take a share of; give ceiling="):
        surface.needed("hours", share=0.5, at={"n_params": 1e9})
    step = np.where(BRAIN["n_params"] > 1e8, 0.3, 0.1) - 0.1 * BRAIN["hours"] ** -0.7
    with pytest.warns(VoxscaleWarning, match="'n_params' ends at 4: only its smallest size"):
        surface = fit_scaling_surface(BRAIN, step[:, None] + 1e-3 * rng.standard_normal((16, 5)))
    low, high = surface.exponent_intervals["n_params"]
    assert 0 < low <= 4 < high == math.inf


def test_ends_of_opposite_axes_leave_the_asymptote_open(rng):
    fall = 0.001 * BRAIN["n_params"] ** 0.2 - 0.02 * BRAIN["hours"] ** 0.5
    with pytest.warns(VoxscaleWarning, match="ends at 0"):
        surface = fit_scaling_surface(BRAIN, fall[:, None] + 1e-3 * rng.standard_normal((16, 5)))
    assert list(surface.exponents.values()) == [0, 0]
    assert math.isnan(surface.asymptote)
    assert surface.asymptote_interval == (-math.inf, math.inf)


@pytest.mark.parametrize("exponent", [0.0, 0.03])
def test_intervals_of_exponents_near_0_hold_them(exponent):
    """Of 150 data sets each; about half of the exponents of a line end at 0."""
    rng = np.random.default_rng(11)
    v = np.log(BRAIN["n_params"] / 1e9)
    grown = 0.02 * (v if exponent == 0 else -np.expm1(-exponent * v) / exponent)
    n_held, n_ended = 0, 0
    for _ in range(150):
        units = (grown - 0.1 * BRAIN["hours"] ** -0.7)[:, None]
        units = units + 0.01 * rng.standard_normal((16, 6))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", VoxscaleWarning)
            surface = fit_scaling_surface(BRAIN, units)
        low, high = surface.exponent_intervals["n_params"]
        n_held += low <= exponent <= high
        n_ended += surface.exponents["n_params"] == 0
    assert n_ended > 0
    assert n_held / 150 > 0.95 - 3 * math.sqrt(0.95 * 0.05 / 150)


def test_draws_without_asymptote_leave_an_interval():
    units = (0.02 * np.log(BRAIN["n_params"]) - 0.1 * BRAIN["hours"] ** -0.7)[:, None]
    units = units + 0.03 * np.random.default_rng(0).standard_normal((16, 6))
    surface = fit_scaling_surface(BRAIN, units, interval="percentile", n_bootstrap=200)
    exponents = surface._uncertainty.draws[:, 3]
    assert 5 < (exponents == 0).sum() < 100
    for low, high in (surface.asymptote_interval, surface.coefficient_intervals["n_params"]):
        assert 0 < low < high == math.inf


@pytest.mark.parametrize("kind", ["additive-power", "log-linear", "log-linear-interaction"])
def test_an_extrapolation_tells_the_error_at_the_largest_size_left_out(rng, kind):
    x = grid(n_params=np.geomspace(1e7, 1e11, 5), hours=np.array([1.0, 2, 5, 14, 30]))
    units = correlations(x)[:, None] + 0.003 * rng.standard_normal((25, 6))
    surface = fit_scaling_surface(x, units, kind=kind)
    at = {"n_params": 1e12, "hours": 0.5}
    found = surface.extrapolate(at)
    assert found.value == surface.predict(at)
    assert found.interval == surface.interval(at)
    assert found.decades_beyond == pytest.approx({"n_params": 1, "hours": math.log10(0.5)})
    for axis, error in found.held_out_errors.items():
        kept = x[axis] < x[axis].max()
        some = fit_scaling_surface(
            {name: one[kept] for name, one in x.items()}, units[kept], kind=kind
        )
        rest = {name: one[~kept] for name, one in x.items()}
        assert error == pytest.approx((some.predict(rest) - units[~kept].mean(axis=1)).mean())
    text = str(found)
    assert text.startswith("at n_params = 1e+12, hours = 0.5\n")
    assert f"{found.value:.4g}, 95 % interval of the surface {found.interval[0]:.4g} to" in text
    assert "n_params 1 decades beyond the fitted sizes; fitted without the largest, 1 dec" in text
    assert "hours 0.3 decades below the fitted sizes" in text
    assert f"errs by {found.held_out_errors['hours']:+.4g}" in text
    with pytest.raises(ValueError, match=r"x has shape \(2,\); expected one number"):
        surface.extrapolate({"n_params": [1e9, 1e10], "hours": 1.0})


def test_an_extrapolation_without_sizes_to_spare_says_so():
    two = grid(n_params=np.array([1e8, 1e9]), hours=np.array([1.0, 2.0, 4.0]))
    found = fit_scaling_surface(two, line(two), kind="log-linear").extrapolate(
        {"n_params": 5e8, "hours": 2.0}
    )
    assert math.isnan(found.held_out_errors["n_params"])
    assert found.held_out_errors["hours"] == pytest.approx(0, abs=1e-12)
    assert "n_params within the fitted sizes; too few sizes or points to leave" in str(found)


def test_a_surface_in_words(rng):
    units = correlations(BRAIN)[:, None] + 0.002 * rng.standard_normal((16, 8))
    surface = fit_scaling_surface(BRAIN, units, levels={"story": list("aabbccdd")})
    text = str(surface)
    assert text.startswith(
        "additive-power: asymptote - sum of coefficient · x^-exponent, 16 points"
    )
    low, high = surface.exponent_intervals["hours"]
    assert f"exponent of hours {surface.exponents['hours']:.4g}, {low:.4g} to {high:.4g}" in text
    assert text.endswith("95 % intervals over 4 stories")
    alone = str(fit_scaling_surface(BRAIN, line(BRAIN, 0.01), kind="log-linear-interaction"))
    assert "  interaction 0.01\n  no interval: no level has two members" in alone
    assert "asymptote" not in alone


def test_points_that_leave_a_parameter_open_are_refused():
    few = {"n_params": [1e8, 1e9, 1e10] * 3, "hours": [1, 1, 1, 2, 2, 2, 4, 4, 4]}
    with pytest.raises(
        FitError, match=r"'n_params' has 3 different size\(s\); an exponent needs at least 4: add"
    ):
        fit_scaling_surface(few, np.arange(9) / 10)
    fit_scaling_surface(few, np.arange(9) / 10, kind="log-linear")
    one = {"n_params": [1e9] * 3, "hours": [1, 2, 4]}
    with pytest.raises(FitError, match=r"1 different size\(s\); a slope needs at least 2: add"):
        fit_scaling_surface(one, [0.1, 0.2, 0.3], kind="log-linear")
    sizes = np.geomspace(1e7, 1e11, 9)
    together = {"n_params": sizes, "hours": np.round(sizes**0.5 / 1e3, 1)}
    for kind in ("additive-power", "log-linear"):
        with pytest.raises(FitError, match=r"grows together with 'hours'.*add points where"):
            fit_scaling_surface(together, np.arange(9) / 10, kind=kind)
    diagonal = {"n_params": [1e7, 1e8, 1e9, 1e10], "hours": [1, 8, 2, 4]}
    with pytest.raises(FitError, match=r"there are 4 points.*has 5 parameters: add 1 point"):
        fit_scaling_surface(diagonal, [0.1, 0.2, 0.3, 0.4])
    cross = {"n_params": [1e8, 1e9, 1e10, 1e9, 1e9], "hours": [2, 2, 2, 1, 4]}
    with pytest.raises(FitError, match="an interaction needs points that differ on both"):
        fit_scaling_surface(cross, np.arange(5) / 10, kind="log-linear-interaction")
    with pytest.raises(FitError, match=r"all scores are 0\.2; there is nothing to fit"):
        fit_scaling_surface(BRAIN, np.full(16, 0.2))
    with pytest.raises(FitError, match=r"axis 'hours' holds 0\.0; expected positive, finite"):
        fit_scaling_surface(BRAIN | {"hours": np.zeros(16)}, np.arange(16))


def test_bad_arguments_are_refused():
    scores = correlations(BRAIN)
    with pytest.raises(ValueError, match="kind 'power' is unknown; choose one of additive-power"):
        fit_scaling_surface(BRAIN, scores, kind="power")
    with pytest.raises(ValueError, match="interval 'bca' is unknown; choose one of t, percentile"):
        fit_scaling_surface(BRAIN, scores, interval="bca")
    with pytest.raises(ValueError, match="level is 95; expected a probability"):
        fit_scaling_surface(BRAIN, scores, level=95)
    with pytest.raises(ValueError, match="n_bootstrap is 0"):
        fit_scaling_surface(BRAIN, scores, n_bootstrap=0)
    with pytest.raises(ValueError, match="x has 0 axes; expected a mapping of 1 to 3"):
        fit_scaling_surface({}, scores)
    with pytest.raises(ValueError, match="'log-linear-interaction' is for two axes but x has 1"):
        fit_scaling_surface({"hours": BRAIN["hours"]}, scores, kind="log-linear-interaction")
    with pytest.raises(AlignmentError, match=r"shapes n_params \(16,\), hours \(3,\); expected"):
        fit_scaling_surface(BRAIN | {"hours": [1, 2, 3]}, scores)
    surface = fit_scaling_surface(BRAIN, scores)
    with pytest.raises(ValueError, match=r"axis 'hour' is unknown \(did you mean 'hours'\?\)"):
        surface.exchange("n_params", "hour")
    with pytest.raises(ValueError, match=r"'hours' holds -1\.0; expected positive"):
        surface.predict({"n_params": 1e9, "hours": -1})
    for both in ({}, {"score": 0.3, "share": 0.5}):
        with pytest.raises(ValueError, match="give one of score= and share="):
            surface.needed("hours", at={"n_params": 1e9}, **both)


def test_units_left_out_are_counted(rng):
    units = correlations(BRAIN)[:, None] + 0.01 * rng.standard_normal((16, 5))
    units[3, 1] = np.nan
    with pytest.warns(VoxscaleWarning, match="1 of 5 units lack") as caught:
        surface = fit_scaling_surface(BRAIN, units, levels={"story": list("abcde")})
    assert caught[0].filename == __file__
    assert (surface.n_left_out, surface.n_members, surface.interval_over) == (1, 4, "story")
    np.testing.assert_allclose(surface.mean_scores, units[:, [0, 2, 3, 4]].mean(axis=1))


noise = st.integers(0, 2**32 - 1)


@settings(deadline=None, max_examples=20)
@given(noise, st.sampled_from([1e-9, 0.5, 60.0, 1e6]), st.sampled_from(["t", "percentile"]))
def test_the_unit_of_a_size_moves_its_coefficient_alone(seed, factor, interval):
    rng = np.random.default_rng(seed)
    units = correlations(BRAIN)[:, None] + 0.002 * rng.standard_normal((16, 4))
    moved_x = BRAIN | {"hours": BRAIN["hours"] * factor}
    options = {"interval": interval, "n_bootstrap": 30}
    surface = fit_scaling_surface(BRAIN, units, **options)
    moved = fit_scaling_surface(moved_x, units, **options)
    close = {"rtol": 1e-5}
    np.testing.assert_allclose(moved.asymptote, surface.asymptote, **close)
    for name in ("exponents", "slopes", "exponent_intervals", "slope_intervals"):
        for axis, value in getattr(surface, name).items():
            np.testing.assert_allclose(getattr(moved, name)[axis], value, **close)
    scale = factor ** surface.exponents["hours"]
    np.testing.assert_allclose(
        moved.coefficients["hours"], surface.coefficients["hours"] * scale, rtol=1e-4
    )
    np.testing.assert_allclose(
        moved.exchange("n_params", "hours"), surface.exchange("n_params", "hours"), rtol=1e-4
    )


@settings(deadline=None, max_examples=20)
@given(noise, st.permutations(range(16)), st.sampled_from([-2.0, 0.5]))
def test_scores_scale_and_points_come_in_any_order(seed, order, scale):
    rng = np.random.default_rng(seed)
    units = correlations(BRAIN)[:, None] + 0.002 * rng.standard_normal((16, 4))
    surface = fit_scaling_surface(BRAIN, units)
    shuffled = {axis: sizes[order] for axis, sizes in BRAIN.items()}
    moved = fit_scaling_surface(shuffled, scale * units[order] + 1)
    np.testing.assert_allclose(moved.asymptote, scale * surface.asymptote + 1, rtol=1e-6)
    np.testing.assert_allclose(
        list(moved.exponents.values()), list(surface.exponents.values()), rtol=1e-5
    )
    np.testing.assert_allclose(
        sorted(moved.asymptote_interval),
        sorted(scale * np.array(surface.asymptote_interval) + 1),
        rtol=1e-5,
    )
