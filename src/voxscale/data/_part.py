"""The part of a file that has arrived, beside the file to be, and what it is a part of."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from voxscale.data._remote import Remote
from voxscale.store._aside import told

__all__ = ["Part", "part_of"]


def part_of(target: Path) -> Path:
    """Name the file that collects what arrives of ``target``."""
    return target.with_name(f".{target.name}.part")


class Part:
    """A file that grows beside its target.

    A little file with it says of which version of which remote file it is; without that, or with
    another, it begins anew. All of it may be cut off at any point: what is lost is what had not
    been written.
    """

    def __init__(self, target: Path) -> None:
        self.target, self.path = target, part_of(target)
        self._about = self.path.with_name(f"{self.path.name}.json")
        self.version = ""

    def take_up(self, remote: Remote) -> int:
        """Return how many bytes are there to go on from, 0 if it must begin anew."""
        about = self._read()
        size = self.path.stat().st_size if self.path.is_file() else 0
        self.version = about.get("version", "")
        # Bytes of which neither a hash nor the server can tell that they are the same are not kept.
        can_be_told = bool(remote.hash or self.version)
        is_same = about.get("of") == _named(remote) and can_be_told
        too_many = remote.n_bytes is not None and size > remote.n_bytes
        if size and is_same and not self.path.is_symlink() and not too_many:
            return size
        self.remove()
        return 0

    def begin(self, remote: Remote, version: str) -> None:
        """Say what the bytes to come are of, before the first of them."""
        with told(self.target):
            self.target.parent.mkdir(parents=True, exist_ok=True)
            self.remove()
            text = json.dumps({"of": _named(remote), "version": version})
            self._about.write_text(text, encoding="utf-8")
        self.version = version

    def put_in_place(self) -> None:
        """Rename what is complete and verified; a reader sees all of it or nothing."""
        with told(self.target):
            with self.path.open("r+b") as file:
                os.fsync(file.fileno())
            self.path.replace(self.target)
            self._about.unlink(missing_ok=True)
            with suppress(OSError):  # not every system can
                folder = os.open(self.target.parent, os.O_RDONLY)
                try:
                    os.fsync(folder)
                finally:
                    os.close(folder)

    def remove(self) -> None:
        """Remove what has arrived."""
        with told(self.target):
            self.path.unlink(missing_ok=True)
            self._about.unlink(missing_ok=True)
        self.version = ""

    def _read(self) -> dict[str, str]:
        try:
            about = json.loads(self._about.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # none, or cut off
            return {}
        fine = isinstance(about, dict) and all(isinstance(one, str) for one in about.values())
        return about if fine else {}


def _named(remote: Remote) -> str:
    return json.dumps([remote.url, remote.n_bytes, remote.hash])
