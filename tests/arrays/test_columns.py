from __future__ import annotations

import gc
import threading
import time
import weakref

import h5py
import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from voxscale.arrays import _columns
from voxscale.arrays._columns import Columns, read_ahead
from voxscale.errors import DataError

KINDS = ["C", "F", "read-only", "slice", "memmap", "hdf5", "hdf5 in one piece", "zarr", "shards"]
DTYPES = ["int16", "uint8", "bool", "float16", "float32", "float64", ">f4"]


def stored(kind, values, folder, chunks=(3, 4)):
    """Return the same numbers in another place."""
    chunks = tuple(min(pair) for pair in zip(chunks, values.shape, strict=True))
    if kind in ("C", "F"):
        return np.array(values, order=kind)
    if kind == "read-only":
        values = values.copy()
        values.flags.writeable = False
        return values
    if kind == "slice":
        return np.repeat(values, 2, axis=1)[:, ::2]
    if kind == "memmap":
        np.save(folder / "y.npy", values)
        return np.load(folder / "y.npy", mmap_mode="r")
    if kind.startswith("hdf5"):
        file = h5py.File(folder / f"{time.monotonic_ns()}.h5", "w")
        return file.create_dataset("y", data=values, chunks=chunks if kind == "hdf5" else None)
    options = {"chunks": chunks}
    if kind == "shards":
        options["shards"] = tuple(2 * size for size in chunks)
    return zarr.create_array(folder / "y.zarr", data=values, overwrite=True, **options)


@pytest.fixture
def somewhere(tmp_path):
    return lambda kind, values, **options: stored(kind, values, tmp_path, **options)


class Elsewhere:
    """An array of somebody else, who hands out views of it and counts what is asked for."""

    def __init__(self, values, chunks=None):
        self._values, self.asked, self.chunks = values, [], chunks
        self.shape, self.dtype = values.shape, values.dtype

    def __getitem__(self, place):
        self.asked.append(place)
        return self._values[place]


@pytest.mark.parametrize("kind", KINDS)
@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(
    shape=st.tuples(st.integers(1, 9), st.integers(1, 13)),
    chunks=st.tuples(st.integers(1, 5), st.integers(1, 6)),
    dtype=st.sampled_from(DTYPES),
    wanted=st.sampled_from(["float32", "float64"]),
    width=st.integers(1, 14),
    n_ahead=st.integers(0, 3),
)
def test_blocks_of_any_width_are_the_array(
    somewhere, kind, shape, chunks, dtype, wanted, width, n_ahead
):
    rng = np.random.default_rng(sum(shape))
    whole = (rng.standard_normal(shape) * 50).clip(0 if dtype == "uint8" else -99).astype(dtype)
    source = Columns.of(somewhere(kind, whole, chunks=chunks))
    assert source.shape == shape
    assert source.dtype == whole.dtype
    blocks = [slice(i, min(i + width, shape[1])) for i in range(0, shape[1], width)]
    read = list(read_ahead(source, iter(blocks), wanted, n_ahead=n_ahead))
    assert [block for block, _ in read] == blocks
    for block, values in read:
        assert values.dtype == wanted
        assert values.flags.c_contiguous
        assert values.flags.writeable
        np.testing.assert_array_equal(values, whole[:, block].astype(wanted))
    together = np.concatenate([values for _, values in read], axis=1)
    np.testing.assert_array_equal(together, whole.astype(wanted))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("budget", [1, 40, 10**6])
def test_rows_are_as_numpy_picks_them(somewhere, rng, monkeypatch, kind, budget):
    monkeypatch.setattr(_columns, "_WINDOW_BYTES", budget)
    whole = rng.standard_normal((11, 9))
    source = Columns.of(somewhere(kind, whole))
    truth = np.arange(11) % 3 == 1
    for rows in (
        slice(None),
        slice(2, 9),
        slice(9, None, -2),
        slice(4, 4),
        [7, 0, 7, -1],
        np.array([3]),
        truth,
    ):
        found = source.rows(rows, "float32")
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, whole[rows].astype(np.float32))
    assert source.rows([], "float32").shape == (0, 9)


@pytest.mark.parametrize("rows", [11, [0, 11], [[1, 2]], [0.5], np.ones(4, dtype=bool)])
def test_rows_that_are_none_are_refused(rng, rows):
    with pytest.raises(ValueError, match=r"rows are .*of the 11 rows of X"):
        Columns.of(rng.standard_normal((11, 9)), "X").rows(rows, "float64")


def test_rows_are_read_by_whole_chunks_and_few_at_a_time(rng, monkeypatch):
    monkeypatch.setattr(_columns, "_WINDOW_BYTES", 8 * 2 * 4 * 3)
    away = Elsewhere(rng.standard_normal((10, 30)), chunks=(2, 4))
    Columns.of(away).rows([9, 2, 3, 5], "float64")
    assert all((rows.stop - rows.start) * (c.stop - c.start) <= 24 for rows, c in away.asked)
    assert all(columns.start % 4 == 0 for _, columns in away.asked)
    assert [rows for rows, columns in away.asked if columns.start == 0] == [
        slice(2, 4),
        slice(5, 6),
        slice(9, 10),
    ]


@pytest.mark.parametrize("budget", [1, 7, 19, 31, 99])
def test_no_chunk_is_read_twice_for_its_rows(rng, monkeypatch, budget):
    monkeypatch.setattr(_columns, "_WINDOW_BYTES", 8 * budget * 3)
    away = Elsewhere(rng.standard_normal((25, 10)), chunks=(4, 3))
    Columns.of(away).rows(slice(None), "float64")
    chunks = [
        (row, column)
        for rows, columns in away.asked
        for row in range(rows.start // 4, -(-rows.stop // 4))
        for column in range(columns.start // 3, -(-columns.stop // 3))
    ]
    assert sorted(chunks) == [(row, column) for row in range(7) for column in range(4)]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1.0, 2.0], r"shape \(2,\) and dtype float64"),
        (np.zeros((2, 2, 2)), r"shape \(2, 2, 2\)"),
        (np.zeros((2, 2), dtype=complex), "dtype complex128"),
        ([["a"]], "dtype <U1"),
        (None, r"shape \(\) and dtype object"),
    ],
)
def test_what_is_no_table_of_numbers_is_refused(values, said):
    with pytest.raises(ValueError, match=rf"Y has .*{said}.*; expected \(n_rows, n_columns\)"):
        Columns.of(values)


def test_datasets_without_a_table_of_numbers_are_refused(tmp_path):
    with h5py.File(tmp_path / "y.h5", "w") as file:
        for number, data in enumerate((h5py.Empty("f4"), np.zeros(3), [[b"text"]])):
            with pytest.raises(ValueError, match="X has shape"):
                Columns.of(file.create_dataset(str(number), data=data), "X")


def test_nested_lists_and_tensors_become_arrays():
    import torch

    for values in ([[1, 2], [3, 4]], ((1, 2), (3, 4)), torch.tensor([[1, 2], [3, 4]])):
        source = Columns.of(values)
        assert source.is_in_memory
        np.testing.assert_array_equal(source.read(slice(1, 2), "float64"), [[2], [4]])
        assert Columns.of(source) is source


@pytest.mark.parametrize(
    "block", [slice(-1, 2), slice(0, 5), slice(3, 2), slice(0, 4, 2), slice(5, 5)]
)
def test_blocks_beyond_the_columns_are_refused(block):
    with pytest.raises(ValueError, match=r"block is slice.*of the 4 columns"):
        Columns.of(np.zeros((2, 4))).read(block, "float64")


def test_a_block_without_ends_is_everything():
    assert Columns.of(np.zeros((2, 4))).read(slice(None), "float64").shape == (2, 4)
    assert Columns.of(np.zeros((2, 4))).read(slice(4, 4), "float64").shape == (2, 0)


@pytest.mark.parametrize("dtype", ["float16", "int64", "complex128"])
def test_other_dtypes_are_refused(dtype):
    for read in (Columns.of(np.zeros((2, 4))).read, Columns.of(np.zeros((2, 4))).rows):
        with pytest.raises(ValueError, match=f"dtype is {dtype}; expected float32 or float64"):
            read(slice(0, 2), dtype)


def test_what_is_too_large_is_infinite():
    source = Columns.of(np.array([[1e300, -1e300, np.nan]]))
    np.testing.assert_array_equal(source.read(slice(0, 3), "float32"), [[np.inf, -np.inf, np.nan]])
    np.testing.assert_array_equal(source.rows([0], "float32"), [[np.inf, -np.inf, np.nan]])


@pytest.mark.parametrize("kind", ["C", "F", "memmap", "hdf5", "zarr"])
def test_what_was_read_is_a_copy(somewhere, rng, kind):
    whole = rng.standard_normal((3, 4))
    source = Columns.of(somewhere(kind, whole))
    source.read(slice(0, 4), "float64")[:] = 0
    source.rows(slice(0, 3), "float64")[:] = 0
    np.testing.assert_array_equal(source.read(slice(0, 4), "float64"), whole)


def test_views_of_others_are_copied(rng):
    away = Elsewhere(rng.standard_normal((3, 4)))
    Columns.of(away).read(slice(0, 4), "float64")[:] = 0
    assert away[:, :].all()


def test_what_others_keep_is_copied():
    class Kept(Elsewhere):
        def __getitem__(self, place):
            return self._values

    away = Kept(np.ones((3, 4)))
    Columns.of(away).read(slice(0, 4), "float64")[:] = 0
    assert away[:].all()


@pytest.mark.parametrize(
    ("kind", "chunk_width"),
    [("C", 1), ("F", 1), ("memmap", 1), ("hdf5", 4), ("hdf5 in one piece", 1), ("zarr", 4)],
)
def test_blocks_can_be_whole_chunks(somewhere, kind, chunk_width):
    source = Columns.of(somewhere(kind, np.zeros((5, 10))))
    assert source.chunk_width == chunk_width
    assert source.aligned(9) == 9 // chunk_width * chunk_width
    assert source.aligned(3) == 3
    with pytest.raises(ValueError, match="width is 0; expected 1 column"):
        source.aligned(0)


def test_chunks_wider_than_the_array_are_as_wide_as_it_and_uneven_ones_do_not_count(tmp_path):
    wide = zarr.create_array(tmp_path / "y.zarr", shape=(5, 10), chunks=(9, 64), dtype="f4")
    assert Columns.of(wide).chunk_width == 10
    uneven = Elsewhere(np.zeros((5, 10)), chunks=((2, 3), (4, 6)))
    assert Columns.of(uneven).chunk_width == 1


@pytest.mark.parametrize("kind", KINDS)
def test_only_what_is_read_from_disk_is_worth_reading_ahead(somewhere, kind):
    is_on_disk = kind in ("memmap", "shards") or kind.startswith(("hdf5", "zarr"))
    source = Columns.of(somewhere(kind, np.zeros((5, 10))))
    assert source.is_in_memory != is_on_disk


def test_a_plain_view_of_a_memory_map_is_still_on_disk(somewhere):
    values = np.asarray(somewhere("memmap", np.zeros((5, 10))))[1:, ::2].T
    assert type(values) is np.ndarray
    assert not Columns.of(values).is_in_memory


def test_fewer_numbers_than_were_asked_for_are_told():
    class Short(Elsewhere):
        def __getitem__(self, place):
            return self._values[place][:-1]

    source = Columns.of(Short(np.zeros((3, 4))), "X")
    told = r"X: columns 1\.\.2 of an array of type Short could not be read \(shape \(2, 2\) came"
    with pytest.raises(DataError, match=told):
        source.read(slice(1, 3), "float32")
    with pytest.raises(DataError, match=r"X: rows 1\.\.1 of an array of type Short"):
        source.rows([1], "float32")


def test_a_lack_of_memory_is_not_blamed_on_the_file():
    class Huge(Elsewhere):
        def __getitem__(self, place):
            raise MemoryError

    with pytest.raises(MemoryError):
        Columns.of(Huge(np.zeros((3, 4)))).read(slice(0, 1), "float32")


# Reading ahead.

BLOCKS = [slice(i, i + 2) for i in range(0, 12, 2)]


def readers():
    return [one for one in threading.enumerate() if one.name.startswith("voxscale-read-ahead")]


class Slow(Elsewhere):
    """Waits to be allowed each read; notes the thread."""

    def __init__(self, values, *, at_once=99, fail_at=None):
        super().__init__(values)
        self.allowed, self.fail_at, self.threads = threading.Semaphore(at_once), fail_at, set()

    def __getitem__(self, place):
        self.threads.add(threading.current_thread().name)
        self.allowed.acquire()
        if place[1].start == self.fail_at:
            raise OSError("the disk is gone")
        return super().__getitem__(place)


def wait_for(condition):
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.001)


def test_what_is_in_memory_is_read_without_a_thread():
    for values in read_ahead(Columns.of(np.ones((3, 12))), BLOCKS, "float32", n_ahead=3):
        assert values[1].all()
        assert readers() == []
    away = Slow(np.ones((3, 12)))
    assert len(list(read_ahead(Columns.of(away), BLOCKS, "float32", n_ahead=0))) == 6
    assert away.threads == {threading.current_thread().name}


@pytest.mark.parametrize("n_ahead", [1, 2, 4])
def test_the_next_blocks_are_read_meanwhile_and_no_more_of_them(n_ahead):
    away = Slow(np.ones((3, 12)))
    blocks = read_ahead(Columns.of(away), BLOCKS, "float32", n_ahead=n_ahead)
    assert away.asked == []
    for n_yielded in (1, 2):
        next(blocks)
        wait_for(lambda: len(away.asked) >= n_yielded + n_ahead)  # noqa: B023
        time.sleep(0.02)
        assert len(away.asked) == n_yielded + n_ahead
    assert threading.current_thread().name not in away.threads
    blocks.close()
    assert readers() == []


def test_a_block_that_was_yielded_is_held_by_its_consumer_alone():
    blocks = read_ahead(Columns.of(Slow(np.ones((3, 12)))), BLOCKS, "float32")
    held = weakref.ref(next(blocks)[1])
    gc.collect()
    assert held() is None
    blocks.close()


def test_an_error_belongs_to_its_block():
    away = Slow(np.ones((3, 12)), fail_at=6)
    blocks = read_ahead(Columns.of(away, "Y"), BLOCKS, "float32", n_ahead=2)
    assert [next(blocks)[0].start for _ in range(3)] == [0, 2, 4]
    with pytest.raises(DataError, match=r"Y: columns 6\.\.7 .*the disk is gone"):
        next(blocks)
    assert readers() == []
    assert away.asked[-1][1].start <= 10
    with pytest.raises(StopIteration):
        next(blocks)


def test_who_stops_early_leaves_no_thread():
    source = Columns.of(Slow(np.ones((3, 12))))
    for _ in read_ahead(source, BLOCKS, "float32"):
        break
    assert readers() == []

    def fail():
        for _ in read_ahead(source, BLOCKS, "float32"):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert readers() == []
    read_ahead(source, BLOCKS, "float32")  # never begun
    assert readers() == []


def test_closing_waits_for_the_read_under_way_and_drops_the_others():
    away = Slow(np.ones((3, 12)), at_once=1)
    blocks = read_ahead(Columns.of(away), BLOCKS, "float32", n_ahead=4)
    next(blocks)
    wait_for(lambda: len(readers()) == 1)
    away.allowed.release()
    threading.Timer(0.05, away.allowed.release, [99]).start()
    blocks.close()
    assert readers() == []
    assert len(away.asked) <= 3


def test_blocks_that_cannot_be_had_end_the_thread():
    def blocks():
        yield from BLOCKS[:3]
        raise ZeroDivisionError

    ahead = read_ahead(Columns.of(Slow(np.ones((3, 12)))), blocks(), "float32")
    with pytest.raises(ZeroDivisionError):
        list(ahead)
    assert readers() == []


def test_reading_behind_is_refused():
    with pytest.raises(ValueError, match="n_ahead is -1; expected 0"):
        read_ahead(Columns.of(np.ones((3, 12))), BLOCKS, "float32", n_ahead=-1)
