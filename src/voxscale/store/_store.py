"""Results on disk, by key: complete or absent."""

from __future__ import annotations

import json
import re
import traceback
import zipfile
import zlib
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from voxscale.arrays import Array
from voxscale.errors import StoreError
from voxscale.store._aside import write_aside
from voxscale.store._codecs import read_meta, read_result, write_result
from voxscale.store._key import plain

__all__ = ["Store"]

_KEY = re.compile(r"[A-Za-z0-9_-]{1,100}")
# What numpy and zipfile raise for a damaged file; the last one for a flipped compression byte.
_BROKEN = (zipfile.BadZipFile, zlib.error, ValueError, EOFError, NotImplementedError)
_Read = TypeVar("_Read")


class Store:
    """A folder of results, one ``.npz`` file each, named by their key.

    A file that exists is complete. Nothing is made on disk before the first ``put``.
    A result that could not be had leaves a ``.failed.json`` that says why.

    Parameters
    ----------
    folder : path

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> store = Store(tempfile.mkdtemp())
    >>> store.put("a1", {"r": np.array([0.5, 0.25])}, {"layer": 9})
    >>> arrays, meta = store.get("a1")
    >>> arrays["r"], meta["layer"], "a1" in store
    (array([0.5 , 0.25]), 9, True)
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def __repr__(self) -> str:
        return f"Store({str(self.folder)!r})"

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
        return self.folder / f"{key}.npz"

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self.has(key)

    def has(self, key: str) -> bool:
        """Tell whether a result is there.

        Raises
        ------
        StoreError
            If the file may not be read, or was cut short: it lacks the record that ends a zip
            file.
        """
        return self._read(key, _is_there)

    def keys(self) -> list[str]:
        """List the keys of all results, sorted."""
        return sorted(file.stem for file in self.folder.glob("*.npz") if _KEY.fullmatch(file.stem))

    def put(self, key: str, arrays: Mapping[str, Array], meta: Mapping[str, Any]) -> None:
        """Write a result, all at once, and forget an earlier failure.

        Parameters
        ----------
        key : str
        arrays : mapping of str to array
            Any shape; numbers or text, no Python objects.
        meta : mapping
            What JSON can hold; tuples come back as lists.

        Raises
        ------
        StoreError
            If the disk is full, read-only or not ours to write; nothing is left behind.
        TypeError
            If an array holds Python objects, or the metadata are not JSON.
        """
        with write_aside(self.path(key)) as temporary:
            write_result(temporary, arrays, meta)
        self.failure_path(key).unlink(missing_ok=True)

    def get(
        self, key: str, names: Collection[str] | None = None
    ) -> tuple[dict[str, Array], dict[str, Any]]:
        """Read a result.

        Parameters
        ----------
        key : str
        names : collection of str, optional
            Only these arrays are read. Default: all.

        Returns
        -------
        arrays : dict
        meta : dict

        Raises
        ------
        StoreError
            If it is not there, has no such array, or the file is damaged.
        """
        return self._read(key, lambda path: read_result(path, names))

    def meta(self, key: str) -> dict[str, Any]:
        """Read the metadata of a result and none of its arrays; errors as :meth:`get`."""
        return self._read(key, read_meta)

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
            As :meth:`put`.
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
        return self.path(key).with_suffix(".failed.json")

    def _read(self, key: str, read: Callable[[Path], _Read]) -> _Read:
        path = self.path(key)
        try:
            return read(path)
        except FileNotFoundError as error:
            msg = f"{path} does not exist; run the study to compute it."
            raise StoreError(msg) from error
        except PermissionError as error:
            msg = f"{path} cannot be read: {error.strerror}; make it readable for yourself."
            raise StoreError(msg) from error
        except OSError as error:
            msg = f"{path} cannot be read: {error.strerror or error}; check the disk."
            raise StoreError(msg) from error
        except KeyError as error:
            msg = f"{path} has {error.args[0]}; ask for one of these."
            raise StoreError(msg) from error
        except _BROKEN as error:
            raise _damaged(path, error) from error


def _is_there(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:  # by itself is_zipfile calls what it may not open no zip file
        if not zipfile.is_zipfile(file):
            msg = "it was cut short"
            raise zipfile.BadZipFile(msg)
    return True


def _damaged(path: Path, how: object) -> StoreError:
    return StoreError(f"{path} is damaged ({how}); delete it and run again.")
