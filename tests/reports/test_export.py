"""Maps in files of other programs, read back by nibabel."""

import gzip
import json

import numpy as np
import pytest

from voxscale.data import VoxelTransform, read_pycortex_subject
from voxscale.errors import AlignmentError, DataError
from voxscale.reports import export_map
from voxscale.reports._export_map import _affine_of

nibabel = pytest.importorskip("nibabel")


@pytest.fixture(scope="module")
def subject(tiny_pycortex, tmp_path_factory):
    return read_pycortex_subject(tiny_pycortex.write_subject(tmp_path_factory.mktemp("db")))


@pytest.fixture
def values(subject, rng, frozen):
    made = rng.standard_normal(int(subject.mask().sum()))
    made[::7] = np.nan
    return frozen(made)


def sidecar(path):
    name = path.name.split(".", 1)[0]
    return json.loads((path.parent / f"{name}.json").read_text())


def test_voxels_become_a_nifti_image_where_they_were_scanned(subject, values, tmp_path):
    (path,) = export_map(values, subject, tmp_path)
    expected = tmp_path / "sub-tiny" / "func" / "sub-tiny_space-orig_stat-r_statmap.nii.gz"
    assert path == expected
    image = nibabel.load(path)
    mask = subject.mask()
    found = image.get_fdata().T
    np.testing.assert_array_equal(found[mask], values.astype(np.float32))
    assert np.isnan(found[~mask]).all()
    assert image.get_data_dtype() == np.float32
    place = subject.transform()
    np.testing.assert_allclose(image.affine, place.affine)
    assert image.header["sform_code"] == image.header["qform_code"] == 1
    assert image.header.get_xyzt_units()[0] == "mm"
    # A voxel's scanner coordinates are those of the surfaces here, as the reference says so.
    centre = nibabel.affines.apply_affine(image.affine, [7, 4, 2])
    np.testing.assert_allclose(place.voxel_coordinates(centre), [7, 4, 2], atol=1e-6)


def test_beside_each_map_lies_what_it_is(subject, values, tmp_path):
    (path,) = export_map(values, subject, tmp_path, description="Test correlation.")
    said = sidecar(path)
    assert said["Description"] == "Test correlation."
    assert (said["SpatialReference"], said["Transform"], said["Mask"]) == ("orig", "scan", "thick")
    assert "reference image" in said["Affine"]
    assert "Of" not in said
    root = json.loads((tmp_path / "dataset_description.json").read_text())
    assert root["DatasetType"] == "derivative"
    assert root["GeneratedBy"][0]["Name"] == "voxscale"
    assert {"Name", "BIDSVersion"} <= set(root)
    assert len(list(tmp_path.rglob("*"))) == 5  # two folders, the map, its facts, the data set's


def test_without_a_reference_the_affine_leads_to_the_surfaces():
    matrix = np.array([[0.5, 0, 0, 10], [0, 0.25, 0, 3], [0, 0, 1, -2], [0, 0, 0, 1.0]])
    affine, code, said = _affine_of(VoxelTransform("scan", matrix, (2, 3, 4)))
    np.testing.assert_allclose(affine @ matrix, np.eye(4))
    assert code == 2
    assert "surfaces" in said


def test_vertices_become_a_gifti_file_for_each_hemisphere(tmp_path, rng, frozen):
    values = rng.standard_normal(20_484)
    values[5] = np.nan
    left, right = export_map(frozen(values), "demo01", tmp_path, stat="ccmax", desc="test")
    name = "sub-demo01_hemi-{}_space-fsaverage5_stat-ccmax_desc-test_statmap.func.gii"
    assert (left.name, right.name) == (name.format("L"), name.format("R"))
    for path, half, side in ((left, values[:10_242], "Left"), (right, values[10_242:], "Right")):
        image = nibabel.load(path)
        np.testing.assert_array_equal(image.darrays[0].data, half.astype(np.float32))
        assert image.meta["AnatomicalStructurePrimary"] == f"Cortex{side}"
        assert sidecar(path)["Description"].startswith("ccmax of each vertex")


def test_vertices_of_a_subject_are_in_its_own_space(subject, tmp_path):
    values = np.arange(subject.n_vertices)
    left, right = export_map(values, subject, tmp_path)
    assert "_hemi-L_space-fsnative_" in left.name
    np.testing.assert_array_equal(nibabel.load(right).darrays[0].data, values[118:])
    assert "tiny" in sidecar(left)["SpatialReference"]


def test_equal_maps_give_equal_files_and_replace_them(subject, values, tmp_path):
    (path,) = export_map(values, subject, tmp_path, task="story")
    assert path.name == "sub-tiny_task-story_space-orig_stat-r_statmap.nii.gz"
    before = path.read_bytes()
    export_map(values, subject, tmp_path, task="story")
    assert path.read_bytes() == before
    export_map(2 * values, subject, tmp_path, task="story")
    assert gzip.decompress(path.read_bytes()) != gzip.decompress(before)
    assert not [one for one in tmp_path.rglob("*") if one.name.startswith(".")]


def test_a_data_set_that_is_no_derivative_is_left_alone(subject, values, tmp_path):
    own = tmp_path / "dataset_description.json"
    own.write_text('{"Name": "scans", "BIDSVersion": "1.8.0"}')
    with pytest.raises(DataError, match=r"its data set is raw; expected a derivative"):
        export_map(values, subject, tmp_path)
    own.write_text("[]")
    with pytest.raises(DataError, match=r"is no JSON object"):
        export_map(values, subject, tmp_path)
    assert list(tmp_path.iterdir()) == [own]
    own.write_text('{"Name": "maps", "BIDSVersion": "1.8.0", "DatasetType": "derivative"}')
    export_map(values, subject, tmp_path)
    assert json.loads(own.read_text())["Name"] == "maps"


def test_names_of_subjects_become_labels(tmp_path):
    (left, _) = export_map(np.zeros(20_484), "sub-my_subject", tmp_path)
    assert left.name.startswith("sub-mysubject_hemi-L")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"subject": "fsaverage5"}, "subject is 'fsaverage5', a surface"),
        ({"subject": "sub-"}, "subject is ''; expected letters and digits"),
        ({"stat": "r²"}, "stat is 'r²'; expected letters and digits"),
        ({"task": "my-task"}, "task is 'my-task'"),
        ({"desc": ""}, "desc is ''"),
    ],
)
def test_what_cannot_be_a_label_is_refused(options, said, tmp_path):
    options = {"subject": "demo01", **options}
    with pytest.raises(ValueError, match=said):
        export_map(np.zeros(20_484), folder=tmp_path, **options)
    assert not list(tmp_path.iterdir())


def test_other_numbers_of_values_are_refused(subject, tmp_path):
    with pytest.raises(AlignmentError, match=r"values have 95,556 voxels.*UTS03"):
        export_map(np.zeros(95_556), subject, tmp_path)
    with pytest.raises(AlignmentError, match=r"values of UTS03 have shape \(95556,\)"):
        export_map(np.zeros(95_556), "UTS03", tmp_path)
    assert not list(tmp_path.iterdir())
