import numpy as np
import pytest

from voxscale.reports import exchange_contours
from voxscale.reports._contours import contour_levels
from voxscale.reports._style import png
from voxscale.scaling import fit_scaling_surface


@pytest.fixture
def surface():
    words, hours = np.meshgrid([8.0, 32.0, 128.0], [1.0, 4.0, 16.0])
    scores = 0.1 + 0.02 * np.log10(words) + 0.05 * np.log10(hours)
    x = {"context": words.ravel(), "hours": hours.ravel()}
    return fit_scaling_surface(x, scores.ravel(), kind="log-linear")


def test_axes_are_logarithmic_labelled_and_name_the_sizes(surface):
    figure = exchange_contours(
        surface, "context", "hours", xlabel="words", ylabel="hours (h)", r_label="r", title="Both"
    )
    png(figure)
    ax, bar = figure.axes
    assert (ax.get_xlabel(), ax.get_ylabel(), bar.get_ylabel()) == ("words", "hours (h)", "r")
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert [text.get_text() for text in ax.get_xticklabels()] == ["8", "32", "128"]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["1", "4", "16"]
    assert ax.get_title(loc="left") == "Both"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "measured", "equal score, fitted"
    ]  # fmt: skip


def test_along_a_contour_the_score_is_that_of_its_label(surface):
    ax = exchange_contours(surface, "context", "hours", levels=[0.16, 0.2]).axes[0]
    (contours,) = [one for one in ax.collections if hasattr(one, "levels")]
    for level, path in zip(contours.levels, contours.get_paths(), strict=True):
        words, hours = path.vertices.T
        np.testing.assert_allclose(
            0.1 + 0.02 * np.log10(words) + 0.05 * np.log10(hours), level, atol=1e-5
        )
    assert {text.get_text() for text in ax.texts} <= {"0.16", "0.20"}


def test_points_are_those_that_were_measured(surface):
    ax = exchange_contours(surface, "context", "hours").axes[0]
    (points,) = [one for one in ax.collections if one.get_label() == "measured"]
    np.testing.assert_array_equal(points.get_offsets(), np.column_stack(list(surface.x.values())))
    np.testing.assert_array_equal(points.get_array(), surface.mean_scores)


def test_levels_are_round_and_within_what_was_measured(surface):
    levels = contour_levels(surface)
    assert 4 <= len(levels) <= 9
    assert all(surface.mean_scores.min() < one < surface.mean_scores.max() for one in levels)
    assert all(len(f"{one:g}") <= 5 for one in levels)


@pytest.mark.parametrize("axes", [("hours", "hours"), ("hours", "n_params")])
def test_axes_that_are_not_there_are_refused(surface, axes):
    with pytest.raises(ValueError, match="expected two different ones of context, hours"):
        exchange_contours(surface, *axes)
