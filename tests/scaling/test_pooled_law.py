import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import least_squares

from voxscale.errors import AlignmentError, FitError, VoxscaleWarning
from voxscale.scaling import fit_pooled_law, fit_scaling_surface

SIZES = np.array([1.25e8, 3.5e8, 1.3e9, 6.7e9, 3e10])


def planted(rng, exponents=(0.2, 0.2, 0.2, 0.45, 0.45)):
    asymptotes = rng.uniform(0.2, 0.6, len(exponents))
    gains = rng.uniform(0.05, 0.2, len(exponents))  # at the smallest size
    scores = asymptotes - gains * (SIZES[:, None] / SIZES[0]) ** -np.array(exponents)
    return scores, asymptotes, gains * SIZES[0] ** np.array(exponents)


REGIONS = ["AC", "AC", "AC", "PFC", "PFC"]


def test_a_planted_law_is_found_again(rng, frozen):
    scores, asymptotes, coefficients = planted(rng)
    law = fit_pooled_law(frozen(SIZES), frozen(scores), REGIONS)
    assert law.groups == ("AC", "PFC")
    np.testing.assert_allclose(law.exponents, [0.2, 0.45], rtol=1e-9)
    np.testing.assert_allclose(law.asymptotes, asymptotes, rtol=1e-9)
    np.testing.assert_allclose(law.coefficients, coefficients, rtol=1e-7)
    np.testing.assert_allclose(law.predict(SIZES), scores, rtol=1e-9)
    assert law.predict(1e9).shape == (5,)
    assert np.isnan(law.exponent_low).all()


def test_joint_least_squares_over_everything_finds_the_same(rng):
    scores = planted(rng, [0.3] * 4)[0] + 0.003 * rng.standard_normal((5, 4))
    law = fit_pooled_law(SIZES, scores)
    z = SIZES / np.exp(np.log(SIZES).mean())

    def left(parameters):
        exponent, asymptotes, gains = parameters[0], parameters[1:5], parameters[5:]
        return (scores - asymptotes + gains * z[:, None] ** -exponent).ravel()

    start = np.concatenate([[0.3], scores[-1], scores[-1] - scores[2]])
    found = least_squares(left, start, xtol=1e-15, ftol=1e-15, gtol=1e-15).x
    assert law.exponents[0] == pytest.approx(found[0], rel=1e-5)
    np.testing.assert_allclose(law.asymptotes, found[1:5], rtol=1e-5)


def test_one_column_is_a_surface_of_one_axis(rng):
    scores = planted(rng)[0][:, :1] + 0.002 * rng.standard_normal((5, 1))
    law = fit_pooled_law(SIZES, scores)
    surface = fit_scaling_surface({"n_params": SIZES}, scores[:, 0])
    assert law.exponents[0] == pytest.approx(surface.exponents["n_params"], rel=1e-8)
    assert law.asymptotes[0] == pytest.approx(surface.asymptote, rel=1e-8)
    assert law.coefficients[0] == pytest.approx(surface.coefficients["n_params"], rel=1e-7)


def test_intervals_over_units_hold_the_exponent(rng):
    scores = planted(rng, [0.3] * 20)[0]
    held = []
    for _ in range(100):
        noise = 0.02 * rng.standard_normal((5, 20, 6))
        law = fit_pooled_law(SIZES, scores[:, :, None] + noise)
        held.append(law.exponent_low[0] <= 0.3 <= law.exponent_high[0])
    assert abs(np.mean(held) - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 100)


def of_subjects(rng, n_subjects=3, n_stories=4, sd=0.02, noise=0.002, n_columns=8):
    """Scores whose errors subjects' stories mostly share; exponent 0.3."""
    scores = planted(rng, [0.3] * n_columns)[0][:, :, None]
    own = sd * rng.standard_normal((5, n_columns, n_subjects)).repeat(n_stories, axis=2)
    return scores + own + noise * rng.standard_normal(own.shape)


def test_what_stories_of_a_subject_share_is_counted_once():
    """Of 200 data sets of 3 subjects with 4 stories each, whose own curves differ."""
    rng = np.random.default_rng(3)
    subject = np.repeat(["a", "b", "c"], 4)
    by_subject, by_unit = [], []
    for _ in range(200):
        scores = of_subjects(rng)
        law = fit_pooled_law(SIZES, scores, levels={"subject": subject})
        assert (law.interval_over, law.n_members) == ("subject", 3)
        by_subject.append(law.exponent_low[0] <= 0.3 <= law.exponent_high[0])
        law = fit_pooled_law(SIZES, scores)
        assert (law.interval_over, law.n_members) == ("unit", 12)
        by_unit.append(law.exponent_low[0] <= 0.3 <= law.exponent_high[0])
    assert abs(np.mean(by_subject) - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 200)
    assert np.mean(by_unit) < 0.8


def test_members_and_weights_are_those_of_means(rng):
    scores = of_subjects(rng)
    n_trs = rng.uniform(50, 150, 12)
    subject = np.repeat(["a", "b", "c"], 4)
    law = fit_pooled_law(SIZES, scores, levels={"subject": subject}, unit_weights=n_trs)
    means = np.stack(
        [np.average(scores[:, :, subject == one], axis=2, weights=own)
         for one, own in zip("abc", n_trs.reshape(3, 4), strict=True)], axis=2,
    )  # fmt: skip
    same = fit_pooled_law(SIZES, means)
    assert law.exponents[0] == pytest.approx(same.exponents[0])
    assert law.exponent_low[0] == pytest.approx(same.exponent_low[0])
    assert law.exponent_high[0] == pytest.approx(same.exponent_high[0])
    without = [fit_pooled_law(SIZES, np.delete(means, i, axis=2)).exponents[0] for i in range(3)]
    reach = stats.t.ppf(0.975, 2) * np.sqrt(2 * np.var(without))
    assert law.exponent_high[0] == pytest.approx(law.exponents[0] + reach)


def test_one_subject_is_jackknifed_over_its_stories(rng):
    scores = of_subjects(rng)[:, :, :4]
    levels = {"subject": ["a"] * 4, "story": [1, 1, 2, 3]}
    law = fit_pooled_law(SIZES, scores, levels=levels)
    assert (law.interval_over, law.n_members) == ("story", 3)
    with pytest.raises(AlignmentError, match=r"levels\['subject'\] has shape \(2,\)"):
        fit_pooled_law(SIZES, scores, levels={"subject": ["a", "b"]})
    with pytest.raises(AlignmentError, match="unit_weights have shape"):
        fit_pooled_law(SIZES, scores, unit_weights=[1.0, 2.0])


@pytest.mark.parametrize("sign", [1, -1])
def test_an_exponent_at_0_has_an_interval_from_0(rng, sign):
    line = 0.01 * np.log10(SIZES)[:, None, None] + 0.001 * np.log10(SIZES / 1e9)[:, None, None] ** 2
    scores = sign * (line + 0.002 * rng.standard_normal((5, 6, 7)))
    with pytest.warns(VoxscaleWarning, match="end at exponent 0"):
        law = fit_pooled_law(SIZES, scores)
    assert law.exponents[0] == law.exponent_low[0] == 0
    assert 0 <= law.exponent_high[0] < 1
    assert (law.asymptotes == sign * np.inf).all()


def test_intervals_from_0_hold_small_exponents():
    """Of 200 data sets with exponent 0.02 or a line; most fits of the line end at 0."""
    rng = np.random.default_rng(8)
    for exponent in (0.0, 0.02):
        v = np.log(SIZES / SIZES[0])
        curve = 0.01 * (v if exponent == 0 else -np.expm1(-exponent * v) / exponent)
        held = []
        for _ in range(200):
            noise = 0.004 * rng.standard_normal((5, 4, 6))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", VoxscaleWarning)
                law = fit_pooled_law(SIZES, curve[:, None, None] + noise)
            held.append(law.exponent_low[0] <= exponent <= law.exponent_high[0])
        assert np.mean(held) > 0.95 - 3 * np.sqrt(0.95 * 0.05 / 200)


def test_an_exponent_at_4_has_an_interval_to_infinity(rng):
    step = np.array([0.1, 0.3, 0.3, 0.3, 0.3])[:, None, None]
    with pytest.warns(VoxscaleWarning, match="end at exponent 4"):
        law = fit_pooled_law(SIZES, step + 0.001 * rng.standard_normal((5, 3, 6)))
    assert 0 < law.exponent_low[0] <= 4
    assert law.exponent_high[0] == np.inf


def test_sharing_makes_exponents_surer(rng):
    scores = planted(rng, [0.3] * 30)[0]
    noisy = scores + 0.003 * rng.standard_normal(scores.shape)
    alone = fit_pooled_law(SIZES, noisy, np.arange(30)).exponents
    together = fit_pooled_law(SIZES, noisy).exponents[0]
    assert abs(together - 0.3) < 0.5 * np.sqrt(np.mean((alone - 0.3) ** 2))


def test_groups_that_do_not_bend_have_no_asymptote(rng):
    scores, asymptotes, _ = planted(rng)
    scores[:, 3:] = 0.01 * SIZES[:, None] ** 0.1
    with pytest.warns(VoxscaleWarning, match=r"1 of 2 groups \(PFC\) end at exponent 0: their"):
        law = fit_pooled_law(SIZES, scores, REGIONS)
    assert law.exponents[1] == 0
    np.testing.assert_allclose(law.asymptotes, [*asymptotes[:3], np.inf, np.inf])
    assert (law.coefficients[3:] == np.inf).all()
    line = np.polyval(np.polyfit(np.log(SIZES), scores[:, 3], 1), np.log(1e12))
    assert law.predict(1e12)[3] == pytest.approx(line)


def test_columns_without_a_score_are_counted(rng):
    scores = planted(rng)[0]
    scores[2, 1] = np.nan
    with pytest.warns(VoxscaleWarning, match="1 of 5 columns lack a finite score") as caught:
        law = fit_pooled_law(SIZES, scores, REGIONS)
    assert caught[0].filename == __file__
    assert law.n_left_out == 1
    assert np.isnan(law.asymptotes).tolist() == [False, True, False, False, False]
    np.testing.assert_allclose(law.exponents, [0.2, 0.45], rtol=1e-8)


def test_what_cannot_be_fitted_is_refused(rng):
    scores = planted(rng)[0]
    with pytest.raises(ValueError, match="kind 'log-linear' is unknown; expected 'power'"):
        fit_pooled_law(SIZES, scores, kind="log-linear")
    with pytest.raises(ValueError, match="level is 0"):
        fit_pooled_law(SIZES, scores, level=0)
    with pytest.raises(FitError, match=r"x has 3 different size\(s\); an exponent needs at least"):
        fit_pooled_law([1e8, 1e8, 1e9, 1e10], scores[:4])
    with pytest.raises(FitError, match=r"x holds 0\.0; expected positive"):
        fit_pooled_law([0, 1, 2, 3, 4], scores)
    with pytest.raises(AlignmentError, match=r"x has shape \(1, 5\)"):
        fit_pooled_law(SIZES[None], scores)
    with pytest.raises(AlignmentError, match=r"scores have shape \(4, 5\) but x has 5 sizes"):
        fit_pooled_law(SIZES, scores[:4])
    with pytest.raises(AlignmentError, match=r"groups have shape \(2,\); expected \(5,\)"):
        fit_pooled_law(SIZES, scores, ["a", "b"])
    with pytest.raises(FitError, match="group 'PFC' has no complete column whose score varies"):
        fit_pooled_law(SIZES, np.where(np.array(REGIONS) == "PFC", 0.1, scores), REGIONS)
    with pytest.raises(ValueError, match="not positive and finite"):
        fit_pooled_law(SIZES, scores).predict([1e8, -1.0])


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1e-6, 3.0, 1e5]))
def test_the_unit_of_x_changes_coefficients_alone(seed, factor):
    rng = np.random.default_rng(seed)
    scores = planted(rng)[0] + 0.0005 * rng.standard_normal((5, 5))
    law, moved = (fit_pooled_law(x, scores, REGIONS) for x in (SIZES, SIZES * factor))
    np.testing.assert_allclose(moved.exponents, law.exponents, rtol=1e-6)
    np.testing.assert_allclose(moved.asymptotes, law.asymptotes, rtol=1e-6)
    by_column = law.exponents[[0, 0, 0, 1, 1]]
    np.testing.assert_allclose(moved.coefficients, law.coefficients * factor**by_column, rtol=1e-4)
