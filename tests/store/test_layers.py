from __future__ import annotations

import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxscale.errors import StoreError
from voxscale.store import LayerStore, _layers


@pytest.fixture
def store(tmp_path):
    return LayerStore(tmp_path / "features")


def fill(store, key, arrays, **meta):
    with store.writing(key, n_rows=len(next(iter(arrays.values()))), meta=meta) as writer:
        for name, rows in arrays.items():
            writer.append(name, rows)


@settings(max_examples=20, deadline=None)
@given(parts=st.lists(st.integers(0, 9), min_size=1, max_size=8), seed=st.integers(0, 99))
def test_what_is_appended_comes_back(tmp_path_factory, parts, seed):
    rng = np.random.default_rng(seed)
    store = LayerStore(tmp_path_factory.mktemp("store"))
    values = rng.standard_normal((sum(parts), 3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_layers, "_CHUNK_BYTES", 4 * 4 * 3)
        with store.writing("k", n_rows=len(values), meta={}) as writer:
            for part in np.split(values, np.cumsum(parts)[:-1]):
                writer.append("layer_1", part)
    np.testing.assert_array_equal(store.get("k", "layer_1"), values.astype(np.float32))


def test_groups_know_their_arrays_and_what_they_are(store, rng):
    fill(store, "a1", {"layer_0": rng.random((5, 2)), "surprisal": rng.random((5, 1))}, story="hut")
    assert store.has("a1")
    assert "a1" in store
    assert store.keys() == ["a1"]
    assert store.names("a1") == ["layer_0", "surprisal"]
    assert store.meta("a1") == {"story": "hut"}


def test_words_may_have_another_length(store, rng):
    with store.writing("k", n_rows=2, meta={}) as writer:
        writer.append("layer_0", rng.random((2, 3)))
        writer.append("words_layer_0", rng.random((7, 3)), n_rows=7)
    assert store.get("k", "words_layer_0").shape == (7, 3)


def test_times_keep_every_digit(store):
    times = np.arange(1, 100).reshape(-1, 1) / 3 + 1e6
    with store.writing("k", n_rows=99, meta={}) as writer:
        for part in np.split(times, 3):
            writer.append("times", part, dtype="float64")
    assert store.get("k", "times").dtype == np.float64
    np.testing.assert_array_equal(store.get("k", "times"), times)


def test_a_group_is_complete_or_absent(store, rng):
    def stop(message):
        with store.writing("k", n_rows=9, meta={}) as writer:
            writer.append("layer_0", rng.random((4, 3)))
            if message:
                raise RuntimeError(message)

    with pytest.raises(RuntimeError, match="killed"):
        stop("killed")
    assert not store.has("k")
    assert list(store.folder.iterdir()) == []
    with pytest.raises(ValueError, match="'layer_0' was given 4 rows of 9"):
        stop("")
    assert not store.has("k")


def test_who_is_first_is_kept(store):
    with store.writing("k", n_rows=1, meta={"who": "slow"}) as slow:
        slow.append("layer_0", np.zeros((1, 1)))
        fill(store, "k", {"layer_0": np.ones((1, 1))}, who="fast")
    assert store.meta("k") == {"who": "fast"}
    assert store.get("k", "layer_0") == 1
    assert [path.name for path in store.folder.iterdir()] == ["k.zarr"]


def test_damage_is_told_and_made_good(store):
    fill(store, "k", {"layer_0": np.ones((3, 2))})
    with pytest.raises(StoreError, match="has no array 'layer_9', only layer_0"):
        store.get("k", "layer_9")
    shutil.rmtree(store.path("k") / "layer_0" / "c")
    with pytest.raises(StoreError, match=r"k\.zarr is damaged \(layer_0 lacks some.*delete it"):
        store.get("k", "layer_0")
    (store.path("k") / "zarr.json").unlink()
    assert not store.has("k")
    fill(store, "k", {"layer_0": np.ones((3, 2))})
    assert store.get("k", "layer_0").all()


def test_what_was_flipped_on_disk_is_told(store, rng):
    fill(store, "k", {"layer_0": rng.random((300, 20))})
    chunk = next(path for path in (store.path("k") / "layer_0" / "c").rglob("*") if path.is_file())
    chunk.write_bytes(chunk.read_bytes()[:50])
    with pytest.raises(StoreError, match="is damaged"):
        store.get("k", "layer_0")


def test_what_is_not_there_is_told(store):
    with pytest.raises(StoreError, match=r"k\.zarr does not exist"):
        store.get("k", "layer_0")
    assert store.keys() == []


def test_failures_are_recorded_and_forgotten(store):
    store.fail("k", {"story": "hut"}, ValueError("no token"))
    assert store.failure("k")["message"] == "no token"
    assert store.keys() == []
    fill(store, "k", {"layer_0": np.ones((1, 1))})
    assert store.failure("k") is None


@pytest.mark.parametrize("name", ["zarr.json", "a/zarr.json"])
def test_a_file_without_content_is_damage(store, rng, name):
    with store.writing("k", n_rows=3, meta={}) as writer:
        writer.append("a", rng.standard_normal((3, 2)))
    (store.path("k") / name).write_bytes(b"")
    assert store.has("k") == (name != "zarr.json")
    with pytest.raises(StoreError, match="damaged"):
        store.get("k", "a")


def test_a_chunk_of_nan_is_kept(store):
    with store.writing("k", n_rows=2, meta={}) as writer:
        writer.append("a", np.full((2, 1), np.nan))
    assert np.isnan(store.get("k", "a")).all()


def test_every_flipped_byte_of_a_chunk_is_told(store, rng):
    with store.writing("k", n_rows=4, meta={}) as writer:
        writer.append("a", rng.standard_normal((4, 3)))
    [chunk] = [file for file in store.path("k").rglob("c/*/*") if file.is_file()]
    whole = chunk.read_bytes()
    values = store.get("k", "a")
    for place in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        chunk.write_bytes(damaged)
        try:
            found = store.get("k", "a")
        except StoreError:
            continue
        np.testing.assert_array_equal(found, values)  # a bit that means nothing


def test_several_may_clear_away_what_was_left(tmp_path):
    """Processes that are no more leave folders behind; who comes next removes them, together."""
    from concurrent.futures import ThreadPoolExecutor

    from voxscale.store import _aside, check_writable

    mine = f".k.zarr.{_aside.machine_name()}."
    for number in range(20):
        left = tmp_path / f"{mine}99999999.{number:08x}.tmp"
        for part in range(30):
            (left / f"layer_{part}" / "c").mkdir(parents=True)
            (left / f"layer_{part}" / "c" / "0").write_bytes(b"x")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(check_writable, [tmp_path] * 4))
    assert list(tmp_path.iterdir()) == []
