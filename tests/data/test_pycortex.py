"""Subjects of pycortex, against a miniature one that was made by hand."""

import json
import shutil

import numpy as np
import pytest

from voxscale.data import FlatSurface, SurfaceMesh, read_pycortex_subject
from voxscale.errors import AlignmentError, DataError

nibabel = pytest.importorskip("nibabel")


@pytest.fixture(scope="module")
def filestore(tiny_pycortex, tmp_path_factory):
    folder = tmp_path_factory.mktemp("db")
    tiny_pycortex.write_subject(folder)
    return folder


@pytest.fixture
def subject(filestore):
    return read_pycortex_subject(filestore)


@pytest.fixture
def mendable(tiny_pycortex, tmp_path):
    """Return a subject's folder that a test may spoil."""
    return tiny_pycortex.write_subject(tmp_path)


def test_a_filestore_and_a_subjects_folder_are_the_same(filestore):
    for found in (
        read_pycortex_subject(filestore),
        read_pycortex_subject(filestore, "tiny"),
        read_pycortex_subject(filestore / "tiny"),
        read_pycortex_subject(str(filestore / "tiny"), "tiny"),
    ):
        assert (found.name, found.folder) == ("tiny", filestore / "tiny")


def test_what_there_is_is_listed(subject):
    assert subject.transforms == ("scan",)
    assert subject.surfaces == ("flat", "pia", "wm")
    assert subject.masks() == ("thick",)
    assert subject.outline_layers == ("rois", "sulci")
    assert subject.n_vertices == 2 * 118


def test_a_transform_takes_mm_to_voxels(subject, tiny_pycortex):
    transform = subject.transform()
    assert (transform.name, transform.shape) == ("scan", tiny_pycortex.SHAPE)
    first = np.array([tiny_pycortex.FIRST])
    np.testing.assert_allclose(transform.voxel_coordinates(first), [[0, 0, 0]], atol=1e-12)
    far = first + np.array([[8.0, 6.0, 1.0]])
    np.testing.assert_allclose(transform.voxel_coordinates(far), [[4, 3, 1]], atol=1e-12)
    np.testing.assert_allclose(transform.affine @ [4, 3, 1, 1], [*far[0], 1])


def test_masked_values_are_in_c_order_with_x_fastest(subject, tiny_pycortex):
    mask = subject.mask()
    np.testing.assert_array_equal(mask, tiny_pycortex.thick_mask())
    values = np.arange(mask.sum())
    volume = subject.volume(values)
    assert volume[1, 0, 2] == 0
    assert volume[1, 0, 3] == 1
    assert volume[1, 1, 2] == 38
    assert volume[2, 0, 2] == 38 * 12
    assert np.isnan(volume[0]).all()
    assert np.isnan(volume[:, :, :2]).all()


def test_a_whole_volume_is_kept_and_masked_values_are_no_answer(subject, tiny_pycortex, rng):
    values = rng.standard_normal(tiny_pycortex.SHAPE)
    np.testing.assert_array_equal(subject.volume(values), values)
    hidden = np.ma.masked_greater(values, 0)
    np.testing.assert_array_equal(np.isnan(subject.volume(hidden)), values > 0)


def test_masks_that_are_not_stored_are_made_from_distance(tiny_pycortex, tmp_path):
    tiny_pycortex.write_subject(tmp_path, mask=False)
    subject = read_pycortex_subject(tmp_path)
    assert subject.masks() == ()
    middle = np.concatenate([mesh.points for mesh in subject.surface("fiducial")])
    for name, distance in (("thick", 8.0), ("thin", 2.0)):
        mask = subject.mask(mask=name)
        for z, y, x in ((0, 0, 0), (2, 3, 1), (4, 11, 39), (2, 5, 20), (3, 9, 12), (4, 11, 15)):
            centre = np.array(tiny_pycortex.FIRST) + np.array([x, y, z]) * tiny_pycortex.VOXEL
            nearest = min(np.linalg.norm(centre - point) for point in middle)
            assert mask[z, y, x] == (nearest < distance)
        assert 0 < mask.sum() < mask.size


def test_the_fiducial_surface_is_half_way(subject):
    for side, mesh in zip(("lh", "rh"), subject.surface("fiducial"), strict=True):
        assert np.allclose(mesh.points[:, 2], 1.7), side


def test_the_sheets_lie_side_by_side_and_keep_their_vertices(subject):
    flat = subject.flat
    assert isinstance(flat, FlatSurface)
    assert flat.bounds == (-24.0, 24.0, -8.0, 8.0)
    left, right = flat.points[:118], flat.points[118:]
    np.testing.assert_allclose(right - left, np.tile([24.0, 0.0], (118, 1)))
    assert flat.faces.shape == (2 * 192, 3)
    assert flat.faces[:192].max() < 118 <= flat.faces[192:].min()


def test_curvature_is_read_left_first_or_computed(tiny_pycortex, tmp_path, subject):
    stored = subject.curvature
    np.testing.assert_allclose(stored[[0, 117, 118, 235]], [-1, 1, 1, -1])
    tiny_pycortex.write_subject(tmp_path, curvature=False)
    computed = read_pycortex_subject(tmp_path).curvature
    inner = computed[N_INNER]
    np.testing.assert_allclose(inner, 0.0, atol=1e-9)  # the sheet is flat
    assert np.isnan(computed[[117, 235]]).all()  # in no triangle


N_INNER = [4 * 13 + 6, 118 + 4 * 13 + 6]


def test_names_that_are_not_there_are_told_with_those_that_are(filestore, subject, tmp_path):
    with pytest.raises(DataError, match=r"no subject 'tinny' \(did you mean 'tiny'\?\).*: tiny\."):
        read_pycortex_subject(filestore, "tinny")
    with pytest.raises(DataError, match="is the folder of tiny; expected that of 'S1'"):
        read_pycortex_subject(filestore / "tiny", "S1")
    with pytest.raises(DataError, match="nowhere does not exist; expected a folder of subjects"):
        read_pycortex_subject(filestore / "nowhere")
    with pytest.raises(DataError, match="holds no subject of pycortex"):
        read_pycortex_subject(tmp_path)
    with pytest.raises(DataError, match="is a file; expected a filestore"):
        read_pycortex_subject(filestore / "tiny" / "overlays.svg")
    with pytest.raises(DataError, match=r"no transform 'scam' \(did you mean 'scan'\?\)"):
        subject.transform("scam")
    with pytest.raises(DataError, match=r"no mask 'thic' \(did you mean 'thick'\?\).*thick, thin"):
        subject.mask(mask="thic")
    with pytest.raises(DataError, match=r"no surface 'inflated'.*: flat, pia, wm\."):
        subject.surface("inflated")
    with pytest.raises(DataError, match=r"no layer 'roi' \(did you mean 'rois'\?\)"):
        subject.outlines("roi")


def test_one_of_several_must_be_named(mendable, tiny_pycortex):
    tiny_pycortex.write_subject(mendable.parent, "other")
    with pytest.raises(DataError, match=r"holds 2 subjects: other, tiny; name one"):
        read_pycortex_subject(mendable.parent)
    subject = read_pycortex_subject(mendable.parent, "tiny")
    shutil.copytree(mendable / "transforms/scan", mendable / "transforms/second")
    with pytest.raises(DataError, match=r"has 2 transforms: scan, second; .*pass transform="):
        read_pycortex_subject(mendable.parent, "tiny").transform()
    assert subject.transform("second").name == "second"
    (mendable / "transforms/second").rename(mendable / "transforms/tiny_auto")
    assert read_pycortex_subject(mendable).transform().name == "tiny_auto"


@pytest.mark.parametrize(
    ("count", "whose"), [(81_126, "UTS01"), (94_251, "UTS02"), (95_556, "UTS03")]
)
def test_wrong_voxel_counts_are_told_on_both_sides(subject, count, whose):
    n = subject.mask().sum()
    with pytest.raises(
        AlignmentError,
        match=rf"values have {count:,} voxels, mask_thick of scan has {n:,}.*number of {whose}'s",
    ):
        subject.volume(np.zeros(count))
    with pytest.raises(AlignmentError, match=r"has .*; name the subject, transform and mask"):
        subject.volume(np.zeros(n + 1))
    with pytest.raises(
        AlignmentError, match=r"shape \(40, 12, 5\), those of scan have \(5, 12, 40\)"
    ):
        subject.volume(np.zeros((40, 12, 5)))
    with pytest.raises(AlignmentError, match=r"shape \(2, 3\); expected \(n_voxels,\)"):
        subject.volume(np.zeros((2, 3)))


def test_content_that_was_not_fetched_is_told(mendable):
    pointer = "/annex/objects/MD5E-s123--0123456789abcdef.gii\n"
    (mendable / "surfaces/pia_lh.gii").write_text(pointer)
    (mendable / "transforms/scan/mask_thick.nii.gz").write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    )
    subject = read_pycortex_subject(mendable)
    with pytest.raises(DataError, match=r"pia_lh\.gii is a git-annex pointer.*datalad get"):
        subject.surface("pia")
    with pytest.raises(DataError, match=r"mask_thick\.nii\.gz is a Git LFS pointer"):
        subject.mask()


def test_the_shape_is_a_masks_where_the_reference_is_missing(mendable, tiny_pycortex):
    reference = mendable / "transforms/scan/reference.nii.gz"
    reference.unlink()
    subject = read_pycortex_subject(mendable)
    assert subject.transform().shape == tiny_pycortex.SHAPE
    (mendable / "transforms/scan/mask_thick.nii.gz").unlink()
    with pytest.raises(DataError, match=r"reference\.nii\.gz does not exist"):
        subject.transform()


def spoil_matrix(folder):
    text = json.dumps({"coord": np.zeros((4, 4)).tolist()})
    (folder / "transforms/scan/matrices.xfm").write_text(text)


def spoil_text(folder):
    (folder / "transforms/scan/matrices.xfm").write_text("{")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [(spoil_matrix, "not invertible; expected an affine"), (spoil_text, "is no transform")],
)
def test_a_damaged_transform_is_told(mendable, spoil, message):
    spoil(mendable)
    with pytest.raises(DataError, match=message):
        read_pycortex_subject(mendable).transform()


@pytest.mark.parametrize("size", [10, 400, -50])
def test_a_surface_cut_short_is_told(mendable, size):
    path = mendable / "surfaces/wm_rh.gii"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DataError, match=r"wm_rh\.gii"):
        read_pycortex_subject(mendable).surface("wm")


@pytest.mark.parametrize(
    ("text", "other"),
    [("UTF-8", "UTFX8"), ("POINTSET", "LABEL"), ("TRIANGLE", "POINTSET")],
)
def test_what_is_no_surface_is_told(mendable, text, other):
    path = mendable / "surfaces/wm_rh.gii"
    path.write_text(path.read_text().replace(text, other))
    with pytest.raises(DataError, match=r"wm_rh\.gii (is no complete GIFTI surface|holds \d sets)"):
        read_pycortex_subject(mendable).surface("wm")


@pytest.mark.parametrize("size", [10, 30, -10])
def test_a_mask_cut_short_is_told(mendable, size):
    path = mendable / "transforms/scan/mask_thick.nii.gz"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DataError, match=r"mask_thick\.nii\.gz"):
        read_pycortex_subject(mendable).mask()


def test_parts_of_different_subjects_are_told(mendable, tiny_pycortex):
    tiny_pycortex.save_volume(
        mendable / "transforms/scan/mask_thick.nii.gz", np.ones((5, 12, 39), np.uint8)
    )
    np.savez(mendable / "surface-info/curvature.npz", left=np.zeros(3), right=np.zeros(4))
    points, faces = tiny_pycortex.sheet()
    tiny_pycortex.save_surface(mendable / "surfaces/pia_lh.gii", points[:-1], faces)
    subject = read_pycortex_subject(mendable)
    with pytest.raises(AlignmentError, match=r"\(5, 12, 39\).*\(5, 12, 40\)"):
        subject.mask()
    with pytest.raises(AlignmentError, match="has 7 values, the surfaces have 236 vertices"):
        _ = subject.curvature
    with pytest.raises(AlignmentError, match="wm has 118, pia has 117"):
        subject.surface("fiducial")


def test_surfaces_of_numpy_are_read(mendable):
    mesh = read_pycortex_subject(mendable).surface("pia")[0]
    (mendable / "surfaces/pia_lh.gii").unlink()
    np.savez(mendable / "surfaces/pia_lh.npz", pts=mesh.points, polys=mesh.faces)
    again = read_pycortex_subject(mendable).surface("pia")[0]
    np.testing.assert_array_equal(again.points, mesh.points)
    np.testing.assert_array_equal(again.faces, mesh.faces)


@pytest.mark.parametrize("size", [0, 30, 300, -5])
def test_a_curvature_cut_short_is_told(mendable, size):
    path = mendable / "surface-info/curvature.npz"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DataError, match=r"curvature\.npz (is empty|does not hold the arrays left)"):
        _ = read_pycortex_subject(mendable).curvature
    np.savez(path, left=np.zeros(118))
    with pytest.raises(DataError, match=r"the arrays left and right \('right is not a file"):
        _ = read_pycortex_subject(mendable).curvature
    np.savez(path, left=np.array([None]), right=np.zeros(118))
    with pytest.raises(DataError, match="Object arrays cannot be loaded"):
        _ = read_pycortex_subject(mendable).curvature


def test_triangles_name_vertices_that_there_are():
    with pytest.raises(DataError, match="name vertices 0 to 3; expected 0 to 2"):
        SurfaceMesh(np.zeros((3, 3)), np.array([[0, 1, 3]]))
    with pytest.raises(DataError, match="not all finite"):
        SurfaceMesh(np.full((3, 3), np.nan), np.array([[0, 1, 2]]))
    with pytest.raises(DataError, match=r"shape \(3, 2\); expected \(n_points, 3\)"):
        SurfaceMesh(np.zeros((3, 2)), np.array([[0, 1, 2]]))
