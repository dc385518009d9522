"""List what a file holds, passing over the bytes of its arrays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Any

from voxscale.data._files import FilePath
from voxscale.data._released._arrays import FoundArray
from voxscale.data._released._finished import parts_of
from voxscale.data._released._read import contents
from voxscale.data._released._source import Source
from voxscale.data._released._values import Blob, FrameOnDisk, StandIn, StoredArray

__all__ = ["Entry", "entries_of", "inspect_released", "leaves_of"]

_MOST_ENTRIES = 100_000
_NAME_LENGTH = 200
_FIELDS_SHOWN = 8
_LISTED = (dict, StandIn, StoredArray, FrameOnDisk)


@dataclass(frozen=True)
class Entry:
    """One thing in a file.

    Parameters
    ----------
    name : str
        Where it is, such as ``['fox']``; empty for the whole.
    kind : str
        array, DataFrame, Series, Index, text, list, TextGrid, …
    dtype : str
        Empty where it has none.
    shape : tuple of int
        Of a list, how many it holds.
    n_bytes : int
        Of numbers and text, unpacked.
    number : int or None
        Of an array: how many were before it in the file.
    keys : tuple
        The keys and places that lead to it.
    """

    name: str
    kind: str
    dtype: str = ""
    shape: tuple[int, ...] = ()
    n_bytes: int = 0
    number: int | None = None
    keys: tuple[Any, ...] = ()


def inspect_released(path: FilePath, *, max_gib: float | None = None) -> list[Entry]:
    """List what is in a file that joblib or pickle wrote, without running or holding it.

    The bytes of arrays and long texts are passed over, so that memory goes with the number of
    objects and not with their size.

    Parameters
    ----------
    path : path-like
    max_gib : float, optional
        Most that the file may unpack to. By default a hundred times its size, or 1 GiB where
        that is more.

    Returns
    -------
    list of Entry
        In the order of the dicts and lists; what is in two places is listed in the first, and
        named in the second. At most 100,000.

    Raises
    ------
    DataError
        As `read_released`.
    """
    source = Source(path, max_gib, passes=True)
    with closing(source):
        value = contents(source, FoundArray.passed)
    found = list(islice(entries_of(value), _MOST_ENTRIES + 1))
    if len(found) > _MOST_ENTRIES:
        found[-1] = Entry("", f"more than {_MOST_ENTRIES} entries; the rest is left out")
    return found


def entries_of(value: Any) -> Iterator[Entry]:
    """Yield an entry for whatever is no dict or list of arrays, and for what is in those."""
    counted: set[int] = set()
    for name, keys, one, before in leaves_of(value):
        if before is None:
            yield _entry(name, keys, one, counted)
        else:
            yield Entry(name, f"the same as {before or 'the whole'}", keys=keys)


def leaves_of(value: Any) -> Iterator[tuple[str, tuple[Any, ...], Any, str | None]]:
    """Yield what is listed: its name, its keys, itself, and where it was listed before, if so."""
    seen: dict[int, str] = {}
    listed: dict[int, bool] = {}
    waiting: list[tuple[tuple[Any, ...], Any]] = [((), value)]
    while waiting:
        keys, one = waiting.pop()
        name = "".join(f"[{_shown(key)}]" for key in keys)[:_NAME_LENGTH]
        if _is_table(one) or isinstance(one, dict | list | tuple | StandIn):
            if id(one) in seen:
                yield name, keys, one, seen[id(one)]
                continue
            seen[id(one)] = name
        below = _below(one, listed)
        if below is None:
            yield name, keys, one, None
        else:
            waiting.extend(((*keys, key), part) for key, part in reversed(below))


def _below(value: Any, listed: dict[int, bool]) -> list[tuple[Any, Any]] | None:
    """Return what is to be listed by itself: what is in dicts, and in lists of more than values."""
    if isinstance(value, dict) and value:
        return list(value.items())
    if isinstance(value, list | tuple) and any(_is_listed(one, listed) for one in value):
        return list(enumerate(value))
    return None


def _is_listed(value: Any, listed: dict[int, bool]) -> bool:
    """Tell whether a part of a list is listed by itself; each list is looked through once."""
    if isinstance(value, list | tuple):
        if id(value) not in listed:
            listed[id(value)] = any(map(_is_by_itself, value))
        return listed[id(value)]
    return _is_by_itself(value)


def _is_by_itself(value: Any) -> bool:
    return isinstance(value, _LISTED) or _is_table(value)


def _is_table(value: Any) -> bool:
    return hasattr(value, "iloc") or hasattr(value, "to_frame")


def _entry(name: str, keys: tuple[Any, ...], value: Any, counted: set[int]) -> Entry:
    if isinstance(value, StoredArray):
        number = value.number
        return Entry(name, "array", _type(value.dtype), value.shape, value.n_bytes, number, keys)
    if isinstance(value, FrameOnDisk):
        return Entry(name, value.kind, "", value.shape, value.n_bytes, keys=keys)
    if isinstance(value, Blob):
        return Entry(name, "bytes or text", "", (), value.n_bytes, keys=keys)
    kind = value.kind if isinstance(value, StandIn) else _kind(value)
    sized = isinstance(value, list | tuple | set | frozenset | dict)
    shape = tuple(value.shape) if hasattr(value, "dtype") else (len(value),) if sized else ()
    dtype = _type(getattr(value, "dtype", ""))
    return Entry(name, kind, dtype, shape, _n_bytes(value, counted), keys=keys)


def _type(dtype: Any) -> str:
    n_fields = len(getattr(dtype, "names", None) or ())
    return str(dtype) if n_fields <= _FIELDS_SHOWN else f"{n_fields} fields"


def _kind(value: Any) -> str:
    names = {"str": "text", "NoneType": "nothing", "int": "number", "float": "number"}
    name = type(value).__name__
    return "number" if hasattr(value, "dtype") and not value.shape else names.get(name, name)


def _n_bytes(value: Any, seen: set[int]) -> int:
    """Count the bytes of numbers and text; those of a shared part where it comes first."""
    total, waiting = 0, [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str | bytes | bytearray):
            total += len(one)
        elif isinstance(one, StoredArray | FrameOnDisk | Blob):
            total += one.n_bytes
        elif isinstance(one, int | float):
            total += 8
        elif hasattr(one, "nbytes"):
            total += int(one.nbytes)
        elif id(one) not in seen:
            seen.add(id(one))
            waiting.extend(parts_of(one) or ())
    return total


def _shown(key: Any) -> str:
    if isinstance(key, tuple):
        return f"({', '.join(map(_shown, key))})"
    return repr(key[:_NAME_LENGTH] if isinstance(key, str | bytes) else key)
