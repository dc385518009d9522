import numpy as np
import pytest

from voxscale.errors import AlignmentError, FitError, VoxscaleWarning
from voxscale.scaling._surface_members import Measured
from voxscale.scaling._units import complete_units

LEVELS = {"subject": list("aabbb"), "story": [1, 2, 1, 1, 2]}


def measured(scores, n_points, levels, weights):
    complete, units, n_left_out = complete_units(scores, n_points, levels, weights, "the axes have")
    return Measured(complete, units, units.members(), n_left_out)


def test_subjects_count_the_same_and_stories_as_many_as_their_units(rng, frozen):
    scores = frozen(rng.standard_normal((3, 5)))
    by_subject = measured(scores, 3, LEVELS, None)
    assert by_subject.members.level == "subject"
    expected = (scores[:, :2].mean(axis=1) + scores[:, 2:].mean(axis=1)) / 2
    np.testing.assert_allclose(by_subject.mean, expected)
    by_story = measured(scores, 3, LEVELS | {"subject": list("aaaaa")}, None)
    assert by_story.members.level == "story"
    np.testing.assert_allclose(by_story.mean, scores.mean(axis=1))
    np.testing.assert_allclose(by_story.curves[:, 1], scores[:, [1, 4]].mean(axis=1))
    weighted = measured(scores, 3, None, [1, 2, 3, 4, 5])
    np.testing.assert_allclose(weighted.mean, scores @ np.arange(1, 6) / 15)
    assert weighted.members.level == "unit"
    assert measured(scores[:, 0], 3, None, None).members.level is None


def test_labels_are_those_of_the_units_that_were_kept(rng):
    scores = rng.standard_normal((2, 5))
    scores[1, 0] = np.nan
    with pytest.warns(VoxscaleWarning, match="1 of 5 units lack a finite score"):
        kept = measured(scores, 2, LEVELS, None)
    assert kept.n_left_out == 1
    np.testing.assert_allclose(kept.curves[:, 0], scores[:, 1])


def test_a_draw_is_a_mean_that_a_drawn_subject_is_in(rng):
    scores = np.arange(5.0)[None] * [[1.0], [2.0]]
    draws = measured(scores, 2, {"subject": list("aabbb")}, None).draws(500, 1)
    np.testing.assert_allclose(draws[:, 1], 2 * draws[:, 0])
    assert draws[:, 0].min() < 1
    assert draws[:, 0].max() > 3
    assert draws[:, 0].mean() == pytest.approx((0.5 + 3) / 2, abs=0.2)


def test_what_does_not_fit_is_refused():
    scores = np.zeros((2, 5))
    with pytest.raises(AlignmentError, match=r"levels\['story'\] has shape \(4,\)"):
        measured(scores, 2, {"story": [1, 2, 3, 4]}, None)
    with pytest.raises(AlignmentError, match=r"scores have shape \(2, 5\) but the axes have 3"):
        measured(scores, 3, None, None)
    with pytest.raises(FitError, match=r"none of the 5 unit\(s\)"):
        measured(np.full((2, 5), np.nan), 2, None, None)
