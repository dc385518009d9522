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
    level = [value]
    for _ in range(_DEEPEST):
        below: list[Any] = []
        for one in level:
            if id(one) in seen:
                continue
            parts = parts_of(one)
            if parts is None:
                if isinstance(one, (*_FINE, np.ndarray)) or _is_table(one):
                    continue
                name = getattr(one, "name", None) or getattr(one, "known", None)
                refuse(f"the file holds {name or type(one).__name__!r} as a value", "data")
            seen.add(id(one))
            below.extend(parts)
        if not below:
            return value
        level = below
    return refuse("the objects are nested too deeply", f"at most {_DEEPEST} levels", "flatten them")


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
