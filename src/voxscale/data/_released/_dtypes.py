"""Types of numbers, from how a pickle tells them."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from voxscale.data._released._values import Begun, refuse

__all__ = ["as_bytes", "dtype_begun", "dtype_built"]

_CODE = re.compile(
    r"[<>=|]?(?:b1|[iu][1248]|f(?:2|4|8|12|16)|c(?:8|16|24|32)|[SUV]\d{1,9}|O8?|[mM]8)"
)
_UNIT = re.compile(r"generic|Y|M|W|D|h|m|s|ms|us|ns|ps|fs|as")
_ORDERS = ("<", ">", "=", "|")
_MOST_FIELDS = 1000
_LONGEST_NAME = 200
_EXPECTED = "a type of numbers or text as numpy pickles it"


def dtype_begun(*args: Any) -> Begun:
    """Begin a type: its code, such as f8; the byte order comes as its state."""
    code = args[0] if args else None
    if isinstance(code, bytes):
        code = code.decode("ascii", "replace")
    if not isinstance(code, str) or len(args) > 3 or not _CODE.fullmatch(code):
        refuse(f"dtype({_shown(code)})", _EXPECTED)
    return Begun(("numpy", "dtype"), code)


def dtype_built(code: str, state: Any) -> np.dtype[Any]:
    """Finish a type with its state."""
    if not isinstance(state, tuple) or not 8 <= len(state) <= 9:
        refuse("a dtype with an odd state", _EXPECTED)
    _, order, sub_array, names, fields, n_bytes = state[:6]
    order = order.decode("latin-1") if isinstance(order, bytes) else order
    if order not in _ORDERS or sub_array is not None:
        refuse("a dtype of arrays, or without byte order", _EXPECTED)
    if names is not None or fields is not None:
        return _of_fields(names, fields, n_bytes)
    plain = code.lstrip("<>=|")
    if plain[0] in "mM":
        plain += _unit(state)
    if order == "|":
        return np.dtype(plain)
    return np.dtype(order + plain)


def as_bytes(value: Any) -> Any:
    """Return bytes where Python 2's are read as text; anything else as it is."""
    return value.encode("latin-1") if isinstance(value, str) else value


def _unit(state: tuple[Any, ...]) -> str:
    """Return the unit of a time, in brackets."""
    meta = state[8][1] if len(state) == 9 and isinstance(state[8], tuple) else None
    if not isinstance(meta, tuple) or len(meta) < 2:
        return ""
    unit, n = meta[0], meta[1]
    unit = unit.decode("latin-1") if isinstance(unit, bytes) else unit
    if not isinstance(unit, str) or not _UNIT.fullmatch(unit) or type(n) is not int:
        refuse("a time of an odd unit", _EXPECTED)
    if not 0 < n < 2**31:
        refuse(f"a time of {n} units", _EXPECTED)
    return "" if unit == "generic" else f"[{n}{unit}]"


def _of_fields(names: Any, fields: Any, n_bytes: Any) -> np.dtype[Any]:
    if not isinstance(names, tuple) or type(fields) is not dict or len(names) > _MOST_FIELDS:
        refuse("a dtype whose fields are no table", _EXPECTED)
    if not all(type(name) is str and len(name) <= _LONGEST_NAME for name in names):
        refuse("a dtype with a field of an odd name", f"at most {_LONGEST_NAME} letters")
    found = [fields.get(name) for name in names]
    for one in found:
        # A type within a type could be as deep as 2 to the number of its parts.
        if (
            not isinstance(one, tuple)
            or len(one) < 2
            or not isinstance(one[0], np.dtype)
            or one[0].names is not None
            or one[0].hasobject
            or type(one[1]) is not int
        ):
            refuse("a dtype with an odd field", _EXPECTED)
    layout: Any = {
        "names": list(names),
        "formats": [one[0] for one in found if one],
        "offsets": [one[1] for one in found if one],
        "itemsize": n_bytes,
    }
    made: np.dtype[Any] = np.dtype(layout)
    return made


def _shown(value: Any) -> str:
    return repr(value[:40]) if isinstance(value, str) else type(value).__name__
