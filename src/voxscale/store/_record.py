"""What every store has: names by key, and why a result could not be had."""

from __future__ import annotations

import json
import re
import traceback
from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from voxscale.errors import StoreError
from voxscale.store._aside import write_aside
from voxscale.store._key import plain

__all__ = ["Records"]

_FAILED = ".failed.json"
_KEY = re.compile(r"[A-Za-z0-9_-]{1,100}")


class Records(ABC):
    """A folder of results named by their key, and of records of those that failed.

    Parameters
    ----------
    folder : path
    """

    suffix: str

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.folder)!r})"

    def path(self, key: str) -> Path:
        """Tell where a result is, or would be.

        Raises
        ------
        ValueError
            If the key could not be the name of a file.
        """
        if not _KEY.fullmatch(key):
            msg = f"key {key!r} cannot name a file; expected letters, digits, '_' and '-'."
            raise ValueError(msg)
        return self.folder / f"{key}{self.suffix}"

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self.has(key)

    @abstractmethod
    def has(self, key: str) -> bool:
        """Tell whether a result is there."""

    def keys(self) -> list[str]:
        """List the keys of all results, sorted."""
        found = self.folder.glob(f"*{self.suffix}")
        return sorted(one.stem for one in found if _KEY.fullmatch(one.stem))

    def failed_keys(self) -> list[str]:
        """List the keys that have a record of a failure, sorted."""
        found = self.folder.glob(f"*{_FAILED}")
        keys = (one.name.removesuffix(_FAILED) for one in found)
        return sorted(key for key in keys if _KEY.fullmatch(key))

    def fail(self, key: str, meta: Mapping[str, Any], error: BaseException | str) -> None:
        """Record why a result could not be had.

        Parameters
        ----------
        key : str
        meta : mapping
            What was tried; what JSON can hold.
        error : exception or str
            An exception is kept with its traceback.

        Raises
        ------
        StoreError
            If it cannot be written.
        TypeError
            If the metadata are not JSON.
        """
        if isinstance(error, str):
            text = error.strip()
            name, message = "", (text.splitlines() or [""])[-1]
        else:
            name, message = type(error).__name__, str(error)
            text = "".join(traceback.format_exception(error))
        record = {
            "key": key,
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "error": name,
            "message": message,
            "traceback": text,
            "meta": plain(meta, "meta", finite=False),
        }
        with write_aside(self.failure_path(key)) as temporary:
            temporary.write_text(json.dumps(record, indent=1), encoding="utf-8")

    def failure(self, key: str) -> dict[str, Any] | None:
        """Tell why a result could not be had.

        Returns
        -------
        dict or None
            ``error`` (its class), ``message``, ``traceback``, ``time`` (UTC) and ``meta``;
            None when nothing failed.
        """
        path = self.failure_path(key)
        try:
            record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (ValueError, OSError) as error:
            msg = f"{path} cannot be read ({error}); delete it and run again."
            raise StoreError(msg) from error
        return record

    def failure_path(self, key: str) -> Path:
        """Tell where the record of a failure is, or would be."""
        return self.path(key).with_suffix(_FAILED)
