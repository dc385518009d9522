import numpy as np
import pytest

from voxscale.errors import AlignmentError, FitError, VoxscaleWarning
from voxscale.scaling._surface_members import complete_units, members_of

ALL = np.ones(5, dtype=bool)
LEVELS = {"subject": list("aabbb"), "story": [1, 2, 1, 1, 2]}


def test_subjects_count_the_same_and_stories_as_many_as_their_units(rng, frozen):
    scores = frozen(rng.standard_normal((3, 5)))
    by_subject = members_of(scores, LEVELS, ALL)
    assert by_subject.level == "subject"
    expected = (scores[:, :2].mean(axis=1) + scores[:, 2:].mean(axis=1)) / 2
    np.testing.assert_allclose(by_subject.mean, expected)
    by_story = members_of(scores, {"subject": list("aaaaa"), "story": LEVELS["story"]}, ALL)
    assert by_story.level == "story"
    np.testing.assert_allclose(by_story.mean, scores.mean(axis=1))
    np.testing.assert_allclose(by_story.weights, [0.6, 0.4])
    np.testing.assert_allclose(by_story.scores[:, 1], scores[:, [1, 4]].mean(axis=1))
    alone = members_of(scores, {"subject": list("aaaaa")}, ALL)
    assert (alone.level, alone.scores.shape) == ("block", (3, 5))
    assert members_of(scores, None, ALL).level == "unit"
    assert members_of(scores[:, :1], None, ALL[:1]).level is None


def test_draws_are_means_of_members_drawn_with_replacement(rng):
    scores = rng.standard_normal((2, 5))
    members = members_of(scores, LEVELS | {"subject": list("aabbc")}, ALL)
    draws = members.draws(300, 3)
    times = np.random.default_rng(3).multinomial(3, [1 / 3] * 3, size=300)
    for draw, counts in zip(draws, times, strict=True):
        np.testing.assert_allclose(draw, members.scores @ counts / 3)


def test_labels_are_those_of_the_units_that_were_kept(rng):
    scores = rng.standard_normal((2, 5))
    scores[1, 0] = np.nan
    with pytest.warns(VoxscaleWarning, match="1 of 5 units lack a finite score"):
        kept, is_complete = complete_units(scores, 2)
    members = members_of(kept, LEVELS, is_complete)
    np.testing.assert_allclose(members.scores[:, 0], scores[:, 1])


def test_what_does_not_fit_is_refused():
    scores = np.zeros((2, 5))
    with pytest.raises(AlignmentError, match=r"levels\['story'\] has shape \(4,\); expected \(5,"):
        members_of(scores, {"story": [1, 2, 3, 4]}, ALL)
    with pytest.raises(ValueError, match="expected 'subject' first"):
        members_of(scores, dict(reversed(LEVELS.items())), ALL)
    with pytest.raises(AlignmentError, match=r"scores have shape \(2, 5\) but the axes have 3"):
        complete_units(scores, 3)
    with pytest.raises(FitError, match=r"none of the 5 unit\(s\)"):
        complete_units(np.full((2, 5), np.nan), 2)
