from __future__ import annotations

import errno

import numpy as np
import pytest
import zarr

from voxscale.errors import StoreError
from voxscale.store import _aside
from voxscale.store._durable import DurableStore


def create(folder):
    return zarr.create_array(DurableStore(folder), name="a", shape=(6,), chunks=(2,), dtype="f4")


def test_what_is_written_is_what_zarr_would_write(tmp_path):
    for store in (DurableStore(tmp_path / "ours"), zarr.storage.LocalStore(tmp_path / "theirs")):
        array = zarr.create_array(store, name="a", shape=(6,), chunks=(4,), dtype="f4")
        array[1:5] = [1, 2, 3, 4]
    ours, theirs = (
        {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}
        for root in (tmp_path / "ours", tmp_path / "theirs")
    )
    assert ours == theirs


def test_each_file_is_forced_to_disk_under_another_name(tmp_path, monkeypatch):
    array, forced = create(tmp_path), []
    force = _aside._force
    monkeypatch.setattr(_aside, "_force", lambda file: (forced.append(file), force(file)))
    array[:] = np.arange(6)
    assert sorted(file.name.split(".")[1] for file in forced) == ["0", "1", "2"]
    assert not any(file.exists() for file in forced)


def test_a_disk_that_is_full_is_told_and_what_was_there_stays(tmp_path, monkeypatch):
    def refuse(file):
        raise OSError(errno.ENOSPC, "No space left on device")

    array = create(tmp_path)
    array[:] = 1
    with monkeypatch.context() as patch:
        patch.setattr(_aside, "_force", refuse)
        with pytest.raises(StoreError, match=r"cannot write .*/a/c/\d: the disk is full"):
            array[:] = 2
    np.testing.assert_array_equal(array[:], np.ones(6))


def test_what_is_opened_for_reading_is_not_written(tmp_path):
    create(tmp_path)
    array = zarr.open_array(DurableStore(tmp_path, read_only=True), path="a", mode="r")
    with pytest.raises(ValueError, match="read-only"):
        array[:] = 2
