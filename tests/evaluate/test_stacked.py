from __future__ import annotations

import numpy as np
import pytest

from voxscale.errors import AlignmentError
from voxscale.evaluate import choose_best, correlation, stacked_scores, story_scores

STORIES = {"avatar": 35, "buck": 25, "souls": 40}
ROWS = {"avatar": np.arange(35), "buck": np.arange(35, 60), "souls": np.arange(60, 100)}
PARTS = {"validation": ["avatar", "buck"], "test": ["souls"]}
VALIDATION, TEST = np.arange(60), np.arange(60, 100)


@pytest.fixture
def data(rng, frozen):
    Y = rng.standard_normal((100, 8))
    models = {f"layer {size}": Y + size * rng.standard_normal(Y.shape) for size in (1, 2, 3)}
    mix = sum(models.values()) / 3
    return frozen(Y), frozen(mix), {name: frozen(one) for name, one in models.items()}


def test_choices_are_made_on_validation_and_scores_on_test(data):
    Y, mix, singles = data
    scores = stacked_scores(Y, mix, singles, STORIES, **PARTS, min_gain=0.02)
    models = list(singles.values())
    for v in range(8):
        by_model = [np.corrcoef(Y[VALIDATION, v], one[VALIDATION, v])[0, 1] for one in models]
        best = int(np.argmax(by_model))
        of_mix = np.corrcoef(Y[VALIDATION, v], mix[VALIDATION, v])[0, 1]
        taken = mix if of_mix - by_model[best] > 0.02 else models[best]
        assert scores.best_single.chosen[v] == best
        assert scores.is_stacked[v] == (taken is mix)
        assert scores.validation_single[v] == pytest.approx(by_model[best])
        assert scores.validation_stacked[v] == pytest.approx(of_mix)
        assert scores.test[v] == pytest.approx(np.corrcoef(Y[TEST, v], taken[TEST, v])[0, 1])
    np.testing.assert_allclose(scores.difference, scores.test - scores.test_single)
    assert scores.is_stacked.any()
    assert not scores.is_stacked.all()


def test_the_best_single_model_is_that_of_choose_best(data):
    Y, mix, singles = data
    scores = stacked_scores(Y, mix, singles, STORIES, **PARTS)
    best = choose_best(story_scores(Y, singles, STORIES, only=PARTS["validation"]))
    told = story_scores(Y, singles, STORIES, only=PARTS["test"])
    assert scores.best_single.stories == ("avatar", "buck")
    assert scores.best_single.models == tuple(singles)
    np.testing.assert_array_equal(scores.best_single.map([1, 2, 3]), best.map([1, 2, 3]))
    np.testing.assert_array_equal(scores.test_single, best.scores(told))


def test_test_stories_have_no_say_in_the_choice(data):
    Y, mix, singles = data
    first = stacked_scores(Y, mix, singles, STORIES, **PARTS)
    other = Y.copy()
    other[TEST] = -other[TEST]
    second = stacked_scores(other, mix, singles, STORIES, **PARTS)
    np.testing.assert_array_equal(first.is_stacked, second.is_stacked)
    np.testing.assert_array_equal(first.best_single.chosen, second.best_single.chosen)
    np.testing.assert_allclose(first.test, -second.test)


def test_a_story_that_is_both_is_refused_under_any_name(data):
    Y, mix, singles = data
    with pytest.raises(ValueError, match=r"stories \['buck'\] chose the models"):
        stacked_scores(Y, mix, singles, STORIES, validation=["buck"], test=["buck", "souls"])
    rows = np.r_[VALIDATION, ROWS["buck"]]
    again = {name: one[rows] for name, one in singles.items()}
    stories = {"avatar": 35, "buck": 25, "the same": 25}
    with pytest.raises(ValueError, match="hold the very responses"):
        stacked_scores(
            Y[rows], mix[rows], again, stories, validation=["avatar", "buck"], test=["the same"]
        )


def test_models_without_a_score_are_not_chosen(data):
    Y, mix, singles = data
    models = {name: one.copy() for name, one in singles.items()}
    models["layer 1"][:, 0] = np.nan
    for one in models.values():
        one[:, 1] = 0.0
    scores = stacked_scores(Y, mix, models, STORIES, **PARTS)
    assert scores.best_single.chosen[0] > 0
    assert np.isfinite(scores.test[0])
    assert scores.best_single.chosen[1] == -1
    assert not scores.is_stacked[1]
    assert np.isnan(scores.test[1])
    assert np.isnan(scores.validation_single[1])
    np.testing.assert_allclose(scores.test_stacked, correlation(Y[TEST], mix[TEST]))


@pytest.mark.parametrize(
    ("changes", "error", "match"),
    [
        ({"test": ["soul"]}, ValueError, "story 'soul' is unknown.*'souls'"),
        ({"validation": []}, ValueError, "stories are .*expected at least one"),
        ({"test": "souls"}, TypeError, "expected names, as a sequence of strings"),
        ({"stories": {"avatar": 60, "souls": 41}}, AlignmentError, "101 TRs in all"),
        ({"singles": {}}, ValueError, "models are .*expected at least one"),
        ({"stacked": np.ones((3, 8))}, AlignmentError, r"'stacked' has shape \(3, 8\)"),
    ],
)
def test_bad_input_is_named(data, changes, error, match):
    Y, mix, singles = data
    given = {"stacked": mix, "singles": singles, "stories": STORIES} | PARTS | changes
    with pytest.raises(error, match=match):
        stacked_scores(Y, **given)
