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
    two = slope_components(sizes[:2], scores[:2])
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
    with pytest.raises(ValueError, match="decades is 0"):
        slope_interval_width(3, 1, 5, decades=0, **COMPONENTS)
    with pytest.raises(ValueError, match="level is 95"):
        slope_interval_width(3, 1, 5, decades=2, level=95, **COMPONENTS)
    with pytest.raises(AlignmentError, match=r"scores have shape \(2, 3\) and x \(2,\)"):
        slope_components([1, 2], np.zeros((2, 3)))
    with pytest.raises(FitError, match="two different sizes"):
        slope_components([1, 1], np.zeros((2, 3, 4)))
    with pytest.raises(FitError, match="a score is not finite"):
        slope_components([1, 2], np.full((2, 3, 4), np.nan))
