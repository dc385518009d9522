"""Look through what was read: nothing half-made, nothing nested without end, is given away."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from voxscale.data._released._values import Blob, FrameOnDisk, StandIn, StoredArray, refuse

__all__ = ["checked", "parts_of"]

_DEEPEST = 500
_FINE = (
    str, bytes, bytearray, int, float, complex, bool, type(None), range, slice, np.generic,
    np.dtype, Blob, StoredArray, FrameOnDisk,
)  # fmt: skip


def checked(value: Any) -> Any:
    """Return what was read.

    Raises
    ------
    Wrong
        If a class or function, or a half-made object, is among it, or it is nested too deeply.
    """
    seen: set[int] = set()
    path = [iter((value,))]  # what is left of each container that one goes through
    while path:
        parts = next((new for one in path[-1] if (new := _new_parts(one, seen)) is not None), None)
        if parts is None:
            path.pop()
            continue
        path.append(iter(parts))
        if len(path) > _DEEPEST:
            what = "the objects are nested too deeply"
            refuse(what, f"at most {_DEEPEST} levels", "flatten them")
    return value


def _new_parts(value: Any, seen: set[int]) -> Any:
    """Return what a container holds, the first time; None for what is none, and is data."""
    if id(value) in seen:
        return None
    parts = parts_of(value)
    if parts is not None:
        seen.add(id(value))
    elif not isinstance(value, (*_FINE, np.ndarray)) and not _is_table(value):
        name = getattr(value, "name", None) or getattr(value, "known", None)
        refuse(f"the file holds {name or type(value).__name__!r} as a value", "data")
    return parts


def parts_of(value: Any) -> Any:
    """Return what a container holds; None where it is none."""
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    if isinstance(value, StandIn):
        return list(value.attributes.values())
    if isinstance(value, list | tuple | set | frozenset):
        return value
    if isinstance(value, np.ndarray) and value.dtype.hasobject:
        return value.ravel().tolist()
    return None


def _is_table(value: Any) -> bool:
    pandas: Any = sys.modules.get("pandas")  # where it was not imported, there is no table
    return pandas is not None and isinstance(value, pandas.DataFrame | pandas.Series | pandas.Index)
