"""Conditions on a table: ``layer == 9 and subject == "S1"``, read and never run."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from voxscale.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["choose_rows"]

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_ORDER = ("<=", ">=", "<", ">")
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_CONDITION = re.compile(
    rf"""\s*(?P<column>[A-Za-z_]\w*)
    \s*(?P<operator>==|!=|<=|>=|<|>)
    \s*(?:(?P<number>{_NUMBER})(?![\w.]) | "(?P<double>[^"]*)" | '(?P<single>[^']*)'
        | (?P<truth>true|false)\b )\s*""",
    re.VERBOSE | re.IGNORECASE,
)
_AND = re.compile(r"and\b", re.IGNORECASE)
_FORM = 'COLUMN OPERATOR VALUE joined by "and", such as layer == 9 and subject == "S1"'


class _Condition(NamedTuple):
    column: str
    operator: str
    value: float | str | bool


def choose_rows(table: pd.DataFrame, where: str) -> pd.DataFrame:
    """Keep the rows of which all conditions are true.

    Parameters
    ----------
    table : DataFrame
    where : str
        Conditions joined by "and": a column, one of ``== != < <= > >=``, and a number, a text in
        quotes, true or false. Nothing of it is run as code. A row without a value is left out.

    Raises
    ------
    ConfigError
        If it has another form, there is no such column, or a column of numbers is compared with a
        text or the other way round.
    """
    import pandas as pd

    kept = pd.Series(data=True, index=table.index)
    for condition in _parsed(where):
        column = _column(table, condition.column)
        _check_kind(column, condition)
        true = _OPERATORS[condition.operator](column, condition.value)
        kept &= (true & column.notna()).astype(bool)
    return table[kept]


def _parsed(where: str) -> list[_Condition]:
    conditions, at = [], 0
    while True:
        found = _CONDITION.match(where, at)
        if found is None:
            raise ConfigError(_not_read(where, at))
        conditions.append(_Condition(found["column"], found["operator"], _value(found)))
        at = found.end()
        if at == len(where):
            return conditions
        joined = _AND.match(where, at)
        if joined is None:
            raise ConfigError(_not_read(where, at))
        at = joined.end()


def _value(found: re.Match[str]) -> float | str | bool:
    if found["number"] is not None:
        return float(found["number"])
    if found["truth"] is not None:
        return found["truth"].lower() == "true"
    return found["double"] if found["double"] is not None else found["single"]


def _not_read(where: str, at: int) -> str:
    rest = where[at:].strip()
    place = f"at {rest!r}" if rest else "at its end"
    return f"--where {where!r} cannot be read {place}; expected {_FORM}."


def _column(table: pd.DataFrame, name: str) -> pd.Series:
    if name not in table.columns:
        known = [str(one) for one in table.columns]
        hint = did_you_mean(name, known)
        msg = f"--where: there is no column {name!r}{hint}; there are {', '.join(known)}."
        raise ConfigError(msg)
    return table[name]


def _check_kind(column: pd.Series, condition: _Condition) -> None:
    """Refuse what could only ever be false: a number that is to equal a text."""
    import pandas as pd

    kinds = {
        "true or false": (pd.api.types.is_bool_dtype(column), isinstance(condition.value, bool)),
        "text": (
            not pd.api.types.is_numeric_dtype(column) and bool(column.notna().any()),
            isinstance(condition.value, str),
        ),
    }
    held = next((kind for kind, (is_it, _) in kinds.items() if is_it), "numbers")
    given = next((kind for kind, (_, is_it) in kinds.items() if is_it), "numbers")
    if held != given or (held != "numbers" and condition.operator in _ORDER):
        shown = {"text": f'{condition.column} == "…"', "numbers": f"{condition.column} >= 9"}
        msg = (
            f"--where: column {condition.column!r} holds {held}; {condition.operator} "
            f"{condition.value!r} cannot be asked of it; expected "
            f"{shown.get(held, f'{condition.column} == true')} or the like."
        )
        raise ConfigError(msg)
