import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxscale.errors import AlignmentError, VoxscaleWarning
from voxscale.scaling import block_scores, fit_scaling_law
from voxscale.scaling._units import as_units

X = np.geomspace(1e8, 1e10, 5)


def test_the_curve_of_one_subject_is_the_correlation_of_joined_rows(rng):
    Y = rng.standard_normal((100, 1))
    guesses = [Y + scale * rng.standard_normal((100, 1)) for scale in (3, 2.5, 2, 1.5, 1)]
    blocks = [block_scores(Y, one, [63, 37], 10) for one in guesses]
    law = fit_scaling_law(
        X, np.stack([one.scores[:, 0] for one in blocks]),
        levels={"subject": np.zeros(9), "story": blocks[0].runs}, unit_weights=blocks[0].n_trs,
    )  # fmt: skip
    joined = [np.corrcoef(Y[:, 0], one[:, 0])[0, 1] for one in guesses]
    np.testing.assert_allclose(law.mean_scores, joined, rtol=1e-12)
    assert law.interval_over == "story"
    assert law.n_members == 2
    assert "of one subject, not of subjects" in str(law)


def test_subjects_count_the_same_however_long_they_listened(rng):
    scores = rng.standard_normal((5, 6))
    weights = np.array([10.0, 30, 10, 10, 10, 70])
    subjects = np.array(["a", "a", "b", "b", "b", "b"])
    law = fit_scaling_law(X, scores, levels={"subject": subjects}, unit_weights=weights)
    of_subjects = [
        np.average(scores[:, subjects == one], axis=1, weights=weights[subjects == one])
        for one in "ab"
    ]
    np.testing.assert_allclose(law.mean_scores, np.mean(of_subjects, axis=0))
    np.testing.assert_allclose(law.evidence.curves.T, of_subjects)
    plain = fit_scaling_law(X, scores, unit_weights=weights)
    np.testing.assert_allclose(plain.mean_scores, np.average(scores, axis=1, weights=weights))


def test_the_level_of_an_interval_can_be_named(rng):
    scores = rng.standard_normal((5, 8))
    levels = {"subject": np.repeat([0, 1], 4), "story": np.tile([0, 0, 1, 2], 2)}
    over_subjects = fit_scaling_law(X, scores, levels=levels)
    over_stories = fit_scaling_law(X, scores, levels=levels, over="story")
    over_blocks = fit_scaling_law(X, scores, levels=levels, over="block")
    found = [
        (one.interval_over, one.n_members) for one in (over_subjects, over_stories, over_blocks)
    ]
    assert found == [("subject", 2), ("story", 3), ("block", 8)]
    assert over_subjects.slope == pytest.approx(over_stories.slope)
    assert over_subjects.slope == pytest.approx(over_blocks.slope)
    assert "over 3 stories: of these subjects" in str(over_stories)


def test_one_subject_with_one_story_has_intervals_over_blocks(rng):
    levels = {"subject": np.zeros(6), "story": np.zeros(6)}
    law = fit_scaling_law(X, rng.standard_normal((5, 6)), levels=levels)
    assert law.interval_over == "block"
    assert np.isfinite(law.slope_interval).all()
    one = fit_scaling_law(X, rng.standard_normal((5, 1)), levels={"subject": [0]})
    assert one.interval_over is None
    assert np.isnan(one.slope_interval).all()
    assert "no interval: one block" in str(one)


@settings(deadline=None, max_examples=25)
@given(st.permutations(range(6)), st.permutations(range(3)))
def test_the_order_of_units_and_the_names_of_subjects_are_nothing(order, names):
    order = np.array(order)
    scores = np.random.default_rng(0).standard_normal((5, 6))
    subjects, weights = np.repeat([0, 1, 2], 2), np.array([1.0, 2, 3, 1, 1, 4])
    law = fit_scaling_law(X, scores, levels={"subject": subjects}, unit_weights=weights)
    moved = fit_scaling_law(
        X, scores[:, order], levels={"subject": np.array(names)[subjects][order]},
        unit_weights=weights[order],
    )  # fmt: skip
    assert moved.slope == pytest.approx(law.slope)
    np.testing.assert_allclose(moved.slope_interval, law.slope_interval)


def test_labels_and_weights_are_one_for_each_unit():
    for levels in ({"subject": [0, 1]}, {"subject": [[0, 1, 2]]}):
        with pytest.raises(AlignmentError, match=r"levels\['subject'\] has shape"):
            as_units(3, levels, None)
    with pytest.raises(AlignmentError, match=r"unit_weights have shape \(2,\); expected \(3,\)"):
        as_units(3, None, [1, 2])
    for bad in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="not above 0 and finite"):
            as_units(2, None, [1.0, bad])
    with pytest.raises(ValueError, match="expected 'subject' first"):
        as_units(2, {"story": [0, 1], "subject": [0, 0]}, None)
    with pytest.raises(ValueError, match=r"levels\['block'\] has the name of the units"):
        as_units(2, {"block": [0, 1]}, None)


@pytest.mark.parametrize("name", ["participant", "Subject", "subjects", "sub", "listener"])
def test_another_word_for_subjects_is_refused(name):
    with pytest.raises(ValueError, match=f"levels has '{name}'; expected 'subject'"):
        fit_scaling_law(X, np.ones((5, 2)), levels={name: [0, 1]})


def test_units_keep_their_numbers_where_others_are_left_out(rng):
    scores = rng.standard_normal((5, 4))
    scores[2, 1] = np.nan
    with pytest.warns(VoxscaleWarning, match="1 of 4 units"):
        law = fit_scaling_law(X, scores)
    assert law.evidence.members.labels == (0, 2, 3)
