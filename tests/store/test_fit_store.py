from __future__ import annotations

import errno
import json
import shutil
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from voxscale.errors import StoreError
from voxscale.store import FitStore, _aside, _fit_arrays, _fit_store
from voxscale.store._durable import DurableStore
from voxscale.store._fit_header import FitHeader
from voxscale.store._fit_run import FitRun

FINGERPRINT = {"responses": "b9c1", "alphas": [1.0, 10.0], "design": {"delays": [1, 2], "n": 7}}


@pytest.fixture
def store(tmp_path):
    return FitStore(tmp_path / "results" / "fit.zarr")


def fill(run, name="scores", values=None, width=3, **options):
    """Write an array block by block, as a fit would; return the blocks that were not done."""
    values = np.arange(20.0).reshape(2, 10) if values is None else values
    array = run.array(name, shape=values.shape, dtype=values.dtype, **options)
    todo = []
    for start in range(0, values.shape[-1], width):
        stop = min(start + width, values.shape[-1])
        if not run.is_done(name, start, stop):
            array[..., start:stop] = values[..., start:stop]
            run.mark_done(name, start, stop)
            todo.append((start, stop))
    return todo


def bytes_in(folder):
    """Return what is in each file of a folder, by its name."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


# From beginning to end.


def test_a_fit_is_written_and_read(store):
    assert not store.is_finished
    with store.open(FINGERPRINT) as run:
        assert fill(run) == [(0, 3), (3, 6), (6, 9), (9, 10)]
        assert not store.is_finished
        assert store.names() == ["scores"]
        run.finish()
    assert store.is_finished
    store.check()
    array = store.array("scores")
    assert isinstance(array, zarr.Array)
    np.testing.assert_array_equal(array[:], np.arange(20.0).reshape(2, 10))
    assert store.meta() == {
        "fingerprint": FINGERPRINT,
        "is_finished": True,
        "done": {"scores": [[0, 10]]},
    }
    assert sorted(path.name for path in store.path.iterdir()) == ["scores", "zarr.json"]


def test_the_folder_is_a_group_of_zarr(store):
    with store.open(FINGERPRINT) as run:
        fill(run)
        run.array("best", shape=(10,), dtype="int64")
    group = zarr.open_group(store.path, mode="r")
    assert sorted(name for name, _ in group.arrays()) == ["best", "scores"]
    assert group.attrs["voxscale_fit"]["fingerprint"] == FINGERPRINT


@settings(max_examples=15, deadline=None)
@given(
    edges=st.sets(st.integers(1, 39), max_size=6),
    chunk=st.none() | st.integers(1, 50),
    axis=st.integers(-3, 2),
    seed=st.integers(0, 9),
)
def test_blocks_of_any_width_in_any_order_are_the_array(tmp_path_factory, edges, chunk, axis, seed):
    rng = np.random.default_rng(seed)
    shape = [3, 2, 4]
    shape[axis] = 40
    values = rng.standard_normal(shape)
    edges = [0, *sorted(edges), 40]
    store = FitStore(tmp_path_factory.mktemp("fit") / "fit.zarr")
    for blocks in np.array_split(rng.permutation(len(edges) - 1), 2):  # stopped once
        with store.open(FINGERPRINT) as run:
            array = run.array("a", shape=shape, dtype="float64", voxel_axis=axis, chunk=chunk)
            for number in blocks:
                place = [slice(None)] * 3
                place[axis] = slice(edges[number], edges[number + 1])
                array[tuple(place)] = values[tuple(place)]
                run.mark_done("a", edges[number], edges[number + 1])
    with store.open(FINGERPRINT) as run:
        assert run.is_done("a", 0, 40)
        run.finish()
    np.testing.assert_array_equal(store.array("a")[:], values)


def test_what_is_not_there_yet_is_no_answer(store):
    with store.open(FINGERPRINT) as run:
        for dtype in ("float32", "float64", "int32"):
            array = run.array(dtype, shape=(2, 4), dtype=dtype)
            assert array.dtype == dtype
            array[:, 1] = 7
        assert run.array("default", shape=(3,)).dtype == np.float32
    for dtype in ("float32", "float64"):
        values = store.array(dtype)[:]
        assert np.isnan(values[:, [0, 2, 3]]).all()
        assert (values[:, 1] == 7).all()
    np.testing.assert_array_equal(store.array("int32")[:], [[-1, 7, -1, -1]] * 2)


def test_an_array_may_have_no_voxels(store):
    with store.open(FINGERPRINT) as run:
        run.array("alphas", shape=(3,), dtype=">f8", voxel_axis=None)[:] = [1, 2, 3]
        assert run.block_multiple == 1
        run.array("nothing", shape=(3, 0))
        assert run.array("alphas", shape=(3,), dtype=">f8", voxel_axis=None).chunks == (3,)
        run.finish()
    np.testing.assert_array_equal(store.array("alphas")[:], [1, 2, 3])
    assert store.array("nothing")[:].shape == (3, 0)


# Going on.


def test_what_is_done_is_not_done_again(store):
    with store.open(FINGERPRINT) as run:
        array = run.array("scores", shape=(2, 10), dtype="float64")
        array[:, 3:6] = 5
        run.mark_done("scores", 3, 6)
        array[:, 6:9] = 5  # and stopped before it was marked
    with store.open({**FINGERPRINT, "alphas": (1.0, np.float64(10))}) as run:
        assert fill(run) == [(0, 3), (6, 9), (9, 10)]
        run.finish()
    expected = np.arange(20.0).reshape(2, 10)
    expected[:, 3:6] = 5
    np.testing.assert_array_equal(store.array("scores")[:], expected)


def test_a_finished_fit_stays_so_until_something_is_added(store):
    with store.open(FINGERPRINT) as run:
        fill(run)
        run.finish()
    before = bytes_in(store.path)
    with store.open(FINGERPRINT) as run:
        assert fill(run) == []
        run.mark_done("scores", 2, 5)
    assert bytes_in(store.path) == before
    with store.open(FINGERPRINT) as run:
        run.array("more", shape=(4,))
        assert not store.is_finished
    with store.open(FINGERPRINT) as run:
        fill(run, "more", np.zeros(4, dtype="float32"))
        run.finish()
    assert store.is_finished
    with store.open(FINGERPRINT) as run:
        run.mark_done("other", 0, 1)
    assert not store.is_finished
    with pytest.raises(StoreError, match=r"fit\.zarr is not finished; run again"):
        store.check()


@given(
    marks=st.lists(st.tuples(st.integers(0, 12), st.integers(1, 5)), max_size=9),
    start=st.integers(0, 12),
    n=st.integers(1, 8),
)
def test_a_block_is_done_when_marks_cover_it(marks, start, n):
    header, voxels = FitHeader({}), set()
    for first, length in marks:
        header = header.with_done("a", first, first + length)
        voxels.update(range(first, first + length))
    assert header.is_done("a", start, start + n) == (set(range(start, start + n)) <= voxels)
    assert not header.is_done("b", start, start + n)
    ranges = header.done.get("a", ())
    assert all(last < first for (_, last), (first, _) in pairwise(ranges))


# The program stops after so many files were put in place, each time it is run, until it is done.
STREAM = """
import os, signal, sys
from pathlib import Path
import numpy as np
from voxscale.store import FitStore, _fit_arrays

path, stop_at, where = sys.argv[1], int(sys.argv[2]), sys.argv[3]
put, n_put = Path.replace, 0

def dying(self, target):
    global n_put
    n_put += 1
    if n_put == stop_at and where == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    result = put(self, target)
    if n_put == stop_at and where == "after":
        os.kill(os.getpid(), signal.SIGKILL)
    return result

Path.replace = dying
with FitStore(path).open({"a": 1}) as run:
    scores = run.array("scores", shape=(2, 20, 3), dtype="float64", voxel_axis=1, chunk=4)
    weights = run.array("weights", shape=(3, 20), chunk=8)
    for start in range(0, 20, 6):  # no multiple of a chunk
        stop = min(start + 6, 20)
        if not run.is_done("fit", start, stop):
            numbers = np.arange(start, stop, dtype=float)
            values = np.broadcast_to(numbers[:, None], (2, stop - start, 3))
            scores[:, start:stop] = values if start else np.nan
            weights[:, start:stop] = np.broadcast_to(np.sin(numbers), (3, stop - start))
            run.mark_done("fit", start, stop)
    run.finish()
print(n_put)
"""


def stream(path, stop_at=0, where="never"):
    command = [sys.executable, "-W", "error", "-c", STREAM, str(path), str(stop_at), where]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    path = tmp_path_factory.mktemp("fit") / "fit.zarr"
    ran = stream(path)
    assert ran.returncode == 0, ran.stderr
    return path, int(ran.stdout)


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 0.75, 1.0])
def test_a_killed_fit_goes_on_and_ends_byte_by_byte_the_same(tmp_path, uninterrupted, share, where):
    whole, n_put = uninterrupted
    path = tmp_path / "fit.zarr"
    killed = stream(path, 1 + round(share * (n_put - 1)), where)
    assert killed.returncode == -9, killed.stderr
    assert FitStore(path).is_finished == (share == 1.0 and where == "after")
    ran = stream(path)
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) <= n_put
    assert bytes_in(path) == bytes_in(whole)
    FitStore(path).check()


def test_a_fit_that_is_killed_again_and_again_comes_to_its_end(tmp_path, uninterrupted):
    whole, n_put = uninterrupted
    path = tmp_path / "fit.zarr"
    n_killed = 0
    while stream(path, 9, "after").returncode == -9:
        n_killed += 1
        assert n_killed < n_put
    assert n_killed > 2
    assert bytes_in(path) == bytes_in(whole)


def test_a_block_is_marked_only_after_its_numbers_are_on_disk(store, monkeypatch):
    forced, force = [], _aside._force
    monkeypatch.setattr(_aside, "_force", lambda file: (forced.append(file.name), force(file)))
    with store.open(FINGERPRINT) as run:
        array = run.array("a", shape=(2, 8), chunk=4)
        forced.clear()
        array[:, :8] = 1
        assert sorted(name.split(".")[1] for name in forced) == ["0", "1"]
        run.mark_done("a", 0, 8)
        assert forced[2].startswith(".zarr.json.")


# Another fit, something else, damage.


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"responses": "77aa"}, r'responses \("b9c1" → "77aa"\); choose another folder, or delete'),
        ({"design": {"delays": [1, 2, 3], "n": 7}}, r"design\.delays \(\[1, 2\] → \[1, 2, 3\]\);"),
        ({"design": {"delays": [1, 2]}}, r"design\.n \(7 → absent\)"),
        ({"design": {}}, r"design \(absent → \{\}\), design\.delays"),
        ({"alphas": [1, 10]}, r"alphas \(\[1\.0, 10\.0\] → \[1, 10\]\)"),
        ({"new": None}, r"new \(absent → null\)"),
        ({"responses": "a" * 99}, r'responses \("b9c1" → "a{38}…\);'),
        (dict.fromkeys("abcde", 1), r"a \(absent → 1\), b .*, c \(absent → 1\) and 2 more; choose"),
    ],
)
@pytest.mark.parametrize("is_finished", [True, False])
def test_another_fit_is_never_written_over(store, change, told, is_finished):
    with store.open(FINGERPRINT) as run:
        fill(run)
        if is_finished:
            run.finish()
    before = bytes_in(store.path)
    with pytest.raises(StoreError, match=rf"fit\.zarr holds another fit, which differs in {told}"):
        store.open(FINGERPRINT | change)
    assert bytes_in(store.path) == before
    store.open(FINGERPRINT).close()


def test_entries_of_the_same_dotted_name_are_not_the_same(store):
    store.open({"a": {"b": 1}}).close()
    with pytest.raises(StoreError, match="differs in how its entries are nested; choose"):
        store.open({"a.b": 1})


def test_another_fit_is_not_touched_even_to_see_whether_it_could_be(store, monkeypatch):
    store.open(FINGERPRINT).close()
    monkeypatch.setattr(_fit_store, "check_writable", pytest.fail)
    with pytest.raises(StoreError, match="holds another fit"):
        store.open({})


def test_an_empty_fingerprint_is_one(store):
    store.open({}).close()
    store.open({}).close()
    with pytest.raises(StoreError, match="differs in "):
        store.open(FINGERPRINT)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"notes.txt": b"mine"}, r"holds 'notes\.txt' and no fit; choose an empty folder"),
        ({"scores/c/0": b"x"}, "holds 'scores' and no fit"),
        ({"zarr.json": b'{"zarr_format": 3, "node_type": "group"}'}, "another zarr array or group"),
        ({"zarr.json": b'{"zarr_format"'}, r"zarr\.json is damaged .*delete \S*fit\.zarr and run"),
        ({"zarr.json": b""}, r"is damaged"),
        ({"zarr.json": b"[1]"}, r"is damaged \(AttributeError"),
        ({"zarr.json": b'"\xff"'}, r"is damaged \(UnicodeDecodeError"),
        ({"zarr.json": b'{"attributes": {"voxscale_fit": {}}}'}, r"is damaged \(KeyError: 'format"),
        (
            {"zarr.json": b'{"attributes": {"voxscale_fit": {"format": 2}}}'},
            "has format 2, this version of voxscale reads 1; update voxscale",
        ),
    ],
)
def test_a_folder_that_is_no_fit_is_told_and_left_alone(store, content, told):
    for name, data in content.items():
        (store.path / name).parent.mkdir(parents=True, exist_ok=True)
        (store.path / name).write_bytes(data)
    for use in (
        lambda: store.open(FINGERPRINT),
        lambda: store.is_finished,
        store.meta,
        store.check,
    ):
        with pytest.raises(StoreError, match=told):
            use()
    assert bytes_in(store.path) == content


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "fit.zarr").write_bytes(b"")
    with pytest.raises(StoreError, match=r"fit\.zarr cannot be read \(Not a directory\); choose"):
        FitStore(tmp_path / "fit.zarr").open(FINGERPRINT)


@pytest.mark.parametrize("left", [[], [".voxscale.lock", ".zarr.json.elsewhere.1.0a.tmp"]])
def test_an_empty_folder_is_used(store, left):
    """Or one in which somebody was killed before there was anything."""
    store.path.mkdir(parents=True)
    for name in left:
        (store.path / name).write_text('{"machine": "m", "process": 1, "started": null}')
    if left:
        with pytest.raises(StoreError, match="being written by process 1 on m"):
            store.open(FINGERPRINT)
        (store.path / ".voxscale.lock").unlink()
    store.open(FINGERPRINT).close()
    assert store.meta()["fingerprint"] == FINGERPRINT


def test_what_is_not_there_is_told(store):
    for use in (store.meta, store.names, store.check, lambda: store.array("scores")):
        with pytest.raises(StoreError, match=r"fit\.zarr holds no fit; run it first"):
            use()
    with store.open(FINGERPRINT) as run:
        with pytest.raises(StoreError, match="has no array 'scores'; it has none"):
            store.array("scores")
        fill(run)
    with pytest.raises(
        StoreError, match=r"no array 'score' \(did you mean 'scores'\?\); it has sc"
    ):
        store.array("score")


def test_a_lost_chunk_is_told(store):
    with store.open(FINGERPRINT) as run:
        fill(run, chunk=2)
        run.finish()
    chunk = store.path / "scores" / "c" / "0" / "3"
    whole = chunk.read_bytes()
    for damage in (lambda: chunk.write_bytes(b""), chunk.unlink):
        damage()
        with pytest.raises(StoreError, match=r"damaged \(array 'scores' lacks 1 of its 5 chunks\)"):
            store.check()
    with (
        store.open(FINGERPRINT) as run,
        pytest.raises(StoreError, match=r"is not complete: array 'scores' lacks 1 of its 5"),
    ):
        run.finish()
    chunk.write_bytes(whole)
    store.check()


def test_a_flipped_bit_is_told_when_it_is_read(store):
    with store.open(FINGERPRINT) as run:
        fill(run, values=np.random.default_rng(0).standard_normal((2, 10)))
    chunk = next(path for path in (store.path / "scores" / "c").rglob("*") if path.is_file())
    data = bytearray(chunk.read_bytes())
    data[len(data) // 2] ^= 1
    chunk.write_bytes(data)
    with pytest.raises(RuntimeError, match=r"[Cc]hecksum"):
        store.array("scores")[:]


def test_a_damaged_array_is_told(store):
    with store.open(FINGERPRINT) as run:
        fill(run)
    (store.path / "scores" / "zarr.json").write_bytes(b"{")
    with pytest.raises(StoreError, match=r"fit\.zarr is damaged \(.*delete it and run again"):
        store.array("scores")
    with (
        store.open(FINGERPRINT) as run,
        pytest.raises(StoreError, match=r"fit\.zarr is damaged"),
    ):
        fill(run)


@pytest.mark.parametrize(
    "other", [{"shape": (2, 9)}, {"dtype": "float32"}, {"voxel_axis": 0}, {"voxel_axis": None}]
)
def test_an_array_of_another_kind_is_told(store, other):
    with store.open(FINGERPRINT) as run:
        fill(run)
        with pytest.raises(
            StoreError, match=r"'scores' of .* has shape \(2, 10\), dtype float64 and"
        ):
            run.array("scores", **({"shape": (2, 10), "dtype": "float64"} | other))
        run.array("scores", shape=[2, 10], dtype=np.float64, voxel_axis=1)


# What a disk says.


@pytest.mark.parametrize("step", ["open", "array", "write", "mark", "finish"])
def test_a_disk_that_says_no_is_told_and_can_be_gone_on_with(store, monkeypatch, step):
    full = OSError(errno.ENOSPC, "No space left on device")

    def refuse(file):
        raise full

    def use():
        with store.open(FINGERPRINT) as run, monkeypatch.context() as patch:
            if step == "array":
                patch.setattr(_aside, "_force", refuse)
            array = run.array("a", shape=(2, 4))
            if step == "write":
                patch.setattr(_aside, "_force", refuse)
            array[:] = 1
            if step == "mark":
                patch.setattr(_aside, "_force", refuse)
            run.mark_done("a", 0, 4)
            if step == "finish":
                patch.setattr(_aside, "_force", refuse)
            run.finish()

    with monkeypatch.context() as patch:
        if step == "open":
            patch.setattr(_aside, "_force", refuse)
        with pytest.raises(
            StoreError, match=r"cannot write \S*: the disk is full .*free some space"
        ):
            use()
    assert not [name for name in bytes_in(store.path) if name.startswith(".")]
    step = ""
    use()
    assert store.is_finished


def test_a_folder_that_may_not_be_written_is_told(store, monkeypatch):
    def refuse(self, *args, **options):
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    with monkeypatch.context() as patch:
        patch.setattr(type(store.path), "mkdir", refuse)
        with pytest.raises(StoreError, match=r"cannot write .*fit\.zarr.*: permission denied"):
            store.open(FINGERPRINT)
    store.open(FINGERPRINT).close()
    with monkeypatch.context() as patch:
        patch.setattr(type(store.path), "read_bytes", refuse)
        with pytest.raises(StoreError, match=r"cannot be read \(Permission denied\); choose"):
            store.meta()


# One at a time.


def test_the_second_is_refused_until_the_first_is_done(store):
    with store.open(FINGERPRINT) as run:
        fill(run)
        with pytest.raises(StoreError, match=r"being written by this very process; close what"):
            store.open(FINGERPRINT)
        assert store.array("scores")[0, 0] == 0  # reading is free
    with store.open(FINGERPRINT) as run:
        run.finish()
        store.open(FINGERPRINT).close()


def test_a_run_that_nobody_closes_ends_with_its_last_name(store):
    run = store.open(FINGERPRINT)
    del run
    store.open(FINGERPRINT).close()


def test_a_failure_to_open_lets_go_of_the_folder(store, monkeypatch):
    store.open(FINGERPRINT).close()
    reads = iter([FitHeader.read(store.path), FitHeader({"other": 1})])  # changed meanwhile
    with monkeypatch.context() as patch:
        patch.setattr(FitHeader, "read", lambda folder: next(reads))
        with pytest.raises(StoreError, match="another fit"):
            store.open(FINGERPRINT)
    store.open(FINGERPRINT).close()


def test_a_closed_run_is_not_written_to(store):
    run = store.open(FINGERPRINT)
    fill(run)
    run.finish()
    run.close()
    assert run.is_done("scores", 0, 10)
    for use in (
        run.finish,
        lambda: run.mark_done("more", 0, 1),
        lambda: run.array("more", shape=(3,)),
    ):
        with pytest.raises(ValueError, match=r"the run of .* is closed; open the store again"):
            use()
    assert store.is_finished


# Chunks.


def test_whole_chunks_are_written_once_and_never_read(store, monkeypatch):
    monkeypatch.setattr(_fit_arrays, "_CHUNK_BYTES", 1024)
    read, written = [], []
    get, put = DurableStore.get, DurableStore.set_sync

    async def noted_get(self, key, *args, **options):
        read.append(key)
        return await get(self, key, *args, **options)

    def noted_put(self, key, value):
        written.append(key)
        put(self, key, value)

    monkeypatch.setattr(DurableStore, "get", noted_get)
    monkeypatch.setattr(DurableStore, "set_sync", noted_put)
    with store.open(FINGERPRINT) as run:
        arrays = [
            run.array("wide", shape=(30, 75), dtype="float64"),
            run.array("thin", shape=(75,), dtype="float64", voxel_axis=0),
            run.array("given", shape=(75, 2), voxel_axis=0, chunk=6),
        ]
        assert [array.chunks for array in arrays] == [(30, 4), (64,), (6, 2)]
        assert run.block_multiple == 192
        read.clear()
        for _ in range(2):  # also when it is done again
            written.clear()
            for width in (12, 64):
                for start in range(0, 75, width):
                    stop = min(start + width, 75)
                    if width == 12:
                        arrays[0][:, start:stop] = np.nan
                        arrays[2][start:stop] = np.nan
                    else:
                        arrays[1][start:stop] = np.nan
            assert sorted(set(written)) == sorted(written)
            assert len(written) == 19 + 2 + 13
        assert not [key for key in read if "/c/" in key]
        arrays[0][:, 1:3] = 0
        assert [key for key in read if "/c/" in key] == ["wide/c/0/0"]
        run.finish()  # chunks of NaN are there


@pytest.mark.parametrize(
    ("n_other", "dtype", "expected"),
    [
        (0, "int8", 1024),
        (1, "float64", 1024),
        (1024, "float32", 1024),
        (1025, "float32", 512),
        (2**20, "float32", 1),
        (10**9, "float64", 1),
    ],
)
def test_chunks_hold_a_few_mebibytes_and_a_power_of_two(n_other, dtype, expected):
    assert FitRun.chunk_voxels(n_other, dtype) == expected


def test_arrays_opened_again_keep_their_chunks(store):
    with store.open(FINGERPRINT) as run:
        run.array("a", shape=(2, 40), chunk=10)
        run.array("b", shape=(2, 40), chunk=4)
    with store.open(FINGERPRINT) as run:
        assert run.array("a", shape=(2, 40)).chunks == (2, 10)
        assert run.block_multiple == 10
        run.array("b", shape=(2, 40), chunk=7)
        assert run.block_multiple == 20


# Arguments.


def test_bad_arguments_are_refused(store):
    with pytest.raises(TypeError, match="fingerprint is of type list; expected a mapping"):
        store.open([1])
    with pytest.raises(ValueError, match=r"fingerprint\.alpha is nan"):
        store.open({"alpha": float("nan")})
    with pytest.raises(TypeError, match=r"fingerprint\.Y is of type ndarray.*Hash arrays"):
        store.open({"Y": np.zeros(3)})
    assert not store.path.exists()
    with store.open(FINGERPRINT) as run:
        for name in ("", "a/b", "..", "a b"):
            with pytest.raises(ValueError, match="cannot name an array"):
                run.array(name, shape=(3,))
        for dtype in ("float16", "complex64", "uint8", "bool", "U3", "longdouble"):
            with pytest.raises(ValueError, match=r"'a': dtype is .*; expected float32"):
                run.array("a", shape=(3,), dtype=dtype)
        for axis in (2, -3):
            with pytest.raises(ValueError, match=rf"voxel_axis is {axis}; expected an axis of"):
                run.array("a", shape=(3, 4), voxel_axis=axis)
        with pytest.raises(ValueError, match="chunk is 0; expected 1 voxel"):
            run.array("a", shape=(3, 4), chunk=0)
        for start, stop in ((0, 0), (3, 2), (-1, 2)):
            for use in (run.is_done, run.mark_done):
                with pytest.raises(ValueError, match=f"voxels are {start} to {stop}; expected"):
                    use("a", start, stop)
        assert store.names() == []


def test_stores_and_runs_say_where_they_are(store):
    assert repr(store) == f"FitStore({str(store.path)!r})"
    with store.open(FINGERPRINT) as run:
        assert repr(run) == f"FitRun({str(store.path)!r})"


def test_a_header_is_readable_json(store):
    store.open(FINGERPRINT).close()
    header = json.loads((store.path / "zarr.json").read_text())
    assert header["attributes"]["voxscale_fit"]["format"] == 1
    shutil.rmtree(store.path)
    assert not store.is_finished
