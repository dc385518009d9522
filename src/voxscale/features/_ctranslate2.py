"""Model files of CTranslate2 (model.bin): named arrays, read without running anything."""

from __future__ import annotations

import math
import mmap
import struct
from pathlib import Path
from typing import NoReturn

import numpy as np

from voxscale.arrays import Array
from voxscale.data._files import present
from voxscale.errors import DataError

__all__ = ["read_ctranslate2"]

_VERSIONS = (4, 5, 6)  # of the layout, which is the same in all three
_DTYPES = ("<f4", "|i1", "<i2", "<i4", "<f2")  # by their number in the file
_MOST_AXES = 8
_MOST_SHOWN = 80


def read_ctranslate2(path: Path, spec: str) -> dict[str, Array]:
    """Read the arrays of a CTranslate2 model of one kind.

    Every length is checked against the file before it is used.

    Parameters
    ----------
    path : Path
        A ``model.bin``.
    spec : str
        The kind of model, as CTranslate2 calls it, such as "WhisperSpec".

    Returns
    -------
    dict of read-only arrays by name
        They lie in the file, not in memory. A name that is an alias gives the array that it
        stands for.

    Raises
    ------
    DataError
        If it is truncated, damaged, of another kind, or no file of CTranslate2.
    """
    path = present(path)
    with path.open("rb") as file:
        walk = _Walk(path, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    version = walk.number("I", "a version")
    if version not in _VERSIONS:
        told = ", ".join(map(str, _VERSIONS))
        walk.fail(f"version {version} where one of {told} belongs")
    name = walk.text("the kind of model")
    if name != spec:
        walk.fail(f"{_shown(name)} where {spec!r} belongs")
    walk.number("I", "a revision")
    arrays: dict[str, Array] = {}
    for _ in range(walk.number("I", "the number of arrays")):
        name = walk.new_name(arrays)
        arrays[name] = walk.array(name)
    for _ in range(walk.number("I", "the number of aliases")):
        name, target = walk.new_name(arrays), walk.text("the name of an array")
        if target not in arrays:
            walk.fail(f"{_shown(name)} stands for {_shown(target)}, which is not there")
        arrays[name] = arrays[target]
    walk.need_the_end()
    return arrays


class _Walk:
    """A place in the file, and steps from it."""

    def __init__(self, path: Path, data: mmap.mmap) -> None:
        self.path, self.data, self.at = path, data, 0

    def number(self, kind: str, what: str) -> int:
        """Read a number, little-endian, of a kind that struct knows."""
        (value,) = struct.unpack(f"<{kind}", self.take(struct.calcsize(f"<{kind}"), what))
        return int(value)

    def text(self, what: str) -> str:
        """Read a text: its length, its bytes, and the zero that ends them."""
        found = self.take(self.number("H", f"the length of {what}"), what)
        if not found.endswith(b"\0") or b"\0" in found[:-1]:
            self.fail(f"{_shown(found)} where {what} belongs, and a zero")
        try:
            return found[:-1].decode()
        except UnicodeDecodeError:
            self.fail(f"{_shown(found)} where {what} belongs")

    def new_name(self, known: dict[str, Array]) -> str:
        name = self.text("the name of an array")
        if name in known:
            self.fail(f"{_shown(name)} is there twice")
        return name

    def array(self, name: str) -> Array:
        """Read the shape, type and size of an array, and find its values."""
        shown = _shown(name)
        n_axes = self.number("B", f"the number of axes of {shown}")
        if n_axes > _MOST_AXES:
            self.fail(f"{shown} has {n_axes} axes where at most {_MOST_AXES} belong")
        shape = tuple(self.number("I", f"the shape of {shown}") for _ in range(n_axes))
        kind = self.number("B", f"the type of {shown}")
        if kind >= len(_DTYPES):
            types = ", ".join(np.dtype(one).name for one in _DTYPES)
            self.fail(f"{shown} is of type {kind}, which is none of {types}")
        dtype = np.dtype(_DTYPES[kind])
        n_values, n_bytes = math.prod(shape), self.number("I", f"the size of {shown}")
        if n_bytes == 0 or n_bytes != n_values * dtype.itemsize:
            self.fail(f"{shown} of shape {shape}, {dtype.name}, has {n_bytes} bytes")
        start = self.step(n_bytes, f"the values of {shown}")
        values: Array = np.frombuffer(self.data, dtype, n_values, start)
        return values.reshape(shape)

    def take(self, n_bytes: int, what: str) -> bytes:
        start = self.step(n_bytes, what)
        return self.data[start : self.at]

    def step(self, n_bytes: int, what: str) -> int:
        """Step over bytes that must be there; return where they begin."""
        start = self.at
        if n_bytes > len(self.data) - start:
            self.fail(f"ends at byte {len(self.data):,}, within {what}")
        self.at += n_bytes
        return start

    def need_the_end(self) -> None:
        if left := len(self.data) - self.at:
            self.fail(f"goes on for {left:,} bytes after its end")

    def fail(self, what: str) -> NoReturn:
        msg = (
            f"{self.path}, byte {self.at:,}: {what}; expected a whole model.bin as CTranslate2 "
            "writes it; it is another file or a damaged one: install or copy it again."
        )
        raise DataError(msg)


def _shown(name: str | bytes) -> str:
    return repr(name if len(name) <= _MOST_SHOWN else name[:_MOST_SHOWN])
