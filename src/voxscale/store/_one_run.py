"""One run at a time fills a folder: a lock that ends with its process, however that ends."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxscale.errors import StoreError
from voxscale.store._aside import machine_name, told, write_aside

if TYPE_CHECKING:
    from filelock import BaseFileLock

__all__ = ["check_idle", "one_run"]

_LOCK, _HOLDER = ".run.lock", ".run.json"
_WAIT_S = 0.5  # others may look whether the lock is free, which takes it for a moment


@contextmanager
def one_run(folder: str | Path) -> Iterator[None]:
    """Hold a folder that exists while the block runs, so that no other run fills it.

    The operating system keeps the lock (``flock``; on Windows ``LockFile``): it is gone when its
    process is, even if that was killed. On NFS machines see each other's locks, unless it is
    mounted with ``nolock`` or ``local_lock``; then one machine's runs exclude each other alone.

    Raises
    ------
    StoreError
        If another run holds the folder, in this process or another; or if nothing can be written
        there.
    """
    folder = Path(folder)
    with told(folder):
        lock = _taken(folder)
    try:
        with write_aside(folder / _HOLDER) as temporary:
            temporary.write_text(json.dumps(_oneself()), encoding="utf-8")
        yield
    finally:
        with suppress(OSError):
            (folder / _HOLDER).unlink(missing_ok=True)
        lock.release()


def check_idle(folder: str | Path) -> None:
    """Find out whether a run holds a folder, which need not exist; nothing is written.

    A lock that is not ours to take tells nothing, and whoever wants to write meets it again.

    Raises
    ------
    StoreError
        If one does; says which, since when, and what to do.
    """
    folder = Path(folder)
    lock = folder / _LOCK
    if lock.is_file() and os.access(lock, os.W_OK):
        with told(folder):
            _taken(folder).release()


def _taken(folder: Path) -> BaseFileLock:
    from filelock import FileLock, Timeout

    # Not told apart by thread: a lock that is given back elsewhere is given back all the same.
    lock = FileLock(folder / _LOCK, timeout=_WAIT_S, thread_local=False)
    try:
        lock.acquire(poll_interval=_WAIT_S / 10)
    except Timeout:
        raise StoreError(_busy(folder)) from None
    return lock


def _oneself() -> dict[str, Any]:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return {"process": os.getpid(), "machine": machine_name(), "since": since}


def _busy(folder: Path) -> str:
    who, stop = "it has only just begun", "stop it"
    try:
        held = json.loads((folder / _HOLDER).read_text(encoding="utf-8"))
        since = datetime.fromisoformat(held["since"]).astimezone()
        local = f"{since:%Y-%m-%d %H:%M:%S} (UTC{since.isoformat()[-6:]})"
        who = f"process {held['process']} on {held['machine']}, since {local}"
        stop = f"stop it (kill {held['process']} there)"
    except (OSError, ValueError, KeyError, TypeError):
        pass  # not said yet
    return (
        f"{folder} is being filled by another run: {who}; one run at a time fills a folder. Wait "
        f"for it (voxscale status tells how far it is), {stop}, or choose another out."
    )
