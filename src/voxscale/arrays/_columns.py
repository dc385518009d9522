"""Read a large array, in memory or on disk, by blocks of columns."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from voxscale.arrays._series import Array
from voxscale.arrays._sources import Source, source_of
from voxscale.errors import DataError

__all__ = ["Columns", "read_ahead"]

_WINDOW_BYTES = 32 * 2**20  # read at a time where rows are picked out
_DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


@dataclass(frozen=True, eq=False)
class Columns:
    """An array of shape (n_rows, n_columns) that is read a block of columns at a time.

    Make one with :meth:`of`. What is read is a copy, and it is what was asked for: that a file
    was closed or cut short meanwhile, or lost a chunk, is told, and never read as zeros.

    Parameters
    ----------
    values : array-like of shape (n_rows, n_columns)
        The array itself, wherever it is.
    name : str
        What messages call it.
    shape : tuple of int
        As it was when the array was given.
    dtype : numpy.dtype
    source : Source
        Where the array is, and what can go wrong there.

    Examples
    --------
    >>> Y = Columns.of(np.arange(12, dtype="int16").reshape(3, 4))
    >>> Y.read(slice(1, 3), "float32")
    array([[ 1.,  2.],
           [ 5.,  6.],
           [ 9., 10.]], dtype=float32)
    """

    values: Any
    name: str
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    source: Source

    @classmethod
    def of(cls, values: Any, name: str = "Y") -> Columns:
        """Take an array as it is; none of its numbers are read.

        Parameters
        ----------
        values : array-like of shape (n_rows, n_columns)
            A numpy array or memory map, an h5py dataset, a zarr array, or anything with
            ``shape``, ``dtype`` and slices of rows and columns. Lists become arrays.
        name : str
            What messages call it.

        Returns
        -------
        Columns

        Raises
        ------
        DataError
            If its file is closed already, or damaged.
        TypeError
            If it is sparse.
        ValueError
            If it has not two axes, or does not hold real numbers.

        Examples
        --------
        >>> Columns.of([1.0, 2.0], "X")
        Traceback (most recent call last):
        ValueError: X has shape (2,) and dtype float64; expected (n_rows, n_columns) numbers.
        """
        if isinstance(values, cls):
            return values
        if isinstance(values, list | tuple):
            values = np.asarray(values)
        if hasattr(values, "toarray"):
            msg = f"{name} is sparse; expected a dense array: give {name}.toarray() if it fits."
            raise TypeError(msg)
        try:
            if not isinstance(getattr(values, "dtype", None), np.dtype):
                values = np.asarray(values)
            shape, dtype = values.shape, values.dtype
            is_fit = shape is not None and len(shape) == 2 and dtype.kind in "fiub"
            source = source_of(values) if is_fit else None
        except Exception as error:  # what a library raises for a closed file is not agreed on
            msg = (
                f"{name} cannot be opened ({_said(error)}); expected an array of shape "
                "(n_rows, n_columns) in an open, whole file; open the file again."
            )
            raise DataError(msg) from error
        if source is None:
            msg = (
                f"{name} has shape {shape} and dtype {dtype}; expected (n_rows, n_columns) numbers."
            )
            raise ValueError(msg)
        return cls(values, name, (int(shape[0]), int(shape[1])), dtype, source)

    @property
    def is_in_memory(self) -> bool:
        """Nothing is gained by reading ahead: a numpy array that maps no file."""
        return self.source.is_in_memory

    @property
    def chunk_width(self) -> int:
        """Columns of one storage chunk; 1 where the array is stored in one piece."""
        return self.source.chunk[1]

    def aligned(self, width: int) -> int:
        """Choose the widest block that reads whole chunks.

        Parameters
        ----------
        width : int
            The most columns that may be read at a time.

        Returns
        -------
        int
            The largest multiple of ``chunk_width`` up to ``width``; ``width`` itself where a
            chunk is wider.
        """
        if width < 1:
            msg = f"width is {width}; expected 1 column or more."
            raise ValueError(msg)
        return width // self.chunk_width * self.chunk_width or width

    def read(self, block: slice, dtype: DTypeLike) -> Array:
        """Read some columns, all rows of them.

        Parameters
        ----------
        block : slice
            Columns, from start to stop within the array.
        dtype : {"float32", "float64"}

        Returns
        -------
        array of shape (n_rows, n_block_columns)
            A copy in C order. What is too large for float32 is infinite.

        Raises
        ------
        DataError
            If the array has changed since it was given, or its file was closed, cut short or
            damaged.
        ValueError
            If the block reaches beyond the columns, or the dtype is another.
        """
        dtype, n_columns = _checked(dtype), self.shape[1]
        start = 0 if block.start is None else block.start
        stop = n_columns if block.stop is None else block.stop
        if not 0 <= start <= stop <= n_columns or block.step not in (None, 1):
            msg = f"block is {block}; expected a slice of the {n_columns} columns, in order."
            raise ValueError(msg)
        columns = slice(start, stop)
        with self._told(f"columns {start}..{stop - 1}", slice(0, self.shape[0]), columns):
            piece = self._piece(slice(0, self.shape[0]), columns)
            is_ours = self.source.gives_copies and piece.flags.owndata
            return np.array(piece, dtype=dtype, order="C", copy=None if is_ours else True)

    def rows(self, rows: slice | ArrayLike, dtype: DTypeLike) -> Array:
        """Read some rows, all columns of them.

        Every chunk is read once, and little is held beside the result.

        Parameters
        ----------
        rows : slice or array of int or bool
            As numpy takes them; in any order, also more than once.
        dtype : {"float32", "float64"}

        Returns
        -------
        array of shape (n_chosen_rows, n_columns)
            As :meth:`read`.

        Raises
        ------
        DataError
            As :meth:`read`.
        ValueError
            If there are no such rows, or the dtype is another.
        """
        dtype, chosen = _checked(dtype), self._row_numbers(rows)
        values = np.empty((len(chosen), self.shape[1]), dtype=dtype)
        if not values.size:
            return values
        order = np.argsort(chosen, kind="stable")
        wanted = chosen[order]
        span = slice(int(wanted[0]), int(wanted[-1]) + 1)
        with self._told(f"rows {span.start}..{span.stop - 1}", span, slice(0, self.shape[1])):
            for part, window, columns in self._windows(wanted):
                piece = self._piece(window, columns)
                values[order[part], columns] = piece[wanted[part] - window.start]
        return values

    def _row_numbers(self, rows: slice | ArrayLike) -> Array:
        try:
            index = rows if isinstance(rows, slice) else np.asarray(rows)
            if not isinstance(index, slice) and not index.size:
                index = index.astype(np.intp)  # an empty list is of floats
            chosen: Array = np.arange(self.shape[0])[index]
            if chosen.ndim != 1:
                raise IndexError(rows)
        except IndexError as error:
            msg = (
                f"rows are {rows!r}; expected a slice, or a sequence of row numbers or truth "
                f"values, of the {self.shape[0]} rows of {self.name}."
            )
            raise ValueError(msg) from error
        return chosen

    def _windows(self, wanted: Array) -> Iterator[tuple[slice, slice, slice]]:
        """Yield pieces of the array: which of the wanted rows, rows, and columns."""
        n_columns, (n_together, width) = self.shape[1], self.source.chunk
        budget = max(1, _WINDOW_BYTES // self.dtype.itemsize)
        if n_together * n_columns <= budget:
            n_together, width = budget // n_columns // n_together * n_together, n_columns
        else:
            width = max(width, budget // n_together // width * width)
        for number in np.unique(wanted // n_together):
            ends = np.searchsorted(wanted, [number * n_together, (number + 1) * n_together])
            part = slice(int(ends[0]), int(ends[1]))
            window = slice(int(wanted[part][0]), int(wanted[part][-1]) + 1)
            for start in range(0, n_columns, width):
                yield part, window, slice(start, min(start + width, n_columns))

    def _piece(self, rows: slice, columns: slice) -> Array:
        piece = np.asarray(self.values[rows, columns])
        asked = (rows.stop - rows.start, columns.stop - columns.start)
        if piece.shape != asked:
            msg = f"shape {piece.shape} came back where {asked} was asked for"
            raise OSError(msg)
        return piece

    @contextmanager
    def _told(self, what: str, rows: slice, columns: slice) -> Iterator[None]:
        """Look before and after reading whether the array is what it was; tell all troubles."""
        try:
            self._look(rows, columns)
            with np.errstate(over="ignore", invalid="ignore"):  # too large for float32: inf
                yield
            self._look(rows, columns)
        except MemoryError:
            raise
        except Exception as error:  # what a codec raises is not agreed on
            msg = (
                f"{self.name}: {what} of {self.source.where} could not be read ({_said(error)}); "
                "expected it to stay open and as it was; restore it, open it again and run again."
            )
            raise DataError(msg) from error

    def _look(self, rows: slice, columns: slice) -> None:
        if not self.source.is_open():
            msg = "its file was closed"
            raise OSError(msg)
        if tuple(self.values.shape) != self.shape:
            msg = f"it has shape {self.values.shape} now, {self.shape} when it was opened"
            raise OSError(msg)
        if trouble := self.source.trouble(rows, columns):
            raise OSError(trouble)


def read_ahead(
    source: Columns, blocks: Iterable[slice], dtype: DTypeLike, *, n_ahead: int = 1
) -> Generator[tuple[slice, Array], None, None]:
    """Read blocks of columns in order, the next ones while this one is worked on.

    A thread of its own reads; there is none for an array in memory. It ends with the
    generator: after the last block, at an error, or when the generator is closed or dropped.

    Parameters
    ----------
    source : Columns of shape (n_rows, n_columns)
    blocks : iterable of slice
        As :meth:`Columns.read` takes them.
    dtype : {"float32", "float64"}
    n_ahead : int
        Blocks to read beyond the current one. Beside the block that was yielded, ``n_ahead`` + 1
        are held at most.

    Returns
    -------
    generator
        Yields each block and its values, of shape (n_rows, n_block_columns).

    Raises
    ------
    DataError
        As :meth:`Columns.read`, when the block is reached that could not be read.
    ValueError
        If ``n_ahead`` is negative.

    Examples
    --------
    >>> Y = Columns.of(np.ones((2, 5)))
    >>> [values.shape for _, values in read_ahead(Y, [slice(0, 3), slice(3, 5)], "float64")]
    [(2, 3), (2, 2)]
    """
    if n_ahead < 0:
        msg = f"n_ahead is {n_ahead}; expected 0 blocks or more."
        raise ValueError(msg)
    if source.is_in_memory or n_ahead == 0:
        return ((block, source.read(block, dtype)) for block in blocks)
    return _by_thread(source, blocks, dtype, n_ahead)


def _by_thread(
    source: Columns, blocks: Iterable[slice], dtype: DTypeLike, n_ahead: int
) -> Generator[tuple[slice, Array], None, None]:
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="voxscale-read-ahead")
    pending: deque[tuple[slice, Future[Array]]] = deque()
    try:
        for block in blocks:
            pending.append((block, pool.submit(source.read, block, dtype)))
            if len(pending) > n_ahead:
                yield _first(pending)
        while pending:
            yield _first(pending)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _first(pending: deque[tuple[slice, Future[Array]]]) -> tuple[slice, Array]:
    """Wait for the first block; once it is yielded, only the consumer holds it."""
    block, future = pending.popleft()
    return block, future.result()


def _checked(dtype: DTypeLike) -> np.dtype[Any]:
    if np.dtype(dtype) not in _DTYPES:
        msg = f"dtype is {np.dtype(dtype)}; expected float32 or float64."
        raise ValueError(msg)
    return np.dtype(dtype)


def _said(error: Exception) -> str:
    """Return what an error says; its kind too, where that is not only "the system said no"."""
    text = str(error) or "no reason given"
    return text if type(error) is OSError else f"{type(error).__name__}: {text}"
