"""Names for results: a hash of everything that can change their numbers."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["hash_array", "hash_file", "key_of"]

_LENGTH = 32  # hex digits kept of a sha256: 128 bits
_BLOCK = 1 << 22  # bytes read or hashed at a time


def key_of(fields: Mapping[str, Any]) -> str:
    """Name a result by what it was computed from.

    The order of the fields does not matter, nor does the process; a tuple and a
    list are the same, and so are a numpy number and Python's.

    Parameters
    ----------
    fields : mapping
        Strings, numbers, booleans, None, and lists, tuples and mappings of these.

    Returns
    -------
    str
        The first 32 hexadecimal digits of the sha256 of the canonical JSON.

    Raises
    ------
    TypeError
        If a value is of another type, or a name is not a string.
    ValueError
        If a number is NaN or infinite.

    Examples
    --------
    >>> key_of({"layer": 9, "delays": (1, 2)}) == key_of({"delays": [1, 2], "layer": 9})
    True
    """
    text = json.dumps(
        plain(fields, "fields"), sort_keys=True, separators=(",", ":"), ensure_ascii=True
    )
    return hashlib.sha256(text.encode()).hexdigest()[:_LENGTH]


def hash_array(array: ArrayLike) -> str:
    """Hash the type, shape and numbers of an array.

    A memory map is read in blocks of rows, never whole. Memory order does not matter.

    Raises
    ------
    TypeError
        If the array holds Python objects.

    Examples
    --------
    >>> hash_array(np.zeros(3)) == hash_array(np.zeros((3, 1)))
    False
    """
    array = np.asanyarray(array)
    if array.dtype.hasobject:
        msg = f"an array of dtype {array.dtype} holds Python objects; expected numbers or text."
        raise TypeError(msg)
    digest = hashlib.sha256(f"{array.dtype.str}{array.shape};".encode())
    rows = np.atleast_1d(array)
    step = max(1, _BLOCK // max(1, rows[:1].nbytes))
    for start in range(0, len(rows), step):
        digest.update(np.ascontiguousarray(rows[start : start + step]).tobytes())
    return digest.hexdigest()[:_LENGTH]


def hash_file(path: str | Path) -> str:
    """Hash a file's bytes, a block at a time.

    Returns
    -------
    str
        The full sha256, 64 hexadecimal digits, as ``sha256sum`` prints it.
    """
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def plain(value: Any, name: str, *, finite: bool = True) -> Any:
    """Turn a value into what JSON can hold, or say which part of it cannot be."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        if finite and not math.isfinite(value):
            msg = f"{name} is {value}; expected a finite number."
            raise ValueError(msg)
        return value
    if isinstance(value, (list, tuple)):
        return [plain(item, f"{name}[{i}]", finite=finite) for i, item in enumerate(value)]
    if isinstance(value, Mapping):
        return {
            _name(key, name): plain(item, f"{name}.{key}", finite=finite)
            for key, item in value.items()
        }
    msg = (
        f"{name} is of type {type(value).__name__}; expected text, a number, a boolean, None, "
        f"or lists and mappings of these. Hash arrays with hash_array."
    )
    raise TypeError(msg)


def _name(key: Any, parent: str) -> str:
    if not isinstance(key, str):
        msg = f"{parent} has the name {key!r}; expected text."
        raise TypeError(msg)
    return key
