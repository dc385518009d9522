"""Responses of a run: where they are stored, and what is looked at."""

from __future__ import annotations

import json
import pickle
import shutil

import h5py
import numpy as np
import pytest
import zarr

from voxscale.arrays import TRSeries
from voxscale.data import _responses, _stored, check_responses, read_responses
from voxscale.errors import AlignmentError, DataError, VoxscaleWarning


@pytest.fixture
def values(rng):
    """Return responses of 12 TRs and 5 voxels."""
    return rng.standard_normal((12, 5)).astype(np.float32)


def write_npy(path, values):
    np.save(path, values)


def write_hdf5(path, values, key="data", **options):
    with h5py.File(path, "w") as file:
        file.create_dataset(key, data=values, **options)


def write_chunked_hdf5(path, values):
    write_hdf5(path, values, chunks=(5, 2), compression="gzip")


def write_zarr(path, values):
    zarr.save_array(str(path), values)


def write_zarr_group(path, values):
    group = zarr.open_group(str(path), mode="w")
    group.create_array("data", data=values, chunks=(5, 2))


WRITERS = {
    "npy": ("adollshouse.npy", write_npy),
    "hdf5 in one piece": ("adollshouse.hf5", write_hdf5),
    "hdf5 in chunks": ("adollshouse.h5", write_chunked_hdf5),
    "zarr array": ("adollshouse.zarr", write_zarr),
    "zarr group": ("adollshouse", write_zarr_group),
}
every_kind = pytest.mark.parametrize(("name", "write"), WRITERS.values(), ids=WRITERS)


# --- reading -------------------------------------------------------------------------------


@every_kind
def test_every_kind_of_file_gives_what_was_written(tmp_path, values, name, write):
    write(tmp_path / name, values)
    times = np.arange(25) * 2.0 + 1.0
    series = read_responses(str(tmp_path / name), first_tr=10, tr_times=times, n_trs=12, n_voxels=5)
    np.testing.assert_array_equal(series.values, values)
    assert series.values.dtype == np.float32
    assert (series.run, series.trs) == ("adollshouse", range(10, 22))
    np.testing.assert_array_equal(series.tr_times, times)


@every_kind
def test_blocks_of_any_size_give_the_same(tmp_path, values, monkeypatch, name, write):
    values[3, 1] = np.nan
    values[:, 2] = 7
    write(tmp_path / name, values)
    notes = []
    for n_bytes in (1, 3 * 5 * 4, 2**20):
        monkeypatch.setattr(_stored, "_BLOCK_BYTES", n_bytes)
        with pytest.warns(VoxscaleWarning) as caught:
            series = read_responses(tmp_path / name)
        np.testing.assert_array_equal(series.values, values)
        notes += [str(one.message) for one in caught]
    assert len(notes) == 3
    assert len(set(notes)) == 1


@pytest.mark.parametrize(("name", "write"), list(WRITERS.values())[:2])
@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8"])
def test_arrays_in_one_piece_are_read_only_memory_maps(tmp_path, values, name, write, dtype):
    write(tmp_path / name, values.astype(dtype))
    series = read_responses(tmp_path / name)
    assert isinstance(series.values, np.memmap)
    assert series.values.dtype == dtype
    np.testing.assert_array_equal(series.between(2, 4).values, values.astype(dtype)[2:4])
    with pytest.raises(ValueError, match="read-only"):
        series.values[0, 0] = 1


def test_a_memory_map_knows_of_a_user_block(tmp_path, values):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", userblock_size=1024) as file:
        file["data"] = values
    np.testing.assert_array_equal(read_responses(path).values, values)


def test_an_array_linked_from_another_file_is_read_from_there(tmp_path, values):
    write_hdf5(tmp_path / "b.h5", values)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["pad"] = np.zeros(1000)
        file["data"] = h5py.ExternalLink("b.h5", "data")
    np.testing.assert_array_equal(read_responses(tmp_path / "a.h5").values, values)


def test_fortran_order_is_read_as_it_is_shaped(tmp_path, values):
    np.save(tmp_path / "a.npy", np.asfortranarray(values))
    np.testing.assert_array_equal(read_responses(tmp_path / "a.npy").values, values)


def test_run_and_key_may_be_named(tmp_path, values):
    write_hdf5(tmp_path / "a.hf5", values, key="left/bold")
    series = read_responses(tmp_path / "a.hf5", run="souls", key="left/bold")
    assert series.run == "souls"
    np.testing.assert_array_equal(series.values, values)


@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.int64, ">f4", ">i2"])
@every_kind
def test_integers_and_foreign_byte_orders_become_native_floats(tmp_path, rng, name, write, dtype):
    values = rng.integers(0, 200, (12, 5)).astype(dtype)
    write(tmp_path / name, values)
    read = read_responses(tmp_path / name).values
    np.testing.assert_array_equal(read, values)
    assert read.dtype.kind == "f"
    assert read.dtype.isnative
    assert read.dtype.itemsize == (8 if dtype is np.int64 else 4)


def test_rows_past_the_tr_times_are_an_error(tmp_path, values):
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(AlignmentError, match=r"run 'a': rows cover TRs 10\.\.21, but the run has"):
        read_responses(tmp_path / "a.npy", first_tr=10, tr_times=np.arange(20.0))


# --- files that cannot be read -------------------------------------------------------------


def test_a_wrong_key_lists_the_keys(tmp_path, values):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["bold"] = values
        file["left/bold"] = values
    with pytest.raises(DataError, match=r"a\.h5: no array 'data'; .*: bold, left/bold; pass key="):
        read_responses(tmp_path / "a.h5")
    with pytest.raises(DataError, match="no array 'left'; expected one of: bold, left/bold"):
        read_responses(tmp_path / "a.h5", key="left")
    write_zarr_group(tmp_path / "b.zarr", values)
    with pytest.raises(DataError, match=r"b\.zarr: no array 'bold'; expected one of: data"):
        read_responses(tmp_path / "b.zarr", key="bold")


@pytest.mark.parametrize(("name", "write"), list(WRITERS.values())[:3])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.98])
def test_a_truncated_file_is_an_error(tmp_path, rng, name, write, share):
    path = tmp_path / name
    write(path, rng.standard_normal((200, 50)))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataError, match=rf"{name}: cannot be read .*truncated"):
        read_responses(path)


def test_a_truncated_zarr_is_an_error(tmp_path, values):
    path = tmp_path / "a.zarr"
    write_zarr_group(path, values)
    chunk = path / "data" / "c" / "1" / "1"
    content = chunk.read_bytes()
    chunk.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"a\.zarr: cannot be read"):
        read_responses(path)
    chunk.unlink()
    message = r"a\.zarr: 1 of 9 chunks are missing and would be read as 0\.0; .*write them again"
    with pytest.raises(DataError, match=message):
        read_responses(path)
    chunk.symlink_to("../.git/annex/objects/a/b/MD5E-s1--0/MD5E-s1--0")
    with pytest.raises(DataError, match=r"a\.zarr/data/c/1/1 is a git-annex link.*datalad get"):
        read_responses(path)
    chunk.unlink()
    (path / "data" / "zarr.json").write_text("{")
    with pytest.raises(DataError, match=r"a\.zarr"):
        read_responses(path)
    shutil.rmtree(path / "data")
    (path / "zarr.json").unlink()
    with pytest.raises(DataError, match=r"a\.zarr: cannot be read"):
        read_responses(path)


def test_zeros_of_a_zarr_are_read_where_they_were_written(tmp_path, values):
    values[:5, :2] = 0
    values[7] = 1
    for write_empty_chunks in (False, True):
        path = tmp_path / f"{write_empty_chunks}.zarr"
        config = {"write_empty_chunks": write_empty_chunks}
        stored = zarr.create_array(path, data=values, chunks=(5, 2), config=config)
        assert stored.nchunks_initialized == 9 - (not write_empty_chunks)
    np.testing.assert_array_equal(read_responses(path).values, values)
    with pytest.raises(DataError, match=r"1 of 9 chunks .*'write_empty_chunks': True"):
        read_responses(tmp_path / "False.zarr")


def test_chunks_of_a_zarr_that_are_missing_may_be_nan(tmp_path, values):
    path = tmp_path / "a.zarr"
    stored = zarr.create_array(
        path, shape=values.shape, chunks=(12, 1), dtype="float32", fill_value=np.nan
    )
    stored[:, 1:] = values[:, 1:]
    with pytest.warns(VoxscaleWarning) as caught:
        read = read_responses(path).values
    missing, unscored = (str(one.message) for one in caught)
    assert "1 of 5 chunks are missing and read as NaN" in missing
    assert "1 of 5 voxels have NaN" in unscored
    assert {one.filename for one in caught} == {__file__}
    np.testing.assert_array_equal(read[:, 1:], values[:, 1:])
    assert np.isnan(read[:, 0]).all()


@pytest.mark.parametrize("name", ["a.npy", "a.hf5", "a.zarr"])
def test_pointers_say_how_to_fetch_them(tmp_path, name):
    (tmp_path / name).write_text("/annex/objects/MD5E-s12345--0123abcd.hf5\n")
    with pytest.raises(DataError, match=r"git-annex pointer.*datalad get"):
        read_responses(tmp_path / name)
    (tmp_path / name).unlink()
    (tmp_path / name).symlink_to("../.git/annex/objects/a/b/MD5E-s1--0.hf5/MD5E-s1--0.hf5")
    with pytest.raises(DataError, match=r"not fetched.*datalad get"):
        read_responses(tmp_path / name)


class Trap:
    """Leaves a mark when it is unpickled."""

    def __reduce__(self):
        return pytest.fail, ("it was unpickled",)


def test_nothing_is_ever_unpickled(tmp_path):
    path = tmp_path / "a.npy"
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(DataError, match=r"a\.npy: cannot be read"):
        read_responses(path)
    trap = np.empty((2, 2), dtype=object)
    trap[0, 0] = Trap()
    np.save(path, trap, allow_pickle=True)
    with pytest.raises(DataError, match=r"a\.npy: cannot be read .*Python objects"):
        read_responses(path)


def test_other_kinds_of_file_are_refused(tmp_path, values):
    (tmp_path / "a.jbl").write_bytes(b"x")
    with pytest.raises(DataError, match=r"kind '\.jbl' cannot be read; expected one of \.hf5"):
        read_responses(tmp_path / "a.jbl")
    with (tmp_path / "b.npy").open("wb") as file:
        np.savez(file, values)
    with pytest.raises(DataError, match=r"b\.npy: holds NpzFile; expected one array"):
        read_responses(tmp_path / "b.npy")
    (tmp_path / "c.h5").write_text("hello")
    with pytest.raises(DataError, match=r"c\.h5: cannot be read .*expected an HDF5 file"):
        read_responses(tmp_path / "c.h5")
    with pytest.raises(DataError, match="does not exist"):
        read_responses(tmp_path / "d.h5")


@pytest.mark.parametrize(
    "bad", [np.zeros(4), np.zeros((2, 3, 4)), np.zeros((0, 4)), np.zeros((2, 2), complex)]
)
@pytest.mark.parametrize(
    ("name", "write"), [("a.npy", write_npy), ("a.hf5", write_hdf5), ("a.zarr", write_zarr)]
)
def test_arrays_of_another_shape_or_type_are_refused(tmp_path, name, write, bad):
    write(tmp_path / name, bad)
    with pytest.raises(DataError, match=rf"{name}.*(\(n_trs, n_voxels\)|real numbers|cannot)"):
        read_responses(tmp_path / name)


def test_the_layout_of_the_public_data_set_is_read(golden):
    folder = golden / "dataset" / "derivative"
    n_scanned = json.loads((folder / "respdict.json").read_text())
    files = sorted((folder / "preprocessed_data" / "UTS99").glob("*.hf5"))
    assert [path.stem for path in files] == ["s1a", "s1b", "s2a", "tst"]
    for path in files:
        # Scans lost 10 TRs at each end.
        series = read_responses(path, first_tr=10, n_trs=n_scanned[path.stem] - 20)
        with h5py.File(path) as file:
            np.testing.assert_array_equal(series.values, file["data"][...])


# --- checking ------------------------------------------------------------------------------


def test_good_responses_are_returned_as_they_are(values):
    values.flags.writeable = False
    assert check_responses(values, run="a") is values
    series = TRSeries(values, "a", 10)
    checked = check_responses(series, n_trs=12, n_voxels=5)
    assert checked.values is values
    assert (checked.run, checked.first_tr) == ("a", 10)


def test_integers_become_floats_of_the_same_value(frozen):
    counts = frozen([[1, 2], [3, 2**40]])
    checked = check_responses(TRSeries(counts, "a")).values
    assert checked.dtype == np.float64
    np.testing.assert_array_equal(checked, counts)


def test_nan_and_constant_voxels_are_counted_in_one_warning(values):
    values[2:, 4] = np.nan
    values[5, 1] = np.nan
    values[:, 3] = 0.1
    values.flags.writeable = False
    message = (
        r"run 'a': 2 of 5 voxels have NaN \(first at TR 12, voxel 4\), 1 are constant; "
        "they will score NaN"
    )
    with pytest.warns(VoxscaleWarning, match=message) as caught:
        checked = check_responses(TRSeries(values, "a", first_tr=10))
    assert len(caught) == 1
    assert caught[0].filename == __file__
    np.testing.assert_array_equal(checked.values, values)


def test_a_voxel_that_is_all_nan_is_not_constant_too():
    values = np.array([[np.nan, 1.0], [np.nan, 2.0]])
    with pytest.warns(VoxscaleWarning, match=r"1 of 2 voxels have NaN \(first at TR 0, voxel 0\);"):
        check_responses(values)


def test_constant_voxels_alone_are_counted():
    with pytest.warns(VoxscaleWarning, match=r"the responses: 3 of 3 voxels are constant; they"):
        check_responses(np.zeros((4, 3)))


def test_large_counts_are_spaced():
    with pytest.warns(VoxscaleWarning, match=r"95 556 of 95 556 voxels are constant"):
        check_responses(np.zeros((2, 95_556), np.float32))


@pytest.mark.parametrize("bad", [np.inf, -np.inf])
def test_infinite_values_are_an_error_that_names_the_first(values, bad):
    values[6, 2] = values[7, 0] = values[8, 2] = bad
    values[1, 1] = np.nan
    message = r"run 'a': 2 of 5 voxels hold an infinite value \(first at TR 16, voxel 2\)"
    with pytest.raises(DataError, match=message):
        check_responses(TRSeries(values, "a", first_tr=10))


@pytest.mark.parametrize(
    ("expected", "do"),
    [
        ({"n_trs": 15}, r"12 TRs × 5 voxels; expected 15 × 5; the file may be truncated"),
        ({"n_trs": 10}, "expected 10 × 5; check that these are the responses of this run"),
        ({"n_voxels": 95_556}, "expected 12 × 95 556; check that"),
        ({"n_trs": 5, "n_voxels": 12}, "expected 5 × 12; they are transposed"),
        ({"n_trs": 0}, "expected 0 × 5"),
    ],
)
def test_the_shape_must_be_as_expected(values, expected, do):
    with pytest.raises(DataError, match=f"run 'a': .*{do}"):
        check_responses(values, run="a", **expected)


def test_another_number_of_axes_or_kind_of_number_is_an_error():
    with pytest.raises(DataError, match=r"run 'a': responses have shape \(3,\)"):
        check_responses(np.zeros(3), run="a")
    with pytest.raises(DataError, match="values are of type bool"):
        check_responses(np.zeros((3, 2), bool), run="a")
    with pytest.raises(DataError, match="values are of type <U1"):
        check_responses([["a", "b"]])


def test_a_look_holds_no_copy_of_a_memory_map(tmp_path, monkeypatch):
    np.save(tmp_path / "a.npy", np.arange(4000.0).reshape(1000, 4))
    monkeypatch.setattr(_stored, "_BLOCK_BYTES", 320)
    largest = []
    blocks = _stored.row_blocks

    def watched(values):
        for start, block in blocks(values):
            largest.append(block.nbytes)
            yield start, block

    monkeypatch.setattr(_responses, "row_blocks", watched)
    read_responses(tmp_path / "a.npy")
    assert max(largest) <= 320
    assert sum(largest) == 32_000
