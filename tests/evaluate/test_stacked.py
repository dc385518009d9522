from __future__ import annotations

import numpy as np
import pytest

from voxscale.errors import AlignmentError
from voxscale.evaluate import correlation, stacked_scores

VALIDATION, TEST = np.arange(60), np.arange(60, 100)


@pytest.fixture
def data(rng, frozen):
    Y = rng.standard_normal((100, 8))
    models = [Y + size * rng.standard_normal(Y.shape) for size in (1, 2, 3)]
    return frozen(Y), frozen(sum(models) / 3), [frozen(one) for one in models]


def test_choices_are_made_on_validation_and_scores_on_test(data):
    Y, mix, models = data
    scores = stacked_scores(Y, mix, models, validation=VALIDATION, test=TEST, min_gain=0.02)
    for v in range(8):
        by_model = [np.corrcoef(Y[VALIDATION, v], one[VALIDATION, v])[0, 1] for one in models]
        best = int(np.argmax(by_model))
        of_mix = np.corrcoef(Y[VALIDATION, v], mix[VALIDATION, v])[0, 1]
        taken = mix if of_mix - by_model[best] > 0.02 else models[best]
        assert scores.best_single[v] == best
        assert scores.is_stacked[v] == (taken is mix)
        assert scores.test[v] == pytest.approx(np.corrcoef(Y[TEST, v], taken[TEST, v])[0, 1])
    np.testing.assert_allclose(scores.difference, scores.test - scores.test_single)
    assert scores.is_stacked.any()
    assert not scores.is_stacked.all()


def test_test_rows_have_no_say_in_the_choice(data):
    Y, mix, models = data
    first = stacked_scores(Y, mix, models, validation=VALIDATION, test=TEST)
    other = Y.copy()
    other[TEST] = -other[TEST]
    second = stacked_scores(other, mix, models, validation=VALIDATION, test=TEST)
    np.testing.assert_array_equal(first.is_stacked, second.is_stacked)
    np.testing.assert_array_equal(first.best_single, second.best_single)
    np.testing.assert_allclose(first.test, -second.test)


def test_rows_that_are_both_are_refused(data):
    Y, mix, models = data
    with pytest.raises(
        ValueError, match="1 rows are both validation and test, the first is row 60"
    ):
        stacked_scores(Y, mix, models, validation=np.arange(61), test=TEST)


def test_masks_of_rows_are_understood(data):
    Y, mix, models = data
    is_test = np.arange(100) >= 60
    by_mask = stacked_scores(Y, mix, models, validation=~is_test, test=is_test)
    by_rows = stacked_scores(Y, mix, models, validation=VALIDATION, test=TEST)
    np.testing.assert_array_equal(by_mask.test, by_rows.test)


def test_models_without_a_score_are_not_chosen(data):
    Y, mix, models = data
    models = [one.copy() for one in models]
    models[0][:, 0] = np.nan
    for one in models:
        one[:, 1] = 0.0
    scores = stacked_scores(Y, mix, models, validation=VALIDATION, test=TEST)
    assert scores.best_single[0] > 0
    assert np.isfinite(scores.test[0])
    assert scores.best_single[1] == -1
    assert not scores.is_stacked[1]
    assert np.isnan(scores.test[1])
    np.testing.assert_allclose(scores.test_stacked, correlation(Y[TEST], mix[TEST]))


@pytest.mark.parametrize(
    ("changes", "error", "match"),
    [
        ({"test": [60]}, ValueError, "test has shape"),
        ({"validation": [0.5, 1.5]}, ValueError, "validation has shape"),
        ({"test": [99, 100]}, ValueError, "of the 100 row numbers"),
        ({"singles": []}, ValueError, "0 single models"),
        ({"stacked": np.ones((3, 8))}, AlignmentError, r"stacked has shape \(3, 8\)"),
    ],
)
def test_bad_input_is_named(data, changes, error, match):
    Y, mix, models = data
    given = {"stacked": mix, "singles": models, "validation": VALIDATION, "test": TEST} | changes
    with pytest.raises(error, match=match):
        stacked_scores(Y, given.pop("stacked"), given.pop("singles"), **given)
