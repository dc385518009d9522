"""Results on disk, by key: complete or absent."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

from voxscale.arrays import Array
from voxscale.errors import StoreError
from voxscale.store._aside import write_aside
from voxscale.store._codecs import read_meta, read_result, write_result
from voxscale.store._record import Records

__all__ = ["Store"]

# What numpy and zipfile raise for a damaged file.
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    ValueError,
    EOFError,
    NotImplementedError,  # zipfile's, of an unknown compression: a flipped byte makes one
)
_Read = TypeVar("_Read")


class Store(Records):
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

    suffix = ".npz"

    def has(self, key: str) -> bool:
        """Tell whether a result is there.

        Raises
        ------
        StoreError
            If the file may not be read, or was cut short: it lacks the record that ends a zip
            file.
        """
        return self._read(key, _is_there)

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
        self, key: str, names: Collection[str] | None = None, *, missing_ok: bool = False
    ) -> tuple[dict[str, Array], dict[str, Any]]:
        """Read a result.

        Parameters
        ----------
        key : str
        names : collection of str, optional
            Only these arrays are read. Default: all.
        missing_ok : bool
            Leave out those of ``names`` that it has not, instead of raising.

        Returns
        -------
        arrays : dict
        meta : dict

        Raises
        ------
        StoreError
            If it is not there, has no such array, or the file is damaged.
        """
        return self._read(key, lambda path: read_result(path, names, missing_ok=missing_ok))

    def meta(self, key: str) -> dict[str, Any]:
        """Read the metadata of a result and none of its arrays; errors as :meth:`get`."""
        return self._read(key, read_meta)

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
