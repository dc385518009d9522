"""Two values in one flat map, against colours mixed by hand."""

from functools import partial

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from voxscale.data import read_pycortex_subject
from voxscale.errors import AlignmentError, VoxscaleWarning
from voxscale.reports import flatmap_2d as flatmap_2d_of_any_size
from voxscale.reports._colour_map_2d import colour_map_2d, colour_square
from voxscale.reports._flat_painting import MIDDLE

pytest.importorskip("nibabel")
flatmap_2d = partial(flatmap_2d_of_any_size, n_rows=161)
PLACE = (-12.0, 1.1)  # in flat coordinates, mm


@pytest.fixture(scope="module")
def subject(tiny_pycortex, tmp_path_factory):
    return read_pycortex_subject(tiny_pycortex.write_subject(tmp_path_factory.mktemp("db")))


@pytest.fixture
def constant(subject):
    """Return a function that gives every voxel the same value."""
    return partial(np.full, int(subject.mask().sum()))


def picture(ax):
    return np.asarray(ax.images[0].get_array())


def at(ax, x, y):
    found, (left, right, bottom, top) = picture(ax), ax.images[0].get_extent()
    column = int((x - left) / (right - left) * found.shape[1])
    return found[int((top - y) / (top - bottom) * found.shape[0]), column].astype(int)


@pytest.mark.parametrize(
    ("first", "second", "x", "y"),
    [(0.0, 0.2, 0.0, 0.0), (0.5, 0.7, 1.0, 1.0), (0.1, 0.7, 0.2, 1.0), (9.0, 0.325, 1.0, 0.25)],
)
@pytest.mark.filterwarnings("ignore:no voxel has a value")
def test_the_published_map_of_room_for_improvement(subject, constant, first, second, x, y):
    """Colour by cc_max - r in 0 … 0.5, opacity by cc_max in 0.2 … 0.7, over the folds."""
    ends = {"vmin": 0, "vmax": 0.5, "vmin2": 0.2, "vmax2": 0.7}
    ax = flatmap_2d(constant(first), constant(second), subject, **ends).axes[0]
    folds = flatmap_2d(constant(np.nan), constant(0.0), subject, **ends).axes[0]
    colour = 255 * np.array(mpl.colormaps["plasma"](x)[:3])
    expected = y * colour + (1 - y) * at(folds, *PLACE)[:3]
    np.testing.assert_allclose(at(ax, *PLACE)[:3], expected, atol=1)
    assert np.ptp(at(folds, *PLACE)[:3]) == 0


@pytest.mark.parametrize("missing", ["first", "second"])
@pytest.mark.filterwarnings("ignore:no voxel has a value")
def test_nan_in_either_shows_the_folds(subject, constant, missing):
    values = {"first": constant(1.0), "second": constant(1.0)}
    values[missing] = constant(np.nan)
    ends = {"vmin": 0, "vmax": 1, "vmin2": 0, "vmax2": 1}
    shown = picture(flatmap_2d(**values, subject=subject, **ends).axes[0])
    assert np.ptp(shown[..., :3].astype(int), axis=2).max() == 0


def test_corners_of_maps_of_two_colours():
    for name, corners in {
        "red_blue": ("#ebebeb", "#d7301f", "#2b6cb0", "#3f0d4a"),
        "orange_blue": ("#ebebeb", "#e69f00", "#0072b2", "#26211c"),
    }.items():
        found = colour_map_2d(name)(np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1]))
        np.testing.assert_allclose(found, [to_rgba(one) for one in corners])
        middle = colour_map_2d(name)(np.array(0.5), np.array(0.5))
        np.testing.assert_allclose(middle, np.mean([to_rgba(one) for one in corners], axis=0))


def test_any_map_of_matplotlib_can_have_opacity():
    found = colour_map_2d("viridis_alpha")(np.array([0.3]), np.array([0.6]))
    np.testing.assert_allclose(found[0], [*mpl.colormaps["viridis"](0.3)[:3], 0.6])


def test_tables_and_callables(subject, constant, frozen):
    table = np.zeros((2, 3, 4))
    table[..., 3] = 1.0
    table[1, 2] = (0.2, 0.4, 0.6, 1.0)
    ends = {"vmin": 0, "vmax": 1, "vmin2": 0, "vmax2": 1}
    whole = np.rint(255 * table).astype(np.uint8)

    def own(first, second):
        return np.stack([0.2 + 0 * first, 0.4 * second, 0.6 * first, np.ones_like(first)], axis=-1)

    for cmap in (frozen(table), frozen(whole), own):
        drawn = flatmap_2d(constant(1.0), constant(1.0), subject, cmap=cmap, **ends)
        np.testing.assert_allclose(at(drawn.axes[0], *PLACE), [51, 102, 153, 255], atol=1)
    places = colour_map_2d(table)(np.array([0.0, 0.49, 0.5, 1.0]), np.array([1.0, 0.7, 0.66, 0.67]))
    np.testing.assert_array_equal(places[:, 0], [0, 0, 0, 0.2])


def test_what_is_no_colour_map_is_refused():
    with pytest.raises(ValueError, match=r"cmap is 'plasma_alfa' \(did you mean 'plasma_alpha'\?"):
        colour_map_2d("plasma_alfa")
    with pytest.raises(ValueError, match=r"cmap is 'plasma'"):
        colour_map_2d("plasma")
    with pytest.raises(ValueError, match=r"cmap has shape \(2, 2, 3\); expected"):
        colour_map_2d(np.zeros((2, 2, 3)))
    with pytest.raises(ValueError, match=r"cmap has values from 0.0 to 3.0; expected 0 to 1"):
        colour_map_2d(np.linspace(0, 3, 16).reshape(2, 2, 4))
    with pytest.raises(ValueError, match=r"cmap returned shape \(5,\) for \(5,\) values"):
        colour_map_2d(lambda first, second: first)(np.ones(5), np.ones(5))
    with pytest.raises(ValueError, match=r"cmap returned 2 to 2; expected 0 to 1"):
        colour_map_2d(lambda first, second: np.full((*first.shape, 4), 2))(np.ones(5), np.ones(5))


def test_the_square_has_the_first_rightwards_and_the_second_upwards():
    square = colour_square(lambda x, y: np.stack([x, y, 0 * x, 0 * x], axis=-1), n=4)
    np.testing.assert_allclose(square[-1, :, 0], [0.125, 0.375, 0.625, 0.875])
    np.testing.assert_allclose(square[:, 0, 1], [0.875, 0.625, 0.375, 0.125])


def test_the_colour_bar_says_what_both_sides_are(subject, constant, rng):
    first, second = rng.uniform(-1, 1, (2, constant(0.0).size))
    ends = {"vmin": 0, "vmax": 0.5, "vmin2": -0.4, "vmax2": 2}
    figure = flatmap_2d(first, second, subject, label="room", label2="ceiling", **ends)
    bar = figure.axes[-1]
    assert (bar.get_xlabel(), bar.get_ylabel()) == ("room", "ceiling")
    assert [one.get_text() for one in bar.get_xticklabels()] == ["≤ 0", "0.25", "≥ 0.5"]
    assert [one.get_text() for one in bar.get_yticklabels()] == ["≤ \N{MINUS SIGN}0.4", "0.8", "2"]
    figure.canvas.draw()
    box = bar.get_window_extent()
    assert box.width == pytest.approx(box.height)
    (square,) = bar.images
    assert square.get_extent() == [0, 0.5, -0.4, 2]
    lowest = np.asarray(square.get_array())[-1, 0]  # nearly clear: the middle grey shows
    np.testing.assert_allclose(lowest[:3], MIDDLE, atol=0.01)
    assert figure.get_suptitle() == "tiny"


def test_ends_are_those_of_the_values(subject, constant):
    first = constant(0.0)
    first[0], first[1] = -3.0, 5.0
    bar = flatmap_2d(first, constant(2.0), subject).axes[-1]
    assert list(bar.images[0].get_extent()) == [-3, 5, 1.5, 2.5]
    assert [one.get_text() for one in bar.get_xticklabels()] == ["\N{MINUS SIGN}3", "1", "5"]


@pytest.mark.parametrize("name", ["vmin", "vmin2"])
def test_ends_in_the_wrong_order_are_refused(subject, constant, name):
    other = name.replace("min", "max")
    with pytest.raises(ValueError, match=f"{name} is 1 and {other} is 0; expected {name} below"):
        flatmap_2d(constant(0.5), constant(0.5), subject, **{name: 1, other: 0})


def test_both_values_nowhere_is_told_once(subject, constant):
    with pytest.warns(VoxscaleWarning, match="no voxel has a value") as told:
        flatmap_2d(constant(np.nan), constant(1.0), subject)
    assert len(told) == 1


def test_both_need_the_same_shape(subject, constant):
    with pytest.raises(AlignmentError, match=r"values have 3 voxels.*has 1,824"):
        flatmap_2d(constant(0.0), np.zeros(3), subject)
    vertices = np.zeros(subject.n_vertices)
    with pytest.raises(AlignmentError, match=r"second has shape \(1824,\), the values \(236,\)"):
        flatmap_2d(vertices, constant(0.0), subject)


def test_it_draws_into_one_axes(subject, constant):
    figure = Figure(figsize=(9, 4))
    ax = figure.subplots()
    assert flatmap_2d(constant(0.0), constant(1.0), subject, axes=ax, label="here") is figure
    (bar,) = ax.child_axes
    assert bar.get_xlabel() == "here"


def test_it_draws_on_fsaverage5():
    pytest.importorskip("nilearn")
    first = np.linspace(0, 1, 20_484)
    figure = flatmap_2d(first, first[::-1], "demo01")
    assert figure.get_suptitle() == "demo01"
    shown = picture(figure.axes[0])
    assert (shown[..., 3] == 255).mean() > 0.6
    assert flatmap_2d(first, first).get_suptitle() == ""
    with pytest.raises(ValueError, match=r"outlines is 'sulci', but fsaverage5 has none"):
        flatmap_2d(first, first, outlines="sulci")
