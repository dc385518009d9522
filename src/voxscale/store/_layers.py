"""Features of one story on disk: a zarr group by key, with an array for each layer."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from voxscale.arrays import Array
from voxscale.errors import StoreError
from voxscale.store._aside import folder_aside
from voxscale.store._key import plain
from voxscale.store._record import Records

__all__ = ["LayerStore", "LayerWriter"]

_CHUNK_BYTES = 2**20  # so that what is held of each layer is little, however wide it is


class LayerStore(Records):
    """A folder of zarr groups, named by their key; each holds the layers of one story.

    A group that exists is complete: it is written aside, a few rows at a time, and renamed.

    Parameters
    ----------
    folder : path

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> store = LayerStore(tempfile.mkdtemp())
    >>> with store.writing("a1", n_rows=3, meta={"story": "hut"}) as writer:
    ...     writer.append("layer_0", np.zeros((2, 4)))
    ...     writer.append("layer_0", np.ones((1, 4)))
    >>> store.get("a1", "layer_0")[:, 0], store.meta("a1")["story"]
    (array([0., 0., 1.], dtype=float32), 'hut')
    """

    suffix = ".zarr"

    def has(self, key: str) -> bool:
        """Tell whether a group is there."""
        group = self.path(key) / "zarr.json"
        return group.is_file() and group.stat().st_size > 0

    def names(self, key: str) -> list[str]:
        """List the arrays of a group, sorted; errors as :meth:`get`."""
        return sorted(self._arrays(key))

    def meta(self, key: str) -> dict[str, Any]:
        """Read the metadata of a group; errors as :meth:`get`."""
        return dict(self._open(key).attrs)

    def get(self, key: str, name: str) -> Array:
        """Read one array.

        Parameters
        ----------
        key, name : str

        Returns
        -------
        array of shape (n_rows, n_dims), float32, or float64 where it was written so

        Raises
        ------
        StoreError
            If it is not there, or damaged.
        """
        arrays, path = self._arrays(key), self.path(key)
        if name not in arrays:
            held = ", ".join(sorted(arrays))
            msg = f"{path} has no array {name!r}, only {held}; delete it and run again."
            raise StoreError(msg)
        try:
            stored = arrays[name]
            if stored.nchunks_initialized < stored.nchunks:
                raise _damaged(path, f"{name} lacks some of its chunks")
            values: Array = stored[:]
        except StoreError:
            raise
        except Exception as error:  # what a codec raises is not agreed on
            raise _damaged(path, error) from error
        return values

    @contextmanager
    def writing(self, key: str, *, n_rows: int, meta: Mapping[str, Any]) -> Iterator[LayerWriter]:
        """Write a group; it is there, as a whole, when the block ends.

        Where somebody else has finished the same group meanwhile, theirs is kept.

        Parameters
        ----------
        key : str
        n_rows : int
            Of every array; those of words are given their own.
        meta : mapping
            What JSON can hold.

        Yields
        ------
        LayerWriter

        Raises
        ------
        StoreError
            If the disk is full, read-only or not ours to write; nothing is left behind.
        """
        import zarr

        path = self.path(key)
        if path.is_dir() and not self.has(key):
            shutil.rmtree(path, ignore_errors=True)  # what a broken disk left of it
        with folder_aside(path, replace=False) as folder:
            attributes = plain(meta, "meta", finite=False)
            group = zarr.open_group(folder, mode="a", attributes=attributes, zarr_format=3)
            writer = LayerWriter(group, n_rows)
            yield writer
            writer.check()
        self.failure_path(key).unlink(missing_ok=True)

    def _arrays(self, key: str) -> dict[str, Any]:
        group, path = self._open(key), self.path(key)
        try:
            return dict(group.arrays())
        except Exception as error:  # zarr's own errors differ from version to version
            raise _damaged(path, error) from error

    def _open(self, key: str) -> Any:
        import zarr

        path = self.path(key)
        if not path.is_dir():
            msg = f"{path} does not exist; run again to compute it."
            raise StoreError(msg)
        try:
            return zarr.open_group(path, mode="r")
        except Exception as error:  # zarr's own errors differ from version to version
            raise _damaged(path, error) from error


class LayerWriter:
    """Writes the arrays of one group, row after row.

    Parameters
    ----------
    group : zarr group
    n_rows : int
    """

    def __init__(self, group: Any, n_rows: int) -> None:
        self._group, self._n_rows = group, n_rows
        self._arrays: dict[str, Any] = {}
        self._written: dict[str, int] = {}
        self._held: dict[str, list[Array]] = {}

    def append(
        self, name: str, rows: Array, *, n_rows: int | None = None, dtype: str = "float32"
    ) -> None:
        """Add rows to an array; they go to disk a chunk at a time.

        Parameters
        ----------
        name : str
        rows : array of shape (any number, n_dims)
        n_rows : int, optional
            Rows that this array will have. Default: those of the group.
        dtype : {"float32", "float64"}
            What the array holds; times want float64.
        """
        from zarr.codecs import ZstdCodec

        if name not in self._arrays:
            total, n_dims = self._n_rows if n_rows is None else n_rows, rows.shape[1]
            n_together = max(1, min(_CHUNK_BYTES // (4 * max(1, n_dims)), total))
            self._arrays[name] = self._group.create_array(
                name,
                shape=(total, n_dims),
                chunks=(n_together, n_dims),
                dtype=dtype,
                compressors=ZstdCodec(checksum=True),
                fill_value=float("nan"),
                config={"write_empty_chunks": True},  # a chunk that lacks is damage
            )
            self._written[name], self._held[name] = 0, []
        self._held[name].append(np.asarray(rows, dtype=self._arrays[name].dtype))
        self._flush(name)

    def check(self) -> None:
        """Raise ValueError unless every array has all of its rows."""
        for name, array in self._arrays.items():
            given = self._written[name] + sum(map(len, self._held[name]))
            if given != array.shape[0]:
                msg = (
                    f"array {name!r} was given {given} rows of {array.shape[0]}; "
                    "a group must be complete."
                )
                raise ValueError(msg)

    def _flush(self, name: str) -> None:
        array, start = self._arrays[name], self._written[name]
        n_held = sum(map(len, self._held[name]))
        is_all = start + n_held >= array.shape[0]
        n_now = n_held if is_all else n_held // array.chunks[0] * array.chunks[0]
        if n_now == 0:
            return
        rows = np.concatenate(self._held[name])
        array[start : start + n_now] = rows[:n_now]
        self._written[name] = start + n_now
        self._held[name] = [rows[n_now:]] if n_now < n_held else []


def _damaged(path: Path, how: object) -> StoreError:
    return StoreError(f"{path} is damaged ({how}); delete it and run again.")
