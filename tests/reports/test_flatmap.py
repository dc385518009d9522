import sys
from importlib.metadata import PackageNotFoundError

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from voxscale.errors import VoxscaleError, VoxscaleWarning
from voxscale.reports import _fsaverage_sheets, flatmap
from voxscale.reports._flatmap import face_values
from voxscale.reports._style import layer_colours
from voxscale.store import cache_folder

nilearn_datasets = pytest.importorskip("nilearn.datasets")

N = 20_484
HALF = N // 2


@pytest.fixture(scope="module")
def surfaces():
    """Return flat and pial coordinates and flat faces per side, straight from nilearn."""
    meshes = nilearn_datasets.load_fsaverage("fsaverage5")
    return {
        side: {
            "flat": np.asarray(meshes["flat"].parts[side].coordinates)[:, :2],
            "pial": np.asarray(meshes["pial"].parts[side].coordinates),
            "faces": np.asarray(meshes["flat"].parts[side].faces),
        }
        for side in ("left", "right")
    }


def pixels(figure):
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].astype(int)


def colour_at(figure, image, ax, xy):
    column, row = ax.transData.transform(xy)
    return image[image.shape[0] - 1 - int(row), int(column)]


def is_grey(colour):
    return np.ptp(colour) <= 8


def near(surface, position):
    """Return the vertex on the flat sheet whose pial position is nearest."""
    distance = np.linalg.norm(surface["pial"] - np.asarray(position), axis=1)
    distance[np.setdiff1d(np.arange(HALF), np.unique(surface["faces"]))] = np.inf
    return int(np.argmin(distance))


@pytest.mark.parametrize(("side", "x"), [("left", -1), ("right", 1)])
@pytest.mark.parametrize("place", [(58, -25, 5), (45, 25, 12), (40, -70, 20)])
def test_a_planted_vertex_is_coloured_where_nilearn_says_it_lies(surfaces, side, x, place):
    position = (x * place[0], place[1], place[2])
    vertex = near(surfaces[side], position)
    assert np.sign(surfaces[side]["pial"][vertex, 0]) == x
    # The vertex and its neighbours: one alone is smaller than a pixel or two.
    faces = surfaces[side]["faces"]
    patch = np.unique(faces[(faces == vertex).any(axis=1)])
    values = np.full(N, np.nan)
    values[patch + (HALF if side == "right" else 0)] = 1.0

    figure = flatmap(values, vmin=0, vmax=2)
    image = pixels(figure)
    axes = {"left": figure.axes[0], "right": figure.axes[1]}

    assert not is_grey(colour_at(figure, image, axes[side], surfaces[side]["flat"][vertex]))
    other = "right" if side == "left" else "left"
    for shown, vertices in ((other, near(surfaces[other], (-position[0], *position[1:]))),):
        mirrored = surfaces[shown]["flat"][vertices]
        assert is_grey(colour_at(figure, image, axes[shown], mirrored))
        assert is_grey(colour_at(figure, image, axes[side], mirrored))


def test_colours_are_those_of_the_colour_map(surfaces):
    values = np.zeros(N)
    values[HALF:] = 1.0
    figure = flatmap(values, cmap="viridis", vmin=0, vmax=1)
    image = pixels(figure)
    middle = {s: surfaces[s]["flat"][near(surfaces[s], (x * 60, -20, 5))] for s, x in SIGNS}
    dark = colour_at(figure, image, figure.axes[0], middle["left"])
    light = colour_at(figure, image, figure.axes[1], middle["right"])
    np.testing.assert_allclose(dark, (68, 1, 84), atol=2)
    np.testing.assert_allclose(light, (253, 231, 37), atol=2)


SIGNS = (("left", -1), ("right", 1))


def test_hemispheres_and_colour_bar_are_labelled(frozen):
    figure = flatmap(frozen(np.linspace(0, 1, N)), label="correlation")
    left, right, bar = figure.axes
    assert left.get_title() == "left hemisphere"
    assert right.get_title() == "right hemisphere"
    assert "front" in left.texts[0].get_text()
    assert "back" in right.texts[0].get_text()
    assert bar.get_ylabel() == "correlation"


def test_fronts_point_outwards(surfaces):
    for side, sign in (("left", -1), ("right", 1)):
        vertices = np.unique(surfaces[side]["faces"])
        x = surfaces[side]["flat"][vertices, 0]
        front = surfaces[side]["pial"][vertices, 1]
        assert np.sign(np.corrcoef(x, front)[0, 1]) == sign
    figure = flatmap(np.zeros(N), vmin=0, vmax=1)
    assert figure.axes[0].texts[0].get_text().startswith("← front")
    assert figure.axes[1].texts[0].get_text().endswith("front →")


def test_a_subject_names_the_figure_and_the_surface_does_not():
    assert flatmap(np.zeros(N), "demo01", vmax=1).get_suptitle() == "demo01"
    assert flatmap(np.zeros(N), vmax=1).get_suptitle() == ""
    assert flatmap(np.zeros(N), "demo01", title="r", vmax=1).get_suptitle() == "r"


@pytest.mark.parametrize("n", [10_242, 95_556])
def test_a_wrong_number_of_values_says_what_was_expected(n):
    with pytest.raises(ValueError, match=rf"of subject 'UTS03' have shape \({n},\).*\(20484,\)"):
        flatmap(np.zeros(n), "UTS03")


def test_two_axes_of_values_are_refused():
    with pytest.raises(ValueError, match=r"values have shape \(1, 20484\); expected \(20484,\)"):
        flatmap(np.zeros((1, N)))


@pytest.mark.filterwarnings("ignore:no voxel has a value")
def test_nothing_but_nan_shows_the_folds_alone(frozen):
    image = pixels(flatmap(frozen(np.full(N, np.nan)), label="r"))[:, :780]
    assert np.ptp(image, axis=2).max() <= 40  # text and shades of grey


@pytest.mark.filterwarnings("ignore:no voxel has a value")
def test_infinities_are_no_answer():
    values = np.full(N, np.inf)
    values[:HALF] = 0.5
    figure = flatmap(values)
    folds = flatmap(np.full(N, np.nan))
    np.testing.assert_array_equal(painted(figure.axes[1]), painted(folds.axes[1]))
    shown = painted(figure.axes[0])
    np.testing.assert_array_equal(shown[..., 3], np.where(outside("left"), 0, 255))
    assert len(np.unique(shown[~outside("left")], axis=0)) == 1


def painted(ax):
    """Return the colours at the pixels of a sheet."""
    return np.asarray(ax.images[-1].get_array())


def outside(side):
    return _fsaverage_sheets.fsaverage_sheets()[side].face_at < 0


@pytest.mark.parametrize(
    ("vmin", "vmax", "extend"),
    [
        (0, 1, "neither"),
        (0.1, 1, "min"),
        (0, 0.9, "max"),
        (0.1, 0.9, "both"),
        (None, None, "neither"),
    ],
)
def test_arrows_tell_that_values_lie_beyond_the_colour_bar(vmin, vmax, extend):
    figure = flatmap(np.linspace(0, 1, N), vmin=vmin, vmax=vmax)
    assert figure.axes[2]._colorbar.extend == extend


def crossed(a, b):
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def test_a_triangle_across_a_cut_is_left_out(surfaces):
    for side in ("left", "right"):
        flat, faces = surfaces[side]["flat"], surfaces[side]["faces"]
        longest = np.array([
            max(np.linalg.norm(flat[f[i]] - flat[f[(i + 1) % 3]]) for i in range(3)) for f in faces
        ])  # fmt: skip
        sheet = _fsaverage_sheets.fsaverage_sheets()[side]
        kept = faces[longest <= 30]
        np.testing.assert_array_equal(sheet.faces, kept)
        assert len(kept) < len(faces)
        a, b, c = (flat[kept[:, i]] for i in range(3))
        area = np.abs(crossed(b - a, c - a)).sum() / 2
        left, right, bottom, top = sheet.extent
        pixel = (right - left) * (top - bottom) / sheet.face_at.size
        assert (~outside(side)).sum() * pixel == pytest.approx(area, rel=0.005)


def test_every_pixel_lies_in_its_triangle(surfaces):
    rng = np.random.default_rng(0)
    for side in ("left", "right"):
        sheet = _fsaverage_sheets.fsaverage_sheets()[side]
        rows, columns = (axis[::97] for axis in np.nonzero(sheet.face_at >= 0))
        left, right, bottom, top = sheet.extent
        n_rows, n_columns = sheet.face_at.shape
        x = left + (right - left) * (columns + 0.5) / n_columns
        y = bottom + (top - bottom) * (rows + 0.5) / n_rows
        corners = surfaces[side]["flat"][sheet.faces[sheet.face_at[rows, columns]]]
        point = np.stack([x, y], axis=1)
        signs = [
            crossed(corners[:, (i + 1) % 3] - corners[:, i], point - corners[:, i])
            for i in range(3)
        ]
        inside = np.all(np.array(signs) >= -1e-9, axis=0) | np.all(np.array(signs) <= 1e-9, axis=0)
        assert inside.all()
        bare = rng.permutation(np.argwhere(sheet.face_at < 0))[:50]  # no triangle is missed
        for row, column in bare:
            at = np.array([
                left + (right - left) * (column + 0.5) / n_columns,
                bottom + (top - bottom) * (row + 0.5) / n_rows,
            ])  # fmt: skip
            every = surfaces[side]["flat"][sheet.faces]
            sides = np.array([
                crossed(every[:, (i + 1) % 3] - every[:, i], at - every[:, i]) for i in range(3)
            ])  # fmt: skip
            assert not (np.all(sides > 1e-9, axis=0) | np.all(sides < -1e-9, axis=0)).any()


def test_levels_have_ticks_of_their_own_and_are_never_averaged():
    layers = [3, 9, 27]
    values = np.random.default_rng(0).choice([3.0, 9.0, 27.0, np.nan], N)
    figure = flatmap(values, levels=layers, label="layer")
    assert [tick.get_text() for tick in figure.axes[2].get_yticklabels()] == ["3", "9", "27"]
    shown = painted(figure.axes[0])[~outside("left")].astype(int)
    coloured = shown[np.ptp(shown[:, :3], axis=1) > 8]
    ours = 255 * np.array(layer_colours(3))
    found = np.unique(coloured, axis=0)
    assert len(found) == 3
    assert all(np.abs(ours - one).max(axis=1).min() <= 1 for one in found)


def test_a_value_between_levels_is_refused():
    with pytest.raises(ValueError, match=r"values hold 4; expected only the levels \[3.0, 9.0\]"):
        flatmap(np.full(N, 4.0), levels=[3, 9])


@pytest.mark.parametrize("single", [True, False])
@pytest.mark.filterwarnings("ignore:no voxel has a value")
def test_alpha_mixes_colours_with_the_folds(single, frozen):
    values = np.full(N, 0.5)
    values[HALF:] = np.nan
    alpha = 0.25 if single else frozen(np.full(N, 0.25))
    options = {"vmin": 0, "vmax": 1, "cmap": "plasma"}
    folds = painted(flatmap(np.full(N, np.nan)).axes[0])[~outside("left")].astype(float)
    figure = flatmap(values, alpha=alpha, **options)
    found = painted(figure.axes[0])[~outside("left")].astype(float)
    colour = 255 * np.array(mpl.colormaps["plasma"](0.5)[:3])
    np.testing.assert_allclose(found[:, :3], 0.25 * colour + 0.75 * folds[:, :3], atol=1)
    assert (found[:, 3] == 255).all()
    bare = painted(flatmap(values, alpha=alpha, curvature=False, **options).axes[0])
    np.testing.assert_allclose(np.unique(bare[~outside("left")][:, 3]), [64])


def test_without_folds_nan_is_clear():
    values = np.full(N, np.nan)
    values[:HALF] = 0.5
    figure = flatmap(values, curvature=False)
    assert not painted(figure.axes[1])[..., 3].any()
    np.testing.assert_array_equal(painted(figure.axes[0])[..., 3] == 0, outside("left"))


def test_an_svg_holds_text(tmp_path):
    flatmap(np.linspace(0, 1, N), label="correlation").savefig(tmp_path / "map.svg")
    assert ">correlation</text>" in (tmp_path / "map.svg").read_text()


def test_outlines_of_fsaverage5_are_refused():
    with pytest.raises(ValueError, match=r"outlines is 'sulci', but fsaverage5 has none"):
        flatmap(np.zeros(N), outlines="sulci")


def test_one_axes_is_too_few():
    with pytest.raises(ValueError, match="axes are not two; expected one for each hemisphere"):
        flatmap(np.zeros(N), axes=Figure().subplots())


def test_it_draws_into_axes_at_hand(frozen):
    figure = Figure(figsize=(8, 4))
    axes = figure.subplots(1, 2)
    assert flatmap(frozen(np.arange(N)), axes=axes) is figure
    assert all(painted(ax)[..., 3].any() for ax in axes)


def test_faces_take_the_mean_of_what_is_known():
    nan = np.nan
    corners = np.array([[1, 2, 6], [1, nan, 2], [nan, nan, 5], [nan, nan, nan]], dtype=float)
    np.testing.assert_array_equal(face_values(corners, is_discrete=False), [3, 1.5, 5, nan])
    np.testing.assert_array_equal(face_values(corners, is_discrete=True), [2, 1, 5, nan])


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """Return an empty folder of kept sheets; nothing of it stays in memory."""
    monkeypatch.setenv("VOXSCALE_CACHE", str(tmp_path / "cache"))
    _fsaverage_sheets.fsaverage_sheets.cache_clear()
    yield cache_folder("flat-sheets")
    _fsaverage_sheets.fsaverage_sheets.cache_clear()


def in_a_new_process():
    """Forget what is in memory, as a new process has not read it."""
    _fsaverage_sheets.fsaverage_sheets.cache_clear()


@pytest.mark.parametrize("levels", [None, [0, 1]])
def test_kept_sheets_give_the_same_picture_without_nilearn(own_cache, monkeypatch, frozen, levels):
    values = frozen(np.random.default_rng(1).choice([0, 1, np.nan], N))
    made = pixels(flatmap(values, levels=levels))
    assert len(list(own_cache.glob("*.npz"))) == 1
    in_a_new_process()
    monkeypatch.setitem(sys.modules, "nilearn", None)
    np.testing.assert_array_equal(pixels(flatmap(values, levels=levels)), made)
    found_again = _fsaverage_sheets.fsaverage_sheets()
    monkeypatch.undo()
    for side, again in _fsaverage_sheets.made_sheets().items():
        ours = found_again[side]
        assert ours.extent == again.extent
        for name in ("xy", "faces", "sulcal_depth", "face_at"):
            kept, found = getattr(ours, name), getattr(again, name)
            assert kept.dtype == found.dtype
            np.testing.assert_array_equal(kept, found)


@pytest.mark.parametrize(
    "spoil", [lambda b: b[:100], lambda b: b"", lambda b: b[:9000] + b"!" * 9 + b[9009:]]
)
def test_damaged_sheets_are_made_again(own_cache, spoil, frozen):
    values = frozen(np.linspace(0, 1, N))
    made = pixels(flatmap(values))
    whole = {path: path.read_bytes() for path in own_cache.glob("*.npz")}
    for path, content in whole.items():
        path.write_bytes(spoil(content))
    in_a_new_process()
    np.testing.assert_array_equal(pixels(flatmap(values)), made)
    assert {path: path.read_bytes() for path in own_cache.glob("*.npz")} == whole


def test_where_sheets_cannot_be_kept_one_warning_says_so(own_cache, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("VOXSCALE_CACHE", str(tmp_path / "file"))
    with pytest.warns(VoxscaleWarning, match="pixels are not kept.*a file, not a folder") as told:
        assert pixels(flatmap(np.zeros(N), vmax=1)).size
    assert len(told) == 1


def test_sheets_of_something_else_are_made_again(own_cache):
    flatmap(np.zeros(N), vmax=1)
    for path in own_cache.glob("*.npz"):
        with np.load(path) as parts:
            np.savez(path, **{**parts, "right_sulcal_depth": parts["right_sulcal_depth"][:7]})
    in_a_new_process()
    assert len(_fsaverage_sheets.fsaverage_sheets()["right"].sulcal_depth) == HALF


def test_without_nilearn_the_error_says_what_to_install(own_cache, monkeypatch):
    told = r"flat maps need.*pip install 'voxscale\[brain\]'"
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "nilearn", None)  # installed, but it cannot be imported
        with pytest.raises(VoxscaleError, match=told):
            flatmap(np.zeros(N), vmax=1)

    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(_fsaverage_sheets, "version", missing)
    with pytest.raises(VoxscaleError, match=told):
        flatmap(np.zeros(N), vmax=1)


@pytest.mark.parametrize("levels", [None, [0]])
@pytest.mark.parametrize(
    ("cmap", "said"),
    [
        ("jett", r"cmap is 'jett' \(did you mean 'jet'\?\); expected the name of a colour map of"),
        (7, "cmap is 7; expected the name of a colour map"),
        ("", "cmap is ''; expected the name of a colour map"),
    ],
)
def test_a_colour_map_that_matplotlib_has_not(cmap, said, levels):
    with pytest.raises(ValueError, match=said):
        flatmap(np.zeros(N), cmap=cmap, levels=levels)


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        (
            {"vmin": 1, "vmax": 0},
            "vmin is 1 and vmax is 0; expected vmin below vmax; swap them, or",
        ),
        ({"vmin": 1, "vmax": 1}, "vmin is 1 and vmax is 1; expected vmin below vmax; give another"),
        (
            {"vmin": 7},
            r"vmin is 7 and vmax is 2 \(the largest value\);.*; give vmax too, or neither",
        ),
        ({"vmax": -7}, r"vmin is -1 \(the smallest value\) and vmax is -7;.*; give vmin too, or"),
        ({"vmin": np.nan, "vmax": 1}, "vmin is nan and vmax is 1; expected"),
    ],
)
def test_ends_in_the_wrong_order_are_refused(ends, said):
    with pytest.raises(ValueError, match=said):
        flatmap(np.linspace(-1, 2, N), **ends)


def test_one_value_everywhere_needs_no_ends():
    for ends in ({}, {"vmin": 0}, {"vmax": 0}):
        flatmap(np.zeros(N), **ends)


def test_that_nothing_has_a_value_is_told_once():
    with pytest.warns(VoxscaleWarning, match="no voxel has a value: all are NaN") as told:
        flatmap(np.full(N, np.nan))
    assert len(told) == 1
    assert told[0].filename == __file__
