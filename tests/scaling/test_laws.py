import dataclasses
import math
import pickle

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from voxscale.errors import AlignmentError, FitError, VoxscaleWarning
from voxscale.scaling import ScalingLaw, fit_scaling_law

SIZES = (1.25e8, 3.5e8, 1.3e9, 2.7e9, 6.7e9, 1.3e10, 3e10)


def stories(rng, *, intercept=0.02, slope=0.013, spread=0.01, n_units=20, noise=0.004):
    """Return scores of stories that differ in height, in slope and by noise."""
    decades = np.log10(SIZES)[:, None]
    heights = intercept + spread * rng.standard_normal(n_units)
    slopes = slope + 0.2 * slope * rng.standard_normal(n_units)
    return heights + slopes * decades + noise * rng.standard_normal((len(SIZES), n_units))


def test_the_line_is_that_of_polyfit_and_of_scipy(rng, frozen):
    scores = frozen(stories(rng))
    law = fit_scaling_law(frozen(SIZES), scores)
    slope, intercept = np.polyfit(np.log10(SIZES), scores.mean(axis=1), 1)
    assert law.slope == pytest.approx(slope, rel=1e-9)
    assert law.intercept == pytest.approx(intercept, rel=1e-9)
    theirs = scipy.stats.linregress(np.log10(SIZES), scores.mean(axis=1))
    assert law.slope == pytest.approx(theirs.slope, rel=1e-9)
    np.testing.assert_allclose(law.mean_scores, scores.mean(axis=1), rtol=1e-14)


def test_a_planted_law_is_recovered_exactly_where_there_is_no_noise():
    law = fit_scaling_law(SIZES, [-0.03 + 0.0125 * math.log10(x) for x in SIZES])
    assert law.slope == pytest.approx(0.0125, rel=1e-12)
    assert law.intercept == pytest.approx(-0.03, rel=1e-11)
    np.testing.assert_allclose(law.predict([1.0, 1e10]), [-0.03, 0.095], rtol=1e-11)


def test_the_interval_covers_a_planted_slope_at_the_stated_rate(rng):
    inside = {"slope": 0, "curve": 0}
    for data_set in range(200):
        law = fit_scaling_law(SIZES, stories(rng), n_bootstrap=500, seed=data_set)
        low, high = law.slope_interval
        inside["slope"] += low <= 0.013 <= high
        low, high = law.interval(1e9)
        inside["curve"] += low <= 0.02 + 0.013 * 9 <= high
    for count in inside.values():
        assert 0.88 <= count / 200 <= 0.99


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_intervals_are_those_of_the_bootstrap_of_scipy(rng, frozen, method):
    scores = frozen(stories(rng, n_units=15))
    law = fit_scaling_law(SIZES, scores, n_bootstrap=20_000, level=0.9, interval=method)

    def slope_of(units, axis):
        means = scores[:, units.astype(int)].mean(axis=axis)
        centered = np.log10(SIZES) - np.log10(SIZES).mean()
        return np.tensordot(centered / (centered @ centered), means, axes=1)

    theirs = scipy.stats.bootstrap(
        (np.arange(15.0),),
        slope_of,
        n_resamples=20_000,
        confidence_level=0.9,
        method=method,
        rng=np.random.default_rng(1),
    ).confidence_interval
    width = theirs.high - theirs.low
    np.testing.assert_allclose(law.slope_interval, theirs, atol=0.03 * width)


def test_every_draw_is_a_line_through_resampled_stories(rng):
    scores = stories(rng, n_units=6)
    law = fit_scaling_law(SIZES, scores, n_bootstrap=30, seed=5, interval="percentile")
    assert law.draws.shape == (2, 30)
    # The documented draw: counts of one multinomial, of all units at once.
    again = np.random.default_rng(5).multinomial(np.full(30, 6), np.full(6, 1 / 6))
    for (intercept, slope), counts in zip(law.draws.T, again, strict=True):
        mean = np.repeat(scores, counts, axis=1).mean(axis=1)
        expected_slope, expected_intercept = np.polyfit(np.log10(SIZES), mean, 1)
        assert slope == pytest.approx(expected_slope, rel=1e-8)
        assert intercept == pytest.approx(expected_intercept, rel=1e-8, abs=1e-12)
    ends = np.quantile(law.draws[1], [0.025, 0.975])
    np.testing.assert_allclose(law.slope_interval, ends, rtol=1e-12)
    curve = law.draws[0] + 9 * law.draws[1]
    np.testing.assert_allclose(law.interval(1e9), np.quantile(curve, [0.025, 0.975]), rtol=1e-12)


def test_the_t_interval_of_a_line_is_that_of_each_units_own_slope(rng, frozen):
    scores = frozen(stories(rng, n_units=3))
    law = fit_scaling_law(SIZES, scores)
    slopes, intercepts = np.polyfit(np.log10(SIZES), scores, 1)
    theirs = scipy.stats.ttest_1samp(slopes, 0).confidence_interval(0.95)
    np.testing.assert_allclose(law.slope_interval, theirs, rtol=1e-8)
    theirs = scipy.stats.ttest_1samp(intercepts + 9.5 * slopes, 0).confidence_interval(0.95)
    np.testing.assert_allclose(law.interval(10**9.5), theirs, rtol=1e-8)
    doubled = np.array(law.slope_interval) * np.log10(2)
    np.testing.assert_allclose(law.slope_per_doubling_interval, doubled)
    assert law.predict(2e9) - law.predict(1e9) == pytest.approx(law.slope_per_doubling)
    assert (law.interval_by, law.interval_over, law.n_members) == ("t", "unit", 3)


def test_the_interval_of_the_curve_has_the_shape_of_x_and_holds_the_curve(rng):
    law = fit_scaling_law(SIZES, stories(rng))
    grid = np.logspace(8, 11, 6).reshape(2, 3)
    low, high = law.interval(grid)
    assert low.shape == high.shape == law.predict(grid).shape == (2, 3)
    assert (low < law.predict(grid)).all()
    assert (law.predict(grid) < high).all()
    one_low, one_high = law.interval(grid[1, 2])
    assert (one_low, one_high) == pytest.approx((low[1, 2], high[1, 2]))
    assert isinstance(law.predict(1e9), float)


def test_a_higher_level_is_wider_and_the_seed_decides(rng):
    scores = stories(rng)
    wide = fit_scaling_law(SIZES, scores, level=0.99)
    narrow = fit_scaling_law(SIZES, scores, level=0.5)
    assert wide.slope_interval[0] < narrow.slope_interval[0]
    assert wide.slope_interval[1] > narrow.slope_interval[1]
    assert wide.slope == narrow.slope
    drawn = fit_scaling_law(SIZES, scores, interval="percentile")
    again = fit_scaling_law(SIZES, scores, interval="percentile")
    other = fit_scaling_law(SIZES, scores, interval="percentile", seed=1)
    assert again.slope_interval == drawn.slope_interval
    assert other.slope_interval != drawn.slope_interval
    assert other.slope == wide.slope


def test_stories_that_agree_leave_no_uncertainty(rng):
    one = stories(rng, n_units=1)
    law = fit_scaling_law(SIZES, np.repeat(one, 8, axis=1))
    assert law.slope_interval == pytest.approx((law.slope, law.slope), rel=1e-9)


@pytest.mark.parametrize("axes", [1, 2])
def test_one_unit_has_no_interval(rng, frozen, axes):
    scores = stories(rng, n_units=1)
    law = fit_scaling_law(SIZES, frozen(scores if axes == 2 else scores[:, 0]))
    assert law.slope == pytest.approx(np.polyfit(np.log10(SIZES), scores[:, 0], 1)[0])
    assert np.isnan(law.slope_interval).all()
    assert np.isnan(law.interval(1e9)).all()
    assert np.isnan(law.interval([1e9, 1e10])).all()
    assert law.scores.shape == (7, 1)
    assert np.isfinite(law.predict(1e9))


@pytest.mark.parametrize("missing", [np.nan, np.inf, -np.inf])
def test_units_with_missing_points_are_left_out_and_counted(rng, frozen, missing):
    scores = stories(rng, n_units=6)
    clean = fit_scaling_law(SIZES, scores[:, [0, 1, 3, 5]])
    scores[0, 2] = scores[6, 4] = scores[3, 4] = missing
    with pytest.warns(VoxscaleWarning, match="2 of 6 units lack a finite score") as caught:
        law = fit_scaling_law(SIZES, frozen(scores))
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert law.n_left_out == 2
    assert clean.n_left_out == 0
    assert (law.slope, law.slope_interval) == (clean.slope, clean.slope_interval)
    np.testing.assert_array_equal(law.scores, clean.scores)


def test_no_complete_unit_is_no_fit(rng):
    scores = stories(rng, n_units=2)
    scores[0, 0] = scores[1, 1] = np.nan
    with pytest.raises(FitError, match=r"none of the 2 unit\(s\) has a finite score at all 7"):
        fit_scaling_law(SIZES, scores)
    with pytest.raises(FitError, match=r"none of the 1 unit\(s\)"):
        fit_scaling_law(SIZES, scores[:, 0])
    with pytest.raises(FitError, match=r"none of the 0 unit\(s\)"):
        fit_scaling_law(SIZES, np.empty((7, 0)))


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_x_is_positive_in_the_fit_and_after_it(bad):
    with pytest.raises(FitError, match=f"x holds {bad}; expected positive, finite numbers"):
        fit_scaling_law([1e8, bad, 1e9], [0.1, 0.2, 0.3])
    law = fit_scaling_law([1e8, 1e9], [0.1, 0.2])
    for call in (law.predict, law.interval):
        with pytest.raises(ValueError, match=f"x holds {bad}; expected positive, finite"):
            call([1e8, bad])


@pytest.mark.parametrize("x", [[1e9], [1e9, 1e9, 1e9], [1e9, np.nextafter(1e9, 2e9)], []])
def test_a_slope_needs_two_different_x(x):
    with pytest.raises(FitError, match=r"different value\(s\); a slope needs at least two"):
        fit_scaling_law(x, np.arange(len(x)) / 10)


def test_two_models_may_have_the_same_size():
    law = fit_scaling_law([1e8, 1e8, 1e9], [0.1, 0.3, 0.4])
    assert law.slope == pytest.approx(0.2)


@pytest.mark.parametrize(("kind", "least"), [("power", 4), ("saturating", 4), ("broken", 5)])
def test_an_exponent_or_a_break_needs_more_sizes(kind, least):
    x = np.geomspace(1, 1000, least)
    ceiling = 1.0 if kind == "saturating" else None
    scores = 0.5 - 0.4 / x + 0.01 * np.cos(x)
    assert np.isfinite(fit_scaling_law(x, scores, kind=kind, ceiling=ceiling).slope)
    few = f"x has {least - 1} different value.*needs at least {least}.*: add 1 more, or fit kind"
    with pytest.raises(FitError, match=few):
        fit_scaling_law(x[1:], scores[1:], kind=kind, ceiling=ceiling)
    repeated = np.r_[x[1:], x[1]]
    with pytest.raises(FitError, match=few):
        fit_scaling_law(repeated, scores, kind=kind, ceiling=ceiling)
    with pytest.raises(
        FitError, match=r"at every size; no (exponent|break) exists: fit kind='log-l"
    ):
        fit_scaling_law(x, np.full(least, 0.1), kind=kind, ceiling=ceiling)


def test_there_is_a_row_of_scores_for_each_x():
    with pytest.raises(AlignmentError, match=r"scores have shape \(3,\) but x has 2 points"):
        fit_scaling_law([1e8, 1e9], [0.1, 0.2, 0.3])
    with pytest.raises(AlignmentError, match=r"expected \(2,\) or \(2, n_units\)"):
        fit_scaling_law([1e8, 1e9], np.zeros((2, 3, 4)))
    with pytest.raises(AlignmentError, match=r"scores have shape \(\)"):
        fit_scaling_law([1e8, 1e9], 0.1)
    with pytest.raises(AlignmentError, match=r"x has shape \(1, 2\); expected \(n_points,\)"):
        fit_scaling_law([[1e8, 1e9]], [0.1, 0.2])


def test_bad_options_are_refused():
    x, scores = [1e8, 1e9], [0.1, 0.2]
    with pytest.raises(ValueError, match="kind 'cubic' is unknown; choose one of log-linear, po"):
        fit_scaling_law(x, scores, kind="cubic")
    with pytest.raises(ValueError, match="interval 'z' is unknown; choose one of t, percentile"):
        fit_scaling_law(x, scores, interval="z")
    with pytest.raises(ValueError, match=r"over is 'subject'; expected one of the levels: unit"):
        fit_scaling_law(x, scores, over="subject")
    with pytest.raises(ValueError, match="it goes with interval='t' only"):
        fit_scaling_law(x, scores, over="unit", interval="bca")
    for kind, ceiling in (("saturating", None), ("power", 0.3)):
        with pytest.raises(ValueError, match=r"ceiling is .*; give ceiling= with kind='saturat"):
            fit_scaling_law(x, scores, kind=kind, ceiling=ceiling)
    with pytest.raises(ValueError, match="ceiling is nan; expected a finite score"):
        fit_scaling_law(x, scores, kind="saturating", ceiling=np.nan)
    with pytest.raises(ValueError, match="n_bootstrap is 0; expected at least 1"):
        fit_scaling_law(x, scores, n_bootstrap=0)
    with pytest.raises(TypeError):
        fit_scaling_law(x, scores, n_bootstrap=10.5)
    for level in (0, 1, 95, np.nan):
        with pytest.raises(ValueError, match="expected a probability between 0 and 1"):
            fit_scaling_law(x, scores, level=level)


def test_exchange_says_what_ten_times_is_worth_elsewhere():
    params = fit_scaling_law([1e8, 1e9], [0.10, 0.12])
    hours = fit_scaling_law([1.0, 10.0], [0.05, 0.09])
    factor = params.exchange(hours)
    assert factor == pytest.approx(math.sqrt(10))
    # By its definition: the same gain, wherever one starts.
    gain = params.predict(1e10) - params.predict(1e9)
    assert hours.predict(3.0 * factor) - hours.predict(3.0) == pytest.approx(gain)
    assert hours.exchange(params) == pytest.approx(100)
    assert params.exchange(params) == pytest.approx(10)
    assert math.log10(params.exchange(hours)) * math.log10(hours.exchange(params)) == pytest.approx(
        1
    )


def test_exchange_with_what_brings_no_gain_has_no_answer():
    rising = fit_scaling_law([1e8, 1e9], [0.10, 0.12])
    flat = fit_scaling_law([1.0, 2.0, 5.0], [0.1, 0.1, 0.1])
    falling = fit_scaling_law([1.0, 10.0], [0.10, 0.09])
    assert flat.slope == 0  # exactly, whatever the rounding
    assert math.isnan(rising.exchange(flat))
    assert math.isnan(rising.exchange(falling))
    assert falling.exchange(rising) == pytest.approx(10**-0.5)
    assert flat.exchange(rising) == 1
    barely = fit_scaling_law([1.0, 10.0], [0.0, 1e-9])
    assert rising.exchange(barely) == math.inf


def test_a_law_keeps_its_own_copy_and_is_frozen(rng):
    x, scores = np.array(SIZES), stories(rng)
    law = fit_scaling_law(x, scores)
    before = law.x.copy(), law.scores.copy()
    x[:] = scores[:] = 1.0
    np.testing.assert_array_equal(law.x, before[0])
    np.testing.assert_array_equal(law.scores, before[1])
    assert isinstance(law, ScalingLaw)
    assert "draws" not in repr(law)
    with pytest.raises(dataclasses.FrozenInstanceError):
        law.slope = 0.0


def test_a_law_can_be_pickled_and_a_generator_is_a_seed(rng):
    scores = stories(rng, n_units=5)
    law = fit_scaling_law(SIZES, scores, kind="power", interval="percentile", n_bootstrap=50)
    again = pickle.loads(pickle.dumps(law))
    assert again.slope_interval == law.slope_interval
    assert again.evidence.form.kind is law.evidence.form.kind
    first, second = (
        fit_scaling_law(SIZES, scores, interval="bca", n_bootstrap=50, seed=rng) for _ in range(2)
    )
    assert first.slope_interval != second.slope_interval
    assert first.draws.shape == (2, 50)


scores_of_units = arrays(np.float64, (7, 4), elements=st.floats(-1, 1, width=32))


@settings(deadline=None, max_examples=40)
@given(scores_of_units, st.sampled_from([1e-6, 0.5, 60.0, 1e9]))
def test_the_unit_of_x_moves_the_intercept_alone(scores, factor):
    law = fit_scaling_law(SIZES, scores, n_bootstrap=20)
    moved = fit_scaling_law(np.array(SIZES) * factor, scores, n_bootstrap=20)
    close = {"rtol": 1e-8, "atol": 1e-10}
    np.testing.assert_allclose(moved.slope, law.slope, **close)
    np.testing.assert_allclose(moved.slope_interval, law.slope_interval, **close)
    shifted = law.intercept - law.slope * np.log10(factor)
    np.testing.assert_allclose(moved.intercept, shifted, **close)
    np.testing.assert_allclose(moved.predict(1e9 * factor), law.predict(1e9), **close)
    np.testing.assert_allclose(moved.interval(1e9 * factor), law.interval(1e9), **close)


@settings(deadline=None, max_examples=40)
@given(scores_of_units, st.permutations(range(7)), st.sampled_from([-2.0, 0.5, 3.0]))
def test_the_fit_is_linear_in_scores_and_blind_to_order(scores, order, scale):
    law = fit_scaling_law(SIZES, scores, n_bootstrap=20)
    moved = fit_scaling_law(np.array(SIZES)[order], scale * scores[order] + 1, n_bootstrap=20)
    np.testing.assert_allclose(moved.slope, scale * law.slope, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(moved.intercept, scale * law.intercept + 1, rtol=1e-8, atol=1e-9)
    ends = sorted(scale * end for end in law.slope_interval)
    np.testing.assert_allclose(moved.slope_interval, ends, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(("n_subjects", "noise"), [(3, 0.004), (8, 0.0065)])
def test_the_slope_of_a_curve_that_levels_off_is_inside_its_interval(n_subjects, noise):
    """Of 150 studies, at least 134: fewer would be seen once in 500 tests, if 95 % are held."""
    x = np.geomspace(0.5, 16.0, 6)
    truth = np.log(10) * 0.02 / 32
    n_inside = 0
    for seed in range(150):
        rng = np.random.default_rng([n_subjects, seed])
        own = 0.01 * rng.standard_normal(n_subjects) + noise * rng.standard_normal((6, n_subjects))
        scores = 0.2 - 0.02 * (0.5 / x[:, None]) + own
        law = fit_scaling_law(x, scores, kind="power", levels={"subject": list(range(n_subjects))})
        low, high = law.slope_interval
        n_inside += low <= truth <= high
        assert low <= law.slope <= high
    assert n_inside >= 134


def test_the_interval_of_a_slope_among_the_sizes_is_by_its_derivative(rng):
    x = np.geomspace(0.5, 16.0, 6)
    scores = 0.2 - 0.1 * x[:, None] ** -0.4 + 0.002 * rng.standard_normal((len(x), 4))
    law = fit_scaling_law(x, scores, kind="power")
    at = np.array([x[0], x[1], x[-1], 10 * x[-1]])
    low, high = law.slope_at_interval(at)
    expected = law.evidence.interval(lambda p: law.evidence.form.slope(p, at[:, None]))
    np.testing.assert_allclose([low[:2], high[:2]], np.stack(expected)[:, :2])
    assert (low[2], high[2]) == law.slope_interval
    assert (low < law.slope_at(at)).all()
    assert (law.slope_at(at) < high).all()
    assert law.slope_at_interval(float(x[-1]))[0] == low[2]
