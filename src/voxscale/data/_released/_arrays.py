"""Arrays as a pickle holds them: those whose bytes follow, and those whose bytes were given."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from voxscale.arrays import Array
from voxscale.data._released._source import Source
from voxscale.data._released._values import Begun, Blob, StoredArray, refuse

__all__ = ["FoundArray", "as_shape", "object_array", "scalar_of"]

_LARGEST = 2**62
_MOST_AXES = 32
_PLAIN = (str, bytes, int, float, complex, bool, type(None), np.generic, list, tuple)


class FoundArray:
    """An array at the point of the file where it is found; set ``value`` to what it becomes.

    Parameters
    ----------
    source : Source
    number : int
        Which array of the file it is, from 0.
    dtype : numpy.dtype
    shape : tuple of int
    order : {"C", "F"}
        Whether its rows or, reversed, its columns lie together.
    given : array of uint8, Blob or array of objects, optional
        Its bytes; otherwise they are what comes next in the file.
    begun : Begun, optional
        What the memo holds in its place.
    """

    def __init__(
        self,
        source: Source,
        number: int,
        dtype: np.dtype[Any],
        shape: tuple[int, ...],
        order: str,
        given: Array | Blob | None = None,
        begun: Begun | None = None,
    ) -> None:
        self.source, self.number, self.given, self.begun = source, number, given, begun
        self.dtype, self.shape, self.order = dtype, shape, order
        self.n_bytes = math.prod(shape) * dtype.itemsize
        self.value: Any = None
        self._n_left = self.n_bytes if given is None else 0
        have = given.nbytes if isinstance(given, np.ndarray) else None
        have = given.n_letters if isinstance(given, Blob) else have
        if have is not None and have != self.n_bytes and not dtype.hasobject:
            what = f"an array of {have} bytes, of shape {shape} and type {dtype}"
            refuse(what, f"{self.n_bytes} bytes", "the file is damaged: fetch it again")

    @property
    def follows(self) -> bool:
        """Whether its bytes are still in the file."""
        return self._n_left > 0

    def held(self) -> Array:
        """Return the array, read-only, in the byte order of this machine."""
        if isinstance(self.given, Blob):
            msg = "bytes that were passed over cannot be held"
            raise TypeError(msg)
        if self.dtype.hasobject and self.given is not None:
            return _frozen(self.given)
        with self.source.telling():
            raw = self._next(self._n_left) if self.given is None else self.given
            return _checked(self._shaped(raw))

    def mapped(self, whole: Array) -> Array:
        """Return the array as a part of the mapped file, read-only."""
        at = self.source.tell()
        self.skip()
        with self.source.telling():
            found = self._shaped(whole[at : at + self.n_bytes])
            return _checked(found) if self.dtype.kind == "U" else found

    def passed(self) -> StoredArray:
        """Pass over the array, and return what is known of it."""
        self.skip()
        return self.known()

    def known(self) -> StoredArray:
        """Return what is known of the array."""
        return StoredArray(self.number, self.dtype, self.shape, self.n_bytes)

    def skip(self) -> None:
        """Pass over what is left of the bytes."""
        with self.source.telling():
            self.source.skip(self._n_left)
        self._n_left = 0

    def blocks(self, n_bytes: int) -> Iterator[tuple[int, Array]]:
        """Yield the array in blocks, in the order of the file.

        Parameters
        ----------
        n_bytes : int
            Most of one block, but for one row or column.

        Yields
        ------
        start : int
            Where the block begins, along the first axis, or the last where ``order`` is "F".
        block : array

        Raises
        ------
        ValueError
            If they were taken before, or the file has been read on or closed.
        """
        if self.given is None:
            self._check_there(self.n_bytes)
        if self.given is not None or not self.shape or not self.n_bytes:
            yield 0, self.held()
            return
        is_f = self.order == "F"
        n_lines = self.shape[-1] if is_f else self.shape[0]
        rest = self.shape[:-1] if is_f else self.shape[1:]
        n_line = self.n_bytes // n_lines
        step = max(1, n_bytes // n_line)
        before = self.source.budget.taken
        for start in range(0, n_lines, step):
            n = min(step, n_lines - start)
            shape = (*rest, n) if is_f else (n, *rest)
            with self.source.telling():
                raw = self._next(n * n_line)
                values = _checked(_laid(raw.view(self.dtype), shape, self.order))
            self.source.budget.taken = before  # the one before is let go
            yield start, values

    def _check_there(self, n: int) -> None:
        """Refuse to read what is not what comes next in the file."""
        if self.source.file.closed or n > self._n_left:
            msg = (
                f"{self.source.path}: array {self.number} is not what comes next any more: its "
                "blocks were taken, the next array was asked for, or the file was closed; expected "
                "blocks to be taken once, while it is there; take them within "
                "'for array in stream_released(path):', or call stream_released again."
            )
            raise ValueError(msg)

    def _next(self, n: int) -> Array:
        self._check_there(n)
        self._n_left -= n
        return self.source.take(n)

    def _shaped(self, raw: Array) -> Array:
        if not self.n_bytes:
            return _frozen(np.empty(self.shape, self.dtype))
        return _laid(raw.view(self.dtype), self.shape, self.order)


def as_shape(value: Any, dtype: np.dtype[Any]) -> tuple[int, ...]:
    """Check the shape of an array; numbers of numpy are as good as Python's."""
    if not isinstance(value, tuple) or len(value) > _MOST_AXES:
        refuse("an array without a shape", f"at most {_MOST_AXES} lengths of axes")
    shape: Any = tuple(int(one) if isinstance(one, np.integer) else one for one in value)
    if not all(type(one) is int and 0 <= one < _LARGEST for one in shape):
        refuse("an array with an odd shape", "whole numbers, 0 or more")
    # Lengths beside a 0 count too: numpy multiplies them.
    if math.prod(max(1, one) for one in shape) * max(1, dtype.itemsize) >= _LARGEST:
        refuse(f"an array of shape {shape} and type {dtype}", "one that fits a disk")
    if dtype.itemsize == 0 and math.prod(shape):
        refuse(f"an array of type {dtype}, which takes no space", "numbers or text")
    checked: tuple[int, ...] = shape
    return checked


def object_array(items: Any, shape: tuple[int, ...], order: str) -> Array:
    """Return an array of text, numbers, None and lists."""
    if type(items) is not list or len(items) != math.prod(shape):
        refuse("an array of objects without all of them", f"{math.prod(shape)} objects")
    for one in items:
        if not isinstance(one, _PLAIN):
            kind = getattr(one, "kind", None) or type(one).__name__
            what = f"an array of objects that holds a {kind}"
            refuse(what, "text, numbers, None or lists", "save it as a list or a dict")
    found = np.empty(len(items), object)
    for place, one in enumerate(items):
        found[place] = one
    return _laid(found, shape, order)


def scalar_of(source: Source, dtype: Any, raw: Any) -> Any:
    """Return one number, as numpy's."""
    if not isinstance(dtype, np.dtype) or dtype.hasobject or dtype.itemsize == 0:
        refuse("a number that is none", "a number as numpy pickles it")
    if not isinstance(raw, bytes | bytearray) or len(raw) != dtype.itemsize:
        refuse("a number with too many or too few bytes", f"{dtype.itemsize} bytes")
    source.budget.take(dtype.itemsize)  # of each use of the bytes
    return _checked(np.frombuffer(bytes(raw), np.uint8).view(dtype))[0]


def _checked(array: Array) -> Array:
    """Return what was read, read-only, in this machine's order; no letter is beyond Unicode."""
    if array.dtype.names is None and not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if array.dtype.kind == "U" and array.size:
        flat = array.reshape(-1, order="A").view(np.uint32)
        if flat.max() > 0x10FFFF:
            refuse("an array of text with letters that do not exist", "Unicode")
    return _frozen(array)


def _laid(flat: Any, shape: tuple[int, ...], order: str) -> Array:
    laid: Array = flat.reshape(shape, order=order)
    return laid


def _frozen(array: Array) -> Array:
    array.flags.writeable = False
    return array
