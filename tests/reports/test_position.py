"""The figure of drift and scores shows what it was given."""

from __future__ import annotations

import numpy as np

from voxscale.reports import position_curves


def test_one_panel_without_scores():
    figure = position_curves({"layer 9": 1 + np.arange(25) / 10})
    [ax] = figure.axes
    line = ax.get_lines()[0]
    assert line.get_xdata().tolist() == [5, 15, 25]
    np.testing.assert_allclose(line.get_ydata(), [1.45, 2.45, 3.2])
    assert ax.get_yscale() == "linear"
    assert ax.get_xlabel() == "word of the story"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["layer 9"]


def test_a_wide_range_is_drawn_on_a_log_axis():
    figure = position_curves({"layer 9": np.array([500.0] * 10 + [1.0] * 50)})
    assert figure.axes[0].get_yscale() == "log"


def test_scores_are_means_over_voxels_with_an_answer():
    first_trs = np.array([0, 20, 40])
    scores = np.array([[0.1, 0.3], [np.nan, 0.4], [np.nan, np.nan]])
    figure = position_curves({"a": np.ones(30)}, {"a": (first_trs, scores)}, trim_trs=10)
    _, ax = figure.axes
    line = ax.get_lines()[0]
    np.testing.assert_allclose(line.get_ydata(), [0.2, 0.4, np.nan])
    assert line.get_xdata().tolist() == [0, 20, 40]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "10 TRs trimmed"]
