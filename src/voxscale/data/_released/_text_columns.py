"""Columns of text as pandas and Arrow hold them: where each text ends, and all letters in a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from voxscale.arrays import Array
from voxscale.data._released._values import Begun, Blob, FrameOnDisk, Name, refuse

__all__ = ["ARROW_TEXT", "text_built"]

_WIDTHS = {"string": "<i4", "large_string": "<i8"}
_EXPECTED = "text as Arrow holds it"


@dataclass(frozen=True)
class _Kind:
    name: str


def _kind(machine: Any, name: Any) -> _Kind:
    if not isinstance(name, str) or name not in _WIDTHS:
        refuse("a column of another type of Arrow's", "text")
    return _Kind(name)


def _buffer(machine: Any, raw: Any) -> Any:
    if not isinstance(raw, bytes | bytearray | Blob):
        refuse("a buffer that holds no bytes", "bytes")
    return raw


def _array(machine: Any, parts: Any) -> Any:
    """Return the texts of a column, as an array of objects."""
    kind, n, _, offset, buffers = parts[:5]
    if not isinstance(kind, _Kind) or not all(type(one) is int and one >= 0 for one in (n, offset)):
        refuse("a column of Arrow's that is no text", _EXPECTED)
    is_there, ends, letters = buffers
    if any(isinstance(one, Blob) for one in buffers):
        return FrameOnDisk("Index", (n,), sum(map(_size, buffers)))
    letters = b"" if letters is None else letters
    if n == 0:
        return np.empty(0, object)
    width = np.dtype(_WIDTHS[kind.name])
    if len(ends) < (offset + n + 1) * width.itemsize:
        refuse("a column of text without all of its ends", _EXPECTED)
    ends = np.frombuffer(ends, width, n + 1, offset * width.itemsize)
    if ends[0] < 0 or (np.diff(ends) < 0).any() or ends[-1] > len(letters):
        refuse("a column of text that ends beyond its letters", _EXPECTED)
    missing = _missing(is_there, n, offset)
    machine.source.budget.take(100 * n + 4 * len(letters))
    found = np.empty(n, object)
    for place in range(n):
        if not missing[place]:
            found[place] = str(letters[ends[place] : ends[place + 1]], "utf-8")
    return found


def _size(buffer: Any) -> int:
    return buffer.n_bytes if isinstance(buffer, Blob) else len(buffer or b"")


def _missing(is_there: Any, n: int, offset: int) -> Array:
    """Read the bits that say which texts there are; without them, all."""
    if is_there is None:
        return np.zeros(n, bool)
    first, last = offset // 8, (offset + n + 7) // 8  # of its bytes, which may be very many
    if len(is_there) < last:
        refuse("a column of text without all of its bits", _EXPECTED)
    held = np.frombuffer(is_there, np.uint8, last - first, first)
    bits = np.unpackbits(held, bitorder="little")
    missing: Array = bits[offset - 8 * first :][:n] == 0
    return missing


def text_built(machine: Any, begun: Begun, state: Any) -> Any:
    """Return the texts of pandas' wrapper around Arrow's column."""
    found = state.get("_pa_array", state.get("_data")) if type(state) is dict else None
    if not isinstance(found, np.ndarray | FrameOnDisk):
        refuse("a column of text without its texts", _EXPECTED)
    return found


ARROW_TEXT: dict[Name, Any] = {
    ("pyarrow.lib", "_restore_array"): _array,
    ("pyarrow.lib", "type_for_alias"): _kind,
    ("pyarrow.lib", "py_buffer"): _buffer,
}
