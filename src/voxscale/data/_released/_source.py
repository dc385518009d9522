"""The bytes of a pickle, taken one after the other; none is trusted to be there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from voxscale.arrays import Array
from voxscale.data._files import FilePath, present
from voxscale.data._released._limits import limits_of
from voxscale.data._released._unpack import unpacked
from voxscale.data._released._values import Blob, Wrong, refuse
from voxscale.errors import DataError

__all__ = ["Source"]

_PIECE = 1 << 20
_SMALL = 1 << 16  # bytes; passing over less is not worth it
_TINY = 256  # bytes; as many count as a part of their step
_SHORT_LINE = 1024


class Source:
    """The stream of a file.

    Parameters
    ----------
    path : path-like
    max_gib : float or None
    passes : bool
        Long strings of bytes and text are passed over, not held.
    is_held : bool
        Arrays are kept in memory.

    Raises
    ------
    DataError
        If the file is missing, a pointer, or of another kind.
    """

    def __init__(
        self, path: FilePath, max_gib: float | None, *, passes: bool = False, is_held: bool = False
    ) -> None:
        self.path: Path = present(path)
        self.size = self.path.stat().st_size
        self.passes = passes
        self.budget = limits_of(self.size, max_gib, is_held=is_held)
        try:
            self.file, self.is_plain = unpacked(self.path, self.budget)
        except Wrong as wrong:
            raise self.told(wrong, 0) from wrong
        self.read = self.file.read
        self.tell = self.file.tell

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Tell what is wrong as an error of this file."""
        try:
            yield
        except Wrong as wrong:
            raise self.told(wrong) from wrong
        except MemoryError as error:
            what = Wrong("there is not enough memory", "what fits", "convert the file instead")
            raise self.told(what) from error

    def close(self) -> None:
        """Close the file."""
        self.file.close()

    def told(self, wrong: Wrong, at: int | None = None) -> DataError:
        """Return the error to raise: where, what, what was expected, and what to do."""
        at = self.file.tell() if at is None else at
        place = "byte" if getattr(self, "is_plain", True) else "byte (unpacked)"
        return DataError(
            f"{self.path}, {place} {at}: {wrong.what}; expected {wrong.expected}; {wrong.remedy}."
        )

    def exactly(self, n: int) -> bytes:
        """Return so many bytes, of which there are few."""
        found = self.read(n)
        if len(found) < n:
            raise self.ended(n - len(found))
        return found

    def end(self) -> None:
        """Read on where the pickle ends: what comes last is a sum of all that was packed."""
        if not self.is_plain:
            with self.telling():
                self.read(1)

    def ended(self, n_more: int) -> Wrong:
        """Return what to raise where the file ends."""
        return Wrong(
            "the file ends", f"{n_more} more bytes", "it is truncated: fetch or copy it again"
        )

    def content(self, n: int, *, is_text: bool = False) -> bytes | bytearray | Blob:
        """Return bytes of which the file says how many; read in pieces, so that they are there."""
        if n < _SMALL:
            if n > _TINY:
                self.budget.take(n)
            return self.exactly(n)
        self.check_left(n)
        if self.passes:
            return self._passed(n, is_text=is_text)
        self.budget.take(n)
        held = bytearray()
        while len(held) < n:
            piece = self.read(min(_PIECE, n - len(held)))
            if not piece:
                raise self.ended(n - len(held))
            held += piece
        return held

    def line(self, most: int = _SHORT_LINE) -> bytes:
        """Return a line, without its end."""
        found = self.file.readline(most)
        if not found.endswith(b"\n"):
            what = "a line that does not end" if len(found) == most else "the file ends in a line"
            refuse(what, f"a line of at most {most} bytes")
        return found[:-1]

    def long_line(self) -> bytes:
        """Return a line of any length, as far as it may be held."""
        found = bytearray()
        while not found.endswith(b"\n"):
            piece = self.file.readline(_PIECE)
            if not piece:
                raise self.ended(1)
            self.budget.take(len(piece))
            found += piece
        return bytes(found[:-1])

    def check_left(self, n: int) -> None:
        """Refuse a length that a file of this size cannot have."""
        if self.is_plain:
            if n > self.size - self.tell():
                raise self.ended(n - (self.size - self.tell()))
        elif n > self.budget.unpacked:
            what = f"the file says that {n} bytes follow"
            refuse(what, *self.budget.remedy(self.budget.unpacked, "from this file"))

    def skip(self, n: int) -> None:
        """Pass over bytes."""
        self.check_left(n)
        if self.is_plain:
            self.file.seek(n, 1)
            return
        while n > 0:
            piece = self.read(min(_PIECE, n))
            if not piece:
                raise self.ended(n)
            n -= len(piece)

    def take(self, n: int) -> Array:
        """Return bytes as an array; counted, but held only as far as they are there."""
        self.check_left(n)
        self.budget.take(n)
        found = np.empty(n, np.uint8)
        whole: Any = found
        view, done = memoryview(whole), 0
        while done < n:
            n_read = self._into(view[done : done + _PIECE])
            if not n_read:
                raise self.ended(n - done)
            done += n_read
        return found

    def _into(self, view: memoryview) -> int:
        reader: Any = self.file
        return int(reader.readinto(view))

    def _passed(self, n: int, *, is_text: bool) -> Blob:
        if not is_text:
            self.skip(n)
            return Blob(n, n)
        n_letters, left = 0, n
        while left:
            piece = self.read(min(_PIECE, left))
            if not piece:
                raise self.ended(left)
            # Of a letter in UTF-8 every byte but the first begins with the bits 10.
            n_letters += int(np.count_nonzero(np.frombuffer(piece, np.int8) >= -64))
            left -= len(piece)
        return Blob(n, n_letters)
