"""What was fetched into a folder and how it was verified: a line for each file."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from voxscale.data._remote import OWN_PREFIX, Remote
from voxscale.errors import DataError
from voxscale.store import write_aside
from voxscale.store._aside import told

__all__ = ["RECORD_NAME", "Entry", "FetchRecord"]

RECORD_NAME = f"{OWN_PREFIX}fetched.jsonl"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file that was fetched, or shall be: then ``sha256`` and ``verified_by`` are empty."""

    path: str
    url: str
    n_bytes: int | None
    hash: str
    sha256: str = ""
    verified_by: str = ""
    mtime_ns: int = 0
    when: str = ""

    @property
    def remote(self) -> Remote:
        """The file as it was listed."""
        return Remote(self.path, self.url, self.n_bytes, self.hash)

    def is_unchanged(self, target: Path) -> bool:
        """Tell whether a file has the size and time that it had when it was verified."""
        if not self.verified_by or not target.is_file():
            return False
        status = target.stat()
        return (status.st_size, status.st_mtime_ns) == (self.n_bytes, self.mtime_ns)


class FetchRecord:
    """The lines of a folder, by path; of several for one file the last counts.

    Lines are appended and forced to disk, one by one; one that was cut off is dropped.
    """

    def __init__(self, root: Path) -> None:
        self._root, self._path = root, root / RECORD_NAME
        self._lock = threading.Lock()
        self.entries = {one.path: one for one in _read(self._path)}

    def rewrite(self, awaited: Iterable[Remote] = ()) -> None:
        """Write all lines anew, and one for each file that is awaited.

        A pointer of git-annex says what a file shall be, and is gone once the file is there:
        what it said is kept here before.
        """
        for one in awaited:
            entry = self.entries.get(one.path)
            if entry is None or (entry.url, entry.n_bytes, entry.hash) != _row(one):
                self.entries[one.path] = Entry(one.path, *_row(one))
        with write_aside(self._path) as temporary:
            lines = "".join(map(_line, self.entries.values()))
            temporary.write_text(lines, encoding="utf-8")

    def add(self, remote: Remote, target: Path, sha256: str, verified_by: str) -> None:
        """Say of a file in place that it was verified, and by what."""
        status = target.stat()
        when = datetime.now(UTC).isoformat(timespec="seconds")
        entry = Entry(
            remote.path, remote.url, status.st_size, remote.hash,
            sha256, verified_by, status.st_mtime_ns, when,
        )  # fmt: skip
        self._append(entry)

    def drop(self, entry: Entry) -> None:
        """Say of a file that it is not what it was."""
        self._append(Entry(entry.path, entry.url, entry.n_bytes, entry.hash))

    def _append(self, entry: Entry) -> None:
        with self._lock, told(self._path):
            with self._path.open("a", encoding="utf-8") as file:
                file.write(_line(entry))
                file.flush()
                os.fsync(file.fileno())
            self.entries[entry.path] = entry


def _row(one: Remote) -> tuple[str, int | None, str]:
    return one.url, one.n_bytes, one.hash


def _line(entry: Entry) -> str:
    return json.dumps(asdict(entry), ensure_ascii=True) + "\n"


def _read(path: Path) -> list[Entry]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        msg = f"{path} cannot be read ({error.strerror}); expected a record of what was fetched."
        raise DataError(msg) from error
    return [entry for entry in map(_parsed, lines) if entry is not None]


def _parsed(line: str) -> Entry | None:
    """Read a line; None for one that was cut off, or that nobody here has written."""
    try:
        entry = Entry(**json.loads(line))
        texts = (entry.sha256, entry.verified_by, entry.when)
        is_whole = all(isinstance(one, str) for one in texts) and isinstance(entry.mtime_ns, int)
        return entry if is_whole and entry.remote else None
    except (ValueError, TypeError, AttributeError, DataError):
        return None
