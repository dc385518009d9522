"""A zarr store in a folder whose files are on disk, and complete, once they are written."""

from __future__ import annotations

import asyncio
from typing import Any

from zarr.storage import LocalStore

from voxscale.store._aside import write_aside

__all__ = ["DurableStore"]


class DurableStore(LocalStore):  # type: ignore[misc]  # zarr is not looked into
    """A folder for zarr; each file is written aside, forced to disk and renamed.

    zarr's own renames without forcing: after a power cut a chunk that was rewritten may be
    empty, though what is in it was on disk before. A disk that says no is a StoreError.
    """

    async def set(self, key: str, value: Any) -> None:
        """Write one file."""
        await asyncio.to_thread(self.set_sync, key, value)

    def set_sync(self, key: str, value: Any) -> None:
        """Write one file, as newer versions of zarr may ask for it."""
        self._check_writable()
        with write_aside(self.root / key) as temporary:
            temporary.write_bytes(value.to_bytes())
