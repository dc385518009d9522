"""Pixels of flat maps, against planted truths and loops."""

from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest
from scipy.sparse import csr_array

from voxscale.data import read_pycortex_subject
from voxscale.errors import AlignmentError, DataError, VoxscaleError, VoxscaleWarning
from voxscale.reports import (
    PixelMap,
    _fsaverage_sheets,
    _pixel_maps,
    flat_picture,
    fsaverage_pixel_map,
    pixel_map,
)
from voxscale.reports._pixel_grid import pixel_grid
from voxscale.store import cache_folder

pytest.importorskip("nibabel")
N_ROWS = 81  # centres 0.2 mm apart, as the sheets are 16 mm high


@pytest.fixture(scope="module")
def subject(tiny_pycortex, tmp_path_factory):
    return read_pycortex_subject(tiny_pycortex.write_subject(tmp_path_factory.mktemp("db")))


@pytest.fixture(scope="module")
def pixels(subject, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VOXSCALE_CACHE", str(tmp_path_factory.mktemp("cache")))
        return pixel_map(subject, n_rows=N_ROWS)


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("VOXSCALE_CACHE", str(tmp_path / "cache"))
    return cache_folder("pixel-maps")


def centres(pixels):
    """Return x and y of each pixel, (n_rows, n_columns), in flat coordinates."""
    left, right, bottom, top = pixels.extent
    n_rows, n_columns = pixels.shape
    x = left + (right - left) / n_columns * (np.arange(n_columns) + 0.5)
    y = top - (top - bottom) / n_rows * (np.arange(n_rows) + 0.5)
    return np.meshgrid(x, y)


def in_space(x, side):
    """Return x in space for x on the flat map: the sheets meet at 0, each 24 mm wide."""
    return x + 24 - 31.0 if side == "lh" else x + 5.0


def test_the_grid_spans_the_sheets_from_centre_to_centre(pixels):
    x, y = centres(pixels)
    np.testing.assert_allclose([x[0, 0], x[0, -1], y[0, 0], y[-1, 0]], [-24, 24, 8, -8])
    assert pixels.shape == (N_ROWS, 3 * N_ROWS)
    assert pixels.inside.all()
    assert pixels.value_shape == (5, 12, 40)


def test_a_pixel_shows_the_voxels_of_its_column(pixels, tiny_pycortex):
    """Volumes that hold the index of each voxel along x, y and z."""
    index = dict(zip("zyx", np.indices(tiny_pycortex.SHAPE), strict=True))
    x, y = centres(pixels)
    space = np.where(x < 0, in_space(x, "lh"), in_space(x, "rh"))
    along = (space + 33.0) / 2.0, (y + 8.0 + 2.0) / 2.0
    for name, place in zip("xy", along, strict=True):
        is_clear = (np.abs(place % 1 - 0.5) > 0.01) & (np.abs(x) > 0.3)  # not at a voxel's edge
        found = pixels.picture(index[name])
        np.testing.assert_allclose(found[is_clear], np.rint(place)[is_clear])
        assert is_clear.mean() > 0.85
    depths = np.linspace(0.2, 3.2, 34)[1:-1]
    np.testing.assert_allclose(pixels.picture(index["z"]), np.rint(depths + 0.5).mean(), rtol=1e-6)


def test_rows_of_weights_sum_to_one(pixels):
    np.testing.assert_allclose(pixels.weights.sum(axis=1), 1.0, rtol=1e-6)
    assert pixels.weights.data.min() > 0


def test_loops_give_the_same_mean(subject, rng, own_cache):
    """Curved surfaces: each pixel walked through by hand, in the triangle that holds it."""
    pixels = pixel_map(subject, n_rows=23, n_depths=7)
    values = rng.standard_normal(subject.transform().shape)
    picture = pixels.picture(values)
    flat, matrix = subject.flat, subject.transform().matrix
    pia, wm = (
        np.concatenate([mesh.points for mesh in subject.surface(kind)]) for kind in ("pia", "wm")
    )
    x, y = centres(pixels)
    for row, column in rng.integers(0, pixels.shape, (40, 2)):
        if abs(x[row, column]) < 0.5:
            continue
        answers = []
        for face in flat.faces:
            (a, b), c = flat.points[face[:2]] - flat.points[face[2]], flat.points[face[2]]
            s, t = np.linalg.solve(
                np.array([a, b]).T, [x[row, column] - c[0], y[row, column] - c[1]]
            )
            if min(s, t, 1 - s - t) < -1e-9:
                continue
            shares = np.array([s, t, 1 - s - t])
            total = 0.0
            for k in range(1, 8):
                point = shares @ (pia[face] * k / 8 + wm[face] * (1 - k / 8))
                i, j, k_slice = np.round((matrix @ [*point, 1.0])[:3]).astype(int)
                total += values[k_slice, j, i] / 7
            answers.append(total)
        assert any(abs(picture[row, column] - answer) < 1e-6 for answer in answers)


def test_what_is_no_answer_is_left_out_of_the_mean(pixels, tiny_pycortex):
    values = np.indices(tiny_pycortex.SHAPE)[0].astype(float)
    depths = np.rint(np.linspace(0.2, 3.2, 34)[1:-1] + 0.5)
    values[2] = np.nan
    values[1, :, :20] = np.inf
    x, _ = centres(pixels)
    right = pixels.picture(values)[:, x[0] > 3.0]
    np.testing.assert_allclose(right, depths[depths != 2].mean(), rtol=1e-6)
    left = pixels.picture(values)[:, x[0] < -3.0]
    np.testing.assert_allclose(left, depths[depths > 2].mean(), rtol=1e-6)
    masked = np.ma.masked_array(np.ones(values.shape), mask=np.isnan(values))
    np.testing.assert_allclose(pixels.picture(masked), 1.0)
    assert np.isnan(pixels.picture(np.full(values.shape, np.nan))).all()


def test_pixels_outside_the_volume_have_no_answer(tiny_pycortex, tmp_path, own_cache):
    folder = tiny_pycortex.write_subject(tmp_path)
    (folder / "transforms/scan/mask_thick.nii.gz").unlink()
    tiny_pycortex.save_volume(folder / "transforms/scan/reference.nii.gz", np.zeros((5, 12, 20)))
    pixels = pixel_map(read_pycortex_subject(folder), n_rows=N_ROWS)
    picture = pixels.picture(np.ones((5, 12, 20)))
    x, _ = centres(pixels)
    assert np.isnan(picture[x > 3.5]).all()  # beyond the last of 20 columns, at 5 + 2 mm
    assert (picture[x < -0.3] == 1.0).all()
    assert pixels.inside.all()


def test_a_mask_of_the_scan_decides_where_values_go(subject, rng, own_cache):
    mask = subject.mask()
    values = rng.standard_normal(mask.sum())
    picture, pixels = flat_picture(values, subject, n_rows=N_ROWS)
    whole = np.zeros(mask.shape)
    whole[mask] = values
    everywhere = pixels.picture(whole)
    again, _ = flat_picture(subject.volume(values), subject, n_rows=N_ROWS)
    np.testing.assert_array_equal(picture, again)
    assert np.isnan(picture).mean() < 0.2
    full = pixels.picture(mask.astype(float)) > 1 - 1e-6
    np.testing.assert_allclose(picture[full], everywhere[full], rtol=1e-5, atol=1e-6)


def test_vertices_are_shown_by_the_nearest(subject, rng, own_cache):
    values = rng.standard_normal(subject.n_vertices)
    picture, pixels = flat_picture(values, subject, n_rows=N_ROWS)
    x, y = centres(pixels)
    used = np.unique(subject.flat.faces)
    for row, column in rng.integers(0, pixels.shape, (60, 2)):
        place = x[row, column], y[row, column]
        distance = np.linalg.norm(subject.flat.points[used] - place, axis=1)
        nearest = values[used[distance < distance.min() + 1e-6]]
        assert np.isclose(picture[row, column], nearest).any()


def test_vertices_may_be_interpolated(subject, own_cache):
    """A field that is linear on each sheet is shown as it is."""
    slope = subject.flat.points @ [2.0, -3.0]
    picture, pixels = flat_picture(slope, subject, interpolation="linear", n_rows=N_ROWS)
    x, y = centres(pixels)
    np.testing.assert_allclose(picture, 2 * x - 3 * y, atol=1e-4)


def test_the_curvature_is_that_of_the_nearest_vertex(subject, pixels):
    by_hand = pixel_map(subject, on="vertices", n_rows=N_ROWS).picture(subject.curvature)
    np.testing.assert_allclose(pixels.curvature, by_hand)


def test_the_first_of_two_triangles_is_taken_and_no_area_covers_nothing():
    points = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0], [4.0, 4.0]])
    faces = np.array([[0, 1, 2], [0, 0, 3], [1, 2, 0], [1, 3, 2]])
    grid = pixel_grid(points, faces, 5)
    assert grid.inside.all()
    assert (np.sort(grid.corners, axis=1) == [0, 1, 2]).all(axis=1).sum() == 15
    places = np.einsum("pk,pkc->pc", grid.barycentric, points[grid.corners])
    x, y = np.meshgrid(np.arange(5.0), np.arange(4.0, -1, -1))
    np.testing.assert_allclose(places, np.column_stack([x.ravel(), y.ravel()]), atol=1e-12)
    assert grid.extent == (-0.5, 4.5, -0.5, 4.5)


def test_pixels_beside_the_triangles_are_outside():
    points = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    grid = pixel_grid(points, np.array([[0, 1, 2]]), 11)
    x, y = np.meshgrid(np.arange(11), np.arange(10, -1, -1))
    np.testing.assert_array_equal(grid.inside, x + y <= 10)


def test_borders_hold_the_pixels_inside_and_no_others():
    from matplotlib.path import Path

    inside = np.zeros((9, 14), bool)
    inside[2:7, :5] = True
    inside[4, 2] = False  # a hole
    inside[1:3, 9:] = True
    weights = csr_array((int(inside.sum()), 1))
    pixels = PixelMap(weights, inside, (-7.0, 7.0, 0.0, 18.0), (1,), np.zeros(inside.shape))
    assert len(pixels.borders) == 3
    assert all((line[0] == line[-1]).all() for line in pixels.borders)
    x, y = centres(pixels)
    places = np.column_stack([x.ravel(), y.ravel()])
    held = sum(Path(line).contains_points(places).astype(int) for line in pixels.borders) % 2
    np.testing.assert_array_equal(held.reshape(inside.shape), inside)


def test_a_map_is_kept_and_read_again(subject, own_cache, monkeypatch):
    first = pixel_map(subject, n_rows=20)
    assert len(list(own_cache.glob("*.npz"))) == 1
    monkeypatch.setattr(_pixel_maps, "pixel_grid", None)  # it is not made again
    again = pixel_map(subject, n_rows=20)
    assert (again.weights != first.weights).nnz == 0
    np.testing.assert_array_equal(again.inside, first.inside)
    np.testing.assert_array_equal(again.curvature, first.curvature)
    assert (again.extent, again.value_shape) == (first.extent, first.value_shape)


@pytest.mark.parametrize(
    "spoil", [lambda b: b[:100], lambda b: b"", lambda b: b[:3000] + b"!" * 9 + b[3009:]]
)
def test_a_damaged_map_is_made_again(subject, own_cache, spoil):
    first = pixel_map(subject, n_rows=20)
    (kept,) = own_cache.glob("*.npz")
    whole = kept.read_bytes()
    kept.write_bytes(spoil(whole))
    again = pixel_map(subject, n_rows=20)
    assert (again.weights != first.weights).nnz == 0
    assert pixel_map(subject, n_rows=20).extent == first.extent
    assert len(kept.read_bytes()) == len(whole)


def test_other_files_or_settings_have_maps_of_their_own(tiny_pycortex, tmp_path, own_cache):
    folder = tiny_pycortex.write_subject(tmp_path / "db")
    subject = read_pycortex_subject(folder)
    pixel_map(subject, n_rows=20)
    for settings in ({"n_depths": 3}, {"on": "vertices"}, {"n_rows": 21}):
        pixel_map(subject, **{"n_rows": 20, **settings})
    pixel_map(subject, n_rows=20, on="vertices", interpolation="linear")
    assert len(list(own_cache.glob("*.npz"))) == 5
    points, faces = tiny_pycortex.sheet()
    moved = points + np.array([-31.0, 0.0, 2.2])
    tiny_pycortex.save_surface(folder / "surfaces/pia_lh.gii", moved, faces)
    pixel_map(subject, n_rows=20)
    np.savez(folder / "surface-info/curvature.npz", left=np.ones(118), right=np.ones(118))
    assert (pixel_map(read_pycortex_subject(folder), n_rows=20).curvature == 1).all()
    assert len(list(own_cache.glob("*.npz"))) == 7


def test_a_cache_that_cannot_be_written_is_told_once_and_does_no_harm(
    subject, tmp_path, monkeypatch
):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("VOXSCALE_CACHE", str(tmp_path / "file"))
    with pytest.warns(VoxscaleWarning, match="pixels are not kept.*a file, not a folder"):
        assert pixel_map(subject, n_rows=20).shape[0] == 20


def test_what_does_not_fit_is_told(subject, pixels, tiny_pycortex, tmp_path):
    with pytest.raises(AlignmentError, match=r"shape \(3,\); expected \(5, 12, 40\)"):
        pixels.picture(np.zeros(3))
    with pytest.raises(AlignmentError, match=r"94,251 voxels.*UTS02.* each of 236 vertices"):
        flat_picture(np.zeros(94_251), subject)
    with pytest.raises(ValueError, match="on is 'pixels'; expected 'voxels' or 'vertices'"):
        pixel_map(subject, on="pixels")
    with pytest.raises(ValueError, match="n_rows is 5; expected 16 or more"):
        pixel_map(subject, n_rows=5)
    with pytest.raises(ValueError, match="n_depths is 0"):
        pixel_map(subject, n_depths=0)
    with pytest.raises(ValueError, match="interpolation is 'cubic'"):
        pixel_map(subject, interpolation="cubic")
    with pytest.raises(ValueError, match="subject is 'S1'; expected 'fsaverage5', or what"):
        flat_picture(np.zeros(3), "S1")
    folder = tiny_pycortex.write_subject(tmp_path)
    points, faces = tiny_pycortex.sheet()
    tiny_pycortex.save_surface(folder / "surfaces/wm_rh.gii", points[:-1], faces)
    with pytest.raises(AlignmentError, match=r"surface wm of subject tiny has 235 .*flat one 236"):
        pixel_map(read_pycortex_subject(folder), n_rows=20)
    (folder / "surfaces/flat_rh.gii").unlink()
    with pytest.raises(DataError, match="no surface 'flat'"):
        flat_picture(np.zeros(3), read_pycortex_subject(folder))
    weights = csr_array((3, 4))
    with pytest.raises(AlignmentError, match=r"shape \(3, 4\).*expected \(2, 4\)"):
        PixelMap(weights, np.array([[True, True]]), (0, 1, 0, 1), (4,), np.zeros((1, 2)))


def test_vertices_of_fsaverage_lie_where_nilearn_says(own_cache, rng):
    datasets = pytest.importorskip("nilearn.datasets")
    meshes = datasets.load_fsaverage("fsaverage5")["flat"].parts
    picture, pixels = flat_picture(np.arange(20_484.0), n_rows=200)
    left, right, bottom, top = pixels.extent
    width = {side: np.asarray(meshes[side].coordinates)[:, 0] for side in ("left", "right")}
    for side, first in (("left", 0), ("right", 10_242)):
        points, faces = np.asarray(meshes[side].coordinates), np.asarray(meshes[side].faces)
        shift = -width["left"].max() if side == "left" else -width["right"].min()
        for vertex in rng.choice(np.unique(faces), 40, replace=False):
            x, y = points[vertex, 0] + shift, points[vertex, 1]
            column = int((x - left) / (right - left) * pixels.shape[1])
            row = int((top - y) / (top - bottom) * pixels.shape[0])
            shown = picture[row, column]
            if np.isnan(shown):  # on the edge
                continue
            assert (shown >= 10_242) == (side == "right")
            found = points[int(shown) - first]
            assert (
                np.hypot(found[0] - points[vertex, 0], found[1] - y) < 3.0
            )  # mm; vertices are 3 apart
    folds = datasets.load_fsaverage_data("fsaverage5", mesh_type="flat", data_type="curvature")
    stored = np.concatenate([np.ravel(folds.data.parts[side]) for side in ("left", "right")])
    inside = pixels.inside
    np.testing.assert_allclose(pixels.curvature[inside], -stored[picture[inside].astype(int)])


def test_fsaverage_without_nilearn_is_told(own_cache, monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(_fsaverage_sheets, "version", missing)
    with pytest.raises(VoxscaleError, match=r"pip install 'voxscale\[brain\]'"):
        fsaverage_pixel_map()
