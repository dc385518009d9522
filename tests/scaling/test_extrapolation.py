import numpy as np
import pytest
import scipy.stats

from voxscale.errors import AlignmentError, VoxscaleWarning
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


@pytest.mark.parametrize(
    ("kind", "x", "n"),
    [
        ("log-linear", 1e10, 600),
        ("log-linear", 1e11, 600),
        ("log-linear", 1e12, 600),
        ("power", 1e12, 120),
    ],
)
def test_the_band_holds_a_new_size_at_the_stated_rate(rng, kind, x, n):
    at = np.r_[X, x] / X[0]
    truth = 0.1 + 0.02 * np.log10(at) if kind == "log-linear" else 0.3 - 0.2 * at**-0.5
    below = above = 0
    for _ in range(n):
        curve = truth + 0.004 * rng.standard_normal(7)  # of models: common to all units
        units = curve[:6, None] + 1e-5 * rng.standard_normal((6, 3))
        low, high = fit_scaling_law(X, units, kind=kind).extrapolate(x).band
        below += curve[6] < low
        above += curve[6] > high
    most = 0.045 if n == 600 else 0.08
    for side in (below, above):  # 2.5 % each but for chance
        assert 0.008 <= side / n <= most


def test_the_band_of_a_line_is_the_prediction_interval_of_the_textbook(rng):
    y = 0.1 + 0.02 * np.log10(X) + 0.003 * rng.standard_normal(6)
    d, at = np.log10(X), np.log10(1e12)
    rest = y - np.polyval(np.polyfit(d, y, 1), d)
    spread = 1 + 1 / 6 + (at - d.mean()) ** 2 / np.sum((d - d.mean()) ** 2)
    half = scipy.stats.t.ppf(0.975, 4) * np.sqrt(rest @ rest / 4 * spread)
    far = fit_scaling_law(X, y).extrapolate(1e12)  # one unit: from the scatter alone
    assert far.band == pytest.approx((far.value - half, far.value + half), rel=1e-9)
    assert "no interval: one unit" in str(far)
    assert "nan" not in str(far)


def test_too_few_sizes_leave_no_error_and_no_band():
    law = fit_scaling_law([1.0, 10.0], [[0.1, 0.12], [0.2, 0.21]])
    far = law.extrapolate(100.0)
    assert np.isnan(far.held_out_error)
    assert np.isnan(far.band).all()
    assert "no band: too few sizes" in str(far)
    assert "too few sizes to leave the largest out" in str(far)
    assert "nan" not in str(far)
    # A power law needs four sizes, those without the largest as well.
    curves = 0.2 - 0.1 * (X / X[0]) ** -0.5
    few, enough = (fit_scaling_law(X[:n], curves[:n], kind="power") for n in (4, 5))
    assert np.isnan(few.extrapolate(1e11).held_out_error)
    assert enough.extrapolate(1e11).held_out_error == pytest.approx(0, abs=1e-9)
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
    beyond = law.needed_for(0.2)
    assert beyond.decades_beyond == pytest.approx(np.log10(beyond.x / X[-1]))
    assert beyond.held_out_error == law.extrapolate(1e12).held_out_error
    assert f"{beyond.decades_beyond:.2g} decades beyond the fitted sizes; fitted" in str(beyond)
    inside = law.needed_for(0.13)
    assert (inside.decades_beyond, "law errs" in str(inside)) == (0, False)
    alone = str(fit_scaling_law(X, law.mean_scores).needed_for(0.2))
    assert "(no interval: one unit)" in alone
    assert "nan" not in alone


def test_a_share_of_its_own_asymptote_is_as_unsure_as_the_law(rng):
    x = np.geomspace(1e8, 1e11, 9)
    truth = 1e8 * (0.1 / (0.1 * 0.2)) ** 2  # where 0.1 · (x / 1e8)^(-0.5) is a tenth of 0.2
    inside = 0
    for _ in range(20):
        curves = 0.2 + 0.01 * rng.standard_normal(4) - 0.1 * (x[:, None] / 1e8) ** -0.5
        law = fit_scaling_law(x, curves + 0.004 * rng.standard_normal((9, 4)), kind="power")
        low, high = law.needed(0.9).interval
        inside += low <= truth <= high
    assert inside >= 16  # of 20, at 95 %
    known = law.needed(0.9, ceiling=law.asymptote)
    assert known.x == pytest.approx(law.needed(0.9).x)
    assert known.interval[0] != pytest.approx(low, rel=1e-2)


def test_draws_of_a_share_have_their_own_asymptotes(rng):
    noise = 0.001 * rng.standard_normal((6, 4)) + 0.005 * rng.standard_normal(4)
    curves = (0.2 - 0.1 * (X / X[0]) ** -0.5)[:, None] + noise
    law = fit_scaling_law(X, curves, kind="power", interval="percentile", n_bootstrap=99)
    form, draws = law.evidence.form, law.evidence.draws
    top, coefficient, exponent = form.asymptote(draws), form.coefficient(draws), draws[2]
    sizes = (coefficient / (0.1 * top)) ** (1 / exponent)
    assert law.needed(0.9).interval == pytest.approx(np.quantile(sizes, [0.025, 0.975]), rel=0.02)


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
    perhaps = law.needed_for(1.005 * law.asymptote)  # of an asymptote that is taken as known
    assert (perhaps.x, perhaps.interval[1]) == (np.inf, np.inf)
    assert perhaps.interval[0] < np.inf
    assert law.needed(1.005).interval == (np.inf, np.inf)  # of the law's own, wherever it is


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


def test_members_are_paired_by_what_they_are(rng):
    table, of_hours = scores(rng), scores(rng, slope=0.05)
    lost, other_lost = table.copy(), of_hours.copy()
    lost[0, 1], other_lost[0, 3] = np.nan, np.nan
    with pytest.warns(VoxscaleWarning, match="1 of 5 units"):
        params, hours = fit_scaling_law(X, lost), fit_scaling_law(X, other_lost)
    with pytest.raises(AlignmentError, match="only one law has 1, 3"):
        params.exchange_interval(hours)
    other_lost[0, 1] = lost[0, 3] = np.nan
    with pytest.warns(VoxscaleWarning, match="2 of 5 units"):
        params, hours = fit_scaling_law(X, lost), fit_scaling_law(X, other_lost)
    kept = [0, 2, 4]
    clean = [fit_scaling_law(X, one[:, kept]) for one in (table, of_hours)]
    assert params.exchange_interval(hours) == clean[0].exchange_interval(clean[1])
    weighted = fit_scaling_law(X, table, unit_weights=[1, 2, 3, 4, 5])
    with pytest.raises(AlignmentError, match="do not count the same in both laws"):
        weighted.exchange_interval(fit_scaling_law(X, of_hours))
    with pytest.raises(ValueError, match=r"intervals of 0\.95 and 0\.9; expected one level"):
        fit_scaling_law(X, table).exchange_interval(fit_scaling_law(X, of_hours, level=0.9))


@pytest.mark.parametrize("kind", ["power", "saturating", "broken", "log-linear"])
@pytest.mark.parametrize("other_kind", ["power", "saturating", "broken"])
def test_an_exchange_of_curves_brings_the_same_gain(rng, kind, other_kind):
    x = np.geomspace(1e8, 1e11, 9)
    curve = 0.2 - 0.1 * (x / 1e8) ** -0.3 + 0.001 * rng.standard_normal(9)
    hours = np.geomspace(1, 1000, 9)
    other_curve = 0.3 - 0.25 * hours**-0.2 + 0.001 * rng.standard_normal(9)
    law, other = (
        fit_scaling_law(*one, kind=k, ceiling=0.3 if k == "saturating" else None)
        for one, k in (((x, curve), kind), ((hours, other_curve), other_kind))
    )
    for at in ((1e9, 2.0), (1e10, 50.0)):
        factor = law.exchange(other, at=at)
        gain = law.predict(10 * at[0]) - law.predict(at[0])
        assert factor > 1
        assert other.predict(factor * at[1]) - other.predict(at[1]) == pytest.approx(gain)
    with pytest.raises(ValueError, match=r"a curve's exchange depends on where it starts"):
        law.exchange(other)
    with pytest.raises(ValueError, match="expected positive, finite"):
        law.exchange(other, at=(1e9, -1.0))


def test_an_exchange_with_what_does_not_rise_or_levels_off():
    x = np.geomspace(1, 1e4, 9)
    law = fit_scaling_law(x, 0.1 + 0.1 * np.log10(x))
    saturated = fit_scaling_law(x, 0.2 - 0.1 * x**-0.5, kind="power")
    assert law.exchange(saturated, at=(10.0, 100.0)) == np.inf
    # A broken line that falls and then rises by 0.05 a decade from 100 on.
    valley = 0.3 - 0.1 * np.log10(x) + 0.15 * np.maximum(np.log10(x) - 2, 0)
    broken = fit_scaling_law(x, valley, kind="broken")
    assert np.isnan(law.exchange(broken, at=(10.0, 10.0)))
    assert law.exchange(broken, at=(10.0, 1000.0)) == pytest.approx(100)
    falling = fit_scaling_law(x, 0.9 - 0.02 * np.log10(x))
    assert falling.exchange(broken, at=(10.0, 1000.0)) == pytest.approx(10**-0.4)
    steep = fit_scaling_law(x, 0.9 - 0.1 * np.log10(x))
    assert np.isnan(steep.exchange(broken, at=(10.0, 1000.0)))


def test_the_interval_of_two_members_has_no_spikes_between_the_sizes():
    """A steep power law of two subjects with three stories each, whose exponent is little known."""
    x = np.array([2.0, 8, 32, 128, 512])
    scores = np.array([
        [0.1132, 0.0725, 0.0794, 0.1235, 0.0771, 0.0880],
        [0.1952, 0.1170, 0.1227, 0.1974, 0.1194, 0.1237],
        [0.1949, 0.1207, 0.1265, 0.1981, 0.1244, 0.1289],
        [0.1977, 0.1208, 0.1289, 0.2025, 0.1248, 0.1319],
        [0.1989, 0.1216, 0.1303, 0.2044, 0.1263, 0.1323],
    ])  # fmt: skip
    levels = {"subject": ["s1"] * 3 + ["s2"] * 3}
    law = fit_scaling_law(x, scores, kind="power", levels=levels)
    low, high = law.interval(np.geomspace(2, 512, 60))
    assert (law.predict(2.0) - 0.1 < low).all()
    assert (high < law.predict(512.0) + 0.1).all()
