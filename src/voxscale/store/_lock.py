"""One writer at a time: a lock file in a folder."""

from __future__ import annotations

import json
import os
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

from voxscale.errors import StoreError
from voxscale.store._aside import lives, machine_name, told

__all__ = ["LOCK_NAME", "FolderLock"]

LOCK_NAME = ".voxscale.lock"
_TRIES = 3  # others may take, or clear away, a lock at the same time


class FolderLock:
    """Holds a folder, so that no other process writes to it.

    Make one with :meth:`take`. What a process of this machine that is no more has left is
    taken over; of other machines we cannot know whether they are still at it.

    Parameters
    ----------
    path : path
        Of the lock file.
    text : str
        What is in it: who holds the folder.
    """

    def __init__(self, path: Path, text: str) -> None:
        self._path, self._text, self._process = path, text, os.getpid()

    @classmethod
    def take(cls, folder: Path) -> FolderLock:
        """Take a folder that exists.

        Raises
        ------
        StoreError
            If somebody holds it, or nothing can be written there.
        """
        path = folder / LOCK_NAME
        process = os.getpid()
        holder = {
            "machine": machine_name(),
            "process": process,
            "started": _start_of(process),
            "token": uuid.uuid4().hex,
        }
        text = json.dumps(holder)
        with told(folder):
            for _ in range(_TRIES):
                if _written_first(path, text):
                    return cls(path, text)
                _clear(path)
        raise _held(path, None)

    def release(self) -> None:
        """Let others have the folder; does nothing where the lock is no longer ours."""
        if os.getpid() != self._process:  # a copy of us, made by a fork
            return
        with suppress(OSError):
            if _text_of(self._path) == self._text:
                self._path.unlink()


def _written_first(path: Path, text: str) -> bool:
    """Write a file that is not there; tell whether it was not."""
    try:
        file = path.open("x", encoding="utf-8")
    except FileExistsError:
        return False
    try:
        with file:
            file.write(text)
    except OSError:
        path.unlink(missing_ok=True)  # nobody could tell whose it is
        raise
    return True


def _clear(path: Path) -> None:
    """Remove a lock whose process is no more; raise StoreError if it may be there."""
    text = _text_of(path)
    if text is None:
        return  # released this very moment
    holder = _parsed(text)
    if holder is None or _may_live(holder):
        raise _held(path, holder)
    # Several may find the same lock, and only one may remove it: else the slower ones would
    # remove the lock that the fastest has taken by then.
    guard = path.with_name(f"{path.name}.clearing")
    if not _written_first(guard, ""):
        raise _held(guard, None)
    try:
        if _text_of(path) == text:
            path.unlink()
    finally:
        guard.unlink()


def _text_of(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        holder = json.loads(text)
    except ValueError:  # being written, or damaged
        return None
    known = isinstance(holder, dict) and {"machine", "process", "started"} <= holder.keys()
    return holder if known else None


def _may_live(holder: dict[str, Any]) -> bool:
    if holder["machine"] != machine_name():
        return True
    started = _start_of(holder["process"])
    # Numbers of processes are used again, and in a container they are always the same.
    is_another = None not in (started, holder["started"]) and started != holder["started"]
    return lives(str(holder["process"])) and not is_another


def _start_of(process: int) -> str | None:
    """Tell which boot of the system and when in it a process began, where that can be known."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        status = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except OSError:
        return None
    return f"{boot} {status.rpartition(')')[2].split()[19]}"


def _held(path: Path, holder: dict[str, Any] | None) -> StoreError:
    folder = path.parent
    if holder is None:
        who, remedy = "another process", f"wait for it; if there is none, delete {path}"
    elif holder["process"] == os.getpid() and holder["machine"] == machine_name():
        who, remedy = "this very process", "close what was opened before, or use it in a 'with'"
    else:
        who = f"process {holder['process']} on {holder['machine']}"
        remedy = f"wait for it, or choose another folder; if it has ended, delete {path}"
    return StoreError(f"{folder} is being written by {who}; {remedy}.")
