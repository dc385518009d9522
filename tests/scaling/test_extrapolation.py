import numpy as np
import pytest
import scipy.stats

from voxscale.errors import AlignmentError
from voxscale.scaling import fit_scaling_law
from voxscale.scaling._exchange import fieller

X = np.geomspace(1e8, 1e10, 6)


def scores(rng, n=5, slope=0.02):
    own = 0.02 * rng.standard_normal(n) + 0.002 * rng.standard_normal((6, n))
    return 0.1 + slope * np.log10(X / X[0])[:, None] + own


def test_an_extrapolation_tells_all_that_speaks_of_it(rng):
    law = fit_scaling_law(X, scores(rng))
    far = law.extrapolate(1e12)
    assert far.value == law.predict(1e12)
    assert far.interval == pytest.approx(tuple(law.interval(1e12)))
    assert far.decades_beyond == pytest.approx(2)
    assert far.band[0] < far.interval[0] < far.value < far.interval[1] < far.band[1]
    without = fit_scaling_law(X[:-1], law.scores[:-1])
    error = without.predict(X[-1]) - law.mean_scores[-1]
    assert far.held_out_error == pytest.approx(error)
    assert far.held_out_decades == pytest.approx(0.4)
    for part in ("2 decades beyond", "interval of the law", "band of one new size", "law errs by"):
        assert part in str(far)
    inside = law.extrapolate(1e9)
    assert inside.decades_beyond == 0
    assert "between the fitted sizes" in str(inside)
    assert law.extrapolate(1e6).decades_beyond == pytest.approx(-2)
    assert "2 decades below" in str(law.extrapolate(1e6))


def test_the_band_holds_a_new_size_at_the_stated_rate(rng):
    inside = 0
    for _ in range(300):
        wiggle = 0.01 * rng.standard_normal((7, 1))
        all_sizes = np.r_[X, 1e11]
        curves = 0.1 + 0.02 * np.log10(all_sizes / X[0])[:, None] + wiggle
        new = curves[-1, 0]
        law = fit_scaling_law(X, curves[:-1] + 0.01 * rng.standard_normal((6, 4)))
        low, high = law.extrapolate(1e11).band
        inside += low <= new <= high
    assert inside / 300 >= 0.9


def test_too_few_sizes_leave_no_error_and_no_band():
    law = fit_scaling_law([1.0, 10.0], [[0.1, 0.12], [0.2, 0.21]])
    far = law.extrapolate(100.0)
    assert np.isnan(far.held_out_error)
    assert np.isnan(far.band).all()
    assert "too few sizes to leave the largest out" in str(far)
    with pytest.raises(ValueError, match="expected positive, finite"):
        law.extrapolate(-1.0)


def test_the_size_that_a_score_needs(rng):
    law = fit_scaling_law(X, scores(rng))
    found = law.needed_for(0.15)
    assert law.predict(found.x) == pytest.approx(0.15)
    assert found.is_reached
    low, high = found.interval
    assert low < found.x < high
    assert law.interval(low)[1] == pytest.approx(0.15, rel=1e-6)
    assert law.interval(high)[0] == pytest.approx(0.15, rel=1e-6)
    assert "is reached at x =" in str(found)


@pytest.mark.parametrize("interval", ["t", "percentile", "bca"])
def test_a_score_beyond_the_asymptote_is_reached_by_no_size(rng, interval):
    noise = 0.001 * rng.standard_normal((6, 4)) + 0.005 * rng.standard_normal(4)
    curves = (0.2 - 0.1 * (X / X[0]) ** -0.5)[:, None] + noise
    law = fit_scaling_law(X, curves, kind="power", interval=interval, n_bootstrap=200)
    never = law.needed_for(0.5)
    assert never.x == np.inf
    assert never.interval == (np.inf, np.inf)
    assert not never.is_reached
    assert "by no size, however large" in str(never)
    nearly = law.needed(0.9)
    assert law.predict(nearly.x) == pytest.approx(0.9 * law.asymptote)
    assert nearly.interval[0] < nearly.x < nearly.interval[1]
    perhaps = law.needed(1.005)
    assert (perhaps.x, perhaps.interval[1]) == (np.inf, np.inf)
    assert perhaps.interval[0] < np.inf


def test_a_share_is_of_a_ceiling(rng):
    curves = (0.2 - 0.1 * (X / X[0]) ** -0.5)[:, None] + 0.001 * rng.standard_normal((6, 4))
    law = fit_scaling_law(X, curves, kind="saturating", ceiling=0.2)
    assert law.needed(0.9).score == pytest.approx(0.18)
    assert law.needed(0.5, ceiling=0.3).score == pytest.approx(0.15)
    line = fit_scaling_law(X, curves)
    with pytest.raises(ValueError, match="the ceiling is nan; expected a finite score"):
        line.needed(0.9)
    assert line.needed(0.9, ceiling=0.2).x == line.needed_for(0.9 * 0.2).x


def test_a_flat_law_reaches_nothing():
    law = fit_scaling_law([1.0, 10.0, 100.0], np.full((3, 2), 0.1))
    nowhere = law.needed_for(0.2)
    assert np.isnan(nowhere.x)
    assert np.isnan(nowhere.interval).all()
    assert "the law is flat" in str(nowhere)


def test_the_exchange_has_fiellers_interval(rng):
    params = fit_scaling_law(X, scores(rng))
    hours = fit_scaling_law(X / 1e7, scores(rng, slope=0.05))
    low, high = np.log10(params.exchange_interval(hours))
    mine, theirs = (np.polyfit(np.log10(law.x), law.scores, 1)[0] for law in (params, hours))
    for end in (low, high):  # where a t-test of what should be 0 has a p-value of 0.05
        assert scipy.stats.ttest_1samp(mine - end * theirs, 0).pvalue == pytest.approx(0.05)
    assert low < np.log10(params.exchange(hours)) < high


def test_the_interval_of_an_exchange_covers_the_truth(rng):
    inside = 0
    for _ in range(300):
        own = rng.standard_normal((3, 2)) * [0.1, 0.3] + [1.0, 3.0]
        low, high = fieller(own[:, 0], own[:, 1], np.full(3, 1 / 3), 0.95)
        inside += low <= 1 / 3 <= high
    assert 0.91 <= inside / 300 <= 0.99


def test_an_exchange_with_what_may_not_rise_is_open(rng):
    params = fit_scaling_law(X, scores(rng))
    flat = fit_scaling_law(X, 0.1 + 0.01 * rng.standard_normal((6, 5)))
    assert params.exchange_interval(flat) == (0, np.inf)
    alone = fit_scaling_law(X, scores(rng, n=1))
    assert np.isnan(alone.exchange_interval(alone)).all()


def test_an_exchange_is_between_lines_of_the_same_members(rng):
    law = fit_scaling_law(X, scores(rng))
    with pytest.raises(AlignmentError, match="over 5 and 4 members"):
        law.exchange_interval(fit_scaling_law(X, scores(rng, n=4)))
    for options in ({"kind": "power"}, {"interval": "percentile"}):
        with pytest.raises(ValueError, match="needs two of kind 'log-linear' with interval='t'"):
            law.exchange_interval(fit_scaling_law(X, law.scores, **options))


def test_a_steep_exponent_does_not_overflow_the_search_below_the_data(rng):
    x = np.geomspace(0.5, 20.0, 8)  # so close that exponents up to 13 are tried
    scores = 0.3 - 0.2 * x[:, None] ** -0.4 + rng.normal(0, 0.002, (8, 3))
    found = fit_scaling_law(x, scores, kind="power").needed_for(0.2)
    low, high = found.interval
    assert 3.0 < low < found.x < high < 8.0  # planted: 5.7
