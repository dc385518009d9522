import numpy as np
import pandas as pd

from voxscale.reports import layer_curves
from voxscale.reports._style import png


def scores():
    rows = [
        ("a", 0, 0.01, 0.10), ("a", 9, 0.03, 0.12), ("a", 3, 0.02, 0.13),
        ("b", 0, 0.02, 0.20), ("b", 9, np.nan, np.nan), ("b", 3, 0.01, 0.21),
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["subject", "layer", "cv_score", "r"])


def test_both_panels_are_labelled_and_subjects_named():
    figure = layer_curves(scores(), cv_label="validation R²", r_label="test r")
    validation, test = figure.axes
    assert (validation.get_ylabel(), test.get_ylabel()) == ("validation R²", "test r")
    assert all("layer" in ax.get_xlabel() for ax in figure.axes)
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["Validation", "Test"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]


def test_lines_follow_the_layers_in_order_and_leave_gaps_out():
    validation = layer_curves(scores()).axes[0]
    line_a, ring_a, line_b, ring_b = validation.get_lines()
    np.testing.assert_array_equal(line_a.get_xydata(), [(0, 0.01), (3, 0.02), (9, 0.03)])
    np.testing.assert_array_equal(line_b.get_xydata(), [(0, 0.02), (3, 0.01)])
    np.testing.assert_array_equal(ring_a.get_xydata(), [(9, 0.03)])
    np.testing.assert_array_equal(ring_b.get_xydata(), [(0, 0.02)])


def test_the_ring_on_the_test_score_marks_the_layer_that_validation_chose():
    test = layer_curves(scores()).axes[1]
    _, ring_a, _, ring_b = test.get_lines()
    np.testing.assert_array_equal(ring_a.get_xydata(), [(9, 0.12)])  # 0.13 at layer 3 is better
    np.testing.assert_array_equal(ring_b.get_xydata(), [(0, 0.20)])


def test_a_subject_without_any_score_is_no_error():
    table = scores()
    table.loc[table["subject"] == "b", ["cv_score", "r"]] = np.nan
    assert png(layer_curves(table))


def test_the_table_is_left_as_it_was():
    table = scores()
    layer_curves(table)
    pd.testing.assert_frame_equal(table, scores())
