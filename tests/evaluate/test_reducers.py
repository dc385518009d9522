import json
import math
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from voxscale.errors import AlignmentError
from voxscale.evaluate import REDUCERS, Reduced, Reducer, reduce_scores, score_voxels

THRESHOLDED = [name for name, row in REDUCERS.items() if row.parameter]
scores_or_nan = st.floats(-1, 1) | st.just(math.nan)


def by_hand(scores, name, threshold, cc_max):
    """Reduce a (n_stories, n_voxels) table by loops; return the number and three counts."""
    kept, n_without, n_not_chosen = [], 0, 0
    for voxel in range(len(scores[0])):
        of_voxel = [story[voxel] for story in scores]
        if threshold is not None and not cc_max[voxel] > threshold:
            n_not_chosen += 1
        elif any(math.isnan(score) for score in of_voxel):
            n_without += 1
        else:
            kept.append(sum(of_voxel) / len(of_voxel))
    statistic = statistics.median if name.startswith("median") else statistics.fmean
    return statistic(kept) if kept else math.nan, len(kept), n_without, n_not_chosen


@settings(deadline=None)
@given(
    arrays(np.float64, (3, 7), elements=scores_or_nan),
    arrays(np.float64, (7,), elements=st.floats(0, 1) | st.just(math.nan)),
    st.sampled_from(sorted(REDUCERS)),
    st.sampled_from([0.0, 0.35, 0.9]),
)
def test_every_reducer_is_the_loop(scores, cc_max, name, threshold):
    scores.flags.writeable = cc_max.flags.writeable = False
    reducer = Reducer(name, threshold if name in THRESHOLDED else None)
    of = {reducer.chosen_by or "cc_max": cc_max}
    for stories, given_scores in (("by_story", scores), ("concatenated", scores[0])):
        found = reduce_scores(given_scores, reducer, metric="r", stories=stories, **of)
        value, *counts = by_hand(np.atleast_2d(given_scores), name, reducer.threshold, cc_max)
        assert found.value == pytest.approx(value, abs=1e-12, nan_ok=True)
        assert [found.n_voxels, found.n_without_score, found.n_not_chosen] == counts
        assert sum(counts) == 7


def test_everything_is_recorded():
    scores = np.array([0.1, np.nan, 0.3, 0.5])
    found = reduce_scores(
        scores,
        "mean_where_cc_max_above(0.35)",
        metric="cc_norm(0.25)",
        cc_max=[0.2, 0.5, 0.6, 0.7],
    )
    assert found == Reduced(
        value=pytest.approx(0.4),
        reducer="mean_where_cc_max_above(0.35)",
        metric="cc_norm(0.25)",
        stories="concatenated",
        n_voxels=2,
        n_without_score=1,
        n_not_chosen=1,
    )
    assert float(found) == found.value
    assert str(found) == (
        "0.4: mean_where_cc_max_above(0.35) of cc_norm(0.25), stories joined; "
        "2 of 4 voxels (1 without a score, 1 not chosen)"
    )
    again = json.loads(json.dumps(found.as_dict()))
    assert again.pop("by_story") == []
    assert Reduced(**again) == found


def test_validation_chooses_voxels_and_the_ceiling_has_no_say(frozen):
    scores, validation = frozen([0.1, 0.2, 0.6, 0.9]), frozen([-0.2, 0.05, 0.3, np.nan])
    how = {"metric": "r", "cc_max": [0.0, np.nan, 0.1, 0.9]}
    found = reduce_scores(scores, "mean_where_validation_above(0.0)", validation=validation, **how)
    assert found.value == pytest.approx(0.4)
    assert (found.n_voxels, found.n_not_chosen) == (2, 2)
    with pytest.raises(ValueError, match=r"chooses voxels by their validation score; give valid"):
        reduce_scores(scores, "median_where_validation_above(0.1)", **how)
    with pytest.raises(AlignmentError, match=r"validation has shape \(3,\) but there are 4"):
        reduce_scores(scores, "mean_where_validation_above(0)", validation=[1, 2, 3], **how)


def test_each_story_counts_the_same_however_long(rng):
    Y = rng.standard_normal((100, 8))
    guess = Y + rng.standard_normal((100, 8))
    guess[:10] = rng.standard_normal((10, 8))
    by_story = score_voxels(Y, guess, "r", stories="by_story", run_lengths=[10, 90])
    found = reduce_scores(by_story, metric="r", stories="by_story")
    assert found.by_story == pytest.approx(by_story.mean(axis=1).tolist())
    assert found.value == pytest.approx(sum(found.by_story) / 2)
    joined = reduce_scores(score_voxels(Y, guess, "r"), metric="r")
    assert joined.value > found.value + 0.1
    assert joined.by_story == ()
    assert "2 stories, each alone" in str(found)


def test_stories_are_reduced_over_the_same_voxels():
    scores = np.array([[0.2, np.nan, 0.4], [0.6, 0.9, 0.0]])
    found = reduce_scores(scores, metric="r2", stories="by_story")
    assert found.by_story == pytest.approx((0.3, 0.3))
    assert (found.n_voxels, found.n_without_score) == (2, 1)


def test_an_infinite_score_is_none():
    assert reduce_scores([0.5, np.inf, -np.inf], metric="r2").value == 0.5


def test_without_a_voxel_there_is_no_number():
    for scores in ([np.nan, np.nan], []):
        assert math.isnan(reduce_scores(np.array(scores), metric="r").value)
    found = reduce_scores([0.5, 0.6], "median_where_cc_max_above(0.9)", metric="r", cc_max=[0, 0.9])
    assert math.isnan(found.value)
    assert found.n_not_chosen == 2


def test_float32_is_summed_in_float64(rng, frozen):
    scores = frozen((0.1 + 1e-4 * rng.standard_normal(95_556)).astype(np.float32))
    expected = math.fsum(scores.tolist()) / len(scores)
    assert reduce_scores(scores, metric="r").value == pytest.approx(expected, rel=1e-13)


def test_the_mean_is_that_of_studies(rng):
    """Tables that a study has written hold this number under mean_r."""
    from voxscale.study._fit_cell import mean_over_voxels

    scores = rng.standard_normal(50).astype(np.float32)
    scores[[3, 7]] = np.nan
    assert reduce_scores(scores, metric="r").value == pytest.approx(
        mean_over_voxels(scores), rel=1e-14
    )


@settings(deadline=None)
@given(st.sampled_from(sorted(REDUCERS)), st.floats(0, 1, exclude_max=True))
def test_a_reducer_is_read_as_it_is_written(name, threshold):
    reducer = Reducer(name, threshold if name in THRESHOLDED else None)
    assert Reducer.parse(str(reducer)) == reducer
    assert Reducer.parse(reducer) is reducer
    assert reducer.meaning == REDUCERS[name].meaning


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mean_voxel", r"reducer 'mean_voxel' is unknown; .*did you mean 'mean_voxels'\?"),
        ("mean_where_cc_max_above", r"lacks its threshold; write it as in mean_where_cc_max_above"),
        ("mean_voxels(0.35)", "takes none; write mean_voxels"),
        ("mean_where_cc_max_above(1)", "is 1.0; expected a number of 0 or more and below 1"),
        ("mean_where_cc_max_above(-0.1)", "expected a number of 0 or more and below 1"),
    ],
)
def test_reducers_that_are_none(text, message):
    with pytest.raises(ValueError, match=message):
        reduce_scores([0.1], text, metric="r", cc_max=[0.5])


def test_a_threshold_where_it_belongs():
    with pytest.raises(ValueError, match=r"'mean_voxels' takes no threshold; got 0\.3"):
        Reducer("mean_voxels", 0.3)
    with pytest.raises(ValueError, match="'mean_where_cc_max_above' needs a threshold; got None"):
        Reducer("mean_where_cc_max_above")


def test_what_does_not_belong_together():
    with pytest.raises(ValueError, match="chooses voxels by their ceiling; give cc_max"):
        reduce_scores([0.1], "mean_where_cc_max_above(0.35)", metric="r")
    with pytest.raises(AlignmentError, match=r"cc_max has shape \(2,\) but there are 1 voxels"):
        reduce_scores([0.1], "mean_where_cc_max_above(0.35)", metric="r", cc_max=[1, 1])
    with pytest.raises(ValueError, match=r"shape \(1, 2\); expected \(n_voxels,\) where stories"):
        reduce_scores([[0.1, 0.2]], metric="r")
    with pytest.raises(ValueError, match=r"shape \(2,\); expected \(n_stories, n_voxels\)"):
        reduce_scores([0.1, 0.2], metric="r", stories="by_story")
    with pytest.raises(ValueError, match=r"shape \(0, 2\); expected \(n_stories, n_voxels\)"):
        reduce_scores(np.ones((0, 2)), metric="r", stories="by_story")
    with pytest.raises(ValueError, match="stories 'each' is unknown"):
        reduce_scores([0.1, 0.2], metric="r", stories="each")
    with pytest.raises(ValueError, match="metric 'R2' is unknown"):
        reduce_scores([0.1, 0.2], metric="R2")
    with pytest.raises(TypeError, match="real numbers"):
        reduce_scores(["high"], metric="r")
