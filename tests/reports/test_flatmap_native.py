"""Flat maps of a miniature subject of pycortex, whose colours are told by hand."""

import re
from functools import partial

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from voxscale.data import read_pycortex_subject
from voxscale.errors import AlignmentError, DataError, VoxscaleWarning
from voxscale.reports import flatmap as flatmap_of_any_size
from voxscale.reports import pixel_map as pixel_map_of_any_size
from voxscale.reports._flat_clip import inner_parts, inner_place
from voxscale.reports._flat_outlines import placed_labels
from voxscale.reports._flat_painting import GYRI, SULCI, fold_greys, over
from voxscale.reports._style import layer_colours

pytest.importorskip("nibabel")
N_COLUMNS = 40  # of voxels
N_ROWS = 161  # of pixels, 0.1 mm apart
flatmap = partial(flatmap_of_any_size, n_rows=N_ROWS)
pixel_map = partial(pixel_map_of_any_size, n_rows=N_ROWS)
# Flat x and y, in mm, and the column of voxels there: the sheets meet at x = 0.
PLACES = [(-12.0, 1.1, 7), (-20.2, -4.0, 3), (6.0, 3.0, 22), (18.1, -2.0, 28)]


@pytest.fixture(scope="module")
def filestore(tiny_pycortex, tmp_path_factory):
    folder = tmp_path_factory.mktemp("db")
    tiny_pycortex.write_subject(folder)
    tiny_pycortex.write_subject(folder, "other")
    return folder


@pytest.fixture(scope="module")
def subject(filestore):
    return read_pycortex_subject(filestore, "tiny")


@pytest.fixture
def columns(subject):
    """Return for each voxel of the mask its column, 0 … 39."""
    found = np.nonzero(subject.mask())[2].astype(np.float64)
    found.flags.writeable = False
    return found


def at(ax, x, y):
    """Return red, green, blue and opacity, 0 … 255, of the picture at flat coordinates."""
    (image,) = ax.images
    picture, (left, right, bottom, top) = np.asarray(image.get_array()), image.get_extent()
    column = int((x - left) / (right - left) * picture.shape[1])
    row = int((top - y) / (top - bottom) * picture.shape[0])
    return picture[row, column].astype(int)


def grey_at(subject, x, y):
    """Return the grey of the folds, 0 … 255: light where the curvature is high."""
    pixels = pixel_map(subject)
    left, right, bottom, top = pixels.extent
    folds = pixels.curvature
    here = folds[
        int((top - y) / (top - bottom) * folds.shape[0]),
        int((x - left) / (right - left) * folds.shape[1]),
    ]
    share = min(max(0.5 + here / (2 * np.median(np.abs(folds[pixels.inside]))), 0.0), 1.0)
    return 0xB9 + share * (0xE6 - 0xB9)


def lines_of(ax):
    (found,) = [one for one in ax.collections if one.get_gid() == "outlines"]
    return found.get_segments()


def names_of(ax):
    return sorted(one.get_text() for one in ax.texts if one.get_gid() == "label")


@pytest.mark.parametrize(("x", "y", "column"), PLACES)
def test_a_planted_value_has_the_colour_of_the_colour_map(subject, columns, x, y, column):
    figure = flatmap(columns, subject, vmin=0, vmax=N_COLUMNS, cmap="plasma")
    expected = 255 * np.array(mpl.colormaps["plasma"](column / N_COLUMNS))
    np.testing.assert_allclose(at(figure.axes[0], x, y), expected, atol=1)


def test_a_volume_and_its_masked_voxels_give_the_same_picture(subject, columns):
    volume = subject.volume(columns)
    pictures = [flatmap(one, subject).axes[0].images[0].get_array() for one in (columns, volume)]
    np.testing.assert_array_equal(*pictures)


def test_vertices_are_drawn_too(subject):
    values = np.full(subject.n_vertices, np.nan)
    nearest = np.argmin(np.linalg.norm(subject.flat.points - (-12.0, 2.0), axis=1))
    values[nearest] = 0.5
    ax = flatmap(values, subject, vmin=0, vmax=1, cmap="plasma").axes[0]
    expected = 255 * np.array(mpl.colormaps["plasma"](0.5))
    np.testing.assert_allclose(at(ax, -12.1, 2.2), expected, atol=1)
    assert np.ptp(at(ax, -9.5, 2.0)[:3]) == 0  # grey


@pytest.mark.parametrize(("x", "y", "column"), PLACES)
def test_nan_shows_the_folds(subject, columns, x, y, column):
    values = np.where(columns == column, np.nan, columns)
    found = at(flatmap(values, subject).axes[0], x, y)
    assert found[3] == 255
    np.testing.assert_allclose(found[:3], grey_at(subject, x, y), atol=1)


def test_without_folds_nan_is_clear(subject, columns):
    x, y, column = PLACES[0]
    ax = flatmap(np.where(columns == column, np.nan, columns), subject, curvature=False).axes[0]
    assert at(ax, x, y)[3] == 0
    assert at(ax, *PLACES[2][:2])[3] == 255


@pytest.mark.parametrize("single", [True, False])
def test_alpha_mixes_the_colour_with_the_folds(subject, columns, single, frozen):
    alpha = 0.25 if single else frozen(np.where(columns == 7, 0.25, 1.0))
    x, y, column = PLACES[0]
    figure = flatmap(columns, subject, vmin=0, vmax=N_COLUMNS, cmap="plasma", alpha=alpha)
    colour = 255 * np.array(mpl.colormaps["plasma"](column / N_COLUMNS)[:3])
    expected = 0.25 * colour + 0.75 * grey_at(subject, x, y)
    np.testing.assert_allclose(at(figure.axes[0], x, y)[:3], expected, atol=1)


def test_an_opacity_that_is_nan_is_none(subject, columns):
    x, y, column = PLACES[1]
    alpha = np.where(columns == column, np.nan, 1.0)
    found = at(flatmap(columns, subject, alpha=alpha).axes[0], x, y)
    np.testing.assert_allclose(found[:3], grey_at(subject, x, y), atol=1)


def test_opacities_are_checked(subject, columns):
    with pytest.raises(ValueError, match=r"alpha goes from 0 to 1.5; expected opacities between 0"):
        flatmap(columns, subject, alpha=np.linspace(0, 1.5, columns.size))
    shape = rf"alpha has shape \(3,\), the values have \({columns.size},\)"
    with pytest.raises(AlignmentError, match=shape):
        flatmap(columns, subject, alpha=np.ones(3))


def test_a_pixel_takes_the_middle_one_of_levels(subject):
    """Three slices of voxels: a pixel passes through 10, 11 and 11 of 32 depths of them."""
    volume = np.full(subject.transform().shape, np.nan)
    volume[1], volume[2], volume[3] = 9.0, 3.0, 27.0
    ax = flatmap(volume, subject, levels=[3, 9, 27], label="layer").axes[0]
    found = at(ax, -12.0, 1.1)
    np.testing.assert_allclose(found, 255 * np.array(layer_colours(3)[1]), atol=1)
    volume[1] = np.nan  # as many have 3 as have 27 or more: the lower one
    np.testing.assert_allclose(
        at(flatmap(volume, subject, levels=[3, 9, 27]).axes[0], -12.0, 1.1),
        255 * np.array(layer_colours(3)[0]),
        atol=1,
    )


def test_a_value_between_levels_is_refused(subject, columns):
    with pytest.raises(ValueError, match=r"values hold 2; expected only the levels"):
        flatmap(columns, subject, levels=[3, 9])


def test_greys_of_folds():
    curvature = np.array([-2.0, -1.0, 0.0, 0.5, 1.0, 2.0, np.nan])  # the middle one of |c| is 1
    expected = [SULCI, SULCI, 0.5, 0.75, GYRI, GYRI, 0.5]
    inside = [SULCI + (GYRI - SULCI) * one for one in (0.5, 0.75)]
    expected[2], expected[3], expected[6] = inside[0], inside[1], inside[0]
    np.testing.assert_allclose(fold_greys(curvature), expected)
    assert GYRI > SULCI
    flat = (GYRI + SULCI) / 2
    np.testing.assert_allclose(fold_greys(np.zeros(3)), flat)
    np.testing.assert_allclose(fold_greys(np.full(2, np.nan)), flat)


def test_colours_over_colours():
    colours = np.array([[1.0, 0.0, 0.0, 0.25], [1.0, 0.0, 0.0, 0.5], [0.2, 0.2, 0.2, 0.0]])
    below = np.array([[0.0, 0.0, 1.0, 1.0], [1.0, 1.0, 1.0, 0.0], [0.5, 0.5, 0.5, 0.0]])
    expected = [[0.25, 0.0, 0.75, 1.0], [1.0, 0.0, 0.0, 0.5], [1.0, 1.0, 1.0, 0.0]]
    np.testing.assert_allclose(over(colours, below), expected)


def test_outlines_are_where_they_were_drawn(subject, columns):
    ax = flatmap(columns, subject).axes[0]
    drawn = {one.name: one.lines for one in subject.outlines() if not one.is_hidden}
    assert set(drawn) == {"A", "B"}
    expected = [line for lines in drawn.values() for line in lines]
    assert len(lines_of(ax)) == len(expected) == 3
    for found, line in zip(lines_of(ax), expected, strict=True):
        np.testing.assert_allclose(found, line)
    # By hand: 10 units of the drawing are 1 mm, from the upper left corner at (-24, 8).
    np.testing.assert_allclose(lines_of(ax)[0][0], (-22.0, 6.0))


def test_names_stand_in_their_outlines_once_a_hemisphere(subject, columns):
    ax = flatmap(columns, subject).axes[0]
    assert names_of(ax) == ["A", "A", "B"]
    for text in ax.texts:
        if text.get_text() == "A":
            x, y = text.get_position()
            assert -22 < x < -18 or 6 < x < 10
            assert 2 < y < 6


def test_other_layers_and_none(subject, columns):
    assert names_of(flatmap(columns, subject, outlines="sulci").axes[0]) == ["S"]
    bare = flatmap(columns, subject, outlines=None).axes[0]
    assert (len(bare.collections), names_of(bare)) == (0, [])
    unnamed = flatmap(columns, subject, labels=False).axes[0]
    assert (len(lines_of(unnamed)), names_of(unnamed)) == (3, [])
    with pytest.raises(DataError, match=r"no layer 'areas'.*rois, sulci"):
        flatmap(columns, subject, outlines="areas")


def test_rois_need_not_be_drawn(tiny_pycortex, tmp_path, columns):
    folder = tiny_pycortex.write_subject(tmp_path)
    (folder / "overlays.svg").unlink()
    bare = read_pycortex_subject(folder)
    assert not flatmap(columns, bare).axes[0].collections


def test_lines_are_cut_where_they_leave_the_cortex(subject):
    pixels = pixel_map(subject)
    within = np.array([[-20.0, 0.0], [-4.0, 3.0]])
    leaving = np.array([[-12.0, 0.0], [-12.0, 20.0], [-8.0, 20.0], [-8.0, 0.0]])
    outside = np.array([[-12.0, 12.0], [-4.0, 12.0]])
    whole, up, down = inner_parts([within, leaving, outside], pixels)
    assert whole is within
    for part, x in ((up, -12.0), (down, -8.0)):
        np.testing.assert_allclose(part[:, 0], x)
        assert part[:, 1].min() == 0
        assert 7.8 < part[:, 1].max() < 8.4
    ring = np.array([[-12.0, 4.0], [-12.0, 20.0], [-8.0, 20.0], [-8.0, 4.0], [-12.0, 4.0]])
    moved = inner_place(ring, np.array([-10.0, 12.0]), pixels)
    np.testing.assert_allclose(moved, (-10.0, 6.0), atol=0.11)
    assert inner_place(ring + np.array([0.0, 9.0]), np.array([-10.0, 21.0]), pixels) is None
    kept = np.array([-10.0, 5.0])
    assert inner_place(ring, kept, pixels) is kept


def overlaps(places, sizes):
    gaps = np.abs(places[:, np.newaxis] - places)
    meets = (gaps < (sizes[:, np.newaxis] + sizes) / 2 - 1e-9).all(axis=2)
    return int(np.triu(meets, 1).sum())


@given(
    n=st.integers(1, 12),
    spread=st.sampled_from([0.0, 3.0, 20.0]),
    seed=st.integers(0, 2**31),
)
def test_labels_move_apart_and_no_farther_than_needed(n, spread, seed):
    rng = np.random.default_rng(seed)
    anchors = spread * rng.standard_normal((n, 2))
    sizes = np.stack([rng.uniform(1, 4, n), np.ones(n)], axis=1)
    placed = placed_labels(anchors, sizes)
    np.testing.assert_array_equal(placed[0], anchors[0])
    assert overlaps(placed, sizes) <= overlaps(anchors, sizes)
    for i in range(n):
        first = placed[:i]
        is_free = not (np.abs(anchors[i] - first) < (sizes[i] + sizes[:i]) / 2).all(axis=1).any()
        if is_free:
            np.testing.assert_array_equal(placed[i], anchors[i])


def test_five_labels_in_one_place_all_find_room():
    sizes = np.tile([3.0, 1.0], (5, 1))
    assert overlaps(placed_labels(np.zeros((5, 2)), sizes), sizes) == 0


def test_figures_say_whose_and_which_side(subject, columns):
    figure = flatmap(columns, subject, label="correlation")
    ax, bar = figure.axes
    assert figure.get_suptitle() == "tiny"
    assert bar.get_ylabel() == "correlation"
    sides = {one.get_text(): one.get_position()[0] for one in ax.texts if "hemi" in one.get_text()}
    assert sides["left hemisphere"] < 0 < sides["right hemisphere"]
    assert flatmap(columns, subject, title="other").get_suptitle() == "other"
    assert flatmap(columns, subject, title="").get_suptitle() == ""


@pytest.mark.parametrize(
    ("vmin", "vmax", "extend"), [(0, 40, "neither"), (3, 40, "min"), (0, 20, "max"), (3, 9, "both")]
)
def test_arrows_tell_that_values_lie_beyond(subject, columns, vmin, vmax, extend):
    figure = flatmap(columns, subject, vmin=vmin, vmax=vmax)
    assert figure.axes[1]._colorbar.extend == extend


def test_an_svg_holds_text_lines_and_one_picture(subject, columns, tmp_path):
    figure = flatmap(columns, subject, label="correlation", title="of somebody")
    with mpl.rc_context({"svg.fonttype": "path"}):  # whatever the reader has set
        figure.savefig(tmp_path / "map.svg")
    text = (tmp_path / "map.svg").read_text()
    written = re.findall(r"<text[^>]*>([^<]+)</text>", text)
    assert {"A", "B", "correlation", "of somebody", "left hemisphere"} <= set(written)
    assert written.count("A") == 2
    assert set(re.findall(r"font-family: ([^;]*)", text)) != set()
    assert all("sans-serif" in one for one in re.findall(r"font-family: ([^;]*)", text))
    assert text.count("data:image/png;base64") == 2  # the map and the colour bar
    assert re.search(r'<g id="outlines">\s*<path', text)
    assert len(text) < 1_000_000
    figure.savefig(tmp_path / "again.svg", metadata={"Date": None})
    figure.savefig(tmp_path / "more.svg", metadata={"Date": None})
    assert (tmp_path / "again.svg").read_bytes() == (tmp_path / "more.svg").read_bytes()


def test_a_subject_can_be_named_with_its_filestore(filestore, subject, columns):
    named = flatmap(columns, "tiny", filestore=filestore)
    given_whole = flatmap(columns, subject)
    np.testing.assert_array_equal(*[
        one.axes[0].images[0].get_array() for one in (named, given_whole)
    ])  # fmt: skip
    assert named.get_suptitle() == "tiny"
    with pytest.raises(DataError, match=r"no subject 'tinny' \(did you mean 'tiny'\?\)"):
        flatmap(columns, "tinny", filestore=filestore)
    with pytest.raises(
        ValueError, match=r"filestore is .* and subject that of a filestore already"
    ):
        flatmap(columns, subject, filestore=filestore)


@pytest.mark.parametrize(("n", "whose"), [(81_126, "UTS01"), (94_251, "UTS02"), (95_556, "UTS03")])
def test_values_of_somebody_else_are_told_with_counts_of_both(subject, n, whose):
    said = rf"values have {n:,} voxels.*has 1,824.*{whose}.*236 vertices"
    with pytest.raises(AlignmentError, match=said):
        flatmap(np.zeros(n), subject)


def test_it_draws_into_one_axes(subject, columns):
    figure = Figure(figsize=(8, 4))
    ax = figure.subplots()
    assert flatmap(columns, subject, axes=ax, title="here") is figure
    assert len(ax.images) == 1
    assert figure.get_suptitle() == "here"
    assert names_of(ax) == ["A", "A", "B"]
    with pytest.raises(ValueError, match="axes are 2; expected one"):
        flatmap(columns, subject, axes=Figure().subplots(1, 2))


def test_the_user_s_settings_stay(subject, columns, tmp_path):
    before = dict(mpl.rcParams)
    flatmap(columns, subject).savefig(tmp_path / "map.svg")
    assert dict(mpl.rcParams) == before


def test_that_nothing_has_a_value_is_told_once(subject, columns):
    with pytest.warns(VoxscaleWarning, match="no voxel has a value: all are NaN") as told:
        flatmap_of_any_size(np.full(columns.shape, np.nan), subject, n_rows=40)
    assert len(told) == 1
    assert told[0].filename == __file__


def test_a_colour_map_and_ends_that_are_none(subject, columns):
    with pytest.raises(ValueError, match=r"cmap is 'jett' \(did you mean 'jet'\?\)"):
        flatmap(columns, subject, cmap="jett")
    with pytest.raises(ValueError, match="vmin is 1 and vmax is 0; expected vmin below vmax"):
        flatmap(columns, subject, vmin=1, vmax=0)
