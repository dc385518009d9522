"""Names that take a number, such as ``cc_norm(0.25)``: read, checked, and written again."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Protocol

from voxscale.errors import did_you_mean

__all__ = ["Row", "known_name", "parse_named", "written"]

_CALL = re.compile(r"\s*(\w+)\s*(?:\(([^()]*)\)\s*)?")


class Row(Protocol):
    """What a table says about a name: the number it takes, if any."""

    @property
    def parameter(self) -> str | None:
        """What the number is called; None where the name takes none."""

    @property
    def is_required(self) -> bool:
        """Whether the number cannot be left out."""


def known_name(what: str, name: object, known: Mapping[str, object]) -> str:
    """Check that a name is one of those in a table.

    Raises
    ------
    TypeError
        If it is not a string.
    ValueError
        If it is unknown; names the closest.
    """
    if not isinstance(name, str):
        msg = f"{what} is {name!r}; expected a name: {', '.join(known)}."
        raise TypeError(msg)
    if name not in known:
        msg = (
            f"{what} {name!r} is unknown; choose one of {', '.join(known)}"
            f"{did_you_mean(name, known)}."
        )
        raise ValueError(msg)
    return name


def parse_named(what: str, text: object, table: Mapping[str, Row]) -> tuple[str, float | None]:
    """Read ``name`` or ``name(number)`` as one of the rows of a table.

    Parameters
    ----------
    what : str
        What messages call it, such as "reducer".
    text : str
    table : mapping of name to Row

    Returns
    -------
    name : str
    number : float or None

    Raises
    ------
    TypeError
        If it is not a string.
    ValueError
        If the name is unknown, or its number is missing, unwanted or no finite number.
    """
    found = _CALL.fullmatch(text) if isinstance(text, str) else None
    name = known_name(what, text if found is None else found[1], table)
    written_number = None if found is None else found[2]
    parameter, is_required = table[name].parameter, table[name].is_required
    if written_number is None:
        if is_required:
            msg = f"{what} {name!r} lacks its {parameter}; write it as in {name}(0.25)."
            raise ValueError(msg)
        return name, None
    if parameter is None:
        msg = f"{what} {text!r} has a number, but {name} takes none; write {name}."
        raise ValueError(msg)
    try:
        number = float(written_number)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        msg = (
            f"{what} {text!r}: its {parameter} is {written_number.strip()!r}; expected a finite "
            f"number, as in {name}(0.25)."
        )
        raise ValueError(msg)
    return name, number


def written(name: str, number: float | None) -> str:
    """Write a name and its number so that :func:`parse_named` reads the same again."""
    return name if number is None else f"{name}({number!r})"
