import errno
import io
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from voxscale.errors import StoreError
from voxscale.store import Store
from voxscale.store import _store as module

dtypes = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(),
    hnp.floating_dtypes(sizes=(16, 32, 64)),
    hnp.complex_number_dtypes(sizes=(64, 128)),
    hnp.unicode_string_dtypes(max_len=4),
)
arrays_of_any_kind = st.dictionaries(
    st.text("abcxyz_/é.", min_size=1, max_size=8),
    hnp.arrays(dtypes, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)),
    max_size=3,
)
metas = st.dictionaries(
    st.text(max_size=4), st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text())
)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "cells")


@settings(deadline=None, max_examples=150)
@given(arrays=arrays_of_any_kind, meta=metas)
def test_what_is_put_is_got(arrays, meta):
    for array in arrays.values():
        array.flags.writeable = False
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        store.put("key", arrays, meta)
        got, got_meta = store.get("key")
    assert got_meta == meta
    assert list(got) == list(arrays)
    for name, array in arrays.items():
        assert got[name].dtype == array.dtype
        np.testing.assert_array_equal(got[name], array)


@pytest.mark.parametrize("n_bytes", [0, 20, -1])
def test_a_file_cut_short_is_neither_there_nor_absent(store, n_bytes):
    store.put("k", {"r": np.zeros(10)}, {})
    path = store.path("k")
    path.write_bytes(path.read_bytes()[:n_bytes])
    with pytest.raises(StoreError, match=r"k\.npz is damaged .*; delete it and run again"):
        _ = "k" in store
    with pytest.raises(StoreError, match=r"k\.npz is damaged .*; delete it and run again"):
        store.get("k")


def test_nothing_is_made_before_the_first_put(store, tmp_path):
    assert "a" not in store
    assert not store.has("a")
    assert store.keys() == []
    assert store.failure("a") is None
    assert list(tmp_path.iterdir()) == []


def test_keys_are_sorted_and_files_are_theirs(store, frozen):
    for key in ("b2", "a1"):
        store.put(key, {"r": frozen([1.0])}, {})
    assert store.keys() == ["a1", "b2"]
    assert "a1" in store
    assert "c3" not in store
    assert 3 not in store
    assert store.path("a1").name == "a1.npz"
    assert repr(store) == f"Store({str(store.folder)!r})"


@pytest.mark.parametrize("key", ["", "../up", "a b", "a/b", ".hidden"])
def test_keys_that_name_no_file_are_refused(store, key):
    with pytest.raises(ValueError, match="cannot name a file"):
        store.put(key, {}, {})


def test_a_result_can_be_replaced(store, frozen):
    store.put("k", {"r": frozen([1.0])}, {"v": 1})
    store.put("k", {"p": frozen([2.0])}, {"v": 2})
    arrays, meta = store.get("k")
    assert list(arrays) == ["p"]
    assert meta == store.meta("k") == {"v": 2}


def test_an_absent_result_is_told(store):
    with pytest.raises(StoreError, match=r"k\.npz does not exist; run the study"):
        store.get("k")


def test_an_absent_array_is_told(store, frozen):
    store.put("k", {"r": frozen([1.0])}, {})
    with pytest.raises(StoreError, match=r"k\.npz has no array 'q', only r; ask for one of these"):
        store.get("k", ["q"])


@pytest.mark.parametrize("cut", [0, 10, -10, 300])
def test_a_truncated_file_is_told(store, frozen, cut):
    store.put("k", {"r": frozen(np.arange(100.0))}, {"layer": 3})
    path = store.path("k")
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(StoreError, match=r"k\.npz is damaged .*delete it and run again"):
        store.get("k")


def test_every_flipped_bit_in_an_array_is_found(store, frozen):
    store.put("k", {"r": frozen(np.arange(100.0))}, {})
    path = store.path("k")
    whole = path.read_bytes()
    start = whole.index(np.arange(1, 100.0).tobytes())
    for at in (start, start + 399, start + 791):
        broken = bytearray(whole)
        broken[at] ^= 1
        path.write_bytes(broken)
        with pytest.raises(StoreError, match="damaged"):
            store.get("k")


def test_another_zip_is_not_a_result(store):
    store.folder.mkdir()
    np.savez(store.path("k"), r=np.zeros(3))
    with pytest.raises(StoreError, match=r"damaged .*it holds no metadata"):
        store.meta("k")


def test_pickles_are_never_read(store):
    store.folder.mkdir()
    np.savez(store.path("k"), __meta__=np.frombuffer(b"{}", np.uint8), r=np.array([{}, None]))
    with pytest.raises(StoreError, match="damaged"):
        store.get("k")


def test_a_result_that_may_not_be_read_is_not_called_damaged(store, monkeypatch, frozen):
    store.put("k", {"r": frozen([1.0])}, {})
    opened = io.open

    def refuse(file, *args, **options):
        if str(file) == str(store.path("k")):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(file))
        return opened(file, *args, **options)

    monkeypatch.setattr(io, "open", refuse)  # a mode would not stop root
    for ask in (store.has, store.get, store.meta):
        with pytest.raises(StoreError, match=r"k\.npz cannot be read: Permission denied; make it"):
            ask("k")


def test_a_folder_in_its_place_is_told(store):
    store.path("k").mkdir(parents=True)
    assert "k" not in store
    with pytest.raises(StoreError, match="cannot be read"):
        store.get("k")


def test_a_failure_is_kept_with_its_traceback(store):
    def broken():
        message = "no voxels\nat all"
        raise FloatingPointError(message)

    try:
        broken()
    except FloatingPointError as error:
        store.fail("k", {"layer": 3}, error)
    assert "k" not in store
    assert store.keys() == []
    record = store.failure("k")
    assert record["error"] == "FloatingPointError"
    assert record["message"] == "no voxels\nat all"
    assert "in broken" in record["traceback"]
    assert record["meta"] == {"layer": 3}
    assert record["time"].endswith("+00:00")
    assert json.loads(store.failure_path("k").read_text()) == record


def test_a_failure_may_be_text(store):
    store.fail("k", {}, "Traceback …\nValueError: seven\n")
    assert store.failure("k")["message"] == "ValueError: seven"


def test_a_failure_takes_what_a_result_takes(store):
    meta = {"alpha": np.float32(0.5), "layers": (np.int64(1), 2), "mean": np.float64("nan")}
    store.fail("k", meta, "boom")
    kept = store.failure("k")["meta"]
    assert np.isnan(kept.pop("mean"))
    assert kept == {"alpha": 0.5, "layers": [1, 2]}
    with pytest.raises(TypeError, match=r"meta\.runs is of type set"):
        store.fail("k", {"runs": {"a"}}, "boom")


def test_a_put_clears_the_failure(store, frozen):
    store.fail("k", {}, "boom")
    store.put("k", {"r": frozen([1.0])}, {})
    assert store.failure("k") is None
    assert "k" in store


def test_a_damaged_failure_is_told(store):
    store.fail("k", {}, "boom")
    store.failure_path("k").write_text("{")
    with pytest.raises(StoreError, match=r"k\.failed\.json cannot be read .*delete it"):
        store.failure("k")


def test_a_failed_writer_leaves_nothing(store, monkeypatch, frozen):
    def half(path, *args, **options):
        path.write_bytes(b"PK half")
        message = "out of luck"
        raise RuntimeError(message)

    monkeypatch.setattr(module, "write_result", half)
    with pytest.raises(RuntimeError, match="out of luck"):
        store.put("k", {"r": frozen([1.0])}, {})
    assert "k" not in store
    assert list(store.folder.iterdir()) == []


KILLED = """
import os, signal, sys
import numpy as np
from voxscale.store import Store, _codecs

written = np.lib.format.write_array
def die(file, array, **options):
    if len(array) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    written(file, array, **options)

np.lib.format.write_array = die
Store(sys.argv[1]).put("k", {"one": np.zeros(1000), "two": np.zeros(3)}, {})
"""


def test_a_killed_put_leaves_nothing_visible(store, frozen):
    killed = subprocess.run([sys.executable, "-c", KILLED, str(store.folder)], check=False)
    assert killed.returncode == -9
    assert "k" not in store
    assert store.keys() == []
    with pytest.raises(StoreError, match="does not exist"):
        store.get("k")
    store.put("k", {"r": frozen([1.0])}, {})
    assert [path.name for path in store.folder.iterdir()] == ["k.npz"]


FULL = """
import resource, signal, sys
import numpy as np
from voxscale.errors import StoreError
from voxscale.store import Store

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
store = Store(sys.argv[1])
store.put("small", {"r": np.zeros(10)}, {})
try:
    store.put("large", {"r": np.random.default_rng(0).standard_normal(100_000)}, {})
except StoreError as error:
    print(error)
print(store.keys())
"""


def test_a_file_that_may_not_grow_leaves_nothing(store):
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(store.folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    message, keys = done.stdout.splitlines()
    assert "large.npz: the file is larger than is allowed here" in message
    assert keys == "['small']"
    assert [path.name for path in store.folder.iterdir()] == ["small.npz"]


def test_a_full_disk_is_told(store, monkeypatch, frozen):
    def full(*args, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array", full)
    with pytest.raises(StoreError, match=r"cannot write .*k\.npz: the disk is full"):
        store.put("k", {"r": frozen([1.0])}, {})
    assert list(store.folder.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path, frozen):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="a part of the path is a file"):
        Store(tmp_path / "file" / "cells").put("k", {"r": frozen([1.0])}, {})
