"""What is wrong with a value of a study file, in the words of TOML."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

__all__ = ["as_toml", "kind_of", "reason_of"]

_LONGEST = 60
# What pydantic expected where it found another type; its names of errors on the left.
_EXPECTED = {
    "string_type": "text",
    "path_type": "text",
    "tuple_type": "a list",
    "list_type": "a list",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
}
_OF_LIMITS = {
    "greater_than": "it is not above {gt:g}",
    "greater_than_equal": "it is below {ge:g}",
    "less_than": "it is not below {lt:g}",
    "less_than_equal": "it is above {le:g}",
}
_PLAINLY = {
    "missing": "it has too few values",
    "too_long": "it has too many values",
    "string_too_short": "it is empty",
    "string_pattern_mismatch": "it has other characters",
    "finite_number": "it is not finite",
}


def reason_of(error: Mapping[str, Any]) -> str:
    """Say what is wrong with a value, of one of pydantic's errors.

    Examples
    --------
    >>> reason_of({"type": "tuple_type", "input": "S1"})
    'it is text, not a list'
    """
    name, value = error["type"], error["input"]
    if name in _EXPECTED:
        kind, expected = kind_of(value), _EXPECTED[name]
        if kind == "a number" and expected == "a whole number":
            return "it is not a whole number"
        return f"it is {kind}, not {expected}"
    if name in _OF_LIMITS:
        return _OF_LIMITS[name].format(**error["ctx"])
    if name == "too_short":
        return "it has too few values" if value else "it is empty"
    if name == "literal_error":
        return f"it is {kind_of(value)}" if not isinstance(value, str) else "there is no such word"
    return _PLAINLY.get(name, str(error["msg"]).removeprefix("Value error, ").removesuffix("."))


def kind_of(value: Any) -> str:
    """Tell what a value is called in TOML."""
    kinds: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (bool, "true or false"),
        ((int, float), "a number"),
        (str, "text"),
        ((list, tuple), "a list"),
        (Mapping, "a table"),
        ((datetime.date, datetime.time), "a date or a time"),
    )
    return next((told for types, told in kinds if isinstance(value, types)), "something else")


def as_toml(value: Any) -> str:
    """Write a value as a study file has it, cut where it is long.

    Examples
    --------
    >>> as_toml({"low": 1, "on": True, "names": ["a"]})
    "{ low = 1, on = true, names = ['a'] }"
    """
    told = _written(value)
    return told if len(told) <= _LONGEST else f"{told[: _LONGEST - 3]}..."


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, Mapping):
        fields = ", ".join(f"{name} = {_written(held)}" for name, held in value.items())
        return f"{{ {fields} }}" if fields else "{ }"
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return repr(value)
