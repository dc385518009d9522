"""Widths and power in closed form, against many simulated studies."""

import math

import numpy as np
import pytest
from scipy import stats

from voxscale.errors import AlignmentError, FitError
from voxscale.scaling import slope_components, slope_interval_width, slope_power
from voxscale.synthetic import planted_scores

COMPONENTS = {"subject_sd": 0.004, "story_sd": 0.006, "size_sd": 0.005}


def simulated(n_subjects, n_stories, n_sizes, decades, slope, repeats=1500):
    """Width of the interval in each of many studies, and whether it leaves out 0, by scipy."""
    sizes = np.logspace(8, 8 + decades, n_sizes)
    widths, finds = [], []
    for seed in range(repeats):
        parts = COMPONENTS | ({"subject_sd": 0.0} if n_subjects == 1 else {})  # about its own slope
        scores = planted_scores(n_subjects, n_stories, sizes, slope=slope, seed=seed, **parts)
        slopes = np.polyfit(np.log10(sizes), scores.reshape(n_sizes, -1), 1)[0]
        by_subject = slopes.reshape(n_subjects, n_stories)
        each = by_subject.mean(axis=1) if n_subjects > 1 else by_subject[0]
        error = each.std(ddof=1) / math.sqrt(len(each))
        low, high = stats.t.interval(0.95, len(each) - 1, each.mean(), error)
        widths.append(high - low)
        finds.append(not low <= 0 <= high)
    return np.array(widths), np.mean(finds)


@pytest.mark.parametrize(
    ("n_subjects", "n_stories", "n_sizes", "decades"),
    [(3, 2, 5, 2.5), (6, 1, 3, 1.0), (1, 8, 4, 2.0)],
)
def test_width_and_power_are_those_of_simulated_studies(n_subjects, n_stories, n_sizes, decades):
    design = (n_subjects, n_stories, n_sizes)
    widths, share = simulated(*design, decades, 0.008)
    expected = slope_interval_width(*design, decades=decades, **COMPONENTS)
    assert abs(widths.mean() - expected) < 3 * widths.std() / math.sqrt(1500)
    power = slope_power(0.008, *design, decades=decades, **COMPONENTS)
    assert abs(share - power) < 3 * math.sqrt(power * (1 - power) / 1500)


def test_the_formula_by_hand():
    subjects, stories, decades = 4, 3, np.array([0.0, 0.5, 1.0, 1.5])
    square = ((decades - decades.mean()) ** 2).sum()
    variance = 0.004**2 + (0.006**2 + 0.005**2 / square) / stories
    c4 = math.sqrt(2 / 3) * math.gamma(2) / math.gamma(1.5)
    expected = 2 * stats.t.ppf(0.95, 3) * c4 * math.sqrt(variance / subjects)
    found = slope_interval_width(subjects, stories, 4, decades=1.5, level=0.9, **COMPONENTS)
    assert found == pytest.approx(expected)


def test_a_grid_is_broadcast_and_more_of_anything_is_never_wider():
    subjects, stories, sizes = np.ix_([2, 3, 8], [1, 2, 20], [2, 3, 7])
    widths = slope_interval_width(subjects, stories, sizes, decades=2, **COMPONENTS)
    assert widths.shape == (3, 3, 3)
    for axis in range(2):
        assert (np.diff(widths, axis=axis) < 0).all()
    power = slope_power(0.01, subjects, stories, sizes, decades=2, **COMPONENTS)
    assert (np.diff(power, axis=0) > 0).all()


def test_where_there_is_no_interval_there_is_no_width():
    for design in ((1, 1, 5), (3, 4, 1)):
        assert np.isnan(slope_interval_width(*design, decades=2, **COMPONENTS))
        assert np.isnan(slope_power(0.01, *design, decades=2, **COMPONENTS))
    nothing = dict.fromkeys(COMPONENTS, 0.0)
    assert slope_interval_width(3, 2, 4, decades=1, **nothing) == 0
    assert slope_power(0.01, 3, 2, 4, decades=1, **nothing) == 1
    assert slope_power(0.0, 3, 2, 4, decades=1, **nothing) == 0
    mixed = slope_power(0.01, [1, 3], [[1], [2]], 4, decades=1, **COMPONENTS)
    assert np.isnan(mixed).tolist() == [[True, False], [False, False]]
    assert slope_power(0.0, 3, 2, 4, decades=1, **COMPONENTS) == pytest.approx(0.05)


def test_planted_components_are_found_again():
    sizes = np.logspace(8, 10, 6)
    found = [
        slope_components(sizes, planted_scores(8, 6, sizes, slope=0.01, seed=seed, **COMPONENTS))
        for seed in range(200)
    ]
    assert np.mean([one.slope for one in found]) == pytest.approx(0.01, abs=0.0005)
    for name, sd in COMPONENTS.items():
        variance = np.mean([getattr(one, name) ** 2 for one in found])
        assert variance == pytest.approx(sd**2, rel=0.12)


CROSSED = COMPONENTS | {"shared_story_sd": 0.008}


def mean_squares(found, name):
    """Mean variance over many estimates, and its standard error."""
    squares = np.array([getattr(one, name) ** 2 for one in found])
    return squares.mean(), squares.std(ddof=1) / math.sqrt(len(squares))


def test_stories_in_common_are_no_spread_of_subjects():
    """The crossed analysis finds what was planted; the nested one takes too much off subjects."""
    sizes = np.logspace(8, 10, 6)
    tables = [planted_scores(8, 6, sizes, seed=seed, **CROSSED) for seed in range(200)]
    crossed = [slope_components(sizes, one) for one in tables]
    nested = [slope_components(sizes, one, design="nested") for one in tables]
    assert (crossed[0].design, nested[0].design) == ("crossed", "nested")
    for name, sd in CROSSED.items():
        mean, error = mean_squares(crossed, name)
        assert abs(mean - sd**2) < 3 * error
    assert mean_squares(nested, "subject_sd")[0] < 0.6 * 0.004**2
    mean, error = mean_squares(nested, "story_sd")
    assert abs(mean - 0.006**2 - 0.008**2) < 3 * error
    assert math.isnan(nested[0].shared_story_sd)


def test_stories_of_ones_own_are_told_by_both_designs():
    sizes = np.logspace(8, 10, 6)
    tables = [planted_scores(8, 6, sizes, seed=seed, **COMPONENTS) for seed in range(200)]
    for design in ("crossed", "nested"):
        found = [slope_components(sizes, one, design=design) for one in tables]
        for name, sd in COMPONENTS.items():
            mean, error = mean_squares(found, name)
            assert abs(mean - sd**2) < 3 * error


def test_the_crossed_analysis_by_sums_over_every_slope(rng):
    sizes = np.logspace(8, 11, 5)
    table = rng.standard_normal((5, 4, 3))
    slopes = np.polyfit(np.log10(sizes), table.reshape(5, 12), 1)[0].reshape(4, 3)
    line = np.log10(sizes) - np.log10(sizes).mean()
    of_subjects, of_stories, of_rest, of_scatter = 0.0, 0.0, 0.0, 0.0
    left = table - table.mean(axis=0) - line[:, None, None] * slopes
    for i in range(4):
        of_subjects += 3 * (slopes[i].mean() - slopes.mean()) ** 2 / 3
        for j in range(3):
            rest = slopes[i, j] - slopes[i].mean() - slopes[:, j].mean() + slopes.mean()
            of_rest += rest**2 / 6
            for k in range(5):
                own = left[k, i, j] - left[k, i].mean() - left[k, :, j].mean() + left[k].mean()
                of_scatter += own**2 / (3 * 3 * 2)
    for j in range(3):
        of_stories += 4 * (slopes[:, j].mean() - slopes.mean()) ** 2 / 2
    found = slope_components(sizes, table)
    expected = {
        "size_sd": of_scatter,
        "story_sd": of_rest - of_scatter / (line @ line),
        "subject_sd": (of_subjects - of_rest) / 3,
        "shared_story_sd": (of_stories - of_rest) / 4,
    }
    for name, variance in expected.items():
        assert getattr(found, name) == pytest.approx(math.sqrt(max(variance, 0)))


def test_what_stories_share_matters_to_one_subject_alone():
    options = {"decades": 2, **COMPONENTS}
    more = slope_interval_width([1, 4], 5, 4, shared_story_sd=0.008, **options)
    less = slope_interval_width([1, 4], 5, 4, **options)
    assert more[1] == less[1]
    both = options | {"story_sd": 0.01}  # 0.006² + 0.008²
    assert more[0] == pytest.approx(slope_interval_width(1, 5, 4, **both))
    assert slope_power(0.01, 1, 5, 4, shared_story_sd=0.008, **options) == pytest.approx(
        slope_power(0.01, 1, 5, 4, **both)
    )


def test_what_all_share_is_no_part_of_them(rng):
    sizes = np.logspace(8, 10, 5)
    scores = planted_scores(4, 3, sizes, seed=1, **COMPONENTS)
    moved = scores + 0.1 * rng.standard_normal((5, 1, 1))
    one, other = slope_components(sizes, scores), slope_components(sizes, moved)
    for name in COMPONENTS:
        assert getattr(other, name) == pytest.approx(getattr(one, name))
    assert other.slope != pytest.approx(one.slope)


def test_components_that_nothing_tells_are_missing():
    sizes = [1e8, 1e9, 1e10]
    scores = planted_scores(3, 2, sizes, **COMPONENTS)
    assert math.isnan(slope_components(sizes, scores[:, :1]).subject_sd)
    assert math.isnan(slope_components(sizes, scores[:, :, :1]).story_sd)
    assert slope_components(sizes, scores[:, :, :1]).design == "nested"
    assert slope_components(sizes, scores[:, :1]).design == "nested"
    two = slope_components(sizes[:2], scores[:2], design="nested")
    assert math.isnan(two.size_sd)
    slopes = (scores[1] - scores[0]).reshape(3, 2)
    assert two.story_sd == pytest.approx(math.sqrt(slopes.var(axis=1, ddof=1).mean()))


def test_numbers_out_of_range_are_refused():
    with pytest.raises(ValueError, match="n_stories holds 0; expected 1 or more"):
        slope_interval_width(3, [1, 0], 5, decades=2, **COMPONENTS)
    with pytest.raises(ValueError, match="story_sd is -1"):
        slope_interval_width(3, 1, 5, decades=2, **COMPONENTS | {"story_sd": -1})
    with pytest.raises(ValueError, match="size_sd is nan"):
        slope_power(0.1, 3, 1, 5, decades=2, **COMPONENTS | {"size_sd": math.nan})
    for slope in (math.nan, math.inf):
        with pytest.raises(ValueError, match=f"slope is {slope}; expected a finite number"):
            slope_power(slope, 3, 1, 5, decades=2, **COMPONENTS)
    with pytest.raises(ValueError, match="decades is 0"):
        slope_interval_width(3, 1, 5, decades=0, **COMPONENTS)
    with pytest.raises(ValueError, match="level is 95"):
        slope_interval_width(3, 1, 5, decades=2, level=95, **COMPONENTS)
    with pytest.raises(AlignmentError, match=r"scores have shape \(2, 3\) and x \(2,\)"):
        slope_components([1, 2], np.zeros((2, 3)))
    with pytest.raises(ValueError, match="design 'own' is unknown; choose one of crossed, nested"):
        slope_components([1, 2], np.zeros((2, 3, 4)), design="own")
    with pytest.raises(FitError, match="two different sizes"):
        slope_components([1, 1], np.zeros((2, 3, 4)))
    with pytest.raises(FitError, match="a score is not finite"):
        slope_components([1, 2], np.full((2, 3, 4), np.nan))
