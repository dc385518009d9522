import numpy as np
import pytest
import scipy.stats

from voxscale.scaling._bootstrap import (
    bca_interval,
    drawn_shares,
    jackknife_shares,
    percentile_interval,
)
from voxscale.scaling._units import as_units

SUBJECTS = np.repeat(["a", "b", "c"], 8)
STORIES = np.tile(np.repeat([0, 1], 4), 3)
WEIGHTS = np.tile([30.0, 30, 30, 30, 20, 20, 20, 20], 3)


def nested():
    return as_units(24, {"subject": SUBJECTS, "story": STORIES}, WEIGHTS)


def naive_mean(rng, values, *, crossed):
    """Draw subjects, of each the stories, of each the blocks, one after another; average."""
    of_subjects = {}
    stories = rng.choice([0, 1], 2)
    for subject in rng.choice(["a", "b", "c"], 3):
        taken, weights = of_subjects.setdefault(str(subject), ([], []))
        for story in stories if crossed else rng.choice([0, 1], 2):
            blocks = np.flatnonzero((subject == SUBJECTS) & (story == STORIES))
            chosen = rng.choice(blocks, len(blocks))
            taken += values[chosen].tolist()
            weights += WEIGHTS[chosen].tolist()
    means = [np.average(taken, weights=weights) for taken, weights in of_subjects.values()]
    # Each draw of a subject has as many blocks as any other: 2 stories of 4.
    return np.average(means, weights=[len(taken) for taken, _ in of_subjects.values()])


@pytest.mark.parametrize("crossed", [False, True])
def test_draws_spread_as_those_of_nested_loops(rng, crossed):
    values = rng.standard_normal(3).repeat(8) + rng.standard_normal(6).repeat(4)
    values += rng.standard_normal(24)
    ours = drawn_shares(nested(), 20_000, 0, crossed=crossed) @ values
    theirs = [naive_mean(rng, values, crossed=crossed) for _ in range(4000)]
    assert ours.mean() == pytest.approx(np.mean(theirs), abs=0.05)
    assert ours.std() == pytest.approx(np.std(theirs), rel=0.05)
    tails = [0.025, 0.25, 0.75, 0.975]
    np.testing.assert_allclose(np.quantile(ours, tails), np.quantile(theirs, tails), atol=0.12)


def test_crossed_stories_are_the_same_for_every_subject():
    shares = drawn_shares(nested(), 500, 1, crossed=True)
    of_story = np.stack([shares @ (story == STORIES) for story in (0, 1)])
    for subject in "abc":
        mine = subject == SUBJECTS
        own = np.stack([shares @ ((story == STORIES) & mine) for story in (0, 1)])
        has = own.sum(axis=0) > 0
        # One story or both, and the same ones for all who were drawn.
        np.testing.assert_array_equal(own[:, has] > 0, of_story[:, has] > 0)
    alone = drawn_shares(nested(), 500, 1)
    differ = [(alone @ ((STORIES == 0) & (one == SUBJECTS)) > 0) for one in "ab"]
    assert (differ[0] != differ[1]).any()


def test_shares_sum_to_one_and_subjects_count_the_same():
    shares = drawn_shares(nested(), 300, 0)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    of_subjects = np.stack([shares @ (one == SUBJECTS) for one in "abc"], axis=1)
    np.testing.assert_allclose(of_subjects * 3, np.rint(of_subjects * 3), atol=1e-12)
    without = jackknife_shares(nested(), np.stack([one == SUBJECTS for one in "abc"]) * 1.0)
    assert without[0, SUBJECTS == "a"].max() == 0
    np.testing.assert_allclose(without[0] @ (SUBJECTS == "b"), 0.5)


def test_a_draw_without_any_story_of_its_subjects_is_drawn_again():
    units = as_units(2, {"subject": ["a", "b"], "story": ["x", "y"]}, None)
    shares = drawn_shares(units, 400, 0, crossed=True)
    np.testing.assert_allclose(shares.sum(axis=1), 1)


def test_bca_is_that_of_scipy(rng):
    values = rng.exponential(size=25)
    theirs = scipy.stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="BCa", rng=np.random.default_rng(0)
    ).confidence_interval
    units = as_units(25, None, None)
    draws = drawn_shares(units, 20_000, 1) @ values
    left_out = jackknife_shares(units, np.eye(25)) @ values
    ours = bca_interval(draws, np.asarray(values.mean()), left_out, 0.95)
    np.testing.assert_allclose(ours, theirs, atol=0.02 * (theirs.high - theirs.low))
    plain = percentile_interval(draws, 0.95)
    assert ours[0] > plain[0]  # the correction shows
    assert ours[1] > plain[1]


def test_the_interval_holds_the_middle_of_the_draws():
    low, high = percentile_interval(np.array([np.arange(101.0), np.arange(0, 1010.0, 10)]), 0.9)
    np.testing.assert_allclose(low, [5, 50])
    np.testing.assert_allclose(high, [95, 950])


def test_endless_draws_are_draws():
    draws = np.r_[np.arange(90.0), np.full(11, np.inf)]
    low, high = percentile_interval(draws, 0.9)
    assert (low, high) == (pytest.approx(5), np.inf)
    endless = np.full(50, np.inf)
    assert percentile_interval(endless, 0.9) == (np.inf, np.inf)
    assert bca_interval(endless, np.asarray(np.inf), endless[:3], 0.9) == (np.inf, np.inf)


def test_no_draws_make_no_interval():
    for shape in ((0,), (3, 0)):
        low, high = percentile_interval(np.empty(shape), 0.95)
        assert low.shape == high.shape == shape[:-1]
        assert np.isnan(low).all()
        assert np.isnan(high).all()
