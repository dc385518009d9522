import subprocess
import sys

import matplotlib as mpl
import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from voxscale.reports._style import (
    PAGE_WIDTH,
    colour_of,
    layer_colours,
    new_figure,
    panel_grid,
    png,
    styled,
)


@styled
def draw():
    figure, grid = new_figure()
    grid[0, 0].plot([1, 2], [3, 4])
    return figure


def test_the_settings_of_the_user_come_back():
    before = dict(mpl.rcParams)
    draw()
    assert dict(mpl.rcParams) == before


def test_the_settings_of_the_user_come_back_after_an_error():
    before = dict(mpl.rcParams)

    @styled
    def fail():
        assert mpl.rcParams["axes.grid"]
        message = "no figure today"
        raise RuntimeError(message)

    with pytest.raises(RuntimeError, match="no figure today"):
        fail()
    assert dict(mpl.rcParams) == before


def test_pyplot_does_not_know_of_a_figure():
    draw()
    assert plt.get_fignums() == []


def test_settings_of_the_user_do_not_change_a_figure():
    plain = png(draw())
    with mpl.rc_context({"font.size": 30, "axes.grid": False, "lines.linewidth": 9}):
        assert png(draw()) == plain
        assert png(Figure()) != plain


def test_equal_figures_are_equal_files_with_nothing_else_inside():
    one = png(draw())
    assert one == png(draw())
    assert one.startswith(b"\x89PNG")
    assert b"Software" not in one


def test_importing_the_folder_loads_no_library_for_drawing():
    code = (
        "import sys, voxscale.reports; "
        "print(sorted({'matplotlib', 'nilearn', 'jinja2', 'torch'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_subjects_differ_in_colour_and_more_than_seven_are_no_error():
    colours = [colour_of(i) for i in range(9)]
    assert len(set(colours)) == 7
    assert colours[7] == colours[0]


@pytest.mark.parametrize("n", [1, 2, 7, 33])
def test_later_layers_are_lighter(n):
    luminance = [0.21 * r + 0.72 * g + 0.07 * b for r, g, b, _ in layer_colours(n)]
    assert len(luminance) == n
    assert luminance == sorted(luminance)


@pytest.mark.parametrize(
    ("n", "n_rows", "n_columns", "width"),
    [(1, 1, 1, 4.0), (2, 1, 2, PAGE_WIDTH), (3, 1, 3, PAGE_WIDTH), (7, 3, 3, PAGE_WIDTH)],
)
def test_a_grid_shows_as_many_panels_as_there_are(n, n_rows, n_columns, width):
    figure, axes = panel_grid(n, 3, width=4.0, height=2.5)
    assert len(axes) == n
    assert [ax for ax in figure.axes if ax.get_visible()] == axes
    assert axes[0].get_gridspec().get_geometry() == (n_rows, n_columns)
    assert figure.get_size_inches().tolist() == [width, 2.5 * n_rows]
