from __future__ import annotations

import errno
import json
import os
import subprocess
import sys

import pytest

from voxscale.errors import StoreError
from voxscale.store import _lock
from voxscale.store._lock import LOCK_NAME, FolderLock

HOLD = """
import sys
from pathlib import Path
from voxscale.store._lock import FolderLock
lock = FolderLock.take(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def holder(tmp_path):
    """Return another process that holds the folder."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], **pipes) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def change(folder, **fields):
    path = folder / LOCK_NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def everything_in(folder):
    return [path.name for path in folder.iterdir()]


def test_a_folder_is_held_by_one_and_then_by_the_next(tmp_path):
    lock = FolderLock.take(tmp_path)
    assert everything_in(tmp_path) == [LOCK_NAME]
    with pytest.raises(StoreError, match=r"is being written by this very process; close what was"):
        FolderLock.take(tmp_path)
    lock.release()
    assert everything_in(tmp_path) == []
    lock.release()
    FolderLock.take(tmp_path).release()


def test_what_another_process_holds_is_refused_and_taken_over_once_it_is_killed(tmp_path, holder):
    told = rf"{tmp_path} is being written by process {holder.pid} on .*; wait for it, or choose"
    with pytest.raises(StoreError, match=told):
        FolderLock.take(tmp_path)
    holder.kill()
    holder.wait()
    assert everything_in(tmp_path) == [LOCK_NAME]
    FolderLock.take(tmp_path).release()
    assert everything_in(tmp_path) == []


def test_of_another_machine_we_cannot_know(tmp_path):
    FolderLock.take(tmp_path)
    change(tmp_path, machine="elsewhere", process=99999999)
    told = rf"by process 99999999 on elsewhere; .*if it has ended, delete \S*{LOCK_NAME}"
    with pytest.raises(StoreError, match=told):
        FolderLock.take(tmp_path)


@pytest.mark.skipif(_lock._start_of(os.getpid()) is None, reason="no /proc here")
def test_a_number_that_another_process_has_by_now_is_no_process_of_that_time(tmp_path):
    old = FolderLock.take(tmp_path)
    change(tmp_path, started="another boot 17")
    new = FolderLock.take(tmp_path)
    old.release()  # no longer its own
    assert everything_in(tmp_path) == [LOCK_NAME]
    new.release()
    assert everything_in(tmp_path) == []


def test_where_the_start_of_a_process_is_not_known_its_number_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(_lock, "_start_of", lambda process: None)
    FolderLock.take(tmp_path)
    with pytest.raises(StoreError, match="this very process"):
        FolderLock.take(tmp_path)
    change(tmp_path, process=99999999)
    FolderLock.take(tmp_path)


def test_the_start_of_a_process_is_its_own():
    mine = _lock._start_of(os.getpid())
    assert mine == _lock._start_of(os.getpid())
    assert mine is None or mine != _lock._start_of(os.getppid())
    assert _lock._start_of(99999999) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"machine": "m"}'])
def test_a_lock_that_cannot_be_read_is_held_by_somebody(tmp_path, text):
    (tmp_path / LOCK_NAME).write_text(text)
    with pytest.raises(StoreError, match=r"by another process; wait for it; if there is none, del"):
        FolderLock.take(tmp_path)
    assert (tmp_path / LOCK_NAME).read_text() == text


def test_a_lock_that_another_cleared_and_took_meanwhile_stays_with_it(tmp_path, monkeypatch):
    FolderLock.take(tmp_path)
    change(tmp_path, process=99999999, started=None)
    path = tmp_path / LOCK_NAME

    def meanwhile(holder):
        path.write_text("of another")
        return False

    monkeypatch.setattr(_lock, "_may_live", meanwhile)
    with pytest.raises(StoreError, match="by another process"):
        FolderLock.take(tmp_path)
    assert path.read_text() == "of another"
    assert everything_in(tmp_path) == [LOCK_NAME]


def test_a_lock_that_another_is_clearing_is_left_to_it(tmp_path):
    FolderLock.take(tmp_path)
    change(tmp_path, process=99999999)
    guard = tmp_path / f"{LOCK_NAME}.clearing"
    guard.touch()
    with pytest.raises(StoreError, match=rf"another process; .*delete \S*{guard.name}\."):
        FolderLock.take(tmp_path)
    guard.unlink()
    FolderLock.take(tmp_path).release()
    assert everything_in(tmp_path) == []


@pytest.mark.parametrize("step", ["before it is read", "before it is removed"])
def test_a_lock_that_goes_meanwhile_is_ours(tmp_path, monkeypatch, step):
    FolderLock.take(tmp_path)
    path = tmp_path / LOCK_NAME
    first, written = iter([True]), _lock._written_first

    def gone(file, text):
        if file == path and next(first, False):
            path.unlink()
            return False
        return written(file, text)

    if step == "before it is removed":
        monkeypatch.setattr(_lock, "_may_live", lambda holder: path.unlink())
    else:
        monkeypatch.setattr(_lock, "_written_first", gone)
    FolderLock.take(tmp_path).release()
    assert everything_in(tmp_path) == []


def test_who_is_always_too_late_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(_lock, "_written_first", lambda path, text: False)
    with pytest.raises(StoreError, match="by another process"):
        FolderLock.take(tmp_path)


def test_a_full_disk_leaves_no_lock(tmp_path, monkeypatch):
    opened = type(tmp_path).open

    class Full:
        def __init__(self, file):
            self._file = file

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self._file.close()

        def write(self, text):
            raise OSError(errno.ENOSPC, "No space left on device")

    def fill(path, mode="r", *args, **options):
        file = opened(path, mode, *args, **options)
        return Full(file) if mode == "x" else file

    monkeypatch.setattr(type(tmp_path), "open", fill)
    with pytest.raises(StoreError, match=r"cannot write .*: the disk is full"):
        FolderLock.take(tmp_path)
    assert everything_in(tmp_path) == []


def test_a_copy_of_the_process_does_not_let_go(tmp_path, monkeypatch):
    lock = FolderLock.take(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: 99999999)
        lock.release()
    assert everything_in(tmp_path) == [LOCK_NAME]


def test_of_many_that_come_at_once_one_is_let_in(tmp_path):
    """All find a lock that a killed process has left."""
    from concurrent.futures import ThreadPoolExecutor

    for _ in range(20):
        (tmp_path / LOCK_NAME).unlink(missing_ok=True)
        FolderLock.take(tmp_path)
        change(tmp_path, process=99999999)

        def take(_):
            try:
                return FolderLock.take(tmp_path)
            except StoreError:
                return None

        with ThreadPoolExecutor(8) as pool:
            assert sum(lock is not None for lock in pool.map(take, range(8))) == 1
