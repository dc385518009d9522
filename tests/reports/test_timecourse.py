import numpy as np
import pandas as pd
import pytest

from voxscale.errors import AlignmentError
from voxscale.reports import course_table, time_courses


@pytest.fixture
def course(rng, frozen):
    repeats = [frozen(3 + 2 * rng.normal(size=40)) for _ in range(3)]
    prediction = frozen(1 + rng.normal(size=40))
    return (
        repeats,
        prediction,
        course_table("best", frozen(21.0 + 2 * np.arange(40)), repeats, prediction),
    )


def test_everything_is_moved_and_nothing_is_stretched(course):
    repeats, prediction, table = course
    mean = np.mean(repeats, axis=0)
    np.testing.assert_allclose(table["mean"], mean - mean.mean())
    np.testing.assert_allclose(table["repeat_2"], repeats[1] - mean.mean())
    shown = table[["repeat_1", "repeat_2", "repeat_3"]].mean(axis=1)
    np.testing.assert_allclose(shown, table["mean"], atol=1e-12)
    np.testing.assert_allclose(table["prediction"], prediction - prediction.mean())
    np.testing.assert_allclose(
        np.corrcoef(table["mean"], table["prediction"]), np.corrcoef(mean, prediction)
    )


def test_a_prediction_that_is_the_mean_lies_on_it(rng, frozen):
    signal, noise = rng.normal(size=(2, 40))
    repeats = [frozen(signal + noise), frozen(signal - noise)]  # whose mean varies less than each
    table = course_table("best", frozen(2.0 * np.arange(40)), repeats, frozen(signal))
    np.testing.assert_allclose(table["prediction"], table["mean"], atol=1e-12)


def test_what_is_drawn_is_what_is_in_the_table(course):
    *_, table = course
    ax = time_courses(table, story="sleeper").axes[0]
    drawn = {line.get_label(): line.get_xydata() for line in ax.get_lines()}
    np.testing.assert_array_equal(drawn["mean of 3 repeats"], table[["time_s", "mean"]])
    np.testing.assert_array_equal(drawn["prediction"], table[["time_s", "prediction"]])
    assert len(ax.get_lines()) == 5


def test_time_is_in_seconds_and_panels_are_named(course):
    *_, table = course
    figure = time_courses(pd.concat([table, table.assign(example="worst")]), story="sleeper")
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["best", "worst"]
    assert figure.axes[1].get_xlabel() == "time from the onset of 'sleeper' (s)"
    assert {ax.get_ylabel() for ax in figure.axes} == {"BOLD (SD of a run)"}


def test_a_single_response_is_called_one(course):
    *_, table = course
    ax = time_courses(table.drop(columns=["repeat_2", "repeat_3"])).axes[0]
    assert [line.get_label() for line in ax.get_lines()] == ["response", "prediction"]


def test_a_constant_voxel_is_drawn_flat():
    table = course_table("dead", [0.0, 2.0], [[1.0, 1.0]], [0.0, 0.0])
    np.testing.assert_array_equal(table["mean"], 0)


def test_lengths_that_differ_are_refused():
    with pytest.raises(
        AlignmentError, match=r"worst: 3 times, repeats of \(2,\).*expected the same"
    ):
        course_table("worst", [0, 2, 4], [[1, 2]], [1, 2, 3])
