"""Files that change while an array in them is read."""

from __future__ import annotations

import os
import shutil

import h5py
import numpy as np
import pytest
import zarr

from voxscale.arrays import _sources
from voxscale.arrays._columns import Columns, read_ahead
from voxscale.errors import DataError

FIRST, LATER = slice(0, 8), slice(40, 60)


@pytest.fixture
def whole(rng):
    """Return numbers none of which is zero, which a hole in a file would read as."""
    return rng.uniform(1, 2, (200, 1000))


def end_well_or_in_words(source, whole, match):
    """Read everything: each block holds the right numbers, or there is one DataError."""

    def read_all():
        for block, values in read_ahead(source, blocks, "float64"):
            np.testing.assert_array_equal(values, whole[:, block])

    blocks = [slice(i, i + 100) for i in range(0, whole.shape[1], 100)]
    with pytest.raises(DataError, match=match):
        read_all()


# Memory maps.


@pytest.mark.parametrize("view", [np.asarray, lambda m: m, lambda m: m[10:, 3:], lambda m: m.T])
@pytest.mark.parametrize("n_kept", [0, 127, 5000, 1_600_127])
def test_a_memory_map_that_was_cut_short_is_told(tmp_path, whole, view, n_kept):
    np.save(tmp_path / "y.npy", whole)
    source = Columns.of(view(np.load(tmp_path / "y.npy", mmap_mode="r")))
    source.read(FIRST, "float64")
    os.truncate(tmp_path / "y.npy", n_kept)
    told = rf"Y: columns 40\.\.59 of .*y\.npy could not.*{n_kept} bytes, 1600128 are mapped"
    with pytest.raises(DataError, match=told):
        source.read(LATER, "float64")
    with pytest.raises(DataError, match=r"Y: rows 2\.\.4 of .*y\.npy could not"):
        source.rows([4, 2], "float64")


def test_a_memory_map_with_an_offset_is_measured_from_the_beginning_of_its_file(tmp_path, whole):
    whole.tofile(tmp_path / "y.bin")
    offset = 8 * 1000 * 100
    values = np.memmap(tmp_path / "y.bin", float, "r", offset=offset, shape=(100, 1000))
    source = Columns.of(values)
    np.testing.assert_array_equal(source.read(LATER, "float64"), whole[100:, LATER])
    os.truncate(tmp_path / "y.bin", whole.nbytes - 1)
    with pytest.raises(DataError, match="1599999 bytes, 1600000 are mapped"):
        source.read(LATER, "float64")


def test_a_memory_map_whose_name_is_gone_still_has_its_numbers(tmp_path, whole):
    np.save(tmp_path / "y.npy", whole)
    source = Columns.of(np.load(tmp_path / "y.npy", mmap_mode="r"))
    (tmp_path / "y.npy").unlink()
    np.testing.assert_array_equal(source.read(LATER, "float64"), whole[:, LATER])


# HDF5.

LAYOUTS = [
    {},
    {"chunks": (10, 10)},
    {"chunks": (200, 10), "compression": "gzip"},
    {"chunks": (10, 100), "maxshape": (None, None), "fletcher32": True},
]


@pytest.fixture(params=LAYOUTS, ids=["one piece", "chunks", "gzip", "resizable"])
def hdf5(request, tmp_path, whole):
    with h5py.File(tmp_path / "y.h5", "w") as file:
        file.create_dataset("deep/y", data=whole, **request.param)
        file.create_dataset("z", data=whole)
    return tmp_path / "y.h5"


@pytest.mark.parametrize("share", [0, 0.2, 0.9, 0.999])
def test_an_hdf5_file_that_was_cut_short_is_told(hdf5, whole, share):
    with h5py.File(hdf5) as file:
        source = Columns.of(file["deep/y"])
        np.testing.assert_array_equal(source.read(FIRST, "float64"), whole[:, FIRST])
        os.truncate(hdf5, int(share * hdf5.stat().st_size))
        end_well_or_in_words(source, whole, r"y\.h5, dataset '/deep/y' could not")


def test_an_hdf5_file_that_was_closed_is_told(hdf5, whole):
    with h5py.File(hdf5) as file:
        source = Columns.of(file["deep/y"], "responses")
        source.read(FIRST, "float64")
    told = (
        r"responses: columns 40\.\.59 of \S*y\.h5, dataset '/deep/y' could not be read "
        r"\(its file was closed\); expected it to stay open"
    )
    with pytest.raises(DataError, match=told):
        source.read(LATER, "float64")
    with pytest.raises(DataError, match=r"Y cannot be opened \(.*open the file again"):
        Columns.of(source.values)


def test_an_hdf5_file_that_is_closed_between_blocks_ends_reading_ahead(hdf5, whole):
    file = h5py.File(hdf5)
    blocks = read_ahead(Columns.of(file["deep/y"]), [FIRST, FIRST, LATER, LATER], "float64")
    next(blocks)
    file.close()
    with pytest.raises(DataError, match=r"y\.h5"):
        list(blocks)


@pytest.mark.parametrize("shape", [(200, 50), (150, 1000), (300, 1000)])
def test_a_dataset_that_was_resized_is_told(tmp_path, whole, shape):
    with h5py.File(tmp_path / "y.h5", "w") as file:
        dataset = file.create_dataset("y", data=whole, maxshape=(None, None))
        source = Columns.of(dataset)
        dataset.resize(shape)
        with pytest.raises(DataError, match=r"has shape \(.*now, \(200, 1000\) when it was opened"):
            source.read(LATER, "float64")
        dataset.resize(whole.shape)
        if shape != (300, 1000):  # what was cut off is zeros now
            with pytest.raises(DataError, match=r"it holds \d+ bytes now"):
                source.read(LATER, "float64")


def test_an_hdf5_file_whose_name_is_gone_still_has_its_numbers(hdf5, whole):
    with h5py.File(hdf5) as file:
        source = Columns.of(file["deep/y"])
        hdf5.unlink()
        hdf5.write_bytes(b"another file")
        np.testing.assert_array_equal(source.read(LATER, "float64"), whole[:, LATER])


def test_an_hdf5_file_in_memory_has_no_size(tmp_path, whole):
    with h5py.File(tmp_path / "y.h5", "w", driver="core", backing_store=False) as file:
        source = Columns.of(file.create_dataset("y", data=whole))
        np.testing.assert_array_equal(source.read(LATER, "float64"), whole[:, LATER])


@pytest.mark.parametrize("trouble", ["gone", "cut short"])
@pytest.mark.parametrize("kind", ["virtual", "external"])
def test_numbers_in_another_file_are_watched(tmp_path, whole, kind, trouble):
    other = tmp_path / "other"
    if kind == "external":
        whole.tofile(other)
        with h5py.File(tmp_path / "y.h5", "w") as file:
            parts = [(str(other), 0, whole.nbytes)]
            file.create_dataset("y", whole.shape, float, external=parts)
    else:
        with h5py.File(other, "w") as file:
            file["part"] = whole
        layout = h5py.VirtualLayout(whole.shape, float)
        layout[:] = h5py.VirtualSource("other", "part", whole.shape)
        with h5py.File(tmp_path / "y.h5", "w") as file:
            file.create_virtual_dataset("y", layout)
    with h5py.File(tmp_path / "y.h5") as file:
        source = Columns.of(file["y"])
        np.testing.assert_array_equal(source.read(FIRST, "float64"), whole[:, FIRST])
        if trouble == "gone":
            other.unlink()
        else:
            os.truncate(other, 5000)
        with pytest.raises(DataError, match=r"its file \S*other is gone or was cut short"):
            source.read(LATER, "float64")


# zarr.


def make_zarr(where, whole, **options):
    options = {"chunks": (50, 20), **options}
    group = zarr.create_group(where, overwrite=True)
    array = group.create_array("y", shape=whole.shape, dtype="f8", fill_value=0, **options)
    array[:] = whole
    return array


@pytest.mark.parametrize(
    "options", [{}, {"shards": (100, 40)}, {"compressors": None}, {"chunk_key_encoding": "v2"}]
)
def test_a_chunk_that_is_gone_is_told_and_not_read_as_the_fill_value(tmp_path, whole, options):
    if "chunk_key_encoding" in options:
        options = {"chunk_key_encoding": {"name": "v2", "separator": "."}}
    array = make_zarr(tmp_path / "y.zarr", whole, **options)
    source = Columns.of(zarr.open_array(tmp_path / "y.zarr", path="y", mode="r"))
    np.testing.assert_array_equal(source.read(LATER, "float64"), whole[:, LATER])
    shape = array.shards or array.chunks
    key = array.metadata.encode_chunk_key((1, 40 // shape[1]))
    (tmp_path / "y.zarr" / "y" / key).unlink()
    told = rf"columns 40\.\.59 of file:\S*y\.zarr/y could not be read \(1 chunks are gone.*{key}\)"
    with pytest.raises(DataError, match=told):
        source.read(LATER, "float64")
    with pytest.raises(DataError, match=r"rows 120\.\.120 of|rows 60\.\.60 of"):
        source.rows([120 if array.shards else 60], "float64")
    np.testing.assert_array_equal(source.read(FIRST, "float64"), whole[:, FIRST])


def test_an_array_that_is_gone_is_told(tmp_path, whole):
    source = Columns.of(make_zarr(tmp_path / "y.zarr", whole))
    shutil.rmtree(tmp_path / "y.zarr")
    with pytest.raises(DataError, match="chunks are gone"):
        source.read(FIRST, "float64")


def test_a_chunk_that_goes_while_it_is_read_is_told(tmp_path, whole):
    array = make_zarr(tmp_path / "y.zarr", whole)

    class Late:
        """Loses its chunks just before they are read."""

        def __getattr__(self, name):
            return getattr(array, name)

        def __getitem__(self, place):
            shutil.rmtree(tmp_path / "y.zarr" / "y" / "c")
            return array[place]

    with pytest.raises(DataError, match="chunks are gone"):
        Columns.of(Late()).read(FIRST, "float64")


def test_chunks_that_were_never_written_are_the_fill_value(tmp_path):
    array = zarr.create_array(tmp_path / "y.zarr", shape=(9, 9), chunks=(3, 3), dtype="f4")
    array[:3] = 1
    source = Columns.of(array)
    np.testing.assert_array_equal(source.read(slice(0, 4), "float32")[:, 0], [1] * 3 + [0] * 6)
    (tmp_path / "y.zarr" / "c" / "0" / "1").unlink()
    with pytest.raises(DataError, match="1 chunks are gone"):
        source.read(slice(0, 4), "float32")
    source.read(slice(0, 3), "float32")


@pytest.mark.parametrize("shape", [(200, 500), (100, 1000)])
def test_an_array_that_another_shrank_is_told(tmp_path, whole, shape):
    array = make_zarr(tmp_path / "y.zarr", whole)
    source = Columns.of(zarr.open_array(tmp_path / "y.zarr", path="y", mode="r"))
    mine = Columns.of(array)
    array.resize(shape)
    end_well_or_in_words(source, whole, "chunks are gone")
    end_well_or_in_words(mine, whole, r"has shape \(.*now")


@pytest.mark.parametrize("content", [b"", b"x", None])
def test_a_chunk_that_was_cut_short_is_told(tmp_path, whole, content):
    source = Columns.of(make_zarr(tmp_path / "y.zarr", whole))
    chunk = tmp_path / "y.zarr" / "y" / "c" / "0" / "2"
    chunk.write_bytes(chunk.read_bytes()[:-9] if content is None else content)
    with pytest.raises(DataError, match=r"columns 40\.\.59 of .*y\.zarr/y could not be read"):
        source.read(LATER, "float64")


def test_chunks_of_other_stores_are_counted_where_they_are_few(whole, monkeypatch):
    for few, is_told in ((1000, True), (10, False)):
        monkeypatch.setattr(_sources, "_FEW_CHUNKS", few)
        store = zarr.storage.MemoryStore()
        source = Columns.of(make_zarr(store, whole))
        np.testing.assert_array_equal(source.read(LATER, "float64"), whole[:, LATER])
        del store._store_dict["y/c/0/2"]
        if is_told:
            with pytest.raises(DataError, match="1 chunks are gone"):
                source.read(LATER, "float64")
        else:
            assert not source.read(LATER, "float64")[:50].any()
