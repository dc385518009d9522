"""Arrays of HDF5 of which something was never written."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from voxscale.data import read_responses
from voxscale.errors import DataError, VoxscaleWarning


@pytest.fixture
def values(rng):
    """Return responses of 12 TRs and 5 voxels."""
    return rng.standard_normal((12, 5)).astype(np.float32)


def write_partly(path, values, written=(slice(5), slice(2)), **options):
    """Make an HDF5 array of chunks (5, 2) of which only some rows and columns were written."""
    with h5py.File(path, "w") as file:
        options = {"dtype": "float32", "chunks": (5, 2)} | options
        stored = file.create_dataset("data", shape=values.shape, **options)
        if written is not None:
            stored[written] = values[written]


def test_chunks_of_hdf5_that_were_never_written_are_an_error(tmp_path, values):
    path = tmp_path / "a.h5"
    write_partly(path, values)
    message = r"a\.h5: 8 of 9 chunks are missing and would be read as 0\.0; .*write them again\."
    with pytest.raises(DataError, match=message):
        read_responses(path)
    write_partly(path, values, fillvalue=-7)
    with pytest.raises(DataError, match=r"would be read as -7\.0;"):
        read_responses(path)
    write_partly(path, values, dtype="int16", written=(slice(12), slice(4)))
    with pytest.raises(DataError, match=r"3 of 9 chunks are missing and would be read as 0;"):
        read_responses(path)
    write_partly(path, values, written=None)
    with pytest.raises(DataError, match=r"all of its numbers are missing and would be read as 0"):
        read_responses(path)
    write_partly(path, np.zeros_like(values), written=(slice(12), slice(5)))
    with pytest.warns(VoxscaleWarning, match="5 of 5 voxels are constant"):
        read_responses(path)  # zeros that were written


def test_rows_that_were_cut_off_or_never_added_to_hdf5(tmp_path, values):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=values, chunks=(5, 2), maxshape=(None, 5))
        file["data"].resize((4, 5))
    np.testing.assert_array_equal(read_responses(path).values, values[:4])
    with h5py.File(path, "a") as file:
        file["data"].resize((6, 5))
    with pytest.raises(DataError, match="3 of 6 chunks are missing"):
        read_responses(path)


def test_hdf5_in_one_piece_that_was_never_written_is_an_error(tmp_path, values):
    path = tmp_path / "a.h5"
    write_partly(path, values, written=None, chunks=None)
    with pytest.raises(DataError, match=r"a\.h5: all of its numbers are missing and would be read"):
        read_responses(path)


def test_chunks_of_hdf5_that_are_missing_may_be_nan(tmp_path, values):
    path = tmp_path / "a.h5"
    write_partly(path, values, written=(slice(12), slice(4)), fillvalue=np.nan)
    with pytest.warns(VoxscaleWarning) as caught:
        read = read_responses(path).values
    missing, unscored = (str(one.message) for one in caught)
    assert "3 of 9 chunks are missing and read as NaN" in missing
    assert "1 of 5 voxels have NaN" in unscored
    assert {one.filename for one in caught} == {__file__}
    np.testing.assert_array_equal(read[:, :4], values[:, :4])
    assert np.isnan(read[:, 4]).all()


def test_virtual_and_external_arrays_of_hdf5_are_not_missing(tmp_path, values):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["data"] = values
    layout = h5py.VirtualLayout(shape=values.shape, dtype=values.dtype)
    layout[:] = h5py.VirtualSource(tmp_path / "a.h5", "data", shape=values.shape)
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        file.create_virtual_dataset("data", layout)
    values.tofile(tmp_path / "raw.bin")
    with h5py.File(tmp_path / "external.h5", "w") as file:
        external = [(str(tmp_path / "raw.bin"), 0, h5py.h5f.UNLIMITED)]
        file.create_dataset("data", shape=values.shape, dtype="float32", external=external)
    for name in ("virtual.h5", "external.h5"):
        np.testing.assert_array_equal(read_responses(tmp_path / name).values, values)
